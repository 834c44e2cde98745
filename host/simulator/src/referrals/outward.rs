//! How a referral leaves: what is kept, in the spelling that the world's assumptions give it.

use serde_json::{Value, json};

use super::COLLECTION;
use crate::assumptions::Readings;
use crate::html::escape;

/// Digits of a tick of 100 ns, in which Partner Center counts.
const FRACTION_DIGITS: usize = 7;
/// The connector's sales stages, and the percentages of the site. (partner-center 2.6)
const PERCENTAGES: [(&str, &str); 4] = [
    ("Qualify", "20"),
    ("Develop", "40"),
    ("Propose", "60"),
    ("Close", "80"),
];

/// The referral as it leaves: links added, the customer's name escaped.
pub(crate) fn outward(referral: &Value, assumptions: &Readings, origin: &str) -> Value {
    let mut out = referral.clone();
    if let Some(name) = out.pointer_mut("/customerProfile/name")
        && let Some(text) = name.as_str()
        && let escaped = escape(text)
        && escaped != text
        && assumptions.escape_customer_names()
    {
        *name = Value::String(escaped);
    }
    if let Some(stage) = out["salesStage"].as_str()
        && let Some((_, percentage)) = PERCENTAGES.iter().find(|(word, _)| *word == stage)
        && assumptions.sales_stages_are_percents()
    {
        out["salesStage"] = json!(percentage);
    }
    let address = &mut out["customerProfile"]["address"];
    if is_in_a_state(address) && assumptions.us_states_land_in_region() {
        address["region"] = address["state"].take();
    }
    let has_no_ids = out["customerProfile"]["ids"]
        .as_array()
        .is_some_and(Vec::is_empty);
    if has_no_ids && assumptions.empty_ids_are_an_object() {
        out["customerProfile"]["ids"] = json!({});
    }
    if assumptions.timestamps_have_seven_digits() {
        pad_moments(&mut out);
    }
    link(&mut out, assumptions, origin);
    if assumptions.empty_members_are_left_out() {
        leave_out_empty(&mut out);
    }
    if assumptions.answers_carry_new_members() {
        out["someDay"] = json!({"level": 1, "labels": ["new"]});
        out["details"]["someDay"] = json!("new");
    }
    out
}

fn link(out: &mut Value, assumptions: &Readings, origin: &str) {
    let engagement = out["engagementId"].as_str().unwrap_or_default();
    let quote = if assumptions.unquoted_related_link() {
        ""
    } else {
        "'"
    };
    let related =
        format!("{origin}{COLLECTION}?$filter=engagementId eq {quote}{engagement}{quote}");
    let id = out["id"].as_str().unwrap_or_default();
    let itself = format!("{origin}{COLLECTION}/{id}");
    out["links"]["relatedReferrals"]["uri"] = json!(related);
    out["links"]["self"]["uri"] = json!(itself);
}

/// Whether an address is American and names its state where that belongs.
fn is_in_a_state(address: &Value) -> bool {
    let american = address["country"]
        .as_str()
        .is_some_and(|country| country.eq_ignore_ascii_case("US"));
    american && address["state"].is_string() && address["region"].is_null()
}

/// Every moment, wherever it stands, with all of its digits.
fn pad_moments(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(pad_moments),
        Value::Object(members) => {
            for (name, held) in members {
                match held.as_str() {
                    Some(text) if name.ends_with("DateTime") => *held = json!(padded(text)),
                    _ => pad_moments(held),
                }
            }
        }
        _ => {}
    }
}

/// `…:30.5Z` as `…:30.5000000Z`. What does not end in `Z` is no moment of ours and stays.
pub(super) fn padded(moment: &str) -> String {
    let Some(text) = moment.strip_suffix('Z') else {
        return moment.to_owned();
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}.{fraction:0<FRACTION_DIGITS$}Z")
}

/// Members without a value and empty lists go; a block stays, even when nothing is left in it.
fn leave_out_empty(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(leave_out_empty),
        Value::Object(members) => {
            members.retain(|_, held| {
                !held.is_null() && held.as_array().is_none_or(|items| !items.is_empty())
            });
            members.values_mut().for_each(leave_out_empty);
        }
        _ => {}
    }
}
