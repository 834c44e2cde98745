//! What goes wrong on purpose: by chance, by script, by route, and on the way to a receiver.

use std::sync::Arc;

use cosell_simulator::{
    Fault, FaultKind, FaultScript, Service, SimulatorConfig, WebhookFault, WebhookFaultKind,
};
use serde_json::{Value, json};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::harness::{Received, Receiver, World, patch};

fn answer(status: u16) -> FaultKind {
    FaultKind::Answer {
        status,
        code: None,
        retry_after_s: None,
    }
}

fn fault(service: Service, path_prefix: &str, kind: FaultKind) -> Fault {
    Fault {
        service,
        method: None,
        path_prefix: path_prefix.to_owned(),
        skip: 0,
        count: None,
        kind,
    }
}

#[tokio::test]
async fn a_fault_by_chance_strikes_the_same_requests_of_the_same_seed() {
    let statuses = async |seed| {
        let world = World::with(SimulatorConfig {
            tls: false,
            seed,
            ..SimulatorConfig::default()
        })
        .await;
        world
            .control()
            .fault_by_chance(fault(Service::Referrals, "", answer(503)), 0.4);
        let mut statuses = Vec::new();
        for _ in 0..40 {
            statuses.push(world.pc("GET", "", &[], None).await.status);
        }
        statuses
    };
    let first = statuses(3).await;
    assert!(first.contains(&200) && first.contains(&503), "{first:?}");
    assert_eq!(first, statuses(3).await);
    assert_ne!(first, statuses(4).await);
}

#[tokio::test]
async fn a_script_says_what_becomes_of_each_request_of_a_route_in_turn() {
    let world = World::start().await;
    let deal = world.deal().await;
    let path = format!("/{}", deal["id"].as_str().unwrap());
    world.control().fault_script(FaultScript {
        service: Service::Referrals,
        method: Some("PATCH".to_owned()),
        path_prefix: "/v1.0/engagements/referrals/*".to_owned(),
        steps: [401, 403, 412, 429, 500]
            .into_iter()
            .flat_map(|status| [Some(answer(status)), None])
            .collect(),
    });
    let mut statuses = Vec::new();
    for round in 0..11 {
        let body = patch(&[("/details/notes", json!(round.to_string()))]);
        statuses.push(world.pc("PATCH", &path, &[], body).await.status);
        // Another method of the route is not struck, and is no step.
        assert_eq!(world.pc("GET", &path, &[], None).await.status, 200);
    }
    assert_eq!(
        statuses,
        [401, 204, 403, 204, 412, 204, 429, 204, 500, 204, 204]
    );
}

#[tokio::test]
async fn a_wrong_clock_stamps_and_dates_what_it_answers_only() {
    let world = World::start().await;
    let deal = world.deal().await;
    let path = format!("/{}", deal["id"].as_str().unwrap());
    let hour = 3_600_000;
    world.control().fault(Fault {
        count: Some(1),
        method: Some("PATCH".to_owned()),
        ..fault(Service::Referrals, "", FaultKind::WrongClock { ms: -hour })
    });
    let body = patch(&[("/details/notes", json!("late"))]);
    let skewed = world.pc("PATCH", &path, &[], body.clone()).await;
    assert!(
        skewed.status == 204 && skewed.header("date").ends_with(" GMT"),
        "{skewed:?}"
    );
    let stamp = |deal: &Value| {
        deal["updatedDateTime"]
            .as_str()
            .unwrap()
            .parse::<jiff::Timestamp>()
            .unwrap()
    };
    let id = deal["id"].as_str().unwrap();
    let behind = stamp(&deal)
        .duration_since(stamp(&world.referral(id)))
        .as_secs();
    assert!((3_500..3_700).contains(&behind), "{behind}");
    world.pc("PATCH", &path, &[], body).await;
    assert!(stamp(&world.referral(id)) > stamp(&deal));
}

#[tokio::test]
async fn a_delta_may_be_answered_as_expired() {
    let world = World::start().await;
    world.control().fault(fault(
        Service::Dataverse,
        "/api/data/v9.2/accounts",
        FaultKind::ExpiredDelta,
    ));
    let answer = world.crm("GET", "accounts?$deltatoken=1", &[], None).await;
    assert_eq!((answer.status, answer.code()), (400, "0x80044352"));
}

