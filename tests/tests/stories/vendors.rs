//! What the vendors' papers leave open: stories that bring the host near it, and end the same in every reading that it can live with.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use cosell_host::counting;
use cosell_host::sweep::{sweep_crm, sweep_partner_center};
use cosell_simulator::{
    Arrival, Control, CrmAccount, Fault, FaultKind, Hidden, Service, WebhookFault, WebhookFaultKind,
};
use cosell_store::CursorAdvance;
use cosell_tests::{World, amend, amount, id, text};
use serde_json::{Value, json};

use crate::{IDENTIFIER, Told};

/// Longer than a credential rests after it was refused.
const A_REST: Duration = Duration::from_secs(61);
/// How long a write is held up while somebody else is quicker, in milliseconds.
const HELD_UP_MS: u64 = 2_000;
/// Sweeps after which nothing new may be left.
const SWEEPS_MAX: usize = 5;

/// Sweeps until a sweep finds nothing: the host's own writes are news to it once.
async fn swept(world: &World) -> anyhow::Result<()> {
    let desk = world.desk()?;
    for _ in 0..SWEEPS_MAX {
        let rung = sweep_crm(desk, &desk.connections["simulated"]).await?;
        desk.rope.notify_one();
        world.quiet().await?;
        if rung == 0 {
            return Ok(());
        }
    }
    anyhow::bail!("{SWEEPS_MAX} sweeps in a row rang")
}

fn notes(words: &str) -> Value {
    json!([{ "op": "replace", "path": "/details/notes", "value": words }])
}

/// Whether the row says so.
fn described(row: &str, words: &'static str) -> impl Fn(&Control) -> Option<()> {
    let row = row.to_owned();
    move |control| (control.row("opportunity", &row)?["description"] == words).then_some(())
}

