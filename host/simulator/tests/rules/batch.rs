//! Many requests in one: change sets, their ids and conditions, and how a failed one is told. (dataverse 2.7)

use cosell_simulator::{Assumptions, SimulatorConfig};
use serde_json::{Value, json};

use super::harness::World;

/// A part of a change set.
fn item(id: u32, request: &str, headers: &str, body: &Value) -> String {
    format!(
        "--cs\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\nContent-ID: {id}\r\n\r\n{request} HTTP/1.1\r\nContent-Type: application/json; type=entry\r\n{headers}\r\n{body}\r\n"
    )
}

fn change_set(items: &[String]) -> String {
    format!(
        "--batch_x\r\nContent-Type: multipart/mixed; boundary=\"cs\"\r\n\r\n{}--cs--\r\n\r\n",
        items.concat()
    )
}

fn single(request: &str) -> String {
    format!(
        "--batch_x\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n{request} HTTP/1.1\r\nAccept: application/json\r\n\r\n\r\n"
    )
}

const END: &str = "--batch_x--\r\n";

#[tokio::test]
async fn a_change_set_refers_to_its_own_rows_and_answers_multipart() {
    let world = World::start().await;
    let set = change_set(&[
        item(
            1,
            "POST /api/data/v9.2/accounts",
            "",
            &json!({"name": "Fabrikam"}),
        ),
        item(
            2,
            "POST /api/data/v9.2/opportunities",
            "",
            &json!({"name": "R-42", "customerid_account@odata.bind": "$1"}),
        ),
        item(3, "PATCH $1", "", &json!({"telephone1": "1"})),
        item(4, "PUT $1/accountnumber", "", &json!({"value": "N-1"})),
    ]);
    let body = format!(
        "{set}{}{END}",
        single("GET /api/data/v9.2/opportunities?$select=name&$top=1")
    );
    let answer = world.batch(&[], &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(
        answer
            .header("content-type")
            .starts_with("multipart/mixed; boundary=batchresponse_")
    );
    assert_eq!(
        answer.text.matches("HTTP/1.1 204 No Content\r\n").count(),
        4
    );
    assert!(answer.text.contains("Content-ID: 2\r\n") && answer.text.contains("OData-EntityId: "));
    assert!(answer.text.contains("HTTP/1.1 200 OK\r\n") && answer.text.contains("R-42"));
    let account = &world.control().rows("account")[0];
    assert_eq!(
        (
            account["telephone1"].as_str(),
            account["accountnumber"].as_str()
        ),
        (Some("1"), Some("N-1"))
    );
    assert_eq!(
        world.control().rows("opportunity")[0]["_customerid_value"],
        account["accountid"]
    );
    assert_eq!(world.control().ledger(0).len(), 4);
}

#[tokio::test]
async fn a_failed_change_set_leaves_nothing_and_answers_one_error() {
    let world = World::start().await;
    let id = world.create("opportunities", json!({"name": "O"})).await;
    let before = world.control().row("opportunity", &id).unwrap();
    let ledger = world.control().ledger(0).len();
    let set = change_set(&[
        item(
            1,
            "POST /api/data/v9.2/accounts",
            "",
            &json!({"name": "Fabrikam"}),
        ),
        item(
            2,
            &format!("PATCH /api/data/v9.2/opportunities({id})"),
            "If-Match: W/\"1\"\r\n",
            &json!({"name": "X"}),
        ),
        item(
            3,
            "POST /api/data/v9.2/accounts",
            "",
            &json!({"name": "Never"}),
        ),
    ]);
    let answer = world.batch(&[], &format!("{set}{END}")).await;
    assert_eq!(
        answer.status, 412,
        "the outer status is that of the failure"
    );
    assert_eq!(answer.text.matches("HTTP/1.1 ").count(), 1);
    assert!(answer.text.contains("0x80060882"));
    assert_eq!(
        (
            world.control().counts().accounts,
            world.control().row("opportunity", &id).unwrap()
        ),
        (0, before)
    );
    assert_eq!(world.control().ledger(0).len(), ledger);
}

#[tokio::test]
async fn columns_then_win_in_one_change_set_close_a_deal_conditionally() {
    let world = World::start().await;
    let id = world.create("opportunities", json!({"name": "O"})).await;
    let etag = world
        .crm("GET", &format!("opportunities({id})"), &[], None)
        .await
        .header("etag")
        .to_owned();
    let close = json!({"Status": 3, "OpportunityClose": {"subject": "Won", "opportunityid@odata.bind": format!("/opportunities({id})")}});
    let set = change_set(&[
        item(
            1,
            &format!("PATCH /api/data/v9.2/opportunities({id})?tag=cosell:7"),
            &format!("If-Match: {etag}\r\n"),
            &json!({"description": "last words"}),
        ),
        item(2, "POST /api/data/v9.2/WinOpportunity", "", &close),
    ]);
    let body = format!("{set}{END}");
    assert_eq!(world.batch(&[], &body).await.status, 200);
    let row = world.control().row("opportunity", &id).unwrap();
    assert_eq!(
        (row["description"].as_str(), row["statecode"].as_i64()),
        (Some("last words"), Some(1))
    );
    let ledger = world.control().ledger(0);
    let last: Vec<_> = ledger
        .iter()
        .rev()
        .take(2)
        .map(|entry| (entry.operation.as_str(), entry.tag.as_deref()))
        .collect();
    assert_eq!(last, [("win", None), ("update", Some("cosell:7"))]);
    assert_eq!(
        world.batch(&[], &body).await.status,
        412,
        "the second time the etag is stale"
    );
}

#[tokio::test]
async fn processing_stops_at_the_first_failure_unless_told_to_go_on() {
    let world = World::start().await;
    let body = format!(
        "{}{}{}{END}",
        single("GET /api/data/v9.2/WhoAmI"),
        single("GET /api/data/v9.2/nonsense"),
        single("GET /api/data/v9.2/WhoAmI")
    );
    let stopped = world.batch(&[], &body).await;
    assert_eq!(
        (stopped.status, stopped.text.matches("HTTP/1.1 ").count()),
        (404, 2)
    );
    assert!(stopped.text.contains("REQ_ID: "));
    let all = world
        .batch(&[("prefer", "odata.continue-on-error")], &body)
        .await;
    assert_eq!(
        (all.status, all.text.matches("HTTP/1.1 ").count()),
        (200, 3)
    );
}

#[tokio::test]
async fn a_forward_reference_spoils_the_whole_request() {
    let world = World::start().await;
    let set = change_set(&[
        item(
            1,
            "POST /api/data/v9.2/opportunities",
            "",
            &json!({"name": "O", "customerid_account@odata.bind": "$2"}),
        ),
        item(2, "POST /api/data/v9.2/accounts", "", &json!({"name": "A"})),
    ]);
    let answer = world.batch(&[], &format!("{set}{END}")).await;
    assert_eq!(answer.status, 400);
    assert_eq!(
        answer.body["error"]["message"],
        "Content-ID Reference: '$2' does not exist in the batch context."
    );
    assert_eq!(world.control().counts().opportunities, 0);
}

#[tokio::test]
async fn malformed_batches_are_refused_in_plain_json() {
    let world = World::start().await;
    let get_inside = change_set(&[item(1, "GET /api/data/v9.2/accounts", "", &json!({}))]);
    let without_id = change_set(&[item(
        1,
        "POST /api/data/v9.2/accounts",
        "",
        &json!({"name": "A"}),
    )])
    .replace("Content-ID: 1\r\n", "");
    let line_feeds = format!("{}{END}", single("GET /api/data/v9.2/WhoAmI")).replace("\r\n", "\n");
    let nested = format!("{}{END}", single("POST /api/data/v9.2/$batch"));
    for body in [
        String::new(),
        "garbage".to_owned(),
        single("GET /api/data/v9.2/WhoAmI"),
        format!("{get_inside}{END}"),
        format!("{without_id}{END}"),
        line_feeds,
        nested,
        format!("--batch_x\r\n\r\n\r\n{END}"),
    ] {
        let answer = world.batch(&[], &body).await;
        assert_eq!(answer.status, 400, "{body}");
        assert!(answer.body["error"]["code"].is_string(), "{}", answer.text);
    }
    assert_eq!(world.control().counts().accounts, 0);
}

#[tokio::test]
async fn the_lenient_reading_takes_bare_line_feeds_and_no_content_id() {
    let config = SimulatorConfig {
        tls: false,
        assumptions: Assumptions {
            batch_requires_crlf: false,
            batch_requires_content_id: false,
            ..Assumptions::default()
        },
        ..SimulatorConfig::default()
    };
    let world = World::with(config).await;
    let set = change_set(&[item(
        1,
        "POST /api/data/v9.2/accounts",
        "",
        &json!({"name": "A"}),
    )])
    .replace("Content-ID: 1\r\n", "");
    let body = format!("\r\n{set}{END}").replace("\r\n", "\n");
    assert_eq!(world.batch(&[], &body).await.status, 200);
    assert_eq!(world.control().counts().accounts, 1);
}

#[tokio::test]
async fn headers_of_the_outer_request_do_not_apply_to_parts() {
    let world = World::start().await;
    let id = world.create("accounts", json!({"name": "A"})).await;
    let part = |headers: &str| {
        format!(
            "--batch_x\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\nPATCH /api/data/v9.2/accounts({id}) HTTP/1.1\r\nContent-Type: application/json\r\n{headers}\r\n{{\"fax\":\"1\"}}\r\n--batch_x--\r\n"
        )
    };
    let stale = ("if-match", "W/\"1\"");
    let outer = world
        .batch(&[stale, ("prefer", "return=representation")], &part(""))
        .await;
    assert_eq!(outer.status, 200);
    assert!(
        outer.text.contains("HTTP/1.1 204 No Content"),
        "{}",
        outer.text
    );
    let inner = world.batch(&[], &part("If-Match: W/\"1\"\r\n")).await;
    assert_eq!(
        inner.status, 412,
        "the outer status is that of the first error"
    );
    assert!(
        inner.text.contains("0x80060882") && inner.text.contains("REQ_ID: "),
        "{}",
        inner.text
    );
}

#[tokio::test]
async fn a_batch_has_at_most_a_thousand_operations_and_no_batch_inside() {
    let world = World::start().await;
    let who = single("GET /api/data/v9.2/WhoAmI");
    let (most, more) = (
        format!("{}--batch_x--\r\n", who.repeat(1_000)),
        format!("{}--batch_x--\r\n", who.repeat(1_001)),
    );
    assert_eq!(world.batch(&[], &most).await.status, 200);
    let refused = world.batch(&[], &more).await;
    assert_eq!((refused.status, refused.code()), (400, "0x80048d19"));
    let nested = format!("{}--batch_x--\r\n", single("POST /api/data/v9.2/$batch"));
    let refused = world.batch(&[], &nested).await;
    assert_eq!((refused.status, refused.code()), (400, "0x80048d19"));
}

#[tokio::test]
async fn a_request_line_may_hold_spaces_between_the_method_and_the_version() {
    let world = World::start().await;
    world.create("accounts", json!({"name": "A B"})).await;
    let read = single("GET /api/data/v9.2/accounts?$select=name&$filter=name eq 'A B'");
    let answer = world.batch(&[], &format!("{read}--batch_x--\r\n")).await;
    assert!(
        answer.status == 200 && answer.text.contains("\"A B\""),
        "{}",
        answer.text
    );
}
