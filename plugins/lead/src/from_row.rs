//! Lead row → facts about the deal. A column that was not read says nothing, an empty one says "empty".

use cosell_guest_sdk::parts::connector::{IDENTIFIER, VISIBLE};
use cosell_guest_sdk::parts::people::person;
use cosell_guest_sdk::parts::{self, company, help, sellers};
use cosell_guest_sdk::prelude::*;

use crate::columns::{CLOSE_DATE, COMPANY, CURRENCY_JOIN, Columns, ISO_CODE, NAME, NOTES, TABLE};

pub(crate) fn facts(ctx: &Context, seen: &Seen) -> Answer<Vec<Fact>> {
    let columns = Columns::of(ctx);
    let row = &seen.row;
    let mut facts = vec![
        Fact::Address(company::address(row)),
        Fact::Contacts(person(row).into_iter().collect()),
    ];
    facts.extend(row.owned_text(NAME).map(Fact::Name));
    facts.extend(value(seen, &columns));
    facts.extend(parts::close_date(row, CLOSE_DATE));
    facts.extend(row.cell(NOTES).map(|_| Fact::Notes(row.owned_text(NOTES))));
    facts.extend(
        row.cell(VISIBLE)
            .map(|_| Fact::Visibility(row.yes(VISIBLE).unwrap_or(false))),
    );
    facts.extend(help::fact(ctx, row));
    facts.extend(row.owned_text(COMPANY).map(Fact::CompanyName));
    facts.extend(company::size(row).map(|bucket| Fact::CompanySize(Some(bucket))));
    facts.extend(columns.duns.map(|column| {
        let number = row.owned_text(column).map(|id| ExternalId {
            scheme: "duns".to_owned(),
            id,
        });
        Fact::CompanyIds(number.into_iter().collect())
    }));
    facts.extend(solutions(seen, &columns));
    // Last: the question is asked again once the owner is known, and what stands above runs twice.
    facts.extend(sellers::owner(ctx, row)?.map(|owner| Fact::Team(vec![owner])));
    Ok(facts)
}

fn value(seen: &Seen, columns: &Columns<'_>) -> Option<Fact> {
    let column = columns.value;
    let currency = || seen.joined(CURRENCY_JOIN)?.text(ISO_CODE);
    let money = match seen.row.cell(column)? {
        Value::Money(money) => Some(money.clone()),
        Value::Empty => return Some(Fact::Value(None)),
        Value::Decimal(amount) => currency().map(|code| Money::new(amount.as_str(), code)),
        _ => None,
    };
    Some(match money {
        Some(money) => Fact::Value(Some(money)),
        None => Fact::refuse(
            Unit::Value,
            Reason::new(
                "value-without-currency",
                format!("the column {column} holds no amount in a currency"),
            )
            .about_column(TABLE, column)
            .hint("give the lead a currency; a column of plain numbers needs the setting value-kept-as"),
        ),
    })
}

/// The solutions of the table; without one, the solution that leads go out with, as long as there is no referral that knows better.
fn solutions(seen: &Seen, columns: &Columns<'_>) -> Option<Fact> {
    let said = columns.solutions.map(|table| table.fact(seen));
    let nothing = said
        .as_ref()
        .is_none_or(|fact| matches!(fact, Fact::Solutions(list) if list.is_empty()));
    let linked = seen.row.text(IDENTIFIER).is_some();
    match columns.default_solution {
        // Read as emptied, the solution that it went out with would be taken off in Partner Center.
        Some(_) if nothing && linked => None,
        Some(id) if nothing => Some(Fact::Solutions(vec![Solution {
            id: id.to_owned(),
            name: id.to_owned(),
            kind: None,
            publisher: None,
            price: None,
            quantity: None,
            close_date: None,
            more: Vec::new(),
        }])),
        _ => said,
    }
}
