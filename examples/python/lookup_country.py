"""Countries kept in a table, new_country, to which the account points with new_countryid.

Reading needs no query: two joins bring the row, and the code stands in it. Writing is one line, "the country row whose code is HU"; the host finds the
row. The column of the stock mapping is taken back.
"""

import kit
from kit import types

COUNTRY = "new_countryid"
ISO2 = "new_iso2"
STOCK_COUNTRY = "address1_country"


class Plugin(kit.PluginBase):
    def manifest(self):
        return types.PluginManifest("lookup-country-python", "1.0.0", "Countries in a lookup table.", [])

    def describe(self, settings):
        return [
            kit.lookup("account", "opportunity", "parentaccountid", "account", COUNTRY),
            kit.lookup("customer", "opportunity", "customerid", "account", COUNTRY),
            kit.lookup("account-country", "account", COUNTRY, "new_country", ISO2),
            kit.lookup("customer-country", "customer", COUNTRY, "new_country", ISO2),
            kit.writes("account", COUNTRY, STOCK_COUNTRY),
            kit.asks("new_country", ISO2, steady=True),
        ]


def key(code):
    return types.Value_RowWhere(types.RowKey("new_country", [(ISO2, code)], types.IfMissing.REFUSE))


class Country(kit.CountryBase):
    def to_deal(self, ctx, seen, draft):
        for label in ("account-country", "customer-country"):
            row = kit.joined(seen, label)
            code = row and kit.text(row, ISO2)
            # What stands there is a person's to write, and a code is two letters.
            if code and len(code) == 2 and code.isascii() and code.isalpha() and code.isupper():
                return code
        return None

    def to_row(self, ctx, order, draft):
        if order.table != "account":
            return []
        return [types.Change_Withdraw(STOCK_COUNTRY), kit.put(COUNTRY, key(order.code))]


class Examples(kit.ExamplesBase):
    def cases(self):
        row = kit.row("new_country", [(ISO2, types.Value_Text("HU"))], id="0e0e0e0e-0000-4000-8000-000000000001")
        return [
            types.Example(
                "the country is read through two joins",
                "country.to-deal",
                [
                    types.Given_Row(kit.row("opportunity")),
                    types.Given_Related(types.Related("customer-country", [row])),
                ],
                [types.Expected_Answers("HU")],
            ),
            types.Example(
                "the country is written as a row of the table",
                "country.to-row",
                [types.Given_Text("HU")],
                [types.Expected_Sets((COUNTRY, key("HU"))), types.Expected_Withdraws(STOCK_COUNTRY)],
            ),
        ]