/// The next such request is held up before anybody looks at it.
fn held_up(method: &str, path_prefix: &str) -> Fault {
    Fault {
        service: Service::Dataverse,
        method: Some(method.to_owned()),
        path_prefix: path_prefix.to_owned(),
        skip: 0,
        count: Some(1),
        kind: FaultKind::Delay { ms: HELD_UP_MS },
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_token_that_died_of_age_begins_anew_and_finds_what_was_missed() -> Told {
    let world = World::start().await?;
    let (row, referral) = world.linked(&json!({})).await?;
    swept(&world).await?;
    world.control().expire_delta_links();
    world.control().webhook_fault(WebhookFault {
        service: Service::Dataverse,
        kind: WebhookFaultKind::Drop,
        count: Some(1),
    });
    world
        .control()
        .seller_updates("opportunity", &row, &json!({ "description": "missed" }))?;
    world.quiet().await?;
    swept(&world).await?;
    let found = world.control().referral(&referral).unwrap_or_default();
    assert_eq!(found["details"]["notes"], "missed");
    world.end().await
}

/// A list tells neither what is gone, nor which deals looked at a row when it was another one: all of them look again.
#[tokio::test(flavor = "multi_thread")]
async fn what_changed_beside_a_deal_while_the_change_tokens_were_dead_crosses() -> Told {
    let world = World::start().await?;
    let (row, referral) = world.linked(&json!({})).await?;
    let solution = json!({
        "msft_name": "Our second app", "msft_solutionidentifier": "SOL-67890-XYZ", "msft_type": "3P",
        "msft_OpportunityId@odata.bind": format!("/opportunities({row})"),
    });
    let second = world
        .control()
        .seller_creates("msft_partnercentersolution", &solution)?;
    let solutions = |control: &Control| {
        let referral = control.referral(&referral)?;
        let list = referral["details"]["requirements"]["solutions"]
            .as_array()?
            .len();
        Some(list)
    };
    world
        .until("both solutions", |control| {
            (solutions(control)? == 2).then_some(())
        })
        .await?;
    swept(&world).await?;
    world.control().expire_delta_links();
    world.control().webhook_fault(WebhookFault {
        service: Service::Dataverse,
        kind: WebhookFaultKind::Drop,
        count: None,
    });
    world
        .control()
        .seller_deletes("msft_partnercentersolution", &id(&second.record))?;
    let contact = text(&world.control().rows("contact")[0], "contactid");
    let phone = json!({ "telephone1": "+36 1 333 3333" });
    world
        .control()
        .seller_updates("contact", &contact, &phone)?;
    world.quiet().await?;
    swept(&world).await?;
    world
        .until("the other number, and one solution", |control| {
            let team = &control.referral(&referral)?["customerProfile"]["team"];
            let is_told = team
                .as_array()?
                .iter()
                .any(|one| one["phoneNumber"] == "+36 1 333 3333");
            (is_told && solutions(control)? == 1).then_some(())
        })
        .await?;
    world.end().await
}

/// The list of a full compare tells what is there. What is missing from it rings no bell, and is found by counting.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_was_deleted_while_the_change_token_was_dead_is_found_by_the_count() -> Told {
    let world = World::start().await?;
    let (row, _) = world.linked(&json!({})).await?;
    swept(&world).await?;
    let desk = world.desk()?;
    let first = counting::count(desk, "simulated").await?;
    assert!(
        first.unexplained == 0 && first.next_at > desk.now(),
        "{first:?}"
    );
    // Nothing hangs from it any more that would lead there.
    for solution in world.control().rows("msft_partnercentersolution") {
        let id = text(&solution, "msft_partnercentersolutionid");
        world
            .control()
            .seller_deletes("msft_partnercentersolution", &id)?;
    }
    world.quiet().await?;
    // The token of this table alone is dead: with another one, all deals would be looked at.
    let stream = "crm/opportunity";
    let dead = desk.store.cursor("simulated", stream).await?;
    world.control().expire_delta_links();
    swept(&world).await?;
    let back = CursorAdvance {
        connection: "simulated".to_owned(),
        stream: stream.to_owned(),
        value: dead.context("a token that was kept")?,
    };
    desk.store.accept(Vec::new(), Some(back)).await?;
    world.control().webhook_fault(WebhookFault {
        service: Service::Dataverse,
        kind: WebhookFaultKind::Drop,
        count: None,
    });
    world.control().seller_deletes("opportunity", &row)?;
    world.quiet().await?;
    swept(&world).await?;
    let settled = world.status().await?.deals;
    assert!(
        settled.iter().any(|deal| deal.state == "settled"),
        "nobody has told: {settled:?}"
    );
    let due = counting::last(desk, "simulated").await?;
    assert!(
        due.is_some_and(|due| due.next_at <= desk.now()),
        "it is time"
    );
    counting::count(desk, "simulated").await?;
    world
        .status_where(|status| status.deals.iter().any(|deal| deal.state == "orphaned"))
        .await?;
    let again = counting::count(desk, "simulated").await?;
    assert!(!again.alarms(), "a question is an explanation: {again:?}");
    world
        .end_with(
            &["orphaned", "settled", "paused", "retired"],
            &["one_sided_links"],
        )
        .await
}

/// A list that is read while people edit may leave one out between two of its pages, and its moment is passed.
#[tokio::test(flavor = "multi_thread")]
async fn what_neither_a_webhook_nor_a_sweep_has_told_is_found_by_the_count() -> Told {
    let world = World::start().await?;
    world.linked(&json!({})).await?;
    let account = world.account("Contoso Kft.", "HU")?;
    let before = world.quiet().await?.deals.len();
    for service in [Service::PartnerCenter, Service::Dataverse] {
        world.control().webhook_fault(WebhookFault {
            service,
            kind: WebhookFaultKind::Drop,
            count: None,
        });
    }
    let referral = world.referral("Unheard of", "Fabrikam", "DE")?;
    let row = world.opportunity(&account, &json!({ "name": "Nor of this one" }))?;
    world.quiet().await?;
    let desk = world.desk()?;
    let after = world.status().await?.deals.len();
    ensure!(after == before, "nobody has told of the two");
    world.control().clear_faults();
    let found = counting::count(desk, "simulated").await?;
    ensure!(found.unexplained == 2, "{found:?}");
    world.row_of(&referral).await?;
    world.referral_of(&row).await?;
    world.quiet().await?;
    let again = counting::count(desk, "simulated").await?;
    ensure!(again.unexplained == 0, "{again:?}");
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_the_crm_tells_again_and_again_rings_once() -> Told {
    let world = World::start().await?;
    world.linked(&json!({})).await?;
    swept(&world).await?;
    // One that deals look at, and that is no deal's own.
    let contact = text(&world.control().rows("contact")[0], "contactid");
    let phone = json!({ "telephone1": "+36 1 333 3333" });
    world
        .control()
        .seller_updates("contact", &contact, &phone)?;
    world.quiet().await?;
    swept(&world).await?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_row_that_is_edited_all_the_same_changes_nothing_elsewhere() -> Told {
    let world = World::start().await?;
    let (row, referral) = world.linked(&json!({})).await?;
    let control = world.control();
    control.seller_wins(&row, &json!({}))?;
    world
        .until("the win in Partner Center", |control| {
            (control.referral(&referral)?["substatus"] == "Won").then_some(())
        })
        .await?;
    world.quiet().await?;
    let before = control.ledger(0).len();
    // The CRM may refuse this, or let it pass.
    let _told = control.seller_updates("opportunity", &row, &json!({ "description": "late" }));
    world.quiet().await?;
    let after: Vec<_> = control.ledger(0).split_off(before);
    let written = after.iter().any(|one| one.service == Service::Referrals);
    assert!(!written, "a frozen deal was written: {after:?}");
    world.end_in(&["settled", "retired", "held"]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn s19_a_deal_that_was_lost_and_is_won_after_all_leaves_partner_center_as_it_is() -> Told {
    let world = World::start().await?;
    let (row, referral) = world.linked(&json!({})).await?;
    let control = world.control();
    control.seller_loses(&row, &json!({}))?;
    world
        .until("the loss in Partner Center", |control| {
            (control.referral(&referral)?["substatus"] == "Lost").then_some(())
        })
        .await?;
    world.quiet().await?;
    let before = control.ledger(0).len();
    if control.seller_wins(&row, &json!({})).is_err() {
        // Where it has to be reopened first.
        control.seller_reopens(&row)?;
        control.seller_wins(&row, &json!({}))?;
    }
    world.quiet().await?;
    let after: Vec<_> = control.ledger(0).split_off(before);
    let written = after.iter().any(|one| one.service == Service::Referrals);
    assert!(!written, "a deal that ended was written: {after:?}");
    assert_eq!(
        control.referral(&referral).unwrap_or_default()["substatus"],
        "Lost"
    );
    world.end_in(&["settled", "retired", "held"]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_an_import_sets_closes_the_deal_like_an_action() -> Told {
    let world = World::start().await?;
    let (row, referral) = world.linked(&json!({})).await?;
    let won = json!({ "statecode": 1, "statuscode": 3 });
    let control = world.control();
    if control.seller_updates("opportunity", &row, &won).is_err() {
        control.seller_wins(&row, &json!({}))?;
    }
    world
        .until("the win in Partner Center", |control| {
            (control.referral(&referral)?["substatus"] == "Won").then_some(())
        })
        .await?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn s7_a_text_that_the_crm_keeps_in_its_own_way_is_no_edit() -> Told {
    const THERE: &str = "first line\nsecond line  \n";
    const HERE: &str = "third line\r\nfourth line\nfifth ";
    let world = World::start().await?;
    let (row, referral) = world.linked(&json!({})).await?;
    let control = world.control();
    control.partner_user_patches(&referral, &notes(THERE))?;
    let plain = |text: &Value| {
        let text = text.as_str().unwrap_or_default().replace("\r\n", "\n");
        text.trim_end().to_owned()
    };
    world
        .until("the notes in the CRM", |control| {
            let row = control.row("opportunity", &row)?;
            (plain(&row["description"]) == THERE.trim_end()).then_some(())
        })
        .await?;
    swept(&world).await?;
    let at_rest = |control: &Control| {
        let (there, here) = (
            control.referral(&referral),
            control.row("opportunity", &row),
        );
        let there = there.unwrap_or_default()["details"]["notes"].clone();
        (there, here.unwrap_or_default()["description"].clone())
    };
    assert_eq!(at_rest(control).0, THERE, "what was typed stays as it was");
    let described = json!({ "description": HERE });
    control.seller_updates("opportunity", &row, &described)?;
    let kept = at_rest(control).1;
    world
        .until("the description in Partner Center", |control| {
            let notes = &control.referral(&referral)?["details"]["notes"];
            plain(notes).ends_with("fifth").then_some(())
        })
        .await?;
    swept(&world).await?;
    assert_eq!(at_rest(control).1, kept, "and so does what was kept");
    let before = control.ledger(0).len();
    world.retry_all().await?;
    world.quiet().await?;
    assert_eq!(control.ledger(0).len(), before, "there is nothing to do");
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_to_a_row_that_is_gone_stops_the_deal_and_names_it() -> Told {
    let world = World::start().await?;
    let (row, referral) = world.linked(&json!({})).await?;
    let control = world.control();
    let currencies = control.rows("transactioncurrency");
    let is_forint = |row: &&Value| row["isocurrencycode"] == "HUF";
    let forint = currencies.iter().find(is_forint).cloned();
    let forint = text(&forint.unwrap_or_default(), "transactioncurrencyid");
    // The host has read it, and it goes.
    control.hide_record("transactioncurrency", &forint, Hidden::NotFound)?;
    let patch = json!([
        { "op": "replace", "path": "/details/dealValue", "value": 55_000 },
        { "op": "replace", "path": "/details/currency", "value": "HUF" },
    ]);
    control.partner_user_patches(&referral, &patch)?;
    let told = world
        .status_where(|now| now.deals.iter().any(|deal| deal.state == "parked"))
        .await?;
    let parked = told.deals.iter().find(|deal| deal.state == "parked");
    let reason = parked.and_then(|deal| deal.reason.clone());
    let reason = reason.unwrap_or_default();
    assert!(
        reason.contains("transactioncurrency") && reason.contains(&forint),
        "{reason}"
    );
    control.show_record("transactioncurrency", &forint)?;
    world.retry_all().await?;
    world
        .until("the amount in forint", |control| {
            let row = control.row("opportunity", &row)?;
            let is_there = amount(&row["estimatedvalue"]) == Some(55_000.0);
            (is_there && row["_transactioncurrencyid_value"] == forint.as_str()).then_some(())
        })
        .await?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_user_that_is_switched_off_blames_no_deal() -> Told {
    let world = World::start().await?;
    let (row, referral) = world.linked(&json!({})).await?;
    world.control().set_crm_account(CrmAccount::Disabled);
    let patch = notes("while it was off");
    world.control().partner_user_patches(&referral, &patch)?;
    world
        .status_where(|now| now.deals.iter().any(|deal| deal.state == "waiting"))
        .await?;
    world.control().set_crm_account(CrmAccount::Enabled);
    world.later(A_REST);
    world
        .until("the notes in the CRM", described(&row, "while it was off"))
        .await?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_expired_blames_no_deal() -> Told {
    let mut world = World::start().await?;
    let (row, referral) = world.linked(&json!({})).await?;
    let client = world.control().about()["crm"]["client_id"].clone();
    let client = client.as_str().unwrap_or_default();
    world.control().expire_secret(client, true)?;
    world.control().revoke_access_tokens();
    let patch = notes("while it was expired");
    world.control().partner_user_patches(&referral, &patch)?;
    world
        .status_where(|now| now.deals.iter().any(|deal| deal.state == "waiting"))
        .await?;
    // A person renews it and starts the host again, as after every change of a secret.
    world.control().expire_secret(client, false)?;
    world.stop_host().await;
    world.start_host().await?;
    world.later(A_REST);
    world
        .until(
            "the notes in the CRM",
            described(&row, "while it was expired"),
        )
        .await?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn s18_a_row_that_goes_while_it_is_written_is_not_made_anew() -> Told {
    let world = World::start().await?;
    let (row, referral) = world.linked(&json!({})).await?;
    let control = world.control();
    control.fault(held_up("PATCH", "/api/data/v9.2/opportunities"));
    control.partner_user_patches(&referral, &notes("too late"))?;
    world.status_where(|now| now.open_writes > 0).await?;
    control.seller_deletes("opportunity", &row)?;
    world
        .status_where(|now| now.deals.iter().any(|deal| deal.state == "orphaned"))
        .await?;
    assert!(control.row("opportunity", &row).is_none(), "it is back");
    world
        .end_with(&["orphaned", "retired"], &["one_sided_links"])
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn s15_a_close_that_somebody_saved_before_is_closed_on_the_second_look() -> Told {
    let world = World::start().await?;
    let (row, referral) = world.linked(&json!({})).await?;
    let control = world.control();
    control.fault(held_up("POST", "/api/data/v9.2/$batch"));
    let patch = json!([
        { "op": "replace", "path": "/status", "value": "Closed" },
        { "op": "replace", "path": "/substatus", "value": "Lost" },
        { "op": "replace", "path": "/statusReason", "value": "No budget" },
    ]);
    control.partner_user_patches(&referral, &patch)?;
    world.status_where(|now| now.open_writes > 0).await?;
    let saved = json!({ "closeprobability": 5 });
    control.seller_updates("opportunity", &row, &saved)?;
    world
        .until("the loss in the CRM", |control| {
            let row = control.row("opportunity", &row)?;
            (row["statecode"] == 2 && row["closeprobability"] == 5).then_some(())
        })
        .await?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deal_of_an_inactive_customer_is_made_once_the_crm_takes_it() -> Told {
    let world = World::start().await?;
    let account = world.account("Contoso Kft.", "HU")?;
    let control = world.control();
    let inactive = json!({ "statecode": 1, "statuscode": 2 });
    control.seller_updates("account", &account, &inactive)?;
    let referral = world.referral("Data platform", "Contoso Kft.", "HU")?;
    // Nobody chooses it silently; a person does.
    world.answer("account", &account).await?;
    let made = |control: &Control| {
        let rows = control.rows("opportunity").into_iter();
        rows.filter(|row| row["_customerid_value"] == account.as_str())
            .count()
    };
    world
        .status_where(|now| {
            made(control) > 0 || now.deals.iter().any(|deal| deal.state == "parked")
        })
        .await?;
    if made(control) == 0 {
        let active = json!({ "statecode": 0, "statuscode": 1 });
        control.seller_updates("account", &account, &active)?;
        world.retry_all().await?;
    }
    world.row_of(&referral).await?;
    assert_eq!(made(control), 1);
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_marketplace_lead_is_one_lead_whether_or_not_lists_tell_of_it() -> Told {
    let world = World::start().await?;
    let body = json!({
        "name": "Asked for",
        "customerProfile": { "name": "Fourth Coffee", "team": [],
            "address": { "addressLine1": "Main Street 1", "city": "Capital", "postalCode": "1010", "country": "HU" } },
        "consent": { "consentToToShareInfoWithOthers": true, "consentToContact": true, "consentToShareReferralWithMicrosoftSellers": false },
        "details": { "notes": "from the marketplace", "dealValue": 0, "currency": "EUR", "closingDateTime": null },
    });
    let control = world.control();
    let act = control.referral_arrives_as(Arrival::MarketplaceLead, &body)?;
    let referral = id(&act.record);
    let leads = |control: &Control| {
        let rows = control.rows("lead").into_iter();
        rows.filter(|row| row[IDENTIFIER] == referral.as_str())
            .count()
    };
    world
        .until("the lead", |control| (leads(control) > 0).then_some(()))
        .await?;
    world.quiet().await?;
    let desk = world.desk()?;
    sweep_partner_center(desk, &desk.connections["simulated"]).await?;
    desk.rope.notify_one();
    world.quiet().await?;
    assert_eq!(leads(control), 1);
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_does_not_arrive_leaves_the_sweep_and_travels_as_a_key_instead() -> Told {
    let mut world = World::start().await?;
    let account = world.account("Contoso Kft.", "HU")?;
    let row = world.opportunity(&account, &json!({}))?;
    world.quiet().await?;
    // What came without its secret was refused, and is found all the same.
    swept(&world).await?;
    let referral = text(&world.referral_of(&row).await?, "id");
    let noted = |words: &'static str| {
        let referral = referral.clone();
        move |control: &Control| {
            (control.referral(&referral)?["details"]["notes"] == words).then_some(())
        }
    };
    let describe = |world: &World, words: &str| {
        let described = json!({ "description": words });
        let control = world.control();
        control.seller_updates("opportunity", &row, &described)
    };
    describe(&world, "by the sweep at the latest")?;
    world.quiet().await?;
    swept(&world).await?;
    world
        .until("the first words", noted("by the sweep at the latest"))
        .await?;
    // A person who reads the refusals in the log has the secret sent as a key.
    world.stop_host().await;
    let place = "webhook_secret =";
    let header = format!("webhook_header = \"\"\n{place}");
    amend(&world.config, &[(place, &header)])?;
    world.start_host().await?;
    world
        .until("the other kind of endpoint", |control| {
            let endpoints = control.rows("serviceendpoint");
            endpoints
                .iter()
                .all(|endpoint| endpoint["authtype"] == 4)
                .then_some(())
        })
        .await?;
    let before = world.control().deliveries().len();
    describe(&world, "by its webhook")?;
    world
        .until("the second words", noted("by its webhook"))
        .await?;
    world.quiet().await?;
    let after = world.control().deliveries().split_off(before);
    let refused: Vec<_> = after
        .iter()
        .filter(|one| one.service == Service::Dataverse && one.outcome != "delivered")
        .collect();
    assert!(refused.is_empty(), "{refused:?}");
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_several_pages_is_read_to_its_end() -> Told {
    let simulator = cosell_simulator::SimulatorConfig {
        referral_page_size: 2,
        ..cosell_simulator::SimulatorConfig::demo()
    };
    let mut world = World::with(simulator, &[]).await?;
    world.stop_host().await;
    let mut made = Vec::new();
    for number in 0..5 {
        made.push(world.referral(&format!("Rollout {number}"), "Fabrikam", "DE")?);
    }
    // What happened meanwhile, its first sweep finds, on three pages.
    world.start_host().await?;
    for referral in &made {
        world.row_of(referral).await?;
    }
    world.end().await
}
