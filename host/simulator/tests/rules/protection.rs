//! Service protection limits: three codes, a time to wait, and headers that tell what is left.

use cosell_simulator::{ServiceProtection, SimulatorConfig};
use serde_json::json;

use super::harness::World;

async fn protected(service_protection: ServiceProtection, latency_ms: u64) -> World {
    World::with(SimulatorConfig {
        tls: false,
        latency_ms,
        service_protection: Some(service_protection),
        ..SimulatorConfig::demo()
    })
    .await
}

#[tokio::test]
async fn too_many_requests_in_the_window_are_429_until_it_has_moved() {
    let world = protected(
        ServiceProtection {
            requests_max: 2,
            ..ServiceProtection::default()
        },
        0,
    )
    .await;
    let ask = async || world.crm("GET", "WhoAmI", &[], None).await;
    let first = ask().await;
    assert_eq!(
        first.header("x-ms-ratelimit-burst-remaining-xrm-requests"),
        "1"
    );
    assert_eq!(
        first.header("x-ms-ratelimit-time-remaining-xrm-requests"),
        "1200"
    );
    assert!(!first.header("x-ms-dop-hint").is_empty());
    ask().await;
    let refused = ask().await;
    assert_eq!((refused.status, refused.code()), (429, "0x80072322"));
    assert_eq!(
        refused.body["error"]["message"],
        "Number of requests exceeded the limit of 2 over time window of 300 seconds."
    );
    world.control().advance_ms(100_000);
    let wait =
        |answer: &super::harness::Answer| answer.header("retry-after").parse::<u64>().unwrap();
    let (second, third) = (ask().await, ask().await);
    assert!((195..=202).contains(&wait(&second)), "{}", wait(&second));
    assert!(
        wait(&third) > wait(&second),
        "who keeps asking waits longer"
    );
    world.control().advance_ms(201_000);
    assert_eq!(ask().await.status, 200);
}

#[tokio::test]
async fn too_much_execution_time_is_429_and_a_batch_does_not_dodge_it() {
    let limits = ServiceProtection {
        execution_ms_max: 1_200_000,
        operation_ms: 400_000,
        ..ServiceProtection::default()
    };
    let world = protected(limits, 0).await;
    let single = "--batch_x\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\nGET /api/data/v9.2/WhoAmI HTTP/1.1\r\n\r\n\r\n";
    let batch = world
        .batch(&[], &format!("{}--batch_x--\r\n", single.repeat(3)))
        .await;
    assert_eq!(batch.status, 200, "{}", batch.text);
    let refused = world.crm("GET", "WhoAmI", &[], None).await;
    assert_eq!((refused.status, refused.code()), (429, "0x80072321"));
    assert_eq!(
        refused.body["error"]["message"],
        "Combined execution time of incoming requests exceeded limit of 1,200,000 milliseconds over time window of 300 seconds. Decrease number of concurrent requests or reduce the duration of requests and try again later."
    );
}

#[tokio::test]
async fn too_many_requests_at_a_time_are_429() {
    let limits = ServiceProtection {
        concurrent_max: 1,
        ..ServiceProtection::default()
    };
    let world = protected(limits, 300).await;
    let ask = || world.crm("POST", "accounts", &[], Some(json!({"name": "A"})));
    let (first, second) = tokio::join!(ask(), ask());
    let mut statuses = [first.status, second.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 429]);
    let refused = if first.status == 429 { first } else { second };
    assert_eq!(refused.code(), "0x80072326");
    assert_eq!(
        refused.body["error"]["message"],
        "Number of concurrent requests exceeded the limit of 1."
    );
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(ask().await.status, 204, "what was refused is not under way");
}

#[tokio::test]
async fn without_protection_nothing_is_counted() {
    let world = World::start().await;
    let answer = world.crm("GET", "WhoAmI", &[], None).await;
    assert_eq!(
        answer.header("x-ms-ratelimit-burst-remaining-xrm-requests"),
        ""
    );
}
