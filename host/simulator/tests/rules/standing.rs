//! How accounts stand, records that are no longer seen, and an environment that was copied.

use cosell_simulator::{Arrival, CrmAccount, Hidden, Role, Simulator, SimulatorConfig};
use serde_json::{Value, json};

use super::harness::{REPRESENTATION, Receiver, World, deal, patch};

fn mail(world: &World) -> String {
    world.running.organizations[0].user_mail.clone()
}

async fn refresh(world: &World, token: &str) -> super::harness::Answer {
    let partner = &world.running.organizations[0];
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", partner.client_id.as_str()),
        ("client_secret", &partner.client_secret),
        ("refresh_token", token),
        ("resource", "https://api.partner.microsoft.com"),
    ];
    world.token("oauth2/token", &form).await
}

#[tokio::test]
async fn without_a_role_every_referral_call_is_403() {
    let world = World::start().await;
    let id = world.deal().await["id"].as_str().unwrap().to_owned();
    let path = format!("/{id}");
    let note = patch(&[("/details/notes", json!("x"))]);
    world.control().set_role(&mail(&world), Role::None);
    for (method, path, body) in [
        ("GET", "", None),
        ("GET", path.as_str(), None),
        ("POST", "", Some(deal())),
        ("PATCH", &path, note.clone()),
    ] {
        let refused = world.pc(method, path, &[], body).await;
        assert_eq!(refused.status, 403);
        let error = &refused.body["error"];
        assert_eq!(error["code"], "accessDenied");
        assert!(error["message"].is_string() && error["innerError"]["code"].is_string());
    }
    world
        .control()
        .set_role(&mail(&world), Role::ReferralsAdmin);
    assert_eq!(world.pc("PATCH", &path, &[], note).await.status, 204);
}

#[tokio::test]
async fn a_referrals_user_sees_a_silent_subset_and_changes_nothing() {
    let world = World::start().await;
    let mut mine = deal();
    mine["team"] = json!([{"firstName": "C", "email": mail(&world).to_uppercase()}]);
    let mine = world.control().partner_user_creates(&mine).unwrap().record;
    let other = world
        .control()
        .partner_user_creates(&deal())
        .unwrap()
        .record;
    world.control().set_role(&mail(&world), Role::ReferralsUser);
    let listed = world.pc("GET", "", &[], None).await.body;
    assert_eq!(listed["value"].as_array().map(Vec::len), Some(1));
    assert_eq!(listed["value"][0]["id"], mine.as_str());
    for (id, status) in [(&mine, 200), (&other, 404)] {
        let path = format!("/{id}");
        assert_eq!(world.pc("GET", &path, &[], None).await.status, status);
    }
    let note = patch(&[("/details/notes", json!("x"))]);
    assert_eq!(
        world
            .pc("PATCH", &format!("/{mine}"), &[], note)
            .await
            .status,
        403
    );
    assert_eq!(world.pc("POST", "", &[], Some(deal())).await.status, 403);
}

#[tokio::test]
async fn an_expired_password_ends_refreshing_until_the_user_consents_again() {
    let world = World::start().await;
    let partner = world.running.organizations[0].clone();
    let control = world.control();
    control.expire_password(&partner.user_mail).unwrap();
    let refused = refresh(&world, &partner.refresh_token).await;
    assert_eq!(
        (refused.status, refused.body["error"].as_str()),
        (400, Some("invalid_grant"))
    );
    assert_eq!(refused.body["error_codes"], json!([50_173]));
    assert!(
        refused.body["error_description"]
            .as_str()
            .unwrap()
            .starts_with("AADSTS50173: ")
    );
    assert_eq!(
        world.pc("GET", "", &[], None).await.status,
        200,
        "an access token lives on"
    );
    let fresh = control.consent_again(&partner.user_mail).unwrap();
    assert_eq!(refresh(&world, &fresh).await.status, 200);
    assert_eq!(refresh(&world, &partner.refresh_token).await.status, 400);
    assert!(control.expire_password("nobody@x.example").is_err());
    assert!(control.consent_again("nobody@x.example").is_err());
}