async fn registered(world: &World) -> Receiver {
    let receiver = Receiver::start().await;
    let events = json!(["referral-created", "referral-updated"]);
    let body = json!({"WebhookUrl": receiver.url, "WebhookEvents": events});
    assert_eq!(world.hooks("POST", "", Some(body)).await.status, 200);
    receiver
}

fn webhook(kind: WebhookFaultKind, count: u32) -> WebhookFault {
    WebhookFault {
        service: Service::PartnerCenter,
        count: Some(count),
        kind,
    }
}

#[tokio::test]
async fn a_webhook_may_be_overtaken_by_the_next() {
    let world = World::start().await;
    let mut receiver = registered(&world).await;
    world
        .control()
        .webhook_fault(webhook(WebhookFaultKind::Reorder, 1));
    let deal = world.deal().await;
    let path = format!("/{}", deal["id"].as_str().unwrap());
    world
        .pc(
            "PATCH",
            &path,
            &[],
            patch(&[("/details/notes", json!("x"))]),
        )
        .await;
    let names = [receiver.next().await, receiver.next().await]
        .map(|received| received.body["EventName"].clone());
    assert_eq!(
        names,
        [json!("referral-updated"), json!("referral-created")]
    );
}

#[tokio::test]
async fn a_webhook_that_nothing_overtakes_comes_all_the_same() {
    let world = World::start().await;
    let mut receiver = registered(&world).await;
    world
        .control()
        .webhook_fault(webhook(WebhookFaultKind::Reorder, 1));
    world.deal().await;
    assert_eq!(receiver.next().await.body["EventName"], "referral-created");
}

/// The certificate that a notification names.
async fn certificate(world: &World, received: &Received) -> Vec<u8> {
    let url = &received.headers["x-ms-certificate-url"];
    world
        .client
        .get(url)
        .send()
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap()
        .to_vec()
}

#[tokio::test]
async fn a_webhook_may_be_one_that_a_receiver_has_to_refuse() {
    let world = World::start().await;
    let mut receiver = registered(&world).await;
    let mut next = async |kind| {
        world.control().webhook_fault(webhook(kind, 1));
        world.deal().await;
        receiver.next().await
    };
    let bom = next(WebhookFaultKind::ByteOrderMark).await;
    assert!(bom.raw.starts_with(&[0xEF, 0xBB, 0xBF]));
    let unsigned = next(WebhookFaultKind::Unsigned).await;
    assert!(!unsigned.headers.contains_key("authorization"));
    let weak = next(WebhookFaultKind::WeakAlgorithm).await;
    assert_eq!(weak.headers["x-ms-signature-algorithm"], "rsa-sha1");
    let expired = certificate(&world, &next(WebhookFaultKind::ExpiredCertificate).await).await;
    let (_, expired) = X509Certificate::from_der(&expired).unwrap();
    assert!(
        !expired.validity().is_valid()
            && expired
                .issuer()
                .to_string()
                .contains("Microsoft Corporation")
    );
    let foreign = certificate(&world, &next(WebhookFaultKind::ForeignCertificate).await).await;
    let (_, foreign) = X509Certificate::from_der(&foreign).unwrap();
    assert!(foreign.validity().is_valid() && !foreign.issuer().to_string().contains("Microsoft"));
}

#[tokio::test]
async fn a_rotated_certificate_is_at_the_same_address_and_of_the_same_authority() {
    let world = World::start().await;
    let mut receiver = registered(&world).await;
    world.deal().await;
    let before = receiver.next().await;
    let old = certificate(&world, &before).await;
    world.control().rotate_webhook_certificate().unwrap();
    world.deal().await;
    let after = receiver.next().await;
    assert_eq!(
        before.headers["x-ms-certificate-url"],
        after.headers["x-ms-certificate-url"]
    );
    let new = certificate(&world, &after).await;
    let verifies = |der: &[u8], received: &Received| {
        use base64::Engine as _;
        let (_, certificate) = X509Certificate::from_der(der).unwrap();
        let key = ring::signature::UnparsedPublicKey::new(
            &ring::signature::RSA_PKCS1_2048_8192_SHA256,
            certificate.public_key().subject_public_key.data.to_vec(),
        );
        let token = received.headers["authorization"]
            .strip_prefix("Signature ")
            .unwrap();
        let signature = base64::engine::general_purpose::STANDARD
            .decode(token)
            .unwrap();
        key.verify(&received.raw, &signature).is_ok()
    };
    assert!(verifies(&old, &before) && verifies(&new, &after) && !verifies(&old, &after));
    let (_, new) = X509Certificate::from_der(&new).unwrap();
    let anchors = world.running.webhook_root_pem.as_bytes();
    let anchors = x509_parser::pem::Pem::iter_from_buffer(anchors).map(Result::unwrap);
    let anchors: Vec<_> = anchors.collect();
    let issuer = anchors[1].parse_x509().unwrap();
    ring::signature::UnparsedPublicKey::new(
        &ring::signature::ECDSA_P256_SHA256_ASN1,
        issuer.public_key().subject_public_key.data.to_vec(),
    )
    .verify(new.tbs_certificate.as_ref(), &new.signature_value.data)
    .unwrap();
}

