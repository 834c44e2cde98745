//! Dropping, replacing, breaking and removing files while sets are in use.

use std::sync::Arc;

use cosell_plugins::ledger::Step;
use cosell_plugins::{Ledger as _, Slate};

use crate::guest::{Does, Guest, Val, manifest};
use crate::house::{House, PATIENCE, asking, put, seen, told};
use cosell_sync::deal::{Unit, UnitValue};
use cosell_sync::row::RecordKind;

fn acme(version: &str) -> Vec<u8> {
    Guest::of(&["opportunity"])
        .named("acme")
        .says("plugin#manifest", manifest("acme", version, vec![]))
        .says(
            "opportunity#to-deal",
            Val::ok(Val::list([Val::with("name", Val::s(version))])),
        )
        .build()
}

async fn name_by(set: &cosell_plugins::PluginSet) -> Option<UnitValue> {
    let reading = set
        .read(&asking(), RecordKind::Opportunity, &seen())
        .await
        .unwrap();
    reading.units.get(&Unit::Name).cloned()
}

#[tokio::test]
async fn a_dropped_file_is_the_next_set_and_the_old_set_answers_to_its_end() {
    let house = House::with(&[("50-acme.wasm", acme("1.0.0"))]);
    let old = house.set();
    let new = house.drop_file("50-acme.wasm", acme("2.0.0")).await;
    assert_eq!((old.generation(), new.generation()), (1, 2));
    assert_ne!(old.hash(), new.hash());
    assert_eq!(
        name_by(&old).await,
        Some(UnitValue::Text(Some("1.0.0".into())))
    );
    assert_eq!(
        name_by(&new).await,
        Some(UnitValue::Text(Some("2.0.0".into())))
    );
    assert_eq!(
        house.happened(),
        [
            "loaded 50-acme.wasm",
            "swapped 1",
            "loaded 50-acme.wasm",
            "swapped 2"
        ]
    );
}

#[tokio::test]
async fn a_bad_file_keeps_the_old_version_and_says_why_beside_it() {
    let house = House::with(&[("50-acme.wasm", acme("1.0.0"))]);
    let set = house.drop_file("50-acme.wasm", b"not a component").await;
    assert_eq!(
        (set.generation(), house.serving()),
        (1, vec!["acme 1.0.0".to_owned()])
    );
    assert_eq!(
        name_by(&set).await,
        Some(UnitValue::Text(Some("1.0.0".into())))
    );
    let beside = house.path("50-acme.rejected.json");
    let why: serde_json::Value = serde_json::from_slice(&std::fs::read(&beside).unwrap()).unwrap();
    assert_eq!(why["file"], "50-acme.wasm");
    assert_eq!(why["kind"], "not-a-component");
    assert_eq!(why["message"], "this is not WebAssembly");
    assert!(why["hint"].is_string() && why["hash"].is_string());
    assert_eq!(
        house.happened(),
        [
            "loaded 50-acme.wasm",
            "swapped 1",
            "refused 50-acme.wasm",
            "kept 50-acme.wasm"
        ]
    );

    house.drop_file("50-acme.wasm", acme("1.1.0")).await;
    assert_eq!(house.serving(), ["acme 1.1.0"]);
    assert!(!beside.exists());
    assert!(house.folder.refused().is_empty());
}

#[tokio::test]
async fn one_bad_plugin_stops_no_other_at_the_start() {
    let house = House::with(&[("1.wasm", b"junk".to_vec()), ("2.wasm", acme("1.0.0"))]);
    assert_eq!(house.serving(), ["acme 1.0.0"]);
    assert_eq!(house.folder.refused()[0].file, "1.wasm");
}

#[tokio::test]
async fn a_deleted_file_retires_its_plugin() {
    let house = House::with(&[("50-acme.wasm", acme("1.0.0"))]);
    let old = house.set();
    let set = house.remove("50-acme.wasm").await;
    assert!(set.plugins().is_empty());
    assert_eq!(name_by(&set).await, None);
    assert_eq!(
        name_by(&old).await,
        Some(UnitValue::Text(Some("1.0.0".into())))
    );
    assert_eq!(house.happened()[2..], ["retired 50-acme.wasm", "swapped 2"]);
}

#[tokio::test]
async fn of_two_with_one_id_the_earlier_serves_and_the_later_takes_over() {
    let house = House::with(&[
        ("10-acme.wasm", acme("1.0.0")),
        ("20-acme.wasm", acme("2.0.0")),
    ]);
    assert_eq!(house.serving(), ["acme 1.0.0"]);
    let refusal = house.refusal();
    assert!(
        refusal.contains("[set/duplicate] its id \"acme\" is taken by 10-acme.wasm"),
        "{refusal}"
    );
    house.remove("10-acme.wasm").await;
    assert_eq!(house.serving(), ["acme 2.0.0"]);
    assert!(house.folder.refused().is_empty());
    assert!(!house.path("20-acme.rejected.json").exists());
}

#[tokio::test]
async fn the_operator_switches_a_plugin_off_and_on() {
    let house = House::with(&[("50-acme.wasm", acme("1.0.0"))]);
    house.drop_file("50-acme.toml", "enabled = false").await;
    assert!(house.serving().is_empty());
    house.drop_file("50-acme.toml", "enabled = true").await;
    assert_eq!(house.serving(), ["acme 1.0.0"]);
    let happened = house.happened();
    assert_eq!(
        happened[2..],
        [
            "retired 50-acme.wasm",
            "swapped 2",
            "loaded 50-acme.wasm",
            "swapped 3"
        ]
    );
}

