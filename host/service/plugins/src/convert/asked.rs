//! Questions to the CRM that a guest asks, and which of the rows found it takes.

use cosell_sync::row::{Condition, Query, Test};

use super::given::may;
use super::heard::{Bad, bad, cell, id, listed, long, short};
use crate::bindings::cosell::mapping::types as wit;
use crate::declared::Declared;
use crate::limits::{QUERIES_MAX, QUERY_ROWS_MAX, REASONS_MAX};
use crate::question::{Likeness, Resolution, Search, Strength};

/// Queries of an `ask`, their labels made full.
pub(super) fn asked(
    declared: &Declared,
    plugin: &str,
    queries: &[wit::Query],
) -> Result<Vec<Query>, Bad> {
    if queries.is_empty() || queries.len() > QUERIES_MAX {
        return Err(bad(format!(
            "asks {} queries at once; ask 1 to {QUERIES_MAX}",
            queries.len()
        )));
    }
    queries
        .iter()
        .map(|one| {
            let mut query = query(declared, one)?;
            query.label = format!("{plugin}/{}", query.label);
            Ok(query)
        })
        .collect()
}

fn query(declared: &Declared, query: &wit::Query) -> Result<Query, Bad> {
    let label = &query.label;
    let asked = |column: &str| {
        if may(&declared.asks, &query.table, column) {
            return Ok(());
        }
        Err(bad(format!(
            "query {label:?} touches {}.{column} without having declared it; add it to `asks` in what `describe` answers",
            query.table
        )))
    };
    if label.is_empty() {
        return Err(bad(format!(
            "a query of {} has no label; rows come back under it",
            query.table
        )));
    }
    if !(1..=QUERY_ROWS_MAX).contains(&query.limit) {
        return Err(bad(format!(
            "query {label:?} wants {} rows; ask for 1 to {QUERY_ROWS_MAX}",
            query.limit
        )));
    }
    listed(label, &query.conditions)?;
    listed(label, &query.columns)?;
    for column in &query.columns {
        asked(column)?;
    }
    let conditions = query
        .conditions
        .iter()
        .map(|condition| {
            asked(&condition.column)?;
            Ok(Condition {
                column: condition.column.clone(),
                test: test(
                    declared,
                    &format!("{}.{}", query.table, condition.column),
                    &condition.test,
                )?,
            })
        })
        .collect::<Result<Vec<_>, Bad>>()?;
    if conditions.is_empty() && !declared.asks.contains_key(&query.table) {
        return Err(bad(format!(
            "query {label:?} touches the table {} without having declared it",
            query.table
        )));
    }
    Ok(Query {
        label: label.clone(),
        table: query.table.clone(),
        columns: query.columns.clone(),
        conditions,
        limit: query.limit,
    })
}

fn test(declared: &Declared, path: &str, test: &wit::Test) -> Result<Test, Bad> {
    Ok(match test {
        wit::Test::Equals(value) => Test::Equals(cell(declared, path, value)?),
        wit::Test::OneOf(values) => {
            listed(path, values)?;
            Test::OneOf(
                values
                    .iter()
                    .map(|value| cell(declared, path, value))
                    .collect::<Result<_, _>>()?,
            )
        }
        wit::Test::BeginsWith(text) => Test::BeginsWith(long(path, text)?),
        wit::Test::Contains(text) => Test::Contains(long(path, text)?),
        wit::Test::AtLeast(value) => Test::AtLeast(cell(declared, path, value)?),
        wit::Test::AtMost(value) => Test::AtMost(cell(declared, path, value)?),
        wit::Test::IsEmpty => Test::IsEmpty,
        wit::Test::IsFilled => Test::IsFilled,
    })
}

/// The new list of searches. What stood in the draft (and was heard before, at the same place) is somebody else's word and was checked when
/// they said it.
pub(crate) fn searches(
    declared: &Declared,
    draft: &[wit::Search],
    before: &[Search],
    list: &[wit::Search],
) -> Result<Vec<Search>, Bad> {
    if list.len() > QUERIES_MAX {
        return Err(bad(format!(
            "{} searches, more than {QUERIES_MAX}",
            list.len()
        )));
    }
    list.iter()
        .map(|search| {
            let inherited = draft
                .iter()
                .position(|one| one == search)
                .and_then(|at| before.get(at));
            if let Some(inherited) = inherited {
                return Ok(inherited.clone());
            }
            Ok(Search {
                query: query(declared, &search.query)?,
                strength: match search.strength {
                    wit::Strength::Identifies => Strength::Identifies,
                    wit::Strength::Suggests => Strength::Suggests,
                },
            })
        })
        .collect()
}

/// Which row. Only a candidate can be it, or a row of `table` that the plugin has asked for: the master of a merged account is one.
pub(crate) fn resolution(
    table: &str,
    candidates: &[wit::Candidate],
    found: &[wit::Found],
    resolution: &wit::Resolution,
) -> Result<Resolution, Bad> {
    let asked = || {
        found
            .iter()
            .flat_map(|found| &found.rows)
            .filter(|row| row.table == table)
    };
    let likeness = |one: &wit::Likeness| {
        let row = id("resolution", &one.id)?;
        let is = |known: &wit::Row| known.id.eq_ignore_ascii_case(&row);
        if !candidates.iter().any(|candidate| is(&candidate.row)) && !asked().any(is) {
            return Err(bad(format!(
                "chooses the row {row}, which is not among the candidates nor a row of {table} that it asked for"
            )));
        }
        if one.score > 100 {
            return Err(bad(format!(
                "gives {row} the score {}; scores are 0 to 100",
                one.score
            )));
        }
        Ok(Likeness {
            id: row,
            score: one.score,
            because: one
                .because
                .iter()
                .take(REASONS_MAX)
                .map(|text| short(text))
                .collect(),
        })
    };
    Ok(match resolution {
        wit::Resolution::UseExisting(one) => Resolution::UseExisting(likeness(one)?),
        wit::Resolution::CreateNew(identity) if identity.trim().is_empty() => {
            return Err(bad(
                "answers `create-new` with an empty identity; say what makes this customer this customer, `duns:123456789`",
            ));
        }
        wit::Resolution::CreateNew(identity) => Resolution::CreateNew(long("identity", identity)?),
        wit::Resolution::Review(list) => {
            listed("review", list)?;
            Resolution::Review(list.iter().map(likeness).collect::<Result<_, _>>()?)
        }
    })
}
