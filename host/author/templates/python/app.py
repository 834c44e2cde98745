"""What our organisation does otherwise than the stock mapping: a deal type for every new opportunity, and the campaign in a column of our own."""

import kit
from kit import types

DEAL_TYPE = "new_dealtype"
CAMPAIGN = "new_campaign"


class Plugin(kit.PluginBase):
    def manifest(self):
        return types.PluginManifest(
            id="{{id}}",
            version="0.1.0",
            summary="A deal type for every new opportunity, and the campaign in a column of our own.",
            settings=[
                types.SettingSpec(
                    name="deal-type",
                    doc="What every new opportunity gets as its deal type.",
                    kind=types.SettingType_Text(),
                    required=False,
                    default_value=types.SettingValue_Text("co-sell"),
                )
            ],
        )

    def describe(self, settings):
        return [kit.reads("opportunity", CAMPAIGN), kit.writes("opportunity", CAMPAIGN, DEAL_TYPE)]


class Opportunity(kit.OpportunityBase):
    def to_deal(self, ctx, seen, draft):
        return [types.Fact_Campaign(kit.text(seen.row, CAMPAIGN))]

    def to_row(self, ctx, order, draft):
        return [
            kit.put(CAMPAIGN, order.deal.campaign),
            kit.put(DEAL_TYPE, kit.setting(ctx.settings, "deal-type")),
        ]


class Examples(kit.ExamplesBase):
    """Golden examples: the host asks them at every load, and a plugin that fails one is not put into service."""

    def cases(self):
        campaign = types.Value_Text("FY27-data")
        return [
            types.Example(
                title="every opportunity gets its deal type",
                asks="opportunity.to-row",
                given=[],
                expect=[
                    types.Expected_Sets((DEAL_TYPE, types.Value_Text("co-sell"))),
                    types.Expected_Sets((CAMPAIGN, campaign)),
                ],
            ),
            types.Example(
                title="the campaign is read from our column",
                asks="opportunity.to-deal",
                given=[types.Given_Row(kit.row("opportunity", [(CAMPAIGN, campaign)]))],
                expect=[types.Expected_States(types.Fact_Campaign("FY27-data"))],
            ),
        ]
