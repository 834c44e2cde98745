//! Partner Center's webhooks.

use base64::Engine as _;
use cosell_simulator::{
    Assumptions, Fault, FaultKind, Service, SimulatorConfig, WebhookFault, WebhookFaultKind,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _};
use serde_json::json;

use super::harness::{Received, Receiver, World, deal};

const EVENTS: [&str; 5] = [
    "referral-created",
    "referral-updated",
    "related-referral-created",
    "related-referral-updated",
    "test-created",
];

async fn registered(world: &World, receiver: &Receiver, ms_header: bool) {
    let body = json!({"WebhookUrl": receiver.url, "WebhookEvents": EVENTS, "SignatureTokenToMsSignatureHeader": ms_header});
    assert_eq!(world.hooks("POST", "", Some(body)).await.status, 200);
}

/// Whether the signature in a header is good for the raw body, by the certificate that the event names.
async fn verified(world: &World, received: &Received, header: &str) -> bool {
    let (scheme, token) = received.headers[header].split_once(' ').unwrap();
    assert_eq!(
        (
            scheme,
            received.headers["x-ms-signature-algorithm"].as_str()
        ),
        ("Signature", "rsa-sha256")
    );
    let certificate = world
        .client
        .get(&received.headers["x-ms-certificate-url"])
        .send()
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    let (_, parsed) = x509_parser::parse_x509_certificate(&certificate).unwrap();
    assert!(
        parsed
            .issuer()
            .to_string()
            .contains("O=Microsoft Corporation"),
        "{}",
        parsed.issuer()
    );
    assert!(
        parsed
            .subject()
            .to_string()
            .contains("CN=pcnotifications-dispatch.microsoft.com")
    );
    let key = parsed.public_key().subject_public_key.data.to_vec();
    let signature = base64::engine::general_purpose::STANDARD
        .decode(token)
        .unwrap();
    assert_eq!(signature.len(), 256, "RSA-2048");
    ring::signature::UnparsedPublicKey::new(&ring::signature::RSA_PKCS1_2048_8192_SHA256, key)
        .verify(&received.raw, &signature)
        .is_ok()
}

#[tokio::test]
async fn an_event_is_compact_json_signed_over_its_raw_bytes() {
    let world = World::start().await;
    let mut receiver = Receiver::start().await;
    registered(&world, &receiver, false).await;
    let made = world.deal().await;
    let event = receiver.next().await;
    assert!(verified(&world, &event, "authorization").await);
    assert_eq!(
        event.raw.as_ref(),
        event.body.to_string().as_bytes(),
        "compact"
    );
    assert_eq!(
        (
            event.body["EventName"].as_str(),
            event.body["ResourceName"].as_str()
        ),
        (Some("referral-created"), Some("referral"))
    );
    let uri = format!(
        "https://api.partnercenter.microsoft.com/engagements/v1/referrals/{}",
        made["id"].as_str().unwrap()
    );
    assert_eq!(event.body["ResourceUri"], uri);
    let at = event.body["ResourceChangeUtcDate"].as_str().unwrap();
    assert!(
        at.ends_with("+00:00") && at.len() == "2018-02-17T00:05:39.5485487+00:00".len(),
        "{at}"
    );
}

#[tokio::test]
async fn the_signature_may_travel_in_x_ms_signature() {
    let world = World::start().await;
    let mut receiver = Receiver::start().await;
    registered(&world, &receiver, true).await;
    world.deal().await;
    let event = receiver.next().await;
    assert!(!event.headers.contains_key("authorization"));
    assert!(verified(&world, &event, "x-ms-signature").await);
}

#[tokio::test]
async fn the_chain_leads_to_the_pinned_root() {
    let config = SimulatorConfig {
        tls: false,
        assumptions: Assumptions {
            certificate_as_pem: true,
            certificate_with_chain: true,
            ..Assumptions::default()
        },
        ..SimulatorConfig::default()
    };
    let world = World::with(config).await;
    let pem = world
        .client
        .get(&world.running.certificate_url)
        .send()
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&pem)
        .map(Result::unwrap)
        .collect();
    assert_eq!(chain.len(), 2, "leaf and intermediate");
    let mut roots = rustls::RootCertStore::empty();
    // The first of the anchors is the root alone.
    roots
        .add(CertificateDer::from_pem_slice(world.running.webhook_root_pem.as_bytes()).unwrap())
        .unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let verifier =
        rustls::client::WebPkiServerVerifier::builder_with_provider(roots.into(), provider)
            .build()
            .unwrap();
    let name = ServerName::try_from("pcnotifications-dispatch.microsoft.com").unwrap();
    use rustls::client::danger::ServerCertVerifier as _;
    verifier
        .verify_server_cert(&chain[0], &chain[1..], &name, &[], UnixTime::now())
        .unwrap();
}

#[tokio::test]
async fn related_events_go_to_the_other_members_of_an_engagement() {
    let world = World::start().await;
    let mut receiver = Receiver::start().await;
    let own = world.deal().await;
    let theirs = world.invite(&own).await.body;
    registered(&world, &receiver, false).await;
    let id = own["id"].as_str().unwrap();
    world.control().microsoft_accepts(id, "7-ABC").unwrap();
    let event = receiver.next().await;
    assert_eq!(event.body["EventName"], "related-referral-updated");
    assert!(
        event.body["ResourceUri"]
            .as_str()
            .unwrap()
            .ends_with(theirs["id"].as_str().unwrap())
    );
    assert_eq!(
        world.control().microsoft_referral(id).unwrap()["trackingInfo"]["microsoftMsxId"],
        "7-ABC"
    );
    world
        .control()
        .partner_user_patches(
            id,
            &json!([{"op": "replace", "path": "/details/dealValue", "value": 1}]),
        )
        .unwrap();
    assert_eq!(receiver.next().await.body["EventName"], "referral-updated");
    world.control().referral_arrives(&deal()).unwrap();
    let mut names = [
        receiver.next().await.body["EventName"].to_string(),
        receiver.next().await.body["EventName"].to_string(),
    ];
    names.sort();
    assert_eq!(
        names,
        ["\"referral-created\"", "\"related-referral-created\""]
    );
}

