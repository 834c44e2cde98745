//! The merge: what both sides show, what they showed when they were last in step, and so what shall be carried where (S3–S7, S9, S10).
//!
//! [`plan`] is a function of its argument. It plans per unit and never compares clocks.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::ability::{Barrier, Phase, may};
use crate::deal::{Unit, UnitValue, Units};
use crate::side::{Side, Sides};

/// What one side shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// What it says about the deal.
    pub units: Units,
    /// In which part of its life its record is.
    pub phase: Phase,
    /// The *other* side's units as this side would show them after a round trip through its own columns, where the caller
    /// has tried that (S7). A unit without an entry is taken to survive the trip unharmed.
    pub round_trip: Units,
}

/// What each side showed for a unit when both were last in step. `None`: unknown, the unit was never in step.
pub type Bases = BTreeMap<Unit, Sides<Option<UnitValue>>>;

/// Who wins when both sides have changed a unit (S10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// This side.
    Wins(Side),
    /// The edit that our bells saw later; seen in one look, a person is asked.
    Newest,
    /// A person is asked.
    Ask,
}

/// The operator's choice per unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policies {
    /// For units without an entry.
    pub conflict: Policy,
    /// Per unit.
    pub conflict_of: BTreeMap<Unit, Policy>,
    /// When the bases are unknown (S9). `Newest` means nothing there and asks.
    pub link: Policy,
}

impl Policies {
    fn of(&self, unit: &Unit) -> Policy {
        self.conflict_of.get(unit).copied().unwrap_or(self.conflict)
    }
}

impl Default for Policies {
    /// Every conflict is asked: nobody is overwritten by default.
    fn default() -> Self {
        Self {
            conflict: Policy::Ask,
            conflict_of: BTreeMap::new(),
            link: Policy::Ask,
        }
    }
}

/// What [`plan`] looks at.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// Both sides, as read now.
    pub views: &'a Sides<View>,
    /// What they showed when last in step.
    pub bases: &'a Bases,
    /// The operator's choices.
    pub policies: &'a Policies,
    /// Units that an earlier run found changed on one side and could not carry yet: which side it was.
    pub noticed: &'a BTreeMap<Unit, Side>,
}

/// Why a value is carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Only that side has changed.
    Edited,
    /// The bases are unknown and the other side was empty (S9).
    Filled,
    /// The bases are unknown, both sides hold something, and the link policy decides (S9).
    Linked,
    /// Both have changed, and the policy decides. What stood on the losing side goes into the audit (S10).
    Conflict,
}

/// A value that goes to one side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carry {
    /// Which unit.
    pub unit: Unit,
    /// To where.
    pub to: Side,
    /// What the other side shows.
    pub value: UnitValue,
    /// What stands there now.
    pub was: UnitValue,
    /// Why.
    pub why: Why,
}

/// A question for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Which unit.
    pub unit: Unit,
    /// What each side shows.
    pub values: Sides<UnitValue>,
    /// The bases are unknown: both were there before the link.
    pub at_link: bool,
}

/// A difference that stays, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// Which unit.
    pub unit: Unit,
    /// Where it cannot be written.
    pub on: Side,
    /// What stands there.
    pub stays: UnitValue,
    /// What the other side shows.
    pub wanted: UnitValue,
    /// Why not.
    pub barrier: Barrier,
}

/// What shall be done, unit by unit. Lists are in the order of the units.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Values to write.
    pub carries: Vec<Carry>,
    /// Units that both sides show alike while a base says otherwise: both bases move.
    pub remember: BTreeSet<Unit>,
    /// Questions for a person.
    pub questions: Vec<Question>,
    /// Differences that stay.
    pub explained: Vec<Explained>,
}

impl Plan {
    /// Nothing to write and nothing to remember.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.carries.is_empty() && self.remember.is_empty() && self.questions.is_empty()
    }

    /// What goes to `side`, as units.
    #[must_use]
    pub fn units_to(&self, side: Side) -> Units {
        self.carries
            .iter()
            .filter(|carry| carry.to == side)
            .map(|carry| (carry.unit.clone(), carry.value.clone()))
            .collect()
    }
}

/// Decides, for every unit about which both sides speak.
#[must_use]
pub fn plan(look: Look<'_>) -> Plan {
    let mut plan = Plan::default();
    // S4: a unit that is absent on a side is left alone there, whatever the other side says.
    for (unit, ours) in &look.views.partner_center.units {
        if let Some(theirs) = look.views.crm.units.get(unit) {
            plan_unit(
                look,
                unit,
                Sides {
                    partner_center: ours,
                    crm: theirs,
                },
                &mut plan,
            );
        }
    }
    plan
}

