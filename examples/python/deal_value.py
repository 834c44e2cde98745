"""The deal value in another column than the stock mapping's, whose word about it is taken back in both directions. Which column is a setting, so the same
component serves two environments.
"""

import kit
from kit import types

STOCK_VALUE = "estimatedvalue"
SETTING = "value-column"
USUAL = "new_dealvalue"


class Plugin(kit.PluginBase):
    def manifest(self):
        return types.PluginManifest(
            "deal-value-python",
            "1.0.0",
            "Keeps the deal value in a column of our own.",
            [
                types.SettingSpec(
                    SETTING,
                    "The currency column that holds the deal value.",
                    types.SettingType_Column("opportunity"),
                    False,
                    types.SettingValue_Text(USUAL),
                )
            ],
        )

    def describe(self, settings):
        column = kit.setting(settings, SETTING, USUAL)
        return [kit.reads("opportunity", column), kit.writes("opportunity", column, STOCK_VALUE)]


class Opportunity(kit.OpportunityBase):
    def to_deal(self, ctx, seen, draft):
        value = dict(seen.row.cells).get(kit.setting(ctx.settings, SETTING, USUAL))
        return [types.Fact_Value(value.value if isinstance(value, types.Value_Money) else None)]

    def to_row(self, ctx, order, draft):
        column = kit.setting(ctx.settings, SETTING, USUAL)
        return [types.Change_Withdraw(STOCK_VALUE), kit.put(column, order.deal.value)]


class Examples(kit.ExamplesBase):
    def cases(self):
        value = types.Money("125000.00", "EUR")

        def row(column):
            return types.Given_Row(kit.row("opportunity", [(column, types.Value_Money(value))]))

        return [
            types.Example(
                "the value goes into our own column",
                "opportunity.to-row",
                [],
                [types.Expected_Sets((USUAL, types.Value_Money(value))), types.Expected_Withdraws(STOCK_VALUE)],
            ),
            types.Example(
                "the value is read from it",
                "opportunity.to-deal",
                [row(USUAL)],
                [types.Expected_States(types.Fact_Value(value))],
            ),
            types.Example(
                "the operator names the column",
                "opportunity.to-deal",
                [types.Given_Setting((SETTING, types.SettingValue_Text("acme_amount"))), row("acme_amount")],
                [types.Expected_States(types.Fact_Value(value))],
            ),
        ]
