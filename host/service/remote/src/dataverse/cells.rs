//! Cells ⇄ JSON, by the CRM's own metadata. Pure.

use std::collections::BTreeMap;
use std::str::FromStr;

use cosell_sync::deal::{Date, Decimal, Timestamp};
use cosell_sync::row::{Cell, Choice, Reference};

use crate::dataverse::metadata::{Column, Kind};
use crate::http::guid;
use crate::json::{self, Object, Raw};

pub(super) use read::{currency_of, read_row};
pub(super) use write::write;

mod read;
mod write;

/// Platform's column for the currency of a row's amounts.
pub(super) const CURRENCY_COLUMN: &str = "transactioncurrencyid";

/// Platform's table of currencies.
pub(super) const CURRENCY_TABLE: &str = "transactioncurrency";

/// A multi-line text that did not fit and was cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// `opportunity.description`
    pub column: String,
    /// What it was, in UTF-16 units, as the CRM counts.
    pub length: usize,
    /// What is left of it.
    pub kept: usize,
}

/// A currency that the organisation has set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Currency {
    /// GUID of its row.
    pub(super) id: String,
    /// ISO 4217.
    pub(super) code: String,
    /// Decimal places.
    pub(super) precision: u32,
}

/// What must be known beside the table itself.
#[derive(Debug, Clone, Default)]
pub(super) struct World {
    pub(super) currencies: Vec<Currency>,
    /// Logical name to set name, of every table that a reference points to.
    pub(super) sets: BTreeMap<String, String>,
}

impl World {
    pub(super) fn by_id(&self, id: &str) -> Option<&Currency> {
        self.currencies
            .iter()
            .find(|currency| currency.id.eq_ignore_ascii_case(id))
    }

    fn by_code(&self, code: &str) -> Option<&Currency> {
        self.currencies
            .iter()
            .find(|currency| currency.code.eq_ignore_ascii_case(code))
    }
}

/// Members of a request body, and what had to be cut.
#[derive(Debug, Default)]
pub(super) struct Body {
    pub(super) members: Object,
    pub(super) cut: Vec<Cut>,
}

/// What a cell is, for people.
pub(super) fn words(cell: &Cell) -> String {
    match cell {
        Cell::Empty => "nothing".to_owned(),
        Cell::Text(text) => format!("text \"{}\"", text.chars().take(40).collect::<String>()),
        Cell::Integer(number) => format!("the whole number {number}"),
        Cell::Decimal(number) => format!("the number {number}"),
        Cell::Money(money) => format!("money {} {}", money.amount, money.currency),
        Cell::Bool(flag) => format!("yes/no {flag}"),
        Cell::Date(date) => format!("the date {date}"),
        Cell::Timestamp(moment) => format!("the moment {moment}"),
        Cell::Choice(choice) => format!("the option {}", choice.code),
        Cell::Choices(_) => "a list of options".to_owned(),
        Cell::Reference(reference) => format!("a reference to {}", reference.table),
        Cell::RowWhere(key) => format!("a reference to {} by key", key.table),
    }
}

/// The CRM keeps no fraction of a second.
pub(super) fn seconds(moment: Timestamp) -> Timestamp {
    let whole = moment.as_second() - i64::from(moment.subsec_nanosecond() < 0);
    Timestamp::from_second(whole).unwrap_or(moment)
}

/// A value in `$filter`, and in an alternate key. None when the column cannot be compared with such a cell.
pub(super) fn literal(column: &Column, cell: &Cell) -> Option<String> {
    Some(match (&column.kind, cell) {
        (Kind::Text { .. } | Kind::LongText { .. }, Cell::Text(text)) => {
            format!("'{}'", text.replace('\'', "''"))
        }
        (Kind::Guid, Cell::Text(id)) => guid(id)?,
        (
            Kind::Integer | Kind::BigInteger | Kind::Decimal | Kind::Double | Kind::Money { .. },
            Cell::Integer(number),
        ) => number.to_string(),
        (
            Kind::Integer | Kind::BigInteger | Kind::Decimal | Kind::Double | Kind::Money { .. },
            Cell::Decimal(number),
        ) => number.to_string(),
        (Kind::Money { .. }, Cell::Money(money)) => money.amount.to_string(),
        (Kind::Bool, Cell::Bool(flag)) => flag.to_string(),
        (Kind::Date, Cell::Date(date)) => date.to_string(),
        (Kind::Timestamp, Cell::Timestamp(moment)) => seconds(*moment).to_string(),
        (Kind::Choice(_), Cell::Choice(choice)) => choice.code.to_string(),
        (Kind::Choice(_), Cell::Integer(code)) => code.to_string(),
        (Kind::Lookup(_), Cell::Reference(reference)) => guid(&reference.id)?,
        _ => return None,
    })
}

/// A text as a value of the column: how keys come.
pub(super) fn from_text(column: &Column, text: &str) -> Option<Cell> {
    let trimmed = text.trim();
    Some(match &column.kind {
        Kind::Text { .. } | Kind::LongText { .. } => Cell::Text(text.to_owned()),
        Kind::Guid => Cell::Text(guid(trimmed)?),
        Kind::Integer => Cell::Integer(trimmed.parse().ok()?),
        Kind::BigInteger | Kind::Decimal | Kind::Double | Kind::Money { .. } => {
            Cell::Decimal(json::decimal_of_text(trimmed)?)
        }
        Kind::Bool => Cell::Bool(match trimmed {
            "true" | "1" => true,
            "false" | "0" => false,
            _ => return None,
        }),
        Kind::Date => Cell::Date(Date::from_str(trimmed).ok()?),
        Kind::Timestamp => Cell::Timestamp(json::moment(trimmed)?),
        Kind::Choice(_) => Cell::Choice(Choice {
            code: trimmed.parse().ok()?,
            label: None,
        }),
        Kind::Lookup(targets) => Cell::Reference(Reference {
            table: targets.first()?.clone(),
            id: guid(trimmed)?,
            name: None,
        }),
        Kind::Choices(_) | Kind::Other(_) => return None,
    })
}

/// The number of a currency's decimal places, as the CRM writes it.
pub(super) fn places(raw: &Raw) -> u32 {
    json::decimal(raw)
        .and_then(|number: Decimal| u32::try_from(number).ok())
        .unwrap_or(2)
}

#[cfg(test)]
mod tests;
