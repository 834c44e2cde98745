// The community's JavaScript client works against the simulated organisation.
//
// Reads one line of JSON from standard input (addresses and the CRM app); the authority to trust comes by NODE_EXTRA_CA_CERTS.
// Ends with 0, or prints the sentence that turned out false and ends with 1.

import { once } from "node:events";
import { createInterface } from "node:readline";

import { DynamicsWebApi } from "dynamics-web-api";

class Untrue extends Error {}

function check(truth, sentence) {
  if (!truth) throw new Untrue(sentence);
}

async function refused(status, code, act, sentence) {
  let answer;
  try {
    answer = await act();
  } catch (error) {
    check(error.status === status && error.code === code, `${sentence}: expected ${status} ${code}, got ${error.status} ${error.code}: ${error.message}`);
    return;
  }
  check(false, `${sentence}: it was not refused but answered ${JSON.stringify(answer)}`);
}

async function token(world) {
  const { client_id, client_secret, tenant_id } = world.crm;
  const form = new URLSearchParams({ grant_type: "client_credentials", client_id, client_secret, scope: `${world.urls.dataverse}/.default` });
  const answer = await fetch(`${world.urls.entra}/${tenant_id}/oauth2/v2.0/token`, { method: "POST", body: form });
  check(answer.ok, `sign-in answers 200, not ${answer.status}`);
  return (await answer.json()).access_token;
}

async function rows(api) {
  const who = await api.callFunction({ name: "WhoAmI" });
  check(who.UserId?.length === 36, `WhoAmI names the user: ${JSON.stringify(who)}`);
  const id = await api.create({ collection: "accounts", data: { name: "Tailspin" } });
  check(id.length === 36, `create returns the id of the row, not ${id}`);
  const made = await api.create({ collection: "contacts", data: { firstname: "Grace", lastname: "Hopper" }, returnRepresentation: true, select: ["fullname"] });
  check(made.fullname === "Grace Hopper" && made["@odata.etag"], `return=representation brings the row: ${JSON.stringify(made)}`);

  const seen = await api.retrieve({ collection: "accounts", key: id, select: ["name"], includeAnnotations: "*" });
  const changed = await api.update({ collection: "accounts", key: id, data: { telephone1: "1" }, ifmatch: seen["@odata.etag"], returnRepresentation: true, select: ["telephone1"] });
  check(changed.telephone1 === "1" && changed["@odata.etag"] !== seen["@odata.etag"], `an update under the current etag is accepted: ${JSON.stringify(changed)}`);
  // This client turns the refusal of a stale etag into "false".
  const stale = await api.update({ collection: "accounts", key: id, data: { telephone1: "2" }, ifmatch: seen["@odata.etag"], returnRepresentation: true });
  check(stale === false, `an update under a stale etag is refused: ${JSON.stringify(stale)}`);
  const fresh = await api.retrieve({ collection: "accounts", key: id, select: ["telephone1"] });
  check(fresh.telephone1 === "1", `a refused update changes nothing: ${JSON.stringify(fresh)}`);
  const unchanged = await api.retrieve({ collection: "accounts", key: id, select: ["telephone1"], ifnonematch: fresh["@odata.etag"] });
  check(!unchanged?.accountid, `an unchanged row comes without a body: ${JSON.stringify(unchanged)}`);

  await api.updateSingleProperty({ collection: "accounts", key: id, fieldValuePair: { fax: "9" } });
  await api.deleteRecord({ collection: "accounts", key: id, property: "telephone1" });
  await api.associateSingleValued({ collection: "accounts", primaryKey: id, navigationProperty: "primarycontactid", relatedCollection: "contacts", relatedKey: made.contactid });
  const whole = await api.retrieve({ collection: "accounts", key: id, select: ["fax", "telephone1"], expand: [{ property: "primarycontactid", select: ["fullname"] }] });
  check(whole.fax === "9" && whole.telephone1 === null, `single properties are put and emptied: ${JSON.stringify(whole)}`);
  check(whole.primarycontactid.fullname === "Grace Hopper", `$ref connects: ${JSON.stringify(whole)}`);
  await api.deleteRecord({ collection: "accounts", key: id });
  await refused(404, "0x80040217", () => api.retrieve({ collection: "accounts", key: id, select: ["name"] }), "a deleted row");
  await refused(400, "0x80060888", () => api.retrieveMultiple({ collection: "accounts", select: ["no_such_column"] }), "a column that is not there");
}

