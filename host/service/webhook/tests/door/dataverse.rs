//! Dataverse's events: a shared secret, and nothing read before it is right.

use cosell_webhook::Source;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::world::{PREVIOUS, RECORD, SECRET, World, chunked};

fn update() -> serde_json::Value {
    json!({
        "BusinessUnitId": "aaaaaaaa-0000-4000-8000-000000000000", "CorrelationId": "aaaaaaaa-0000-4000-8000-000000000002", "Depth": 1,
        "InitiatingUserId": "AAAAAAAA-0000-4000-8000-000000000004", "MessageName": "Update", "OperationCreatedOn": "/Date(1769854830000-0700)/",
        "OperationId": "aaaaaaaa-0000-4000-8000-000000000003", "OrganizationId": "aaaaaaaa-0000-4000-8000-000000000001",
        "PrimaryEntityId": RECORD.to_uppercase(), "PrimaryEntityName": "opportunity", "RequestId": null,
        "InputParameters": [{"key": "Target", "value": {"__type": "Entity:http://schemas.microsoft.com/xrm/2011/Contracts", "Attributes": []}}],
        "SharedVariables": [{"key": "tag", "value": "cosell:42"}], "ParentContext": null,
    })
}

#[tokio::test]
async fn a_good_event_rings() {
    let world = World::start().await;
    world
        .taken(
            world
                .client
                .post(world.dataverse())
                .header("X-Cosell-Key", SECRET)
                .body(update().to_string()),
            "accepted",
        )
        .await;
    let bell = world.bells().pop().unwrap();
    assert_eq!(
        (bell.connection.as_str(), bell.source, bell.event.as_str()),
        ("acme", Source::Dataverse, "Update")
    );
    assert_eq!(
        (bell.kind.as_str(), bell.record.as_str()),
        ("opportunity", RECORD)
    );
    assert_eq!(bell.tags, ["cosell:42"]);
    assert_eq!(
        bell.correlation.as_deref(),
        Some("aaaaaaaa-0000-4000-8000-000000000002")
    );
    assert_eq!(
        bell.initiator.as_deref(),
        Some("aaaaaaaa-0000-4000-8000-000000000004")
    );
    // The platform repeats once after a gateway's 502.
    world
        .taken(
            world
                .client
                .post(world.dataverse())
                .header("X-Cosell-Key", SECRET)
                .body(update().to_string()),
            "duplicate",
        )
        .await;
}

#[tokio::test]
async fn both_secrets_open_and_nothing_else_does() {
    let world = World::start().await;
    let event = |record: &str| {
        let mut event = update();
        event["PrimaryEntityId"] = json!(record);
        event.to_string()
    };
    let post = || world.client.post(world.dataverse());
    for (number, request) in [
        post().header("x-cosell-key", SECRET),
        post().header("x-cosell-key", PREVIOUS),
        world
            .client
            .post(format!("{}?code={SECRET}", world.dataverse())),
        world
            .client
            .post(format!("{}?other=1&code={PREVIOUS}", world.dataverse())),
    ]
    .into_iter()
    .enumerate()
    {
        world
            .taken(
                request.body(event(&format!(
                    "7f3c1a2b-0000-4000-8000-00000000000{number}"
                ))),
                "accepted",
            )
            .await;
    }
    world
        .refused(post().body(event(RECORD)), 401, "secret-missing")
        .await;
    world
        .refused(
            post().header("x-cosell-key", "").body(event(RECORD)),
            401,
            "secret-missing",
        )
        .await;
    world
        .refused(
            post().header("authorization", SECRET).body(event(RECORD)),
            401,
            "secret-missing",
        )
        .await;
    let longer = format!("{SECRET}x");
    for wrong in [
        "evil",
        &SECRET[..SECRET.len() - 1],
        &longer,
        &SECRET.to_uppercase(),
        &format!("{SECRET},{PREVIOUS}"),
    ] {
        world
            .refused(
                post().header("x-cosell-key", wrong).body(event(RECORD)),
                401,
                "secret-wrong",
            )
            .await;
    }
    // A wrong header is not saved by a right query: one place speaks.
    let mixed = world
        .client
        .post(format!("{}?code={SECRET}", world.dataverse()))
        .header("x-cosell-key", "evil");
    world
        .refused(mixed.body(event(RECORD)), 401, "secret-wrong")
        .await;
}

