//! The shape of a referral: every field with its null or default form, what input may set, and how it leaves.

use std::sync::LazyLock;

use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::Refusal;

/// Fields that the server owns: silently dropped from input. (partner-center 2.1)
const SERVER_OWNED: [&str; 23] = [
    "id",
    "organizationId",
    "organizationName",
    "createdDateTime",
    "updatedDateTime",
    "expirationDateTime",
    "acceptedDateTime",
    "closedDateTime",
    "eTag",
    "quality",
    "isSpam",
    "direction",
    "createdVia",
    "lastModifiedVia",
    "lastRunId",
    "tags",
    "registrationStatus",
    "registrations",
    "links",
    "trackingInfo",
    "referralSource",
    "callToAction",
    "@odata.context",
];

/// Read once: it is laid under every referral.
static BLANK: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("blank.json")).expect("blank.json is part of this program")
});

/// Every field of a referral in its resting form. (partner-center 2.1 to 2.8)
pub(crate) fn blank() -> Value {
    BLANK.clone()
}

fn blank_member() -> Value {
    json!({"firstName": null, "lastName": null, "phoneNumber": null, "email": null, "title": null,
        "contactPreference": {"locale": null, "disableNotifications": null}})
}

fn blank_solution() -> Value {
    json!({"id": null, "name": null, "type": "Name", "price": null, "quantity": null, "currency": null,
        "publisherName": null, "solutionType": null, "closingDateTime": null})
}

/// A blank referral with `input` laid over it. Names bind without regard to case; unknown names are ignored, or refused in a `strict` world.
pub(crate) fn fill(input: &Map<String, Value>, strict: bool) -> Result<Value, Refusal> {
    laid_over(blank(), input, strict)
}

/// `referral` with what of `input` is not the server's laid over it.
pub(crate) fn laid_over(
    mut referral: Value,
    input: &Map<String, Value>,
    strict: bool,
) -> Result<Value, Refusal> {
    let mut allowed = input.clone();
    allowed.retain(|name, _| {
        !SERVER_OWNED
            .iter()
            .any(|owned| owned.eq_ignore_ascii_case(name))
    });
    overlay("", &mut referral, &Value::Object(allowed), strict)?;
    for path in [
        "/customerProfile/team",
        "/team",
        "/details/requirements/solutions",
    ] {
        if let Some(list) = referral.pointer(path).cloned() {
            let list = coerce(path, &list)?;
            if let Some(place) = referral.pointer_mut(path) {
                *place = list;
            }
        }
    }
    for path in [
        "/details/dealValue",
        "/details/closingDateTime",
        "/consent/consentToShareReferralWithMicrosoftSellers",
    ] {
        if let Some(place) = referral.pointer_mut(path) {
            *place = coerce(path, &place.clone())?;
        }
    }
    Ok(referral)
}

/// Lays `input` over `base`, binding names without regard to case. What `base` has says which type belongs there; where it has nothing, text
/// does, or what [`NOT_TEXT`] says.
fn overlay(path: &str, base: &mut Value, input: &Value, strict: bool) -> Result<(), Refusal> {
    let wrong = |expected: &str| Err(mistyped(path, expected, input));
    match (&mut *base, input) {
        (Value::Object(base), Value::Object(input)) => {
            for (name, value) in input {
                let held = base
                    .keys()
                    .find(|held| held.eq_ignore_ascii_case(name))
                    .cloned();
                let inner = format!("{path}/{}", held.as_deref().unwrap_or(name));
                match held.and_then(|held| base.get_mut(&held)) {
                    Some(place) => overlay(&inner, place, value, strict)?,
                    // Clients send back what they were shown, annotations included.
                    None if strict && !name.contains('@') => {
                        let message =
                            format!("The property '{inner}' does not exist on type 'Referral'.");
                        return Err(Refusal::invalid("unknownProperty", message));
                    }
                    None => {}
                }
            }
            return Ok(());
        }
        // Old documents show `ids: {}` where a list belongs.
        (Value::Array(list), Value::Object(_)) => {
            list.clear();
            return Ok(());
        }
        // A null for a block leaves the block blank.
        (Value::Object(_) | Value::Array(_), Value::Null) => return Ok(()),
        (Value::Object(_), _) => return wrong("an object"),
        (Value::Array(_), input) if !input.is_array() => return wrong("a list"),
        (Value::Bool(_), Value::String(text)) if text.parse::<bool>().is_ok() => {
            *base = json!(text.parse::<bool>().unwrap_or_default());
            return Ok(());
        }
        (Value::Bool(_), input) if !input.is_boolean() && !input.is_null() => {
            return wrong("true or false");
        }
        // Amounts may come as text; whether it is a number is looked at later.
        (Value::Number(_), Value::Bool(_) | Value::Array(_) | Value::Object(_)) => {
            return wrong("a number");
        }
        (Value::String(_), input) if !input.is_string() && !input.is_null() => {
            return wrong("text");
        }
        (Value::Null, input) => {
            let name = path.rsplit('/').next().unwrap_or_default();
            let listed = NOT_TEXT.iter().find(|(listed, _)| *listed == name);
            match (listed, input) {
                (_, Value::Null | Value::String(_)) => {}
                (Some((_, Type::Bool)), Value::Bool(_)) => {}
                (Some((_, Type::Number)), Value::Number(_)) => {}
                (Some((_, Type::Bool)), _) => return wrong("true or false"),
                (Some((_, Type::Number)), _) => return wrong("a number"),
                // A number binds to text, as a partner location id often does.
                (None, Value::Number(number)) => {
                    *base = json!(number.to_string());
                    return Ok(());
                }
                (None, _) => return wrong("text"),
            }
        }
        _ => {}
    }
    *base = input.clone();
    Ok(())
}

