//! The order of a run: what it looks at, what it answers, what it remembers.

use std::time::Instant;

use cosell_host::app;
use cosell_host::config::Config;
use cosell_host::verbs::{Scope, Would, plan};
use cosell_simulator::{
    Control, Fault, FaultKind, FaultScript, Service, WebhookFault, WebhookFaultKind,
};
use cosell_tests::{World, amount};
use serde_json::json;

use crate::Told;

/// A deal that is in step: row and referral.
/// Writes to the record after these.
fn written(world: &World, record: &str, before: usize) -> Vec<String> {
    let ledger = world.control().ledger(0).split_off(before);
    ledger
        .into_iter()
        .filter(|entry| entry.record.contains(record))
        .map(|entry| format!("{entry:?}"))
        .collect()
}

/// Every read of an opportunity takes so long, so that something can happen before it.
fn slow_reads(ms: u64) -> Fault {
    Fault {
        service: Service::Dataverse,
        method: Some("GET".into()),
        path_prefix: "/api/data/v9.2/opportunities".into(),
        skip: 0,
        count: None,
        kind: FaultKind::Delay { ms },
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s1_a_preview_stops_before_act_and_the_run_does_what_it_showed() -> Told {
    let mut world = World::start().await?;
    let (row, referral) = world.linked(&json!({})).await?;
    world.stop_host().await;
    world
        .control()
        .seller_updates("opportunity", &row, &json!({ "estimatedvalue": 99_000 }))?;
    let before = world.control().ledger(0).len();
    let shown = {
        let desk = app::desk(&Config::load(&world.config)?)?;
        plan(&desk, None, &Scope::All, &|_, _| {}).await?
    };
    assert_eq!(shown.summary.update, 1, "{:?}", shown.summary);
    let planned = shown.deals.iter().find(|deal| deal.would == Would::Update);
    let write = &planned.expect("it was counted").preview.writes[0];
    assert_eq!(
        (write.kind.as_str(), write.side.as_str()),
        ("patch-referral", "partner-center")
    );
    assert_eq!(write.record.as_deref(), Some(referral.as_str()));
    assert!(
        write.precondition.is_some(),
        "it is conditional on the look"
    );
    assert_eq!(
        world.control().ledger(0).len(),
        before,
        "a preview writes nothing"
    );
    world.start_host().await?;
    world
        .until("the value", |control| {
            (amount(&control.referral(&referral)?["details"]["dealValue"]) == Some(99_000.0))
                .then_some(())
        })
        .await?;
    world.quiet().await?;
    assert_eq!(written(&world, &referral, before).len(), 1);
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn s2_a_bell_rung_twice_costs_one_write() -> Told {
    let world = World::start().await?;
    let (row, referral) = world.linked(&json!({})).await?;
    let before = world.control().ledger(0).len();
    world.control().webhook_fault(WebhookFault {
        service: Service::Dataverse,
        kind: WebhookFaultKind::Duplicate,
        count: Some(1),
    });
    world
        .control()
        .seller_updates("opportunity", &row, &json!({ "estimatedvalue": 99_000 }))?;
    world
        .until("the value", |control| {
            (amount(&control.referral(&referral)?["details"]["dealValue"]) == Some(99_000.0))
                .then_some(())
        })
        .await?;
    world.quiet().await?;
    let writes = written(&world, &referral, before);
    assert_eq!(writes.len(), 1, "{writes:?}");
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn s2_a_ring_during_a_run_is_answered_by_another_run() -> Told {
    let world = World::start().await?;
    let (row, referral) = world.linked(&json!({})).await?;
    // The run has read the referral already when the row comes back, and Partner Center's edit is made meanwhile.
    world.control().fault(slow_reads(600));
    world
        .control()
        .seller_updates("opportunity", &row, &json!({ "estimatedvalue": 99_000 }))?;
    world
        .status_where(|status| status.deals.iter().any(|deal| deal.state == "running"))
        .await?;
    world.control().partner_user_patches(
        &referral,
        &json!([{ "op": "replace", "path": "/details/notes", "value": "meanwhile" }]),
    )?;
    world.control().clear_faults();
    world
        .until("both edits on both sides", |control| {
            let (there, here) = (
                control.referral(&referral)?,
                control.row("opportunity", &row)?,
            );
            (amount(&there["details"]["dealValue"]) == Some(99_000.0)
                && here["description"] == "meanwhile")
                .then_some(())
        })
        .await?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn s6_a_colleagues_edit_between_our_write_and_the_next_read_survives() -> Told {
    let world = World::start().await?;
    let (row, referral) = world.linked(&json!({})).await?;
    let before = world.control().ledger(0).len();
    world.control().fault(slow_reads(600));
    world.control().partner_user_patches(
        &referral,
        &json!([{ "op": "replace", "path": "/details/notes", "value": "from the portal" }]),
    )?;
    // Our write is in, and the read that follows it is still on its way.
    world
        .until("our own write", |control| {
            let ours = control.ledger(0).split_off(before);
            ours.iter()
                .any(|entry| entry.record.contains(&row))
                .then_some(())
        })
        .await?;
    world.control().seller_updates(
        "opportunity",
        &row,
        &json!({ "description": "a colleague's" }),
    )?;
    world.control().clear_faults();
    world
        .until("the colleague's notes in Partner Center", |control| {
            (control.referral(&referral)?["details"]["notes"] == "a colleague's").then_some(())
        })
        .await?;
    world.quiet().await?;
    let here = world.control().row("opportunity", &row).expect("the row");
    assert_eq!(here["description"], "a colleague's");
    world.end().await
}

/// The next changes of a referral take so long, one after the other, before they are made.
fn slow_patches(ms: &[u64]) -> FaultScript {
    let steps = ms.iter().map(|ms| Some(FaultKind::Delay { ms: *ms }));
    FaultScript {
        service: Service::Referrals,
        method: Some("PATCH".into()),
        path_prefix: String::new(),
        steps: steps.collect(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s6_a_write_that_lands_when_its_host_is_gone_asks_nobody() -> Told {
    let mut world = World::start().await?;
    let (row, referral) = world.linked(&json!({})).await?;
    let notes = |text: &str| json!({ "description": text });
    let now = Instant::now();
    let patches = |control: &Control, count: usize| {
        let came = control.requests(now);
        let came = came.iter().filter(|one| {
            one.service == Service::Referrals && one.method == "PATCH" && one.at >= now
        });
        (came.count() >= count).then_some(())
    };
    // The host dies while its write is on the way; the next one looks, finds nothing of it, and writes once more.
    world.control().fault_script(slow_patches(&[3_000, 4_000]));
    world
        .control()
        .seller_updates("opportunity", &row, &notes("first"))?;
    world
        .until("a write on its way", |control| patches(control, 1))
        .await?;
    world.cut_host();
    world.start_host().await?;
    world
        .until("the next host's write on its way", |control| {
            patches(control, 2)
        })
        .await?;
    // Now the first lands, and the second will come too late for it.
    world
        .until("the first write", |control| {
            (control.referral(&referral)?["details"]["notes"] == "first").then_some(())
        })
        .await?;
    world
        .control()
        .seller_updates("opportunity", &row, &notes("second"))?;
    world
        .until("what the seller said last", |control| {
            (control.referral(&referral)?["details"]["notes"] == "second").then_some(())
        })
        .await?;
    let here = world.control().row("opportunity", &row).expect("the row");
    assert_eq!(here["description"], "second");
    world.end().await
}
