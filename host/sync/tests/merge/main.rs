//! The merge as a whole: two sides that people edit at will, runs in between, and what must hold whatever happens.
#![allow(missing_docs, reason = "tests are read by their names")]

use std::collections::BTreeMap;

use cosell_sync::ability::Phase;
use cosell_sync::deal::{DealState, Decimal, Money, Solution, Standing, Unit, UnitValue, Units};
use cosell_sync::merge::{Answer, Bases, Look, Plan, Policies, Policy, View, Why, plan, same};
use cosell_sync::side::{Side, Sides};
use proptest::prelude::*;

/// Two records, what we remember of them, and the writes we have made.
#[derive(Debug, Clone)]
struct World {
    units: Sides<Units>,
    bases: Bases,
    policies: Policies,
    noticed: BTreeMap<Unit, Side>,
    answers: BTreeMap<Unit, Answer>,
    /// The CRM cuts texts to so many characters: a lossy column.
    crm_text_max: usize,
    writes: usize,
}

impl World {
    fn new(units: Units) -> Self {
        let bases = units
            .iter()
            .map(|(unit, value)| {
                (
                    unit.clone(),
                    Sides {
                        partner_center: Some(value.clone()),
                        crm: Some(value.clone()),
                    },
                )
            })
            .collect();
        Self {
            units: Sides {
                partner_center: units.clone(),
                crm: units,
            },
            bases,
            policies: Policies {
                conflict: Policy::Wins(Side::Crm),
                link: Policy::Wins(Side::PartnerCenter),
                ..Policies::default()
            },
            noticed: BTreeMap::new(),
            answers: BTreeMap::new(),
            crm_text_max: 1000,
            writes: 0,
        }
    }

    fn phase(&self, side: Side) -> Phase {
        match self.units[side].get(&Unit::State) {
            Some(UnitValue::State(state)) if state.standing.is_closed() => Phase::Closed,
            _ => Phase::Open,
        }
    }

    /// What `side` shows after `value` was written to it.
    fn stored(&self, side: Side, value: &UnitValue) -> UnitValue {
        match value {
            UnitValue::Text(Some(text)) if side == Side::Crm => {
                UnitValue::Text(Some(text.chars().take(self.crm_text_max).collect()))
            }
            other => other.clone(),
        }
    }

    fn plan(&self) -> Plan {
        let views = Sides::of(|side| View {
            units: self.units[side].clone(),
            phase: self.phase(side),
            round_trip: self.units[side.other()]
                .iter()
                .map(|(unit, value)| (unit.clone(), self.stored(side, value)))
                .collect(),
        });
        plan(Look {
            views: &views,
            bases: &self.bases,
            policies: &self.policies,
            noticed: &self.noticed,
            answers: &self.answers,
        })
    }

    /// One run: every carry is written, and bases move as S6 says. The closing state goes last, as S16 says.
    fn run(&mut self) -> Plan {
        let plan = self.plan();
        let mut carries = plan.carries.clone();
        carries.sort_by_key(|carry| carry.unit == Unit::State);
        for carry in carries {
            let frozen = self.phase(carry.to) == Phase::Closed;
            assert!(!frozen, "a frozen record was written: {carry:?}");
            let stored = self.stored(carry.to, &carry.value);
            self.units[carry.to].insert(carry.unit.clone(), stored.clone());
            let base = self.bases.entry(carry.unit.clone()).or_default();
            base[carry.to] = Some(stored);
            // A list may travel both ways in one plan; then each side's base is what it shows after its own write.
            let both_ways = plan
                .carries
                .iter()
                .any(|other| other.unit == carry.unit && other.to != carry.to);
            if !both_ways && !carry.is_step() {
                base[carry.to.other()] = Some(carry.source.clone());
            }
            self.writes += 1;
        }
        for unit in &plan.remember {
            let shown = Sides::of(|side| self.units[side].get(unit).cloned());
            self.bases.insert(unit.clone(), shown);
        }
        plan
    }

    fn edit(&mut self, side: Side, unit: Unit, value: UnitValue) {
        if self.phase(side) != Phase::Closed {
            self.units[side].insert(unit, value);
        }
    }
}

fn text(text: &str) -> UnitValue {
    UnitValue::Text(Some(text.into()))
}

fn money(amount: i64, currency: &str) -> UnitValue {
    UnitValue::Money(Some(Money {
        amount: Decimal::new(amount, 2),
        currency: currency.into(),
    }))
}

