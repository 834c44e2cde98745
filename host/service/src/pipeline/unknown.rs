//! Writes whose outcome nobody knows: what was sent is noted when their intent is closed, and the next look tells whether it stands there.
//!
//! Where it does, the write has happened, and the bases move as its end would have moved them (S6). Otherwise a value that somebody has changed on
//! the other side meanwhile would look as if both sides had changed it, and a person would be asked about an edit that nobody made.

use std::collections::BTreeMap;

use cosell_store::Intent;
use cosell_sync::deal::{Unit, UnitValue};
use cosell_sync::merge::same;
use cosell_sync::side::Side;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::read::Reading;
use super::run::Run;
use super::script::Settles;
use crate::link::{decode, decode_units, encode};

/// What a write of unknown outcome was to make of a unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// The side that was written to.
    pub to: String,
    /// What was to stand there.
    pub value: String,
    /// What the other side showed; none when it is not in step with this write alone.
    pub source: Option<String>,
}

/// For the intent of a write: what it settles.
pub(super) fn sent(settles: &[Settles]) -> Value {
    let one = |settled: &Settles| {
        let carry = &settled.carry;
        let sent = Sent {
            to: carry.to.as_str().to_owned(),
            value: encode(&carry.value),
            source: settled.moves_source.then(|| encode(&carry.source)),
        };
        (carry.unit.as_text(), sent)
    };
    json!(settles.iter().map(one).collect::<BTreeMap<_, _>>())
}

/// Keeps what an intent says about that, when it is closed without an answer.
pub(super) fn note(run: &mut Run<'_>, intent: &Intent) {
    let detail: Value = serde_json::from_str(&intent.detail).unwrap_or_default();
    let sent: BTreeMap<String, Sent> =
        serde_json::from_value(detail["sent"].clone()).unwrap_or_default();
    run.notes.sent.extend(sent);
    // A new row: all that it was made of, but for what follows in writes of its own.
    for (unit, value) in decode_units(&detail["units"]) {
        let later = matches!(unit, Unit::ExternalReference | Unit::Solutions);
        if !later {
            let value = encode(&value);
            let source = Some(value.clone());
            let to = Side::Crm.as_str().to_owned();
            run.notes
                .sent
                .insert(unit.as_text(), Sent { to, value, source });
        }
    }
}

/// Both sides are there and read: what was sent and stands there has arrived, and what does not stand there has not.
pub(super) fn take_up(run: &mut Run<'_>, reading: &Reading) {
    for (unit, sent) in std::mem::take(&mut run.notes.sent) {
        let (Some(unit), Some(to)) = (Unit::parse(&unit), Side::parse(&sent.to)) else {
            continue;
        };
        let shown = match to {
            Side::PartnerCenter => reading.partner_center.get(&unit),
            Side::Crm => reading.crm.units.get(&unit),
        };
        let (Some(value), Some(shown)) = (decode(&unit, &sent.value), shown) else {
            continue;
        };
        if same(&value, shown) {
            arrived(run, &unit, to, shown, sent.source.as_deref());
        }
    }
}

fn arrived(run: &mut Run<'_>, unit: &Unit, to: Side, shown: &UnitValue, source: Option<&str>) {
    let raw = run.raw_of(to);
    run.remember(unit, to, shown, &raw);
    if let Some(source) = source.and_then(|source| decode(unit, source)) {
        // The record that showed it is not kept: by now it may show something else.
        run.remember(unit, to.other(), &source, "");
    }
    // What was empty and is empty is no news.
    if shown.is_empty() {
        return;
    }
    run.tell(
        "write",
        format!(
            "{unit} in {to}: {} (found there after a write that was not answered)",
            shown.in_words()
        ),
        &json!({ "unit": unit.as_text(), "to": to.as_str(), "after": shown.to_parts(), "rule": "S6" }),
    );
}
