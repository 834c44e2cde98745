//! Raw records: what stood behind a base, so that a changed mapping can be told from an edit (S8).
//!
//! A referral is kept as it came. A CRM row is kept as the columns that were read, each with its kind, because a column's kind may change too.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use cosell_store::Lease;
use cosell_sync::deal::{Date, Decimal, Money, Timestamp};
use cosell_sync::row::{Cell, Choice, Reference, Related, Row, Seen};
use serde_json::{Map, Value, json};

use crate::desk::Desk;
use crate::seal::{Place, Purpose, Seal, SealError};

/// Members of a referral that change with every save, or say nothing about the deal.
const VOLATILE: [&str; 6] = [
    "eTag",
    "updatedDateTime",
    "lastModifiedVia",
    "lastModifiedBy",
    "lastRunId",
    "links",
];

/// A row with what its joins brought, as JSON.
#[must_use]
pub fn row(seen: &Seen) -> String {
    whole(seen).to_string()
}

fn whole(seen: &Seen) -> Value {
    let related: Map<String, Value> = seen
        .related
        .iter()
        .map(|one| (one.label.clone(), one.rows.iter().map(one_row).collect()))
        .collect();
    json!({ "row": one_row(&seen.row), "related": related })
}

fn one_row(row: &Row) -> Value {
    let cells: Map<String, Value> = row
        .cells
        .iter()
        .map(|(column, held)| (column.clone(), cell(held)))
        .collect();
    json!({ "table": row.table, "id": row.id, "cells": cells })
}

/// A cell with its kind.
pub(crate) fn cell(cell: &Cell) -> Value {
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

/// A cell as a person reads it.
#[must_use]
pub fn in_words(cell: &Cell) -> String {
    match cell {
        Cell::Empty => "nothing".to_owned(),
        Cell::Text(text) => format!("\"{text}\""),
        Cell::Integer(number) => number.to_string(),
        Cell::Decimal(number) => number.to_string(),
        Cell::Money(money) => format!("{} {}", money.amount, money.currency),
        Cell::Bool(flag) => if *flag { "yes" } else { "no" }.to_owned(),
        Cell::Date(date) => date.to_string(),
        Cell::Timestamp(moment) => moment.to_string(),
        Cell::Choice(choice) => match &choice.label {
            Some(label) => format!("{label} ({})", choice.code),
            None => choice.code.to_string(),
        },
        Cell::Choices(choices) => {
            let codes: Vec<String> = choices.iter().map(|one| one.code.to_string()).collect();
            codes.join(", ")
        }
        Cell::Reference(reference) => match &reference.name {
            Some(name) => format!("{} \"{name}\" ({})", reference.table, reference.id),
            None => format!("{} {}", reference.table, reference.id),
        },
        Cell::RowWhere(key) => {
            let parts = key
                .parts
                .iter()
                .map(|(column, value)| format!("{column} = {value}"));
            format!(
                "the {} where {}",
                key.table,
                parts.collect::<Vec<_>>().join(", ")
            )
        }
    }
}

/// Reads what [`row`] wrote. None when it is unreadable: an older host, or a newer one, wrote it otherwise.
#[must_use]
pub fn parse(text: &str) -> Option<Seen> {
    let value: Value = serde_json::from_str(text).ok()?;
    let related = value["related"].as_object()?.iter().map(|(label, rows)| {
        Some(Related {
            label: label.clone(),
            rows: rows
                .as_array()?
                .iter()
                .map(parse_row)
                .collect::<Option<_>>()?,
        })
    });
    Some(Seen {
        row: parse_row(&value["row"])?,
        related: related.collect::<Option<_>>()?,
    })
}

pub(crate) fn parse_row(value: &Value) -> Option<Row> {
    let cells = value["cells"].as_object()?.iter();
    Some(Row {
        table: text(&value["table"])?,
        id: text(&value["id"])?,
        cells: cells
            .map(|(column, held)| Some((column.clone(), parse_cell(held)?)))
            .collect::<Option<_>>()?,
    })
}

fn parse_cell(value: &Value) -> Option<Cell> {
    let Some(members) = value.as_object() else {
        return value.is_null().then_some(Cell::Empty);
    };
    // The first member names the kind.
    let (kind, held) = members.iter().next()?;
    let code = |value: &Value| i32::try_from(value.as_i64()?).ok();
    Some(match kind.as_str() {
        "text" => Cell::Text(text(held)?),
        "integer" => Cell::Integer(code(held)?),
        "decimal" => Cell::Decimal(text(held)?.parse().ok()?),
        "money" => Cell::Money(Money {
            amount: text(held)?.parse::<Decimal>().ok()?,
            currency: text(&value["currency"])?,
        }),
        "bool" => Cell::Bool(held.as_bool()?),
        "date" => Cell::Date(text(held)?.parse::<Date>().ok()?),
        "timestamp" => Cell::Timestamp(text(held)?.parse::<Timestamp>().ok()?),
        "choice" => Cell::Choice(Choice {
            code: code(held)?,
            label: text(&value["label"]),
        }),
        "choices" => {
            let codes = held.as_array()?.iter().map(|held| {
                Some(Choice {
                    code: code(held)?,
                    label: None,
                })
            });
            Cell::Choices(codes.collect::<Option<_>>()?)
        }
        "reference" => Cell::Reference(Reference {
            id: text(held)?,
            table: text(&value["table"])?,
            name: text(&value["name"]),
        }),
        _ => return None,
    })
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// Columns that the row of then was not asked for are taken from the row of now: what cannot be judged counts as unchanged (S30).
pub fn complete(then: &mut Seen, now: &Seen) {
    let lay_under = |then: &mut BTreeMap<String, Cell>, now: &BTreeMap<String, Cell>| {
        for (column, cell) in now {
            then.entry(column.clone()).or_insert_with(|| cell.clone());
        }
    };
    lay_under(&mut then.row.cells, &now.row.cells);
    for related in &now.related {
        match then
            .related
            .iter_mut()
            .find(|one| one.label == related.label)
        {
            None => then.related.push(related.clone()),
            Some(one) => {
                for row in &mut one.rows {
                    if let Some(now) = related.rows.iter().find(|now| now.id == row.id) {
                        lay_under(&mut row.cells, &now.cells);
                    }
                }
            }
        }
    }
}

/// What a deal stands on, without what we derive ourselves: as long as it is the same, a failure is the same (S26). `name` is the row's
/// name column with the name as the plugins see it.
#[must_use]
pub fn substance(
    referrals: &[&str],
    seen: Option<&Seen>,
    name: Option<(&str, &str)>,
    derived: &BTreeSet<&str>,
) -> String {
    let mut parts: Vec<Value> = referrals
        .iter()
        .map(|raw| {
            let mut referral: Value = serde_json::from_str(raw).unwrap_or_default();
            if let Some(members) = referral.as_object_mut() {
                members.retain(|member, _| !VOLATILE.contains(&member.as_str()));
            }
            referral
        })
        .collect();
    if let Some(seen) = seen {
        let mut seen = seen.clone();
        seen.row
            .cells
            .retain(|column, _| !derived.contains(column.as_str()));
        if let Some((column, name)) = name {
            seen.row
                .cells
                .insert(column.to_owned(), Cell::Text(name.to_owned()));
        }
        parts.push(whole(&seen));
    }
    Value::from(parts).to_string()
}

/// Where a raw record of a deal is sealed: `name` is `LANE/HASH`.
#[must_use]
pub(crate) const fn place<'a>(connection: &'a str, name: &'a str) -> Place<'a> {
    Place {
        connection,
        purpose: Purpose::Raw,
        name,
    }
}

/// A raw record of a link as it was before it was sealed; one from before there was a key is plain.
///
/// # Errors
/// No key opens it, or it is damaged.
pub(crate) fn opened<'r>(
    desk: &Desk,
    lease: &Lease,
    name: &str,
    body: &'r str,
) -> Result<Cow<'r, str>, SealError> {
    if !Seal::is_sealed(body) {
        return Ok(body.into());
    }
    let at = format!("{}/{name}", lease.lane.0);
    let opened = desk.seal.open(place(&lease.connection, &at), body)?;
    Ok(String::from_utf8_lossy(&opened).into_owned().into())
}

