//! Deal → columns of the opportunity row.

use cosell_guest_sdk::prelude::*;

use crate::columns::{
    CALCULATED, CLOSE_DATE, CUSTOMER, Columns, HELP, NAME, NOTES, OWNER, PARENT_ACCOUNT,
    PARENT_CONTACT, SOLUTIONS_JOIN, SolutionTable, USER_MAIL, VISIBLE,
};
use crate::help;

/// A topic holds 300 characters; the mark of the decorate hook and its space must fit in front.
const NAME_CHARS_MAX: usize = 290;

pub(crate) fn changes(ctx: &Context, order: &Order) -> Vec<Change> {
    let columns = Columns::of(ctx);
    let deal = &order.deal;
    let mut changes = vec![
        Change::set(
            NAME,
            deal.name.chars().take(NAME_CHARS_MAX).collect::<String>(),
        ),
        Change::set(CLOSE_DATE, deal.close_date.clone().map(Value::Date)),
        Change::set(NOTES, deal.notes.as_ref()),
        Change::set(VISIBLE, deal.visible_to_microsoft),
    ];
    changes.extend(value(order, columns.value));
    changes.extend(asked_help(ctx, deal));
    changes.extend(customer(order));
    changes.extend(contact(order));
    changes.extend(owner(deal));
    changes.extend(
        columns
            .solutions
            .map(|table| solutions(order, &table).into()),
    );
    changes
}

/// Where the CRM computes the revenue, whatever is written is computed away again: the value only goes out.
fn value(order: &Order, column: &str) -> Option<Change> {
    let calculated = order.row().and_then(|row| row.yes(CALCULATED)) == Some(true);
    if calculated {
        return Some(Change::withdraw(column));
    }
    Some(Change::set(column, order.deal.value.as_ref()))
}

/// A kind of help that the form has no option for stays in Partner Center.
fn asked_help(ctx: &Context, deal: &Deal) -> Option<Change> {
    match &deal.help {
        None => Some(Change::set(HELP, Value::Empty)),
        Some(asked) => help::code_of(ctx, asked).map(|code| Change::set(HELP, Value::choice(code))),
    }
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

fn contact(order: &Order) -> Option<Change> {
    let main = order.contacts.first()?.as_ref()?;
    Some(Change::set(PARENT_CONTACT, main))
}

fn owner(deal: &Deal) -> Option<Change> {
    let mail = deal.team.first()?.email.as_deref()?;
    Some(Change::set(
        OWNER,
        RowKey::new("systemuser", USER_MAIL, mail).or_leave_out(),
    ))
}

/// One row per solution, told apart by the solution's id. A row in which a seller has not yet written the id stays as it is.
fn solutions(order: &Order, table: &SolutionTable<'_>) -> Children {
    let there = order
        .existing
        .as_ref()
        .map_or(&[][..], |seen| seen.rows(SOLUTIONS_JOIN));
    let unnamed = there
        .iter()
        .filter(|row| row.text(table.id).is_none())
        .map(|row| Child::new(row.id.clone(), Some(row.id.clone()), Vec::new()));
    let named = order.deal.solutions.iter().map(|solution| {
        let row = there
            .iter()
            .find(|row| row.text(table.id) == Some(solution.id.as_str()));
        Child::new(
            solution.id.clone(),
            row.map(|row| row.id.clone()),
            cells(solution, table),
        )
    });
    Children::exactly(SOLUTIONS_JOIN, unnamed.chain(named).collect())
}

/// What Partner Center does not say about a solution is left as the catalogue has it.
fn cells(solution: &Solution, table: &SolutionTable<'_>) -> Vec<Cell> {
    let mut cells: Vec<Cell> = vec![
        (table.id.to_owned(), Value::text(&solution.id)),
        (table.name.to_owned(), Value::text(&solution.name)),
    ];
    if let Some(kind) = &solution.kind {
        cells.push((table.kind.to_owned(), Value::text(kind)));
    }
    if let Some(publisher) = &solution.publisher {
        cells.push((table.publisher.to_owned(), Value::text(publisher)));
    }
    cells
}
