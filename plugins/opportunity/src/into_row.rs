//! Deal → columns of the opportunity row.

use cosell_guest_sdk::parts::connector::VISIBLE;
use cosell_guest_sdk::parts::{called, cut, help, sellers};
use cosell_guest_sdk::prelude::*;

use crate::columns::{
    CALCULATED, CLOSE_DATE, CUSTOMER, Columns, NAME, NOTES, PARENT_ACCOUNT, TABLE,
};
use crate::{people, tail};

/// A topic holds 300 characters; the mark of the decorate hook and its space must fit in front.
const NAME_MAX: usize = 290;

pub(crate) fn changes(ctx: &Context, order: &Order) -> Answer<Vec<Change>> {
    let columns = Columns::of(ctx);
    let deal = &order.deal;
    let mut changes = vec![
        Change::set(CLOSE_DATE, deal.close_date.clone().map(Value::Date)),
        Change::set(NOTES, deal.notes.as_ref()),
        Change::set(VISIBLE, deal.visible_to_microsoft),
        help::change(ctx, TABLE, deal),
        value(order, columns.value),
    ];
    changes.extend(called(deal).map(|name| Change::set(NAME, cut(&name, NAME_MAX))));
    changes.extend(customer(order));
    changes.extend(people::set_main(order, columns.contacts.as_ref()));
    changes.extend(sellers::set_owner(deal));
    changes.extend(tail::changes(ctx, deal));
    changes.extend(columns.solutions.map(|table| table.change(order)));
    changes.extend(columns.contacts.and_then(|table| table.change(order)));
    if let Some(table) = columns.team {
        // Last: the question is asked again once the sellers are known.
        changes.extend(table.change(ctx, order)?);
    }
    Ok(changes)
}

/// Where the CRM computes the revenue, whatever is written is computed away again: the value only goes out.
fn value(order: &Order, column: &str) -> Change {
    let calculated = order.row().and_then(|row| row.yes(CALCULATED)) == Some(true);
    if calculated {
        return Change::withdraw(column);
    }
    Change::set(column, order.deal.value.as_ref())
}

/// Both columns, because forms show the one and reports the other.
fn customer(order: &Order) -> Vec<Change> {
    order.account.as_ref().map_or_else(Vec::new, |account| {
        vec![
            Change::set(PARENT_ACCOUNT, account),
            Change::set(CUSTOMER, account),
        ]
    })
}