/// What a field without a value holds if it is not text.
enum Type {
    Bool,
    Number,
}

const NOT_TEXT: [(&str, Type); 5] = [
    ("consentToMicrosoftToContactSpecificPartners", Type::Bool),
    ("customerRequestedContact", Type::Bool),
    ("disableNotifications", Type::Bool),
    ("price", Type::Number),
    ("quantity", Type::Number),
];

fn mistyped(path: &str, expected: &str, value: &Value) -> Refusal {
    Refusal::invalid(
        "invalidValue",
        format!("The value of '{path}' is not {expected}: {value}"),
    )
}

/// The value of a path in the type it has on the server: numbers may come as text, members get every key.
pub(crate) fn coerce(path: &str, value: &Value) -> Result<Value, Refusal> {
    let wrong = |expected: &str| mistyped(path, expected, value);
    match path {
        "/details/dealValue" => match value {
            Value::Number(_) => Ok(value.clone()),
            Value::String(text) => {
                let number: Decimal = text.trim().parse().map_err(|_| wrong("a number"))?;
                serde_json::from_str(&number.normalize().to_string()).map_err(|_| wrong("a number"))
            }
            Value::Null => Ok(json!(0)),
            _ => Err(wrong("a number")),
        },
        "/details/closingDateTime" => match value {
            Value::Null => Ok(Value::Null),
            Value::String(text) => match (
                text.parse::<jiff::Timestamp>(),
                text.parse::<jiff::civil::Date>(),
            ) {
                (Ok(time), _) => Ok(json!(crate::clock::fraction(time))),
                (_, Ok(date)) => Ok(json!(format!("{date}T00:00:00Z"))),
                _ => Err(wrong("a date and time")),
            },
            _ => Err(wrong("a date and time")),
        },
        "/consent/consentToShareReferralWithMicrosoftSellers" => match value {
            Value::Bool(_) => Ok(value.clone()),
            Value::String(text) if text.eq_ignore_ascii_case("true") => Ok(json!(true)),
            Value::String(text) if text.eq_ignore_ascii_case("false") => Ok(json!(false)),
            Value::Null => Ok(json!(false)),
            _ => Err(wrong("true or false")),
        },
        "/team" | "/customerProfile/team" | "/details/requirements/solutions" => match value {
            Value::Array(items) => items
                .iter()
                .map(|item| coerce(&format!("{path}/-"), item))
                .collect::<Result<_, _>>()
                .map(Value::Array),
            Value::Null => Ok(json!([])),
            _ => Err(wrong("a list")),
        },
        "/team/-" | "/customerProfile/team/-" | "/details/requirements/solutions/-" => {
            if !value.is_object() {
                return Err(wrong("an object"));
            }
            let mut whole = if path.starts_with("/details") {
                blank_solution()
            } else {
                blank_member()
            };
            overlay(path, &mut whole, value, false)?;
            if path.starts_with("/details") && whole["id"].as_str().is_none_or(str::is_empty) {
                return Err(Refusal::invalid(
                    "solutionIdRequired",
                    "Solution ID is required.",
                ));
            }
            Ok(whole)
        }
        _ => match value {
            Value::Null | Value::String(_) => Ok(value.clone()),
            _ => Err(wrong("text")),
        },
    }
}