#[tokio::test]
async fn chance_and_script_are_read_from_the_wire_and_bad_ones_are_told() {
    let world = Arc::new(World::start().await);
    let send = async |path: &str, body: Value| {
        let url = format!("{}/{path}", world.running.urls.control);
        world.send("POST", &url, "", &[], Some(body)).await
    };
    let drop =
        json!({"service": "referrals", "kind": {"do": "answer", "status": 429}, "chance": 1.0});
    assert_eq!(send("faults", drop.clone()).await.status, 200);
    assert_eq!(world.pc("GET", "", &[], None).await.status, 429);
    world.control().clear_faults();
    for chance in [json!(2), json!("often"), json!(-0.1), json!(null)] {
        let mut bad = drop.clone();
        bad["chance"] = chance;
        let refused = send("faults", bad).await;
        assert!(
            refused.status == 400 && refused.text.contains("chance"),
            "{}",
            refused.text
        );
    }
    let script = json!({"service": "referrals", "steps": [null, {"do": "drop-before"}]});
    assert_eq!(send("fault-scripts", script).await.status, 200);
    assert_eq!(world.pc("GET", "", &[], None).await.status, 200);
    let url = format!(
        "{}/v1.0/engagements/referrals",
        world.running.urls.referrals
    );
    assert!(world.client.get(url).send().await.is_err());
    assert_eq!(
        send("fault-scripts", json!({"service": "referrals"}))
            .await
            .status,
        400
    );
}

/// Longer than what is not late takes, however busy the machine is.
const LATE_MS: u64 = 3_000;

#[tokio::test]
async fn a_webhook_may_come_late_and_another_before_it() {
    let world = World::start().await;
    let mut receiver = registered(&world).await;
    let late = WebhookFaultKind::Delay { ms: LATE_MS };
    world.control().webhook_fault(webhook(late, 1));
    let deal = world.deal().await;
    assert_eq!(
        world.control().deliveries_waiting(),
        1,
        "it is on its way, and nobody has heard of it"
    );
    let path = format!("/{}", deal["id"].as_str().unwrap());
    let body = patch(&[("/details/notes", json!("x"))]);
    world.pc("PATCH", &path, &[], body).await;
    let names = [receiver.next().await, receiver.next().await]
        .map(|received| received.body["EventName"].clone());
    assert_eq!(
        names,
        [json!("referral-updated"), json!("referral-created")]
    );
}

#[tokio::test]
async fn a_request_may_wait_and_is_handled_only_then() {
    let world = Arc::new(World::start().await);
    let deal = world.deal().await;
    let path = format!("/{}", deal["id"].as_str().unwrap());
    world.control().fault(Fault {
        count: Some(1),
        method: Some("PATCH".to_owned()),
        ..fault(Service::Referrals, "", FaultKind::Delay { ms: LATE_MS })
    });
    let notes = |text: &str| patch(&[("/details/notes", json!(text))]);
    // Both at once: one of them waits, the other one is done before it is even looked at. So its etag is old when its turn comes.
    let etag = deal["eTag"].as_str().unwrap().to_owned();
    let headers = [("if-match", etag.as_str())];
    let (one, other) = tokio::join!(
        world.pc("PATCH", &path, &headers, notes("one")),
        world.pc("PATCH", &path, &headers, notes("other")),
    );
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 412]);
    let done = if one.status == 204 { "one" } else { "other" };
    let id = deal["id"].as_str().unwrap();
    assert_eq!(world.referral(id)["details"]["notes"], done);
}