#[tokio::test]
async fn a_hidden_referral_is_not_listed_not_told_of_and_answers_404_or_403() {
    let world = World::start().await;
    let mut receiver = Receiver::start().await;
    let body = json!({"WebhookUrl": receiver.url, "WebhookEvents": ["referral-updated"]});
    assert_eq!(world.hooks("POST", "", Some(body)).await.status, 200);
    let kept = world.deal().await["id"].as_str().unwrap().to_owned();
    let lost = world.deal().await["id"].as_str().unwrap().to_owned();
    let control = world.control();
    let note = patch(&[("/details/notes", json!("x"))]);
    for (hidden, status, code) in [
        (Hidden::NotFound, 404, "itemNotFound"),
        (Hidden::Forbidden, 403, "accessDenied"),
    ] {
        control.hide_record("referral", &lost, hidden).unwrap();
        let path = format!("/{lost}");
        for (method, body) in [("GET", None), ("PATCH", note.clone())] {
            let refused = world.pc(method, &path, &[], body).await;
            assert_eq!(
                (refused.status, refused.body["error"]["code"].as_str()),
                (status, Some(code))
            );
        }
        let listed = world.pc("GET", "", &[], None).await.body;
        assert_eq!(listed["value"][0]["id"], kept.as_str());
        assert_eq!(listed["value"].as_array().map(Vec::len), Some(1));
    }
    control
        .partner_user_patches(&lost, &note.clone().unwrap())
        .unwrap();
    assert!(receiver.nothing_more(&world).await);
    control.show_record("referral", &lost).unwrap();
    let told = world.pc("GET", &format!("/{lost}"), &[], None).await.body;
    assert_eq!(
        told["details"]["notes"], "x",
        "what happened behind the veil is there"
    );
    assert!(
        control
            .hide_record("referral", "nonsense", Hidden::NotFound)
            .is_err()
    );
}

#[tokio::test]
async fn a_hidden_row_is_gone_from_lists_expands_and_deltas_and_cannot_be_written() {
    let world = World::start().await;
    let account = world.create("accounts", json!({"name": "Lost"})).await;
    let other = world.create("accounts", json!({"name": "Kept"})).await;
    let to = json!({"name": "O", "parentaccountid@odata.bind": format!("/accounts({account})")});
    let deal = world.create("opportunities", to.clone()).await;
    let track = [("prefer", "odata.track-changes")];
    let start = world
        .crm("GET", "accounts?$select=name", &track, None)
        .await
        .body;
    let delta = start["@odata.deltaLink"].as_str().unwrap().to_owned();
    let delta = delta.split("/api/data/v9.2/").nth(1).unwrap();
    let control = world.control();
    let path = format!("accounts({account})");
    let link = format!("accounts({other})/account_parent_account/$ref");
    for (hidden, expected) in [
        (Hidden::NotFound, (404, "0x80040217")),
        (Hidden::Forbidden, (403, "0x80040220")),
    ] {
        control.hide_record("account", &account, hidden).unwrap();
        let name = json!({"telephone1": "1"});
        control.seller_updates("account", &account, &name).unwrap();
        for (method, path, body) in [
            ("GET", path.as_str(), None),
            ("PATCH", &path, Some(name)),
            ("DELETE", &path, None),
            ("POST", "opportunities", Some(to.clone())),
            ("POST", &link, Some(json!({"@odata.id": path}))),
        ] {
            let refused = world.crm(method, path, &[], body).await;
            assert_eq!((refused.status, refused.code()), expected, "{method}");
        }
        for (query, kept) in [("accounts?$select=name", 1), (delta, 0)] {
            let listed = world.crm("GET", query, &[], None).await.body;
            assert_eq!(
                listed["value"].as_array().map(Vec::len),
                Some(kept),
                "{query}"
            );
        }
        let expand =
            format!("opportunities({deal})?$select=name&$expand=parentaccountid($select=name)");
        let read = world.crm("GET", &expand, &[], None).await.body;
        assert_eq!(read["parentaccountid"], Value::Null);
        let counted = world.crm("GET", "accounts/$count", &[], None).await;
        assert_eq!(counted.text.trim_start_matches('\u{feff}'), "1");
    }
    control.show_record("account", &account).unwrap();
    assert_eq!(world.crm("GET", &path, &[], None).await.status, 200);
    assert!(
        control
            .hide_record("account", &deal, Hidden::NotFound)
            .is_err()
    );
}

