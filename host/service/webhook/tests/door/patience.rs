//! Callers who want our time and not our answer: slow bodies, certificate hosts that never end, floods.

use std::time::Duration;

use cosell_webhook::DoorLimits;
use http::header::RETRY_AFTER;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::world::{SECRET, World, event};

const QUICK: Duration = Duration::from_millis(100);
/// Long enough that only a hang reaches it.
const HANG: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_body_that_never_ends_is_given_up() {
    let limits = DoorLimits {
        body_time: QUICK,
        ..DoorLimits::default()
    };
    let world = World::within(limits, |_| {}).await;
    let address = world.base.trim_start_matches("http://").to_owned();
    let signed = format!(
        "authorization: Signature {}\r\nx-ms-certificate-url: {}\r\nx-ms-signature-algorithm: rsa-sha256",
        world.authority.sign(b"x"),
        world.host.url("chain.pem")
    );
    for (path, proof) in [
        ("partner-center", signed),
        ("dataverse", format!("x-cosell-key: {SECRET}")),
    ] {
        let mut socket = TcpStream::connect(&address).await.unwrap();
        let head = format!(
            "POST /webhooks/{path}/acme HTTP/1.1\r\nhost: {address}\r\n{proof}\r\ncontent-length: 1000\r\n\r\n{{\"Event"
        );
        socket.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        tokio::time::timeout(HANG, socket.read_to_string(&mut answer))
            .await
            .expect("the door gives it up")
            .unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 408 ") && answer.contains("body-slow"),
            "{path}: {answer}"
        );
    }
    assert_eq!(
        world.host.hits("chain.pem"),
        0,
        "nothing is fetched for a body that is not there"
    );
}

#[tokio::test]
async fn a_certificate_host_that_never_ends_is_given_up() {
    let limits = DoorLimits {
        fetch_time: QUICK,
        ..DoorLimits::default()
    };
    let world = World::within(limits, |_| {}).await;
    for file in ["silent.pem", "dripping.pem"] {
        world
            .refused(
                world.signed(&event("referral-updated"), file),
                503,
                "certificate-unavailable",
            )
            .await;
        assert_eq!(world.host.hits(file), 1, "{file}");
    }
}

#[tokio::test]
async fn a_flood_of_proofs_is_told_to_come_again() {
    let limits = DoorLimits {
        fetch_time: HANG,
        proofs: 1,
        proof_wait: QUICK,
        ..DoorLimits::default()
    };
    let world = World::within(limits, |_| {}).await;
    let stuck = tokio::spawn(
        world
            .signed(&event("referral-updated"), "silent.pem")
            .send(),
    );
    while world.host.hits("silent.pem") == 0 {
        tokio::task::yield_now().await;
    }
    let headers = world
        .refused(
            world.signed(&event("referral-updated"), "chain.pem"),
            429,
            "busy",
        )
        .await;
    assert!(headers.contains_key(RETRY_AFTER));
    // A shared secret is proven without a turn: a flood of signatures does not shut the CRM out.
    world
        .refused(
            world
                .client
                .post(world.dataverse())
                .header("x-cosell-key", SECRET)
                .body("[]"),
            400,
            "body-malformed",
        )
        .await;
    stuck.abort();
}

#[tokio::test]
async fn a_caller_that_fails_too_often_hears_429_and_a_genuine_event_behind_it_is_taken() {
    let limits = DoorLimits {
        failures_a_minute: 3,
        ..DoorLimits::default()
    };
    let world = World::within(limits, |_| {}).await;
    let body = event("referral-updated");
    let forged = || world.signed(&body, "chain.pem").body("evil");
    let guessed = || {
        let request = world.client.post(world.dataverse());
        request.header("x-cosell-key", "a guess").body("{}")
    };
    world.refused(forged(), 401, "signature-wrong").await;
    world.refused(guessed(), 401, "secret-wrong").await;
    world.refused(forged(), 401, "signature-wrong").await;
    for request in [forged(), guessed()] {
        let headers = world.refused(request, 429, "caller-failed").await;
        assert!(headers.contains_key(RETRY_AFTER));
    }
    // Behind a gateway the sender has the address of whoever floods.
    world
        .taken(world.signed(&body, "chain.pem"), "accepted")
        .await;
    world.pass(Duration::from_secs(60));
    world.refused(forged(), 401, "signature-wrong").await;
}

#[tokio::test]
async fn proofs_of_a_caller_that_failed_too_often_take_no_place_of_others() {
    let limits = DoorLimits {
        fetch_time: HANG,
        proofs: 2,
        failures_a_minute: 1,
        ..DoorLimits::default()
    };
    let world = World::within(limits, |_| {}).await;
    let body = event("referral-updated");
    let forged = world.signed(&body, "chain.pem").body("evil");
    world.refused(forged, 401, "signature-wrong").await;
    let stuck = tokio::spawn(world.signed(&body, "silent.pem").send());
    while world.host.hits("silent.pem") == 0 {
        tokio::task::yield_now().await;
    }
    // The one place of such callers is taken, and none of the two of the others.
    let headers = world
        .refused(world.signed(&body, "chain.pem"), 429, "caller-failed")
        .await;
    assert!(headers.contains_key(RETRY_AFTER));
    stuck.abort();
}
