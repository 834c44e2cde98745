//! Doubtful facts about batches, change tracking, limits and webhooks, asked of both readings.

use cosell_simulator::{CrmAccount, Fault, FaultKind, Service};
use serde_json::{Value, json};

use super::doubtful::readings;
use super::harness::{Answer, Receiver, World};
use super::webhooks::{endpoint, step};

const TRACK: (&str, &str) = ("prefer", "odata.track-changes");

/// The path of a link.
fn below(link: &Value) -> String {
    let link = link.as_str().unwrap();
    link.split("/api/data/v9.2/").nth(1).unwrap().to_owned()
}

/// The delta link of accounts as they are, with their names.
async fn start(world: &World) -> String {
    let answer = world
        .crm("GET", "accounts?$select=name", &[TRACK], None)
        .await;
    below(&answer.body["@odata.deltaLink"])
}

async fn follow(world: &World, link: &str) -> Answer {
    world.crm("GET", link, &[], None).await
}

fn rows(answer: &Answer) -> usize {
    answer.body["value"].as_array().unwrap().len()
}

fn part(headers: &str, body: &str) -> String {
    format!(
        "--batch_x\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\nPOST /api/data/v9.2/accounts HTTP/1.1\r\nContent-Type: application/json\r\n{headers}\r\n{body}\r\n--batch_x--\r\n"
    )
}

#[tokio::test]
async fn a_part_may_leave_its_length_out_or_may_not() {
    let (usual, other) = readings("batch_requires_content_length", async |world| {
        let body = "{\"name\":\"A\"}";
        let mut statuses = Vec::new();
        for headers in ["", "Content-Length: 12\r\n", "Content-Length: 7\r\n"] {
            statuses.push(world.batch(&[], &part(headers, body)).await.status);
        }
        statuses
    })
    .await;
    assert_eq!(
        usual,
        [200, 200, 400],
        "a wrong length is wrong in any reading"
    );
    assert_eq!(other, [400, 200, 400]);
}

#[tokio::test]
async fn a_failed_change_set_answers_nested_or_bare() {
    let (usual, other) = readings("failed_change_set_is_bare", async |world| {
        let set = "--batch_x\r\nContent-Type: multipart/mixed; boundary=set\r\n\r\n--set\r\nContent-Type: application/http\r\nContent-ID: 1\r\n\r\nPATCH /api/data/v9.2/accounts(0c0c0c0c-0000-4000-8000-000000000009) HTTP/1.1\r\nContent-Type: application/json\r\nIf-Match: *\r\n\r\n{}\r\n--set--\r\n--batch_x--\r\n";
        let answer = world.batch(&[], set).await;
        assert!(answer.status == 404 && answer.text.contains("HTTP/1.1 404"), "{}", answer.text);
        answer.text.contains("changesetresponse_")
    })
    .await;
    assert_eq!((usual, other), (true, false));
}

#[tokio::test]
async fn a_delta_link_bears_the_preference_or_refuses_it() {
    let (usual, other) = readings("delta_link_refuses_prefer", async |world| {
        let link = start(world).await;
        let told = world.crm("GET", &link, &[TRACK], None).await.status;
        (told, follow(world, &link).await.status)
    })
    .await;
    assert_eq!((usual, other), ((200, 200), (400, 200)));
}

#[tokio::test]
async fn an_expired_delta_link_is_told_by_some_status_and_code() {
    let code = "0x80044352";
    for (fact, status, code) in [
        ("expired_delta_is_410", 410, code),
        ("expired_delta_is_412", 412, code),
        ("expired_delta_is_500", 500, code),
        ("expired_delta_is_unnamed", 400, ""),
    ] {
        let (usual, other) = readings(fact, async |world| {
            let link = start(world).await;
            world.control().expire_delta_links();
            let old = follow(world, &link).await;
            let fresh = start(world).await;
            assert_eq!(follow(world, &fresh).await.status, 200);
            world.control().fault(Fault {
                service: Service::Dataverse,
                method: None,
                path_prefix: String::new(),
                skip: 0,
                count: Some(1),
                kind: FaultKind::ExpiredDelta,
            });
            let injected = follow(world, &fresh).await;
            assert_eq!(
                (old.status, old.code()),
                (injected.status, injected.code()),
                "injected alike"
            );
            (old.status, old.code().to_owned())
        })
        .await;
        assert_eq!(usual, (400, "0x80044352".to_owned()), "{fact}");
        assert_eq!(other, (status, code.to_owned()), "{fact}");
    }
}

#[tokio::test]
async fn a_delta_begins_after_its_token_or_a_little_before() {
    let (usual, other) = readings("delta_redelivers", async |world| {
        world.create("accounts", json!({"name": "A"})).await;
        let first = follow(world, &start(world).await).await;
        let second = follow(world, &below(&first.body["@odata.deltaLink"])).await;
        (rows(&first), rows(&second))
    })
    .await;
    assert_eq!((usual, other), ((0, 0), (1, 1)));
}