#[tokio::test]
async fn a_hidden_lead_or_opportunity_takes_no_action() {
    let world = World::start().await;
    let lead = world.create("leads", json!({"lastname": "L"})).await;
    let deal = world.create("opportunities", json!({"name": "O"})).await;
    let control = world.control();
    control
        .hide_record("lead", &lead, Hidden::Forbidden)
        .unwrap();
    control
        .hide_record("opportunity", &deal, Hidden::Forbidden)
        .unwrap();
    let qualify = json!({"CreateAccount": false, "CreateContact": false, "CreateOpportunity": true, "Status": 3});
    let denied = (403, "0x80040220");
    let action = format!("leads({lead})/Microsoft.Dynamics.CRM.QualifyLead");
    world.refuses("POST", &action, qualify, denied).await;
    let win = json!({"Status": 3, "OpportunityClose": {"opportunityid@odata.bind": format!("/opportunities({deal})")}});
    world.refuses("POST", "WinOpportunity", win, denied).await;
}

#[tokio::test]
async fn a_copied_environment_has_all_rows_and_another_organization_id() {
    let world = World::start().await;
    let deal = world.create("opportunities", json!({"name": "O"})).await;
    let current = "RetrieveCurrentOrganization(AccessType=Microsoft.Dynamics.CRM.EndpointAccessType'Default')";
    let told = async || {
        let who = world.crm("GET", "WhoAmI", &[], None).await.body["OrganizationId"].clone();
        let detail =
            world.crm("GET", current, &[], None).await.body["Detail"]["OrganizationId"].clone();
        assert_eq!(who, detail);
        who
    };
    let before = told().await;
    assert_eq!(before, world.running.crm.organization_id.as_str());
    let fresh = world.control().copy_environment();
    let after = told().await;
    assert_ne!(before, after);
    assert_eq!(
        (after, world.control().organization_id()),
        (json!(fresh), fresh.clone())
    );
    assert_eq!(world.row("opportunity", &deal)["name"], "O");
    let mut receiver = Receiver::start().await;
    let endpoint =
        super::webhooks::endpoint(&world, &receiver, 5, super::webhooks::header_secret()).await;
    super::webhooks::step(&world, &endpoint, "Update", "opportunity", None).await;
    world
        .control()
        .seller_updates("opportunity", &deal, &json!({"name": "P"}))
        .unwrap();
    assert_eq!(
        receiver.next().await.body["OrganizationId"],
        fresh.as_str(),
        "its webhooks go on, under the new id"
    );
}

