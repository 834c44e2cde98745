//! What the referrals API takes and gives, field by field, and what it makes of bodies that are wrong.

use cosell_simulator::{Assumptions, SimulatorConfig};
use serde_json::{Value, json};

use super::harness::{Answer, REPRESENTATION, World, deal, patch, read};

/// The smallest deal that is taken.
fn least() -> Value {
    json!({"type": "Independent", "customerProfile": {"address": {"country": "US"}}, "consent": {}, "details": {}})
}

async fn raw(world: &World, method: &str, path: &str, kind: &str, body: String) -> Answer {
    let url = format!(
        "{}/v1.0/engagements/referrals{path}",
        world.running.urls.referrals
    );
    let token = world.user_token("https://api.partner.microsoft.com").await;
    let request = world
        .client
        .request(method.parse().unwrap(), url)
        .bearer_auth(token);
    read(
        request
            .header("content-type", kind)
            .body(body)
            .send()
            .await
            .unwrap(),
    )
    .await
}

#[tokio::test]
async fn every_field_has_its_null_or_default_form() {
    let world = World::start().await;
    let made = world.pc("POST", "", &[], Some(least())).await.body;
    for (place, form) in [
        ("/name", json!(null)),
        ("/externalReferenceId", json!(null)),
        ("/expirationDateTime", json!(null)),
        ("/closedDateTime", json!(null)),
        ("/statusReason", json!(null)),
        ("/campaignId", json!(null)),
        ("/salesStage", json!(null)),
        ("/referralProgram", json!(null)),
        ("/referralSource", json!(null)),
        ("/callToAction", json!(null)),
        ("/lastRunId", json!(null)),
        ("/quality", json!("Unknown")),
        ("/isSpam", json!(false)),
        ("/favorite", json!(false)),
        ("/dealSensitivity", json!("None")),
        ("/registrationStatus", json!("None")),
        ("/registrations", json!([])),
        ("/tags", json!([])),
        ("/target", json!([])),
        ("/team", json!([])),
        ("/customerProfile/team", json!([])),
        ("/customerProfile/ids", json!([])),
        ("/customerProfile/size", json!(null)),
        ("/customerProfile/isMatchingComplete", json!(false)),
        ("/customerProfile/address/region", json!(null)),
        ("/consent/consentToToShareInfoWithOthers", json!(false)),
        ("/consent/consentToContact", json!(false)),
        (
            "/consent/consentToMicrosoftToContactSpecificPartners",
            json!(null),
        ),
        ("/details/customerAction", json!(null)),
        ("/details/incentiveLevel", json!(null)),
        ("/details/requirements/solutions", json!([])),
        ("/details/requirements/offers", json!([])),
        ("/details/requirements/salesPlays", json!([])),
        (
            "/details/requirements/additionalRequirements/attributes",
            json!([]),
        ),
        (
            "/details/requirements/additionalRequirements/iot/attachServices",
            json!(false),
        ),
        ("/inviteContext/assistanceRequestCode", json!("Unknown")),
        ("/inviteContext/invitedMpnId", json!(null)),
        ("/trackingInfo/microsoftMsxId", json!(null)),
        ("/links/self/method", json!("GET")),
    ] {
        assert_eq!(made.pointer(place), Some(&form), "{place}");
    }
    assert_eq!(
        made["acceptedDateTime"], made["createdDateTime"],
        "of an own deal"
    );
    let mut with_people = least();
    with_people["team"] = json!([{"email": "c@us.example"}]);
    with_people["details"] = json!({"requirements": {"solutions": [{"id": "SOL-1-A"}]}});
    let made = world.pc("POST", "", &[], Some(with_people)).await.body;
    assert_eq!(
        made["team"][0],
        json!({"firstName": null, "lastName": null, "phoneNumber": null, "email": "c@us.example",
        "title": null, "contactPreference": {"locale": null, "disableNotifications": null}})
    );
    assert_eq!(
        made["details"]["requirements"]["solutions"][0]["type"],
        "Name"
    );
}

#[tokio::test]
async fn names_bind_without_regard_to_case_and_numbers_as_text_are_numbers() {
    let world = World::start().await;
    let mut body = least();
    body["CONSENT"] = json!({"ConsentToContact": "true"});
    body["details"] = json!({"DealValue": "10000.50", "notes": 7});
    body["MPNID"] = json!(4_567_890);
    let made = world.pc("POST", "", &[], Some(body)).await.body;
    assert_eq!(made["consent"]["consentToContact"], true);
    assert_eq!(
        (
            &made["details"]["dealValue"],
            &made["details"]["notes"],
            &made["mpnId"]
        ),
        (&json!(10000.5), &json!("7"), &json!("4567890"))
    );
}

#[tokio::test]
async fn a_value_of_the_wrong_type_is_400_wherever_it_stands() {
    let world = World::start().await;
    for (place, value) in [
        ("name", json!({})),
        ("name", json!([1])),
        ("name", json!(true)),
        ("status", json!(5)),
        ("favorite", json!("often")),
        ("target", json!("msft")),
        ("team", json!("me")),
        ("team", json!([7])),
        ("team", json!([{"email": {}}])),
        ("team", json!([{"contactPreference": "x"}])),
        ("inviteContext", json!("please")),
        ("inviteContext", json!([])),
        ("inviteContext", json!({"invitedBy": "x"})),
        ("customerProfile", json!({"address": "US"})),
        ("customerProfile", json!({"address": {"country": ["US"]}})),
        ("consent", json!({"consentToContact": 3})),
        ("details", json!({"dealValue": {}})),
        ("details", json!({"dealValue": "12k"})),
        ("details", json!({"requirements": 7})),
        (
            "details",
            json!({"requirements": {"solutions": {"id": 1}, "additionalRequirements": "x"}}),
        ),
        ("details", json!({"closingDateTime": "soon"})),
        ("details", json!({"customerRequestedContact": 1})),
        ("type", json!("Both")),
        ("type", json!(null)),
        ("qualification", json!(null)),
        ("consent", json!("yes")),
    ] {
        let mut body = least();
        body[place] = value.clone();
        let answer = world.pc("POST", "", &[], Some(body)).await;
        assert_eq!(
            (answer.status, &answer.body["error"]["code"]),
            (400, &json!("invalidRequest")),
            "{place}: {value}: {}",
            answer.text
        );
    }
    assert!(world.control().referrals().is_empty());
}

