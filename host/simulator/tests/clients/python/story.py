"""Microsoft's own Python client works against the simulated organisation.

Reads one line of JSON from standard input: the addresses, the CRM app, and the file with the authority to trust.
Ends with 0, or prints the sentence that turned out false and ends with 1.
"""

import enum
import json
import sys
import time

import requests
from azure.core.credentials import AccessToken
from PowerPlatform.Dataverse.client import DataverseClient
from PowerPlatform.Dataverse.core.errors import HttpError
from PowerPlatform.Dataverse.models.upsert import UpsertItem


class Temper(enum.IntEnum):
    Calm = 727000000
    Lively = 727000001


class ClientSecret:
    """Signs in at the simulated Entra; the client takes any object with this method."""

    def __init__(self, world):
        crm = world["crm"]
        self.url = f"{world['urls']['entra']}/{crm['tenant_id']}/oauth2/v2.0/token"
        self.form = {
            "grant_type": "client_credentials",
            "client_id": crm["client_id"],
            "client_secret": crm["client_secret"],
        }

    def get_token(self, *scopes, **_):
        answer = requests.post(self.url, data={**self.form, "scope": scopes[0]}, timeout=30)
        answer.raise_for_status()
        told = answer.json()
        return AccessToken(told["access_token"], int(time.time()) + told["expires_in"])


def check(truth, sentence):
    if not truth:
        print(sentence, file=sys.stderr)
        sys.exit(1)


def refused(status, code, act, sentence):
    try:
        act()
    except HttpError as error:
        told = (error.status_code, error.details.get("service_error_code"))
        check(told == (status, code), f"{sentence}: expected {(status, code)}, got {told}: {error}")
        return
    check(False, f"{sentence}: it was not refused")


def rows(client):
    one = client.records.create("account", {"name": "Northwind", "industrycode": "Consulting"})
    check(len(one) == 36, f"create returns the id of the row, not {one!r}")
    row = client.records.retrieve("account", one, select=["name", "industrycode"])
    check(row["name"] == "Northwind", f"a created row is read back: {row}")
    check(row["industrycode"] == 7, f"a label was turned into its option: {row}")
    client.records.update("account", one, {"telephone1": "+1 425"})
    check(
        client.records.retrieve("account", one, select=["telephone1"])["telephone1"] == "+1 425",
        "an update is read back",
    )
    many = client.records.create("account", [{"name": f"Bulk {n}"} for n in range(7)])
    check(len(set(many)) == 7, f"CreateMultiple returns one id for each row: {many}")
    client.records.update("account", many, {"fax": "7"})
    pages = list(
        client.records.list_pages(
            "account",
            filter="startswith(name,'Bulk')",
            select=["name", "fax", "statecode"],
            orderby=["name asc"],
            page_size=3,
            include_annotations="*",
        )
    )
    sizes = [len(list(page)) for page in pages]
    check(sizes == [3, 3, 1], f"pages follow nextLink and keep their size: {sizes}")
    names = [row["name"] for page in pages for row in page]
    check(names == [f"Bulk {n}" for n in range(7)], f"pages are ordered and whole: {names}")
    first = list(pages[0])[0]
    check(first["fax"] == "7", f"UpdateMultiple changed every row: {first}")
    shown = first["statecode@OData.Community.Display.V1.FormattedValue"]
    check(shown == "Active", f"annotations were asked for: {shown}")
    client.records.delete("account", one)
    check(client.records.retrieve("account", one) is None, "a deleted row is not found")
    refused(404, "0x80040217", lambda: client.records.update("account", one, {"name": "x"}), "an update of a deleted row")
    job = client.records.delete("account", many)
    check(job and len(job) == 36, f"BulkDelete names its job: {job}")
    left = client.records.list("account", filter="startswith(name,'Bulk')", select=["name"])
    check(len(list(left)) == 0, "BulkDelete deleted every row")


