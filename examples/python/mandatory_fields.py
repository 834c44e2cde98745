"""Columns that an organisation demands of every new opportunity and lead: a constant, a setting of the operator, and something that the deal says.

The CRM refuses a row that lacks a required column, so a deal from Partner Center would never arrive. A constant is written when the row is made and never
again: the host asks twice on an update and writes what differs, so a seller may change it.
"""

import kit
from kit import types

DEAL_TYPE = "new_dealtype"
COST_CENTRE = "new_costcentre"
ORIGIN = "new_origin"

# Options of the deal type.
CO_SELL = 100000000
MARKETPLACE = 100000001


class Plugin(kit.PluginBase):
    def manifest(self):
        return types.PluginManifest(
            "mandatory-fields-python",
            "1.0.0",
            "Fills the columns that every new opportunity and lead must have.",
            [
                types.SettingSpec(
                    "cost-centre",
                    "The cost centre of every new opportunity.",
                    types.SettingType_Text(),
                    False,
                    types.SettingValue_Text("4711"),
                )
            ],
        )

    def describe(self, settings):
        return [kit.writes("opportunity", DEAL_TYPE, COST_CENTRE), kit.writes("lead", DEAL_TYPE, ORIGIN)]


def deal_type(deal):
    category = deal.referral and deal.referral.category
    return kit.put(DEAL_TYPE, kit.choice(MARKETPLACE if category == types.Category.MARKETPLACE_LEAD else CO_SELL))


class Opportunity(kit.OpportunityBase):
    def to_row(self, ctx, order, draft):
        return [deal_type(order.deal), kit.put(COST_CENTRE, kit.setting(ctx.settings, "cost-centre"))]


class Lead(kit.LeadBase):
    def to_row(self, ctx, order, draft):
        return [deal_type(order.deal), kit.put(ORIGIN, "Microsoft Partner Center")]


class Examples(kit.ExamplesBase):
    def cases(self):
        def sets(column, value):
            return types.Expected_Sets((column, value))

        return [
            types.Example(
                "an opportunity gets its deal type and a cost centre",
                "opportunity.to-row",
                [],
                [sets(DEAL_TYPE, kit.choice(CO_SELL)), sets(COST_CENTRE, types.Value_Text("4711"))],
            ),
            types.Example(
                "the operator chooses the cost centre",
                "opportunity.to-row",
                [types.Given_Setting(("cost-centre", types.SettingValue_Text("0815")))],
                [sets(COST_CENTRE, types.Value_Text("0815"))],
            ),
            types.Example(
                "a lead says where it comes from",
                "lead.to-row",
                [],
                [sets(ORIGIN, types.Value_Text("Microsoft Partner Center"))],
            ),
        ]