async function queries(api) {
  for (let n = 0; n < 5; n++) await api.create({ collection: "leads", data: { subject: `Lead ${n}`, lastname: "L", "parentcontactid@odata.bind": null } });
  const request = { collection: "leads", select: ["subject"], filter: "startswith(subject,'Lead')", orderBy: ["subject asc"], maxPageSize: 2, count: true };
  const first = await api.retrieveMultiple(request);
  check(first.value.length === 2 && first["@odata.count"] === 5, `a page and the count of all: ${JSON.stringify(first)}`);
  const second = await api.retrieveMultiple(request, first["@odata.nextLink"]);
  check(second.value[0].subject === "Lead 2", `the next link leads on: ${JSON.stringify(second)}`);
  const all = await api.retrieveAll(request);
  check(all.value.map((row) => row.subject).join() === "Lead 0,Lead 1,Lead 2,Lead 3,Lead 4", `all pages: ${JSON.stringify(all.value)}`);
  check((await api.count({ collection: "leads", filter: "subject eq 'lead 3'" })) === 1, "/$count counts, without regard to case");
  // An address that is too long is sent as a batch of one.
  const long = Array.from({ length: 90 }, (_, n) => `subject eq 'Nothing of the kind ${n}'`).join(" or ");
  const found = await api.retrieveMultiple({ collection: "leads", select: ["subject"], filter: `${long} or subject eq 'Lead 4'` });
  check(found.value.length === 1, `a long query goes through $batch: ${JSON.stringify(found)}`);
}

async function delta(api) {
  const start = await api.retrieveMultiple({ collection: "leads", select: ["subject"], trackChanges: true });
  const link = start["@odata.deltaLink"];
  check(start.value.length === 5 && link, `tracking starts with everything: ${JSON.stringify(start)}`);
  await api.update({ collection: "leads", key: start.value[0].leadid, data: { subject: "Changed" } });
  await api.deleteRecord({ collection: "leads", key: start.value[1].leadid });
  const next = await api.retrieveMultiple({ collection: "leads", select: ["subject"], trackChanges: true }, link);
  check(next.value.length === 2 && next.value[0].subject === "Changed", `a delta tells what changed: ${JSON.stringify(next)}`);
  check(next.value[1].reason === "deleted" && next.value[1].id === start.value[1].leadid, `a delta tells what went: ${JSON.stringify(next)}`);
}

const label = (text) => ({
  "@odata.type": "Microsoft.Dynamics.CRM.Label",
  LocalizedLabels: [{ "@odata.type": "Microsoft.Dynamics.CRM.LocalizedLabel", Label: text, LanguageCode: 1033 }],
});

async function metadata(api) {
  const lead = await api.retrieveEntity({ key: "LogicalName='lead'", select: ["EntitySetName", "ObjectTypeCode"] });
  check(lead.EntitySetName === "leads" && lead.ObjectTypeCode === 4, `a table tells its set: ${JSON.stringify(lead)}`);
  const texts = await api.retrieveAttributes({ entityKey: "LogicalName='lead'", castType: "Microsoft.Dynamics.CRM.StringAttributeMetadata", select: ["LogicalName", "MaxLength"] });
  check(texts.value.find((held) => held.LogicalName === "subject").MaxLength === 300, "a cast tells lengths");
  const choice = await api.createGlobalOptionSet({
    data: { "@odata.type": "Microsoft.Dynamics.CRM.OptionSetMetadata", Name: "new_mood", OptionSetType: "Picklist", Options: [{ Value: 727000000, Label: label("Calm") }] },
  });
  check(choice.length === 36, `a global choice has an id: ${choice}`);
  await api.createAttribute({
    entityKey: "LogicalName='lead'",
    data: {
      "@odata.type": "Microsoft.Dynamics.CRM.PicklistAttributeMetadata",
      AttributeType: "Picklist",
      AttributeTypeName: { Value: "PicklistType" },
      SchemaName: "new_Mood",
      DisplayName: label("Mood"),
      RequiredLevel: { Value: "None" },
      "GlobalOptionSet@odata.bind": `/GlobalOptionSetDefinitions(${choice})`,
    },
  });
  await api.createAttribute({
    entityKey: "LogicalName='lead'",
    data: { "@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata", SchemaName: "new_Reference", DisplayName: label("Reference"), FormatName: { Value: "Text" }, MaxLength: 40, RequiredLevel: { Value: "None" } },
  });
  await api.callAction({ actionName: "PublishXml", action: { ParameterXml: "<importexportxml><entities><entity>lead</entity></entities></importexportxml>" } });
  const id = await api.create({ collection: "leads", data: { subject: "Moody", lastname: "L", new_mood: 727000000, new_reference: "R-1" } });
  const shown = await api.retrieve({ collection: "leads", key: id, select: ["new_mood"], includeAnnotations: "*" });
  check(shown["new_mood@OData.Community.Display.V1.FormattedValue"] === "Calm", `a new choice has labels: ${JSON.stringify(shown)}`);
  await refused(400, "0x80044331", () => api.update({ collection: "leads", key: id, data: { new_reference: "x".repeat(41) } }), "a text longer than its column");
}

