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
