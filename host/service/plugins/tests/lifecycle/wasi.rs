//! Guests whose toolchain cannot do without a system: refused unless their operator lets them have an inert one, and then it is nothing that they find.
//!
//! `looks-around` is built for `wasm32-wasip2` by `cargo xtask plugins` and tries what a standard library offers; the others are made here.

use std::path::Path;

use cosell_plugins::author::{Measured, inspect};
use cosell_plugins::trial::Trial;
use cosell_plugins::{
    Asking, CheckReport, Engine, EngineSettings, FaultKind, PluginSet, check_file,
};
use cosell_sync::deal::{Unit, UnitValue};
use cosell_sync::row::RecordKind;
use serde_json::json;

use crate::acme::good;
use crate::guest::{Does, Guest, Val, manifest};
use crate::house::{House, asking, put, seen};
use crate::scripts::stock;

const FILE: &str = "50-acme.wasm";
const OPERATOR: &str = "50-acme.toml";
const INERT: &str = "wasi = \"inert\"\n";
/// What the host answers, in the words in which it is linked.
const ANSWERED: &str = include_str!("../../wit/inert.wit");

fn looks_around() -> Vec<u8> {
    stock("../hostile/looks-around.wasm")
}

/// A guest that imports everything that the host answers, as this version of WASI names it, and calls none of it.
fn importing(version: &str, answered: &str) -> Guest {
    let renamed = |text: &str| text.replace("@0.2.12", &format!("@{version}"));
    let imports: String = ANSWERED
        .lines()
        .filter(|line| line.trim_start().starts_with("import "))
        .map(|line| format!("{}\n", renamed(line)))
        .collect();
    Guest::of_world(&format!(
        "{imports}include cosell:mapping/base-plugin@1.0.0;\ninclude cosell:mapping/opportunity-plugin@1.0.0;"
    ))
    .package("inert.wit", &renamed(answered))
    .named("acme")
    .says("opportunity#to-deal", Val::ok(Val::list([])))
    .says("opportunity#to-row", Val::ok(Val::list([])))
}

fn check(bytes: &[u8], operator: &str) -> (tempfile::TempDir, CheckReport) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(FILE), bytes).unwrap();
    std::fs::write(dir.path().join(OPERATOR), operator).unwrap();
    let report = check_file(&engine(), &dir.path().join(FILE));
    (dir, report)
}

fn engine() -> Engine {
    Engine::new(EngineSettings::default()).unwrap()
}

async fn notes(set: &PluginSet, asking: &Asking) -> String {
    let reading = set.read(asking, RecordKind::Opportunity, &seen()).await;
    match reading.unwrap().units.get(&Unit::Notes) {
        Some(UnitValue::Text(Some(text))) => text.clone(),
        other => panic!("{other:?}"),
    }
}

async fn let_in(more: &str) -> House {
    let house = House::with(&[]);
    put(
        house.dir.path(),
        OPERATOR,
        format!("{INERT}{more}").as_bytes(),
    );
    house.drop_file(FILE, looks_around()).await;
    assert_eq!(
        house.serving(),
        ["looks-around 0.1.0"],
        "{:?}",
        house.folder.refused()
    );
    house
}

/// One question about the standard deal, put to `looks-around` with this deed.
fn measured(asks: &str, deed: &str) -> Measured {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(FILE), looks_around()).unwrap();
    let operator = format!("{INERT}[settings]\ndeed = \"{deed}\"\n");
    std::fs::write(dir.path().join(OPERATOR), operator).unwrap();
    let trial = Trial::load(&engine(), &dir.path().join(FILE)).unwrap();
    let cases = trial.cases_of(&json!({ "asks": asks }), None).unwrap();
    trial.measure(&cases[0], None).unwrap()
}

#[tokio::test]
async fn whoever_asks_for_a_system_is_refused_until_the_operator_lets_it_have_an_inert_one() {
    let house = House::with(&[(FILE, looks_around())]);
    let refusal = house.refusal();
    for words in [
        "[imports/import] imports `wasi:",
        "neither files nor clocks nor network",
        "build without WASI",
        "wasi = \"inert\"",
        "nothing of this machine",
    ] {
        assert!(refusal.contains(words), "{words:?} is not in: {refusal}");
    }
    let beside = std::fs::read_to_string(house.path("50-acme.rejected.json")).unwrap();
    assert!(
        beside.contains("the operator may write wasi = \\\"inert\\\""),
        "{beside}"
    );

    house.drop_file(OPERATOR, INERT).await;
    assert_eq!(house.serving(), ["looks-around 0.1.0"]);
    assert!(!house.path("50-acme.rejected.json").exists());

    // The key is taken back: what served goes on serving, and the file is refused again.
    house.drop_file(OPERATOR, "").await;
    assert!(house.refusal().contains("wasi = \"inert\""));
}