#[tokio::test]
async fn what_is_brought_back_while_a_file_is_off_stays() {
    let ledger = Arc::new(Slate::default());
    let house = House::with_ledger(&[("50-acme.wasm", acme("1.0.0"))], ledger.clone());
    let served = ledger.history(1).unwrap().remove(0);
    house.drop_file("50-acme.toml", "enabled = false").await;
    assert!(house.serving().is_empty());
    // A person goes back to the set from before.
    let back = Step {
        base: 2,
        members: served.members,
        ..Step::default()
    };
    assert_eq!(ledger.step(back).unwrap(), Some(3));
    house.folder.reload().await;
    house.folder.reload().await;
    assert_eq!(house.serving(), ["acme 1.0.0"]);
    // The word is given anew.
    house
        .drop_file("50-acme.toml", "# still\nenabled = false")
        .await;
    assert!(house.serving().is_empty());
}

#[tokio::test]
async fn the_same_bytes_again_change_nothing() {
    let house = House::with(&[("50-acme.wasm", acme("1.0.0"))]);
    let set = house.drop_file("50-acme.wasm", acme("1.0.0")).await;
    assert_eq!(set.generation(), 1);
    assert_eq!(house.happened(), ["loaded 50-acme.wasm", "swapped 1"]);
}

#[tokio::test]
async fn hidden_and_other_files_are_nobodys_business() {
    let house = House::with(&[
        (".50-acme.wasm", acme("1.0.0")),
        ("acme.wasm.tmp", acme("1.0.0")),
        ("README.md", b"hi".to_vec()),
    ]);
    assert!(house.serving().is_empty() && house.folder.refused().is_empty());
}

#[test]
fn the_folder_is_watched_without_anybody_asking() {
    let house = House::with(&[]);
    assert_eq!(
        told(&house.events.recv_timeout(PATIENCE).unwrap()),
        "swapped 0",
        "an empty folder is no set"
    );
    put(house.dir.path(), "50-acme.wasm", &acme("1.0.0"));
    assert_eq!(
        told(&house.events.recv_timeout(PATIENCE).unwrap()),
        "loaded 50-acme.wasm"
    );
    assert_eq!(
        told(&house.events.recv_timeout(PATIENCE).unwrap()),
        "swapped 1"
    );
    std::fs::remove_file(house.path("50-acme.wasm")).unwrap();
    assert_eq!(
        told(&house.events.recv_timeout(PATIENCE).unwrap()),
        "retired 50-acme.wasm"
    );
}

#[test]
fn a_slow_copy_is_waited_for_or_told_and_then_taken() {
    let house = House::with(&[]);
    let bytes = acme("1.0.0");
    let (half, rest) = bytes.split_at(bytes.len() / 2);
    let path = house.path("50-acme.wasm");
    std::fs::write(&path, half).unwrap();
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(&path)
        .unwrap();
    std::io::Write::write_all(&mut file, rest).unwrap();
    drop(file);
    // Whatever was seen in between, the whole file ends in service.
    loop {
        let event = house.events.recv_timeout(PATIENCE).unwrap();
        if told(&event) == "loaded 50-acme.wasm" {
            break;
        }
    }
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let engine = cosell_plugins::Engine::new(cosell_plugins::EngineSettings::default()).unwrap();
    let missing = tempfile::tempdir().unwrap().path().join("plugins");
    let error = cosell_plugins::PluginFolder::open(
        engine,
        &missing,
        cosell_plugins::FolderSettings::default(),
        |_| {},
    )
    .unwrap_err();
    assert!(
        error.to_string().contains(missing.to_str().unwrap()),
        "{error}"
    );
}

#[tokio::test]
async fn questions_go_on_while_files_change() {
    let house = House::with(&[("50-acme.wasm", acme("1.0.0"))]);
    for round in 0..10_u32 {
        let set = house.set();
        let version = set.plugins()[0].version.clone();
        let swap = async {
            if round % 2 == 0 {
                house
                    .drop_file("50-acme.wasm", acme(&format!("1.0.{}", round + 1)))
                    .await;
            } else {
                let hostile = Guest::of(&["opportunity"])
                    .named("acme")
                    .with("plugin#manifest", Does::Panics);
                house.drop_file("50-acme.wasm", hostile.build()).await;
            }
        };
        let ask = async {
            for _ in 0..20 {
                assert_eq!(
                    name_by(&set).await,
                    Some(UnitValue::Text(Some(version.clone())))
                );
            }
        };
        tokio::join!(swap, ask);
    }
    assert_eq!(house.serving(), ["acme 1.0.9"]);
}

#[tokio::test]
async fn where_a_folder_gives_no_events_a_rescan_finds_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let (path, before) = (dir.path().join("plugins"), dir.path().join("before"));
    std::fs::create_dir(&path).unwrap();
    let settings = cosell_plugins::FolderSettings {
        settle: std::time::Duration::from_millis(5),
        rescan: std::time::Duration::from_millis(20),
        self_test: false,
        ..cosell_plugins::FolderSettings::default()
    };
    let engine = cosell_plugins::Engine::new(cosell_plugins::EngineSettings::default()).unwrap();
    let folder = cosell_plugins::PluginFolder::open(engine, &path, settings, |_| {}).unwrap();
    // What is watched is the directory that was there, and it goes; of the one in its place, as of a mount, nothing is heard.
    std::fs::rename(&path, &before).unwrap();
    std::fs::create_dir(&path).unwrap();
    folder.reload().await;
    put(&path, "50-acme.wasm", &acme("1.0.0"));
    let began = std::time::Instant::now();
    while folder.current().plugins().is_empty() {
        assert!(began.elapsed() < PATIENCE, "{:?}", folder.refused());
        // As a host does, and more often than the folder is scanned: that puts no scan off.
        folder.follow();
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    assert_eq!(folder.current().plugins()[0].version, "1.0.0");
}
