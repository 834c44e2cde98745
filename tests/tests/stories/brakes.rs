//! What waits for a person or for time: writes that cannot be taken back, mass changes, deals that swing.

use std::time::Duration;

use anyhow::ensure;
use cosell_simulator::SimulatorConfig;
use cosell_store::{FULL_COMPARE, LaneId, Throttle};
use cosell_sync::side::Side;
use cosell_tests::{World, amount, text};
use serde_json::{Value, json};

use crate::{HELP, Told};

const GATE: &str = "msft_microsoftpartnercenterreferralsync";
const VISIBLE: &str = "msft_microsoftpartnercenterreferralvisible";

fn substatus(world: &World, referral: &str) -> String {
    world
        .control()
        .referral(referral)
        .map(|referral| text(&referral, "substatus"))
        .unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn s24_a_win_waits_for_its_confirmation_while_other_units_go_on() -> Told {
    let world = World::with(SimulatorConfig::demo(), &[("hold.won", "\"confirm\"")]).await?;
    let (row, referral) = world.linked(&json!({})).await?;
    world
        .control()
        .seller_updates("opportunity", &row, &json!({ "estimatedvalue": 99_000 }))?;
    world.control().seller_wins(&row, &json!({}))?;
    let hold = world.hold("won").await?;
    assert!(
        hold.body
            .contains("closes the deal in Partner Center as won"),
        "{}",
        hold.body
    );
    world.quiet().await?;
    let seen = world.control().referral(&referral).expect("it is there");
    assert_eq!(seen["substatus"], "Accepted", "held");
    assert_eq!(
        amount(&seen["details"]["dealValue"]),
        Some(99_000.0),
        "other units go on"
    );
    world.settle("won", true).await?;
    world
        .until("the win in Partner Center", |control| {
            (control.referral(&referral)?["substatus"] == "Won").then_some(())
        })
        .await?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn s24_a_cancelled_write_is_explained_and_not_asked_again() -> Told {
    let world = World::with(
        SimulatorConfig::demo(),
        &[("hold.visibility", "\"confirm\"")],
    )
    .await?;
    let (row, referral) = world.linked(&json!({})).await?;
    world
        .control()
        .seller_updates("opportunity", &row, &json!({ VISIBLE: true }))?;
    world.settle("visibility", false).await?;
    world.quiet().await?;
    world.retry_all().await?;
    world.quiet().await?;
    let seen = world.control().referral(&referral).expect("it is there");
    assert_eq!(
        seen["consent"]["consentToShareReferralWithMicrosoftSellers"],
        false
    );
    let told = world.history(&row).await?;
    assert!(
        told.iter()
            .any(|line| line.contains("a person has cancelled")),
        "{told:?}"
    );
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn s24_a_birth_makes_nothing_visible_before_its_permit() -> Told {
    let world = World::with(
        SimulatorConfig::demo(),
        &[
            ("hold.visibility", "\"confirm\""),
            ("hold.help", "\"confirm\""),
        ],
    )
    .await?;
    let account = world.account("Contoso Kft.", "HU")?;
    let row = world.opportunity(&account, &json!({ HELP: 299_600_005, VISIBLE: true }))?;
    let referral = text(&world.referral_of(&row).await?, "id");
    world.hold("help").await?;
    let seen = world.control().referral(&referral).expect("it is there");
    assert_eq!(
        seen["consent"]["consentToShareReferralWithMicrosoftSellers"], false,
        "private until a person says so"
    );
    assert!(world.control().microsoft_referral(&referral).is_none());
    world.settle("visibility", true).await?;
    world.settle("help", true).await?;
    world
        .until("Microsoft's referral", |control| {
            control.microsoft_referral(&referral)
        })
        .await?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn s24_without_consent_no_contact_leaves_and_the_deal_goes_on() -> Told {
    let world = World::with(
        SimulatorConfig::demo(),
        &[("contacts_may_be_shared", "false")],
    )
    .await?;
    let (row, referral) = world.linked(&json!({})).await?;
    let seen = world.control().referral(&referral).expect("it is there");
    assert_eq!(
        seen["customerProfile"]["team"],
        json!([]),
        "no contact left"
    );
    let told = world.history(&row).await?;
    assert!(
        told.iter()
            .any(|line| line.contains("before consent is on record")),
        "{told:?}"
    );
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn s21_sync_off_pauses_and_on_again_asks_before_it_does_what_cannot_be_taken_back() -> Told {
    let world = World::start().await?;
    let (row, referral) = world.linked(&json!({})).await?;
    world
        .control()
        .seller_updates("opportunity", &row, &json!({ GATE: false }))?;
    world.quiet().await?;
    let before = world.control().ledger(0).len();
    world.control().seller_updates(
        "opportunity",
        &row,
        &json!({ "description": "edited while off" }),
    )?;
    world.control().seller_wins(&row, &json!({}))?;
    world.quiet().await?;
    assert_eq!(
        world.control().ledger(0).len(),
        before,
        "no writes either way while it is off"
    );
    let lanes = world.status().await?.lanes;
    assert_eq!(lanes.get("paused"), Some(&1), "{lanes:?}");
    world.control().seller_reopens(&row)?;
    world
        .control()
        .seller_updates("opportunity", &row, &json!({ GATE: true, VISIBLE: true }))?;
    world.hold("visibility").await?;
    world
        .until("the notes that were edited while it was off", |control| {
            (control.referral(&referral)?["details"]["notes"] == "edited while off").then_some(())
        })
        .await?;
    assert_eq!(substatus(&world, &referral), "Accepted");
    let referrals = world.control().counts();
    assert_eq!(referrals.referrals, 1, "never a second referral");
    world.settle("visibility", true).await?;
    world
        .until("the released visibility", |control| {
            (control.referral(&referral)?["consent"]["consentToShareReferralWithMicrosoftSellers"]
                == true)
                .then_some(())
        })
        .await?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn s25_a_mass_change_is_held_and_goes_on_when_it_is_released() -> Told {
    let world = World::with(SimulatorConfig::demo(), &[("mass_change.writes", "9")]).await?;
    let account = world.account("Contoso Kft.", "HU")?;
    let mut rows = Vec::new();
    for number in 0..4 {
        rows.push(world.opportunity(&account, &json!({ "name": format!("Deal {number}") }))?);
    }
    // Each deal is born by one write there; the count goes on with every edit.
    for row in &rows {
        world.referral_of(row).await?;
    }
    world.quiet().await?;
    // One after the other: runs that go side by side count each other late.
    for notes in ["first bulk edit", "second bulk edit"] {
        for row in &rows {
            world
                .control()
                .seller_updates("opportunity", row, &json!({ "description": notes }))?;
            world.quiet().await?;
        }
    }
    let hold = world.hold("mass").await?;
    assert_eq!(hold.subject, "partner-center");
    world.quiet().await?;
    assert_eq!(
        edited(&world, "second bulk edit"),
        1,
        "nine writes went, the rest is held"
    );
    // A person looks, and lets the batch pass.
    let desk = world.desk()?;
    let note = cosell_host::pipeline::mass_note(Side::PartnerCenter);
    desk.store
        .set_note("simulated", &note, Some(desk.now().to_string()))
        .await?;
    for hold in desk.store.holds(None, true, 100).await? {
        desk.store
            .settle_hold("simulated", hold.hold, true, "operator")
            .await?;
    }
    desk.rope.notify_one();
    world
        .until("all edits", |control| {
            let all = control
                .referrals()
                .iter()
                .all(|referral| referral["details"]["notes"] == "second bulk edit");
            all.then_some(())
        })
        .await?;
    world.end().await
}

/// How many deals have these notes in Partner Center.
fn edited(world: &World, notes: &str) -> usize {
    let referrals = world.control().referrals();
    let is_edited = |referral: &&Value| referral["details"]["notes"] == notes;
    referrals.iter().filter(is_edited).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn s25_what_a_mass_change_holds_goes_by_no_lapse_of_time_and_is_stopped_for_itself_alone()
-> Told {
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
    let edit = async |rows: &[String], notes: &str| -> Told {
        for row in rows {
            let columns = json!({ "description": notes });
            world
                .control()
                .seller_updates("opportunity", row, &columns)?;
            world.quiet().await?;
        }
        Ok(())
    };
    // Three births and three edits: the next is one too many.
    edit(&rows, "first").await?;
    edit(&rows, "second").await?;
    assert_eq!(edited(&world, "second"), 0, "held");
    // Nobody looks for an hour, and then somebody touches the rows again.
    world.later(Duration::from_secs(3_600));
    edit(&rows, "third").await?;
    assert_eq!(edited(&world, "third"), 0, "an hour is no person");
    let desk = world.desk()?;
    let live = || desk.store.holds(None, true, 100);
    assert_eq!(live().await?.len(), 3);
    // One is stopped, and the others may go.
    world.settle("mass", false).await?;
    world.settle("mass", true).await?;
    world.settle("mass", true).await?;
    world
        .until("the two that may go", |_| {
            (edited(&world, "third") == 2).then_some(())
        })
        .await?;
    world.quiet().await?;
    let stopped = live().await?;
    assert_eq!(
        stopped.len(),
        1,
        "what has gone is held no more: {stopped:?}"
    );
    // What was stopped is that edit, and not all that the deal will ever have to say.
    edit(&rows, "fourth").await?;
    world
        .until("another edit of all three", |_| {
            (edited(&world, "fourth") == 3).then_some(())
        })
        .await?;
    world.quiet().await?;
    assert_eq!(live().await?, [], "nothing is left to decide");
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn s24_what_a_person_cancels_while_the_deal_is_looked_at_is_not_done() -> Told {
    let world = World::with(SimulatorConfig::demo(), &[("hold.won", "\"confirm\"")]).await?;
    let (row, referral) = world.linked(&json!({})).await?;
    world.control().seller_wins(&row, &json!({}))?;
    let hold = world.hold("won").await?;
    world.quiet().await?;
    // Each call takes so long that there is time to think again.
    world.control().set_latency_ms(700);
    world.settle("won", true).await?;
    world
        .status_where(|status| status.deals.iter().any(|deal| deal.state == "running"))
        .await?;
    let desk = world.desk()?;
    desk.store
        .settle_hold(&hold.connection, hold.hold, false, "operator")
        .await?;
    world.control().set_latency_ms(0);
    world.quiet().await?;
    assert_eq!(substatus(&world, &referral), "Accepted", "it was cancelled");
    let told = world.history(&row).await?;
    assert!(
        told.iter()
            .any(|line| line.contains("a person has cancelled")),
        "{told:#?}"
    );
    assert!(
        !told
            .iter()
            .any(|line| line.contains("→ Won") && line.starts_with("carry")),
        "{told:#?}"
    );
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn s26_a_parked_deal_stays_parked_until_something_that_it_stands_on_changes() -> Told {
    let world = World::start().await?;
    let (row, referral) = world.linked(&json!({})).await?;
    world.refused(&row).await?;
    let refused = world.control().refused().len();
    let written = world.control().ledger(0).len();
    // Bells that tell of nothing new: our own cross, and a touch that changes no column that is mapped.
    world
        .control()
        .seller_updates("opportunity", &row, &json!({ "description": "refused" }))?;
    world.quiet().await?;
    assert_eq!(world.control().refused().len(), refused, "not tried again");
    assert_eq!(world.control().ledger(0).len(), written, "nor told again");
    // A person who mended it is heard.
    world.control().clear_faults();
    world.retry_all().await?;
    world
        .until("the notes", |control| {
            (control.referral(&referral)?["details"]["notes"] == "refused").then_some(())
        })
        .await?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn s26_what_a_person_orders_outlasts_a_credential_that_rests_and_a_bell_that_tells_nothing()
-> Told {
    let world = World::start().await?;
    let (row, referral) = world.linked(&json!({})).await?;
    world.refused(&row).await?;
    world.control().clear_faults();
    let desk = world.desk()?;
    let until = desk.now() + 1_500;
    desk.store
        .set_throttle(
            "simulated",
            Throttle {
                credential: "dataverse".into(),
                until,
                reason: "it wants rest".into(),
            },
        )
        .await?;
    world.retry_all().await?;
    world
        .status_where(|status| {
            let waits = status.deals.iter().filter(|deal| deal.state == "waiting");
            waits.count() == 1 && status.bells_unanswered > 0
        })
        .await?;
    // While it waits something rings that a full compare would ring.
    let deal = world.status().await?.deals.remove(0);
    desk.store
        .wake("simulated", LaneId(deal.lane), FULL_COMPARE)
        .await?;
    world
        .until("the notes", |control| {
            (control.referral(&referral)?["details"]["notes"] == "refused").then_some(())
        })
        .await?;
    ensure!(desk.now() >= until, "not before the credential may be used");
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn s27_a_deal_that_something_turns_back_again_and_again_is_stopped() -> Told {
    let world = World::start().await?;
    let (row, referral) = world.linked(&json!({})).await?;
    // A workflow in the CRM turns the notes back each time that they arrive, and a robot in Partner Center writes them anew.
    let mut stopped = false;
    for turn in 0..20 {
        let notes = if turn % 2 == 0 { "robot" } else { "workflow" };
        if turn % 2 == 0 {
            let patch = json!([{ "op": "replace", "path": "/details/notes", "value": notes }]);
            world.control().partner_user_patches(&referral, &patch)?;
        } else {
            world.control().seller_updates(
                "opportunity",
                &row,
                &json!({ "description": notes }),
            )?;
        }
        let status = world.quiet().await?;
        if status.lanes.contains_key("parked") {
            stopped = true;
            break;
        }
    }
    assert!(
        stopped,
        "it was never stopped: {:#?}",
        world.history(&row).await?
    );
    let told = world.history(&row).await?;
    assert!(
        told.iter()
            .any(|line| line.contains("more than 5 times within ten minutes")),
        "{told:?}"
    );
    world.end_in(&["parked", "retired"]).await
}
