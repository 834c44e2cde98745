//! What a row looks like once the host has done what a plugin said: for the law that `to-deal` reads what `to-row` wrote.

use crate::types::{Change, Children, Order, Related, Row, RowState, Seen, Surplus, Value};

use super::standard::{ROW_ID, seen};

/// The row that every key is resolved to.
pub const FOUND_ID: &str = "0f0f0f0f-0000-4000-8000-000000000001";

/// The order's row with these changes: of a new one when the order has none. Keys lead to [`FOUND_ID`], child rows hang under their
/// label and are called after their key. What other rows hold (accounts, contacts) is the test's to add.
#[must_use]
pub fn applied(table: &str, order: &Order, changes: Vec<Change>) -> Seen {
    let mut after = order
        .existing
        .clone()
        .unwrap_or_else(|| seen(Row::new(table, ROW_ID)));
    for change in changes {
        match change {
            Change::Set((column, Value::RowWhere(key))) => {
                after.row = after
                    .row
                    .with(column, Value::reference(key.table, FOUND_ID));
            }
            Change::Set((column, value)) => after.row = after.row.with(column, value),
            Change::Children(children) => hang(&mut after, children),
            Change::Withdraw(_) | Change::Refuse(_) | Change::More(_) => {}
        }
    }
    after
}

/// This row in this state.
#[must_use]
pub fn stands(row: Row, state: &RowState) -> Row {
    row.with("statecode", Value::choice(state.statecode))
        .with("statuscode", Value::choice(state.statuscode))
}

fn hang(after: &mut Seen, children: Children) {
    let there = after.rows(&children.label).to_vec();
    let mut rows: Vec<Row> = Vec::new();
    for child in children.rows {
        let id = child.id.unwrap_or(child.key);
        let row = there.iter().find(|row| row.id == id).cloned();
        let row = row.unwrap_or_else(|| Row::new(children.label.clone(), id));
        rows.push(
            child
                .cells
                .into_iter()
                .fold(row, |row, (column, value)| match value {
                    Value::RowWhere(key) => row.with(column, Value::reference(key.table, FOUND_ID)),
                    value => row.with(column, value),
                }),
        );
    }
    if children.surplus == Surplus::Keep {
        let kept: Vec<Row> = there
            .into_iter()
            .filter(|row| !rows.iter().any(|named| named.id == row.id))
            .collect();
        rows.extend(kept);
    }
    after
        .related
        .retain(|related| related.label != children.label);
    after.related.push(Related {
        label: children.label,
        rows,
    });
}