#[tokio::test]
async fn a_failed_delivery_is_tried_ten_times_and_then_given_up() {
    let config = SimulatorConfig {
        tls: false,
        webhook_retry_ms: 1,
        ..SimulatorConfig::default()
    };
    let world = World::with(config).await;
    let mut receiver = Receiver::start().await;
    registered(&world, &receiver, false).await;
    receiver.answers(&[500; 10]);
    world.deal().await;
    for _ in 0..10 {
        receiver.next().await;
    }
    assert!(receiver.nothing_more(&world).await);
    let records = world.control().deliveries();
    assert_eq!(
        (records[0].attempts.len(), records[0].outcome.as_str()),
        (10, "failed")
    );
}

#[tokio::test]
async fn webhooks_can_be_lost_doubled_and_spoilt() {
    let world = World::start().await;
    let mut receiver = Receiver::start().await;
    registered(&world, &receiver, false).await;
    let strike = |kind| {
        world.control().webhook_fault(WebhookFault {
            service: Service::PartnerCenter,
            count: Some(1),
            kind,
        })
    };
    strike(WebhookFaultKind::Drop);
    world.deal().await;
    assert!(receiver.nothing_more(&world).await);
    strike(WebhookFaultKind::Duplicate);
    world.deal().await;
    let (first, second) = (receiver.next().await, receiver.next().await);
    assert_eq!(first.raw, second.raw);
    strike(WebhookFaultKind::Tamper);
    world.deal().await;
    assert!(!verified(&world, &receiver.next().await, "authorization").await);
}

#[tokio::test]
async fn there_is_one_registration_and_post_is_409_when_it_exists() {
    let world = World::start().await;
    let body = |events: serde_json::Value| {
        Some(json!({"WebhookUrl": "https://host.example/hook", "WebhookEvents": events}))
    };
    assert_eq!(world.hooks("GET", "", None).await.status, 404);
    assert_eq!(
        world
            .hooks("PUT", "", body(json!(["referral-created"])))
            .await
            .status,
        404
    );
    let made = world
        .hooks("POST", "", body(json!(["referral-created"])))
        .await;
    assert_eq!(made.body["WebhookEvents"], json!(["referral-created"]));
    assert_eq!(
        world
            .hooks("POST", "", body(json!(["referral-created"])))
            .await
            .status,
        409
    );
    assert_eq!(
        world
            .hooks("PUT", "", body(json!(["referral-updated"])))
            .await
            .status,
        200
    );
    assert_eq!(
        world.hooks("GET", "", None).await.body["WebhookEvents"],
        json!(["referral-updated"])
    );
    let refused = world.hooks("PUT", "", body(json!(["no-such-event"]))).await;
    assert_eq!(refused.status, 400);
    assert!(
        refused.body["code"].is_string()
            && refused.body["description"].is_string()
            && refused.body["data"].is_array()
    );
    let events = world.hooks("GET", "/events", None).await.body;
    assert!(
        events
            .as_array()
            .unwrap()
            .contains(&json!("related-referral-updated"))
    );
    assert_eq!(
        world.control().counts().writes,
        0,
        "set-up is not synchronisation"
    );
}

#[tokio::test]
async fn validation_events_are_two_a_minute() {
    let world = World::start().await;
    let mut receiver = Receiver::start().await;
    registered(&world, &receiver, false).await;
    let first = world.hooks("POST", "/validationEvents", None).await;
    let id = first.body["correlationId"].as_str().unwrap().to_owned();
    let event = receiver.next().await;
    assert_eq!(
        (
            event.body["EventName"].as_str(),
            event.body["ResourceName"].as_str()
        ),
        (Some("test-created"), Some("test"))
    );
    assert!(receiver.nothing_more(&world).await);
    let result = world
        .hooks("GET", &format!("/validationEvents/{id}"), None)
        .await
        .body;
    assert_eq!(
        (
            result["status"].as_str(),
            result["results"][0]["responseCode"].as_str()
        ),
        (Some("completed"), Some("OK"))
    );
    assert_eq!(
        world.hooks("POST", "/validationEvents", None).await.status,
        200
    );
    let third = world.hooks("POST", "/validationEvents", None).await;
    assert_eq!(
        (third.status, third.body["statusCode"].as_u64()),
        (429, Some(429))
    );
    world.control().advance_ms(61_000);
    assert_eq!(
        world.hooks("POST", "/validationEvents", None).await.status,
        200
    );
}

#[tokio::test]
async fn the_gateway_throttles_in_a_third_shape() {
    let world = World::start().await;
    world.control().fault(Fault {
        service: Service::PartnerCenter,
        method: None,
        path_prefix: String::new(),
        skip: 0,
        count: Some(1),
        kind: FaultKind::Answer {
            status: 429,
            code: None,
            retry_after_s: Some(57),
        },
    });
    let answer = world.hooks("GET", "/events", None).await;
    assert_eq!((answer.status, answer.header("retry-after")), (429, "57"));
    assert_eq!(
        answer.body["message"],
        "Rate limit is exceeded. Try again in 57 seconds."
    );
    assert_eq!(world.hooks("GET", "/events", None).await.status, 200);
}
