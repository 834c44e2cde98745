//! Opportunities.

use cosell_guest_sdk::parts::cut;
use cosell_guest_sdk::prelude::*;

use crate::reasons::Reasons;
use crate::{Moved, code, row_state};

pub(crate) const TABLE: &str = "opportunity";

const OPEN: i32 = 0;
const WON: i32 = 1;
const LOST: i32 = 2;

const ACCEPTED_STATUS: Moved = (
    "accepted-status",
    1,
    "Status reason of an accepted opportunity: In Progress.",
);
const ON_HOLD_STATUS: Moved = (
    "on-hold-status",
    2,
    "Status reason of an opportunity that nobody has accepted: On Hold.",
);
const WON_STATUS: Moved = ("won-status", 3, "Status reason of a won opportunity.");
const CANCELED_STATUS: Moved = (
    "canceled-status",
    4,
    "Status reason of an opportunity that was declined, expired or failed in Partner Center, when its reason has none of its own.",
);
const LOST_STATUS: Moved = (
    "lost-status",
    5,
    "Status reason of an opportunity that was lost in Partner Center, when its reason has none of its own: Out-Sold.",
);
const MOVED: [Moved; 5] = [
    ACCEPTED_STATUS,
    ON_HOLD_STATUS,
    WON_STATUS,
    CANCELED_STATUS,
    LOST_STATUS,
];

pub(crate) const LOSS_REASONS: &str = "loss-reasons";
pub(crate) const ON_HOLD_IS_NOT_ACCEPTED: &str = "on-hold-is-not-accepted";

/// The subject of a closing activity holds so many characters.
const SUBJECT_MAX: usize = 200;

pub(crate) fn settings(manifest: PluginManifest) -> PluginManifest {
    let manifest = manifest
        .setting(SettingSpec::pairs(
            LOSS_REASONS,
            [("4", "Canceled"), ("5", "Out-Sold")],
            "Status reasons of a lost opportunity and the reason that Partner Center is told, 100000004 = Price. A standing may stand before it, 100000005 = declined: No capacity; without one the deal is lost. Further spellings after a bar, Price | PriceTooHigh.",
        ))
        .setting(SettingSpec::yes_no(
            ON_HOLD_IS_NOT_ACCEPTED,
            false,
            "Yes: an opportunity on hold is a deal that nobody has accepted, and leaving On Hold accepts it. No: On Hold is a seller's pause.",
        ));
    MOVED.into_iter().fold(manifest, |manifest, moved| {
        manifest.setting(SettingSpec::integer(moved.0, moved.1, moved.2))
    })
}

pub(crate) fn mistakes(settings: Settings<'_>) -> Vec<Reason> {
    let open_or_won = [ACCEPTED_STATUS, ON_HOLD_STATUS, WON_STATUS];
    reasons(settings).mistakes(settings, LOSS_REASONS, &open_or_won)
}

fn reasons<'a>(settings: impl Into<Settings<'a>>) -> Reasons<'a> {
    Reasons::of(settings, LOSS_REASONS, Standing::Lost)
}

pub(crate) fn read(ctx: &Context, state: i32, status: Option<i32>) -> Option<DealState> {
    let on_hold = status == Some(code(ctx, ON_HOLD_STATUS));
    Some(match state {
        OPEN if on_hold && ctx.setting_yes(ON_HOLD_IS_NOT_ACCEPTED) == Some(true) => {
            DealState::from(Standing::Pending)
        }
        OPEN => DealState::from(Standing::Accepted),
        WON => DealState::from(Standing::Won),
        LOST => reasons(ctx).read(status),
        _ => return None,
    })
}

pub(crate) fn write(ctx: &Context, deal: &DealState) -> Option<RowState> {
    let lost = |otherwise| {
        reasons(ctx)
            .code_of(deal)
            .unwrap_or_else(|| code(ctx, otherwise))
    };
    let (state, status, word) = match &deal.standing {
        Standing::Accepted => return Some(row_state(OPEN, code(ctx, ACCEPTED_STATUS))),
        Standing::Pending | Standing::Received => {
            return Some(row_state(OPEN, code(ctx, ON_HOLD_STATUS)));
        }
        Standing::Won => (WON, code(ctx, WON_STATUS), "Won"),
        Standing::Lost => (LOST, lost(LOST_STATUS), "Lost"),
        Standing::Declined => (LOST, lost(CANCELED_STATUS), "Declined"),
        Standing::Expired => (LOST, lost(CANCELED_STATUS), "Expired"),
        Standing::Error => (LOST, lost(CANCELED_STATUS), "Error"),
        Standing::Unlisted(_) => return None,
    };
    let subject = match &deal.reason {
        Some(reason) => format!("{word} in Partner Center: {reason}"),
        None => format!("{word} in Partner Center"),
    };
    Some(RowState {
        closing: vec![(
            "subject".to_owned(),
            Value::Text(cut(&subject, SUBJECT_MAX)),
        )],
        ..row_state(state, status)
    })
}