#[tokio::test]
async fn what_a_guest_finds_is_nothing_and_its_clock_is_the_questions() {
    let house = let_in("").await;
    let asking = asking();
    let found = notes(&house.set(), &asking).await;
    let now = asking.now.as_millisecond();
    assert_eq!(
        found,
        format!(
            "environment: 0 variables, 0 arguments, current directory \"/\"\n\
             files: list /: NotFound; read /etc/passwd: NotFound; write here: NotFound; remove /: NotFound\n\
             network: connect: PermissionDenied; bind: PermissionDenied; look up: PermissionDenied\n\
             clocks: {now} ms since 1970\n\
             sleep: after an hour 0 s had passed, and 0 s on the wall\n\
             input: \"0 bytes\""
        )
    );
    let later = Asking {
        now: "2027-01-01T00:00:00.123Z".parse().unwrap(),
        ..asking
    };
    let then = later.now.as_millisecond();
    assert_eq!(
        notes(&house.set(), &later).await,
        found.replace(&now.to_string(), &then.to_string()),
        "on the same instance, an hour of its own later"
    );
}

#[tokio::test]
async fn chance_is_the_same_in_every_call() {
    let house = let_in("[settings]\ndeed = \"chance\"\n[limits]\nfresh_per_call = true\n").await;
    let first = notes(&house.set(), &asking()).await;
    let later = Asking {
        now: "2027-01-01T00:00:00Z".parse().unwrap(),
        ..asking()
    };
    assert_eq!(notes(&house.set(), &asking()).await, first);
    assert_eq!(
        notes(&house.set(), &later).await,
        first,
        "whatever the time is"
    );
    let other = let_in("[settings]\ndeed = \"chance\"\n[limits]\nfresh_per_call = true\n").await;
    assert_eq!(
        notes(&other.set(), &asking()).await,
        first,
        "on another host"
    );
}

#[test]
fn what_a_guest_prints_stands_in_its_log() {
    let measured = measured("opportunity.to-deal", "nothing");
    assert!(measured.is_good(), "{measured:?}");
    assert_eq!(
        measured.log,
        [
            "info: it is out",
            "warn: and so is this",
            "warn: without an end"
        ]
    );
}

#[test]
fn whoever_exits_has_failed_with_a_sentence() {
    let fault = measured("opportunity.to-row", "exit").fault.unwrap();
    assert_eq!(fault.kind, FaultKind::Trap.as_str());
    assert!(
        fault.message.starts_with("ended itself (as failed)"),
        "{}",
        fault.message
    );
}

#[test]
fn a_flood_of_printed_lines_is_cut_and_runs_out_of_time() {
    let measured = measured("opportunity.to-row", "flood");
    let fault = measured.fault.unwrap();
    assert_eq!(fault.kind, FaultKind::Timeout.as_str(), "{}", fault.message);
    let bytes: usize = measured.log.iter().map(String::len).sum();
    assert!(bytes < 20_000, "{bytes} bytes of it are kept");
    assert!(measured.log_dropped > 0, "nothing of it was dropped");
    assert!(
        measured.log.iter().all(|line| !line.contains('\u{1b}')),
        "a line steers a terminal"
    );
}

#[test]
fn every_release_of_wasi_0_2_links_and_no_other() {
    for version in ["0.2.0", "0.2.3", "0.2.12", "0.2.99"] {
        let bytes = importing(version, ANSWERED).build();
        let (_dir, report) = check(&bytes, INERT);
        assert!(report.is_good(), "{version}: {report}");
        let (_dir, report) = check(&bytes, "");
        assert!(report.verdict.is_err(), "{version}: {report}");
    }
    let (_dir, report) = check(&importing("0.3.0", ANSWERED).build(), INERT);
    let refusal = report.verdict.unwrap_err().to_string();
    assert!(refusal.contains("none but those of WASI 0.2"), "{refusal}");
}

