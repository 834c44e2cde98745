//! Opportunity row → facts about the deal. A column that was not read says nothing, an empty one says "empty".

use cosell_guest_sdk::parts::connector::VISIBLE;
use cosell_guest_sdk::parts::{self, company, help};
use cosell_guest_sdk::prelude::*;

use crate::columns::{
    ACCOUNT_JOIN, CALCULATED, CLOSE_DATE, CUSTOMER_JOIN, Columns, NAME, NOTES, TABLE,
};
use crate::{people, tail};

pub(crate) fn facts(ctx: &Context, seen: &Seen) -> Answer<Vec<Fact>> {
    let columns = Columns::of(ctx);
    let row = &seen.row;
    let mut facts = vec![Fact::Contacts(people::contacts(
        seen,
        columns.contacts.as_ref(),
    ))];
    facts.extend(row.owned_text(NAME).map(Fact::Name));
    facts.extend(value(row, columns.value));
    facts.extend(parts::close_date(row, CLOSE_DATE));
    facts.extend(row.cell(NOTES).map(|_| Fact::Notes(row.owned_text(NOTES))));
    facts.extend(
        row.cell(VISIBLE)
            .map(|_| Fact::Visibility(row.yes(VISIBLE).unwrap_or(false))),
    );
    facts.extend(help::fact(ctx, row));
    if let Some(account) = seen
        .joined(ACCOUNT_JOIN)
        .or_else(|| seen.joined(CUSTOMER_JOIN))
    {
        facts.extend(company(account, &columns.ids));
    }
    facts.extend(columns.solutions.map(|table| table.fact(seen)));
    facts.extend(tail::facts(ctx, seen));
    // Last: the question is asked again once the owner is known, and what stands above runs twice.
    facts.extend(people::team(ctx, seen, columns.team.as_ref())?);
    Ok(facts)
}

/// A value that the CRM computes and that is nothing yet says nothing: sent as 0 it would wipe out what Partner Center has.
fn value(row: &Row, column: &str) -> Option<Fact> {
    let calculated = row.yes(CALCULATED) == Some(true);
    match row.cell(column)? {
        Value::Money(money) if calculated && money.is_zero() => None,
        Value::Money(money) => Some(Fact::Value(Some(money.clone()))),
        Value::Empty if calculated => None,
        Value::Empty => Some(Fact::Value(None)),
        _ => Some(Fact::refuse(
            Unit::Value,
            Reason::new(
                "value-without-currency",
                format!("the column {column} holds no amount in a currency"),
            )
            .about_column(TABLE, column)
            .hint("give the row a currency, or name a currency column in the setting value-column"),
        )),
    }
}

fn company(account: &Row, ids: &[(&str, &str)]) -> Vec<Fact> {
    let mut facts = vec![Fact::Address(company::address(account))];
    facts.extend(account.owned_text("name").map(Fact::CompanyName));
    facts.extend(company::size(account).map(|bucket| Fact::CompanySize(Some(bucket))));
    if !ids.is_empty() {
        let known = ids.iter().filter_map(|(scheme, column)| {
            Some(ExternalId {
                scheme: (*scheme).to_owned(),
                id: account.owned_text(column)?,
            })
        });
        facts.push(Fact::CompanyIds(known.collect()));
    }
    facts
}
