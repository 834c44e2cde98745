//! A plugin that is slow, and not too slow.

use std::time::Duration;

use cosell_plugins::{Engine, EngineSettings};
use cosell_sync::row::RecordKind;

use crate::house::{House, asking, seen};
use crate::scripts::stock;

const ENGINE: &str = "script.engine.wasm";

/// Time that this thread has spent on a processor: what the limit of a call counts.
fn worked() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let nanoseconds = text.split_ascii_whitespace().next().unwrap();
    Duration::from_nanos(nanoseconds.parse().unwrap())
}

#[tokio::test]
async fn a_plugin_near_its_limit_is_told_once_and_goes_on_serving() {
    const SCRIPT: &str = "export const plugin = { manifest: () => ({ id: 'acme', version: '1.0.0', summary: 'Counts.' }) };\n\
                          export const opportunity = { toDeal() { for (let i = 0; i < 400000; i++); return []; } };\n";
    // Guests work on this very thread, so that their work can be measured.
    let engine = Engine::new(EngineSettings {
        threads: 0,
        ..EngineSettings::default()
    })
    .unwrap();
    let house = House::with_engine(
        &[
            (ENGINE, stock(ENGINE)),
            ("50-acme.js", SCRIPT.as_bytes().to_vec()),
            ("50-acme.toml", b"[limits]\ncall_ms = 1000".to_vec()),
        ],
        engine,
    );
    // One deal: that a call is cut off now and then, on whatever machine, is that deal's trouble.
    let ask = || async {
        let set = house.set();
        let before = worked();
        drop(set.read(&asking(), RecordKind::Opportunity, &seen()).await);
        worked() - before
    };
    let mut call = ask().await;
    for _ in 0..4 {
        call = call.min(ask().await);
    }
    assert!(house.set().slow().is_empty());
    // Five quarters of what it needs: more than half, and not too slow.
    let limit = u64::try_from(call.as_millis()).unwrap() * 5 / 4 + 1;
    let operator = format!("[limits]\ncall_ms = {limit}");
    house.drop_file("50-acme.toml", operator).await;
    for _ in 0..40 {
        ask().await;
    }
    house.folder.reload().await;
    let slow = house.set().slow();
    assert_eq!(slow.len(), 1, "{call:?} of {limit} ms");
    assert_eq!((slow[0].0.as_str(), slow[0].1.limit_ms), ("acme", limit));
    assert_eq!(house.serving(), ["acme 1.0.0"]);
    let happened = house.happened();
    let told = happened.iter().filter(|one| *one == "slow 50-acme.js");
    assert_eq!(told.count(), 1, "{happened:?}");
}
