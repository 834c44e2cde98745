//! Stories of deals, told against both sides over real HTTPS. The judge is the ledger of the simulator, never our own database.
#![allow(missing_docs, reason = "tests are read by their names")]

use std::time::Duration;

use cosell_simulator::{
    Fault, FaultKind, Service, SimulatorConfig, WebhookFault, WebhookFaultKind,
};
use cosell_tests::{World, amount, text};
use serde_json::json;

type Told = anyhow::Result<()>;

/// The next matching call is struck, and no other.
fn once(service: Service, method: Option<&str>, kind: FaultKind) -> Fault {
    Fault {
        service,
        method: method.map(str::to_owned),
        path_prefix: String::new(),
        skip: 0,
        count: Some(1),
        kind,
    }
}

const IDENTIFIER: &str = "msft_microsoftpartnercenterreferralidentifier";
const AUDIT: &str = "msft_microsoftpartnercenterreferralsyncaudit";
const HELP: &str = "msft_microsoftpartnercenterhelp";

#[tokio::test(flavor = "multi_thread")]
async fn a_sellers_opportunity_becomes_a_co_sell_deal_and_microsoft_is_invited_once() -> Told {
    let world = World::start().await?;
    let account = world.account("Contoso Kft.", "Hungary")?;
    let row = world.opportunity(&account, &json!({ HELP: 299_600_005 }))?;
    let referral = world.referral_of(&row).await?;
    let id = text(&referral, "id");
    let microsoft = world
        .until("Microsoft's referral", |control| {
            control.microsoft_referral(&id)
        })
        .await?;
    let dressed = world.row_of(&id).await?;
    world.quiet().await?;

    assert_eq!(referral["type"], "Shared");
    assert_eq!(
        referral["customerProfile"]["address"]["country"], "HU",
        "the country plugin turned the name into a code"
    );
    assert_eq!(
        microsoft["inviteContext"]["assistanceRequestCode"],
        "GeneralOrOther"
    );
    assert_eq!(microsoft["engagementId"], referral["engagementId"]);
    assert_eq!(text(&dressed, "name"), "✔ Data platform");
    assert!(text(&dressed, "msft_microsoftpartnercenterreferrallink").ends_with(&id));
    assert!(!text(&dressed, AUDIT).is_empty());
    let seen = world
        .control()
        .row("opportunity", &row)
        .expect("the row is there");
    assert_eq!(
        seen["msft_microsoftpartnercenterreferralvisible"], true,
        "help makes a deal visible, and the CRM shows it"
    );
    let invited = world
        .control()
        .referrals()
        .into_iter()
        .filter(|one| one["organizationId"] == "msft")
        .count();
    assert_eq!(invited, 1);
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_on_both_sides_survive_each_other_and_nothing_echoes() -> Told {
    let world = World::start().await?;
    let account = world.account("Contoso Kft.", "HU")?;
    let row = world.opportunity(&account, &json!({}))?;
    let referral = text(&world.referral_of(&row).await?, "id");
    world.row_of(&referral).await?;
    world.quiet().await?;
    let before = world.control().ledger(0).len();

    world.control().seller_updates(
        "opportunity",
        &row,
        &json!({ "estimatedvalue": 150_000, "estimatedclosedate": "2027-01-31" }),
    )?;
    world.control().partner_user_patches(
        &referral,
        &json!([{ "op": "replace", "path": "/details/notes", "value": "from the portal" }]),
    )?;
    world
        .until("both edits on both sides", |control| {
            let (there, here) = (
                control.referral(&referral)?,
                control.row("opportunity", &row)?,
            );
            let crossed = amount(&there["details"]["dealValue"]) == Some(150_000.0)
                && text(&there["details"], "closingDateTime").starts_with("2027-01-31")
                && here["description"] == "from the portal";
            crossed.then_some(())
        })
        .await?;
    world.quiet().await?;
    let writes = world.control().ledger(0).len() - before;
    assert_eq!(
        writes,
        2,
        "one patch and one update: {:?}",
        world.control().ledger(0).split_off(before)
    );
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn s10_a_conflict_follows_the_policy_and_the_loser_is_written_down() -> Told {
    let world = World::with(SimulatorConfig::demo(), &[("on_conflict", "\"crm\"")]).await?;
    let account = world.account("Contoso Kft.", "HU")?;
    let row = world.opportunity(&account, &json!({}))?;
    let referral = text(&world.referral_of(&row).await?, "id");
    world.row_of(&referral).await?;
    world.quiet().await?;

    // No webhook tells of the first edit, so that one look sees both.
    world.control().webhook_fault(WebhookFault {
        service: Service::PartnerCenter,
        kind: WebhookFaultKind::Drop,
        count: Some(1),
    });
    world.control().partner_user_patches(
        &referral,
        &json!([{ "op": "replace", "path": "/details/notes", "value": "portal" }]),
    )?;
    world
        .control()
        .seller_updates("opportunity", &row, &json!({ "description": "crm" }))?;
    world
        .until("the CRM's notes in Partner Center", |control| {
            (control.referral(&referral)?["details"]["notes"] == "crm").then_some(())
        })
        .await?;
    world.quiet().await?;
    let told = world.history(&row).await?;
    assert!(
        told.iter()
            .any(|line| line.contains("\"portal\" → \"crm\"")),
        "the loser is not in the audit: {told:?}"
    );
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn microsoft_accepts_and_its_id_and_status_arrive() -> Told {
    let world = World::start().await?;
    let account = world.account("Contoso Kft.", "HU")?;
    let row = world.opportunity(&account, &json!({ HELP: 299_600_005 }))?;
    let referral = text(&world.referral_of(&row).await?, "id");
    let microsoft = world
        .until("Microsoft's referral", |control| {
            control.microsoft_referral(&referral)
        })
        .await?;
    world.row_of(&referral).await?;
    world
        .control()
        .microsoft_accepts(&text(&microsoft, "id"), "7-ABC123XYZ")?;
    let seen = world
        .until("Microsoft's id", |control| {
            control
                .row("opportunity", &row)
                .filter(|row| row["msft_microsoftcrmidentifier"] == "7-ABC123XYZ")
        })
        .await?;
    assert!(
        text(&seen, AUDIT).contains("Accepted"),
        "{}",
        text(&seen, AUDIT)
    );
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn s14_two_deals_of_one_new_customer_make_one_account() -> Told {
    let world = World::start().await?;
    let first = world.referral("Rollout 1", "Fabrikam & Sons", "DE")?;
    let second = world.referral("Rollout 2", "Fabrikam & Sons", "DE")?;
    let rows = [world.row_of(&first).await?, world.row_of(&second).await?];
    world.quiet().await?;
    assert_eq!(
        rows[0]["_parentaccountid_value"],
        rows[1]["_parentaccountid_value"]
    );
    let accounts = world.control().rows("account");
    assert_eq!(accounts.len(), 1, "{accounts:?}");
    assert_eq!(
        accounts[0]["name"], "Fabrikam & Sons",
        "the wire escapes the name, the CRM must not"
    );
    let linked = world
        .until("our id in Partner Center", |control| {
            control
                .referral(&first)
                .filter(|one| !one["externalReferenceId"].is_null())
        })
        .await?;
    assert_eq!(linked["externalReferenceId"], rows[0]["opportunityid"]);
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn s16_a_deal_won_in_the_crm_closes_there_and_is_frozen_afterwards() -> Told {
    let world = World::start().await?;
    let account = world.account("Contoso Kft.", "HU")?;
    let row = world.opportunity(&account, &json!({}))?;
    let referral = text(&world.referral_of(&row).await?, "id");
    world.row_of(&referral).await?;
    world.quiet().await?;
    world.control().seller_wins(&row, &json!({}))?;
    world
        .until("the win in Partner Center", |control| {
            (control.referral(&referral)?["substatus"] == "Won").then_some(())
        })
        .await?;
    world.quiet().await?;
    let before = world.control().ledger(0).len();
    // A late bell about a closed deal: looked at, and left alone.
    world.control().seller_updates(
        "opportunity",
        &row,
        &json!({ "statecode": 0, "statuscode": 1 }),
    )?;
    world
        .control()
        .seller_updates("opportunity", &row, &json!({ "description": "too late" }))?;
    world.quiet().await?;
    let referral = world.control().referral(&referral).expect("it is there");
    assert_eq!(referral["details"]["notes"], "first notes");
    let writes: Vec<_> = world
        .control()
        .ledger(0)
        .split_off(before)
        .into_iter()
        .filter(|entry| entry.service == Service::Referrals)
        .collect();
    assert!(writes.is_empty(), "a frozen deal was written: {writes:?}");
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deal_lost_in_partner_center_is_lost_in_the_crm_with_its_last_values() -> Told {
    let world = World::start().await?;
    let account = world.account("Contoso Kft.", "HU")?;
    let row = world.opportunity(&account, &json!({}))?;
    let referral = text(&world.referral_of(&row).await?, "id");
    world.row_of(&referral).await?;
    world.quiet().await?;
    let patch = json!([
        { "op": "replace", "path": "/details/notes", "value": "no budget this year" },
        { "op": "replace", "path": "/status", "value": "Closed" },
        { "op": "replace", "path": "/substatus", "value": "Lost" },
        { "op": "replace", "path": "/statusReason", "value": "No budget" },
    ]);
    world.control().partner_user_patches(&referral, &patch)?;
    let closed = world
        .until("the loss in the CRM", |control| {
            control
                .row("opportunity", &row)
                .filter(|row| row["statecode"] == 2)
        })
        .await?;
    assert_eq!(
        closed["description"], "no budget this year",
        "columns ride before the close"
    );
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn s20_an_incomplete_deal_waits_without_a_cross_and_goes_on_when_it_is_complete() -> Told {
    let world = World::start().await?;
    let account = world.account("Contoso Kft.", "HU")?;
    let row = json!({
        "name": "Data platform", "estimatedvalue": 1_000, "estimatedclosedate": "2026-12-15",
        "parentaccountid@odata.bind": format!("/accounts({account})"), "msft_microsoftpartnercenterreferralsync": true,
    });
    let row = cosell_tests::id(&world.control().seller_creates("opportunity", &row)?.record);
    let waiting = loop {
        let status = world.quiet().await?;
        if let Some(deal) = status
            .deals
            .into_iter()
            .find(|deal| deal.state == "waiting")
        {
            break deal;
        }
        tokio::task::yield_now().await;
    };
    assert!(
        waiting
            .reason
            .as_deref()
            .is_some_and(|reason| reason.contains("no solution")),
        "{:?}",
        waiting.reason
    );
    let seen = world
        .control()
        .row("opportunity", &row)
        .expect("the row is there");
    assert_eq!(
        seen["name"], "Data platform",
        "no cross while the seller is typing"
    );
    let solution = json!({ "msft_name": "Our app", "msft_solutionidentifier": "SOL-1-AAA", "msft_OpportunityId@odata.bind": format!("/opportunities({row})") });
    world
        .control()
        .seller_creates("msft_partnercentersolution", &solution)?;
    world.referral_of(&row).await?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn s26_a_refusal_is_shown_once_where_the_seller_looks_and_goes_when_it_is_mended() -> Told {
    let world = World::with(SimulatorConfig::demo(), &[("incomplete_minutes", "0")]).await?;
    let account = world.account("Contoso Kft.", "Neverland")?;
    let row = world.opportunity(&account, &json!({}))?;
    let crossed = world
        .until("a cross and an audit line", |control| {
            let row = control.row("opportunity", &row)?;
            let told = text(&row, AUDIT).contains("country");
            (text(&row, "name").starts_with('✖') && told).then_some(row)
        })
        .await?;
    assert!(
        text(&crossed, AUDIT).contains("Neverland") || text(&crossed, AUDIT).contains("no country"),
        "{}",
        text(&crossed, AUDIT)
    );
    world.quiet().await?;
    let marks = world
        .control()
        .ledger(0)
        .into_iter()
        .filter(|entry| entry.record.contains(&row))
        .count();
    assert_eq!(
        marks, 1,
        "one failure, one mark: our own cross must not ring us awake for another"
    );

    world.control().seller_updates(
        "account",
        &account,
        &json!({ "address1_country": "Hungary" }),
    )?;
    world.control().seller_updates(
        "opportunity",
        &row,
        &json!({ "description": "country corrected" }),
    )?;
    let referral = text(&world.referral_of(&row).await?, "id");
    let healed = world.row_of(&referral).await?;
    assert!(text(&healed, "name").starts_with('✔'), "{}", healed["name"]);
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_to_the_post_makes_no_second_referral() -> Told {
    let world = World::start().await?;
    let account = world.account("Contoso Kft.", "HU")?;
    world
        .control()
        .fault(once(Service::Referrals, Some("POST"), FaultKind::DropAfter));
    let row = world.opportunity(&account, &json!({}))?;
    let referral = text(&world.referral_of(&row).await?, "id");
    world.row_of(&referral).await?;
    world.quiet().await?;
    assert_eq!(
        world.control().referrals().len(),
        1,
        "the referral was found by our id and not posted again"
    );
    world.end().await
}

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
async fn a_colleagues_save_in_between_is_never_overwritten() -> Told {
    let world = World::start().await?;
    let account = world.account("Contoso Kft.", "HU")?;
    let row = world.opportunity(&account, &json!({}))?;
    let referral = text(&world.referral_of(&row).await?, "id");
    world.row_of(&referral).await?;
    world.quiet().await?;
    // The first update of the row is answered 412, as if someone had just saved it; and someone does.
    world.control().fault(once(
        Service::Dataverse,
        Some("PATCH"),
        FaultKind::Answer {
            status: 412,
            code: Some("0x80060882".into()),
            retry_after_s: None,
        },
    ));
    world.control().partner_user_patches(
        &referral,
        &json!([{ "op": "replace", "path": "/details/dealValue", "value": 77_000 }]),
    )?;
    world.control().seller_updates(
        "opportunity",
        &row,
        &json!({ "description": "my own words" }),
    )?;
    world
        .until("both edits on both sides", |control| {
            let (there, here) = (
                control.referral(&referral)?,
                control.row("opportunity", &row)?,
            );
            (amount(&here["estimatedvalue"]) == Some(77_000.0)
                && there["details"]["notes"] == "my own words"
                && here["description"] == "my own words")
                .then_some(())
        })
        .await?;
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

#[tokio::test(flavor = "multi_thread")]
async fn s21_switching_sync_off_pauses_and_on_resumes() -> Told {
    let world = World::start().await?;
    let account = world.account("Contoso Kft.", "HU")?;
    let row = world.opportunity(&account, &json!({}))?;
    let referral = text(&world.referral_of(&row).await?, "id");
    world.row_of(&referral).await?;
    world.quiet().await?;
    world.control().seller_updates(
        "opportunity",
        &row,
        &json!({ "msft_microsoftpartnercenterreferralsync": false }),
    )?;
    world.quiet().await?;
    let before = world.control().ledger(0).len();
    world
        .control()
        .seller_updates("opportunity", &row, &json!({ "description": "while off" }))?;
    world.control().partner_user_patches(
        &referral,
        &json!([{ "op": "replace", "path": "/details/dealValue", "value": 5 }]),
    )?;
    world.quiet().await?;
    assert_eq!(
        world.control().ledger(0).len(),
        before,
        "no writes either way while it is off"
    );
    world.control().seller_updates(
        "opportunity",
        &row,
        &json!({ "msft_microsoftpartnercenterreferralsync": true }),
    )?;
    world
        .until("both edits", |control| {
            let (there, here) = (
                control.referral(&referral)?,
                control.row("opportunity", &row)?,
            );
            (there["details"]["notes"] == "while off"
                && amount(&here["estimatedvalue"]) == Some(5.0))
            .then_some(())
        })
        .await?;
    assert_eq!(world.control().counts().duplicates, 0);
    assert_eq!(
        world.row_of(&referral).await?[IDENTIFIER],
        referral.as_str()
    );
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn s18_a_deleted_row_is_never_recreated_and_nothing_is_written_until_a_person_decides() -> Told
{
    let mut world = World::start().await?;
    let account = world.account("Contoso Kft.", "HU")?;
    let row = world.opportunity(&account, &json!({}))?;
    let referral = text(&world.referral_of(&row).await?, "id");
    world.row_of(&referral).await?;
    world.quiet().await?;
    let before = world.control().ledger(0).len();
    world.control().seller_deletes("opportunity", &row)?;
    world.control().partner_user_patches(
        &referral,
        &json!([{ "op": "replace", "path": "/details/notes", "value": "still here" }]),
    )?;
    let orphan = loop {
        let status = world.quiet().await?;
        if let Some(deal) = status
            .deals
            .into_iter()
            .find(|deal| deal.state == "orphaned")
        {
            break deal;
        }
        tokio::task::yield_now().await;
    };
    assert!(
        orphan
            .reason
            .as_deref()
            .is_some_and(|reason| reason.contains(&row)),
        "{:?}",
        orphan.reason
    );
    assert_eq!(
        world.control().ledger(0).len(),
        before,
        "nothing was written"
    );
    world.stop_host().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bell_about_a_record_that_is_gone_costs_one_look() -> Told {
    let world = World::start().await?;
    let account = world.account("Contoso Kft.", "HU")?;
    let row = json!({ "name": "A mistake", "msft_microsoftpartnercenterreferralsync": true, "parentaccountid@odata.bind": format!("/accounts({account})") });
    let row = cosell_tests::id(&world.control().seller_creates("opportunity", &row)?.record);
    world.control().seller_deletes("opportunity", &row)?;
    world.quiet().await?;
    assert_eq!(world.control().counts().referrals, 0);
    world.end_in(&["settled", "waiting"]).await
}
