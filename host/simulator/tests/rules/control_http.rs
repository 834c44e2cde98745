//! Control over HTTP.

use serde_json::{Value, json};

use super::harness::{World, deal};

/// Without it the front page is a page for people.
const JSON: [(&str, &str); 1] = [("accept", "application/json")];

#[tokio::test]
async fn control_speaks_http_too() {
    let world = World::start().await;
    let root = world.running.urls.control.clone();
    let call = async |method: &str, path: &str, body: Option<Value>| {
        world
            .send(method, &format!("{root}{path}"), "", &JSON, body)
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
async fn every_act_is_reachable_over_http() {
    let world = World::start().await;
    let root = world.running.urls.control.clone();
    let call = async |method: &str, path: &str, body: Value| {
        let url = format!("{root}{path}");
        let answer = world.send(method, &url, "", &JSON, Some(body)).await;
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
    let row = world.control().opportunity_of(&lead).unwrap();
    call("POST", &format!("/rows/opportunity/{row}/lose"), none()).await;
    call("POST", &format!("/rows/opportunity/{row}/reopen"), none()).await;
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
        let id = record(call("POST", &format!("/referrals/inbound/{kind}"), deal()).await);
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
    let url = format!("{root}/referrals/{row}/registration");
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
        ("/referrals/inbound/spam", deal()),
    ] {
        let bad = world
            .send("POST", &format!("{root}{path}"), "", &[], Some(body))
            .await;
        assert_eq!(bad.status, 400, "{path}");
    }
}
