//! Control, ledger, faults, audit.

use cosell_simulator::{Fault, FaultKind, Service};
use serde_json::{Value, json};

use super::harness::{World, deal};

fn fault(service: Service, count: u32, kind: FaultKind) -> Fault {
    Fault {
        service,
        method: None,
        path_prefix: String::new(),
        skip: 0,
        count: Some(count),
        kind,
    }
}

#[tokio::test]
async fn the_ledger_holds_accepted_writes_in_order_and_no_acts() {
    let world = World::start().await;
    let act = world
        .control()
        .seller_creates("opportunity", &json!({"name": "by hand"}))
        .unwrap();
    let made = world.deal().await;
    let path = format!("opportunities({})?tag=cosell:1", act.record);
    world
        .crm(
            "PATCH",
            &path,
            &[("if-match", "*")],
            Some(json!({"description": "d", "parentaccountid@odata.bind": null})),
        )
        .await;
    world
        .crm(
            "PATCH",
            &path,
            &[("if-match", "W/\"1\"")],
            Some(json!({"description": "refused"})),
        )
        .await;
    let ledger = world.control().ledger(0);
    let told: Vec<_> = ledger
        .iter()
        .map(|e| (e.sequence, e.service, e.operation.as_str(), e.kind.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            (1, Service::Referrals, "create", "referral"),
            (2, Service::Dataverse, "update", "opportunity")
        ]
    );
    let update = &ledger[1];
    assert_eq!(
        (update.precondition.as_deref(), update.tag.as_deref()),
        (Some("if-match: *"), Some("cosell:1"))
    );
    assert_eq!(update.changed, ["description", "parentaccountid"]);
    assert_eq!(
        update.caller.user.as_deref(),
        Some(world.running.crm.app_user_id.as_str())
    );
    assert_eq!(ledger[0].record, made["id"].as_str().unwrap());
    assert!(update.time_ms >= act.time_ms && act.time_ms > 1_600_000_000_000);
    assert_eq!(world.control().ledger(1).len(), 1);
    let refused = world.control().refused();
    assert_eq!((refused.len(), refused[0].code.as_str()), (1, "0x80060882"));
    assert_eq!(world.control().acts().len(), 1);
}

#[tokio::test]
async fn a_fault_answers_with_the_services_own_error_body() {
    let world = World::start().await;
    world.control().fault(fault(
        Service::Dataverse,
        1,
        FaultKind::Answer {
            status: 429,
            code: None,
            retry_after_s: Some(17),
        },
    ));
    let throttled = world.crm("GET", "accounts", &[], None).await;
    assert_eq!(
        (
            throttled.status,
            throttled.header("retry-after"),
            throttled.code()
        ),
        (429, "17", "0x80072322")
    );
    assert_eq!(world.crm("GET", "accounts", &[], None).await.status, 200);
    let only = Fault {
        method: Some("post".to_owned()),
        path_prefix: "/v1.0".to_owned(),
        ..fault(
            Service::Referrals,
            1,
            FaultKind::Answer {
                status: 503,
                code: None,
                retry_after_s: None,
            },
        )
    };
    world.control().fault(only);
    assert_eq!(world.pc("GET", "", &[], None).await.status, 200);
    assert_eq!(
        world.pc("POST", "", &[], Some(deal())).await.body["error"]["code"],
        "serviceNotAvailable"
    );
    world.control().fault(fault(
        Service::Entra,
        5,
        FaultKind::Answer {
            status: 500,
            code: None,
            retry_after_s: None,
        },
    ));
    assert_eq!(world.token("oauth2/token", &[]).await.status, 500);
    world.control().clear_faults();
    assert_eq!(world.token("oauth2/token", &[]).await.status, 400);
}

#[tokio::test]
async fn a_lost_answer_may_or_may_not_have_been_committed() {
    let world = World::start().await;
    let url = format!(
        "{}/v1.0/engagements/referrals",
        world.running.urls.referrals
    );
    let token = world.user_token("https://api.partner.microsoft.com").await;
    let post = async || {
        world
            .client
            .post(&url)
            .bearer_auth(&token)
            .body(deal().to_string())
            .send()
            .await
    };
    world
        .control()
        .fault(fault(Service::Referrals, 1, FaultKind::DropBefore));
    assert!(post().await.is_err());
    assert_eq!(world.control().counts().referrals, 0);
    world
        .control()
        .fault(fault(Service::Referrals, 1, FaultKind::DropAfter));
    assert!(post().await.is_err());
    assert_eq!(world.control().counts().referrals, 1);
    assert!(post().await.is_ok());
    assert_eq!(
        world.control().counts().duplicates,
        1,
        "the same externalReferenceId twice"
    );
}

