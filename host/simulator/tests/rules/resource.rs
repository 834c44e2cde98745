//! The rest of the referrals API: PUT, the substatus that is not documented, lists; and the registration host.

use cosell_simulator::SimulatorConfig;
use serde_json::{Value, json};

use super::harness::{Answer, World, patch};

/// The smallest deal that is taken.
fn least() -> Value {
    json!({"type": "Independent", "customerProfile": {"address": {"country": "US"}}, "consent": {}, "details": {}})
}

#[tokio::test]
async fn the_obsolete_put_needs_if_match_and_no_links() {
    let world = World::start().await;
    let made = world.deal().await;
    let id = made["id"].as_str().unwrap();
    let path = format!("/{id}");
    let etag = made["eTag"].as_str().unwrap();
    let mut body = made.clone();
    body["name"] = json!("Renamed");
    body["details"]["notes"] = json!("by PUT");
    let linked = world
        .pc("PUT", &path, &[("if-match", etag)], Some(body.clone()))
        .await;
    assert_eq!((linked.status, linked.code()), (400, "malformedReferral"));
    body.as_object_mut().unwrap().remove("links");
    let bare = world.pc("PUT", &path, &[], Some(body.clone())).await;
    assert_eq!((bare.status, bare.code()), (400, "ifMatchRequired"));
    let stale = world
        .pc("PUT", &path, &[("if-match", "\"0\"")], Some(body.clone()))
        .await;
    assert_eq!(
        (stale.status, stale.body["error"]["code"].as_str()),
        (412, Some("preconditionFailed"))
    );
    // The customer's name left escaped; who sends it back as it came escapes it twice.
    let put = world
        .pc("PUT", &path, &[("if-match", etag)], Some(body.clone()))
        .await;
    assert_eq!(
        (put.status, &put.body["name"], &put.body["details"]["notes"]),
        (200, &json!("Renamed"), &json!("by PUT"))
    );
    assert_eq!(put.body["createdDateTime"], made["createdDateTime"]);
    assert_eq!(
        world.referral(id)["customerProfile"]["name"],
        "Northwind &amp; Söhne"
    );
    assert_eq!(world.control().ledger(0).last().unwrap().method, "PUT");
    body["status"] = json!("Closed");
    let lone = world
        .pc("PUT", &path, &[("if-match", "*")], Some(body))
        .await;
    assert_eq!((lone.status, lone.code()), (400, "invalidStatusPair"));
}

#[tokio::test]
async fn a_referral_may_say_error_until_it_is_moved_on() {
    let world = World::start().await;
    let made = world.deal().await;
    let id = made["id"].as_str().unwrap();
    world.control().referral_fails(id, true).unwrap();
    let found = world
        .pc("GET", "?$filter=substatus eq 'Error'", &[], None)
        .await;
    assert_eq!(found.body["value"][0]["id"], json!(id));
    assert_eq!(found.body["value"][0]["status"], "Active");
    // Nobody sets it through the API, and a deal that failed can still be closed.
    let other = world.deal().await;
    let path = format!("/{}", other["id"].as_str().unwrap());
    let by_hand = world
        .pc(
            "PATCH",
            &path,
            &[],
            patch(&[("/substatus", json!("Error"))]),
        )
        .await;
    assert_eq!((by_hand.status, by_hand.code()), (400, "invalidStatusPair"));
    let won = patch(&[("/status", json!("Closed")), ("/substatus", json!("Won"))]);
    assert_eq!(
        world.pc("PATCH", &format!("/{id}"), &[], won).await.status,
        204
    );
    assert!(
        world.control().referral_fails(id, true).is_err(),
        "closed is closed"
    );
    let mended = other["id"].as_str().unwrap();
    world.control().referral_fails(mended, true).unwrap();
    world.control().referral_fails(mended, false).unwrap();
    assert_eq!(world.referral(mended)["substatus"], "Accepted");
}

