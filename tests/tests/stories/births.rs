//! How deals come into being, on either side, once.

use cosell_simulator::{
    Arrival, Assumptions, Fault, FaultKind, Service, SimulatorConfig, WebhookFault,
    WebhookFaultKind,
};
use cosell_tests::{World, id, text};
use serde_json::json;

use crate::{AUDIT, HELP, IDENTIFIER, Told, once};

#[tokio::test(flavor = "multi_thread")]
async fn s12_a_sellers_opportunity_becomes_a_co_sell_deal_and_microsoft_is_invited_once() -> Told {
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
    let audit = text(&dressed, AUDIT);
    assert!(
        audit.contains("the deal is in Partner Center and Microsoft is invited"),
        "{audit}"
    );
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
async fn s20_an_incomplete_deal_waits_without_a_cross_and_goes_on_when_it_is_complete() -> Told {
    let world = World::start().await?;
    let account = world.account("Contoso Kft.", "HU")?;
    let row = json!({
        "name": "Data platform", "estimatedvalue": 1_000, "estimatedclosedate": "2026-12-15",
        "parentaccountid@odata.bind": format!("/accounts({account})"), "msft_microsoftpartnercenterreferralsync": true,
    });
    let row = id(&world.control().seller_creates("opportunity", &row)?.record);
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
async fn a_bell_about_a_record_that_is_gone_costs_one_look() -> Told {
    let world = World::start().await?;
    let account = world.account("Contoso Kft.", "HU")?;
    let row = json!({ "name": "A mistake", "msft_microsoftpartnercenterreferralsync": true, "parentaccountid@odata.bind": format!("/accounts({account})") });
    let row = id(&world.control().seller_creates("opportunity", &row)?.record);
    world.control().seller_deletes("opportunity", &row)?;
    world.quiet().await?;
    assert_eq!(world.control().counts().referrals, 0);
    world.end_in(&["settled", "waiting"]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn s13_a_copied_row_is_told_and_never_shares_the_originals_referral() -> Told {
    let world = World::start().await?;
    let account = world.account("Contoso Kft.", "HU")?;
    let row = world.opportunity(&account, &json!({}))?;
    let referral = text(&world.referral_of(&row).await?, "id");
    world.row_of(&referral).await?;
    world.quiet().await?;
    let copy = world.opportunity(
        &account,
        &json!({ "name": "Copy of it", IDENTIFIER: referral }),
    )?;
    let told = world
        .until("a cross on the copy", |control| {
            control
                .row("opportunity", &copy)
                .filter(|row| text(row, "name").starts_with('✖'))
        })
        .await?;
    assert!(
        text(&told, AUDIT).contains("copied"),
        "{}",
        text(&told, AUDIT)
    );
    // The remedy that it names.
    world.control().seller_updates(
        "opportunity",
        &copy,
        &json!({ IDENTIFIER: null, "description": "my own deal" }),
    )?;
    let own = text(&world.referral_of(&copy).await?, "id");
    assert_ne!(own, referral);
    world.row_of(&own).await?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn s13_two_lanes_that_made_the_same_row_at_the_same_moment_end_in_one() -> Told {
    let world = World::with(
        SimulatorConfig {
            assumptions: Assumptions {
                // So that the lane of our own referral cannot see that Microsoft's has one, too.
                list_shows_related: false,
                ..Assumptions::default()
            },
            ..SimulatorConfig::demo()
        },
        &[],
    )
    .await?;
    // Microsoft's rings first, and both lanes have looked before either has made the lead.
    world.control().webhook_fault(WebhookFault {
        service: Service::PartnerCenter,
        count: Some(1),
        kind: WebhookFaultKind::Delay { ms: 300 },
    });
    world.control().fault(Fault {
        service: Service::Dataverse,
        method: Some("PATCH".to_owned()),
        path_prefix: String::new(),
        skip: 0,
        count: None,
        kind: FaultKind::Delay { ms: 1_000 },
    });
    let arrival = world.control().referral_arrives_as(
        Arrival::CoSell,
        &json!({
            "name": "Both ring", "customerProfile": { "name": "Fabrikam GmbH",
                "address": { "addressLine1": "Main Street 1", "city": "Berlin", "postalCode": "10115", "country": "DE" } },
            "consent": { "consentToToShareInfoWithOthers": true, "consentToContact": true, "consentToShareReferralWithMicrosoftSellers": true },
            "details": { "notes": "both ring", "dealValue": 1_000, "currency": "EUR", "closingDateTime": "2027-03-31T00:00:00Z",
                "requirements": { "solutions": [{ "type": "Name", "id": "SOL-12345-ABC", "name": "Our app" }] } },
        }),
    )?;
    let referral = id(&arrival.record);
    world
        .until("our id in the referral", |control| {
            (!control.referral(&referral)?["externalReferenceId"].is_null()).then_some(())
        })
        .await?;
    world.control().clear_faults();
    let status = world
        .status_where(|status| {
            let deals = status.deals.iter();
            let lanes: Vec<_> = deals.filter(|deal| deal.state != "retired").collect();
            lanes.len() == 1 && lanes[0].microsoft_referral.is_some()
        })
        .await?;
    let of_referral = status
        .deals
        .iter()
        .filter(|deal| deal.referral.as_deref() == Some(referral.as_str()));
    assert_eq!(of_referral.count(), 1);
    world.quiet().await?;
    assert_eq!(world.control().counts().leads, 1);
    world.end().await
}