#[tokio::test]
async fn latency_is_added_to_every_api_call() {
    let world = World::start().await;
    world.control().set_latency_ms(60);
    let before = std::time::Instant::now();
    world.crm("GET", "WhoAmI", &[], None).await;
    assert!(before.elapsed().as_millis() >= 60);
}

#[tokio::test]
async fn the_audit_names_duplicates_and_one_sided_links() {
    let world = World::start().await;
    let control = world.control();
    let own = world.deal().await;
    let id = own["id"].as_str().unwrap();
    let names =
        |row: &str| json!([{"op": "replace", "path": "/externalReferenceId", "value": row}]);
    let row = control
        .seller_creates(
            "opportunity",
            &json!({"name": "O", "msft_microsoftpartnercenterreferralidentifier": id}),
        )
        .unwrap()
        .record;
    assert_eq!(
        control.audit().one_sided_links.len(),
        2,
        "{:?}",
        control.audit()
    );
    control.partner_user_patches(id, &names(&row)).unwrap();
    assert!(control.audit().is_clean(), "{:?}", control.audit());
    control
        .seller_creates(
            "opportunity",
            &json!({"name": "twin", "msft_microsoftpartnercenterreferralidentifier": id}),
        )
        .unwrap();
    for code in ["1234", "1234 ", "9999"] {
        let account = json!({"name": "Same", "address1_postalcode": code});
        control.seller_creates("account", &account).unwrap();
    }
    assert_eq!(
        control.audit().duplicates.len(),
        1,
        "people may make accounts twice"
    );
    let account = json!({"name": "same", "address1_postalcode": "1234"});
    world.create("accounts", account).await;
    let audit = control.audit();
    assert_eq!(
        (audit.duplicates.len(), audit.one_sided_links.len()),
        (2, 1),
        "{audit:?}"
    );
    assert_eq!(control.counts().duplicates, 2);
}

#[tokio::test]
async fn people_at_microsoft_answer_once() {
    let world = World::start().await;
    let own = world.deal().await;
    let id = own["id"].as_str().unwrap();
    assert!(
        world.control().microsoft_accepts(id, "7-A").is_err(),
        "nobody was invited"
    );
    world.invite(&own).await;
    world.control().microsoft_accepts(id, "7-A").unwrap();
    assert!(world.control().microsoft_declines(id, "no").is_err());
    world.control().microsoft_wins(id).unwrap();
    let theirs = world.control().microsoft_referral(id).unwrap();
    assert_eq!(
        (theirs["status"].as_str(), theirs["substatus"].as_str()),
        (Some("Closed"), Some("Won"))
    );
}

#[tokio::test]
async fn a_dropped_world_no_longer_listens() {
    let world = World::start().await;
    let url = world.running.urls.control.clone();
    let World {
        running, client, ..
    } = world;
    assert!(client.get(&url).send().await.is_ok());
    running.shutdown();
    let fresh = super::harness::client(None);
    while fresh.get(&url).send().await.is_ok() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_front_page_is_text_for_a_person_and_json_for_a_program() {
    let world = World::start().await;
    let url = &world.running.urls.control;
    let page = world.client.get(url).send().await.unwrap();
    let text = page.text().await.unwrap();
    for words in [
        "POST /latency {\"ms\"}",
        "added to every API call",
        "-X PATCH",
        world.running.urls.dataverse.as_str(),
    ] {
        assert!(text.contains(words), "{words:?} is not in:\n{text}");
    }
    let asked = world.client.get(url).header("accept", "application/json");
    let body: Value = asked.send().await.unwrap().json().await.unwrap();
    assert!(body["routes"].is_array() && body["crm"]["client_id"].is_string());
    let fault = world.client.post(format!("{url}/faults"));
    let refused = fault
        .body("{\"service\": \"dataverse\"}")
        .send()
        .await
        .unwrap();
    assert_eq!(refused.status(), 400);
    let why: Value = refused.json().await.unwrap();
    assert_eq!(
        why["error"],
        "the request is not understood: `kind` is missing; GET / lists the routes, with examples"
    );
}
