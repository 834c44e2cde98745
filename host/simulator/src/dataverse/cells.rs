//! JSON to cells and back, with the documented checks of type, length, range and choice. (dataverse 2.1, 2.10, 3)

use jiff::{Timestamp, civil::Date};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use serde_json::{Number, Value};
use uuid::Uuid;

use super::refusal::{self, Refusal};
use super::schema::{Choice, Column, Kind, Table};
use super::store::Cell;
use crate::clock::seconds;
use crate::odata::Scalar;

const FIRST_YEAR: i16 = 1753;

/// The value that a body gives a column; none is null.
pub(super) fn read(table: &Table, column: &Column, value: &Value) -> Result<Option<Cell>, Refusal> {
    if value.is_null() {
        return Ok(None);
    }
    let wrong = |edm: &str| {
        let shown = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        refusal::payload(
            &table.set,
            format_args!("Cannot convert the literal '{shown}' to the expected type '{edm}'."),
        )
    };
    let cell = match &column.kind {
        Kind::Text { max } | Kind::Memo { max } => {
            let text = value.as_str().ok_or_else(|| wrong("Edm.String"))?;
            // The platform counts UTF-16 code units.
            if text.encode_utf16().count() > *max {
                return Err(Refusal::new(
                    400,
                    "0x80044331",
                    format!(
                        "A validation error occurred.  The length of the '{}' attribute of the '{}' entity exceeded the maximum allowed length of '{max}'.",
                        column.logical, table.logical
                    ),
                ));
            }
            // An empty text is stored as null.
            if text.is_empty() {
                return Ok(None);
            }
            Cell::text(text)
        }
        Kind::Int { min, max } => {
            let number = value
                .as_i64()
                .filter(|number| i32::try_from(*number).is_ok())
                .ok_or_else(|| wrong("Edm.Int32"))?;
            if number < *min || number > *max {
                return Err(Refusal::new(
                    400,
                    "0x8004432f",
                    format!(
                        "A validation error occurred. The value {number} of '{}' on record of type '{}' is outside the valid range. Accepted Values: {min} to {max}",
                        column.logical, table.logical
                    ),
                ));
            }
            Cell::Int(number)
        }
        Kind::BigInt => Cell::Int(value.as_i64().ok_or_else(|| wrong("Edm.Int64"))?),
        Kind::Decimal {
            precision,
            min,
            max,
        } => {
            let number = decimal(value).ok_or_else(|| wrong("Edm.Decimal"))?;
            in_range(table, column, number, *min, *max)?;
            Cell::Decimal(round(number, *precision))
        }
        Kind::Money {
            min,
            max,
            precision,
        } => {
            let number = decimal(value).ok_or_else(|| wrong("Edm.Decimal"))?;
            in_range(table, column, number, *min, *max)?;
            Cell::Decimal(precision.map_or(number, |precision| round(number, precision)))
        }
        Kind::Double { min, max } => {
            let number = value.as_f64().ok_or_else(|| wrong("Edm.Double"))?;
            if number < *min || number > *max {
                return Err(Refusal::new(
                    400,
                    "0x80044330",
                    format!(
                        "A validation error occurred. A decimal provided is outside of the allowed values for this attribute. Attribute: {}",
                        column.logical
                    ),
                ));
            }
            Cell::Double(number)
        }
        Kind::Bool => Cell::Bool(value.as_bool().ok_or_else(|| wrong("Edm.Boolean"))?),
        Kind::Choice(choices) | Kind::State(choices) | Kind::Status(choices) => {
            let number = value
                .as_i64()
                .and_then(|number| i32::try_from(number).ok())
                .ok_or_else(|| wrong("Edm.Int32"))?;
            if !choices.iter().any(|choice| choice.value == number) {
                return Err(no_choice(table, column, number, choices));
            }
            Cell::Int(i64::from(number))
        }
        Kind::Choices(choices) => {
            let text = value.as_str().ok_or_else(|| wrong("Edm.String"))?;
            let mut chosen = Vec::new();
            for part in text.split(',').filter(|part| !part.trim().is_empty()) {
                let number = part.trim().parse().map_err(|_| wrong("Edm.Int32"))?;
                if !choices.iter().any(|choice| choice.value == number) {
                    return Err(no_choice(table, column, number, choices));
                }
                chosen.push(number);
            }
            chosen.sort_unstable();
            chosen.dedup();
            if chosen.is_empty() {
                return Ok(None);
            }
            let chosen: Vec<String> = chosen.iter().map(i32::to_string).collect();
            Cell::text(&chosen.join(","))
        }
        Kind::Date => {
            let text = value.as_str().filter(|text| text.len() == 10);
            let date: Date = text
                .and_then(|text| text.parse().ok())
                .ok_or_else(|| wrong("Edm.Date"))?;
            supported(date)?;
            Cell::Date(date)
        }
        Kind::Time => {
            let time: Option<Timestamp> = value.as_str().and_then(|text| text.parse().ok());
            // Fractions of a second are dropped.
            let time = time.and_then(|time| Timestamp::from_second(time.as_second()).ok());
            let time = time.ok_or_else(|| wrong("Edm.DateTimeOffset"))?;
            supported(jiff::tz::TimeZone::UTC.to_datetime(time).date())?;
            Cell::Time(time)
        }
        Kind::Guid => Cell::Guid(
            value
                .as_str()
                .and_then(|text| Uuid::try_parse(text).ok())
                .ok_or_else(|| wrong("Edm.Guid"))?,
        ),
        Kind::Lookup(_) => {
            return Err(refusal::payload(
                &table.set,
                "CRM do not support direct update of Entity Reference properties, Use Navigation properties instead.",
            ));
        }
    };
    Ok(Some(cell))
}

