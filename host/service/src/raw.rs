//! Raw records: what stood behind a base, so that a changed mapping can be told from an edit (S8).
//!
//! A referral is kept as it came. A CRM row is kept as the columns that were read, each with its kind, because a column's kind may change too.

use cosell_sync::row::{Cell, Row, Seen};
use serde_json::{Map, Value, json};

/// A row with what its joins brought, as JSON.
#[must_use]
pub fn row(seen: &Seen) -> String {
    let related: Map<String, Value> = seen
        .related
        .iter()
        .map(|one| (one.label.clone(), one.rows.iter().map(one_row).collect()))
        .collect();
    json!({ "row": one_row(&seen.row), "related": related }).to_string()
}

fn one_row(row: &Row) -> Value {
    let cells: Map<String, Value> = row
        .cells
        .iter()
        .map(|(column, held)| (column.clone(), cell(held)))
        .collect();
    json!({ "table": row.table, "id": row.id, "cells": cells })
}

fn cell(cell: &Cell) -> Value {
    match cell {
        Cell::Empty => Value::Null,
        Cell::Text(text) => json!({ "text": text }),
        Cell::Integer(number) => json!({ "integer": number }),
        Cell::Decimal(number) => json!({ "decimal": number.to_string() }),
        Cell::Money(money) => {
            json!({ "money": money.amount.to_string(), "currency": money.currency })
        }
        Cell::Bool(flag) => json!({ "bool": flag }),
        Cell::Date(date) => json!({ "date": date.to_string() }),
        Cell::Timestamp(moment) => json!({ "timestamp": moment.to_string() }),
        Cell::Choice(choice) => json!({ "choice": choice.code, "label": choice.label }),
        Cell::Choices(choices) => {
            json!({ "choices": choices.iter().map(|choice| choice.code).collect::<Vec<_>>() })
        }
        Cell::Reference(reference) => {
            json!({ "reference": reference.id, "table": reference.table, "name": reference.name })
        }
        Cell::RowWhere(key) => json!({ "row-where": key.parts, "table": key.table }),
    }
}
