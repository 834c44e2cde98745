//! Whether a deal is kept in step as a lead.
//!
//! `10-opportunity.wasm` stands before and says what becomes of opportunities, of accepted deals and of our own. What it leaves over is
//! a row of the table `lead`, and a referral that came to us and that nobody has accepted: it says "not accepted", and here that becomes a
//! lead. What any other plugin has decided before stays.

use cosell_guest_sdk::parts::connector::GATE;
use cosell_guest_sdk::prelude::*;

use crate::columns::{CO_SELL_ONLY, KEEP_OWN_LEADS, STATE, TABLE};

/// What `10-opportunity.wasm` says about a referral that nobody has accepted.
const NOT_ACCEPTED: &str = "not-accepted";
/// State of a lead that is neither qualified nor disqualified.
const OPEN: i32 = 0;

pub(crate) fn decide(ctx: &Context, arrival: &Arrival, draft: Option<&Verdict>) -> Option<Verdict> {
    if let Some(Verdict::Skip(reason)) = draft
        && reason.code != NOT_ACCEPTED
    {
        return None;
    }
    match (&arrival.seen, &arrival.deal) {
        (Some(seen), deal) if seen.row.table == TABLE => {
            Some(of_row(ctx, &seen.row, deal.as_ref(), arrival.linked))
        }
        (None, Some(deal)) if !arrival.linked => of_referral(ctx, deal, draft),
        _ => None,
    }
}

fn of_row(ctx: &Context, row: &Row, deal: Option<&Deal>, linked: bool) -> Verdict {
    if row.yes(GATE) != Some(true) {
        return Verdict::Skip(
            Reason::new(
                "sync-is-off",
                "\"Sync With Partner Center\" is not switched on for this lead",
            )
            .about_column(TABLE, GATE)
            .hint("switch it on to share the lead"),
        );
    }
    match deal {
        Some(deal) if linked => Verdict::Sync(kind_of_linked(ctx, deal)),
        Some(deal) if is_closed(&deal.state.standing) => Verdict::Skip(
            Reason::new(
                "closed-before-link",
                "the deal was closed in Partner Center before it ever had a lead",
            )
            .about_deal("state"),
        ),
        None if !linked && row.choice(STATE).is_some_and(|state| state != OPEN) => Verdict::Skip(
            Reason::new(
                "lead-closed",
                "the lead was qualified or disqualified before it was ever shared",
            )
            .about_column(TABLE, STATE)
            .hint("share the opportunity that it became"),
        ),
        _ => Verdict::Sync(RecordKind::Lead),
    }
}

/// An accepted deal is an opportunity: the host qualifies the lead.
fn kind_of_linked(ctx: &Context, deal: &Deal) -> RecordKind {
    let stays = ctx.setting_yes(KEEP_OWN_LEADS) == Some(true) && is_ours(deal);
    if deal.state.standing == Standing::Accepted && !stays {
        RecordKind::Opportunity
    } else {
        RecordKind::Lead
    }
}

/// A referral that no row stands for yet.
fn of_referral(ctx: &Context, deal: &Deal, draft: Option<&Verdict>) -> Option<Verdict> {
    let unanswered = matches!(deal.state.standing, Standing::Pending | Standing::Received);
    if !unanswered || is_ours(deal) || matches!(draft, Some(Verdict::Sync(_))) {
        return None;
    }
    let category = deal.referral.as_ref().map(|referral| referral.category);
    let source = match category {
        Some(Category::MarketplaceLead) => "a lead from the marketplace",
        Some(Category::QualifiedLead) => "a lead that Microsoft qualified",
        Some(Category::CoSell | Category::Unclear) | None => {
            return Some(Verdict::Sync(RecordKind::Lead));
        }
    };
    if ctx.setting_yes(CO_SELL_ONLY) != Some(true) {
        return Some(Verdict::Sync(RecordKind::Lead));
    }
    Some(Verdict::Skip(
        Reason::new(
            CO_SELL_ONLY,
            format!("this is {source}, and only co-sell deals are kept in step"),
        )
        .about_setting(CO_SELL_ONLY)
        .hint("accept it in Partner Center, and it becomes an opportunity; or let leads in with the setting co-sell-only"),
    ))
}

fn is_ours(deal: &Deal) -> bool {
    deal.referral
        .as_ref()
        .is_some_and(|referral| referral.direction == Direction::Outgoing)
}

fn is_closed(standing: &Standing) -> bool {
    matches!(
        standing,
        Standing::Won | Standing::Lost | Standing::Declined | Standing::Expired | Standing::Error
    )
}
