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
    /// Units whose write to the CRM takes several calls and has begun (S11): until it is done, what the CRM shows is our own half.
    pub underway: BTreeSet<String>,
    /// Since when the deal is waited for to be complete, milliseconds (S20).
    pub incomplete_since: Option<i64>,
    /// Where Microsoft's own referral stood when we last told the CRM.
    pub microsoft: Option<String>,
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
    fn notes_of_a_newer_host_are_no_reason_to_stop() {
        assert_eq!(Notes::parse("not json"), Notes::default());
        let notes = Notes {
            microsoft: Some("Accepted".into()),
            ..Notes::default()
        };
        assert_eq!(Notes::parse(&notes.to_text()), notes);
    }
}
