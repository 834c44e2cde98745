//! Lost, repeated and late events, crashes, and services that are slow.

use std::time::Duration;

use cosell_host::app::{Host, StartError};
use cosell_host::config::Config;
use cosell_host::desk::LEASE_MS;
use cosell_host::sweep::{sweep_crm, sweep_partner_center};
use cosell_host::trouble::Trouble;
use cosell_simulator::{
    Control, Fault, FaultKind, Service, SimulatorConfig, WebhookFault, WebhookFaultKind,
};
use cosell_store::{AcceptedEvent, RecordKey, StoreUrl, Throttle};
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
    let (row, referral) = world.linked(&json!({})).await?;
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
    let (row, referral) = world.linked(&json!({})).await?;
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

#[tokio::test(flavor = "multi_thread")]
async fn s31_a_solution_whose_webhook_was_lost_crosses_by_the_sweep() -> Told {
    let world = World::start().await?;
    let (row, referral) = world.linked(&json!({})).await?;
    let desk = world.desk()?;
    let connection = &desk.connections["simulated"];
    sweep_crm(desk, connection).await?;
    world.quiet().await?;
    world.control().webhook_fault(WebhookFault {
        service: Service::Dataverse,
        kind: WebhookFaultKind::Drop,
        count: Some(1),
    });
    // It changes no column of the opportunity: the sweep of that table alone would never find it.
    let solution = json!({
        "msft_name": "Our second app", "msft_solutionidentifier": "SOL-67890-XYZ", "msft_type": "3P",
        "msft_OpportunityId@odata.bind": format!("/opportunities({row})"),
    });
    world
        .control()
        .seller_creates("msft_partnercentersolution", &solution)?;
    world.quiet().await?;
    let rung = sweep_crm(desk, connection).await?;
    assert_eq!(
        rung, 1,
        "only the solution has changed since the sweep before"
    );
    desk.rope.notify_one();
    world
        .until("the second solution", |control| {
            let solutions = &control.referral(&referral)?["details"]["requirements"]["solutions"];
            solutions
                .as_array()?
                .iter()
                .any(|one| one["id"] == "SOL-67890-XYZ")
                .then_some(())
        })
        .await?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn s31_a_contact_that_is_corrected_rings_the_deals_that_look_at_it() -> Told {
    let world = World::start().await?;
    let (_row, referral) = world.linked(&json!({})).await?;
    let desk = world.desk()?;
    let connection = &desk.connections["simulated"];
    sweep_crm(desk, connection).await?;
    world.quiet().await?;
    let contact = &world.control().rows("contact")[0];
    let contact = text(contact, "contactid");
    let phone_is = |phone: &'static str| {
        let referral = referral.clone();
        move |control: &Control| {
            let team = &control.referral(&referral)?["customerProfile"]["team"];
            team.as_array()?
                .iter()
                .any(|one| one["phoneNumber"] == phone)
                .then_some(())
        }
    };
    // By its webhook: no column of the opportunity has changed.
    let correct = |phone: &str| {
        let phone = json!({ "telephone1": phone });
        world.control().seller_updates("contact", &contact, &phone)
    };
    correct("+36 1 111 1111")?;
    world
        .until("the first number", phone_is("+36 1 111 1111"))
        .await?;
    world.quiet().await?;
    // And by the sweep, when that is lost.
    sweep_crm(desk, connection).await?;
    world.quiet().await?;
    world.control().webhook_fault(WebhookFault {
        service: Service::Dataverse,
        kind: WebhookFaultKind::Drop,
        count: Some(1),
    });
    correct("+36 1 222 2222")?;
    world.quiet().await?;
    assert_eq!(
        sweep_crm(desk, connection).await?,
        1,
        "one deal looks at it"
    );
    desk.rope.notify_one();
    world
        .until("the second number", phone_is("+36 1 222 2222"))
        .await?;
    world.end().await
}

