//! Doubtful facts about Partner Center's webhooks, each in both readings.

use base64::Engine as _;
use cosell_simulator::{Assumptions, SimulatorConfig};
use serde_json::{Value, json};

use super::harness::{Received, Receiver, World, patch};
use super::readings::assuming;

const EVENTS: [&str; 3] = ["referral-created", "referral-updated", "test-created"];

async fn register(world: &World, receiver: &Receiver, events: &[&str]) -> Value {
    let body = json!({"WebhookUrl": receiver.url, "WebhookEvents": events});
    let made = world.hooks("POST", "", Some(body)).await;
    assert_eq!(made.status, 200, "{}", made.text);
    made.body
}

/// What a registered receiver is sent about a new deal.
async fn first_event(world: &World) -> Received {
    let mut receiver = Receiver::start().await;
    register(world, &receiver, &EVENTS).await;
    world.deal().await;
    receiver.next().await
}

async fn certificate(world: &World, event: &Received) -> Vec<u8> {
    let url = &event.headers["x-ms-certificate-url"];
    let file = world.client.get(url).send().await.unwrap();
    file.bytes().await.unwrap().to_vec()
}

#[tokio::test]
async fn own_calls_raise_no_events() {
    for flipped in [false, true] {
        let world = assuming(|all| all.own_calls_raise_no_events = flipped).await;
        let mut receiver = Receiver::start().await;
        register(&world, &receiver, &EVENTS).await;
        let own = world.deal().await;
        if !flipped {
            let told = receiver.next().await;
            assert_eq!(told.body["EventName"], "referral-created");
        }
        assert!(receiver.nothing_more(&world).await);
        // What a person does is told in both readings.
        let notes = patch(&[("/details/notes", json!("by hand"))]).unwrap();
        let id = own["id"].as_str().unwrap();
        world.control().partner_user_patches(id, &notes).unwrap();
        let told = receiver.next().await;
        assert_eq!(told.body["EventName"], "referral-updated");
    }
}

#[tokio::test]
async fn event_keys_are_camel_case() {
    for (flipped, key) in [(false, "EventName"), (true, "eventName")] {
        let world = assuming(|all| all.event_keys_are_camel_case = flipped).await;
        let event = first_event(&world).await;
        assert_eq!(event.body[key], "referral-created");
    }
}

#[tokio::test]
async fn event_names_are_pascal_case() {
    for (flipped, name) in [(false, "referral-created"), (true, "Referral-Created")] {
        let world = assuming(|all| all.event_names_are_pascal_case = flipped).await;
        let event = first_event(&world).await;
        assert_eq!(event.body["EventName"], name);
        let held = world.hooks("GET", "", None).await.body;
        assert_eq!(held["WebhookEvents"][0], name);
        let all = world.hooks("GET", "/events", None).await.body;
        assert_eq!(all[0], name);
        let body = json!({"WebhookUrl": "https://host.example/hook", "WebhookEvents": ["REFERRAL-CREATED"]});
        let loud = world.hooks("PUT", "", Some(body)).await;
        assert_eq!(loud.status, if flipped { 200 } else { 400 });
    }
}

#[tokio::test]
async fn events_are_pretty_printed() {
    for flipped in [false, true] {
        let world = assuming(|all| all.events_are_pretty_printed = flipped).await;
        let event = first_event(&world).await;
        assert_eq!(event.raw.contains(&b'\n'), flipped);
        assert_eq!(event.body["ResourceName"], "referral");
    }
}

#[tokio::test]
async fn events_are_sent_once() {
    for (flipped, attempts) in [(false, 2), (true, 1)] {
        let world = assuming(|all| all.events_are_sent_once = flipped).await;
        let mut receiver = Receiver::start().await;
        register(&world, &receiver, &EVENTS).await;
        receiver.answers(&[500]);
        world.deal().await;
        for _ in 0..attempts {
            receiver.next().await;
        }
        assert!(receiver.nothing_more(&world).await);
        let records = world.control().deliveries();
        assert_eq!(records[0].attempts.len(), attempts);
    }
}

#[tokio::test]
async fn validation_answers_plain_text() {
    for flipped in [false, true] {
        let world = assuming(|all| all.validation_answers_plain_text = flipped).await;
        let mut receiver = Receiver::start().await;
        register(&world, &receiver, &EVENTS).await;
        let told = world.hooks("POST", "/validationEvents", None).await.body;
        assert_eq!(told.is_string(), flipped);
        let id = told.as_str().or(told["correlationId"].as_str()).unwrap();
        let event = receiver.next().await;
        let uri = event.body["ResourceUri"].as_str().unwrap();
        assert!(uri.ends_with(id), "{uri}");
    }
}

#[tokio::test]
async fn registration_shows_full_model() {
    for flipped in [false, true] {
        let world = assuming(|all| all.registration_shows_full_model = flipped).await;
        let receiver = Receiver::start().await;
        let made = register(&world, &receiver, &EVENTS).await;
        let held = world.hooks("GET", "", None).await.body;
        for shown in [made, held] {
            assert_eq!(shown.get("WebhookUrl").is_none(), flipped);
            assert_eq!(shown["lastModifiedTimestamp"].is_string(), flipped);
            let asked = &shown["signatureTokenToMsSignatureHeader"];
            assert_eq!(*asked == json!(false), flipped);
        }
    }
}

#[tokio::test]
async fn certificate_as_base64() {
    for flipped in [false, true] {
        let world = assuming(|all| all.certificate_as_base64 = flipped).await;
        let event = first_event(&world).await;
        let file = certificate(&world, &event).await;
        let der = if flipped {
            let base64 = base64::engine::general_purpose::STANDARD;
            base64.decode(&file).unwrap()
        } else {
            file
        };
        assert!(x509_parser::parse_x509_certificate(&der).is_ok());
    }
}

#[tokio::test]
async fn certificate_subject_is_other() {
    for (flipped, name) in [
        (false, "CN=pcnotifications-dispatch.microsoft.com"),
        (true, "CN=notifications.partner.microsoft.com"),
    ] {
        let world = assuming(|all| all.certificate_subject_is_other = flipped).await;
        let subject = async |world: &World| {
            let event = first_event(world).await;
            let file = certificate(world, &event).await;
            let (_, parsed) = x509_parser::parse_x509_certificate(&file).unwrap();
            parsed.subject().to_string()
        };
        assert!(subject(&world).await.contains(name));
        let saved = world.control().save().unwrap();
        drop(world);
        // Another certificate of the same authority is issued for the same name, also in a world that was saved.
        let running = cosell_simulator::Simulator::resume(&saved, |_| {})
            .await
            .unwrap();
        running.control().rotate_webhook_certificate().unwrap();
        let about = running.control().about().clone();
        let url = about["certificate_url"].as_str().unwrap();
        let file = super::harness::client(None).get(url).send().await.unwrap();
        let file = file.bytes().await.unwrap();
        let (_, parsed) = x509_parser::parse_x509_certificate(&file).unwrap();
        assert!(parsed.subject().to_string().contains(name));
    }
}

#[test]
fn every_fact_can_be_turned_over_by_its_name() {
    let usual = serde_json::to_value(Assumptions::default()).unwrap();
    for (name, reading) in usual.as_object().unwrap() {
        let other = json!({ name: !reading.as_bool().unwrap() });
        let other: Assumptions = serde_json::from_value(other).unwrap();
        assert_ne!(other, Assumptions::default(), "{name}");
        let config = SimulatorConfig {
            assumptions: other.clone(),
            ..SimulatorConfig::default()
        };
        assert_eq!(config.assumptions, other);
    }
}
