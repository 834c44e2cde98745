//! What is new has to keep the laws of the contract before it serves: alone, and together with what serves.

use std::sync::Arc;
use std::time::SystemTime;

use cosell_plugins::ledger::Step;
use cosell_plugins::trial::Trial;
use cosell_plugins::{EngineSettings, Ledger as _, Slate, What, with_candidate};
use serde_json::Value;

use crate::guest::{Does, Guest};
use crate::house::House;
use crate::scripts::{a_and_b, shared, stock};

const ENGINE: &str = "script.engine.wasm";
const FILE: &str = "50-acme.js";
const OTHER: &str = "60-other.js";

/// That script with one hook, as bytes.
fn script(id: &str, opportunity: &str) -> Vec<u8> {
    a_and_b(
        id,
        &format!("export const opportunity = {{ {opportunity} }};"),
    )
    .into_bytes()
}

fn writes(column: &str) -> Vec<u8> {
    script(
        "acme",
        &format!("toRow: (ctx, order) => [set('{column}', order.deal.notes)]"),
    )
}

fn reads(column: &str) -> Vec<u8> {
    script(
        "other",
        &format!("toDeal: (ctx, seen) => [{{ tag: 'notes', val: text(seen.row, '{column}') }}]"),
    )
}

/// Breaks over a customer without a postal code: the standard deal has one.
fn fragile() -> Vec<u8> {
    script(
        "acme",
        "toRow: (ctx, order) => [set('a', order.deal.company.address.postalCode.trim())]",
    )
}

fn house(files: &[(&str, Vec<u8>)]) -> House {
    let mut all = vec![(ENGINE, stock(ENGINE))];
    all.extend_from_slice(files);
    House::with_laws(&all, shared())
}

