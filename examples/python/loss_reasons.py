"""An organisation's own status reasons for lost deals. Which option means which reason is a setting, in 58-loss-reasons.toml:

    [settings]
    loss-reasons = { "100000004" = "Price", "100000005" = "Lost to a competitor" }

Whatever it does not name is left to the stock mapping, which stands before this file in the folder.
"""

import kit
from componentize_py_types import Err
from kit import types

SETTING = "loss-reasons"
# State of an opportunity that is lost: the platform's own code.
LOST = 2


def reasons_of(settings):
    return [(int(code), reason) for code, reason in kit.setting(settings, SETTING, [])]


class Plugin(kit.PluginBase):
    def manifest(self):
        return types.PluginManifest(
            "loss-reasons-python",
            "1.0.0",
            "Our own status reasons for lost deals.",
            [
                types.SettingSpec(
                    SETTING,
                    "Code of a status reason under Lost, and the reason that Partner Center is told.",
                    types.SettingType_Pairs(),
                    False,
                    types.SettingValue_Pairs([("100000004", "Price"), ("100000005", "Lost to a competitor")]),
                )
            ],
        )

    def describe(self, settings):
        try:
            reasons_of(settings)
        except ValueError:
            wrong = "loss-reasons has a code that is no whole number"
            raise Err([types.Reason("no-code", wrong, types.Subject_Setting(SETTING), None)]) from None
        return [kit.reads("opportunity", "statecode", "statuscode")]


class Status(kit.StatusBase):
    def to_deal(self, ctx, seen, draft):
        if seen.row.table != "opportunity" or kit.code(seen.row, "statecode") != LOST:
            return None
        reason = dict(reasons_of(ctx.settings)).get(kit.code(seen.row, "statuscode"))
        return reason and types.DealState(types.Standing_Lost(), reason)

    def to_row(self, ctx, order, draft):
        kind = dict(order.more).get("record-kind")
        state = order.deal.state
        if kind == types.Value_Text("lead") or not isinstance(state.standing, types.Standing_Lost):
            return None
        told = (state.reason or "").lower()
        for code, reason in reasons_of(ctx.settings):
            if reason.lower() == told:
                return types.RowState(LOST, code, [])
        return None


class Examples(kit.ExamplesBase):
    def cases(self):
        def lost(reason):
            return types.DealState(types.Standing_Lost(), reason)

        def row(status):
            cells = [("statecode", kit.choice(LOST)), ("statuscode", kit.choice(status))]
            return types.Given_Row(kit.row("opportunity", cells))

        def case(title, asks, given, expected):
            return types.Example(title, asks, [given], [expected])

        return [
            case(
                "our own status reason is told as its reason",
                "status.to-deal",
                row(100000004),
                types.Expected_State(lost("Price")),
            ),
            case(
                "a status reason that we do not know is the stock's", "status.to-deal", row(4), types.Expected_Passes()
            ),
            case(
                "a reason becomes our own status reason",
                "status.to-row",
                types.Given_State(lost("lost to a competitor")),
                types.Expected_RowState(types.RowState(LOST, 100000005, [])),
            ),
            case(
                "a reason that we do not have is the stock's",
                "status.to-row",
                types.Given_State(lost("Weather")),
                types.Expected_Passes(),
            ),
        ]
