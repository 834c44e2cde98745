//! The merge: what both sides show, what they showed when they were last in step, and so what shall be carried where (S3–S7, S9, S10).
//!
//! [`plan`] is a function of its argument. It plans per unit and never compares clocks.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::ability::{Ability, Barrier, Phase, ability, may, step_towards};
use crate::deal::{Unit, UnitValue, Units};
use crate::element::{merge_lists, same_lead};
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

/// What a person has answered to a question about a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// What this side shows goes across.
    Take(Side),
    /// Both stay as they are, and are in step from now on.
    Keep,
}

impl Answer {
    /// The spelling of the choices on a card: `partner-center`, `crm`, `keep`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Take(side) => side.as_str(),
            Self::Keep => "keep",
        }
    }

    /// Reads what [`Answer::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "keep" => Some(Self::Keep),
            other => Side::parse(other).map(Self::Take),
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
    /// What people have answered to questions about exactly these values.
    pub answers: &'a BTreeMap<Unit, Answer>,
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
    /// Both have edited the list, each other elements of it: nothing is lost (S11).
    Merged,
    /// Both have changed, and the policy decides. What stood on the losing side goes into the audit (S10).
    Conflict,
    /// A person has answered the card.
    Answered,
}

/// A value that goes to one side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carry {
    /// Which unit.
    pub unit: Unit,
    /// To where.
    pub to: Side,
    /// What shall stand there. A list is the receiver's own with the other side's edits in it (S11).
    pub value: UnitValue,
    /// What the other side shows: its base once this is written.
    pub source: UnitValue,
    /// Of a list that both sides have edited: what the other side showed when last in step. Once this is written, both bases have what it has
    /// done since, and what the receiver has done is still to be carried ([`carried`](crate::element::carried)).
    pub before: Option<UnitValue>,
    /// What stands there now.
    pub was: UnitValue,
    /// Why.
    pub why: Why,
}

impl Carry {
    /// A step on the way to what the other side shows: that side's base stays, because the rest is still to be carried.
    #[must_use]
    pub fn is_step(&self) -> bool {
        matches!((&self.value, &self.source), (UnitValue::State(to), UnitValue::State(from)) if !to.standing.is_closed() && from.standing.is_closed())
    }
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
    /// Units that are in step as they are while a base says otherwise: both bases move to what each side shows.
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

/// Which side each unit that still differs was first seen to change on (S10): what `before` says, and what this plan has found. A unit that is in
/// step is forgotten; one that waits, that is asked about, or whose write met a colleague's is not, or the next plan would no longer know who was
/// first.
#[must_use]
pub fn noticed(before: &BTreeMap<Unit, Side>, plan: &Plan) -> BTreeMap<Unit, Side> {
    let differing = |unit: &Unit| {
        plan.carries.iter().any(|carry| carry.unit == *unit)
            || plan.questions.iter().any(|question| question.unit == *unit)
            || plan.explained.iter().any(|one| one.unit == *unit)
    };
    let kept = before.iter().filter(|(unit, _)| differing(unit));
    let found = plan
        .carries
        .iter()
        .filter(|carry| carry.why == Why::Edited)
        .map(|carry| (carry.unit.clone(), carry.to.other()));
    kept.map(|(unit, side)| (unit.clone(), *side))
        .chain(found)
        .collect()
}

fn plan_unit(look: Look<'_>, unit: &Unit, shown: Sides<&UnitValue>, plan: &mut Plan) {
    let unknown = Sides::default();
    let bases = look.bases.get(unit).unwrap_or(&unknown);
    let known = Sides {
        partner_center: bases.partner_center.as_ref(),
        crm: bases.crm.as_ref(),
    };

    let both_known = Side::BOTH.into_iter().all(|side| known[side].is_some());
    let handed_over = both_known
        && !same_lead(shown.partner_center, shown.crm)
        && Side::BOTH
            .into_iter()
            .any(|side| known[side].is_some_and(|base| !same_lead(base, shown[side])));
    if !handed_over && alike(look.views, unit, shown) {
        if Side::BOTH
            .into_iter()
            .any(|side| known[side].is_none_or(|base| !unchanged(base, shown[side])))
        {
            plan.remember.insert(unit.clone());
        }
        return;
    }
    let at = Meeting { look, unit, shown };
    let answer = look.answers.get(unit).copied();
    let (Some(base_pc), Some(base_crm)) = (known.partner_center, known.crm) else {
        return first_meeting(at, answer, plan);
    };
    let known = Sides {
        partner_center: base_pc,
        crm: base_crm,
    };
    match (
        !unchanged(base_pc, shown.partner_center),
        !unchanged(base_crm, shown.crm),
    ) {
        // A lossy column, or a difference that was explained before: nobody has touched it since.
        (false, false) => {}
        // S7: the edited text was only the beginning of the other side's; carrying it would drop the rest.
        (true, false) if is_cut(base_pc, base_crm) => asked(at, answer, false, plan),
        (false, true) if is_cut(base_crm, base_pc) => asked(at, answer, false, plan),
        (true, false) => at.carry_edits(known, Side::PartnerCenter, plan),
        (false, true) => at.carry_edits(known, Side::Crm, plan),
        (true, true) => conflict(at, known, answer, plan),
    }
}

/// A unit on which the two sides differ.
#[derive(Clone, Copy)]
struct Meeting<'a> {
    look: Look<'a>,
    unit: &'a Unit,
    shown: Sides<&'a UnitValue>,
}