/// The platform's calendar begins in 1753.
fn supported(date: Date) -> Result<(), Refusal> {
    if date.year() >= FIRST_YEAR {
        return Ok(());
    }
    Err(Refusal::new(
        400,
        "0x80040239",
        "The date-time format is invalid, or value is outside the supported range.",
    ))
}

fn in_range(
    table: &Table,
    column: &Column,
    number: Decimal,
    min: Decimal,
    max: Decimal,
) -> Result<(), Refusal> {
    if number >= min && number <= max {
        return Ok(());
    }
    Err(Refusal::new(
        400,
        "0x80044330",
        format!(
            "A validation error occurred. The value {number} of '{}' on record of type '{}' is outside the valid range. Accepted Values: {min} to {max}",
            column.logical, table.logical
        ),
    ))
}

fn no_choice(table: &Table, column: &Column, number: i32, choices: &[Choice]) -> Refusal {
    Refusal::new(
        400,
        "0x8004431a",
        format!(
            "A validation error occurred. The value '{number}' of '{}' on record of type '{}' is outside the valid range. Accepted Values: {}",
            column.logical,
            table.logical,
            values(choices)
        ),
    )
}

fn values(choices: &[Choice]) -> String {
    choices
        .iter()
        .map(|choice| choice.value.to_string())
        .collect::<Vec<_>>()
        .join(",")
}

/// The number as its text says, so that 0.1 is a tenth. Text is not a number.
fn decimal(value: &Value) -> Option<Decimal> {
    let Value::Number(number) = value else {
        return None;
    };
    let text = number.to_string();
    text.parse()
        .or_else(|_| Decimal::from_scientific(&text))
        .ok()
}

/// Rounds half away from zero.
pub(super) fn round(number: Decimal, decimals: u32) -> Decimal {
    number.round_dp_with_strategy(
        decimals,
        rust_decimal::RoundingStrategy::MidpointAwayFromZero,
    )
}

/// A cell as JSON.
pub(super) fn write(cell: Option<&Cell>) -> Value {
    match cell {
        None => Value::Null,
        Some(Cell::Bool(value)) => Value::Bool(*value),
        Some(Cell::Int(value)) => Value::from(*value),
        Some(Cell::Decimal(value)) => number(*value),
        Some(Cell::Double(value)) => Number::from_f64(*value).map_or(Value::Null, Value::Number),
        Some(Cell::Text(text)) => Value::String(text.to_string()),
        Some(Cell::Date(date)) => Value::String(date.to_string()),
        Some(Cell::Time(time)) => Value::String(seconds(*time)),
        Some(Cell::Guid(id) | Cell::Ref { id, .. }) => Value::String(id.to_string()),
    }
}

fn number(value: Decimal) -> Value {
    value
        .to_f64()
        .and_then(Number::from_f64)
        .map_or(Value::Null, Value::Number)
}

/// A cell as something to compare.
pub(super) fn scalar(cell: Option<&Cell>) -> Scalar {
    match cell {
        None => Scalar::Null,
        Some(Cell::Bool(value)) => Scalar::Bool(*value),
        Some(Cell::Int(value)) => Scalar::Number(Decimal::from(*value)),
        Some(Cell::Decimal(value)) => Scalar::Number(*value),
        Some(Cell::Double(value)) => value
            .to_string()
            .parse()
            .map_or(Scalar::Null, Scalar::Number),
        Some(Cell::Text(text)) => Scalar::Text(text.to_string()),
        Some(Cell::Date(date)) => Scalar::Date(*date),
        Some(Cell::Time(time)) => Scalar::Time(*time),
        Some(Cell::Guid(id) | Cell::Ref { id, .. }) => Scalar::Guid(*id),
    }
}

/// The label that people see, when the column has one that differs from its value.
pub(super) fn label(column: &Column, cell: &Cell, symbol: Option<&str>) -> Option<String> {
    match (&column.kind, cell) {
        (
            Kind::Choice(choices) | Kind::State(choices) | Kind::Status(choices),
            Cell::Int(value),
        ) => choices
            .iter()
            .find(|choice| i64::from(choice.value) == *value)
            .map(|choice| choice.label.clone()),
        (Kind::Choices(choices), Cell::Text(text)) => {
            let chosen = |part: &str| choices.iter().find(|c| part.parse() == Ok(c.value));
            let labels = text.split(',').filter_map(chosen).map(|c| c.label.as_str());
            Some(labels.collect::<Vec<_>>().join("; "))
        }
        (Kind::Bool, Cell::Bool(value)) => Some(if *value { "Yes" } else { "No" }.to_owned()),
        (Kind::Money { .. }, Cell::Decimal(value)) => Some(format!(
            "{}{}",
            symbol.unwrap_or_default(),
            grouped(&format!("{:.2}", round(*value, 2)))
        )),
        (Kind::Decimal { .. }, Cell::Decimal(value)) => Some(grouped(&value.to_string())),
        (Kind::Int { .. } | Kind::BigInt, Cell::Int(value)) => Some(grouped(&value.to_string())),
        (Kind::Date, Cell::Date(date)) => Some(us_date(*date)),
        (Kind::Time, Cell::Time(time)) => Some(time.strftime("%-m/%-d/%Y %-I:%M %p").to_string()),
        _ => None,
    }
}

fn us_date(date: Date) -> String {
    format!("{}/{}/{}", date.month(), date.day(), date.year())
}

pub(super) fn grouped(text: &str) -> String {
    let (sign, text) = text
        .strip_prefix('-')
        .map_or(("", text), |rest| ("-", rest));
    let (whole, fraction) = text
        .split_once('.')
        .map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
    let mut out = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    match fraction {
        Some(fraction) => format!("{sign}{out}.{fraction}"),
        None => format!("{sign}{out}"),
    }
}