#[tokio::test]
async fn malformed_and_absurd_bodies_are_answered_and_the_service_goes_on() {
    let world = World::start().await;
    let made = world.deal().await;
    let path = format!("/{}", made["id"].as_str().unwrap());
    let deep = "[".repeat(100_000);
    let long = "x".repeat(1_000_000);
    for (method, path, body) in [
        ("POST", "", "{".to_owned()),
        ("POST", "", String::new()),
        ("POST", "", "\u{0}".to_owned()),
        ("POST", "", deep.clone()),
        ("POST", "", "[]".to_owned()),
        ("POST", "", "7".to_owned()),
        ("PATCH", &path, deep),
        ("PATCH", &path, "{}".to_owned()),
        ("PATCH", &path, "[]".to_owned()),
        ("PATCH", &path, "[7]".to_owned()),
        (
            "PATCH",
            &path,
            r#"[{"op":"remove","path":"/team"}]"#.to_owned(),
        ),
        (
            "PATCH",
            &path,
            r#"[{"op":"replace","path":7,"value":1}]"#.to_owned(),
        ),
        (
            "PATCH",
            &path,
            r#"[{"op":"replace","path":"/details/notes"}]"#.to_owned(),
        ),
        (
            "PATCH",
            &path,
            format!(r#"[{{"op":"replace","path":"/{long}","value":1}}]"#),
        ),
        (
            "PATCH",
            &path,
            format!(
                "[{}]",
                vec![r#"{"op":"add","path":"/details/notes","value":"x"}"#; 10_000].join(",")
            ),
        ),
    ] {
        let answer = raw(&world, method, path, "application/json", body.clone()).await;
        assert_eq!(answer.status, 400, "{method} {body:.60}: {}", answer.text);
        let message = answer.body["error"]["message"].as_str().unwrap();
        assert!(message.chars().count() <= 1024, "{message}");
    }
    let huge = raw(
        &world,
        "POST",
        "",
        "application/json",
        " ".repeat(17 * 1024 * 1024),
    )
    .await;
    assert_eq!(huge.status, 413);
    assert_eq!(world.pc("GET", &path, &[], None).await.status, 200);
}

#[tokio::test]
async fn a_body_of_another_content_type_is_415() {
    let world = World::start().await;
    let made = world.deal().await;
    let path = format!("/{}", made["id"].as_str().unwrap());
    let body = patch(&[("/details/notes", json!("x"))])
        .unwrap()
        .to_string();
    let refused = raw(
        &world,
        "PATCH",
        &path,
        "application/json-patch+json",
        body.clone(),
    )
    .await;
    assert_eq!(
        (refused.status, refused.code()),
        (415, "unsupportedMediaType")
    );
    assert_eq!(
        raw(
            &world,
            "PATCH",
            &path,
            "application/json; charset=utf-8",
            body
        )
        .await
        .status,
        204
    );
}

#[tokio::test]
async fn an_unknown_property_is_passed_over_or_refused() {
    let mut body = least();
    body["details"] = json!({"closeDate": "2027-01-01"});
    let lenient = World::start().await;
    let made = lenient.pc("POST", "", &[], Some(body.clone())).await;
    assert!(made.status == 200 && made.body["details"].get("closeDate").is_none());
    let strict = World::with(SimulatorConfig {
        tls: false,
        assumptions: Assumptions {
            unknown_properties_are_refused: true,
            ..Assumptions::default()
        },
        ..SimulatorConfig::default()
    })
    .await;
    let refused = strict.pc("POST", "", &[], Some(body)).await;
    assert_eq!((refused.status, refused.code()), (400, "unknownProperty"));
    assert!(refused.text.contains("/details/closeDate"));
    assert_eq!(strict.pc("POST", "", &[], Some(deal())).await.status, 200);
}

#[tokio::test]
async fn without_if_match_a_patch_is_not_checked_and_even_a_change_of_nothing_has_a_new_etag() {
    let world = World::start().await;
    let made = world.deal().await;
    let path = format!("/{}", made["id"].as_str().unwrap());
    let same = patch(&[("/details/notes", made["details"]["notes"].clone())]);
    let after = world.pc("PATCH", &path, &[REPRESENTATION], same).await;
    assert_eq!(after.header("preference-applied"), "return=representation");
    assert_ne!(after.body["eTag"], made["eTag"]);
    assert_ne!(after.body["updatedDateTime"], made["updatedDateTime"]);
    assert_eq!(after.header("etag"), after.body["eTag"]);
    let hex = made["eTag"]
        .as_str()
        .unwrap()
        .trim_matches('"')
        .split('-')
        .nth(4)
        .unwrap()[..8]
        .to_owned();
    let written: jiff::Timestamp = made["updatedDateTime"].as_str().unwrap().parse().unwrap();
    assert_eq!(
        i64::from_str_radix(&hex, 16).unwrap(),
        written.as_second(),
        "the seconds of the last write"
    );
}
