//! Referrals: made, listed, patched, closed, shared. (partner-center 2 to 4)

use cosell_simulator::SimulatorConfig;
use serde_json::{Value, json};

use super::harness::{REPRESENTATION, World, deal, patch};

#[tokio::test]
async fn an_own_deal_is_active_and_accepted_at_once() {
    let world = World::start().await;
    let made = world.deal().await;
    assert_eq!(
        (made["status"].as_str(), made["substatus"].as_str()),
        (Some("Active"), Some("Accepted"))
    );
    assert_eq!(made["acceptedDateTime"], made["createdDateTime"]);
    assert_eq!(
        made["organizationId"],
        world.running.organizations[0].id.as_str()
    );
    assert!(made["expirationDateTime"].is_null());
    assert_eq!(
        made["details"]["dealValue"],
        json!(5000.5),
        "a numeric string is a number"
    );
    assert_eq!(
        made["consent"]["consentToContact"], true,
        "names bind without regard to case"
    );
    for (field, value) in [
        ("quality", "Unknown"),
        ("dealSensitivity", "None"),
        ("registrationStatus", "None"),
    ] {
        assert_eq!(made[field], value);
    }
    assert_eq!(made["inviteContext"]["assistanceRequestCode"], "Unknown");
    assert_eq!(
        (&made["isSpam"], &made["tags"], &made["campaignId"]),
        (&json!(false), &json!([]), &Value::Null)
    );
    assert!(
        made["team"][0].get("contactPreference").is_some(),
        "members get every key"
    );
}

#[tokio::test]
async fn customer_names_leave_html_escaped() {
    let world = World::start().await;
    let made = world.deal().await;
    assert_eq!(made["customerProfile"]["name"], "Northwind &amp; Söhne");
    let kept = world
        .control()
        .referral(made["id"].as_str().unwrap())
        .unwrap();
    assert_eq!(kept["customerProfile"]["name"], "Northwind & Söhne");
}

#[tokio::test]
async fn a_create_without_a_required_block_or_with_a_bad_value_is_400() {
    let world = World::start().await;
    for (pointer, value) in [
        ("/type", Value::Null),
        ("/customerProfile", Value::Null),
        ("/consent", Value::Null),
        ("/details", Value::Null),
        ("/type", json!("Secret")),
        ("/customerProfile/address/country", json!("USA")),
        ("/details/dealValue", json!("12k")),
        ("/details/requirements/solutions", json!([])),
    ] {
        let mut body = deal();
        *body.pointer_mut(pointer).unwrap() = value;
        let answer = world.pc("POST", "", &[], Some(body)).await;
        assert_eq!(
            (answer.status, answer.body["error"]["code"].as_str()),
            (400, Some("invalidRequest")),
            "{pointer}"
        );
        assert_eq!(answer.body["error"]["target"], "referral");
    }
    assert_eq!(
        world.pc("POST", "", &[], Some(json!([1]))).await.status,
        400
    );
    assert_eq!(world.control().counts().referrals, 0);
}