#[tokio::test]
async fn a_wrong_secret_is_refused_before_the_body_has_arrived() {
    let world = World::start().await;
    let address = world.base.trim_start_matches("http://");
    let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /webhooks/dataverse/acme HTTP/1.1\r\nhost: {address}\r\nx-cosell-key: evil\r\ncontent-length: 400000\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    // Not one byte of the body is sent, and the answer comes all the same; then the socket ends.
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 401 ") && answer.contains("secret-wrong"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_large_body_is_refused() {
    let world = World::start().await;
    let post = || {
        world
            .client
            .post(world.dataverse())
            .header("x-cosell-key", SECRET)
    };
    let large = vec![b' '; 512 * 1024 + 1];
    world
        .refused(post().body(chunked(&large)), 413, "body-too-large")
        .await;
    let mut padded = update().to_string().into_bytes();
    padded.resize(512 * 1024, b' ');
    world.taken(post().body(padded), "accepted").await;
}

#[tokio::test]
async fn a_cut_event_is_still_a_bell() {
    let world = World::start().await;
    let body = json!({"MessageName": "Delete", "PrimaryEntityName": "Opportunity", "PrimaryEntityId": RECORD});
    let request = world
        .client
        .post(world.dataverse())
        .header("x-cosell-key", SECRET)
        .header("x-ms-dynamics-msg-size-exceeded", "true");
    world
        .taken(request.body(body.to_string()), "accepted")
        .await;
    assert_eq!(world.bells()[0].kind, "opportunity");
}

#[tokio::test]
async fn malformed_events_are_refused_and_uninteresting_ones_acknowledged() {
    let world = World::start().await;
    let post = |body: String| {
        world
            .client
            .post(world.dataverse())
            .header("x-cosell-key", SECRET)
            .body(body)
    };
    for (body, code) in [
        ("evil".to_owned(), "body-malformed"),
        ("[1]".to_owned(), "body-malformed"),
        ("[".repeat(100_000), "body-malformed"),
        ("{}".to_owned(), "event-incomplete"),
        (json!({"MessageName": "Update", "PrimaryEntityId": RECORD}).to_string(), "event-incomplete"),
        (json!({"MessageName": "Update", "PrimaryEntityName": "opportunity"}).to_string(), "record-malformed"),
        (json!({"MessageName": "Update", "PrimaryEntityName": "opportunity", "PrimaryEntityId": "evil"}).to_string(), "record-malformed"),
        (json!({"MessageName": "Update", "PrimaryEntityName": "opportunity", "PrimaryEntityId": 7}).to_string(), "record-malformed"),
    ] {
        world.refused(post(body), 400, code).await;
    }
    let mut other = update();
    other["PrimaryEntityName"] = json!("annotation");
    world.taken(post(other.to_string()), "unknown").await;
    // A message about no record.
    let mut nothing = update();
    nothing["PrimaryEntityId"] = json!("00000000-0000-0000-0000-000000000000");
    world.taken(post(nothing.to_string()), "unknown").await;
    assert_eq!(world.door.counters().tally().unknown, 2);
    assert!(world.bells().is_empty());
}

#[tokio::test]
async fn full_is_503_because_dataverse_repeats_only_that() {
    let world = World::start().await;
    world.set_full(true);
    let headers = world
        .refused(
            world
                .client
                .post(world.dataverse())
                .header("x-cosell-key", SECRET)
                .body(update().to_string()),
            503,
            "store-full",
        )
        .await;
    assert_eq!(headers["retry-after"], "17");
    world
        .refused(
            world
                .client
                .post(world.dataverse())
                .header("x-cosell-key", "evil")
                .body(update().to_string()),
            429,
            "busy",
        )
        .await;
    // As long as those who have proven themselves were told to stay away, or until one of them is taken.
    world.pass(std::time::Duration::from_secs(18));
    world
        .refused(
            world
                .client
                .post(world.dataverse())
                .header("x-cosell-key", "evil")
                .body(update().to_string()),
            401,
            "secret-wrong",
        )
        .await;
}
