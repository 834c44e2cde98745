//! Leads.

use cosell_guest_sdk::prelude::*;

use crate::reasons::Reasons;
use crate::{Moved, code, row_state};

pub(crate) const TABLE: &str = "lead";

const OPEN: i32 = 0;
const QUALIFIED: i32 = 1;
const DISQUALIFIED: i32 = 2;

const PENDING_STATUS: Moved = (
    "lead-pending-status",
    1,
    "Status reason of a lead that nobody has answered: New.",
);
const RECEIVED_STATUS: Moved = (
    "lead-received-status",
    2,
    "Status reason of a lead that somebody works on: Contacted.",
);
const QUALIFIED_STATUS: Moved = (
    "lead-qualified-status",
    3,
    "Status reason of a qualified lead.",
);
const LOST_STATUS: Moved = (
    "lead-lost-status",
    4,
    "Status reason of a lead whose deal was lost in Partner Center, when its reason has none of its own: Lost.",
);
const CANCELED_STATUS: Moved = (
    "lead-canceled-status",
    7,
    "Status reason of a lead whose deal was declined, expired or failed in Partner Center, when its reason has none of its own: Canceled.",
);
const MOVED: [Moved; 5] = [
    PENDING_STATUS,
    RECEIVED_STATUS,
    QUALIFIED_STATUS,
    LOST_STATUS,
    CANCELED_STATUS,
];

pub(crate) const LOSS_REASONS: &str = "lead-loss-reasons";

pub(crate) fn settings(manifest: PluginManifest) -> PluginManifest {
    let manifest = manifest.setting(SettingSpec::pairs(
        LOSS_REASONS,
        [
            ("4", "Lost"),
            ("5", "Cannot Contact"),
            ("6", "No Longer Interested"),
            ("7", "Canceled"),
        ],
        "Status reasons of a disqualified lead and the reason that Partner Center is told, as in loss-reasons; without a standing before it the deal is declined.",
    ));
    MOVED.into_iter().fold(manifest, |manifest, moved| {
        manifest.setting(SettingSpec::integer(moved.0, moved.1, moved.2))
    })
}

pub(crate) fn mistakes(settings: Settings<'_>) -> Vec<Reason> {
    let open_or_qualified = [PENDING_STATUS, RECEIVED_STATUS, QUALIFIED_STATUS];
    reasons(settings).mistakes(settings, LOSS_REASONS, &open_or_qualified)
}

fn reasons<'a>(settings: impl Into<Settings<'a>>) -> Reasons<'a> {
    Reasons::of(settings, LOSS_REASONS, Standing::Declined)
}

pub(crate) fn read(ctx: &Context, state: i32, status: Option<i32>) -> Option<DealState> {
    Some(match state {
        OPEN if status == Some(code(ctx, PENDING_STATUS)) => DealState::from(Standing::Pending),
        OPEN => DealState::from(Standing::Received),
        QUALIFIED => DealState::from(Standing::Accepted),
        DISQUALIFIED => reasons(ctx).read(status),
        _ => return None,
    })
}

/// `now` is the state that the lead has.
pub(crate) fn write(ctx: &Context, deal: &Deal, now: Option<(i32, i32)>) -> Option<RowState> {
    let ours = deal
        .referral
        .as_ref()
        .is_some_and(|referral| referral.direction == Direction::Outgoing);
    let lost = |otherwise| {
        reasons(ctx)
            .code_of(&deal.state)
            .unwrap_or_else(|| code(ctx, otherwise))
    };
    let (state, status) = match &deal.state.standing {
        Standing::Pending => (OPEN, code(ctx, PENDING_STATUS)),
        Standing::Received => (OPEN, code(ctx, RECEIVED_STATUS)),
        Standing::Accepted if ours => now.unwrap_or((OPEN, code(ctx, PENDING_STATUS))),
        Standing::Accepted | Standing::Won => (QUALIFIED, code(ctx, QUALIFIED_STATUS)),
        Standing::Lost => (DISQUALIFIED, lost(LOST_STATUS)),
        Standing::Declined | Standing::Expired | Standing::Error => {
            (DISQUALIFIED, lost(CANCELED_STATUS))
        }
        Standing::Unlisted(_) => return None,
    };
    Some(row_state(state, status))
}
