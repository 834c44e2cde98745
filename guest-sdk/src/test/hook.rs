//! One function per hook, under the hook's name in [`plugin!`](crate::plugin): the answer of a plugin that serves it.

use super::question::{Question, Said};
use crate::{
    Account, Answer, Contact, Country, Decorate, Examples, Lead, Opportunity, ShouldSync, Status,
};

fn said<T>(answer: Answer<T>, wrap: impl FnOnce(T) -> Said) -> Said {
    answer.map_or_else(Said::Stopped, wrap)
}

/// Examples answer no question of a deal.
#[must_use]
pub fn examples<P: Examples>(_: &Question) -> Option<Said> {
    None
}

/// `should-sync.decide`
#[must_use]
pub fn should_sync<P: ShouldSync>(question: &Question) -> Option<Said> {
    question.is("should-sync.decide").then(|| {
        said(
            P::decide(&question.ctx, &question.arrival(), None),
            Said::Verdict,
        )
    })
}

/// `opportunity.to-deal`, `opportunity.to-row`
#[must_use]
pub fn opportunity<P: Opportunity>(question: &Question) -> Option<Said> {
    let ctx = &question.ctx;
    match question.asks.as_str() {
        "opportunity.to-deal" => Some(said(
            P::to_deal(ctx, &question.row_seen(), &[]),
            Said::Facts,
        )),
        "opportunity.to-row" => Some(said(P::to_row(ctx, &question.order(), &[]), Said::Changes)),
        _ => None,
    }
}

/// `lead.to-deal`, `lead.to-row`
#[must_use]
pub fn lead<P: Lead>(question: &Question) -> Option<Said> {
    let ctx = &question.ctx;
    match question.asks.as_str() {
        "lead.to-deal" => Some(said(
            P::to_deal(ctx, &question.row_seen(), &[]),
            Said::Facts,
        )),
        "lead.to-row" => Some(said(P::to_row(ctx, &question.order(), &[]), Said::Changes)),
        _ => None,
    }
}

/// `country.to-deal`, `country.to-row`
#[must_use]
pub fn country<P: Country>(question: &Question) -> Option<Said> {
    let ctx = &question.ctx;
    match question.asks.as_str() {
        "country.to-deal" => Some(said(
            P::to_deal(ctx, &question.row_seen(), None),
            Said::Text,
        )),
        "country.to-row" => Some(said(
            P::to_row(ctx, &question.country(), &[]),
            Said::Changes,
        )),
        _ => None,
    }
}

/// `status.to-deal`, `status.to-row`
#[must_use]
pub fn status<P: Status>(question: &Question) -> Option<Said> {
    let ctx = &question.ctx;
    match question.asks.as_str() {
        "status.to-deal" => Some(said(
            P::to_deal(ctx, &question.row_seen(), None),
            Said::State,
        )),
        "status.to-row" => Some(said(
            P::to_row(ctx, &question.order(), None),
            Said::RowState,
        )),
        _ => None,
    }
}

/// `account.searches`, `account.choose`, `account.to-row`
#[must_use]
pub fn account<P: Account>(question: &Question) -> Option<Said> {
    let (ctx, deal) = (&question.ctx, &question.deal);
    match question.asks.as_str() {
        "account.searches" => Some(said(P::searches(ctx, deal, &[]), Said::Searches)),
        "account.choose" => Some(said(
            P::choose(ctx, deal, &question.candidates, None),
            Said::Resolution,
        )),
        "account.to-row" => Some(said(
            P::to_row(ctx, deal, question.row(), &[]),
            Said::Changes,
        )),
        _ => None,
    }
}

/// `contact.searches`, `contact.choose`, `contact.to-row`
#[must_use]
pub fn contact<P: Contact>(question: &Question) -> Option<Said> {
    let ctx = &question.ctx;
    let who = question.contact()?;
    match question.asks.as_str() {
        "contact.searches" => Some(said(P::searches(ctx, &who, &[]), Said::Searches)),
        "contact.choose" => Some(said(
            P::choose(ctx, &who, &question.candidates, None),
            Said::Resolution,
        )),
        "contact.to-row" => Some(said(
            P::to_row(ctx, &who, question.row(), &[]),
            Said::Changes,
        )),
        _ => None,
    }
}

/// `decorate.mark`
#[must_use]
pub fn decorate<P: Decorate>(question: &Question) -> Option<Said> {
    question
        .is("decorate.mark")
        .then(|| said(P::mark(&question.ctx, &question.report(), None), Said::Text))
}
