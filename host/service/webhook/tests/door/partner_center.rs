//! Partner Center's events: what comes in, what stays out, and in which order it is looked at.

use cosell_webhook::Source;

use crate::world::{Log, RECORD, World, chunked, event};

#[tokio::test]
async fn a_good_event_rings_in_both_header_modes() {
    let world = World::start().await;
    world
        .taken(
            world.signed(&event("referral-updated"), "chain.pem"),
            "accepted",
        )
        .await;
    let other = event("related-referral-updated");
    let request = world
        .client
        .post(world.partner_center())
        .header(
            "X-MS-Signature",
            format!("Signature {}", world.authority.sign(&other)),
        )
        // A gateway's own credential in front must not be in the way.
        .header("authorization", "Bearer gateway")
        .header("X-MS-Certificate-Url", world.host.url("chain.pem"))
        .header("X-MS-Signature-Algorithm", "RSA-SHA256")
        .body(other);
    world.taken(request, "accepted").await;

    let bells = world.bells();
    let [first, second] = &bells[..] else {
        panic!("{bells:?}")
    };
    assert_eq!(
        (
            first.connection.as_str(),
            first.source,
            first.event.as_str()
        ),
        ("acme", Source::PartnerCenter, "referral-updated")
    );
    assert_eq!(
        (first.kind.as_str(), first.record.as_str()),
        ("referral", RECORD)
    );
    assert_eq!(second.event, "related-referral-updated");
    assert_ne!(first.dedupe, second.dedupe);
}

#[tokio::test]
async fn a_repeated_event_is_one_event() {
    let world = World::start().await;
    world
        .taken(
            world.signed(&event("referral-updated"), "chain.pem"),
            "accepted",
        )
        .await;
    world
        .taken(
            world.signed(&event("referral-updated"), "chain.pem"),
            "duplicate",
        )
        .await;
    let later = String::from_utf8(event("referral-updated"))
        .unwrap()
        .replace("39.5485487", "40.1");
    world
        .taken(world.signed(later.as_bytes(), "chain.pem"), "accepted")
        .await;
    let tally = world.door.counters().tally();
    assert_eq!(
        (tally.accepted, tally.duplicates, tally.refused.len()),
        (2, 1, 0)
    );
}

#[tokio::test]
async fn keys_are_read_in_any_case_and_only_the_id_is_taken_from_the_address() {
    let world = World::start().await;
    let id = RECORD.to_uppercase();
    for uri in [
        format!("https://evil.example/x/{id}"),
        format!("/v1/referrals/{id}/"),
        format!("https://api.partner.microsoft.com/v1.0/engagements/referrals/{id}?x=1#y"),
    ] {
        let body = format!(
            r#"{{"eventName":"referral-created","resourceUri":"{uri}","resourceName":"Referral","resourceChangeUtcDate":"2026-01-01T00:00:00Z"}}"#
        );
        world
            .taken(world.signed(body.as_bytes(), "chain.pem"), "accepted")
            .await;
    }
    assert!(
        world
            .bells()
            .iter()
            .all(|bell| bell.record == RECORD && bell.kind == "referral")
    );
}

#[tokio::test]
async fn an_event_without_a_time_is_never_taken_for_a_duplicate() {
    let world = World::start().await;
    let body = format!(
        r#"{{"EventName":"referral-created","ResourceUri":"/{RECORD}","ResourceName":"referral"}}"#
    );
    for _ in 0..2 {
        world
            .taken(world.signed(body.as_bytes(), "chain.pem"), "accepted")
            .await;
    }
}

#[tokio::test]
async fn a_large_body_is_refused_before_anything_else() {
    let world = World::start().await;
    let body = vec![b' '; 64 * 1024 + 1];
    world
        .refused(
            world.client.post(world.partner_center()).body(body.clone()),
            413,
            "body-too-large",
        )
        .await;
    // Without a declared length it is found out while reading, still before any proof.
    world
        .refused(
            world.signed(&body, "chain.pem").body(chunked(&body)),
            413,
            "body-too-large",
        )
        .await;
    assert_eq!(world.host.hits("chain.pem"), 0);
    let largest = [
        event("referral-updated"),
        vec![b' '; 64 * 1024 - event("referral-updated").len()],
    ]
    .concat();
    world
        .taken(world.signed(&largest, "chain.pem"), "accepted")
        .await;
}

#[tokio::test]
async fn a_compressed_body_is_refused() {
    let world = World::start().await;
    world
        .refused(
            world
                .signed(&event("referral-updated"), "chain.pem")
                .header("content-encoding", "gzip"),
            415,
            "body-encoded",
        )
        .await;
}