/// One solution a letter.
fn solutions(ids: &str) -> UnitValue {
    let solution = |id: char| Solution {
        id: id.into(),
        name: id.into(),
        kind: None,
        publisher: None,
        price: None,
        quantity: None,
        close_date: None,
    };
    UnitValue::Solutions(ids.chars().map(solution).collect())
}

fn standing(standing: Standing) -> UnitValue {
    UnitValue::State(DealState {
        standing,
        reason: None,
    })
}

fn deal() -> Units {
    [
        (Unit::Name, text("Data platform")),
        (Unit::Value, money(12_500_000, "EUR")),
        (Unit::Notes, text("first notes")),
        (Unit::State, standing(Standing::Accepted)),
        (Unit::Visibility, UnitValue::Flag(false)),
        (Unit::Campaign, UnitValue::Text(None)),
        (Unit::Solutions, solutions("AB")),
    ]
    .into()
}

#[test]
fn s5_one_sided_edits_cross_both_ways_in_one_run() {
    let mut world = World::new(deal());
    world.edit(Side::Crm, Unit::Value, money(20_000_000, "EUR"));
    world.edit(Side::PartnerCenter, Unit::Notes, text("from the portal"));
    world.run();
    assert_eq!(world.units.partner_center, world.units.crm);
    assert_eq!(world.writes, 2);
}

#[test]
fn s5_an_echo_is_an_empty_plan() {
    let mut world = World::new(deal());
    world.edit(Side::Crm, Unit::Value, money(20_000_000, "EUR"));
    world.run();
    // The other side's webhook about our own write.
    assert!(world.plan().is_empty());
}

#[test]
fn s4_absent_plans_no_write() {
    let mut world = World::new(deal());
    world.units.crm.remove(&Unit::Notes);
    world.edit(Side::PartnerCenter, Unit::Notes, text("changed"));
    assert!(
        world.plan().is_empty(),
        "nobody speaks about the notes on the CRM's side any more"
    );
}

#[test]
fn s7_a_lossy_column_never_ping_pongs() {
    let mut world = World::new(deal());
    world.crm_text_max = 4;
    world.edit(Side::PartnerCenter, Unit::Notes, text("a long story"));
    world.run();
    assert_eq!(world.units.crm[&Unit::Notes], text("a lo"));
    assert!(world.plan().is_empty());
    world.edit(Side::PartnerCenter, Unit::Value, money(1, "EUR"));
    world.run();
    assert_eq!(
        world.units.partner_center[&Unit::Notes],
        text("a long story"),
        "the cut copy must not come back"
    );
}

#[test]
fn s7_an_edit_of_a_cut_text_is_asked_and_never_drops_the_tail() {
    let mut world = World::new(deal());
    world.crm_text_max = 6;
    world.edit(Side::PartnerCenter, Unit::Notes, text("a long story"));
    world.run();
    world.edit(Side::Crm, Unit::Notes, text("b long"));
    let plan = world.run();
    assert_eq!((plan.carries.len(), plan.questions.len()), (0, 1));
    assert_eq!(
        world.units.partner_center[&Unit::Notes],
        text("a long story")
    );
    // In a column that holds all of it, taking off the end is an edit like any other.
    let mut whole = World::new(deal());
    whole.edit(Side::Crm, Unit::Notes, text("first"));
    whole.run();
    assert_eq!(whole.units.partner_center[&Unit::Notes], text("first"));
}

#[test]
fn s3_a_difference_that_nobody_can_write_is_explained_and_not_asked() {
    let mut world = World::new(deal());
    world.policies.link = Policy::Ask;
    world
        .units
        .partner_center
        .insert(Unit::CompanyName, text("Contoso Kft."));
    world
        .units
        .crm
        .insert(Unit::CompanyName, text("Contoso Ltd."));
    let plan = world.plan();
    assert_eq!((plan.questions.len(), plan.explained.len()), (0, 1));
}

#[test]
fn s9_unknown_bases_fill_the_empty_side_and_ask_the_link_policy_else() {
    let mut world = World::new(deal());
    world.bases.clear();
    world.units.crm.insert(Unit::Campaign, text("spring"));
    world.units.crm.insert(Unit::Notes, text("other notes"));
    let plan = world.run();
    let whys: BTreeMap<_, _> = plan
        .carries
        .iter()
        .map(|carry| (carry.unit.clone(), (carry.to, carry.why)))
        .collect();
    assert_eq!(whys[&Unit::Campaign], (Side::PartnerCenter, Why::Filled));
    assert_eq!(whys[&Unit::Notes], (Side::Crm, Why::Linked));
    assert_eq!(plan.remember.len(), 5);
    assert!(world.plan().is_empty());
}