/// Seals raw records, where there is a key.
pub(crate) fn seal_all(
    desk: &Desk,
    lease: &Lease,
    raws: BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let seal = |(hash, body): (String, String)| {
        let name = format!("{}/{hash}", lease.lane.0);
        let sealed = desk
            .seal
            .seal(place(&lease.connection, &name), body.as_bytes());
        (hash, sealed.unwrap_or(body))
    };
    raws.into_iter().map(seal).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s8_a_raw_row_comes_back_as_it_was_kept() {
        let cells = [
            ("empty", Cell::Empty),
            ("text", Cell::Text("Váci út 1.".into())),
            ("integer", Cell::Integer(7)),
            ("decimal", Cell::Decimal(Decimal::new(123_456, 4))),
            (
                "money",
                Cell::Money(Money {
                    amount: Decimal::new(12_500_050, 2),
                    currency: "EUR".into(),
                }),
            ),
            ("bool", Cell::Bool(true)),
            ("date", Cell::Date("2026-12-15".parse().unwrap())),
            (
                "timestamp",
                Cell::Timestamp("2026-12-15T10:00:00Z".parse().unwrap()),
            ),
            (
                "choice",
                Cell::Choice(Choice {
                    code: 3,
                    label: Some("Won".into()),
                }),
            ),
            (
                "reference",
                Cell::Reference(Reference {
                    table: "account".into(),
                    id: "1".into(),
                    name: None,
                }),
            ),
        ];
        let one = Row {
            table: "opportunity".into(),
            id: "7".into(),
            cells: cells
                .into_iter()
                .map(|(column, cell)| (column.to_owned(), cell))
                .collect(),
        };
        let seen = Seen {
            row: one.clone(),
            related: vec![Related {
                label: "stock/account".into(),
                rows: vec![one],
            }],
        };
        assert_eq!(parse(&row(&seen)), Some(seen));
        assert_eq!(parse("{}"), None);
    }

    #[test]
    fn s26_our_own_audit_line_changes_nothing_that_a_deal_stands_on() {
        let seen = |audit: &str, notes: &str| Seen {
            row: Row {
                table: "opportunity".into(),
                id: "7".into(),
                cells: [("audit", audit), ("notes", notes), ("name", "✖ A")]
                    .map(|(column, text)| (column.to_owned(), Cell::Text(text.into())))
                    .into(),
            },
            related: Vec::new(),
        };
        let of = |seen: &Seen, referral: &str| {
            substance(
                &[referral],
                Some(seen),
                Some(("name", "A")),
                &["audit"].into(),
            )
        };
        let before = of(&seen("", "x"), r#"{"id":"1","eTag":"a"}"#);
        assert_eq!(before, of(&seen("failed", "x"), r#"{"id":"1","eTag":"b"}"#));
        assert_ne!(before, of(&seen("", "y"), r#"{"id":"1","eTag":"a"}"#));
    }
}
