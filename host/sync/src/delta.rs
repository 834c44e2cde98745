//! S8: the mapping has changed, and nobody has edited anything. Bases are read again from the raw records behind them; what then
//! differs is a *mapping delta*: shown, and applied only as ordered.

use alloc::vec::Vec;

use crate::deal::{Unit, UnitValue, Units};
use crate::merge::{Bases, same};
use crate::side::{Side, Sides};

/// What becomes of deals that were linked under the mapping before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// They stay as they are; the new mapping counts for edits from now on, and for new deals.
    NewDealsOnly,
    /// With the next edit of the deal, on either side.
    AtNextEdit,
    /// At once.
    All,
}

impl Order {
    /// The spelling in configurations.
    pub const WORDS: [(&'static str, Self); 3] = [
        ("new-deals-only", Self::NewDealsOnly),
        ("at-next-edit", Self::AtNextEdit),
        ("all", Self::All),
    ];
}

/// A unit that the new mapping reads differently from the very same records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delta {
    /// Which unit.
    pub unit: Unit,
    /// On which side.
    pub side: Side,
    /// What the base said; None: the unit was not mapped.
    pub was: Option<UnitValue>,
    /// What the new mapping reads.
    pub now: UnitValue,
}

/// Moves the bases to what the new mapping reads from the records behind them, and says what differs. `read` holds the units of each side
/// as read again; a unit about which nobody speaks any more keeps its base, and is absent from now on (S4).
#[must_use]
pub fn deltas(bases: &mut Bases, read: &Sides<Units>) -> Vec<Delta> {
    let mut deltas = Vec::new();
    for side in Side::BOTH {
        for (unit, now) in &read[side] {
            // Mapped on one side only: there is nothing to be in step with.
            let both = Side::BOTH
                .into_iter()
                .all(|side| read[side].contains_key(unit));
            let base = bases.get(unit).and_then(|sides| sides[side].as_ref());
            if !both || base.is_some_and(|base| same(base, now)) {
                continue;
            }
            deltas.push(Delta {
                unit: unit.clone(),
                side,
                was: base.cloned(),
                now: now.clone(),
            });
            bases.entry(unit.clone()).or_default()[side] = Some(now.clone());
        }
    }
    deltas
}

/// Applies deltas: the units count as newly mapped, so that the empty side is filled and the link policy decides the rest (S9).
pub fn apply<'a>(bases: &mut Bases, units: impl IntoIterator<Item = &'a Unit>) {
    for unit in units {
        bases.remove(unit);
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    fn text(value: &str) -> UnitValue {
        UnitValue::Text(Some(value.to_string()))
    }

    fn sides(value: &UnitValue) -> Sides<Option<UnitValue>> {
        Sides {
            partner_center: Some(value.clone()),
            crm: Some(value.clone()),
        }
    }

    #[test]
    fn s8_what_the_new_mapping_reads_differently_is_a_delta_and_no_edit() {
        let old = text("old column");
        let mut bases = Bases::from([(Unit::Notes, sides(&old)), (Unit::Name, sides(&old))]);
        let read = Sides {
            partner_center: Units::from([(Unit::Notes, old.clone()), (Unit::Name, old.clone())]),
            crm: Units::from([(Unit::Notes, text("new column")), (Unit::Name, old.clone())]),
        };
        let found = deltas(&mut bases, &read);
        assert_eq!(
            found,
            [Delta {
                unit: Unit::Notes,
                side: Side::Crm,
                was: Some(old),
                now: text("new column")
            }]
        );
        assert_eq!(bases[&Unit::Notes].crm, Some(text("new column")));
        assert_eq!(deltas(&mut bases, &read), [], "a delta is found once");
    }

    #[test]
    fn s8_a_newly_mapped_unit_is_known_as_it_stands_and_an_unmapped_one_keeps_its_base() {
        let old = text("spring");
        let mut bases = Bases::from([(Unit::Notes, sides(&old))]);
        let read = Sides {
            partner_center: Units::from([
                (Unit::Campaign, old.clone()),
                (Unit::Notes, old.clone()),
            ]),
            crm: Units::from([(Unit::Campaign, text("autumn"))]),
        };
        assert_eq!(deltas(&mut bases, &read).len(), 2);
        assert_eq!(bases[&Unit::Campaign].crm, Some(text("autumn")));
        assert_eq!(bases[&Unit::Notes], sides(&old));
        apply(&mut bases, [&Unit::Campaign]);
        assert!(
            !bases.contains_key(&Unit::Campaign),
            "ordered: the link policy decides"
        );
    }
}