#[tokio::test]
async fn a_further_environment_is_another_crm_of_the_same_tenant() {
    let world = World::start().await;
    let config = |seed| SimulatorConfig {
        seed,
        tls: false,
        ..SimulatorConfig::demo()
    };
    let further = Simulator::start_beside(&world.running, config(2))
        .await
        .unwrap();
    let (first, second) = (&world.running.crm, &further.crm);
    assert_eq!(first.tenant_id, second.tenant_id);
    assert_ne!(first.organization_id, second.organization_id);
    assert!(
        further.organizations.is_empty(),
        "no partner is signed up there"
    );
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", &second.client_id),
        ("client_secret", &second.client_secret),
        ("scope", &format!("{}/.default", further.urls.dataverse)),
    ];
    let token = world.token("oauth2/v2.0/token", &form).await.body["access_token"].clone();
    let who = format!("{}/api/data/v9.2/WhoAmI", further.urls.dataverse);
    let token = token.as_str().unwrap();
    let answer = world.send("GET", &who, token, &[], None).await;
    assert_eq!(answer.body["OrganizationId"], *second.organization_id);
    world.create("accounts", json!({"name": "A"})).await;
    assert!(
        further.control().rows("account").is_empty(),
        "rows of its own"
    );
    let third = Simulator::start_beside(&world.running, config(3)).await;
    assert!(
        third
            .unwrap_err()
            .to_string()
            .contains("one further CRM environment")
    );
}

#[tokio::test]
async fn a_disabled_or_roleless_application_user_is_403() {
    let world = World::start().await;
    for (account, expected) in [
        (CrmAccount::Disabled, (403, "0x80040225")),
        (CrmAccount::WithoutRole, (403, "0x80042f09")),
    ] {
        world.control().set_crm_account(account);
        let refused = world.crm("GET", "WhoAmI", &[], None).await;
        assert_eq!((refused.status, refused.code()), expected);
        world
            .refuses("POST", "accounts", json!({"name": "A"}), expected)
            .await;
    }
    world.control().set_crm_account(CrmAccount::Enabled);
    assert_eq!(world.crm("GET", "WhoAmI", &[], None).await.status, 200);
}

#[tokio::test]
async fn the_registration_of_webhooks_can_be_taken_over() {
    let world = World::start().await;
    let mut receiver = Receiver::start().await;
    assert!(
        world
            .control()
            .take_registration("http://127.0.0.1:9/x")
            .is_err(),
        "there is none yet"
    );
    let body = json!({"WebhookUrl": receiver.url, "WebhookEvents": ["referral-created"]});
    assert_eq!(world.hooks("POST", "", Some(body)).await.status, 200);
    let mut other = Receiver::start().await;
    world.control().take_registration(&other.url).unwrap();
    assert_eq!(
        world.hooks("GET", "", None).await.body["WebhookUrl"],
        other.url.as_str()
    );
    world
        .control()
        .referral_arrives_as(Arrival::QualifiedLead, &deal())
        .unwrap();
    assert_eq!(other.next().await.body["EventName"], "referral-created");
    assert!(receiver.nothing_more(&world).await);
}

#[tokio::test]
async fn the_same_seed_and_the_same_acts_give_the_same_records() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let world = World::start().await;
        let control = world.control();
        let referral = control
            .referral_arrives_as(Arrival::CoSell, &deal())
            .unwrap()
            .record;
        let lead = control
            .seller_creates("lead", &json!({"lastname": "L", "companyname": "C"}))
            .unwrap()
            .record;
        control.seller_qualifies(&lead, &json!({})).unwrap();
        let other = world.create("accounts", json!({"name": "D"})).await;
        let account = control.rows("account")[0]["accountid"]
            .as_str()
            .unwrap()
            .to_owned();
        let (winner, loser) = if account == other {
            (
                control.rows("account")[1]["accountid"]
                    .as_str()
                    .unwrap()
                    .to_owned(),
                other,
            )
        } else {
            (account, other)
        };
        control.seller_merges("account", &winner, &loser).unwrap();
        let told = world
            .crm(
                "PATCH",
                &format!("accounts({winner})"),
                &[REPRESENTATION],
                Some(json!({"telephone1": "1"})),
            )
            .await
            .body;
        runs.push((
            referral,
            lead.clone(),
            control.opportunity_of(&lead),
            winner,
            loser,
            told["versionnumber"].clone(),
            control.copy_environment(),
        ));
    }
    assert_eq!(runs[0], runs[1]);
}