def tables(client):
    made = client.tables.create("new_Gadget", {"new_Code": "string", "new_Weight": "decimal", "new_Temper": Temper})
    check(made.entity_set_name == "new_gadgets", f"a table tells its set: {made}")
    check(made.primary_name_attribute == "new_name", f"a table tells what names its rows: {made}")
    client.tables.add_columns("new_Gadget", {"new_Count": "int", "new_Seen": "datetime", "new_Good": "bool"})
    columns = {column["LogicalName"] for column in client.tables.list_columns("new_Gadget", select=["LogicalName"])}
    expected = {"new_name", "new_code", "new_weight", "new_temper", "new_count", "new_seen", "new_good", "statecode"}
    check(expected <= columns, f"columns are listed: {expected - columns} missing")
    listed = {table["LogicalName"] for table in client.tables.list(select=["LogicalName"])}
    check({"account", "new_gadget"} <= listed, f"tables are listed: {listed}")
    lookup = client.tables.create_lookup_field("new_Gadget", "new_AccountId", "account")
    held = client.tables.get_relationship(lookup.relationship_schema_name)
    check(held.referencing_entity == "new_gadget", f"a lookup is a relationship: {held}")
    return made


def keys(client):
    client.tables.create_alternate_key("new_Gadget", "new_CodeKey", ["new_code"])
    deadline = time.monotonic() + 30
    status = None
    while status != "Active" and time.monotonic() < deadline:
        (key,) = client.tables.get_alternate_keys("new_Gadget")
        status = key.status
        if status != "Active":
            time.sleep(0.3)
    check(status == "Active", f"a key becomes active: {status}")
    item = UpsertItem(alternate_key={"new_code": "G-1"}, record={"new_name": "First", "new_count": 1})
    client.records.upsert("new_Gadget", [item])
    item.record["new_count"] = 2
    client.records.upsert("new_Gadget", [item])
    found = list(client.records.list("new_Gadget", select=["new_name", "new_code", "new_count"]))
    check(len(found) == 1, f"the second upsert by key updates: {found}")
    check((found[0]["new_code"], found[0]["new_count"]) == ("G-1", 2), f"key and column are set: {found[0]}")
    both = [
        UpsertItem(alternate_key={"new_code": code}, record={"new_name": code, "new_temper": Temper.Lively.value})
        for code in ("G-1", "G-2")
    ]
    client.records.upsert("new_Gadget", both)
    found = client.records.list("new_Gadget", select=["new_name", "new_temper"], orderby=["new_code asc"])
    told = [(row["new_name"], row["new_temper"]) for row in found]
    check(told == [("G-1", 727000001), ("G-2", 727000001)], f"UpsertMultiple updates and creates: {told}")
    refused(
        412,
        "0x80060892",
        lambda: client.records.create("new_Gadget", {"new_name": "Twin", "new_code": "G-2"}),
        "a second row of the same key",
    )


def batches(client):
    batch = client.batch.new()
    with batch.changeset() as changes:
        contact = changes.records.create("contact", {"firstname": "Ada", "lastname": "Byron"})
        changes.records.create("account", {"name": "Batched", "primarycontactid@odata.bind": contact})
    batch.records.list("account", filter="name eq 'Batched'", select=["name"], expand=["primarycontactid"])
    result = batch.execute()
    check(not result.has_errors, f"a batch with a change set: {[r.error_message for r in result.failed]}")
    check(len(result.entity_ids) == 2, f"a change set tells the ids of its rows: {result.entity_ids}")
    (row,) = result.responses[-1].data["value"]
    check(row["primarycontactid"]["fullname"] == "Ada Byron", f"$n refers to the row before: {row}")
    broken = client.batch.new()
    with broken.changeset() as changes:
        changes.records.create("account", {"name": "Rolled back"})
        changes.records.create("account", {"no_such_column": 1})
    broken.records.create("account", {"name": "After the failure"})
    result = broken.execute(continue_on_error=True)
    check(result.has_errors, "a change set with a mistake fails")
    left = client.records.list("account", filter="name eq 'Rolled back' or name eq 'After the failure'", select=["name"])
    check([row["name"] for row in left] == ["After the failure"], "a change set is atomic, and the batch goes on")


def cleaning(client):
    (key,) = client.tables.get_alternate_keys("new_Gadget")
    client.tables.delete_alternate_key("new_Gadget", key.metadata_id)
    client.tables.remove_columns("new_Gadget", "new_Code")
    left = {column["LogicalName"] for column in client.tables.list_columns("new_Gadget", select=["LogicalName"])}
    check("new_code" not in left, "a removed column is gone")
    client.tables.delete("new_Gadget")
    check(client.tables.get("new_Gadget") is None, "a deleted table is gone")


def main():
    world = json.loads(sys.stdin.readline())
    with DataverseClient(world["urls"]["dataverse"], ClientSecret(world)) as client:
        rows(client)
        tables(client)
        keys(client)
        batches(client)
        cleaning(client)
    print("the Python client found everything as documented")


if __name__ == "__main__":
    main()
