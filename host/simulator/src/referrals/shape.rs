//! The shape of a referral: every field with its null or default form, what input may set, and how it leaves.

use std::sync::LazyLock;

use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::{COLLECTION, Refusal};
use crate::assumptions::Assumptions;
use crate::html::escape;

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

/// A blank referral with `input` laid over it. Names bind without regard to case; unknown names are ignored.
pub(crate) fn fill(input: &Map<String, Value>) -> Result<Value, Refusal> {
    let mut referral = blank();
    let mut allowed = input.clone();
    allowed.retain(|name, _| {
        !SERVER_OWNED
            .iter()
            .any(|owned| owned.eq_ignore_ascii_case(name))
    });
    overlay(&mut referral, &Value::Object(allowed));
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

/// Lays `input` over `base`, binding names without regard to case and dropping names that `base` does not have.
fn overlay(base: &mut Value, input: &Value) {
    match (base, input) {
        (Value::Object(base), Value::Object(input)) => {
            for (name, value) in input {
                let held = base
                    .keys()
                    .find(|held| held.eq_ignore_ascii_case(name))
                    .cloned();
                if let Some(place) = held.and_then(|held| base.get_mut(&held)) {
                    overlay(place, value);
                }
            }
        }
        // Old documents show `ids: {}` where a list belongs.
        (Value::Array(list), Value::Object(_)) => list.clear(),
        // A null for a block leaves the block blank.
        (Value::Object(_) | Value::Array(_), Value::Null) => {}
        (base, input) => *base = input.clone(),
    }
}

/// The value of a path in the type it has on the server: numbers may come as text, members get every key.
pub(crate) fn coerce(path: &str, value: &Value) -> Result<Value, Refusal> {
    let wrong = |expected: &str| {
        Refusal::invalid(
            "invalidValue",
            format!("The value of '{path}' is not {expected}: {value}"),
        )
    };
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
            overlay(&mut whole, value);
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

/// The referral as it leaves: links added, the customer's name escaped.
pub(crate) fn outward(referral: &Value, assumptions: &Assumptions, origin: &str) -> Value {
    let mut out = referral.clone();
    if assumptions.escape_customer_names
        && let Some(name) = out.pointer_mut("/customerProfile/name")
        && let Some(text) = name.as_str()
    {
        *name = Value::String(escape(text));
    }
    let engagement = referral["engagementId"].as_str().unwrap_or_default();
    let quote = if assumptions.unquoted_related_link {
        ""
    } else {
        "'"
    };
    out["links"]["relatedReferrals"]["uri"] = json!(format!(
        "{origin}{COLLECTION}?$filter=engagementId eq {quote}{engagement}{quote}"
    ));
    out["links"]["self"]["uri"] = json!(format!(
        "{origin}{COLLECTION}/{}",
        referral["id"].as_str().unwrap_or_default()
    ));
    out
}