/// Every request is answered with this, until the faults are cleared.
fn always(service: Service, status: u16, retry_after_s: Option<u64>) -> Fault {
    Fault {
        service,
        method: None,
        path_prefix: String::new(),
        skip: 0,
        count: None,
        kind: FaultKind::Answer {
            status,
            code: None,
            retry_after_s,
        },
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn i11_the_sweep_makes_no_request_while_a_credential_rests() -> Told {
    let world = World::start().await?;
    world.quiet().await?;
    let desk = world.desk()?;
    let connection = &desk.connections["simulated"];
    let until = desk.now() + 3_600_000;
    let throttle = Throttle {
        credential: "dataverse".into(),
        until,
        reason: "it asked for an hour".into(),
    };
    desk.store.set_throttle("simulated", throttle).await?;
    // A request would end with one of these, and not with the hour.
    for service in [Service::Dataverse, Service::Referrals] {
        world.control().fault(always(service, 400, None));
    }
    for swept in [
        sweep_crm(desk, connection).await,
        sweep_partner_center(desk, connection).await,
    ] {
        assert!(
            matches!(&swept, Err(Trouble::NotYet { until: told, .. }) if *told == until),
            "{swept:?}"
        );
    }
    world.control().clear_faults();
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_that_may_see_both_records_of_a_deal_changes_nothing() -> Told {
    let world = World::start().await?;
    let account = world.account("Contoso Kft.", "HU")?;
    let row = world.opportunity(&account, &json!({ HELP: 299_600_005 }))?;
    let referral = text(&world.referral_of(&row).await?, "id");
    world
        .until("Microsoft's referral", |control| {
            control.microsoft_referral(&referral)
        })
        .await?;
    world.row_of(&referral).await?;
    world.quiet().await?;
    let before = world.control().ledger(0).len();
    let desk = world.desk()?;
    sweep_partner_center(desk, &desk.connections["simulated"]).await?;
    world.quiet().await?;
    assert_eq!(world.control().ledger(0).len(), before, "nothing was new");
    let counts = world.control().counts();
    assert_eq!((counts.referrals, counts.microsoft_referrals), (1, 1));
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn i11_a_sweep_that_is_slowed_down_rests_the_credential_for_deals_too() -> Told {
    /// Longer than a busy machine takes from hearing of it to reading it.
    const REST_S: u64 = 6;
    let world = World::start().await?;
    world.quiet().await?;
    let desk = world.desk()?;
    let connection = &desk.connections["simulated"];
    for (service, credential) in [
        (Service::Dataverse, "dataverse"),
        (Service::Referrals, "partner-center"),
    ] {
        let before = desk.now();
        world.control().fault(always(service, 429, Some(REST_S)));
        let swept = loop {
            let swept = match service {
                Service::Dataverse => sweep_crm(desk, connection).await,
                _ => sweep_partner_center(desk, connection).await,
            };
            // A busy machine may cut a line: that says nothing of rest.
            if !matches!(&swept, Err(Trouble::Remote(cut)) if cut.status.is_none()) {
                break swept;
            }
        };
        world.control().clear_faults();
        // The host's own sweep may have heard it first.
        let slowed = matches!(swept, Err(Trouble::Remote(_) | Trouble::NotYet { .. }));
        assert!(slowed, "{swept:?}");
        let throttles = desk.store.throttles("simulated").await?;
        let rests = throttles.iter().find(|one| one.credential == credential);
        let until = rests.map(|one| one.until);
        assert!(
            until.is_some_and(|until| until >= before + 1_000 * REST_S.cast_signed()),
            "{credential}: {throttles:?} after {swept:?}"
        );
        // The host's own sweep may have been slowed down after it, and rests longer.
        while desk
            .store
            .throttles("simulated")
            .await?
            .iter()
            .any(|one| one.until >= desk.now())
        {
            tokio::task::yield_now().await;
        }
    }
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn i11_webhooks_are_registered_when_the_credential_may_be_used_again_and_not_before() -> Told
{
    let mut world = World::start().await?;
    world.quiet().await?;
    let desk = world.desk()?;
    let rest_ms = 2_000;
    let began = world.control().now().as_millisecond();
    let throttle = Throttle {
        credential: "partner-center".into(),
        until: desk.now() + rest_ms,
        reason: "it asked for rest".into(),
    };
    desk.store.set_throttle("simulated", throttle).await?;
    world.stop_host().await;
    world
        .control()
        .take_registration("https://somebody.example/webhooks")?;
    let before = world.control().ledger(0).len();
    world.start_host().await?;
    let registered = world
        .until("the registration to be ours again", |control| {
            control
                .ledger(0)
                .into_iter()
                .skip(before)
                .find(|entry| entry.service == Service::PartnerCenter)
        })
        .await?;
    assert!(
        registered.time_ms >= began + rest_ms,
        "registered {} ms after the other side asked for {rest_ms} ms of rest",
        registered.time_ms - began
    );
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_started_twice_by_mistake_leaves_the_first_ones_leases_alone() -> Told {
    let mut world = World::start().await?;
    world.quiet().await?;
    world.stop_host().await;
    // The first host: it listens, and works on a deal.
    let config = Config::load(&world.config)?;
    let _listening = std::net::TcpListener::bind(config.server.listen)?;
    let store = cosell_store::open(&config.store, None).await?.store;
    let event = AcceptedEvent {
        connection: "simulated".into(),
        record: RecordKey {
            side: "crm".into(),
            kind: "opportunity".into(),
            id: "00000000-0000-4000-8000-000000000001".into(),
        },
        cause: "a webhook".into(),
        dedupe: None,
        lane: None,
    };
    store.accept(vec![event], None).await?;
    let leased = store.claim("the first host", LEASE_MS, 10).await?;
    assert_eq!(leased.len(), 1);
    let second = Host::start(&config).await;
    assert!(
        matches!(&second, Err(StartError::Listen { .. })),
        "{:?}",
        second.err()
    );
    let taken = store.claim("another host", LEASE_MS, 10).await?;
    assert!(taken.is_empty(), "{taken:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_for_metrics_refuses_the_start_before_anything_is_taken_up() -> Told {
    let mut world = World::start().await?;
    world.quiet().await?;
    world.stop_host().await;
    let mut config = Config::load(&world.config)?;
    let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
    config.metrics = Some(taken.local_addr()?);
    let store = world.config.with_file_name("untouched.db");
    config.store = StoreUrl::Sqlite(store.clone());
    let started = Host::start(&config).await;
    let told = started.err().map(|error| error.to_string());
    assert!(
        told.as_ref()
            .is_some_and(|told| told.contains("[metrics] listen")),
        "{told:?}"
    );
    assert!(
        !store.exists(),
        "the store was opened before that was known"
    );
    Ok(())
}
