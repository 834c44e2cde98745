//! A lane's memory as the run uses it, and as the store keeps it.
//!
//! The store passes JSON text through; here it becomes bases per unit, the raw records behind them, and what was told already.

use std::collections::{BTreeMap, BTreeSet};

use cosell_store::{Base, LinkState};
use cosell_sync::deal::{Unit, UnitValue, Units};
use cosell_sync::merge::Bases;
use cosell_sync::side::Side;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::pipeline::Sent;

/// What a deal's link remembers beside the bases.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Notes {
    /// Differences that were explained already, by [`fingerprint`]: told once.
    pub told: BTreeSet<String>,
    /// Units that one side has changed and that could not be carried yet: which side we saw first (S10).
    pub noticed: BTreeMap<String, String>,
    /// Child rows that the host itself has created, and so may delete (S11).
    pub made: BTreeSet<String>,
    /// Writes of unknown outcome whose record was not found: when we first looked, milliseconds. Absent twice, so long apart, is absent (S14).
    pub missing: BTreeMap<String, i64>,
    /// Lists whose write to the CRM takes several calls and has begun (S11), with what they are to be: until it is done, what the CRM shows of
    /// that is our own half.
    pub halves: BTreeMap<String, String>,
    /// What was sent by writes whose outcome nobody knows, while they may still arrive: a later look tells whether it stands there.
    pub under_way: Vec<Sent>,
    /// Since when the deal is waited for to be complete, milliseconds (S20).
    pub incomplete_since: Option<i64>,
    /// Where Microsoft's own referral stood when we last told the CRM.
    pub microsoft: Option<String>,
    /// Records of earlier generations: they were gone, or closed for good, and are not looked at any more (S18, S19).
    pub left: BTreeSet<String>,
    /// A person has taken the two records apart; the sentence says who and why.
    pub apart: Option<String>,
    /// Sync was switched off when we last looked (S21).
    pub paused: bool,
    /// Units whose difference did not come from an edit: sync was switched on again (S21), or the mapping has changed (S8). What cannot be
    /// taken back of them is confirmed by a person.
    pub unedited: BTreeSet<String>,
    /// Units of which both sides spoke when we last looked, and that were not in step yet: they are not newly mapped when the mapping changes
    /// before they are (S8, S9).
    pub unmet: BTreeSet<String>,
    /// The deal's name, while it has never been in step.
    pub name: Option<String>,
    /// Mapping deltas that wait for the next edit of the deal (S8).
    pub deltas: BTreeSet<String>,
    /// The deal goes on in another row of the CRM, and the bases of that side are still those of the row before (S17).
    pub moved: bool,
    /// What our own writes look like from outside (S27).
    pub swing: Swing,
}

/// Our own rhythm on each side, to tell a deal that swings from one that people work on (S27).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Swing {
    /// When we wrote, by side.
    pub writes: BTreeMap<String, Vec<i64>>,
    /// Values that we carried lately, by side, unit and [`fingerprint`]: a value that comes back is no edit.
    pub carried: BTreeMap<String, i64>,
    /// When somebody else last changed anything that was carried to this side.
    pub outside: BTreeMap<String, i64>,
}

impl Swing {
    /// Notes a write to `side` that carries these values (unit and text); none at all is one that only dresses.
    pub fn note<'a>(&mut self, side: Side, carried: impl IntoIterator<Item = &'a str>, now: i64) {
        let since = now - cosell_sync::brake::SWING_WINDOW_MS;
        self.carried.retain(|_, at| *at > since);
        let side = side.as_str();
        for value in carried {
            let is_new = self
                .carried
                .insert(fingerprint(&format!("{side}|{value}")), now)
                .is_none();
            if is_new {
                self.outside.insert(side.to_owned(), now);
            }
        }
        let writes = self.writes.entry(side.to_owned()).or_default();
        writes.retain(|at| *at > since);
        writes.push(now);
    }

    /// Whether the deal swings on this side.
    #[must_use]
    pub fn is_swinging(&self, side: Side, now: i64) -> bool {
        let outside = self.outside.get(side.as_str()).copied().unwrap_or_default();
        let writes = self.writes.get(side.as_str()).into_iter().flatten();
        cosell_sync::brake::oscillates(writes.copied(), outside, now)
    }
}

impl Notes {
    /// Reads the store's text; an unreadable one (a newer host wrote it) is an empty one, which at worst tells something twice.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }

    /// The text for the store.
    #[must_use]
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).expect("strings and maps of strings are always JSON")
    }

    /// [`Notes::noticed`] in the words of the merge.
    #[must_use]
    pub fn noticed(&self) -> BTreeMap<Unit, Side> {
        self.noticed
            .iter()
            .filter_map(|(unit, side)| Some((Unit::parse(unit)?, Side::parse(side)?)))
            .collect()
    }
}

/// The bases of a link in the words of the merge. A base that cannot be read counts as unknown: then S9 decides, and nothing is
/// overwritten by mistake.
#[must_use]
pub fn bases(link: &LinkState) -> Bases {
    let mut bases = Bases::new();
    for base in &link.bases {
        let (Some(unit), Some(side)) = (Unit::parse(&base.unit), Side::parse(&base.side)) else {
            continue;
        };
        let value = base.value.as_deref().and_then(|text| decode(&unit, text));
        bases.entry(unit).or_default()[side] = value;
    }
    bases
}

/// A base for the store. `raw` is the hash of the raw record that the value was read from.
#[must_use]
pub fn base(unit: &Unit, side: Side, value: &UnitValue, raw: Option<&str>) -> Base {
    Base {
        unit: unit.as_text(),
        side: side.as_str().to_owned(),
        value: Some(encode(value)),
        raw: raw.map(str::to_owned),
    }
}

/// A value as JSON: pairs of path and text.
#[must_use]
pub fn encode(value: &UnitValue) -> String {
    serde_json::to_string(&value.to_parts()).expect("pairs of strings are always JSON")
}

/// Reads what [`encode`] wrote.
#[must_use]
pub fn decode(unit: &Unit, text: &str) -> Option<UnitValue> {
    let parts: Vec<(String, String)> = serde_json::from_str(text).ok()?;
    UnitValue::from_parts(unit, &parts).ok()
}

/// Units as one JSON object, for an intent's detail.
#[must_use]
pub fn encode_units(units: &Units) -> serde_json::Value {
    units
        .iter()
        .map(|(unit, value)| (unit.as_text(), serde_json::json!(value.to_parts())))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// Reads what [`encode_units`] wrote; what cannot be read is absent.
#[must_use]
pub fn decode_units(value: &serde_json::Value) -> Units {
    let object = value.as_object().into_iter().flatten();
    object
        .filter_map(|(unit, parts)| {
            let unit = Unit::parse(unit)?;
            let parts: Vec<(String, String)> = serde_json::from_value(parts.clone()).ok()?;
            let value = UnitValue::from_parts(&unit, &parts).ok()?;
            Some((unit, value))
        })
        .collect()
}

/// The name of a raw record, and of anything that is told once: SHA-256, hex.
#[must_use]
pub fn fingerprint(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use cosell_sync::side::Sides;

    use super::*;

    #[test]
    fn bases_come_back_from_the_store_and_unreadable_ones_are_unknown() {
        let value = UnitValue::Flag(true);
        let mut link = LinkState {
            bases: vec![base(&Unit::Visibility, Side::Crm, &value, None)],
            ..LinkState::default()
        };
        link.bases.push(Base {
            unit: "value".into(),
            side: "crm".into(),
            value: Some("[[\"amount\",\"x\"]]".into()),
            raw: None,
        });
        let bases = bases(&link);
        assert_eq!(
            bases[&Unit::Visibility],
            Sides {
                partner_center: None,
                crm: Some(value)
            }
        );
        assert_eq!(bases[&Unit::Value], Sides::default());
    }

    #[test]
    fn s27_a_value_that_comes_back_is_no_edit() {
        let mut swing = Swing::default();
        for (minute, value) in ["a", "b", "a", "b", "a", "b", "a", "b"].iter().enumerate() {
            assert!(
                !swing.is_swinging(Side::Crm, 60_000 * minute as i64),
                "{minute}"
            );
            swing.note(Side::Crm, [*value], 60_000 * minute as i64);
        }
        assert!(swing.is_swinging(Side::Crm, 60_000 * 8));
        assert!(!swing.is_swinging(Side::PartnerCenter, 60_000 * 8));
        swing.note(Side::Crm, ["a person's own word"], 60_000 * 8);
        assert!(!swing.is_swinging(Side::Crm, 60_000 * 8));
    }

    #[test]
    fn notes_of_a_newer_host_are_no_reason_to_stop() {
        assert_eq!(Notes::parse("not json"), Notes::default());
        let notes = Notes {
            microsoft: Some("Accepted".into()),
            ..Notes::default()
        };
        assert_eq!(Notes::parse(&notes.to_text()), notes);
    }
}
