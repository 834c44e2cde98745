//! Each symptom of the connector's troubleshooting page, and how a story reproduces it here. (connector 1.15)
//!
//! | symptom | how |
//! |---|---|
//! | `WorkflowTriggerNotFound`, `ChildFlowNeverPublished`, connections cannot be added, flows will not turn on | Power Automate's own; there is nothing here to break |
//! | sign-in error, user lacks Referrals admin | `set_role(mail, Role::None)`; `ReferralsUser` for the silent subset |
//! | `Request to XRM API failed … 0x80040216` | `fault(dataverse, answer 500)` |
//! | the default lead status is not one of the defined values | `retire_status("lead", 1)`, or `add_status` for own ones |
//! | Access denied, CRM side | `set_crm_account(WithoutRole)`; one row: `hide_record(table, id, Forbidden)` |
//! | Access denied, Partner Center side | `set_role`; one deal: `hide_record("referral", id, Forbidden)` |
//! | customer account country code missing | an account without country: the referral's POST answers `invalidCountry` |
//! | Solution ID is required | a deal without solution, shared: `solutionIdRequired` |
//! | not synced, no flow error | `webhook_fault(partner-center, drop)` |
//! | deal was closed by mistake | `partner_user_closes(id, "Lost", …)`: every patch answers `referralClosed` |
//! | leads do not arrive, the flow never fires though registered | `take_registration(url)`; several tenants: a second organisation |
//! | connector was disconnected, syncs missed: password expired | `expire_password(mail)`; over with `consent_again(mail)` |
//! | duplicates, many runs | `webhook_fault(partner-center, duplicate)`; a lost answer: `fault(…, drop-after)` |
//! | referral not synced properly: contact missing though help is asked | an invitation without contact: `customerContactRequired` |
//! | errors on *Create a new opportunity* and *Create a new account* | `require_column(table, column, true)` |
//! | a deal never arrives after staging → production | `copy_environment()`; or `externalReferenceId` of a row that is not there |

use cosell_simulator::{
    Arrival, CrmAccount, Fault, FaultKind, OrganizationConfig, Role, Service, SimulatorConfig,
    WebhookFault, WebhookFaultKind,
};
use serde_json::{Value, json};

use super::harness::{Receiver, World, deal, patch};

async fn registered(world: &World) -> Receiver {
    let receiver = Receiver::start().await;
    let body = json!({"WebhookUrl": receiver.url, "WebhookEvents": ["referral-created", "referral-updated"]});
    assert_eq!(world.hooks("POST", "", Some(body)).await.status, 200);
    receiver
}

fn lost(count: u32, kind: WebhookFaultKind) -> WebhookFault {
    WebhookFault {
        service: Service::PartnerCenter,
        count: Some(count),
        kind,
    }
}

#[tokio::test]
async fn the_user_lacks_referrals_admin() {
    let world = World::start().await;
    let mail = world.running.organizations[0].user_mail.clone();
    world.control().set_role(&mail, Role::None);
    assert_eq!(world.pc("GET", "", &[], None).await.status, 403);
}

#[tokio::test]
async fn request_to_xrm_api_failed_0x80040216() {
    let world = World::start().await;
    world.control().fault(Fault {
        service: Service::Dataverse,
        method: None,
        path_prefix: String::new(),
        skip: 0,
        count: Some(1),
        kind: FaultKind::Answer {
            status: 500,
            code: None,
            retry_after_s: None,
        },
    });
    let failed = world.crm("GET", "leads", &[], None).await;
    assert_eq!((failed.status, failed.code()), (500, "0x80040216"));
    assert_eq!(world.crm("GET", "leads", &[], None).await.status, 200);
}

#[tokio::test]
async fn the_default_lead_status_is_not_one_of_the_defined_values() {
    let world = World::start().await;
    let control = world.control();
    control
        .add_status("lead", 727_000_000, "Open - fresh", 0)
        .unwrap();
    control.retire_status("lead", 1).unwrap();
    let hard_coded = json!({"lastname": "L", "statuscode": 1});
    world
        .refuses("POST", "leads", hard_coded, (400, "0x8004431a"))
        .await;
    let id = world.create("leads", json!({"lastname": "L"})).await;
    assert_eq!(
        world.row("lead", &id)["statuscode"],
        2,
        "the first that is left is the default"
    );
    control.retire_status("lead", 2).unwrap();
    let id = world.create("leads", json!({"lastname": "L"})).await;
    assert_eq!(world.row("lead", &id)["statuscode"], 727_000_000);
    for (table, value) in [
        ("lead", 727_000_000),
        ("lead", 99),
        ("campaign", 1),
        ("moon", 1),
    ] {
        assert!(control.retire_status(table, value).is_err());
    }
    for (table, value, state) in [("lead", 3, 1), ("lead", 8, 9), ("campaign", 8, 0)] {
        assert!(control.add_status(table, value, "x", state).is_err());
    }
}

#[tokio::test]
async fn access_denied_in_the_crm() {
    let world = World::start().await;
    world.control().set_crm_account(CrmAccount::WithoutRole);
    let denied = world.crm("GET", "opportunities", &[], None).await;
    assert_eq!((denied.status, denied.code()), (403, "0x80042f09"));
}

