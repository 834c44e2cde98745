//! Opportunity row → facts about the deal.

use cosell_guest_sdk::prelude::*;

use crate::columns::{
    ACCOUNT_JOIN, CALCULATED, CLOSE_DATE, CONTACT_JOIN, CUSTOMER_JOIN, Columns, HELP, NAME, NOTES,
    OWNER, OWNER_QUERY, SOLUTIONS_JOIN, SolutionTable, USER_COLUMNS, USER_MAIL, VISIBLE,
};
use crate::help;

pub(crate) fn facts(ctx: &Context, seen: &Seen) -> Answer<Vec<Fact>> {
    let columns = Columns::of(ctx);
    let row = &seen.row;
    let mut facts = vec![
        Fact::CloseDate(row.date(CLOSE_DATE).map(str::to_owned)),
        Fact::Notes(row.owned_text(NOTES)),
        Fact::Visibility(row.yes(VISIBLE).unwrap_or(false)),
        Fact::Contacts(seen.joined(CONTACT_JOIN).map(person).into_iter().collect()),
    ];
    facts.extend(row.owned_text(NAME).map(Fact::Name));
    facts.extend(value(row, columns.value));
    facts.push(asked_help(ctx, row));
    if let Some(account) = seen
        .joined(ACCOUNT_JOIN)
        .or_else(|| seen.joined(CUSTOMER_JOIN))
    {
        facts.extend(company(account, columns.duns));
    }
    if let Some(table) = &columns.solutions {
        facts.push(solutions(seen.rows(SOLUTIONS_JOIN), table));
    }
    // Last: the question is asked again once the owner is known, and what stands above runs twice.
    facts.extend(team(ctx, row)?);
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
            .about_column("opportunity", column)
            .hint("name a currency column in the setting value-column"),
        )),
    }
}

fn asked_help(ctx: &Context, row: &Row) -> Fact {
    let Some(code) = row.choice(HELP) else {
        return Fact::Help(None);
    };
    match help::of_code(ctx, code) {
        Some(asked) => Fact::Help(Some(asked)),
        None => Fact::refuse(
            Unit::Help,
            Reason::new(
                "help-choice-unknown",
                format!("the option {code} of \"How can Microsoft help?\" has no meaning yet"),
            )
            .about_column("opportunity", HELP)
            .hint("add it to the setting help-choices"),
        ),
    }
}

fn company(account: &Row, duns: Option<&str>) -> Vec<Fact> {
    let mut facts = vec![Fact::Address(Address {
        line1: account.owned_text("address1_line1"),
        line2: account.owned_text("address1_line2"),
        city: account.owned_text("address1_city"),
        state: account.owned_text("address1_stateorprovince"),
        postal_code: account.owned_text("address1_postalcode"),
        region: None,
        // How a country is kept differs everywhere: the country hook's word.
        country: None,
    })];
    facts.extend(account.owned_text("name").map(Fact::CompanyName));
    facts.extend(
        account
            .integer("numberofemployees")
            .and_then(size)
            .map(|bucket| Fact::CompanySize(Some(bucket.to_owned()))),
    );
    if let Some(column) = duns {
        facts.push(Fact::CompanyIds(
            account
                .owned_text(column)
                .map(|id| ExternalId {
                    scheme: "duns".to_owned(),
                    id,
                })
                .into_iter()
                .collect(),
        ));
    }
    facts
}

/// Partner Center's buckets.
fn size(employees: i32) -> Option<&'static str> {
    Some(match employees {
        ..=0 => return None,
        1..=9 => "1to9employees",
        10..=50 => "10to50employees",
        51..=250 => "51to250employees",
        251..=1_000 => "251to1000employees",
        1_001..=5_000 => "1001to5000employees",
        5_001..=10_000 => "5001to10000employees",
        10_001..=20_000 => "10001to20000employees",
        _ => "Morethan20000employees",
    })
}

fn person(contact: &Row) -> Person {
    Person {
        first_name: contact.owned_text("firstname"),
        last_name: contact.owned_text("lastname"),
        email: contact.owned_text("emailaddress1"),
        phone: contact.owned_text("telephone1"),
        title: contact.owned_text("jobtitle"),
        more: Vec::new(),
    }
}

/// One solution without an id, and the list cannot be compared: better say so than share the others.
fn solutions(rows: &[Row], table: &SolutionTable<'_>) -> Fact {
    let mut solutions = Vec::with_capacity(rows.len());
    for row in rows {
        let Some(id) = row.owned_text(table.id) else {
            return Fact::refuse(
                Unit::Solutions,
                Reason::new(
                    "solution-without-id",
                    format!(
                        "the solution \"{}\" has no solution id",
                        row.text(table.name).unwrap_or("without a name")
                    ),
                )
                .about_column(table.table, table.id)
                .hint("write the id that Partner Center shows, SOL-12345-ABC, or remove the row"),
            );
        };
        solutions.push(Solution {
            name: row.owned_text(table.name).unwrap_or_else(|| id.clone()),
            id,
            kind: row.owned_text(table.kind),
            publisher: row.owned_text(table.publisher),
            price: None,
            quantity: None,
            close_date: None,
            more: Vec::new(),
        });
    }
    solutions.sort_by(|a, b| a.id.cmp(&b.id));
    Fact::Solutions(solutions)
}

/// The owner, when it is a person with a mail address. A deal that a program owns has no seller to tell about.
fn team(ctx: &Context, row: &Row) -> Answer<Option<Fact>> {
    let Some(owner) = row
        .reference(OWNER)
        .filter(|owner| owner.table == "systemuser")
    else {
        return Ok(None);
    };
    let users = ctx.rows(
        Query::new(OWNER_QUERY, "systemuser", USER_COLUMNS)
            .equals("systemuserid", owner.id.as_str())
            .limit(1),
    )?;
    Ok(users
        .first()
        .filter(|user| user.text("applicationid").is_none())
        .and_then(|user| {
            Some(Fact::Team(vec![Person {
                first_name: user.owned_text("firstname"),
                last_name: user.owned_text("lastname"),
                email: Some(user.owned_text(USER_MAIL)?),
                phone: None,
                title: None,
                more: Vec::new(),
            }]))
        }))
}