#[test]
fn s10_the_policy_decides_a_conflict_and_the_loser_is_in_the_plan() {
    let mut world = World::new(deal());
    world.edit(Side::Crm, Unit::Notes, text("crm"));
    world.edit(Side::PartnerCenter, Unit::Notes, text("portal"));
    let plan = world.run();
    assert_eq!(plan.carries[0].why, Why::Conflict);
    assert_eq!(plan.carries[0].was, text("portal"));
    assert_eq!(world.units.partner_center[&Unit::Notes], text("crm"));
}

#[test]
fn s10_newest_is_the_edit_we_noticed_later_and_one_look_asks() {
    let mut world = World::new(deal());
    world.policies.conflict = Policy::Newest;
    world.edit(Side::Crm, Unit::Notes, text("crm"));
    world.edit(Side::PartnerCenter, Unit::Notes, text("portal"));
    assert_eq!(world.plan().questions.len(), 1);
    world.noticed.insert(Unit::Notes, Side::Crm);
    let plan = world.plan();
    assert_eq!(
        (plan.carries[0].to, plan.questions.len()),
        (Side::Crm, 0),
        "the portal's edit came later"
    );
}

#[test]
fn s10_an_answer_decides_exactly_what_was_asked() {
    let asked = || {
        let mut world = World::new(deal());
        world.policies.conflict = Policy::Ask;
        world.edit(Side::Crm, Unit::Notes, text("crm"));
        world.edit(Side::PartnerCenter, Unit::Notes, text("portal"));
        world
    };
    let mut world = asked();
    assert_eq!(world.run().questions.len(), 1);
    world
        .answers
        .insert(Unit::Notes, Answer::Take(Side::PartnerCenter));
    let plan = world.run();
    assert_eq!(
        (plan.carries[0].to, plan.carries[0].why),
        (Side::Crm, Why::Answered)
    );
    assert_eq!(world.units.crm[&Unit::Notes], text("portal"));

    let mut kept = asked();
    kept.answers.insert(Unit::Notes, Answer::Keep);
    assert!(kept.run().remember.contains(&Unit::Notes));
    kept.answers.clear();
    assert!(
        kept.plan().is_empty(),
        "what a person keeps apart is in step"
    );
    kept.edit(Side::Crm, Unit::Notes, text("edited again"));
    kept.run();
    assert_eq!(
        kept.units.partner_center[&Unit::Notes],
        text("edited again")
    );
}

#[test]
fn s11_edits_of_a_list_cross_both_ways_in_one_run_and_settle() {
    let mut world = World::new(deal());
    world.edit(Side::Crm, Unit::Solutions, solutions("ABC"));
    world.edit(Side::PartnerCenter, Unit::Solutions, solutions("B"));
    world.run();
    for side in Side::BOTH {
        assert!(same(&world.units[side][&Unit::Solutions], &solutions("BC")));
    }
    assert!(world.plan().is_empty());
}

#[test]
fn s3_a_deal_won_before_it_was_accepted_is_accepted_first() {
    let mut world = World::new(deal());
    let pending = standing(Standing::Pending);
    for side in Side::BOTH {
        world.units[side].insert(Unit::State, pending.clone());
    }
    world.bases.insert(
        Unit::State,
        Sides {
            partner_center: Some(pending.clone()),
            crm: Some(pending),
        },
    );
    world.edit(Side::Crm, Unit::State, standing(Standing::Won));
    world.run();
    assert_eq!(
        world.units.partner_center[&Unit::State],
        standing(Standing::Accepted)
    );
    world.run();
    assert_eq!(
        world.units.partner_center[&Unit::State],
        standing(Standing::Won)
    );
}

#[test]
fn s16_a_deal_closes_with_its_last_edits_and_is_frozen_afterwards() {
    let mut world = World::new(deal());
    world.edit(Side::Crm, Unit::Value, money(1_000, "EUR"));
    world.edit(Side::Crm, Unit::State, standing(Standing::Won));
    world.run();
    assert_eq!(
        world.units.partner_center[&Unit::Value],
        money(1_000, "EUR")
    );
    assert_eq!(world.phase(Side::PartnerCenter), Phase::Closed);
    // Someone reopens the row in the CRM and goes on editing: Partner Center cannot follow (S19).
    world
        .units
        .crm
        .insert(Unit::State, standing(Standing::Accepted));
    world.units.crm.insert(Unit::Notes, text("too late"));
    let plan = world.run();
    assert!(plan.carries.is_empty());
    assert_eq!(plan.explained.len(), 2);
}

#[derive(Debug, Clone)]
enum Act {
    Edit(Side, Unit, UnitValue),
    Run,
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::PartnerCenter), Just(Side::Crm)]
}