#[tokio::test]
async fn country_solution_or_contact_is_missing() {
    let world = World::start().await;
    let mut body = deal();
    body["customerProfile"]["address"]["country"] = Value::Null;
    let refused = world.pc("POST", "", &[], Some(body)).await;
    assert_eq!((refused.status, refused.code()), (400, "invalidCountry"));
    let mut body = deal();
    body["details"]["requirements"]["solutions"] = json!([]);
    let refused = world.pc("POST", "", &[], Some(body)).await;
    assert_eq!(refused.code(), "solutionIdRequired");
    assert_eq!(
        refused.body["error"]["message"],
        "Solution ID is required to share a deal with Microsoft."
    );
    let own = world.deal().await;
    let mut body = deal();
    body["engagementId"] = own["engagementId"].clone();
    body["target"] = json!([{"type": "BusinessProfileLocation", "id": "msft"}]);
    body["inviteContext"] = json!({"assistanceRequestCode": "QuotesOrLicensing"});
    body["customerProfile"]["team"] = json!([]);
    let refused = world.pc("POST", "", &[], Some(body)).await;
    assert_eq!(refused.code(), "customerContactRequired");
}

#[tokio::test]
async fn a_change_is_never_told_of() {
    let world = World::start().await;
    let mut receiver = registered(&world).await;
    world
        .control()
        .webhook_fault(lost(1, WebhookFaultKind::Drop));
    world
        .control()
        .referral_arrives_as(Arrival::QualifiedLead, &deal())
        .unwrap();
    assert!(receiver.nothing_more(&world).await);
    assert_eq!(world.control().deliveries()[0].outcome, "dropped");
}

#[tokio::test]
async fn a_deal_was_closed_by_mistake() {
    let world = World::start().await;
    let id = world.deal().await["id"].as_str().unwrap().to_owned();
    world
        .control()
        .partner_user_closes(&id, "Lost", Some("by mistake"))
        .unwrap();
    let note = patch(&[("/details/notes", json!("x"))]);
    let late = world.pc("PATCH", &format!("/{id}"), &[], note).await;
    assert_eq!(late.code(), "referralClosed");
}

#[tokio::test]
async fn leads_of_another_tenant_do_not_arrive() {
    let organization = |name: &str| OrganizationConfig {
        name: name.to_owned(),
        mpn_id: "1".to_owned(),
        user_mail: format!("cosell@{name}.example"),
        ..OrganizationConfig::default()
    };
    let world = World::with(SimulatorConfig {
        tls: false,
        organizations: vec![organization("first"), organization("second")],
        ..SimulatorConfig::default()
    })
    .await;
    let mut receiver = registered(&world).await;
    world
        .control()
        .referral_arrives_as(Arrival::QualifiedLead, &deal())
        .unwrap();
    assert_eq!(receiver.next().await.body["EventName"], "referral-created");
    // The second organisation's own tenant has no registration.
    let second = &world.running.organizations[1];
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", second.client_id.as_str()),
        ("client_secret", &second.client_secret),
        ("refresh_token", &second.refresh_token),
        ("resource", "https://api.partner.microsoft.com"),
    ];
    let url = format!(
        "{}/{}/oauth2/token",
        world.running.urls.entra, second.tenant_id
    );
    let sent = world.client.post(url).form(&form).send().await.unwrap();
    let token = super::harness::read(sent).await.body["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let url = format!(
        "{}/v1.0/engagements/referrals",
        world.running.urls.referrals
    );
    let made = world.send("POST", &url, &token, &[], Some(deal())).await;
    assert_eq!(made.status, 200);
    assert!(receiver.nothing_more(&world).await);
}

#[tokio::test]
async fn one_change_runs_many_times() {
    let world = World::start().await;
    let mut receiver = registered(&world).await;
    world
        .control()
        .webhook_fault(lost(1, WebhookFaultKind::Duplicate));
    world
        .control()
        .referral_arrives_as(Arrival::QualifiedLead, &deal())
        .unwrap();
    let [first, second] = [receiver.next().await, receiver.next().await];
    assert_eq!(first.raw, second.raw);
}

#[tokio::test]
async fn mandatory_columns_fail_creation() {
    let world = World::start().await;
    for (table, set, column) in [
        ("opportunity", "opportunities", "new_costcentre"),
        ("account", "accounts", "accountnumber"),
        ("lead", "leads", "companyname"),
    ] {
        world.control().require_column(table, column, true).unwrap();
        let body = json!({"description": "d"});
        world.refuses("POST", set, body, (400, "0x80072002")).await;
    }
}

#[tokio::test]
async fn a_referral_names_a_row_that_this_crm_does_not_have() {
    let world = World::start().await;
    let mut body = deal();
    body["externalReferenceId"] = json!("0a0a0a0a-0000-4000-8000-00000000dead");
    world.control().partner_user_creates(&body).unwrap();
    let audit = world.control().audit();
    assert_eq!(audit.one_sided_links.len(), 1, "{audit:?}");
}
