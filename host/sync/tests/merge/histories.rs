//! Random histories: whatever people do in between, and whatever is lost, these properties hold.

use cosell_sync::deal::{Help, Standing, Unit, UnitValue};
use cosell_sync::merge::{Policy, same};
use cosell_sync::side::Side;
use proptest::prelude::*;

use crate::world::{World, deal, money, people, solutions, standing, text};

#[derive(Debug, Clone)]
enum Act {
    /// A person edits.
    Edit(Side, Unit, UnitValue),
    /// Everything that differs is written.
    Run,
    /// A run whose writes are all refused.
    Look,
    /// The base becomes unknown: the unit is newly mapped, or the link is new (S9).
    Forget(Unit),
}

impl World {
    fn play(&mut self, acts: Vec<Act>) {
        for act in acts {
            match act {
                Act::Edit(side, unit, value) => self.edit(side, unit, value),
                Act::Run => drop(self.run()),
                Act::Look => drop(self.look()),
                Act::Forget(unit) => drop(self.bases.remove(&unit)),
            }
        }
    }
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
        prop_oneof!["A?B?C?", "C?B?A?"].prop_map(|ids| (Unit::Contacts, people(&ids))),
        any::<bool>().prop_map(|flag| (Unit::Visibility, UnitValue::Flag(flag))),
        prop_oneof![Just(None), Just(Some(Help::GeneralOrOther)), Just(Some(Help::QuotesOrLicensing))]
            .prop_map(|help| (Unit::Help, UnitValue::Help(help))),
        prop_oneof![3 => Just(Standing::Accepted), 1 => Just(Standing::Won), 1 => Just(Standing::Lost)]
            .prop_map(|value| (Unit::State, standing(value))),
    ]
}

fn unit() -> impl Strategy<Value = Unit> {
    proptest::sample::select(deal().into_keys().collect::<Vec<_>>())
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        6 => (side(), edit()).prop_map(|(side, (unit, value))| Act::Edit(side, unit, value)),
        4 => Just(Act::Run),
        2 => Just(Act::Look),
        1 => unit().prop_map(Act::Forget),
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

    /// S5: what we have written rings on the other side, and there is nothing to do about it.
    #[test]
    fn an_echo_is_empty(edits in proptest::collection::vec(edit(), 0..6), from in side(), cut in 3..1000_usize) {
        let mut world = World::new(deal());
        world.crm_text_max = cut;
        for (unit, value) in edits {
            world.edit(from, unit, value);
        }
        let plan = world.run();
        let echo = world.plan();
        for carry in &plan.carries {
            prop_assert!(echo.carries.iter().all(|again| again.unit != carry.unit), "{} comes back: {:?}", carry.unit, echo.carries);
        }
        prop_assert!(echo.is_empty() || !plan.questions.is_empty(), "{echo:?}");
    }

    /// A plan is a function of what it looks at; and once it is carried out, what is left is told or asked, and never written again.
    #[test]
    fn planning_again_is_empty(acts in acts(), conflict in policy(), link in policy(), cut in 3..1000_usize) {
        let mut world = World::new(deal());
        (world.policies.conflict, world.policies.link) = (conflict, link);
        world.crm_text_max = cut;
        world.play(acts);
        prop_assert_eq!(world.plan(), world.plan());
        world.run();
        let again = world.run();
        prop_assert!(again.carries.is_empty(), "planned again: {:?}", again.carries);
        prop_assert!(again.remember.is_empty(), "remembered again: {:?}", again.remember);
        let third = world.plan();
        prop_assert_eq!((&third.questions, &third.explained), (&again.questions, &again.explained));
    }

    /// Whatever people do in between: after a run, another run plans nothing; the sides agree on every unit, or the plan says why not.
    #[test]
    fn random_interleavings_converge(acts in acts(), conflict in policy(), cut in 3..1000_usize) {
        let mut world = World::new(deal());
        world.policies.conflict = conflict;
        world.crm_text_max = cut;
        world.play(acts);
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
            let base = |side: Side| world.bases.get(unit).and_then(|bases| bases[side].as_ref());
            let lossy = Side::BOTH.into_iter().all(|side| base(side).is_some_and(|base| same(base, &world.units[side][unit])));
            prop_assert!(in_step || told || lossy, "{unit}: {ours:?} against {theirs:?}");
        }
    }

    /// A frozen record is never written; `World::run` asserts it at each write.
    #[test]
    fn frozen_is_untouched(acts in acts()) {
        let mut world = World::new(deal());
        world.edit(Side::PartnerCenter, Unit::State, standing(Standing::Lost));
        let frozen = world.units.partner_center.clone();
        world.play(acts);
        prop_assert_eq!(&world.units.partner_center, &frozen);
    }

    /// At most one write per edit, whatever the order.
    #[test]
    fn an_edit_costs_at_most_one_write_each_way(acts in acts(), conflict in policy()) {
        let mut world = World::new(deal());
        world.policies.conflict = conflict;
        // A unit whose base is lost may be written once more, as if somebody had edited it.
        let edits = acts.iter().filter(|act| matches!(act, Act::Edit(..) | Act::Forget(_))).count();
        world.play(acts);
        world.run();
        prop_assert!(world.writes <= edits, "{} writes for {edits} edits", world.writes);
    }

    /// Taking away what a side says about a unit (a plugin was removed) never blanks it on the other.
    #[test]
    fn absent_blanks_nothing(acts in acts(), silent in side()) {
        let mut world = World::new(deal());
        world.units[silent].remove(&Unit::Notes);
        let before = world.units[silent.other()][&Unit::Notes].clone();
        let others = acts.into_iter().filter(|act| !matches!(act, Act::Edit(_, Unit::Notes, _)));
        world.play(others.collect());
        prop_assert_eq!(&world.units[silent.other()][&Unit::Notes], &before);
    }
}
