//! The records of a deal: Microsoft's beside ours, the lane that they share, and the conditions under which they are written.

use cosell_simulator::{Arrival, Fault, FaultKind, Service};
use cosell_tests::{World, id, text};
use serde_json::json;

use crate::{HELP, Told};

#[tokio::test(flavor = "multi_thread")]
async fn s12_the_invitation_is_a_second_post_and_its_lost_answer_invites_nobody_twice() -> Told {
    let world = World::start().await?;
    // The first POST is our own referral; the answer to the second, the invitation, is lost.
    world.control().fault(Fault {
        service: Service::Referrals,
        method: Some("POST".to_owned()),
        path_prefix: String::new(),
        skip: 1,
        count: Some(1),
        kind: FaultKind::DropAfter,
    });
    let account = world.account("Contoso Kft.", "HU")?;
    let row = world.opportunity(&account, &json!({ HELP: 299_600_005 }))?;
    let own = world.referral_of(&row).await?;
    let deal = world
        .status_where(|status| {
            status.deals.iter().any(|deal| {
                deal.microsoft_referral.is_some() && deal.crm_row.as_deref() == Some(row.as_str())
            })
        })
        .await?;
    world.quiet().await?;
    let posts = world
        .control()
        .ledger(0)
        .into_iter()
        .filter(|entry| entry.service == Service::Referrals && entry.method == "POST");
    assert_eq!(posts.count(), 2, "ours, and the invitation");
    let microsofts = world.control().microsoft_referral(&text(&own, "id"));
    let microsofts = microsofts.expect("Microsoft is invited");
    let linked = deal
        .deals
        .iter()
        .any(|deal| deal.microsoft_referral.as_deref() == Some(text(&microsofts, "id").as_str()));
    assert!(
        linked,
        "the invitation that was made is the one that is known"
    );
    let counts = world.control().counts();
    assert_eq!((counts.referrals, counts.microsoft_referrals), (1, 1));
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn s13_bells_of_both_referrals_and_of_the_row_end_in_one_lane() -> Told {
    let world = World::start().await?;
    let body = json!({
        "name": "From Microsoft", "customerProfile": { "name": "Fabrikam GmbH",
            "address": { "addressLine1": "Main Street 1", "city": "Berlin", "postalCode": "10115", "country": "DE" } },
        "consent": { "consentToToShareInfoWithOthers": true, "consentToContact": true, "consentToShareReferralWithMicrosoftSellers": true },
        "details": { "notes": "both ring", "dealValue": 1_000, "currency": "EUR", "closingDateTime": "2027-03-31T00:00:00Z",
            "requirements": { "solutions": [{ "type": "Name", "id": "SOL-12345-ABC", "name": "Our app" }] } },
    });
    let mut referrals = Vec::new();
    for _ in 0..4 {
        let arrival = world
            .control()
            .referral_arrives_as(Arrival::CoSell, &body)?;
        referrals.push(id(&arrival.record));
    }
    for referral in &referrals {
        world
            .until("our id in the referral", |control| {
                (!control.referral(referral)?["externalReferenceId"].is_null()).then_some(())
            })
            .await?;
    }
    let status = world.quiet().await?;
    for referral in &referrals {
        let lanes: Vec<_> = status
            .deals
            .iter()
            .filter(|deal| deal.referral.as_deref() == Some(referral.as_str()))
            .collect();
        assert_eq!(lanes.len(), 1, "{lanes:?}");
        assert!(lanes[0].microsoft_referral.is_some(), "{lanes:?}");
    }
    let others = status
        .deals
        .iter()
        .filter(|deal| deal.referral.is_none() && deal.state != "retired");
    assert_eq!(others.count(), 0, "the younger lanes have handed over");
    assert_eq!(world.control().counts().leads, referrals.len());
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn s15_what_was_seen_is_the_condition_of_every_write_that_can_have_one() -> Told {
    let world = World::start().await?;
    let account = world.account("Contoso Kft.", "HU")?;
    let row = world.opportunity(&account, &json!({}))?;
    let referral = text(&world.referral_of(&row).await?, "id");
    world.row_of(&referral).await?;
    let inbound = world.referral("Rollout", "Fabrikam GmbH", "DE")?;
    world.row_of(&inbound).await?;
    world.control().partner_user_patches(
        &referral,
        &json!([{ "op": "replace", "path": "/details/notes", "value": "from the portal" }]),
    )?;
    world
        .control()
        .seller_updates("opportunity", &row, &json!({ "estimatedvalue": 99_000 }))?;
    world.quiet().await?;
    world
        .control()
        .partner_user_closes(&referral, "Lost", Some("No budget"))?;
    world
        .until("the loss in the CRM", |control| {
            (control.row("opportunity", &row)?["statecode"] == 2).then_some(())
        })
        .await?;
    world.quiet().await?;
    let deals = [
        "opportunity",
        "account",
        "contact",
        "referral",
        "msft_partnercentersolution",
    ];
    let ledger = world.control().ledger(0);
    let of_deals: Vec<_> = ledger
        .iter()
        .filter(|entry| deals.contains(&entry.kind.as_str()))
        .collect();
    assert!(of_deals.len() >= 6, "{of_deals:?}");
    for entry in of_deals {
        let condition = entry.precondition.as_deref().unwrap_or_default();
        match (entry.operation.as_str(), entry.kind.as_str()) {
            // A referral's creation and a close have no condition of their own.
            ("create", "referral") | ("win" | "lose", _) => {}
            ("create", _) => assert_eq!(condition.to_lowercase(), "if-none-match: *", "{entry:?}"),
            _ => assert!(
                condition.to_lowercase().starts_with("if-match: "),
                "{entry:?}"
            ),
        }
    }
    // The close rode behind a conditional write of the same row.
    let of_row: Vec<&str> = ledger
        .iter()
        .filter(|entry| entry.record == row)
        .map(|entry| entry.operation.as_str())
        .collect();
    assert!(of_row.ends_with(&["update", "lose"]), "{of_row:?}");
    world.end().await
}
