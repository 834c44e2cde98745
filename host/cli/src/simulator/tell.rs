//! What the simulator answers, to people.
#![allow(clippy::print_stdout, reason = "the command line may")]

use cosell_simulator::DEEDS;
use serde_json::Value;

use crate::screen::{Table, short};

/// Longest name in a table.
const NAME_CHARS: usize = 40;

/// A field's text; numbers and the like as JSON has them.
pub(super) fn text(value: &Value, field: &str) -> String {
    match &value[field] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn or_none(value: &Value, field: &str) -> String {
    let text = text(value, field);
    if text.is_empty() {
        "–".to_owned()
    } else {
        text
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

pub(super) fn seeded(made: &Value) {
    let made = made.as_object().into_iter().flatten();
    let words: Vec<String> = made
        .map(|(what, count)| format!("{count} {what}"))
        .collect();
    println!("made {}", words.join(", "));
}

pub(super) fn deals(deals: &Value) {
    if list(deals).is_empty() {
        println!("no deals; `cosell simulator seed --referrals 5 --opportunities 5` makes some");
        return;
    }
    let mut table = Table::new(&[
        "deal",
        "value",
        "referral",
        "state",
        "microsoft",
        "row",
        "state",
    ]);
    for deal in list(deals) {
        table.row([
            short(&text(deal, "name"), NAME_CHARS),
            text(deal, "value"),
            or_none(deal, "referral"),
            or_none(deal, "referral_state"),
            or_none(deal, "microsoft_state"),
            match &deal["table"] {
                Value::String(table) => format!("{table} {}", text(deal, "row")),
                _ => "–".to_owned(),
            },
            or_none(deal, "row_state"),
        ]);
    }
    println!("{table}");
}

/// An act that was done, or what else control had to say, such as a new refresh token.
pub(super) fn act(answer: &Value) {
    if answer["what"].is_string() {
        println!(
            "{}: {} {}",
            text(answer, "who"),
            text(answer, "what"),
            text(answer, "record")
        );
    } else {
        for (name, value) in answer.as_object().into_iter().flatten() {
            println!(
                "{name}: {}",
                value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned)
            );
        }
    }
}

pub(super) fn ledger(entries: &Value) {
    if list(entries).is_empty() {
        println!("no writes");
        return;
    }
    let mut table = Table::new(&["no", "at", "write", "record", "precondition", "changed"]);
    for entry in list(entries) {
        let changed: Vec<&str> = list(&entry["changed"])
            .iter()
            .filter_map(Value::as_str)
            .collect();
        table.row([
            text(entry, "sequence"),
            text(entry, "service"),
            format!("{} {}", text(entry, "operation"), text(entry, "kind")),
            text(entry, "record"),
            or_none(entry, "precondition"),
            short(&changed.join(" "), 2 * NAME_CHARS),
        ]);
    }
    println!("{table}");
}

pub(super) fn audit(audit: &Value) {
    for (what, found) in audit.as_object().into_iter().flatten() {
        let found = list(found);
        let count = if found.is_empty() {
            "none".to_owned()
        } else {
            found.len().to_string()
        };
        println!("{}: {count}", what.replace('_', " "));
        for sentence in found.iter().filter_map(Value::as_str) {
            println!("  {sentence}");
        }
    }
}

/// Every deed, for the help.
pub(super) fn deeds() -> String {
    let mut text = String::from("What can be done:\n");
    for deed in DEEDS {
        let words = [deed.who, deed.verb]
            .into_iter()
            .chain(deed.targets.iter().copied());
        let words = words.chain((!deed.pairs.is_empty()).then_some(deed.pairs));
        text.push_str(&format!("  {}\n", words.collect::<Vec<_>>().join(" ")));
    }
    text.push_str(
        "\nExamples:
  cosell simulator act microsoft send co-sell --body deal.json     a referral arrives; also qualified-lead, marketplace-lead
  cosell simulator act partner accept 3f1c…                        `cosell simulator deals` shows the ids
  cosell simulator act microsoft accept 3f1c… msx_id=7-ABC
  cosell simulator act seller set opportunity 9d2e… estimatedvalue=12000
  cosell simulator act user sign-in ABCDEFGHJ user=cosell@contoso.example",
    );
    text
}
