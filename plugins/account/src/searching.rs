//! Where to look for the customer.

use cosell_guest_sdk::prelude::*;

use crate::columns::{
    BY_DUNS, BY_EXTERNAL_ID, BY_MAIL, BY_NAME, BY_NAME_AND_POSTCODE, BY_NAME_IN_COUNTRY,
    BY_WEBSITE, Columns, NAME, POSTCODE, TABLE,
};
use crate::{country, name};

/// More hits than this are no choice that a person can make.
const HITS_MAX: u16 = 10;
/// Queries that the host runs at once, other plugins' included.
const SEARCHES_MAX: usize = 10;
/// A misspelt name still begins like the right one.
const BEGINNING_CHARS: usize = 4;

/// The searches, the best first.
pub(crate) fn searches(deal: &Deal, domain: Option<&str>, columns: &Columns<'_>) -> Vec<Search> {
    let company = &deal.company;
    let query = |label| Query::new(label, TABLE, columns.compared()).limit(HITS_MAX);
    let mut searches = Vec::new();
    for (column, scheme, label) in [
        (columns.duns, "duns", BY_DUNS),
        (columns.external, "external", BY_EXTERNAL_ID),
    ] {
        if let Some((column, number)) = column.zip(crate::number(company, scheme)) {
            searches.push(Search::identifies(query(label).equals(column, number)));
        }
    }
    let begins = name::beginning(&company.name);
    if let Some(code) = crate::postcode(company)
        && !begins.is_empty()
    {
        let four: String = begins.chars().take(BEGINNING_CHARS).collect();
        searches.push(Search::suggests(
            query(BY_NAME_AND_POSTCODE)
                .meets(NAME, Test::BeginsWith(four))
                .equals(POSTCODE, code),
        ));
    }
    if !company.name.trim().is_empty() {
        searches.push(Search::suggests(
            query(BY_NAME).equals(NAME, company.name.trim()),
        ));
    }
    if let Some(domain) = domain {
        if let Some(column) = columns.website {
            let holds = Test::Contains(domain.to_owned());
            searches.push(Search::suggests(query(BY_WEBSITE).meets(column, holds)));
        }
        if let Some(column) = columns.mail {
            let holds = Test::Contains(format!("@{domain}"));
            searches.push(Search::suggests(query(BY_MAIL).meets(column, holds)));
        }
    }
    if let Some((column, code)) = columns.country.zip(company.address.country.as_deref())
        && !begins.is_empty()
    {
        let written = country::spellings(code).into_iter().map(Value::text);
        searches.push(Search::suggests(
            query(BY_NAME_IN_COUNTRY)
                .meets(NAME, Test::BeginsWith(begins))
                .meets(column, Test::OneOf(written.collect())),
        ));
    }
    searches
}

/// The searches of the plugins before, and then ours, as far as there is room.
pub(crate) fn after(draft: &[Search], ours: Vec<Search>) -> Vec<Search> {
    let room = SEARCHES_MAX.saturating_sub(draft.len());
    draft
        .iter()
        .cloned()
        .chain(ours.into_iter().take(room))
        .collect()
}