impl Meeting<'_> {
    /// What `from` has changed goes across; of a list, its edits.
    fn carry_edits(self, bases: Sides<&UnitValue>, from: Side, plan: &mut Plan) {
        match merge_lists(bases, self.shown, Some(from)) {
            Some(merged) => self.carry_list(from.other(), &merged.lists, None, Why::Edited, plan),
            None => self.carry(from.other(), Why::Edited, plan),
        }
    }

    /// An edit that leaves the receiver's list as it is was made there already.
    fn carry_list(
        self,
        to: Side,
        lists: &Sides<UnitValue>,
        before: Option<&UnitValue>,
        why: Why,
        plan: &mut Plan,
    ) {
        if unchanged(&lists[to], self.shown[to]) {
            plan.remember.insert(self.unit.clone());
        } else {
            self.carry_value(to, lists[to].clone(), before.cloned(), why, plan);
        }
    }

    fn carry(self, to: Side, why: Why, plan: &mut Plan) {
        self.carry_value(to, self.shown[to.other()].clone(), None, why, plan);
    }

    fn carry_value(
        self,
        to: Side,
        value: UnitValue,
        before: Option<UnitValue>,
        why: Why,
        plan: &mut Plan,
    ) {
        let (unit, was) = (self.unit.clone(), self.shown[to].clone());
        let value = step_towards(to, &was, value);
        match may(&unit, to, self.look.views[to].phase, &was, &value) {
            Ok(()) => plan.carries.push(Carry {
                unit,
                to,
                value,
                source: self.shown[to.other()].clone(),
                before,
                was,
                why,
            }),
            Err(barrier) => plan.explained.push(Explained {
                unit,
                on: to,
                stays: was,
                wanted: value,
                barrier,
            }),
        }
    }

    fn is_barred(self, to: Side) -> Option<Barrier> {
        let phase = self.look.views[to].phase;
        let value = step_towards(to, self.shown[to], self.shown[to.other()].clone());
        may(self.unit, to, phase, self.shown[to], &value).err()
    }
}

