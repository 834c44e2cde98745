//! Leads: what nobody has accepted yet, what becomes of it, and by whom (S17).

use cosell_simulator::Arrival;
use cosell_tests::{World, text};
use serde_json::{Value, json};

use crate::{IDENTIFIER, Told};

fn arriving() -> Value {
    json!({
        "name": "Data platform", "customerProfile": {
            "name": "Fabrikam Zrt.",
            "address": { "addressLine1": "Main Street 1", "city": "Budapest", "postalCode": "1051", "country": "HU" },
            "team": [{ "firstName": "Béla", "lastName": "Nagy", "email": "bela.nagy@fabrikam.example", "phoneNumber": "+36 1 555 0123" }] },
        "consent": { "consentToToShareInfoWithOthers": true, "consentToContact": true, "consentToShareReferralWithMicrosoftSellers": true },
        "details": { "notes": "they called us", "dealValue": 40_000, "currency": "EUR", "closingDateTime": "2027-03-31T00:00:00Z",
            "requirements": { "solutions": [{ "type": "Name", "id": "SOL-12345-ABC", "name": "Our app" }] } },
    })
}

async fn lead_of(world: &World, referral: &str) -> anyhow::Result<Value> {
    world
        .until("the lead of a referral", |control| {
            control
                .rows("lead")
                .into_iter()
                .find(|row| row[IDENTIFIER] == *referral)
        })
        .await
}

async fn opportunity_of(world: &World, lead: &str) -> anyhow::Result<Value> {
    world
        .until("the opportunity of a lead", |control| {
            let id = control.opportunity_of(lead)?;
            control
                .row("opportunity", &id)
                .filter(|row| row[IDENTIFIER].is_string())
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn s17_an_inbound_deal_is_a_lead_and_its_acceptance_makes_the_opportunity_and_no_second_referral()
-> Told {
    let world = World::start().await?;
    let arrived = world
        .control()
        .referral_arrives_as(Arrival::CoSell, &arriving())?;
    let referral = arrived.record;
    let lead = lead_of(&world, &referral).await?;
    assert_eq!(lead["companyname"], "Fabrikam Zrt.");
    assert_eq!(lead["lastname"], "Nagy");
    let lead = text(&lead, "leadid");
    world.quiet().await?;
    assert_eq!(world.control().rows("opportunity").len(), 0);
    world.control().partner_user_accepts(&referral)?;
    let opportunity = opportunity_of(&world, &lead).await?;
    assert_eq!(opportunity[IDENTIFIER], json!(referral));
    world.quiet().await?;
    let opportunity = world
        .control()
        .row("opportunity", &text(&opportunity, "opportunityid"))
        .expect("it is there");
    assert!(
        opportunity["_parentaccountid_value"].is_string(),
        "its customer was found or made: {opportunity}"
    );
    assert_eq!(opportunity["description"], "they called us");
    assert_eq!(world.control().rows("account").len(), 1);
    let own = world
        .control()
        .referrals()
        .into_iter()
        .filter(|referral| referral["organizationId"] != "msft")
        .count();
    assert_eq!(own, 1, "never a second referral");
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn s17_a_lead_that_a_seller_qualifies_is_accepted_in_partner_center() -> Told {
    let world = World::start().await?;
    let arrived = world
        .control()
        .referral_arrives_as(Arrival::CoSell, &arriving())?;
    let referral = arrived.record;
    let lead = text(&lead_of(&world, &referral).await?, "leadid");
    world.quiet().await?;
    world.control().seller_qualifies(
        &lead,
        &json!({ "CreateAccount": true, "CreateContact": true, "CreateOpportunity": true, "Status": 3 }),
    )?;
    world
        .until("the acceptance", |control| {
            (control.referral(&referral)?["substatus"] == "Accepted").then_some(())
        })
        .await?;
    let opportunity = opportunity_of(&world, &lead).await?;
    assert_eq!(opportunity[IDENTIFIER], json!(referral));
    world.quiet().await?;
    let kept = world.control().referral(&referral).expect("it is there");
    assert_eq!(
        kept["details"]["notes"], "they called us",
        "what the new row does not show is not emptied"
    );
    // The deal goes on as that opportunity.
    world.control().seller_updates(
        "opportunity",
        &text(&opportunity, "opportunityid"),
        &json!({ "description": "met them" }),
    )?;
    world
        .until("the edit of the opportunity", |control| {
            (control.referral(&referral)?["details"]["notes"] == "met them").then_some(())
        })
        .await?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn s17_a_disqualified_lead_is_a_held_decline() -> Told {
    let world = World::with(
        cosell_simulator::SimulatorConfig::demo(),
        &[("hold.declined", "\"confirm\"")],
    )
    .await?;
    let arrived = world
        .control()
        .referral_arrives_as(Arrival::CoSell, &arriving())?;
    let referral = arrived.record;
    let lead = text(&lead_of(&world, &referral).await?, "leadid");
    world.quiet().await?;
    world.control().seller_disqualifies(&lead, -1)?;
    world.hold("declined").await?;
    let seen = world.control().referral(&referral).expect("it is there");
    assert_ne!(seen["substatus"], "Declined", "held");
    world.settle("declined", true).await?;
    world
        .until("the decline", |control| {
            (control.referral(&referral)?["substatus"] == "Declined").then_some(())
        })
        .await?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lead_edited_on_both_sides_keeps_both_edits() -> Told {
    let world = World::start().await?;
    let arrived = world
        .control()
        .referral_arrives_as(Arrival::QualifiedLead, &arriving())?;
    let referral = arrived.record;
    let lead = text(&lead_of(&world, &referral).await?, "leadid");
    world.quiet().await?;
    world
        .control()
        .seller_updates("lead", &lead, &json!({ "description": "edited here" }))?;
    let patch = json!([{ "op": "replace", "path": "/details/dealValue", "value": 50_000 }]);
    world.control().partner_user_patches(&referral, &patch)?;
    world
        .until("both edits on both sides", |control| {
            let (there, here) = (control.referral(&referral)?, control.row("lead", &lead)?);
            (there["details"]["notes"] == "edited here"
                && cosell_tests::amount(&here["estimatedamount"]) == Some(50_000.0))
            .then_some(())
        })
        .await?;
    world.end().await
}
