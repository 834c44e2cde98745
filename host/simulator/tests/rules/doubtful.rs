//! Facts that the references leave open: both readings of each, and that what a switch decides is counted.

use std::collections::BTreeSet;

use cosell_simulator::{Assumptions, SimulatorConfig};
use serde_json::{Value, json};

use super::harness::{World, deal};

/// A world without TLS in which facts are read so.
pub(crate) async fn with(assumptions: Assumptions) -> World {
    World::with(SimulatorConfig {
        tls: false,
        assumptions,
        ..SimulatorConfig::demo()
    })
    .await
}

/// How often a fact has decided something.
pub(crate) fn decided(world: &World, fact: &str) -> u64 {
    world.control().assumptions()[fact].decided
}

/// What a world answers that reads all facts as usual, and what one answers in which this fact is turned over. In both the fact must have
/// decided something.
pub(crate) async fn readings<T>(fact: &str, ask: impl AsyncFn(&World) -> T) -> (T, T) {
    let usual = World::start().await;
    let answers = (ask(&usual).await, {
        let mut switches = serde_json::to_value(Assumptions::default()).unwrap();
        let turned = !switches[fact].as_bool().unwrap();
        switches[fact] = json!(turned);
        let other = with(serde_json::from_value(switches).unwrap()).await;
        let answer = ask(&other).await;
        assert!(decided(&other, fact) > 0, "{fact} decided nothing");
        answer
    });
    assert!(decided(&usual, fact) > 0, "{fact} decided nothing");
    answers
}

#[tokio::test]
async fn a_switch_counts_what_it_decides_and_control_tells_it() {
    let world = World::start().await;
    assert_eq!(decided(&world, "create_answers_201"), 0);
    world.deal().await;
    world.pc("POST", "", &[], Some(deal())).await;
    assert_eq!(decided(&world, "create_answers_201"), 2);
    let url = format!("{}/assumptions", world.running.urls.control);
    let told = world.send("GET", &url, "", &[], None).await.body;
    assert_eq!(
        told["create_answers_201"],
        json!({"is_on": false, "decided": 2})
    );
    // Nothing was closed.
    assert_eq!(told["close_raises_update"]["decided"], 0);
    let all = serde_json::to_value(Assumptions::default()).unwrap();
    let names =
        |all: &Value| -> BTreeSet<String> { all.as_object().unwrap().keys().cloned().collect() };
    assert_eq!(names(&told), names(&all));
}

#[tokio::test]
async fn a_certificate_file_holds_its_chain_in_the_leafs_own_form() {
    let mut lengths = Vec::new();
    for chain in [false, true] {
        let world = with(Assumptions {
            certificate_with_chain: chain,
            ..Assumptions::default()
        })
        .await;
        let file = world.client.get(&world.running.certificate_url);
        let file = file.send().await.unwrap().bytes().await.unwrap();
        let mut found = 0;
        let mut rest: &[u8] = &file;
        while !rest.is_empty() {
            // A SEQUENCE, its length in two bytes.
            assert_eq!(rest[..2], [0x30, 0x82]);
            let length = usize::from(rest[2]) << 8 | usize::from(rest[3]);
            rest = &rest[4 + length..];
            found += 1;
        }
        lengths.push(found);
        assert_eq!(decided(&world, "certificate_with_chain"), 1);
    }
    assert_eq!(lengths, [1, 2]);
}

#[tokio::test]
async fn an_app_that_does_not_prove_itself_is_unauthorised_or_a_bad_request() {
    let (usual, other) = readings("unproven_app_is_400", async |world| {
        let crm = &world.running.crm;
        let scope = format!("{}/.default", world.running.urls.dataverse);
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", crm.client_id.as_str()),
            ("client_secret", "wrong"),
            ("scope", &scope),
        ];
        let answer = world.token("oauth2/v2.0/token", &form).await;
        (answer.status, answer.body["error"].clone())
    })
    .await;
    let error = json!("invalid_client");
    assert_eq!((usual, other), ((401, error.clone()), (400, error)));
}

#[tokio::test]
async fn a_refresh_token_is_good_for_both_audiences_or_for_its_own() {
    const AUDIENCES: [&str; 2] = [
        "https://api.partner.microsoft.com",
        "https://api.partnercenter.microsoft.com",
    ];
    let running = async |bound: bool| {
        let config = SimulatorConfig {
            tls: false,
            assumptions: Assumptions {
                refresh_token_is_bound_to_audience: bound,
                ..Assumptions::default()
            },
            ..SimulatorConfig::demo()
        };
        let running = cosell_simulator::Simulator::start(config).await.unwrap();
        let partner = running.organizations[0].clone();
        let url = format!("{}/common/oauth2/token", running.urls.entra);
        let client = super::harness::client(None);
        let mut token = partner.refresh_token.clone();
        let mut told = Vec::new();
        for resource in [AUDIENCES[0], AUDIENCES[1], AUDIENCES[0]] {
            let form = [
                ("grant_type", "refresh_token"),
                ("client_id", partner.client_id.as_str()),
                ("client_secret", &partner.client_secret),
                ("refresh_token", &token),
                ("resource", resource),
            ];
            let answer = client.post(&url).form(&form).send().await.unwrap();
            let answer = super::harness::read(answer).await;
            if let Some(next) = answer.body["refresh_token"].as_str() {
                next.clone_into(&mut token);
            }
            told.push((answer.status, answer.body["error_codes"][0].as_u64()));
        }
        let counted = running.control().assumptions();
        assert!(counted["refresh_token_is_bound_to_audience"].decided > 0);
        told
    };
    assert_eq!(running(false).await, [(200, None); 3]);
    assert_eq!(
        running(true).await,
        [(200, None), (400, Some(70_000)), (200, None)]
    );
}

/// Not the usual world, whose client redeems its token for each audience when it signs in.
#[tokio::test]
async fn a_redeemed_refresh_token_works_on_or_is_spent() {
    let running = async |works_on: bool| {
        let config = SimulatorConfig {
            tls: false,
            assumptions: Assumptions {
                old_refresh_tokens_keep_working: works_on,
                ..Assumptions::default()
            },
            ..SimulatorConfig::demo()
        };
        let running = cosell_simulator::Simulator::start(config).await.unwrap();
        let partner = running.organizations[0].clone();
        let url = format!("{}/common/oauth2/token", running.urls.entra);
        let client = super::harness::client(None);
        let redeem = async |token: &str| {
            let form = [
                ("grant_type", "refresh_token"),
                ("client_id", partner.client_id.as_str()),
                ("client_secret", &partner.client_secret),
                ("refresh_token", token),
                ("resource", "https://api.partner.microsoft.com"),
            ];
            let answer = client.post(&url).form(&form).send().await.unwrap();
            super::harness::read(answer).await
        };
        let first = redeem(&partner.refresh_token).await;
        let again = redeem(&partner.refresh_token).await;
        // The successor is good in either case.
        let next = first.body["refresh_token"].as_str().unwrap();
        assert_eq!(redeem(next).await.status, 200);
        let counted = running.control().assumptions();
        assert!(counted["old_refresh_tokens_keep_working"].decided > 0);
        (again.status, again.body["error"].clone())
    };
    assert_eq!(running(true).await, (200, Value::Null));
    assert_eq!(running(false).await, (400, json!("invalid_grant")));
}
