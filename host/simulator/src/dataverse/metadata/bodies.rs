//! What a body of metadata says, piece by piece.

use rust_decimal::Decimal;
use rust_decimal::prelude::FromPrimitive as _;
use serde_json::Value;

use super::invalid;
use crate::dataverse::refusal::{self, Refusal};
use crate::dataverse::schema::{Choice, Required};

pub(super) fn options(list: &Value) -> Result<Vec<Choice>, Refusal> {
    let list = list.as_array().ok_or_else(|| missing("Options"))?;
    let mut out: Vec<Choice> = Vec::new();
    for (at, held) in list.iter().enumerate() {
        let number = held["Value"]
            .as_i64()
            .and_then(|value| i32::try_from(value).ok());
        let value = number.ok_or_else(|| missing("Value"))?;
        if out.iter().any(|choice| choice.value == value) {
            return Err(invalid(format!("The option {value} is there twice.")));
        }
        out.push(Choice {
            value,
            label: label(&held["Label"]).unwrap_or_else(|| format!("Option {}", at + 1)),
            of: 0,
        });
    }
    Ok(out)
}

/// The first label of a `Label`.
pub(super) fn label(held: &Value) -> Option<String> {
    let all = held["LocalizedLabels"].as_array();
    let first = all
        .and_then(|all| all.first())
        .unwrap_or(&held["UserLocalizedLabel"]);
    first["Label"].as_str().map(str::to_owned)
}

pub(super) fn required(body: &Value) -> Required {
    match body["RequiredLevel"]["Value"].as_str() {
        Some("ApplicationRequired") => Required::Application,
        Some("Recommended") => Required::Recommended,
        Some("SystemRequired") => Required::System,
        _ => Required::No,
    }
}

/// A name with a publisher's prefix.
pub(super) fn schema_name(body: &Value) -> Result<String, Refusal> {
    let name = text(body, "SchemaName")?;
    let prefixed = name.split_once('_').is_some_and(|(prefix, rest)| {
        let letters = prefix.chars().all(|sign| sign.is_ascii_alphanumeric());
        let plain = |sign: char| sign.is_ascii_alphanumeric() || sign == '_';
        (2..=8).contains(&prefix.len()) && letters && !rest.is_empty() && rest.chars().all(plain)
    });
    if prefixed && name.len() <= 100 {
        return Ok(name.to_owned());
    }
    Err(invalid(format!(
        "The schema name '{name}' must begin with a publisher's prefix and an underscore, and hold letters, digits and underscores."
    )))
}

pub(super) fn length(body: &Value, most: u64) -> Result<usize, Refusal> {
    let length = body["MaxLength"].as_u64().unwrap_or(100);
    if !(1..=most).contains(&length) {
        return Err(invalid(format!("MaxLength must be 1 to {most}.")));
    }
    usize::try_from(length).map_err(|_| invalid("MaxLength is too large."))
}

pub(super) fn precision(body: &Value, otherwise: u64, most: u64) -> Result<u32, Refusal> {
    let held = body["Precision"].as_u64().unwrap_or(otherwise);
    u32::try_from(held)
        .ok()
        .filter(|_| held <= most)
        .ok_or_else(|| invalid(format!("Precision must be 0 to {most}.")))
}

pub(super) fn bound(body: &Value, name: &str, otherwise: i64) -> Result<Decimal, Refusal> {
    match body[name].as_f64() {
        None => Ok(Decimal::from(otherwise)),
        Some(number) => {
            Decimal::from_f64(number).ok_or_else(|| invalid(format!("{name} is out of range.")))
        }
    }
}

pub(super) fn text<'b>(body: &'b Value, name: &str) -> Result<&'b str, Refusal> {
    body[name].as_str().ok_or_else(|| missing(name))
}

pub(super) fn missing(name: &str) -> Refusal {
    refusal::payload(
        "EntityDefinitions",
        format_args!("The property '{name}' is missing or of the wrong type."),
    )
}
