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
async fn control_speaks_http_too() {
    let world = World::start().await;
    let root = world.running.urls.control.clone();
    let call = async |method: &str, path: &str, body: Option<Value>| {
        world
            .send(method, &format!("{root}{path}"), "", &[], body)
            .await
    };
    let about = call("GET", "/", None).await.body;
    assert_eq!(
        about["urls"]["dataverse"],
        world.running.urls.dataverse.as_str()
    );
    assert_eq!(
        about["crm"]["client_secret"],
        world.running.crm.client_secret.as_str()
    );
    assert!(about["routes"].as_array().unwrap().len() > 20);
    let act = call("POST", "/rows/opportunity", Some(json!({"name": "O"})))
        .await
        .body;
    let id = act["record"].as_str().unwrap();
    assert_eq!(
        call(
            "PATCH",
            &format!("/rows/opportunity/{id}"),
            Some(json!({"estimatedvalue": 5}))
        )
        .await
        .status,
        200
    );
    assert_eq!(
        call("GET", &format!("/rows/opportunity/{id}"), None)
            .await
            .body["estimatedvalue"]
            .as_f64(),
        Some(5.0)
    );
    let refused = call(
        "PATCH",
        &format!("/rows/opportunity/{id}"),
        Some(json!({"nonsense": 5})),
    )
    .await;
    assert_eq!(refused.status, 422);
    assert!(
        refused.body["error"]
            .as_str()
            .unwrap()
            .contains("0x80048d19")
    );
    assert_eq!(
        call("POST", &format!("/rows/opportunity/{id}/win"), None)
            .await
            .status,
        200
    );
    let inbound = call("POST", "/referrals/inbound", Some(deal())).await.body["record"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        call("GET", &format!("/referrals/{inbound}"), None)
            .await
            .body["substatus"],
        "Pending"
    );
    let patch = json!([{"op": "replace", "path": "/name", "value": "renamed by hand"}]);
    assert_eq!(
        call("PATCH", &format!("/referrals/{inbound}"), Some(patch))
            .await
            .status,
        200
    );
    assert_eq!(
        call("POST", &format!("/referrals/{inbound}/win"), None)
            .await
            .status,
        200
    );
    assert_eq!(
        call("GET", &format!("/referrals/{inbound}/microsoft"), None)
            .await
            .body["substatus"],
        "Won"
    );
    assert_eq!(
        call(
            "POST",
            "/columns/opportunity/new_costcentre",
            Some(json!({"required": true}))
        )
        .await
        .status,
        200
    );
    assert_eq!(
        call(
            "POST",
            "/columns/opportunity/nonsense",
            Some(json!({"required": true}))
        )
        .await
        .status,
        404
    );
    let fault =
        json!({"service": "dataverse", "count": 1, "kind": {"do": "answer", "status": 503}});
    assert_eq!(call("POST", "/faults", Some(fault)).await.status, 200);
    assert_eq!(world.crm("GET", "accounts", &[], None).await.status, 503);
    assert_eq!(
        call("POST", "/faults", Some(json!({"service": "moon"})))
            .await
            .status,
        400
    );
    let lost = json!({"service": "partner-center", "count": 1, "kind": {"do": "drop"}});
    assert_eq!(
        call("POST", "/webhook-faults", Some(lost)).await.status,
        200
    );
    assert_eq!(call("DELETE", "/faults", None).await.status, 200);
    assert_eq!(
        call("POST", "/latency", Some(json!({"ms": 1})))
            .await
            .status,
        200
    );
    let before = call("GET", "/clock", None).await.body["now"]
        .as_str()
        .unwrap()
        .to_owned();
    let after = call("POST", "/clock", Some(json!({"advance_ms": 86_400_000})))
        .await
        .body["now"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(after > before);
    for (path, empty) in [
        ("/counts", false),
        ("/audit", false),
        ("/ledger", true),
        ("/refused", true),
        ("/acts", false),
        ("/deliveries", false),
    ] {
        let body = call("GET", path, None).await.body;
        assert_eq!(
            body.as_array().is_some_and(Vec::is_empty),
            empty,
            "{path} {body}"
        );
    }
    assert_eq!(call("GET", "/nonsense", None).await.status, 404);
    assert_eq!(call("GET", "/ledger?after=x", None).await.status, 400);
    assert_eq!(
        call("POST", "/tokens/revoke-access", None).await.status,
        200
    );
    assert_eq!(world.crm("GET", "WhoAmI", &[], None).await.status, 401);
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
async fn every_act_is_reachable_over_http() {
    let world = World::start().await;
    let root = world.running.urls.control.clone();
    let call = async |method: &str, path: &str, body: Value| {
        let url = format!("{root}{path}");
        let answer = world.send(method, &url, "", &[], Some(body)).await;
        assert_eq!(answer.status, 200, "{method} {path}: {}", answer.text);
        answer.body
    };
    let record = |act: Value| act["record"].as_str().unwrap().to_owned();
    let make = async |table: &str, body: Value| {
        record(call("POST", &format!("/rows/{table}"), body).await)
    };
    let none = || json!({});

    let lead = make("lead", json!({"lastname": "L", "companyname": "C"})).await;
    call(
        "POST",
        &format!("/rows/lead/{lead}/disqualify"),
        json!({"status": 5}),
    )
    .await;
    call("POST", &format!("/rows/lead/{lead}/reactivate"), none()).await;
    let order = json!({"CreateContact": false});
    call("POST", &format!("/rows/lead/{lead}/qualify"), order).await;
    assert_eq!(call("GET", "/counts", none()).await["leads"], 1);
    let deal = world.control().opportunity_of(&lead).unwrap();
    call("POST", &format!("/rows/opportunity/{deal}/lose"), none()).await;
    call("POST", &format!("/rows/opportunity/{deal}/reopen"), none()).await;
    let [winner, loser] = [
        make("account", json!({"name": "A"})).await,
        make("account", json!({"name": "B"})).await,
    ];
    call(
        "POST",
        &format!("/rows/account/{winner}/merge"),
        json!({"loser": loser}),
    )
    .await;
    assert_eq!(world.row("account", &loser)["merged"], true);
    let contact = make("contact", json!({"lastname": "B"})).await;
    let link = format!("/rows/lead/{lead}/links/contactleads_association/{contact}");
    call("POST", &link, none()).await;
    call("DELETE", &link, none()).await;
    call(
        "POST",
        &format!("/rows/account/{winner}/hide"),
        json!({"answer": "forbidden"}),
    )
    .await;
    let hidden = world
        .crm("GET", &format!("accounts({winner})"), &[], None)
        .await;
    assert_eq!(hidden.status, 403);
    call("POST", &format!("/rows/account/{winner}/show"), none()).await;
    let status = json!({"value": 727_000_000, "label": "No budget", "state": 2});
    call("POST", "/statuses/opportunity", status).await;
    call("DELETE", "/statuses/opportunity/727000000", none()).await;

    for (kind, qualification) in [
        ("marketplace-lead", "Direct"),
        ("qualified-lead", "SalesQualified"),
        ("co-sell", "SalesQualified"),
    ] {
        let id = record(
            call(
                "POST",
                &format!("/referrals/inbound/{kind}"),
                super::harness::deal(),
            )
            .await,
        );
        assert_eq!(world.referral(&id)["qualification"], qualification);
        call("POST", &format!("/referrals/{id}/hide"), none()).await;
        call("POST", &format!("/referrals/{id}/show"), none()).await;
        if kind == "qualified-lead" {
            call(
                "POST",
                &format!("/referrals/{id}/partner/decline"),
                json!({"reason": "no"}),
            )
            .await;
            continue;
        }
        call("POST", &format!("/referrals/{id}/partner/accept"), none()).await;
        let lost = json!({"substatus": "Lost", "reason": "No budget"});
        call("POST", &format!("/referrals/{id}/partner/close"), lost).await;
        assert_eq!(world.referral(&id)["statusReason"], "No budget");
        if kind == "co-sell" {
            let note = json!([{"op": "replace", "path": "/details/notes", "value": "theirs"}]);
            call("PATCH", &format!("/referrals/{id}/microsoft"), note).await;
        }
    }
    let url = format!("{root}/referrals/{deal}/registration");
    let unknown = world
        .send("POST", &url, "", &[], Some(json!({"status": "Approved"})))
        .await;
    assert_eq!(unknown.status, 422);

    let mail = world.running.organizations[0].user_mail.clone();
    call(
        "POST",
        &format!("/users/{mail}/role"),
        json!({"role": "none"}),
    )
    .await;
    assert_eq!(world.pc("GET", "", &[], None).await.status, 403);
    call(
        "POST",
        &format!("/users/{mail}/role"),
        json!({"role": "referrals-admin"}),
    )
    .await;
    call("POST", &format!("/users/{mail}/password-expires"), none()).await;
    let fresh = call("POST", &format!("/users/{mail}/consents"), none()).await;
    assert!(fresh["refresh_token"].as_str().unwrap().starts_with("1."));
    call("POST", "/crm/account", json!({"account": "disabled"})).await;
    assert_eq!(world.crm("GET", "WhoAmI", &[], None).await.status, 403);
    call("POST", "/crm/account", json!({"account": "enabled"})).await;
    let copied = call("POST", "/crm/copy", none()).await;
    let about = call("GET", "/", none()).await;
    assert_eq!(about["crm"]["organization_id"], copied["organization_id"]);
    world
        .hooks(
            "POST",
            "",
            Some(json!({"WebhookUrl": "http://127.0.0.1:9/a", "WebhookEvents": ["test-created"]})),
        )
        .await;
    call(
        "POST",
        "/registration/take",
        json!({"url": "http://127.0.0.1:9/b"}),
    )
    .await;

    let routes = about["routes"].to_string();
    for word in [
        "qualify",
        "disqualify",
        "reactivate",
        "reopen",
        "merge",
        "links",
        "hide",
        "statuses",
        "partner/accept",
        "partner/decline",
        "partner/close",
        "inbound/{kind}",
        "/microsoft",
        "registration",
        "password-expires",
        "consents",
        "role",
        "/crm/account",
        "/crm/copy",
        "/registration/take",
    ] {
        assert!(routes.contains(word), "{word}");
    }
    for (path, body) in [
        ("/users/x/role", json!({"role": "emperor"})),
        ("/crm/account", none()),
        ("/statuses/opportunity", json!({"value": "x"})),
        ("/referrals/inbound/spam", super::harness::deal()),
    ] {
        let bad = world
            .send("POST", &format!("{root}{path}"), "", &[], Some(body))
            .await;
        assert_eq!(bad.status, 400, "{path}");
    }
}