fn edit() -> impl Strategy<Value = (Unit, UnitValue)> {
    prop_oneof![
        "[a-z ]{0,6}".prop_map(|value| (Unit::Notes, text(&value))),
        "[a-z]{1,3}".prop_map(|value| (Unit::Name, text(&value))),
        (1..5_i64, prop_oneof!["EUR", "USD"]).prop_map(|(amount, currency)| (Unit::Value, money(amount, &currency))),
        Just((Unit::Campaign, UnitValue::Text(None))),
        Just((Unit::Campaign, text("spring"))),
        "A?B?C?D?".prop_map(|ids| (Unit::Solutions, solutions(&ids))),
        any::<bool>().prop_map(|flag| (Unit::Visibility, UnitValue::Flag(flag))),
        prop_oneof![3 => Just(Standing::Accepted), 1 => Just(Standing::Won), 1 => Just(Standing::Lost)]
            .prop_map(|value| (Unit::State, standing(value))),
    ]
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        3 => (side(), edit()).prop_map(|(side, (unit, value))| Act::Edit(side, unit, value)),
        2 => Just(Act::Run),
    ];
    proptest::collection::vec(act, 0..24)
}

fn policy() -> impl Strategy<Value = Policy> {
    prop_oneof![
        side().prop_map(Policy::Wins),
        Just(Policy::Newest),
        Just(Policy::Ask),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever people do in between: after a run, another run plans nothing; the sides agree on every unit, or the plan says why not.
    #[test]
    fn random_interleavings_converge(acts in acts(), conflict in policy(), cut in 3..1000_usize) {
        let mut world = World::new(deal());
        world.policies.conflict = conflict;
        world.crm_text_max = cut;
        for act in acts {
            match act {
                Act::Edit(side, unit, value) => world.edit(side, unit, value),
                Act::Run => { world.run(); }
            }
        }
        world.run();
        // A closing state that was carried freezes the record, so what is left is explained from the second look on.
        let again = world.run();
        prop_assert!(again.carries.is_empty(), "planned again: {:?}", again.carries);
        prop_assert!(again.remember.is_empty(), "remembered again: {:?}", again.remember);
        for (unit, ours) in &world.units.partner_center {
            let theirs = &world.units.crm[unit];
            let in_step = same(&world.stored(Side::Crm, ours), theirs) || same(ours, theirs);
            let told = again.explained.iter().any(|one| one.unit == *unit) || again.questions.iter().any(|one| one.unit == *unit);
            // Nobody has touched it since it was last in step: the cut copy of a lossy column.
            let bases = &world.bases[unit];
            let lossy = Side::BOTH.into_iter().all(|side| bases[side].as_ref().is_some_and(|base| same(base, &world.units[side][unit])));
            prop_assert!(in_step || told || lossy, "{unit}: {ours:?} against {theirs:?}");
        }
    }

    /// A frozen record is never written; `World::run` asserts it at each write.
    #[test]
    fn frozen_is_untouched(acts in acts()) {
        let mut world = World::new(deal());
        world.edit(Side::PartnerCenter, Unit::State, standing(Standing::Lost));
        let frozen = world.units.partner_center.clone();
        for act in acts {
            match act {
                Act::Edit(side, unit, value) => world.edit(side, unit, value),
                Act::Run => { world.run(); }
            }
        }
        prop_assert_eq!(&world.units.partner_center, &frozen);
    }

    /// At most one write per edit, whatever the order.
    #[test]
    fn an_edit_costs_at_most_one_write_each_way(acts in acts(), conflict in policy()) {
        let mut world = World::new(deal());
        world.policies.conflict = conflict;
        let mut edits = 0;
        for act in acts {
            match act {
                Act::Edit(side, unit, value) => { edits += 1; world.edit(side, unit, value); }
                Act::Run => { world.run(); }
            }
        }
        world.run();
        prop_assert!(world.writes <= edits, "{} writes for {edits} edits", world.writes);
    }

    /// Taking away what a side says about a unit (a plugin was removed) never blanks it on the other.
    #[test]
    fn absent_blanks_nothing(acts in acts(), silent in side()) {
        let mut world = World::new(deal());
        world.units[silent].remove(&Unit::Notes);
        let before = world.units[silent.other()][&Unit::Notes].clone();
        for act in acts {
            match act {
                Act::Edit(_, Unit::Notes, _) => {}
                Act::Edit(side, unit, value) => world.edit(side, unit, value),
                Act::Run => { world.run(); }
            }
        }
        prop_assert_eq!(&world.units[silent.other()][&Unit::Notes], &before);
    }
}
