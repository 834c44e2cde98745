//! A plugin that passes every check and then fails over real deals.

use cosell_plugins::{Asking, EngineSettings, PluginSet};
use cosell_sync::row::RecordKind;

use crate::acme::{bad, good};
use crate::guest::{Does, Guest, Val, manifest};
use crate::house::{House, asking, put, seen};

const FILE: &str = "50-acme.wasm";

/// One question about each of these deals. How many were answered.
async fn about(set: &PluginSet, deals: impl IntoIterator<Item = u64>) -> usize {
    let mut answered = 0;
    for about in deals {
        let asking = Asking { about, ..asking() };
        let answer = set.read(&asking, RecordKind::Opportunity, &seen()).await;
        answered += usize::from(answer.is_ok());
    }
    answered
}

fn verdict(house: &House) -> Option<serde_json::Value> {
    let text = std::fs::read_to_string(house.path("50-acme.rejected.json")).ok()?;
    Some(serde_json::from_str(&text).unwrap())
}

#[tokio::test]
async fn a_version_that_fails_over_one_deal_after_the_other_is_rolled_back_and_its_bytes_quarantined()
 {
    let house = House::with(&[(FILE, good("1.0.0"))]);
    let set = house.drop_file(FILE, bad("2.0.0")).await;
    assert_eq!(about(&set, 0..5).await, 0);
    house.folder.reload().await;
    assert_eq!(house.serving(), ["acme 1.0.0"]);
    assert_eq!(about(&house.set(), 0..5).await, 5);
    let verdict_beside = verdict(&house).expect("a reason lies beside the file");
    assert_eq!(verdict_beside["kind"], "quarantined");
    let message = verdict_beside["message"].as_str().unwrap();
    assert!(
        message.contains("5 times in a row") && message.contains("over 5 deals"),
        "{message}"
    );
    assert_eq!(
        house.happened(),
        [
            "loaded 50-acme.wasm",
            "swapped 1",
            "loaded 50-acme.wasm",
            "swapped 2",
            "rolled-back 50-acme.wasm",
            "refused 50-acme.wasm",
            "kept 50-acme.wasm",
            "swapped 3"
        ]
    );

    // The same bytes again, under another time: refused without being run.
    house.drop_file(FILE, bad("2.0.0")).await;
    assert_eq!(house.serving(), ["acme 1.0.0"]);
    assert_eq!(verdict(&house).unwrap()["kind"], "quarantined");

    // A mended one is taken, and the verdict is gone.
    house.drop_file(FILE, good("2.0.1")).await;
    assert_eq!(house.serving(), ["acme 2.0.1"]);
    assert_eq!(verdict(&house), None);
}

#[tokio::test]
async fn a_new_plugin_that_fails_leaves_the_set_as_it_was_before_its_file_came() {
    let house = House::with(&[("10-base.wasm", good_as("base"))]);
    let set = house.drop_file(FILE, bad("1.0.0")).await;
    assert_eq!(set.plugins().len(), 2);
    about(&set, 0..5).await;
    house.folder.reload().await;
    assert_eq!(house.serving(), ["base 1.0.0"]);
}

fn good_as(id: &str) -> Vec<u8> {
    let answer = Val::ok(Val::list([Val::with("name", Val::s("x"))]));
    Guest::of(&["opportunity"])
        .named(id)
        .says("plugin#manifest", manifest(id, "1.0.0", vec![]))
        .with("opportunity#to-deal", Does::Says(answer))
        .build()
}

#[tokio::test]
async fn one_deal_over_which_it_fails_is_that_deals_trouble() {
    let house = House::with(&[(FILE, good("1.0.0"))]);
    let set = house.drop_file(FILE, bad("2.0.0")).await;
    about(&set, std::iter::repeat_n(7, 50)).await;
    house.folder.reload().await;
    assert_eq!(house.serving(), ["acme 2.0.0"]);
}

#[tokio::test]
async fn what_was_there_at_the_start_stays_and_is_told_to_fail() {
    let house = House::with(&[(FILE, bad("1.0.0"))]);
    about(&house.set(), 0..20).await;
    house.folder.reload().await;
    assert_eq!(house.serving(), ["acme 1.0.0"], "no better one is known");
    assert_eq!(
        house.happened(),
        ["loaded 50-acme.wasm", "swapped 1", "failing 50-acme.wasm"]
    );
}

#[tokio::test]
async fn a_quarantine_outlives_the_host_until_a_person_ends_it() {
    let house = House::with(&[(FILE, good("1.0.0"))]);
    let set = house.drop_file(FILE, bad("2.0.0")).await;
    about(&set, 0..5).await;
    house.folder.reload().await;
    let reason = std::fs::read(house.path("50-acme.rejected.json")).unwrap();

    let next = House::with_settings(
        &[(FILE, bad("2.0.0")), ("50-acme.rejected.json", reason)],
        EngineSettings::default(),
    );
    assert!(next.serving().is_empty(), "{:?}", next.serving());
    let why = next.refusal();
    assert!(why.starts_with("[service/quarantined]"), "{why}");
    assert!(why.contains("5 times in a row"), "{why}");

    std::fs::remove_file(next.path("50-acme.rejected.json")).unwrap();
    next.folder.reload().await;
    assert_eq!(next.serving(), ["acme 2.0.0"]);
    put(next.dir.path(), FILE, &good("3.0.0"));
    next.folder.reload().await;
    assert_eq!(next.serving(), ["acme 3.0.0"]);
}

#[tokio::test]
async fn a_quarantined_file_that_is_switched_off_retires() {
    let house = House::with(&[(FILE, good("1.0.0"))]);
    let set = house.drop_file(FILE, bad("2.0.0")).await;
    about(&set, 0..5).await;
    house.folder.reload().await;
    assert_eq!(house.serving(), ["acme 1.0.0"]);
    house.drop_file("50-acme.toml", "enabled = false\n").await;
    assert!(house.serving().is_empty(), "{:?}", house.serving());
    assert!(house.folder.refused().is_empty());
    assert_eq!(verdict(&house), None);
    // Off is not forgiven.
    house.drop_file("50-acme.toml", "enabled = true\n").await;
    assert!(house.serving().is_empty(), "{:?}", house.serving());
    assert_eq!(verdict(&house).unwrap()["kind"], "quarantined");
}
