//! Which account it is.

use cosell_guest_sdk::prelude::*;

use crate::columns::{Columns, ID, MASTER, MERGED, STATE, TABLE};
use crate::identity;
use crate::scoring::{Customer, Score};

/// `statecode` of a row that nobody works with any more.
const INACTIVE: i32 = 1;
/// Two accounts that are not further apart than this are a close call.
const APART_MIN: i32 = 10;
/// More than this are no choice that a person can make.
const CHOICES_MAX: usize = 10;
/// An account that was merged into one that was merged, and so on: more often than this, something runs in a circle.
const MERGES_MAX: usize = 3;
/// Masters that are asked for in one round.
const ASKED_MAX: usize = 10;

/// An account that could be the customer.
struct Choice<'a> {
    row: &'a Row,
    active: bool,
    score: Score,
}

pub(crate) fn choose(
    ctx: &Context,
    deal: &Deal,
    domain: Option<String>,
    candidates: &[Candidate],
) -> Answer<Resolution> {
    let columns = Columns::of(ctx);
    let customer = Customer::of(deal, domain.clone());
    let choices = choices(ctx, candidates, &customer, &columns)?;
    let known_domain = choices.iter().any(|choice| choice.score.same_domain);
    if let Some(resolution) = decided(choices, &columns) {
        return Ok(resolution);
    }
    // A domain that some account has already tells two companies of one group no longer apart.
    let domain =
        domain.filter(|_| columns.fill_website && columns.website.is_some() && !known_domain);
    let identity = identity::of(&deal.company, domain.as_deref(), columns.duns.is_some());
    Ok(Resolution::CreateNew(identity))
}

fn decided(mut choices: Vec<Choice<'_>>, columns: &Columns<'_>) -> Option<Resolution> {
    choices.sort_by(|a, b| (b.score.points.cmp(&a.score.points)).then(a.row.id.cmp(&b.row.id)));
    let mut proved = choices
        .iter()
        .filter(|choice| choice.active && choice.score.proves);
    match (proved.next(), proved.next()) {
        (Some(only), None) => return Some(Resolution::UseExisting(likeness(only))),
        (Some(_), Some(_)) => {
            let proved = choices
                .iter()
                .filter(|choice| choice.active && choice.score.proves);
            return Some(review(proved));
        }
        (None, _) => {}
    }
    let mut active = choices.iter().filter(|choice| choice.active);
    if let Some(best) = active.next()
        && best.score.points >= columns.take_from
    {
        let apart = |next: &Choice<'_>| best.score.points - next.score.points >= APART_MIN;
        if active.next().is_none_or(apart) {
            return Some(Resolution::UseExisting(likeness(best)));
        }
    }
    // An inactive account is worth a question only where it would have been the answer.
    let doubtful = |choice: &&Choice<'_>| {
        let from = if choice.active {
            columns.ask_from
        } else {
            columns.take_from
        };
        choice.score.points >= from
    };
    let mut asked = choices.iter().filter(doubtful).peekable();
    asked.peek()?;
    Some(review(asked))
}

fn review<'c, 'r: 'c>(choices: impl Iterator<Item = &'c Choice<'r>>) -> Resolution {
    Resolution::Review(choices.take(CHOICES_MAX).map(likeness).collect())
}

fn likeness(choice: &Choice<'_>) -> Likeness {
    let inactive = (!choice.active).then(|| "the account is inactive".to_owned());
    Likeness {
        id: choice.row.id.clone(),
        score: u8::try_from(choice.score.points).unwrap_or(0),
        because: choice
            .score
            .because
            .iter()
            .cloned()
            .chain(inactive)
            .collect(),
    }
}

/// Every account that can be chosen, once, with the best of what speaks for it. An account that was merged speaks for its master.
fn choices<'a>(
    ctx: &'a Context,
    candidates: &'a [Candidate],
    customer: &Customer,
    columns: &Columns<'_>,
) -> Answer<Vec<Choice<'a>>> {
    let mut choices: Vec<Choice<'a>> = Vec::new();
    let mut missing: Vec<Query> = Vec::new();
    for candidate in candidates {
        let mut score = customer.score(&candidate.row, &candidate.found_by, columns);
        let row = match master(ctx, candidates, &candidate.row, columns) {
            Master::Itself => &candidate.row,
            Master::Row(row) => {
                score.because.push("merged into this account".to_owned());
                row
            }
            Master::Asked(query) => {
                if !missing.iter().any(|known| known.label == query.label) {
                    missing.push(query);
                }
                continue;
            }
            Master::Lost => continue,
        };
        match choices
            .iter_mut()
            .find(|known| known.row.id.eq_ignore_ascii_case(&row.id))
        {
            Some(known) if known.score.points >= score.points => {
                known.score.same_domain |= score.same_domain;
            }
            Some(known) => {
                score.same_domain |= known.score.same_domain;
                known.score = score;
            }
            None => choices.push(Choice {
                row,
                active: row.choice(STATE) != Some(INACTIVE),
                score,
            }),
        }
    }
    if missing.is_empty() {
        return Ok(choices);
    }
    missing.truncate(ASKED_MAX);
    Err(Stop::Ask(missing))
}

enum Master<'a> {
    /// Nobody has merged it.
    Itself,
    /// This account has taken it over.
    Row(&'a Row),
    /// The account that has taken it over is not here yet.
    Asked(Query),
    /// It was taken over by nobody that we can see: it cannot be chosen.
    Lost,
}

fn master<'a>(
    ctx: &'a Context,
    candidates: &'a [Candidate],
    row: &'a Row,
    columns: &Columns<'_>,
) -> Master<'a> {
    let mut at = row;
    for _ in 0..=MERGES_MAX {
        if at.yes(MERGED) != Some(true) {
            return if at.id == row.id {
                Master::Itself
            } else {
                Master::Row(at)
            };
        }
        let Some(next) = at.reference(MASTER) else {
            return Master::Lost;
        };
        let label = format!("master-{}", next.id.to_lowercase());
        let among = candidates
            .iter()
            .map(|candidate| &candidate.row)
            .find(|row| row.id.eq_ignore_ascii_case(&next.id));
        let asked = ctx.found.iter().find(|found| found.label == label);
        at = match (among, asked) {
            (Some(row), _) => row,
            (None, Some(found)) => match found.rows.first() {
                Some(row) => row,
                None => return Master::Lost,
            },
            (None, None) => {
                return Master::Asked(
                    Query::new(label, TABLE, columns.compared())
                        .equals(ID, next.id.as_str())
                        .limit(1),
                );
            }
        };
    }
    Master::Lost
}
