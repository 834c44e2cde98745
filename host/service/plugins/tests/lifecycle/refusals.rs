//! A refusal is told as long as its cause lies in the folder, and not longer.

use std::sync::Arc;

use cosell_plugins::{Slate, What};

use crate::guest::{Guest, Val, manifest};
use crate::house::House;

const FILE: &str = "50-acme.wasm";

fn acme(version: &str) -> Vec<u8> {
    let answer = Val::ok(Val::list([Val::with("name", Val::s(version))]));
    Guest::of(&["opportunity"])
        .named("acme")
        .says("plugin#manifest", manifest("acme", version, vec![]))
        .says("opportunity#to-deal", answer)
        .build()
}

/// Whether the last word about a file is that it is not there any more, and no reason lies beside it.
fn is_forgotten(house: &House, file: &str) -> bool {
    let last = house.events.try_iter().filter(|event| event.file == file);
    last.last().is_some_and(|event| event.what == What::Retired)
        && !house
            .path(&file.replace(".wasm", ".rejected.json"))
            .exists()
        && house.folder.refused().is_empty()
}

#[tokio::test]
async fn a_refused_file_that_goes_is_not_refused_any_more() {
    let house = House::with(&[]);
    house.drop_file("60-bad.wasm", b"no component").await;
    assert!(house.path("60-bad.rejected.json").exists());
    house.remove("60-bad.wasm").await;
    assert!(is_forgotten(&house, "60-bad.wasm"));
}

#[tokio::test]
async fn a_refused_file_that_is_switched_off_is_not_refused_any_more() {
    let house = House::with(&[("60-bad.wasm", b"no component".to_vec())]);
    std::fs::write(house.path("60-bad.toml"), "enabled = false").unwrap();
    // Only what reads as a plugin's file is looked at at all.
    house.drop_file("60-bad.wasm", acme("1.0.0")).await;
    assert!(is_forgotten(&house, "60-bad.wasm"));
}

#[tokio::test]
async fn bytes_that_were_known_before_a_bad_copy_take_its_refusal_back() {
    let house = House::with(&[(FILE, acme("1.0.0"))]);
    house.drop_file(FILE, b"half a file").await;
    assert!(house.path("50-acme.rejected.json").exists());
    house.drop_file(FILE, acme("1.0.0")).await;
    assert_eq!(house.serving(), ["acme 1.0.0"]);
    assert!(is_forgotten(&house, FILE));
}

#[tokio::test]
async fn bytes_that_come_back_while_no_host_runs_take_their_refusal_back() {
    let ledger = Arc::new(Slate::default());
    let house = House::with_ledger(&[(FILE, acme("1.0.0"))], ledger.clone());
    house.drop_file(FILE, b"half a file").await;
    let reason = std::fs::read(house.path("50-acme.rejected.json")).unwrap();
    drop(house);
    let files = [(FILE, acme("1.0.0")), ("50-acme.rejected.json", reason)];
    let house = House::with_ledger(&files, ledger);
    house.folder.reload().await;
    assert_eq!(house.serving(), ["acme 1.0.0"]);
    assert!(is_forgotten(&house, FILE));
}

#[tokio::test]
async fn one_whose_id_was_taken_is_forgotten_with_its_file() {
    let house = House::with(&[("10-acme.wasm", acme("1.0.0")), (FILE, acme("2.0.0"))]);
    assert!(house.refusal().starts_with("[set/duplicate]"));
    house.remove(FILE).await;
    assert!(is_forgotten(&house, FILE));
}

#[test]
fn a_reason_whose_file_went_while_nobody_looked_goes_as_well() {
    let house = House::with(&[
        (FILE, acme("1.0.0")),
        ("60-bad.rejected.json", b"{}".to_vec()),
        ("70-bad.js.rejected.json", b"{}".to_vec()),
        ("50-acme.rejected.json", b"{}".to_vec()),
    ]);
    assert!(!house.path("60-bad.rejected.json").exists());
    let told: Vec<_> = house
        .events
        .try_iter()
        .filter(|event| event.what == What::Retired)
        .map(|event| event.file)
        .collect();
    assert_eq!(told, ["60-bad.wasm", "70-bad.js"]);
}