fn reason(house: &House, file: &str) -> Value {
    let path = house.path(&format!("{file}.rejected.json"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_file_that_breaks_over_a_strange_deal_is_refused_with_the_deal_and_the_command() {
    let house = house(&[(FILE, fragile())]);
    assert!(house.serving().is_empty());
    let why = house.refusal();
    assert!(
        why.starts_with("[laws/law] there are deals over which it breaks: opportunity.to-row: "),
        "{why}"
    );
    let reason = reason(&house, FILE);
    assert_eq!(reason["law"], "total");
    assert_eq!(
        reason["reproduce"],
        "cosell plugin run 50-acme.js --input 50-acme.js.rejected.json"
    );
    assert_eq!(
        reason["input"]["given"].as_array().map(Vec::len),
        Some(1),
        "made as small as it gets: {reason:#}"
    );
    // What the command does with it.
    let trial = Trial::load(&shared(), &house.path(FILE)).unwrap();
    let cases = trial.cases_of(&reason, None).unwrap();
    assert_eq!(cases.len(), 1);
    assert_eq!(cases[0].asks(), "opportunity.to-row");
}

#[test]
fn a_file_that_breaks_over_the_standard_deal_is_refused() {
    let panics = Guest::of(&["opportunity"])
        .named("acme")
        .with("opportunity#to-deal", Does::Panics)
        .build();
    let house = house(&[("50-acme.wasm", panics)]);
    assert!(
        house.refusal().starts_with("[laws/law] it does not answer"),
        "{}",
        house.refusal()
    );
    let reason = reason(&house, "50-acme");
    assert_eq!(reason["law"], "standard-deal");
    assert_eq!(reason["reproduce"], "cosell plugin test 50-acme.wasm");
}

#[tokio::test]
async fn an_operator_may_let_it_serve_all_the_same_and_it_is_told() {
    let house = house(&[(FILE, fragile())]);
    std::fs::write(house.path("50-acme.toml"), "laws = \"warn\"").unwrap();
    house.folder.reload().await;
    assert_eq!(house.serving(), ["acme 1.0.0"]);
    let loaded = house
        .events
        .try_iter()
        .find(|event| event.what == What::Loaded)
        .unwrap();
    assert!(
        loaded
            .message
            .contains("taken although it does not keep a law"),
        "{}",
        loaded.message
    );
    assert!(house.folder.refused().is_empty());
}

#[tokio::test]
async fn what_contradicts_what_serves_is_refused_and_comes_with_its_counterpart() {
    let house = house(&[(FILE, writes("a"))]);
    assert_eq!(house.serving(), ["acme 1.0.0"]);
    house.drop_file(OTHER, reads("b")).await;
    assert_eq!(house.serving(), ["acme 1.0.0"]);
    let reason = reason(&house, OTHER);
    assert_eq!(
        (reason["law"].as_str(), reason["reproduce"].as_str()),
        (Some("round-trip"), Some("cosell plugin test ."))
    );
    assert!(
        reason["causes"][0]
            .as_str()
            .is_some_and(|cause| cause.contains("read back as empty by \"other\"")),
        "{reason:#}"
    );
    // The file that it was waiting for.
    house.drop_file(FILE, writes("b")).await;
    assert_eq!(house.serving(), ["acme 1.0.0", "other 1.0.0"]);
    assert!(house.folder.refused().is_empty());
}

#[tokio::test]
async fn what_comes_in_the_place_of_another_file_is_not_judged_beside_it() {
    let house = house(&[(FILE, writes("a"))]);
    std::fs::remove_file(house.path(FILE)).unwrap();
    house.drop_file(OTHER, reads("b")).await;
    assert_eq!(house.serving(), ["other 1.0.0"]);
    assert!(house.folder.refused().is_empty());
}

#[tokio::test]
async fn what_contradicts_another_file_serves_once_that_is_switched_off_or_gone() {
    for is_off in [true, false] {
        let house = house(&[(FILE, writes("a"))]);
        house.drop_file(OTHER, reads("b")).await;
        assert_eq!(house.serving(), ["acme 1.0.0"]);
        if is_off {
            house.drop_file("50-acme.toml", "enabled = false").await;
        } else {
            house.remove(FILE).await;
        }
        assert_eq!(house.serving(), ["other 1.0.0"], "off: {is_off}");
        assert!(house.folder.refused().is_empty());
    }
}

#[tokio::test]
async fn what_contradicts_what_served_serves_once_somebody_else_has_taken_that_away() {
    let ledger = Arc::new(Slate::default());
    let files = [(ENGINE, stock(ENGINE)), (FILE, writes("a"))];
    let house = House::with_laws_and_ledger(&files, shared(), ledger.clone());
    house.drop_file(OTHER, reads("b")).await;
    assert_eq!(house.serving(), ["acme 1.0.0"]);
    let without = Step {
        base: ledger.newest().unwrap(),
        ..Step::default()
    };
    ledger.step(without).unwrap();
    house.folder.reload().await;
    assert_eq!(house.serving(), ["other 1.0.0"]);
}

#[test]
fn of_two_that_contradict_each_other_the_later_one_is_refused() {
    let house = house(&[(FILE, writes("a")), (OTHER, reads("b"))]);
    assert_eq!(house.serving(), ["acme 1.0.0"]);
    assert_eq!(reason(&house, OTHER)["law"], "round-trip");
}

#[tokio::test]
async fn a_candidate_is_judged_with_all_that_serves_before_anybody_looks_at_it() {
    let house = house(&[(FILE, writes("a"))]);
    let elsewhere = tempfile::tempdir().unwrap();
    let candidate = elsewhere.path().join(OTHER);
    let set_with =
        || with_candidate(&shared(), &house.set(), house.dir.path(), &candidate).map_err(Box::new);

    std::fs::write(&candidate, reads("b")).unwrap();
    let why = set_with().unwrap_err();
    assert_eq!(
        why.broken.as_ref().map(|broken| broken.law),
        Some("round-trip")
    );
    assert!(
        why.causes[0].contains("read back as empty by \"other\""),
        "{why}"
    );
    std::fs::write(elsewhere.path().join("60-other.toml"), "laws = \"warn\"").unwrap();
    assert_eq!(
        set_with().unwrap().plugins().len(),
        2,
        "the operator lets it in"
    );

    std::fs::remove_file(elsewhere.path().join("60-other.toml")).unwrap();
    std::fs::write(&candidate, reads("a")).unwrap();
    assert_eq!(
        set_with().unwrap().plugins().len(),
        2,
        "it fits what serves"
    );
    assert_eq!(house.serving(), ["acme 1.0.0"], "and serves nobody");
}

#[test]
fn what_has_passed_is_not_tried_again_by_the_same_host() {
    let cache = tempfile::tempdir().unwrap();
    let engine = || {
        let settings = EngineSettings {
            cache_dir: Some(cache.path().join("private")),
            ..EngineSettings::default()
        };
        cosell_plugins::Engine::new(settings).unwrap()
    };
    let silent = Guest::of(&["opportunity"])
        .named("acme")
        .says(
            "opportunity#to-deal",
            crate::guest::Val::ok(crate::guest::Val::list([])),
        )
        .says(
            "opportunity#to-row",
            crate::guest::Val::ok(crate::guest::Val::list([])),
        )
        .build();
    // When each was written.
    let notes = || -> Vec<(std::ffi::OsString, SystemTime)> {
        let entries = std::fs::read_dir(cache.path().join("private")).unwrap();
        let mut notes: Vec<_> = entries
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.path().extension() == Some("passed".as_ref()))
            .map(|entry| {
                (
                    entry.file_name(),
                    entry.metadata().unwrap().modified().unwrap(),
                )
            })
            .collect();
        notes.sort();
        notes
    };
    let first = House::with_laws(&[("50-acme.wasm", silent.clone())], engine());
    assert_eq!(first.serving(), ["acme 1.0.0"]);
    let once = notes();
    assert_eq!(once.len(), 2, "alone, and together: {once:?}");
    let second = House::with_laws(&[("50-acme.wasm", silent.clone())], engine());
    assert_eq!(second.serving(), ["acme 1.0.0"]);
    assert_eq!(notes(), once, "nothing was written anew");
    // Other limits are another trial.
    let third = House::with_laws(
        &[
            ("50-acme.wasm", silent),
            ("50-acme.toml", b"[limits]\ncall_ms = 40".to_vec()),
        ],
        engine(),
    );
    assert_eq!(third.serving(), ["acme 1.0.0"]);
    assert_eq!(notes().len(), 4);
}