async function upserts(api) {
  const country = (name) => api.upsert({ collection: "new_countries", key: "new_iso2='QZ'", data: { new_name: name }, returnRepresentation: true, select: ["new_name", "new_iso2"] });
  const made = await country("Quartzland");
  check(made.new_iso2 === "QZ", `an upsert by key creates, and sets the key: ${JSON.stringify(made)}`);
  const again = await country("Quartzia");
  check(again.new_countryid === made.new_countryid && again.new_name === "Quartzia", `the second one updates: ${JSON.stringify(again)}`);
  // This client turns the refusal under If-None-Match into null.
  const kept = await api.upsert({ collection: "new_countries", key: "new_iso2='QZ'", data: { new_name: "Never" }, ifnonematch: "*" });
  check(kept === null, `If-None-Match: * does not update: ${JSON.stringify(kept)}`);
  const read = await api.retrieve({ collection: "new_countries", key: "new_iso2='QZ'", select: ["new_name"] });
  check(read.new_name === "Quartzia", `a row is read by its key: ${JSON.stringify(read)}`);
}

async function batches(api) {
  api.startBatch();
  api.create({ collection: "contacts", data: { firstname: "Alan", lastname: "Kay" }, contentId: "1" });
  api.create({ collection: "accounts", data: { name: "Batched", "primarycontactid@odata.bind": "$1" }, contentId: "2" });
  api.retrieveMultiple({ collection: "accounts", select: ["name"], filter: "name eq 'Batched'", expand: [{ property: "primarycontactid", select: ["fullname"] }] });
  const answers = await api.executeBatch();
  check(answers.length === 3 && answers[0].length === 36, `a batch answers each part: ${JSON.stringify(answers)}`);
  check(answers[2].value[0].primarycontactid.fullname === "Alan Kay", `$1 refers to the row before: ${JSON.stringify(answers[2])}`);

  api.startBatch();
  api.create({ collection: "accounts", data: { name: "Rolled back" } });
  api.create({ collection: "accounts", data: { name: 5 } });
  try {
    await api.executeBatch();
    check(false, "a change set with a mistake is refused");
  } catch (errors) {
    if (errors instanceof Untrue) throw errors;
    const told = [errors].flat()[0];
    check((told.error ?? told).code === "0x80048d19", `a change set with a mistake tells it: ${JSON.stringify(errors)}`);
  }
  check((await api.count({ collection: "accounts", filter: "name eq 'Rolled back'" })) === 0, "a change set is atomic");
}

const [line] = await once(createInterface({ input: process.stdin }), "line");
const world = JSON.parse(line);
const api = new DynamicsWebApi({ serverUrl: world.urls.dataverse, dataApi: { version: "9.2" }, onTokenRefresh: () => token(world) });
try {
  await rows(api);
  await queries(api);
  await delta(api);
  await metadata(api);
  await upserts(api);
  await batches(api);
} catch (error) {
  console.error(error instanceof Untrue ? error.message : error);
  process.exit(1);
}
console.log("the Node client found everything as documented");
process.exit(0);
