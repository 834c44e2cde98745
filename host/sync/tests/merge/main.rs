//! The merge as a whole: two sides that people edit at will, runs in between, and what must hold whatever happens.
#![allow(missing_docs, reason = "tests are read by their names")]

mod histories;
mod world;

use std::collections::BTreeMap;

use cosell_sync::ability::Phase;
use cosell_sync::deal::{Standing, Unit};
use cosell_sync::merge::{Answer, Policy, Why, same};
use cosell_sync::side::{Side, Sides};

use world::{World, deal, money, solutions, standing, text};

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
    assert_eq!(plan.remember.len(), 7);
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

#[test]
fn s6_a_colleagues_edit_between_our_write_and_the_next_read_survives() {
    let mut world = World::new(deal());
    world.edit(Side::PartnerCenter, Unit::Notes, text("from the portal"));
    world.run();
    // The base is what our write returned, not what the next look finds.
    world.edit(Side::Crm, Unit::Notes, text("a colleague's"));
    let plan = world.run();
    assert_eq!(
        (plan.carries[0].to, plan.carries[0].why),
        (Side::PartnerCenter, Why::Edited)
    );
    assert_eq!(
        world.units.partner_center[&Unit::Notes],
        text("a colleague's")
    );
}

#[test]
fn s6_units_that_were_not_written_keep_their_base() {
    let mut world = World::new(deal());
    world.policies.conflict = Policy::Ask;
    world.edit(Side::Crm, Unit::Notes, text("crm"));
    world.edit(Side::PartnerCenter, Unit::Notes, text("portal"));
    world.edit(Side::Crm, Unit::Value, money(1, "EUR"));
    let before = world.bases[&Unit::Notes].clone();
    assert_eq!(world.run().carries.len(), 1);
    assert_eq!(world.bases[&Unit::Notes], before);
}

#[test]
fn s10_a_conflict_whose_write_meets_a_colleagues_is_decided_the_same_way_again() {
    let mut world = World::new(deal());
    world.policies.conflict = Policy::Newest;
    world.edit(Side::Crm, Unit::Notes, text("crm"));
    world.look();
    world.edit(Side::PartnerCenter, Unit::Notes, text("portal"));
    // Each of these writes is refused, because somebody saves the row in between.
    for _ in 0..3 {
        let plan = world.look();
        assert_eq!(
            (plan.carries[0].to, plan.carries[0].why),
            (Side::Crm, Why::Conflict)
        );
        assert!(plan.questions.is_empty());
    }
    world.run();
    assert_eq!(world.units.crm[&Unit::Notes], text("portal"));
    world.look();
    assert!(world.noticed.is_empty(), "what is in step is forgotten");
}
