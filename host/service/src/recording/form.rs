//! What is asked of a side and what it answers, as JSON and back.

use std::collections::BTreeSet;

use cosell_remote::dataverse::{Looked, Version};
use cosell_sync::row::{Cell, Condition, Found, Join, Link, Query, Reference, Row, RowKey, Test};
use serde_json::{Value, json};

use crate::raw;

/// What is asked of a side.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Asked<'a> {
    Referral(&'a str),
    Engagement(&'a str),
    Row {
        table: &'a str,
        id: &'a str,
    },
    Rows(&'a Query),
    Where(&'a RowKey),
    /// What the table's name column is called, and which of the columns that the host follows there are.
    Table(&'a str),
}

impl Asked<'_> {
    pub(crate) fn to_json(self) -> Value {
        match self {
            Self::Referral(id) => json!({ "referral": id }),
            Self::Engagement(id) => json!({ "engagement": id }),
            Self::Row { table, id } => json!({ "row": id, "table": table }),
            Self::Rows(query) => json!({
                "rows": query.table,
                "columns": query.columns,
                "conditions": query.conditions.iter().map(condition_json).collect::<Vec<_>>(),
                "limit": query.limit,
            }),
            Self::Where(key) => {
                json!({ "where": key.parts, "table": key.table, "may-miss": key.leave_out_if_missing })
            }
            Self::Table(table) => json!({ "table-of-columns": table }),
        }
    }

    /// Whether something that was asked is this, but for the values that it looks for.
    pub(crate) fn is_like(self, known: &Value) -> bool {
        let bare = |mut value: Value| {
            for condition in value["conditions"].as_array_mut().into_iter().flatten() {
                condition["value"] = Value::Null;
            }
            for part in value["where"].as_array_mut().into_iter().flatten() {
                part[1] = Value::Null;
            }
            value
        };
        matches!(self, Self::Rows(_) | Self::Where(_))
            && bare(self.to_json()) == bare(known.clone())
    }

    /// For people.
    pub(crate) fn in_words(self) -> String {
        match self {
            Self::Referral(id) => format!("referral {id}"),
            Self::Engagement(id) => format!("the referrals of engagement {id}"),
            Self::Row { table, id } => format!("{table} {id}"),
            Self::Rows(query) => {
                let columns = query.conditions.iter().map(|one| one.column.as_str());
                let columns: Vec<&str> = columns.collect();
                format!("rows of {} by {}", query.table, columns.join(", "))
            }
            Self::Where(key) => format!("the row of {} with a key", key.table),
            Self::Table(table) => format!("the columns of {table}"),
        }
    }
}

/// A condition of a query.
pub(crate) fn condition_json(condition: &Condition) -> Value {
    let (test, value) = match &condition.test {
        Test::Equals(cell) => ("equals", cell_json(cell)),
        Test::OneOf(cells) => ("one-of", cells.iter().map(cell_json).collect()),
        Test::BeginsWith(text) => ("begins-with", json!({ "text": text })),
        Test::Contains(text) => ("contains", json!({ "text": text })),
        Test::AtLeast(cell) => ("at-least", cell_json(cell)),
        Test::AtMost(cell) => ("at-most", cell_json(cell)),
        Test::IsEmpty => ("is-empty", Value::Null),
        Test::IsFilled => ("is-filled", Value::Null),
    };
    json!({ "column": condition.column, "test": test, "value": value })
}

/// A cell as it is kept in raw records.
pub(crate) fn cell_json(cell: &Cell) -> Value {
    let mut value = raw::cell(cell);
    if let Cell::Choices(choices) = cell {
        let labels = choices.iter().map(|choice| &choice.label);
        value["labels"] = json!(labels.collect::<Vec<_>>());
    }
    value
}

fn row_json(row: &Row) -> Value {
    let cells: serde_json::Map<String, Value> = row
        .cells
        .iter()
        .map(|(column, cell)| (column.clone(), cell_json(cell)))
        .collect();
    json!({ "table": row.table, "id": row.id, "cells": cells })
}

fn row_of(value: &Value) -> Option<Row> {
    let mut row = raw::parse_row(value)?;
    for (column, cell) in &mut row.cells {
        let labels = &value["cells"][column]["labels"];
        if let (Cell::Choices(choices), Some(labels)) = (cell, labels.as_array()) {
            for (choice, label) in choices.iter_mut().zip(labels) {
                choice.label = label.as_str().map(str::to_owned);
            }
        }
    }
    Some(row)
}

/// Rows that a query brought.
pub(crate) fn found(found: &Found) -> Value {
    json!({ "rows": found.rows.iter().map(row_json).collect::<Vec<_>>(), "cut": found.cut })
}

/// Reads what [`found()`] wrote, for a query with this label.
pub(crate) fn found_back(value: &Value, label: &str) -> Option<Found> {
    let rows = value["rows"].as_array()?.iter().map(row_of);
    Some(Found {
        label: label.to_owned(),
        rows: rows.collect::<Option<_>>()?,
        cut: value["cut"].as_bool()?,
    })
}

/// A row that a key named.
pub(crate) fn reference(reference: Option<&Reference>) -> Value {
    reference.map_or(
        Value::Null,
        |to| json!({ "reference": to.id, "table": to.table, "name": to.name }),
    )
}

/// Reads what [`reference()`] wrote.
pub(crate) fn reference_back(value: &Value) -> Option<Option<Reference>> {
    if value.is_null() {
        return Some(None);
    }
    let text = |name: &str| value[name].as_str().map(str::to_owned);
    Some(Some(Reference {
        id: text("reference")?,
        table: text("table")?,
        name: text("name"),
    }))
}

fn join_json(join: &Join) -> Value {
    let via = match &join.via {
        Link::Lookup(column) => json!({ "lookup": column }),
        Link::Child(column) => json!({ "child": column }),
        Link::Many(relationship) => json!({ "many": relationship }),
    };
    json!({ "label": join.label, "above": join.above, "table": join.table, "via": via, "columns": join.columns })
}

/// A row with what its joins brought, and what was asked of it.
pub(crate) fn row(looked: &Looked, columns: &BTreeSet<String>, joins: &[Join]) -> Value {
    let related: Vec<Value> = looked
        .seen
        .related
        .iter()
        .map(|one| {
            json!({ "label": one.label, "rows": one.rows.iter().map(row_json).collect::<Vec<_>>() })
        })
        .collect();
    json!({
        "columns": columns,
        "joins": joins.iter().map(join_json).collect::<Vec<_>>(),
        "row": row_json(&looked.seen.row),
        "related": related,
        "etag": looked.version.etag,
        "currency": looked.version.currency,
    })
}

/// Reads what [`row()`] wrote, for these columns and joins.
///
/// # Errors
/// The first of them that was not asked for then, in words.
pub(crate) fn row_back(
    value: &Value,
    columns: &BTreeSet<String>,
    joins: &[Join],
) -> Result<Looked, String> {
    let known = |list: &Value, one: &str| {
        let mut list = list.as_array().into_iter().flatten();
        list.any(|known| known == one)
    };
    if let Some(column) = columns.iter().find(|one| !known(&value["columns"], one)) {
        return Err(format!("column {column}"));
    }
    for join in joins {
        let asked = join_json(join);
        let mut then = value["joins"].as_array().into_iter().flatten();
        let then = then.find(|then| {
            ["label", "above", "table", "via"]
                .iter()
                .all(|member| then[*member] == asked[*member])
        });
        let then = then.ok_or_else(|| format!("the rows {}", join.label))?;
        if let Some(column) = join
            .columns
            .iter()
            .find(|one| !known(&then["columns"], one))
        {
            return Err(format!("column {column} of the rows {}", join.label));
        }
    }
    let damaged = || "what the recording has of it".to_owned();
    let related = value["related"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| {
            let rows = one["rows"].as_array()?.iter().map(row_of);
            Some(cosell_sync::row::Related {
                label: one["label"].as_str()?.to_owned(),
                rows: rows.collect::<Option<_>>()?,
            })
        });
    let text = |name: &str| value[name].as_str().map(str::to_owned);
    Ok(Looked {
        seen: cosell_sync::row::Seen {
            row: row_of(&value["row"]).ok_or_else(damaged)?,
            related: related.collect::<Option<_>>().ok_or_else(damaged)?,
        },
        version: Version {
            etag: text("etag").unwrap_or_default(),
            currency: text("currency"),
        },
    })
}