#[tokio::test]
async fn lists_count_skip_top_and_select_and_carry_the_documented_context() {
    let world = World::with(SimulatorConfig {
        tls: false,
        referral_page_size: 2,
        ..SimulatorConfig::default()
    })
    .await;
    for round in 0..5 {
        let mut body = least();
        body["name"] = json!(round.to_string());
        world.pc("POST", "", &[], Some(body)).await;
    }
    let names = |answer: &Answer| {
        answer.body["value"]
            .as_array()
            .unwrap()
            .iter()
            .map(|deal| deal["name"].clone())
            .collect::<Vec<_>>()
    };
    let page = world
        .pc(
            "GET",
            "?$orderby=createdDateTime desc&$skip=1&$top=3&$count=true&$select=name",
            &[],
            None,
        )
        .await;
    assert_eq!(
        (names(&page), &page.body["@odata.count"]),
        (vec![json!("3"), json!("2")], &json!(5))
    );
    assert_eq!(page.body["value"][0], json!({"name": "3"}));
    assert!(
        page.body["@odata.context"]
            .as_str()
            .unwrap()
            .ends_with("$metadata#Referrals")
    );
    let next = page.body["@odata.nextLink"].as_str().unwrap();
    let rest = world
        .pc(
            "GET",
            &format!("?{}", next.split_once('?').unwrap().1),
            &[],
            None,
        )
        .await;
    assert_eq!(names(&rest), [json!("1")], "the third of three");
    assert!(rest.body.get("@odata.nextLink").is_none());
    for hostile in [
        "?$skiptoken=%%%",
        "?$skiptoken=eyJ9",
        "?$top=-1",
        "?$skip=x",
        "?$filter=((((",
        "?$orderby=no_such",
        "?$select=no_such",
    ] {
        let answer = world.pc("GET", hostile, &[], None).await;
        assert_eq!(
            (answer.status, &answer.body["error"]["code"]),
            (400, &json!("invalidRequest")),
            "{hostile}"
        );
    }
}

#[tokio::test]
async fn the_registration_host_echoes_its_three_headers_and_keeps_validations_for_a_week() {
    let world = World::start().await;
    let receiver = super::harness::Receiver::start().await;
    let token = world
        .user_token("https://api.partnercenter.microsoft.com")
        .await;
    let url = format!(
        "{}/webhooks/v1/registration",
        world.running.urls.partner_center
    );
    let headers = [
        ("MS-CorrelationId", "c-1"),
        ("MS-RequestId", "r-1"),
        ("X-Locale", "de-DE"),
    ];
    let body = json!({"webhookUrl": receiver.url, "webhookEvents": ["test-created"]});
    let made = world.send("POST", &url, &token, &headers, Some(body)).await;
    assert_eq!(
        (
            made.header("ms-correlationid"),
            made.header("ms-requestid"),
            made.header("x-locale")
        ),
        ("c-1", "r-1", "de-DE")
    );
    let ordered = world.hooks("POST", "/validationEvents", None).await;
    let id = ordered.body["correlationId"].as_str().unwrap().to_owned();
    assert_eq!(
        world
            .hooks("GET", &format!("/validationEvents/{id}"), None)
            .await
            .status,
        200
    );
    world.control().advance_ms(7 * 86_400_000 + 1);
    let mut world = world;
    world.sign_in().await;
    assert_eq!(
        world
            .hooks("GET", &format!("/validationEvents/{id}"), None)
            .await
            .status,
        404
    );
    for bad in [
        json!([]),
        json!({"WebhookUrl": 7}),
        json!({"WebhookUrl": "not a url", "WebhookEvents": ["test-created"]}),
        json!({"WebhookUrl": receiver.url, "WebhookEvents": "all"}),
        json!({"WebhookUrl": receiver.url, "WebhookEvents": [7]}),
        json!({"WebhookUrl": receiver.url, "WebhookEvents": ["no-such-event"]}),
    ] {
        let refused = world.hooks("PUT", "", Some(bad.clone())).await;
        assert_eq!(refused.status, 400, "{bad}");
        assert!(
            refused.body["code"].is_string()
                && refused.body["description"].is_string()
                && refused.body["data"].is_array()
                && refused.body["source"].is_string(),
            "{}",
            refused.text
        );
    }
}
