//! Leads: their columns and states, qualifying, disqualifying, and how a host hears of it.

use cosell_simulator::{Assumptions, SimulatorConfig};
use serde_json::{Value, json};

use super::harness::{Receiver, World};
use super::webhooks::{attributes, endpoint, header_secret, step};

fn byron() -> Value {
    json!({"subject": "Interest", "firstname": "Ada", "lastname": "Byron", "companyname": "Analytical",
        "emailaddress1": "ada@analytical.example", "address1_postalcode": "1010", "estimatedamount": 500,
        "estimatedclosedate": "2027-01-31", "description": "wants an engine"})
}

fn order(account: bool, contact: bool, opportunity: bool) -> Value {
    json!({"CreateAccount": account, "CreateContact": contact, "CreateOpportunity": opportunity, "Status": 3})
}

async fn qualify(world: &World, lead: &str, order: Value) -> super::harness::Answer {
    let action = format!("leads({lead})/Microsoft.Dynamics.CRM.QualifyLead");
    world.crm("POST", &action, &[], Some(order)).await
}

#[tokio::test]
async fn a_lead_has_the_documented_columns_and_the_connectors() {
    let world = World::start().await;
    let listed = world
        .crm(
            "GET",
            "EntityDefinitions(LogicalName='lead')/Attributes?$select=LogicalName",
            &[],
            None,
        )
        .await
        .body;
    let names: Vec<&str> = listed["value"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|column| column["LogicalName"].as_str())
        .collect();
    for wanted in [
        "subject",
        "companyname",
        "emailaddress3",
        "telephone3",
        "estimatedamount_base",
        "address1_latitude",
        "leadsourcecode",
        "qualifyingopportunityid",
        "donotbulkemail",
        "followemail",
        "msft_microsoftpartnercenterreferralsync",
        "msft_microsoftpartnercenterreferralidentifier",
        "msft_microsoftpartnercenterreferrallink",
        "msft_microsoftpartnercenterreferralprogram",
        "msft_microsoftpartnercenterhelp",
        "msft_microsoftpartnercenterreferralvisible",
        "msft_microsoftcrmidentifier",
        "msft_microsoftpartnercenterreferralsyncaudit",
        "msft_customerpurchaseintent",
        "msft_solutionplay",
    ] {
        assert!(names.contains(&wanted), "{wanted}");
    }
    let lead = world.create("leads", byron()).await;
    let row = world.row("lead", &lead);
    assert_eq!(row["fullname"], "Ada Byron");
    assert_eq!(
        (row["statecode"].as_i64(), row["statuscode"].as_i64()),
        (Some(0), Some(1))
    );
    assert_eq!(row["followemail"], true);
}

#[tokio::test]
async fn qualify_makes_exactly_what_its_flags_say() {
    let world = World::start().await;
    for (flags, expected) in [
        ((false, false, false), &[][..]),
        ((true, false, false), &["account"]),
        ((false, true, false), &["contact"]),
        ((false, false, true), &["opportunity"]),
        ((true, true, true), &["account", "contact", "opportunity"]),
    ] {
        let lead = world.create("leads", byron()).await;
        let made = qualify(&world, &lead, order(flags.0, flags.1, flags.2)).await;
        assert_eq!(made.status, 200, "{}", made.text);
        let kinds: Vec<String> = made.body["value"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["@odata.type"].as_str().unwrap().to_owned())
            .collect();
        let expected: Vec<String> = expected
            .iter()
            .map(|table| format!("#Microsoft.Dynamics.CRM.{table}"))
            .collect();
        assert_eq!(kinds, expected);
        let after = world.row("lead", &lead);
        assert_eq!(
            (after["statecode"].as_i64(), after["statuscode"].as_i64()),
            (Some(1), Some(3))
        );
        assert_eq!(
            world.control().opportunity_of(&lead).is_some(),
            flags.2,
            "originatingleadid"
        );
    }
    let counts = world.control().counts();
    assert_eq!(
        (
            counts.leads,
            counts.accounts,
            counts.contacts,
            counts.opportunities
        ),
        (5, 2, 2, 2)
    );
}

