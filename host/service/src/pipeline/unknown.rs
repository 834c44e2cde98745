//! Writes whose outcome nobody knows: what was sent is noted when their intent is closed, and a later look tells whether it stands there.
//!
//! Where it does, the write has happened, and the bases move as its end would have moved them (S6). Otherwise a value that somebody has changed on
//! the other side meanwhile would look as if both sides had changed it, and a person would be asked about an edit that nobody made.
//!
//! A look that does not find it proves nothing yet: the call may still be on its way. It was sent for one version of its record, so what decides
//! it is that the record has another.

use std::collections::BTreeSet;

use cosell_store::Intent;
use cosell_sync::deal::{Unit, UnitValue};
use cosell_sync::merge::{Carry, same};
use cosell_sync::side::Side;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::act::is_closed;
use super::look::Sight;
use super::read::Reading;
use super::run::Run;
use crate::link::{Notes, decode, decode_units, encode};

/// What a write of unknown outcome was to make of a unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// The unit, as text.
    pub unit: String,
    /// The side that was written to.
    pub to: String,
    /// What was to stand there.
    pub value: String,
    /// What the other side showed; none when it is not in step with this write alone.
    pub source: Option<String>,
    /// Of a list that both sides had edited: what the other side had shown when last in step.
    #[serde(default)]
    pub before: Option<String>,
    /// The version of the record that alone the write is for; none of a new row, which is there or is not.
    #[serde(default)]
    pub etag: Option<String>,
}

/// For the intent of a write: what it settles.
pub(super) fn sent(settles: &[Carry]) -> Value {
    let one = |carry: &Carry| Sent {
        unit: carry.unit.as_text(),
        to: carry.to.as_str().to_owned(),
        value: encode(&carry.value),
        source: (!carry.is_step()).then(|| encode(&carry.source)),
        before: carry.before.as_ref().map(encode),
        etag: None,
    };
    json!(settles.iter().map(one).collect::<Vec<_>>())
}

/// Keeps what an intent says about that, when it is closed without an answer.
pub(super) fn note(run: &mut Run<'_>, intent: &Intent) {
    let detail: Value = serde_json::from_str(&intent.detail).unwrap_or_default();
    let sent: Vec<Sent> = serde_json::from_value(detail["sent"].clone()).unwrap_or_default();
    let updates = sent.into_iter().map(|sent| Sent {
        etag: intent.precondition.clone(),
        ..sent
    });
    // A new row: all that it was made of, but for what follows in writes of its own.
    let made = decode_units(&detail["units"]);
    let made = made
        .into_iter()
        .filter(|(unit, _)| !matches!(unit, Unit::ExternalReference | Unit::Solutions))
        .map(|(unit, value)| Sent {
            unit: unit.as_text(),
            to: Side::Crm.as_str().to_owned(),
            value: encode(&value),
            source: Some(encode(&value)),
            before: None,
            etag: None,
        });
    for sent in updates.chain(made) {
        if !run.notes.under_way.contains(&sent) {
            run.notes.under_way.push(sent);
        }
    }
}

/// A write has been made: others for the same version of the record come too late from now on.
pub(super) fn overtaken(notes: &mut Notes, intent: &Intent) {
    if intent.precondition.is_some() {
        notes
            .under_way
            .retain(|sent| sent.etag != intent.precondition);
    }
}

/// Both sides are there and read: what was sent and stands there has arrived. What does not stand there has not, and never will once its record
/// has another version.
pub(super) fn take_up(run: &mut Run<'_>, sight: &Sight, reading: &Reading) {
    let mut decided = BTreeSet::new();
    for sent in std::mem::take(&mut run.notes.under_way) {
        let (Some(unit), Some(to)) = (Unit::parse(&sent.unit), Side::parse(&sent.to)) else {
            continue;
        };
        let (shown, version) = match to {
            Side::PartnerCenter => (
                reading.partner_center.get(&unit),
                sight.own.as_ref().map(|own| &own.etag),
            ),
            Side::Crm => (
                reading.crm.units.get(&unit),
                sight.row.as_ref().map(|row| &row.version.etag),
            ),
        };
        let (Some(value), Some(shown)) = (decode(&unit, &sent.value), shown) else {
            continue;
        };
        if decided.contains(&unit) {
            continue;
        }
        if same(&value, shown) {
            let shown = shown.clone();
            arrived(run, &unit, to, &shown, &sent);
            decided.insert(unit);
        } else if sent.etag.is_some() && sent.etag.as_ref() == version {
            run.notes.under_way.push(sent);
        } else if sent.etag.is_none() && is_closed(shown) && !is_closed(&value) {
            // Every row is born open: somebody has closed it since, and is not asked who is right.
            run.remember(&unit, to, &value, "");
            run.remember(&unit, to.other(), &value, "");
            decided.insert(unit);
        }
    }
}

fn arrived(run: &mut Run<'_>, unit: &Unit, to: Side, shown: &UnitValue, sent: &Sent) {
    let raw = run.raw_of(to);
    let value = |text: &Option<String>| text.as_ref().and_then(|text| decode(unit, text));
    // The record that showed it is not kept: by now it may show something else.
    match (value(&sent.source), value(&sent.before)) {
        (Some(source), Some(before)) => {
            run.carried(unit, (&before, &source), (to, shown, &raw), "");
        }
        (source, _) => {
            run.remember(unit, to, shown, &raw);
            if let Some(source) = source {
                run.remember(unit, to.other(), &source, "");
            }
        }
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
