//! Versions that do not serve everybody: judged, or tried on some deals.

use cosell_plugins::{Asking, Mode, PluginSet, Promote};
use cosell_sync::deal::{Unit, UnitValue};
use cosell_sync::row::RecordKind;

use crate::acme::{acme, good};
use crate::guest::Does;
use crate::house::{House, asking, put, seen};

const FILE: &str = "50-acme.wasm";
const OPERATOR: &str = "50-acme.toml";

/// What a deal's name is with this set; none: it failed.
async fn name_by(set: &PluginSet, about: u64) -> Option<String> {
    let asking = Asking { about, ..asking() };
    let reading = set
        .read(&asking, RecordKind::Opportunity, &seen())
        .await
        .ok()?;
    match reading.units.get(&Unit::Name) {
        Some(UnitValue::Text(text)) => text.clone(),
        _ => None,
    }
}

/// Drops a version and the word about it, which are looked at together.
async fn drop_with(house: &House, bytes: &[u8], operator: &str) {
    put(house.dir.path(), OPERATOR, operator.as_bytes());
    house.drop_file(FILE, bytes).await;
}

#[tokio::test]
async fn a_shadow_serves_nobody_and_stands_ready_to_be_judged() {
    let house = House::with(&[(FILE, good("1.0.0"))]);
    let operator = "mode = \"shadow\"\npromote = { budget = 3 }";
    drop_with(&house, &good("2.0.0"), operator).await;
    assert_eq!(house.serving(), ["acme 1.0.0"]);
    let shadows = house.folder.serving().shadows();
    assert_eq!(shadows.len(), 1);
    let detail = &shadows[0].member.detail;
    assert_eq!(
        (detail.mode, detail.promote, detail.version.as_str()),
        (Mode::Shadow, Promote::Budget(3), "2.0.0")
    );
    assert_eq!(detail.approved.hooks, ["opportunity"]);
    assert_eq!(name_by(&shadows[0].set, 1).await.as_deref(), Some("2.0.0"));
    assert_eq!(name_by(&house.set(), 1).await.as_deref(), Some("1.0.0"));
    let happened = house.happened();
    assert!(
        happened.contains(&"candidate 50-acme.wasm".to_owned()),
        "{happened:?}"
    );

    // The operator says that it serves.
    house.drop_file(OPERATOR, "mode = \"live\"").await;
    assert_eq!(house.serving(), ["acme 2.0.0"]);
    assert!(house.folder.serving().shadows().is_empty());
}

#[tokio::test]
async fn a_version_is_tried_on_deals_by_any_of_their_names() {
    let house = House::with(&[(FILE, good("1.0.0"))]);
    let operator = "mode = \"try-on\"\ndeals = [\"17\", \"ABCD\"]";
    drop_with(&house, &good("2.0.0"), operator).await;
    let serving = house.folder.serving();
    for (names, version) in [
        (["17", "x"], "2.0.0"),
        (["18", "abcd"], "2.0.0"),
        (["18", "x"], "1.0.0"),
    ] {
        let set = serving.for_deal(names);
        assert_eq!(
            name_by(&set, 1).await.as_deref(),
            Some(version),
            "{names:?}"
        );
    }
    assert_eq!(serving.sets().count(), 2);
    house.remove(FILE).await;
    let serving = house.folder.serving();
    assert_eq!(name_by(&serving.for_deal(["17"]), 1).await, None);
    assert_eq!(serving.sets().count(), 1, "the file took both along");
}

#[tokio::test]
async fn a_version_that_fails_where_it_is_tried_goes_and_what_serves_stays() {
    let house = House::with(&[(FILE, good("1.0.0"))]);
    let bad = acme("2.0.0", Does::LogsAndPanics("no such table: 7", 1));
    let operator = "mode = \"try-on\"\ndeals = [\"17\"]";
    drop_with(&house, &bad, operator).await;
    let tried = house.folder.serving().for_deal(["17"]);
    for about in 0..5 {
        assert_eq!(name_by(&tried, about).await, None);
    }
    house.folder.reload().await;
    assert_eq!(house.serving(), ["acme 1.0.0"]);
    assert_eq!(house.folder.serving().sets().count(), 1);
    let why = house.refusal();
    assert!(why.starts_with("[service/quarantined]"), "{why}");
}

#[tokio::test]
async fn rehearsals_say_nothing_about_health() {
    let house = House::with(&[(FILE, good("1.0.0"))]);
    let bad = acme("2.0.0", Does::LogsAndPanics("no such table: 7", 1));
    drop_with(&house, &bad, "mode = \"shadow\"").await;
    let shadow = house.folder.serving().shadows().remove(0);
    for about in 0..20 {
        assert_eq!(name_by(&shadow.set, about).await, None);
    }
    house.folder.reload().await;
    assert_eq!(
        house.folder.serving().shadows().len(),
        1,
        "it is judged by its plans, not taken out"
    );
}