fn plan_unit(look: Look<'_>, unit: &Unit, shown: Sides<&UnitValue>, plan: &mut Plan) {
    let unknown = Sides::default();
    let bases = look.bases.get(unit).unwrap_or(&unknown);
    let known = Sides {
        partner_center: bases.partner_center.as_ref(),
        crm: bases.crm.as_ref(),
    };

    if alike(look.views, unit, shown) {
        if Side::BOTH
            .into_iter()
            .any(|side| known[side].is_none_or(|base| !same(base, shown[side])))
        {
            plan.remember.insert(unit.clone());
        }
        return;
    }
    let (Some(base_pc), Some(base_crm)) = (known.partner_center, known.crm) else {
        return first_meeting(look, unit, shown, plan);
    };
    match (
        !same(base_pc, shown.partner_center),
        !same(base_crm, shown.crm),
    ) {
        // A lossy column, or a difference that was explained before: nobody has touched it since.
        (false, false) => {}
        // S7: the edited text was only the beginning of the other side's; carrying it would drop the rest.
        (true, false) if is_cut(base_pc, base_crm) => ask(look, unit, shown, false, plan),
        (false, true) if is_cut(base_crm, base_pc) => ask(look, unit, shown, false, plan),
        (true, false) => carry(look, unit, shown, Side::Crm, Why::Edited, plan),
        (false, true) => carry(look, unit, shown, Side::PartnerCenter, Why::Edited, plan),
        (true, true) => match look.policies.of(unit) {
            Policy::Wins(side) => carry(look, unit, shown, side.other(), Why::Conflict, plan),
            Policy::Newest => match look.noticed.get(unit) {
                Some(older) => carry(look, unit, shown, *older, Why::Conflict, plan),
                None => ask(look, unit, shown, false, plan),
            },
            Policy::Ask => ask(look, unit, shown, false, plan),
        },
    }
}

/// S9: the unit was never in step.
fn first_meeting(look: Look<'_>, unit: &Unit, shown: Sides<&UnitValue>, plan: &mut Plan) {
    match (shown.partner_center.is_empty(), shown.crm.is_empty()) {
        (true, _) => carry(look, unit, shown, Side::PartnerCenter, Why::Filled, plan),
        (_, true) => carry(look, unit, shown, Side::Crm, Why::Filled, plan),
        (false, false) => match look.policies.link {
            Policy::Wins(side) => carry(look, unit, shown, side.other(), Why::Linked, plan),
            Policy::Newest | Policy::Ask => ask(look, unit, shown, true, plan),
        },
    }
}

fn carry(
    look: Look<'_>,
    unit: &Unit,
    shown: Sides<&UnitValue>,
    to: Side,
    why: Why,
    plan: &mut Plan,
) {
    let (was, value) = (shown[to].clone(), shown[to.other()].clone());
    match may(unit, to, look.views[to].phase, &was, &value) {
        Ok(()) => plan.carries.push(Carry {
            unit: unit.clone(),
            to,
            value,
            was,
            why,
        }),
        Err(barrier) => plan.explained.push(Explained {
            unit: unit.clone(),
            on: to,
            stays: was,
            wanted: value,
            barrier,
        }),
    }
}

/// A question that nobody could act on is none: what can be written on neither side is explained (S3).
fn ask(look: Look<'_>, unit: &Unit, shown: Sides<&UnitValue>, at_link: bool, plan: &mut Plan) {
    let barrier =
        |to: Side| may(unit, to, look.views[to].phase, shown[to], shown[to.other()]).err();
    if let (Some(barrier), Some(_)) = (barrier(Side::Crm), barrier(Side::PartnerCenter)) {
        let (stays, wanted) = (shown.crm.clone(), shown.partner_center.clone());
        return plan.explained.push(Explained {
            unit: unit.clone(),
            on: Side::Crm,
            stays,
            wanted,
            barrier,
        });
    }
    let values = Sides {
        partner_center: shown.partner_center.clone(),
        crm: shown.crm.clone(),
    };
    plan.questions.push(Question {
        unit: unit.clone(),
        values,
        at_link,
    });
}

/// Whether one text is a copy of the other that lost its end on the way.
fn is_cut(copy: &UnitValue, original: &UnitValue) -> bool {
    match (copy, original) {
        (UnitValue::Text(Some(copy)), UnitValue::Text(Some(original))) => {
            let begun = copy.trim_end().trim_end_matches('…').trim_end();
            !begun.is_empty()
                && copy.len() < original.trim_end().len()
                && original.starts_with(begun)
        }
        _ => false,
    }
}

/// S7: equal, or equal after the receiver's own round trip.
fn alike(views: &Sides<View>, unit: &Unit, shown: Sides<&UnitValue>) -> bool {
    same(shown.partner_center, shown.crm)
        || Side::BOTH.into_iter().any(|side| {
            views[side]
                .round_trip
                .get(unit)
                .is_some_and(|trip| same(trip, shown[side]))
        })
}

/// The same value, as a person would say it: line endings and the space around a text do not count, a list of ids or solutions has no
/// order, and a standing without a reason agrees with the same standing and any reason.
#[must_use]
pub fn same(a: &UnitValue, b: &UnitValue) -> bool {
    match (a, b) {
        (UnitValue::Text(a), UnitValue::Text(b)) => text(a.as_deref()).eq(text(b.as_deref())),
        (UnitValue::State(a), UnitValue::State(b)) => {
            a.standing == b.standing
                && (a.reason.is_none() || b.reason.is_none() || a.reason == b.reason)
        }
        (UnitValue::Ids(a), UnitValue::Ids(b)) => same_set(a, b, |x, y| x == y),
        (UnitValue::People(a), UnitValue::People(b)) => same_set(a, b, crate::element::same_person),
        (UnitValue::Solutions(a), UnitValue::Solutions(b)) => {
            same_set(a, b, crate::element::same_solution)
        }
        (UnitValue::Address(a), UnitValue::Address(b)) => crate::element::same_address(a, b),
        (a, b) => a == b,
    }
}

fn text(value: Option<&str>) -> impl Iterator<Item = char> + '_ {
    value
        .unwrap_or_default()
        .trim()
        .chars()
        .filter(|c| *c != '\r')
}

fn same_set<T>(a: &[T], b: &[T], same: impl Fn(&T, &T) -> bool) -> bool {
    a.len() == b.len() && a.iter().all(|x| b.iter().any(|y| same(x, y)))
}
