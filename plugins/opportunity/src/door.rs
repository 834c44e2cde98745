//! Whether a deal is kept in step.
//!
//! A row in the CRM speaks for itself: its switch decides. A deal without a row is let in once it is accepted, or when it is our
//! own; a deal that is over before it was ever linked stays where it is. A referral that came to us and that nobody has accepted is
//! skipped with the reason `not-accepted`, out of which `15-lead.wasm`, if it is there, makes a lead. A plugin before us that has
//! skipped the deal keeps its word.

use cosell_guest_sdk::parts::connector::GATE;
use cosell_guest_sdk::prelude::*;

use crate::columns::TABLE;

pub(crate) fn decide(arrival: &Arrival, draft: Option<&Verdict>) -> Option<Verdict> {
    if matches!(draft, Some(Verdict::Skip(_))) {
        return None;
    }
    match (&arrival.seen, &arrival.deal) {
        (Some(seen), _) if seen.row.table == TABLE => Some(by_switch(&seen.row)),
        (Some(_), _) | (None, None) => None,
        (None, Some(_)) if arrival.linked => Some(Verdict::Sync(RecordKind::Opportunity)),
        (None, Some(deal)) => Some(by_standing(deal)),
    }
}

fn by_switch(row: &Row) -> Verdict {
    if row.yes(GATE) == Some(true) {
        return Verdict::Sync(RecordKind::Opportunity);
    }
    Verdict::Skip(
        Reason::new(
            "sync-is-off",
            "\"Sync With Partner Center\" is not switched on for this opportunity",
        )
        .about_column(TABLE, GATE)
        .hint("switch it on to share the deal"),
    )
}

fn by_standing(deal: &Deal) -> Verdict {
    let ours = deal
        .referral
        .as_ref()
        .is_some_and(|referral| referral.direction == Direction::Outgoing);
    match &deal.state.standing {
        Standing::Accepted => Verdict::Sync(RecordKind::Opportunity),
        Standing::Pending | Standing::Received if ours => Verdict::Sync(RecordKind::Opportunity),
        Standing::Pending | Standing::Received => Verdict::Skip(
            Reason::new(
                "not-accepted",
                "nobody has accepted this deal in Partner Center yet",
            )
            .about_deal("state")
            .hint("accept it there, and it becomes an opportunity; with 15-lead.wasm in the plugin folder it is a lead until then"),
        ),
        Standing::Won
        | Standing::Lost
        | Standing::Declined
        | Standing::Expired
        | Standing::Error => Verdict::Skip(
            Reason::new(
                "closed-before-link",
                "the deal was closed in Partner Center before it ever had an opportunity",
            )
            .about_deal("state"),
        ),
        Standing::Unlisted(word) => Verdict::Skip(
            Reason::new(
                "standing-unknown",
                format!(
                    "Partner Center calls the deal \"{word}\", which this mapping does not know"
                ),
            )
            .about_deal("state")
            .hint("a plugin with a later file name can decide it"),
        ),
    }
}