/// S10: both sides have changed it, each its own way. Of a list, only elements that both have edited are in conflict.
fn conflict(at: Meeting<'_>, bases: Sides<&UnitValue>, answer: Option<Answer>, plan: &mut Plan) {
    let policy = match at.look.policies.of(at.unit) {
        Policy::Wins(side) => Some(side),
        // The side that we saw change later wins; seen in one look, a person is asked.
        Policy::Newest => at.look.noticed.get(at.unit).map(|older| older.other()),
        Policy::Ask => None,
    };
    let winner = match answer {
        Some(Answer::Keep) => return asked(at, answer, false, plan),
        Some(Answer::Take(side)) => Some(side),
        None => policy,
    };
    let why = if answer.is_some() {
        Why::Answered
    } else {
        Why::Conflict
    };
    match (merge_lists(bases, at.shown, winner), winner) {
        (Some(merged), _) if !merged.clash => {
            let meets = merge_lists(bases, at.shown, None).is_some_and(|alone| alone.clash);
            let why = if meets { why } else { Why::Merged };
            for to in Side::BOTH {
                at.carry_list(to, &merged.lists, Some(bases[to.other()]), why, plan);
            }
            // One direction may be done already while the other is not: then the carry moves both bases.
            if plan.carries.iter().any(|carry| carry.unit == *at.unit) {
                plan.remember.remove(at.unit);
            }
        }
        (None, Some(side)) => at.carry(side.other(), why, plan),
        _ => asked(at, None, false, plan),
    }
}

/// S9: the unit was never in step.
fn first_meeting(at: Meeting<'_>, answer: Option<Answer>, plan: &mut Plan) {
    let (pc, crm) = (at.shown.partner_center, at.shown.crm);
    match (pc.is_empty(), crm.is_empty()) {
        (true, _) => at.carry(Side::PartnerCenter, Why::Filled, plan),
        (_, true) => at.carry(Side::Crm, Why::Filled, plan),
        // S7: one is the other as far as its column holds it.
        (false, false) if is_cut(pc, crm) || is_cut(crm, pc) => {
            plan.remember.insert(at.unit.clone());
        }
        (false, false) => match (at.look.policies.link, answer) {
            // What is never written on a side is decided there: nobody has to be asked (S3).
            _ if ability(at.unit, Side::Crm) == Ability::ReadOnly => {
                at.carry(Side::PartnerCenter, Why::Linked, plan);
            }
            (Policy::Wins(side), None) => at.carry(side.other(), Why::Linked, plan),
            _ => asked(at, answer, true, plan),
        },
    }
}

/// A question, or what a person has answered to it. One that nobody could act on is none: what can be written on neither side is
/// explained (S3).
fn asked(at: Meeting<'_>, answer: Option<Answer>, at_link: bool, plan: &mut Plan) {
    match answer {
        Some(Answer::Take(side)) => return at.carry(side.other(), Why::Answered, plan),
        Some(Answer::Keep) => {
            plan.remember.insert(at.unit.clone());
            return;
        }
        None => {}
    }
    if let (Some(barrier), Some(_)) = (at.is_barred(Side::Crm), at.is_barred(Side::PartnerCenter)) {
        plan.explained.push(Explained {
            unit: at.unit.clone(),
            on: Side::Crm,
            stays: at.shown.crm.clone(),
            wanted: at.shown.partner_center.clone(),
            barrier,
        });
        return;
    }
    plan.questions.push(Question {
        unit: at.unit.clone(),
        values: Sides {
            partner_center: at.shown.partner_center.clone(),
            crm: at.shown.crm.clone(),
        },
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

/// The same value, as a person would say it: line endings and the space around a text do not count, a list has no
/// order, and a standing without a reason agrees with the same standing and any reason.
#[must_use]
pub fn same(a: &UnitValue, b: &UnitValue) -> bool {
    if a == b {
        return true;
    }
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

/// A side still shows what it showed: the same value, and of people the same one first.
fn unchanged(base: &UnitValue, shown: &UnitValue) -> bool {
    same(base, shown) && same_lead(base, shown)
}

fn text(value: Option<&str>) -> impl Iterator<Item = char> + '_ {
    value
        .unwrap_or_default()
        .trim()
        .chars()
        .filter(|c| *c != '\r')
}

/// One that is there twice says no more than once.
fn same_set<T>(a: &[T], b: &[T], same: impl Fn(&T, &T) -> bool) -> bool {
    let within = |a: &[T], b: &[T]| a.iter().all(|x| b.iter().any(|y| same(x, y)));
    within(a, b) && within(b, a)
}
