//! What people order, from beside a running host: answers, releases, retries, a new binding. The host notices by itself within seconds.

use cosell_host::verbs::{
    Side, VerbError, answer, cards, holds, rebind, release_mass, retry, retry_parked, settle,
};
use cosell_simulator::SimulatorConfig;
use cosell_store::LaneId;
use cosell_tests::World;
use serde_json::json;

use crate::{Told, VISIBLE, archive, deal_of, linked, replace};

#[tokio::test(flavor = "multi_thread")]
async fn a_card_is_answered_with_one_of_its_choices_and_the_host_carries_it_out() -> Told {
    let mut world = World::start().await?;
    let (row, referral) = linked(&world, "Data platform").await?;
    world.stop_host().await;
    world
        .control()
        .seller_updates("opportunity", &row, &json!({ "description": "crm" }))?;
    world
        .control()
        .partner_user_patches(&referral, &replace("/details/notes", "portal"))?;
    world.start_host().await?;
    world.card("conflict").await?;
    world.quiet().await?;

    let archive = archive(&world)?;
    let open = cards(&archive, false, 10).await?;
    let [card] = open.as_slice() else {
        panic!("one question is open: {open:?}")
    };
    assert_eq!(card.deal.as_deref(), Some("Data platform"));
    let choices: Vec<_> = card.choices.iter().map(|one| one.choice.as_str()).collect();
    assert_eq!(choices, ["partner-center", "crm", "keep"]);
    let refused = answer(&archive, card.card, "both", "anna").await;
    let said = refused.expect_err("no such choice").to_string();
    assert!(said.contains("\"keep\" (leave both as they are)"), "{said}");
    assert_eq!(
        cards(&archive, false, 10).await?[0].answer,
        None,
        "a choice that is none is not written down"
    );

    let answered = answer(&archive, card.card, "CRM", "anna").await?;
    assert_eq!(answered.choice.choice, "crm");
    world
        .until("the CRM's notes in Partner Center", |control| {
            (control.referral(&referral)?["details"]["notes"] == "crm").then_some(())
        })
        .await?;
    world.quiet().await?;
    assert_eq!(cards(&archive, false, 10).await?, []);
    let closed = cards(&archive, true, 10).await?;
    assert_eq!(closed[0].answered_by.as_deref(), Some("anna"));
    let late = answer(&archive, card.card, "keep", "anna").await;
    let said = late.expect_err("it is closed").to_string();
    assert!(said.contains("is closed already"), "{said}");
    let never = answer(&archive, 99, "keep", "anna").await;
    let said = never.expect_err("there is none").to_string();
    assert!(said.contains("there is no card 99"), "{said}");
    let told = world.history(&row).await?;
    assert!(
        told.iter().any(|line| line.contains("anna answered")),
        "{told:?}"
    );
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_is_released_or_cancelled_and_the_host_obeys() -> Told {
    let world = World::with(
        SimulatorConfig::demo(),
        &[
            ("hold.visibility", "\"confirm\""),
            ("hold.won", "\"confirm\""),
        ],
    )
    .await?;
    let (row, referral) = linked(&world, "Data platform").await?;
    world
        .control()
        .seller_updates("opportunity", &row, &json!({ VISIBLE: true }))?;
    world.hold("visibility").await?;
    world.quiet().await?;
    let archive = archive(&world)?;
    let live = holds(&archive, false, 10).await?;
    let [visibility] = live.as_slice() else {
        panic!("one write is held: {live:?}")
    };
    assert_eq!(visibility.before.as_deref(), Some("no"));
    assert_eq!(visibility.after.as_deref(), Some("yes"));
    assert!(visibility.consequence.contains("visible to Microsoft"));
    settle(&archive, visibility.hold, true, "anna").await?;
    let shared = |control: &cosell_simulator::Control| {
        let referral = control.referral(&referral)?;
        (referral["consent"]["consentToShareReferralWithMicrosoftSellers"] == true).then_some(())
    };
    world.until("the released visibility", shared).await?;

    world.control().seller_wins(&row, &json!({}))?;
    let won = world.hold("won").await?;
    world.quiet().await?;
    let cancelled = settle(&archive, won.hold, false, "anna").await?;
    assert!(!cancelled.released);
    world
        .history_where(&row, |told| {
            told.iter().any(|line| line.contains("has cancelled Won"))
        })
        .await?;
    let seen = world.control().referral(&referral).expect("it is there");
    assert_eq!(seen["substatus"], "Accepted", "it was cancelled");
    let gone = settle(&archive, visibility.hold, true, "anna").await;
    let said = gone.expect_err("it is closed").to_string();
    assert!(said.contains("is closed already (released"), "{said}");
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mass_change_is_released_as_one_and_counting_starts_anew() -> Told {
    let world = World::with(SimulatorConfig::demo(), &[("mass_change.writes", "6")]).await?;
    let account = world.account("Contoso Kft.", "HU")?;
    let mut rows = Vec::new();
    for number in 0..3 {
        rows.push(world.opportunity(&account, &json!({ "name": format!("Deal {number}") }))?);
    }
    for row in &rows {
        world.referral_of(row).await?;
    }
    world.quiet().await?;
    // Three births and three edits are six writes; the second edits are one batch too many.
    for notes in ["first bulk edit", "second bulk edit"] {
        for row in &rows {
            world
                .control()
                .seller_updates("opportunity", row, &json!({ "description": notes }))?;
            world.quiet().await?;
        }
    }
    world.hold("mass").await?;
    let archive = archive(&world)?;
    let nothing = release_mass(&archive, Side::Crm, "anna").await;
    assert!(matches!(nothing, Err(VerbError::NoMass { .. })));
    let released = release_mass(&archive, Side::PartnerCenter, "anna").await?;
    assert_eq!(released.holds.len(), 3, "{:?}", released.holds);
    world
        .until("all edits", |control| {
            let referrals = control.referrals();
            let all = referrals
                .iter()
                .all(|referral| referral["details"]["notes"] == "second bulk edit");
            all.then_some(())
        })
        .await?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parked_deal_is_retried_when_a_person_orders_it() -> Told {
    let world = World::start().await?;
    let (row, referral) = linked(&world, "Data platform").await?;
    world.refused(&row).await?;
    world.control().clear_faults();
    let archive = archive(&world)?;
    let none = retry_parked(&archive, Some("the moon is full"), "ada").await?;
    assert_eq!(none, [], "no parked deal has such a reason");
    let woken = retry_parked(&archive, Some("PARTNER CENTER"), "ada").await?;
    let [one] = woken.as_slice() else {
        panic!("one deal is parked: {woken:?}")
    };
    assert_eq!(
        (one.was.as_str(), one.deal.as_deref()),
        ("parked", Some("Data platform"))
    );
    world
        .until("the notes", |control| {
            (control.referral(&referral)?["details"]["notes"] == "refused").then_some(())
        })
        .await?;
    world.quiet().await?;
    assert_eq!(retry_parked(&archive, None, "ada").await?, []);
    let before = world.control().ledger(0).len();
    let key = deal_of(&world, &row).await?;
    let again = retry(&archive, &[key], "ada").await?;
    assert_eq!(again[0].was, "settled");
    world.quiet().await?;
    assert_eq!(world.control().ledger(0).len(), before, "it was in step");
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn s22_a_person_binds_a_connection_anew_and_its_deals_go_on() -> Told {
    let mut world = World::start().await?;
    let (row, referral) = linked(&world, "Data platform").await?;
    let archive = archive(&world)?;
    let nothing = rebind(&archive, "simulated", "ada").await?;
    assert_eq!((nothing.organization, nothing.woken), (None, 0));
    world.stop_host().await;
    world.control().copy_environment();
    world.start_host().await?;
    world.control().seller_updates(
        "opportunity",
        &row,
        &json!({ "description": "in the copy" }),
    )?;
    world
        .status_where(|status| {
            status.deals.iter().any(|deal| {
                let reason = deal.reason.as_deref().unwrap_or_default();
                deal.state == "waiting" && reason.contains("is another organisation")
            })
        })
        .await?;
    let rebound = rebind(&archive, "simulated", "ada").await?;
    let organization = world.control().organization_id();
    assert_eq!(rebound.organization, Some(organization));
    world
        .until("the edit after the rebinding", |control| {
            (control.referral(&referral)?["details"]["notes"] == "in the copy").then_some(())
        })
        .await?;
    world.quiet().await?;
    let deal = deal_of(&world, &row).await?;
    let told = archive
        .store
        .audit(&deal.connection, LaneId(deal.lane))
        .await?;
    assert!(
        told.iter()
            .any(|entry| entry.line.detail.contains("rebound by ada")),
        "{told:?}"
    );
    let unknown = rebind(&archive, "fabrikam", "ada").await;
    let said = unknown.expect_err("no such connection").to_string();
    assert!(said.contains("it has simulated"), "{said}");
    world.end().await
}
