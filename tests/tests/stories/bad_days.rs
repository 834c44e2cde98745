//! Lost, repeated and late events, crashes, and services that are slow.

use std::time::Duration;

use cosell_simulator::{FaultKind, Service, SimulatorConfig, WebhookFault, WebhookFaultKind};
use cosell_tests::{World, amount, text};
use serde_json::json;

use crate::{HELP, Told, once};

#[tokio::test(flavor = "multi_thread")]
async fn every_webhook_twice_and_some_never_changes_nothing() -> Told {
    let world = World::with(SimulatorConfig::demo(), &[]).await?;
    for service in [Service::PartnerCenter, Service::Dataverse] {
        world.control().webhook_fault(WebhookFault {
            service,
            kind: WebhookFaultKind::Duplicate,
            count: Some(6),
        });
    }
    let account = world.account("Contoso Kft.", "HU")?;
    let row = world.opportunity(&account, &json!({ HELP: 299_600_005 }))?;
    let inbound = world.referral("Rollout", "Fabrikam", "DE")?;
    let referral = text(&world.referral_of(&row).await?, "id");
    world.row_of(&referral).await?;
    world.row_of(&inbound).await?;
    world.quiet().await?;
    let counts = world.control().counts();
    assert_eq!(
        (counts.opportunities, counts.accounts, counts.duplicates),
        (2, 2, 0)
    );
    assert_eq!((counts.referrals, counts.microsoft_referrals), (2, 1));
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_was_away_finds_what_happened_by_its_sweep() -> Told {
    let mut world = World::start().await?;
    let account = world.account("Contoso Kft.", "HU")?;
    let row = world.opportunity(&account, &json!({}))?;
    let referral = text(&world.referral_of(&row).await?, "id");
    world.row_of(&referral).await?;
    world.quiet().await?;
    world.stop_host().await;
    world
        .control()
        .seller_updates("opportunity", &row, &json!({ "estimatedvalue": 99_000 }))?;
    world.control().partner_user_patches(
        &referral,
        &json!([{ "op": "replace", "path": "/details/notes", "value": "while you were away" }]),
    )?;
    world.start_host().await?;
    world
        .until("both edits", |control| {
            let (there, here) = (
                control.referral(&referral)?,
                control.row("opportunity", &row)?,
            );
            (amount(&there["details"]["dealValue"]) == Some(99_000.0)
                && here["description"] == "while you were away")
                .then_some(())
        })
        .await?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_cut_off_in_the_middle_neither_loses_nor_doubles() -> Told {
    let mut world = World::start().await?;
    let account = world.account("Contoso Kft.", "HU")?;
    let mut rows = Vec::new();
    for round in 0..4 {
        rows.push(world.opportunity(
            &account,
            &json!({ "name": format!("Deal {round}"), HELP: 299_600_005 }),
        )?);
        // Cut as soon as the ledger shows that something is under way.
        let before = world.control().ledger(0).len();
        world
            .until("something under way", |control| {
                (control.ledger(0).len() > before).then_some(())
            })
            .await?;
        world.cut_host();
        world.start_host().await?;
    }
    for row in &rows {
        let referral = text(&world.referral_of(row).await?, "id");
        world
            .until("Microsoft's referral", |control| {
                control.microsoft_referral(&referral)
            })
            .await?;
        world.row_of(&referral).await?;
    }
    world.quiet().await?;
    let counts = world.control().counts();
    assert_eq!(
        (
            counts.opportunities,
            counts.referrals,
            counts.microsoft_referrals,
            counts.duplicates
        ),
        (4, 4, 4, 0)
    );
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_crm_is_left_alone_as_long_as_it_asks() -> Told {
    let world = World::start().await?;
    let account = world.account("Contoso Kft.", "HU")?;
    let row = world.opportunity(&account, &json!({}))?;
    let referral = text(&world.referral_of(&row).await?, "id");
    world.row_of(&referral).await?;
    world.quiet().await?;
    world.control().fault(once(
        Service::Dataverse,
        None,
        FaultKind::Answer {
            status: 429,
            code: Some("0x80072322".into()),
            retry_after_s: Some(2),
        },
    ));
    let act = world.control().partner_user_patches(
        &referral,
        &json!([{ "op": "replace", "path": "/details/notes", "value": "later" }]),
    )?;
    world
        .until("the notes", |control| {
            (control.row("opportunity", &row)?["description"] == "later").then_some(())
        })
        .await?;
    let written = world
        .control()
        .ledger(0)
        .into_iter()
        .filter(|entry| entry.record.contains(&row))
        .map(|entry| entry.time_ms)
        .max()
        .expect("a write");
    assert!(
        written - act.time_ms >= Duration::from_secs(2).as_millis() as i64,
        "written {} ms after",
        written - act.time_ms
    );
    world.end().await
}
