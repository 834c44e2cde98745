//! Raw records: what stood behind a base, so that a changed mapping can be told from an edit (S8).
//!
//! A referral is kept as it came. A CRM row is kept as the columns that were read, each with its kind, because a column's kind may change too.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use cosell_store::Lease;
use cosell_sync::deal::{Date, Decimal, Money, Timestamp};
use cosell_sync::row::{Cell, Choice, Reference, Related, Row, Seen};
use serde::Serialize;
use serde_json::Value;

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
    text_of(&Whole::of(seen))
}

/// A cell with its kind.
pub(crate) fn cell(cell: &Cell) -> Value {
    serde_json::to_value(Kept::from(cell)).expect("strings and numbers are always JSON")
}

fn text_of(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("strings and numbers are always JSON")
}

/// A row with its joins, as it is kept.
#[derive(Serialize)]
struct Whole<'a> {
    row: OneRow<'a>,
    related: BTreeMap<&'a str, Vec<OneRow<'a>>>,
}

impl<'a> Whole<'a> {
    fn of(seen: &'a Seen) -> Self {
        let related = seen.related.iter();
        Self {
            row: OneRow::of(&seen.row),
            related: related
                .map(|one| (&*one.label, one.rows.iter().map(OneRow::of).collect()))
                .collect(),
        }
    }
}

#[derive(Serialize)]
struct OneRow<'a> {
    table: &'a str,
    id: &'a str,
    cells: BTreeMap<&'a str, Kept<'a>>,
}

impl<'a> OneRow<'a> {
    fn of(row: &'a Row) -> Self {
        let cells = row.cells.iter();
        Self {
            table: &row.table,
            id: &row.id,
            cells: cells
                .map(|(column, cell)| (&**column, Kept::from(cell)))
                .collect(),
        }
    }
}

/// A cell; its first member names its kind.
#[derive(Serialize)]
#[serde(untagged)]
enum Kept<'a> {
    Empty,
    Text {
        text: &'a str,
    },
    Integer {
        integer: i32,
    },
    Decimal {
        decimal: String,
    },
    Money {
        money: String,
        currency: &'a str,
    },
    Bool {
        bool: bool,
    },
    Date {
        date: String,
    },
    Timestamp {
        timestamp: String,
    },
    Choice {
        choice: i32,
        label: Option<&'a str>,
    },
    Choices {
        choices: Vec<i32>,
    },
    Reference {
        reference: &'a str,
        table: &'a str,
        name: Option<&'a str>,
    },
    RowWhere {
        #[serde(rename = "row-where")]
        parts: &'a [(String, String)],
        table: &'a str,
    },
}

impl<'a> From<&'a Cell> for Kept<'a> {
    fn from(cell: &'a Cell) -> Self {
        match cell {
            Cell::Empty => Self::Empty,
            Cell::Text(text) => Self::Text { text },
            Cell::Integer(number) => Self::Integer { integer: *number },
            Cell::Decimal(number) => Self::Decimal {
                decimal: number.to_string(),
            },
            Cell::Money(money) => Self::Money {
                money: money.amount.to_string(),
                currency: &money.currency,
            },
            Cell::Bool(flag) => Self::Bool { bool: *flag },
            Cell::Date(date) => Self::Date {
                date: date.to_string(),
            },
            Cell::Timestamp(moment) => Self::Timestamp {
                timestamp: moment.to_string(),
            },
            Cell::Choice(choice) => Self::Choice {
                choice: choice.code,
                label: choice.label.as_deref(),
            },
            Cell::Choices(choices) => Self::Choices {
                choices: choices.iter().map(|choice| choice.code).collect(),
            },
            Cell::Reference(reference) => Self::Reference {
                reference: &reference.id,
                table: &reference.table,
                name: reference.name.as_deref(),
            },
            Cell::RowWhere(key) => Self::RowWhere {
                parts: &key.parts,
                table: &key.table,
            },
        }
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
    let parts: Vec<Value> = referrals
        .iter()
        .map(|raw| {
            let mut referral: Value = serde_json::from_str(raw).unwrap_or_default();
            if let Some(members) = referral.as_object_mut() {
                members.retain(|member, _| !VOLATILE.contains(&member.as_str()));
            }
            referral
        })
        .collect();
    let row = seen.map(|seen| {
        let mut whole = Whole::of(seen);
        whole
            .row
            .cells
            .retain(|column, _| !derived.contains(column));
        if let Some((column, text)) = name {
            whole.row.cells.insert(column, Kept::Text { text });
        }
        whole
    });
    format!("{}{}", Value::from(parts), text_of(&row))
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