#[tokio::test]
async fn a_second_post_to_msft_makes_a_referral_owned_by_microsoft() {
    let world = World::start().await;
    let own = world.deal().await;
    let theirs = world.invite(&own).await.body;
    assert_eq!(
        (theirs["organizationId"].as_str(), theirs["status"].as_str()),
        (Some("msft"), Some("New"))
    );
    assert_eq!(
        (theirs["substatus"].as_str(), theirs["direction"].as_str()),
        (Some("Pending"), Some("Incoming"))
    );
    assert_eq!(theirs["engagementId"], own["engagementId"]);
    assert_eq!(
        theirs["inviteContext"]["invitedBy"]["organizationId"],
        own["organizationId"]
    );
    let at = |field: &str| {
        theirs[field]
            .as_str()
            .unwrap()
            .parse::<jiff::Timestamp>()
            .unwrap()
    };
    let days = at("expirationDateTime")
        .duration_since(at("createdDateTime"))
        .as_hours()
        / 24;
    assert_eq!(days, 14);
    let filter = format!(
        "?$filter=engagementId eq '{}'",
        own["engagementId"].as_str().unwrap()
    );
    let listed = world.pc("GET", &filter, &[], None).await.body;
    assert_eq!(listed["value"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn an_unknown_engagement_is_404() {
    let world = World::start().await;
    let answer = world
        .invite(&json!({"engagementId": "0a0a0a0a-0000-4000-8000-000000000001"}))
        .await;
    assert_eq!(
        (answer.status, answer.body["error"]["code"].as_str()),
        (404, Some("itemNotFound"))
    );
}

#[tokio::test]
async fn help_needs_a_customer_contact() {
    let world = World::start().await;
    let own = world.deal().await;
    let mut body = deal();
    body["engagementId"] = own["engagementId"].clone();
    body["customerProfile"]["team"] = json!([]);
    body["target"] = json!([{"type": "BusinessProfileLocation", "id": "msft"}]);
    body["inviteContext"] = json!({"assistanceRequestCode": "GeneralOrOther"});
    assert_eq!(
        world.pc("POST", "", &[], Some(body)).await.code(),
        "customerContactRequired"
    );
}

#[tokio::test]
async fn only_the_owner_may_change_a_referral() {
    let world = World::start().await;
    let theirs = world.invite(&world.deal().await).await.body;
    let path = format!("/{}", theirs["id"].as_str().unwrap());
    assert_eq!(world.pc("GET", &path, &[], None).await.status, 200);
    assert_eq!(
        world
            .pc("PATCH", &path, &[], patch(&[("/statusReason", json!("x"))]))
            .await
            .status,
        403
    );
}

#[tokio::test]
async fn patch_answers_204_or_200_with_a_representation() {
    let world = World::start().await;
    let path = format!("/{}", world.deal().await["id"].as_str().unwrap());
    let silent = world
        .pc(
            "PATCH",
            &path,
            &[],
            patch(&[("/details/notes", json!("a"))]),
        )
        .await;
    assert_eq!((silent.status, silent.text.as_str()), (204, ""));
    let told = world
        .pc(
            "PATCH",
            &path,
            &[REPRESENTATION],
            patch(&[("/details/dealValue", json!("10000"))]),
        )
        .await;
    assert_eq!(
        (told.status, &told.body["details"]["dealValue"]),
        (200, &json!(10000))
    );
    assert_eq!(told.header("etag"), told.body["eTag"].as_str().unwrap());
}

#[tokio::test]
async fn etags_are_quoted_and_a_stale_one_is_412() {
    let world = World::start().await;
    let made = world.deal().await;
    let etag = made["eTag"].as_str().unwrap();
    assert!(
        etag.starts_with('"') && etag.ends_with("0000\"") && etag.contains("-0000-0100-0000-"),
        "{etag}"
    );
    let path = format!("/{}", made["id"].as_str().unwrap());
    let change = patch(&[("/details/notes", json!("n"))]);
    assert_eq!(
        world
            .pc("PATCH", &path, &[("if-match", etag)], change.clone())
            .await
            .status,
        204
    );
    let stale = world
        .pc("PATCH", &path, &[("if-match", etag)], change.clone())
        .await;
    assert_eq!(
        (stale.status, stale.body["error"]["code"].as_str()),
        (412, Some("preconditionFailed"))
    );
    // Without the header there is no check, and even a change of nothing gives a new tag.
    let told = world.pc("PATCH", &path, &[REPRESENTATION], change).await;
    assert_eq!(told.status, 200);
    assert_ne!(told.body["eTag"], made["eTag"]);
}

#[tokio::test]
async fn a_lone_status_patch_is_refused() {
    let world = World::start().await;
    let path = format!("/{}", world.deal().await["id"].as_str().unwrap());
    for lone in [("/status", json!("Closed")), ("/substatus", json!("Won"))] {
        assert_eq!(
            world.pc("PATCH", &path, &[], patch(&[lone])).await.code(),
            "invalidStatusPair"
        );
    }
}

#[tokio::test]
async fn only_documented_moves_are_allowed() {
    let world = World::start().await;
    let path = format!("/{}", world.deal().await["id"].as_str().unwrap());
    for (status, substatus) in [
        ("New", "Pending"),
        ("Closed", "Declined"),
        ("Closed", "Expired"),
    ] {
        let answer = world
            .pc(
                "PATCH",
                &path,
                &[],
                patch(&[("/status", json!(status)), ("/substatus", json!(substatus))]),
            )
            .await;
        assert_eq!(answer.code(), "invalidTransition", "{status}/{substatus}");
    }
    let inbound = world.control().referral_arrives(&deal()).unwrap().record;
    let won = patch(&[("/status", json!("Closed")), ("/substatus", json!("Won"))]);
    assert_eq!(
        world
            .pc("PATCH", &format!("/{inbound}"), &[], won)
            .await
            .code(),
        "invalidTransition"
    );
    let accept = patch(&[
        ("/status", json!("Active")),
        ("/substatus", json!("Accepted")),
    ]);
    let accepted = world
        .pc("PATCH", &format!("/{inbound}"), &[REPRESENTATION], accept)
        .await;
    assert!(accepted.body["acceptedDateTime"].is_string());
}

#[tokio::test]
async fn a_closed_referral_is_frozen() {
    let world = World::start().await;
    let path = format!("/{}", world.deal().await["id"].as_str().unwrap());
    let won = patch(&[("/status", json!("Closed")), ("/substatus", json!("Won"))]);
    let closed = world.pc("PATCH", &path, &[REPRESENTATION], won).await;
    assert!(closed.body["closedDateTime"].is_string());
    let late = world
        .pc(
            "PATCH",
            &path,
            &[],
            patch(&[("/details/notes", json!("late"))]),
        )
        .await;
    assert_eq!((late.status, late.code()), (400, "referralClosed"));
    assert_eq!(world.control().audit().closed_deal_writes.len(), 1);
}

#[tokio::test]
async fn only_add_and_replace_on_listed_paths() {
    let world = World::start().await;
    let made = world.deal().await;
    let path = format!("/{}", made["id"].as_str().unwrap());
    for body in [
        json!({"name": "x"}),
        json!([]),
        json!([{"op": "remove", "path": "/team"}]),
        json!([{"op": "replace", "path": "/name", "value": "x"}]),
        json!([{"op": "replace", "path": "/customerProfile/name", "value": "x"}]),
        json!([{"op": "replace", "path": "/details/notes"}]),
        json!([{"op": "replace", "path": "/details/notes", "value": {"a": 1}}]),
    ] {
        assert_eq!(
            world
                .pc("PATCH", &path, &[], Some(body.clone()))
                .await
                .status,
            400,
            "{body}"
        );
    }
    let add = json!([{"op": "add", "path": "/team/-", "value": {"firstName": "E", "email": "e@us.example"}}]);
    let added = world.pc("PATCH", &path, &[REPRESENTATION], Some(add)).await;
    assert_eq!(added.body["team"].as_array().unwrap().len(), 2);
    assert_eq!(
        world
            .control()
            .referral(made["id"].as_str().unwrap())
            .unwrap()["name"],
        made["name"]
    );
}

#[tokio::test]
async fn sharing_with_sellers_cannot_be_taken_back() {
    let world = World::start().await;
    let path = format!("/{}", world.deal().await["id"].as_str().unwrap());
    let hide = patch(&[(
        "/consent/consentToShareReferralWithMicrosoftSellers",
        json!(false),
    )]);
    assert_eq!(
        world.pc("PATCH", &path, &[], hide).await.code(),
        "consentIrrevocable"
    );
}

#[tokio::test]
async fn an_unanswered_invitation_expires_after_14_days() {
    let mut world = World::start().await;
    let own = world.deal().await;
    let theirs = world.invite(&own).await.body;
    world.control().advance_ms(14 * 24 * 3_600_000 + 1_000);
    world.sign_in().await;
    let now = world
        .pc(
            "GET",
            &format!("/{}", theirs["id"].as_str().unwrap()),
            &[],
            None,
        )
        .await
        .body;
    assert_eq!(
        (now["status"].as_str(), now["substatus"].as_str()),
        (Some("Closed"), Some("Expired"))
    );
}

#[tokio::test]
async fn filters_orders_and_nested_paths_work() {
    let world = World::start().await;
    for (name, external) in [("one", "opp-1"), ("two", "opp-2"), ("three", "opp-3")] {
        let mut body = deal();
        body["name"] = json!(name);
        body["externalReferenceId"] = json!(external);
        world.pc("POST", "", &[], Some(body)).await;
    }
    for (query, hits) in [
        ("?$filter=externalReferenceId eq 'opp-2'", 1),
        (
            "?$filter=status eq 'Active' and (direction eq 'Outgoing') and type eq 'Shared'",
            3,
        ),
        ("?$filter=customerProfile/address/country eq 'US'", 3),
        ("?$filter=team/any(t:t/email eq 'c@us.example')", 3),
        ("?$filter=team/any(t:t/email eq 'nobody@us.example')", 0),
        ("?$filter=updatedDateTime ge 2020-01-01T00:00:00Z", 3),
        ("?$filter=updatedDateTime ge 2999-01-01T00:00:00Z", 0),
        ("?$orderby=updatedDateTime desc&$top=2", 2),
        ("?$skip=1", 2),
    ] {
        let answer = world.pc("GET", query, &[], None).await;
        assert_eq!(
            answer.body["value"].as_array().map(Vec::len),
            Some(hits),
            "{query}: {}",
            answer.text
        );
    }
    let newest = world
        .pc(
            "GET",
            "?$orderby=createdDateTime desc&$top=1&$select=name",
            &[],
            None,
        )
        .await
        .body;
    assert_eq!(newest["value"], json!([{"name": "three"}]));
    for bad in [
        "?$filter=nonsense eq 'x'",
        "?$filter=status eq",
        "?$top=many",
    ] {
        assert_eq!(world.pc("GET", bad, &[], None).await.status, 400, "{bad}");
    }
}

#[tokio::test]
async fn next_link_is_http_and_lacks_engagements_but_its_query_works() {
    let world = World::with(SimulatorConfig {
        tls: false,
        referral_page_size: 2,
        ..SimulatorConfig::default()
    })
    .await;
    for _ in 0..5 {
        world.deal().await;
    }
    let mut seen = std::collections::BTreeSet::new();
    let mut query = "?$filter=status eq 'Active'&$orderby=createdDateTime asc".to_owned();
    loop {
        let page = world.pc("GET", &query, &[], None).await.body;
        seen.extend(
            page["value"]
                .as_array()
                .unwrap()
                .iter()
                .map(|item| item["id"].to_string()),
        );
        let Some(next) = page["@odata.nextLink"].as_str() else {
            break;
        };
        assert!(
            next.starts_with("http://") && next.contains("/v1.0/referrals?$skiptoken="),
            "{next}"
        );
        assert_eq!(
            world.send("GET", next, "", &[], None).await.status,
            404,
            "the link itself leads nowhere"
        );
        query = next[next.find('?').unwrap()..].to_owned();
    }
    assert_eq!(seen.len(), 5);
}

#[tokio::test]
async fn request_ids_are_given_and_client_ids_echoed() {
    let world = World::start().await;
    let answer = world
        .pc("GET", "", &[("client-request-id", "abc")], None)
        .await;
    assert_eq!(answer.header("client-request-id"), "abc");
    assert!(!answer.header("request-id").is_empty());
    assert_eq!(world.pc("GET", "/no-such-id", &[], None).await.status, 404);
    assert_eq!(
        world.pc("DELETE", "/no-such-id", &[], None).await.status,
        405
    );
}