#[tokio::test]
async fn qualify_takes_customer_currency_and_campaign_as_given() {
    let world = World::start().await;
    let account = world.create("accounts", json!({"name": "Given"})).await;
    let campaign = world.create("campaigns", json!({"name": "Spring"})).await;
    let usd = world.currency("USD").await;
    let lead = world.create("leads", byron()).await;
    let mut order = order(false, false, true);
    order["OpportunityCustomerId"] =
        json!({"accountid": account, "@odata.type": "Microsoft.Dynamics.CRM.account"});
    order["OpportunityCurrencyId"] = json!({"transactioncurrencyid": usd, "@odata.type": "Microsoft.Dynamics.CRM.transactioncurrency"});
    order["SourceCampaignId"] =
        json!({"campaignid": campaign, "@odata.type": "Microsoft.Dynamics.CRM.campaign"});
    assert_eq!(qualify(&world, &lead, order).await.status, 200);
    let deal = world.row(
        "opportunity",
        &world.control().opportunity_of(&lead).unwrap(),
    );
    assert_eq!(deal["_customerid_value"], account.as_str());
    assert_eq!(deal["_transactioncurrencyid_value"], usd.as_str());
    assert_eq!(deal["_campaignid_value"], campaign.as_str());
    assert_eq!(
        (
            deal["name"].as_str(),
            deal["description"].as_str(),
            deal["estimatedvalue"].as_f64(),
            deal["estimatedclosedate"].as_str()
        ),
        (
            Some("Interest"),
            Some("wants an engine"),
            Some(500.0),
            Some("2027-01-31")
        )
    );
    assert!(
        deal["msft_microsoftpartnercenterreferralidentifier"].is_null(),
        "no connector column crosses by itself"
    );
}

#[tokio::test]
async fn a_lead_that_has_an_account_gives_it_to_its_opportunity() {
    let world = World::start().await;
    let account = world.create("accounts", json!({"name": "Old"})).await;
    let mut body = byron();
    body["parentaccountid@odata.bind"] = json!(format!("/accounts({account})"));
    let lead = world.create("leads", body).await;
    world
        .control()
        .seller_qualifies(
            &lead,
            &json!({"CreateAccount": false, "CreateContact": false}),
        )
        .unwrap();
    let deal = world.row(
        "opportunity",
        &world.control().opportunity_of(&lead).unwrap(),
    );
    assert_eq!(deal["_parentaccountid_value"], account.as_str());
}

#[tokio::test]
async fn qualify_needs_its_flags_and_a_status_of_that_state_or_leaves_nothing() {
    let world = World::start().await;
    let lead = world.create("leads", byron()).await;
    let whole = order(true, true, true);
    for (field, value, code) in [
        ("CreateAccount", Value::Null, "0x80048d19"),
        ("CreateOpportunity", json!("yes"), "0x80048d19"),
        ("Status", Value::Null, "0x80048d19"),
        ("Status", json!(1), "0x80048408"),
        ("Status", json!(7), "0x80048408"),
    ] {
        let mut order = whole.clone();
        order[field] = value;
        let refused = qualify(&world, &lead, order).await;
        assert_eq!((refused.status, refused.code()), (400, code), "{field}");
    }
    let counts = world.control().counts();
    assert_eq!(
        (counts.accounts, counts.contacts, counts.opportunities),
        (0, 0, 0)
    );
    assert_eq!(world.row("lead", &lead)["statecode"], 0);
}

#[tokio::test]
async fn a_closed_lead_takes_nothing_but_to_be_reactivated() {
    let world = World::start().await;
    for close in [
        json!({"statecode": 2, "statuscode": 5}),
        json!({"statecode": 1, "statuscode": 3}),
    ] {
        let lead = world.create("leads", byron()).await;
        let path = format!("leads({lead})");
        assert_eq!(
            world.crm("PATCH", &path, &[], Some(close)).await.status,
            204
        );
        let frozen = (400, "0x80040230");
        world
            .refuses("PATCH", &path, json!({"subject": "late"}), frozen)
            .await;
        world
            .refuses("PATCH", &path, json!({"statuscode": 6}), frozen)
            .await;
        let again = qualify(&world, &lead, order(false, false, true)).await;
        assert_eq!((again.status, again.code()), (400, "0x80040519"));
        let reactivate = json!({"statecode": 0, "statuscode": 1});
        assert_eq!(
            world
                .crm("PATCH", &path, &[], Some(reactivate))
                .await
                .status,
            204
        );
        let late = json!({"subject": "in time"});
        assert_eq!(world.crm("PATCH", &path, &[], Some(late)).await.status, 204);
    }
}

