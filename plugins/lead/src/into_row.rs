//! Deal → columns of the lead row.

use cosell_guest_sdk::parts::connector::VISIBLE;
use cosell_guest_sdk::parts::{called, company, cut, help, people, sellers};
use cosell_guest_sdk::prelude::*;

use crate::columns::{
    CLOSE_DATE, COMPANY, CURRENCIES, CURRENCY, Columns, ISO_CODE, NAME, NOTES, PARENT_ACCOUNT,
    PARENT_CONTACT, TABLE,
};

/// A topic holds 300 characters; a mark and its space must fit in front.
const NAME_MAX: usize = 290;
const COMPANY_MAX: usize = 100;

pub(crate) fn changes(ctx: &Context, order: &Order) -> Vec<Change> {
    let columns = Columns::of(ctx);
    let deal = &order.deal;
    let mut changes = vec![
        Change::set(CLOSE_DATE, deal.close_date.clone().map(Value::Date)),
        Change::set(NOTES, deal.notes.as_ref()),
        Change::set(VISIBLE, deal.visible_to_microsoft),
        help::change(ctx, TABLE, deal),
    ];
    changes.extend(called(deal).map(|name| Change::set(NAME, cut(&name, NAME_MAX))));
    changes.extend(value(deal, &columns));
    changes.extend(the_company(deal, &columns));
    if let Some(main) = deal.contacts.first() {
        changes.extend(people::set_person(main, order.existing.is_some()));
    }
    changes.extend(sellers::set_owner(deal));
    changes.extend(
        order
            .account
            .as_ref()
            .map(|account| Change::set(PARENT_ACCOUNT, account)),
    );
    let contact = order.contacts.first().and_then(Option::as_ref);
    changes.extend(contact.map(|contact| Change::set(PARENT_CONTACT, contact)));
    changes.extend(columns.solutions.map(|table| table.change(order)));
    changes
}

/// Money brings its currency along; a plain number needs the row's set beside it.
fn value(deal: &Deal, columns: &Columns<'_>) -> Vec<Change> {
    match &deal.value {
        Some(money) if columns.value_is_number => vec![
            Change::set(columns.value, Value::decimal(money.amount.as_str())),
            Change::set(
                CURRENCY,
                RowKey::new(CURRENCIES, ISO_CODE, money.currency.as_str()),
            ),
        ],
        value => vec![Change::set(columns.value, value.as_ref())],
    }
}

fn the_company(deal: &Deal, columns: &Columns<'_>) -> Vec<Change> {
    let company = &deal.company;
    let mut changes = company::set_address(&company.address);
    let name = company.name.trim();
    if !name.is_empty() {
        changes.push(Change::set(COMPANY, cut(name, COMPANY_MAX)));
    }
    let number = company
        .ids
        .iter()
        .find(|id| id.scheme.eq_ignore_ascii_case("duns"));
    if let (Some(column), Some(number)) = (columns.duns, number) {
        changes.push(Change::set(column, number.id.trim()));
    }
    changes
}