#[tokio::test]
async fn a_delta_tells_of_every_change_or_of_those_of_selected_columns() {
    let (usual, other) = readings("delta_follows_selected_columns", async |world| {
        let id = world.create("accounts", json!({"name": "A"})).await;
        let link = start(world).await;
        let versions = world
            .crm("GET", "accounts?$select=versionnumber", &[TRACK], None)
            .await;
        let versions = below(&versions.body["@odata.deltaLink"]);
        let path = format!("accounts({id})");
        world
            .crm("PATCH", &path, &[], Some(json!({"fax": "1"})))
            .await;
        let elsewhere = rows(&follow(world, &link).await);
        world
            .crm("PATCH", &path, &[], Some(json!({"name": "B"})))
            .await;
        world.create("accounts", json!({"fax": "new"})).await;
        (
            elsewhere,
            rows(&follow(world, &link).await),
            rows(&follow(world, &versions).await),
        )
    })
    .await;
    assert_eq!((usual, other), ((1, 2, 2), (0, 2, 2)));
}

#[tokio::test]
async fn throttling_is_told_as_json_or_by_a_gateways_page() {
    let (usual, other) = readings("throttling_is_html", async |world| {
        let mut all = Vec::new();
        for status in [429, 503, 500] {
            world.control().fault(Fault {
                service: Service::Dataverse,
                method: None,
                path_prefix: String::new(),
                skip: 0,
                count: Some(1),
                kind: FaultKind::Answer {
                    status,
                    code: None,
                    retry_after_s: Some(7),
                },
            });
            let answer = world.crm("GET", "WhoAmI", &[], None).await;
            assert_eq!((answer.status, answer.header("retry-after")), (status, "7"));
            all.push(answer.body["error"]["code"].is_string());
        }
        all
    })
    .await;
    assert_eq!(usual, [true, true, true]);
    assert_eq!(other, [false, false, true]);
}

#[tokio::test]
async fn who_is_shut_out_is_forbidden_or_unauthorised() {
    let (usual, other) = readings("shut_out_is_401", async |world| {
        world.control().set_crm_account(CrmAccount::Disabled);
        let answer = world.crm("GET", "WhoAmI", &[], None).await;
        (answer.status, answer.code().to_owned())
    })
    .await;
    let code = "0x80040225".to_owned();
    assert_eq!((usual, other), ((403, code.clone()), (401, code)));
}

#[tokio::test]
async fn an_endpoint_needs_what_a_webhook_needs_or_every_column_of_its_page() {
    let (usual, other) = readings("endpoint_needs_every_column", async |world| {
        let mut body = json!({"name": "cosell", "url": "https://x.example/", "contract": 8, "authtype": 4, "authvalue": "k"});
        let bare = world.crm("POST", "serviceendpoints", &[], Some(body.clone())).await;
        for (name, value) in [("connectionmode", json!(1)), ("path", json!("/")), ("solutionnamespace", json!("n")), ("userclaim", json!(1))] {
            body[name] = value;
        }
        let full = world.crm("POST", "serviceendpoints", &[], Some(body)).await.status;
        (bare.status, bare.code().to_owned(), full)
    })
    .await;
    assert_eq!(usual, (204, String::new(), 204));
    assert_eq!(other, (400, "0x80072002".to_owned(), 204));
}

#[tokio::test]
async fn secret_headers_are_given_as_xml_or_as_json() {
    let (usual, other) = readings("secret_headers_are_json", async |world| {
        let mut told = Vec::new();
        for secret in [
            "<settings><setting name=\"x-key\" value=\"s\"/></settings>",
            "{\"x-key\":\"s\"}",
        ] {
            let mut receiver = Receiver::start().await;
            let endpoint = endpoint(world, &receiver, 5, secret).await;
            step(world, &endpoint, "Create", "account", None).await;
            world.create("accounts", json!({"name": "A"})).await;
            told.push(receiver.next().await.headers.contains_key("x-key"));
        }
        told
    })
    .await;
    assert_eq!((usual, other), (vec![true, false], vec![false, true]));
}

#[tokio::test]
async fn events_say_what_they_are_or_do_not() {
    let (usual, other) = readings("events_have_no_content_type", async |world| {
        let mut receiver = Receiver::start().await;
        let endpoint = endpoint(world, &receiver, 4, "key").await;
        step(world, &endpoint, "Create", "account", None).await;
        world.create("accounts", json!({"name": "A"})).await;
        let event = receiver.next().await;
        assert_eq!(event.body["MessageName"], "Create");
        event.headers.get("content-type").cloned()
    })
    .await;
    assert_eq!(usual.as_deref(), Some("application/json; charset=utf-8"));
    assert_eq!(other, None);
}
