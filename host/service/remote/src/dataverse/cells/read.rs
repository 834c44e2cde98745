//! Cells out of the members of an answer.

use std::collections::BTreeMap;
use std::str::FromStr;

use cosell_sync::deal::{Date, Money};
use cosell_sync::row::{Cell, Choice, Reference, Row};

use crate::dataverse::cells::{World, seconds};
use crate::dataverse::metadata::{Choosable, Column, Kind, Table};
use crate::http::guid;
use crate::json::{self, Object};

/// Reads a row. Every asked column must be there, because an answer without it would look like an emptied column.
pub(in crate::dataverse) fn read_row<'a>(
    table: &Table,
    members: &Object,
    columns: impl IntoIterator<Item = &'a str>,
    world: &World,
) -> Result<Row, String> {
    let id = members
        .get(&table.id_column)
        .and_then(|id| guid(&json::text(id)?));
    let id = id.ok_or_else(|| {
        format!(
            "a row of {} came without its {}",
            table.name, table.id_column
        )
    })?;
    let currency = currency_of(members, world);
    let mut cells = BTreeMap::new();
    for name in columns {
        let column = table
            .column(name)
            .ok_or_else(|| format!("{} has no column {name}", table.name))?;
        let cell = read_cell(table, column, members, currency)
            .map_err(|problem| format!("{}.{name} {problem}", table.name))?;
        cells.insert(name.to_owned(), cell);
    }
    Ok(Row {
        table: table.name.clone(),
        id,
        cells,
    })
}

/// What the row's amounts are in.
pub(in crate::dataverse) fn currency_of<'w>(members: &Object, world: &'w World) -> Option<&'w str> {
    let id = members
        .get("_transactioncurrencyid_value")
        .and_then(|id| json::text(id))?;
    world.by_id(&id).map(|currency| currency.code.as_str())
}

const FORMATTED: &str = "OData.Community.Display.V1.FormattedValue";
const LOOKUP_TABLE: &str = "Microsoft.Dynamics.CRM.lookuplogicalname";

fn read_cell(
    table: &Table,
    column: &Column,
    members: &Object,
    currency: Option<&str>,
) -> Result<Cell, String> {
    let wire = table.wire_name(&column.name);
    let value = members
        .get(&wire)
        .ok_or_else(|| "is missing in the answer".to_owned())?;
    if json::is_null(value) {
        return Ok(Cell::Empty);
    }
    let shown = || {
        members
            .get(&format!("{wire}@{FORMATTED}"))
            .and_then(|label| json::text(label))
    };
    let text = json::text(value).ok_or_else(|| "holds no plain value".to_owned())?;
    let wrong = || {
        format!(
            "is {} and came as {}",
            column.kind.words(),
            text.chars().take(40).collect::<String>()
        )
    };
    let number = || json::decimal(value).ok_or_else(wrong);
    Ok(match &column.kind {
        Kind::Text { .. } | Kind::LongText { .. } if text.is_empty() => Cell::Empty,
        Kind::Text { .. } | Kind::LongText { .. } | Kind::Guid => Cell::Text(text),
        Kind::Integer => Cell::Integer(text.parse().map_err(|_| wrong())?),
        Kind::BigInteger | Kind::Decimal | Kind::Double => Cell::Decimal(number()?),
        // Base amounts are in the organisation's currency, not in the row's.
        Kind::Money { .. } => match currency {
            Some(currency) if !column.name.ends_with("_base") => Cell::Money(Money {
                amount: number()?,
                currency: currency.to_owned(),
            }),
            _ => Cell::Decimal(number()?),
        },
        Kind::Bool => Cell::Bool(text.parse().map_err(|_| wrong())?),
        Kind::Date => {
            Cell::Date(Date::from_str(text.get(..10).unwrap_or(&text)).map_err(|_| wrong())?)
        }
        Kind::Timestamp => Cell::Timestamp(seconds(json::moment(&text).ok_or_else(wrong)?)),
        Kind::Choice(options) => {
            Cell::Choice(choice(options, text.parse().map_err(|_| wrong())?, shown()))
        }
        Kind::Choices(options) => {
            let codes = text
                .split(',')
                .map(|code| code.trim().parse::<i32>())
                .collect::<Result<Vec<_>, _>>()
                .map_err(|_| wrong())?;
            let mut choices: Vec<_> = codes
                .into_iter()
                .map(|code| choice(options, code, None))
                .collect();
            choices.sort_unstable_by_key(|choice| choice.code);
            Cell::Choices(choices)
        }
        Kind::Lookup(targets) => {
            let named = members
                .get(&format!("{wire}@{LOOKUP_TABLE}"))
                .and_then(|name| json::filled(name));
            let target = match (named, targets.as_slice()) {
                (Some(named), _) => named,
                (None, [only]) => only.clone(),
                (None, _) => {
                    return Err(
                        "may point to several tables, and the answer does not say to which"
                            .to_owned(),
                    );
                }
            };
            Cell::Reference(Reference {
                table: target,
                id: guid(&text).ok_or_else(wrong)?,
                name: shown(),
            })
        }
        Kind::Other(_) => return Err(format!("is {}", column.kind.words())),
    })
}

fn choice(options: &[Choosable], code: i32, shown: Option<String>) -> Choice {
    let label = shown.or_else(|| {
        options
            .iter()
            .find(|option| option.code == code)
            .and_then(|option| option.label.clone())
    });
    Choice { code, label }
}