#[test]
fn a_function_of_a_later_release_links_and_ends_whoever_calls_it() {
    let later = ANSWERED.replace(
        "    get-environment: func",
        "    get-everything: func() -> u32;\n    get-environment: func",
    );
    assert_ne!(later, ANSWERED);
    let guest = importing("0.2.13", &later).with("opportunity#to-row", Does::CallsTheFirstImport);
    let (dir, report) = check(&guest.build(), INERT);
    assert!(report.plugin.is_some(), "it did not come in: {report}");
    let trial = Trial::load(&engine(), &dir.path().join(FILE)).unwrap();
    let ask = |asks| {
        let cases = trial.cases_of(&json!({ "asks": asks }), None).unwrap();
        trial.measure(&cases[0], None).unwrap().fault
    };
    assert!(ask("opportunity.to-deal").is_none());
    let fault = ask("opportunity.to-row").unwrap();
    assert!(
        fault
            .message
            .contains("`wasi:cli/environment#get-everything`"),
        "{}",
        fault.message
    );
}

#[test]
fn a_system_of_other_types_is_refused() {
    let other = ANSWERED.replace("now: func() -> instant", "now: func() -> string");
    let (_dir, report) = check(&importing("0.2.0", &other).build(), INERT);
    let refusal = report.verdict.unwrap_err();
    assert!(
        refusal
            .message
            .contains("does not have the types of WASI 0.2"),
        "{refusal}"
    );
}

#[tokio::test]
async fn an_update_that_newly_asks_for_a_system_waits_for_a_person() {
    let house = House::cautious(&[(FILE, good("1.0.0"))]);
    put(house.dir.path(), OPERATOR, INERT.as_bytes());
    let update = importing("0.2.0", ANSWERED)
        .says("plugin#manifest", manifest("acme", "2.0.0", vec![]))
        .build();
    house.drop_file(FILE, update).await;
    assert_eq!(house.serving(), ["acme 1.0.0"]);
    let shadows = house.folder.serving().shadows();
    let detail = &shadows[0].member.detail;
    assert_eq!(
        detail.wants,
        [
            "wasi:cli",
            "wasi:clocks",
            "wasi:filesystem",
            "wasi:io",
            "wasi:random",
            "wasi:sockets"
        ]
        .map(|part| format!("imports {part}"))
    );
    assert!(
        detail
            .approved
            .imports
            .contains(&"wasi:io/streams@0.2.0".to_owned()),
        "what it imports is not written down: {:?}",
        detail.approved.imports
    );
}

#[tokio::test]
async fn the_key_is_part_of_the_set_and_a_guest_without_a_system_serves_all_the_same() {
    let house = House::with(&[(FILE, good("1.0.0"))]);
    let without = house.set().hash().to_owned();
    let with = house.drop_file(OPERATOR, INERT).await;
    assert_eq!(house.serving(), ["acme 1.0.0"]);
    assert_ne!(with.hash(), without);
    let again = house.drop_file(OPERATOR, "").await;
    assert_eq!(again.hash(), without);
}

#[tokio::test]
async fn a_script_gets_no_system_and_its_operator_is_told() {
    let script =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../examples/script/50-acme.js");
    let house = House::with(&[
        ("script.engine.wasm", stock("script.engine.wasm")),
        ("50-acme.js", std::fs::read(script).unwrap()),
        (OPERATOR, INERT.into()),
    ]);
    let refusal = house.refusal();
    assert!(
        refusal.starts_with("[operator-file/settings] `wasi` is for components"),
        "{refusal}"
    );
}

#[test]
fn a_person_who_looks_at_a_file_is_told_that_it_asks_and_whether_it_is_let_in() {
    let bytes = looks_around();
    let (dir, refused) = check(&bytes, "");
    let told = refused.to_string();
    assert!(told.contains("asks for a system (wasi:cli, "), "{told}");
    assert!(told.contains("does not get one"), "{told}");
    let asked = refused.system.unwrap();
    assert!(!asked.is_let_in);
    assert!(
        asked.packages.contains(&"wasi:sockets".to_owned()),
        "{:?}",
        asked.packages
    );

    std::fs::write(dir.path().join(OPERATOR), INERT).unwrap();
    let inspection = inspect(&engine(), &dir.path().join(FILE), &[]);
    let json = serde_json::to_value(&inspection).unwrap();
    assert_eq!(json["system"]["is_let_in"], json!(true), "{json}");
    let told = inspection.report.to_string();
    assert!(told.contains("asks for a system (wasi:cli, "), "{told}");
    assert!(told.contains("gets an inert one"), "{told}");

    let (_dir, plain) = check(&good("1.0.0"), "");
    assert_eq!(plain.system, None);
}