#[tokio::test]
async fn a_good_signature_does_not_make_a_bad_event_good() {
    let world = World::start().await;
    let uri = |uri: &str| {
        format!(
            r#"{{"EventName":"referral-updated","ResourceUri":"{uri}","ResourceName":"referral"}}"#
        )
    };
    for (body, code) in [
        ("evil".to_owned(), "body-malformed"),
        ("[]".to_owned(), "body-malformed"),
        (
            "{\"EventName\":\"referral-updated\"".to_owned(),
            "body-malformed",
        ),
        ("{".repeat(5000), "body-malformed"),
        ("{}".to_owned(), "event-incomplete"),
        ("{\"EventName\":7}".to_owned(), "event-incomplete"),
        (
            format!("{{\"EventName\":\"{}\"}}", "x".repeat(200)),
            "event-incomplete",
        ),
        (
            "{\"EventName\":\"evil\\nline\"}".to_owned(),
            "event-incomplete",
        ),
        (
            "{\"EventName\":\"referral-updated\",\"ResourceName\":\"referral\"}".to_owned(),
            "event-incomplete",
        ),
        (
            format!("{{\"EventName\":\"referral-updated\",\"ResourceUri\":\"/{RECORD}\"}}"),
            "event-incomplete",
        ),
        (uri("evil"), "record-malformed"),
        (uri(""), "record-malformed"),
        (
            uri("https://api.partner.microsoft.com/v1.0/engagements/referrals/../../evil"),
            "record-malformed",
        ),
        (
            uri(&format!("https://api.partner.microsoft.com/?id={RECORD}")),
            "record-malformed",
        ),
        (uri(&format!("/{RECORD}%20")), "record-malformed"),
    ] {
        world
            .refused(world.signed(body.as_bytes(), "chain.pem"), 400, code)
            .await;
    }
}

#[tokio::test]
async fn unknown_events_are_acknowledged_and_told_once() {
    let log = Log::listen();
    let world = World::start().await;
    for _ in 0..3 {
        world
            .taken(
                world.signed(
                    br#"{"EventName":"invoice-ready","ResourceUri":"https://x/not-a-guid"}"#,
                    "chain.pem",
                ),
                "unknown",
            )
            .await;
    }
    world
        .taken(
            world.signed(
                br#"{"EventName":"test-created","ResourceName":"test","ResourceUri":"http://x/1"}"#,
                "chain.pem",
            ),
            "test",
        )
        .await;
    let tally = world.door.counters().tally();
    assert_eq!((tally.unknown, tally.tests, tally.accepted), (3, 1, 0));
    assert!(world.bells().is_empty());
    let lines = log.lines();
    assert_eq!(
        lines
            .iter()
            .filter(|line| line.contains("invoice-ready"))
            .count(),
        1,
        "{lines:?}"
    );
}

#[tokio::test]
async fn only_post_and_only_known_connections() {
    let world = World::start().await;
    for request in [
        world.client.get(world.partner_center()),
        world.client.put(world.partner_center()),
        world.client.delete(world.dataverse()),
    ] {
        let headers = world.refused(request, 405, "method-not-allowed").await;
        assert_eq!(headers["allow"], "POST");
    }
    for connection in ["nobody", "deaf"] {
        for source in ["partner-center", "dataverse"] {
            world
                .refused(
                    world
                        .client
                        .post(format!("{}/webhooks/{source}/{connection}", world.base)),
                    404,
                    "connection-unknown",
                )
                .await;
        }
    }
}

#[tokio::test]
async fn nothing_is_acknowledged_that_is_not_stored() {
    let world = World::start().await;
    let body = event("referral-updated");
    world.set_full(true);
    let headers = world
        .refused(world.signed(&body, "chain.pem"), 503, "store-full")
        .await;
    assert_eq!(headers["retry-after"], "17");
    // Who has not proved anything hears that there is too much, and not what is wrong.
    world
        .refused(world.signed(&body, "chain.pem").body("evil"), 429, "busy")
        .await;
    world.set_full(false);
    world.set_broken(true);
    let headers = world
        .refused(world.signed(&body, "chain.pem"), 503, "store-broken")
        .await;
    assert!(headers.contains_key("retry-after"));
    world.set_broken(false);
    world
        .taken(world.signed(&body, "chain.pem"), "accepted")
        .await;
    let tally = world.door.counters().tally();
    assert_eq!(
        tally.refused.into_iter().collect::<Vec<_>>(),
        [("busy", 1), ("store-broken", 1), ("store-full", 1)]
    );
}

#[tokio::test]
async fn a_flood_is_one_line_in_the_log_and_holds_nothing_that_was_sent() {
    let log = Log::listen();
    let world = World::start().await;
    let body = event("referral-updated");
    let signature = world.authority.sign(b"something else");
    for _ in 0..20 {
        world
            .refused(
                world
                    .signed(&body, "chain.pem")
                    .header("x-evil", "evil")
                    .body("evil-payload"),
                401,
                "signature-wrong",
            )
            .await;
    }
    let dataverse = world
        .client
        .post(format!(
            "{}?code=evil-secret-in-the-query",
            world.dataverse()
        ))
        .header("x-cosell-key", "evil-secret-in-a-header")
        .body("evil");
    world.refused(dataverse, 401, "secret-wrong").await;
    let lines = log.lines();
    assert_eq!(
        lines
            .iter()
            .filter(|line| line.contains("signature-wrong"))
            .count(),
        1,
        "{lines:?}"
    );
    let refused = |line: &&String| {
        line.contains(r#"webhook.connection="acme""#)
            && line.contains(r#"webhook.reason="secret-wrong""#)
    };
    assert_eq!(lines.iter().filter(refused).count(), 1, "{lines:?}");
    for secret in ["evil", RECORD, signature.as_str(), crate::world::SECRET] {
        assert!(
            !lines.iter().any(|line| line.contains(secret)),
            "{secret} in {lines:?}"
        );
    }
}