#[tokio::test]
async fn sellers_qualify_disqualify_and_reactivate_once_each() {
    let world = World::start().await;
    let control = world.control();
    let lead = world.create("leads", byron()).await;
    assert!(control.seller_reactivates(&lead).is_err(), "it is open");
    control.seller_disqualifies(&lead, 4).unwrap();
    assert_eq!(world.row("lead", &lead)["statuscode"], 4);
    assert!(control.seller_disqualifies(&lead, 4).is_err());
    assert!(control.seller_qualifies(&lead, &json!({})).is_err());
    control.seller_reactivates(&lead).unwrap();
    assert!(
        control.seller_disqualifies(&lead, 3).is_err(),
        "that is a status of Qualified"
    );
    let act = control.seller_qualifies(&lead, &json!({})).unwrap();
    assert_eq!((act.what.as_str(), &act.record), ("qualify lead", &lead));
    let counts = control.counts();
    assert_eq!(
        (counts.accounts, counts.contacts, counts.opportunities),
        (1, 1, 1)
    );
    assert_eq!(control.counts().writes, 1, "acts are no writes of the API");
}

#[tokio::test]
async fn webhooks_and_the_delta_tell_of_leads() {
    let world = World::start().await;
    let mut receiver = Receiver::start().await;
    let endpoint = endpoint(&world, &receiver, 5, header_secret()).await;
    step(&world, &endpoint, "Create", "lead", None).await;
    step(&world, &endpoint, "Update", "lead", Some("statecode")).await;
    step(&world, &endpoint, "QualifyLead", "lead", None).await;
    let track = ("prefer", "odata.track-changes");
    let start = world
        .crm("GET", "leads?$select=subject,statecode", &[track], None)
        .await
        .body;
    let lead = world.create("leads", byron()).await;
    let created = receiver.next().await;
    assert_eq!(
        (
            created.body["MessageName"].as_str(),
            created.body["PrimaryEntityName"].as_str()
        ),
        (Some("Create"), Some("lead"))
    );
    let control = world.control();
    control
        .seller_updates("lead", &lead, &json!({"description": "no bell for this"}))
        .unwrap();
    control.seller_qualifies(&lead, &json!({})).unwrap();
    let mut told = [receiver.next().await, receiver.next().await];
    told.sort_by_key(|event| event.body["MessageName"].to_string());
    assert_eq!(told[0].body["MessageName"], "QualifyLead");
    assert_eq!(told[1].body["MessageName"], "Update");
    assert!(
        attributes(&told[1])
            .iter()
            .any(|(name, value)| name == "statecode" && value["Value"] == 1)
    );
    assert!(receiver.nothing_more(&world).await);
    let link = start["@odata.deltaLink"].as_str().unwrap();
    let path = link.split("/api/data/v9.2/").nth(1).unwrap();
    let delta = world.crm("GET", path, &[], None).await.body;
    assert_eq!(
        (
            delta["value"][0]["leadid"].as_str(),
            &delta["value"][0]["statecode"]
        ),
        (Some(lead.as_str()), &json!(1))
    );
}

#[tokio::test]
async fn an_organisations_own_mapping_may_carry_connector_columns_over() {
    let world = World::with(SimulatorConfig {
        tls: false,
        assumptions: Assumptions {
            qualify_copies_connector_columns: true,
            ..Assumptions::default()
        },
        ..SimulatorConfig::demo()
    })
    .await;
    let mut body = byron();
    body["msft_microsoftpartnercenterreferralidentifier"] = json!("R-1");
    body["msft_microsoftpartnercenterreferralsync"] = json!(true);
    let lead = world.create("leads", body).await;
    world.control().seller_qualifies(&lead, &json!({})).unwrap();
    let deal = world.row(
        "opportunity",
        &world.control().opportunity_of(&lead).unwrap(),
    );
    assert_eq!(
        (
            deal["msft_microsoftpartnercenterreferralidentifier"].as_str(),
            &deal["msft_microsoftpartnercenterreferralsync"]
        ),
        (Some("R-1"), &json!(true))
    );
}
