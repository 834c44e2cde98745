//! Who vouches for a file decides whether it serves.

use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use cosell_plugins::ledger::Step;
use cosell_plugins::signature::{Policy, Trust};
use cosell_plugins::{Engine, EngineSettings, Ledger as _, Mode, Slate};

use crate::guest::Guest;
use crate::house::House;

fn trusting(key: &minisign::KeyPair, policy: Policy) -> EngineSettings {
    EngineSettings {
        trust: Trust {
            policy,
            keys: vec![key.pk.to_base64().parse().unwrap()],
        },
        ..EngineSettings::default()
    }
}

fn sign(key: &minisign::KeyPair, path: &Path) {
    let bytes = std::fs::read(path).unwrap();
    let signature = minisign::sign(None, &key.sk, Cursor::new(bytes), None, None).unwrap();
    let beside = format!("{}.minisig", path.display());
    std::fs::write(beside, signature.to_string()).unwrap();
}

#[tokio::test]
async fn where_signatures_are_required_a_file_serves_when_its_signature_comes() {
    let key = minisign::KeyPair::generate_unencrypted_keypair().unwrap();
    let house = House::with_settings(&[], trusting(&key, Policy::Require));
    let guest = Guest::of(&["decorate"]).named("acme").build();
    house.drop_file("50-acme.wasm", &guest).await;
    assert!(house.serving().is_empty());
    let refusal = house.refusal();
    assert!(
        refusal.contains("/unsigned]") && refusal.contains("minisign -Sm 50-acme.wasm"),
        "{refusal}"
    );
    sign(&key, &house.path("50-acme.wasm"));
    house.folder.reload().await;
    assert_eq!(house.serving(), ["acme 1.0.0"]);
    // Another version under the signature of the one before.
    let other = Guest::of(&["decorate", "country"]).named("acme").build();
    house.drop_file("50-acme.wasm", &other).await;
    assert!(house.refusal().contains("another version"));
    assert_eq!(
        house.serving(),
        ["acme 1.0.0"],
        "what is vouched for goes on"
    );
}

#[tokio::test]
async fn where_signatures_are_asked_for_an_unsigned_file_serves() {
    let key = minisign::KeyPair::generate_unencrypted_keypair().unwrap();
    let house = House::with_settings(&[], trusting(&key, Policy::Warn));
    let guest = Guest::of(&["decorate"]).named("acme").build();
    house.drop_file("50-acme.wasm", &guest).await;
    assert_eq!(house.serving(), ["acme 1.0.0"]);
}

const FILE: &str = "50-acme.wasm";

#[tokio::test]
async fn what_came_while_nobody_was_asked_does_not_serve_on_where_signatures_are_required() {
    let key = minisign::KeyPair::generate_unencrypted_keypair().unwrap();
    let guest = Guest::of(&["decorate"]).named("acme").build();
    let (files, ledger) = ([(FILE, guest)], Arc::new(Slate::default()));
    drop(House::with_ledger(&files, ledger.clone()));
    let house = House::after(&files, trusting(&key, Policy::Require), ledger.clone());
    house.folder.reload().await;
    assert!(house.serving().is_empty());
    let why = house.folder.behind().expect("it may not serve the set").why;
    for says in [
        "it is not signed",
        "it came while no signature was asked for",
        "minisign -Sm 50-acme.wasm",
        "signatures = \"warn\"",
    ] {
        assert!(why.contains(says), "{why}");
    }
    assert!(house.happened().contains(&"behind 50-acme.wasm".to_owned()));
    // Whoever is trusted vouches for what serves already.
    sign(&key, &house.path(FILE));
    house.folder.reload().await;
    assert_eq!(house.serving(), ["acme 1.0.0"]);
    assert_eq!(house.folder.behind(), None);
    drop(house);
    // A host that only warns goes on with it unsigned.
    let house = House::after(&files, trusting(&key, Policy::Warn), ledger);
    assert_eq!(house.serving(), ["acme 1.0.0"]);
}

#[tokio::test]
async fn what_a_key_signed_that_is_not_trusted_any_more_does_not_serve_on() {
    let [old, new] = [(); 2].map(|()| minisign::KeyPair::generate_unencrypted_keypair().unwrap());
    let guest = Guest::of(&["decorate"]).named("acme").build();
    let ledger = Arc::new(Slate::default());
    let house = House::after(&[], trusting(&old, Policy::Require), ledger.clone());
    std::fs::write(house.path(".part"), &guest).unwrap();
    sign(&old, &house.path(".part"));
    std::fs::rename(
        house.path(".part.minisig"),
        house.path("50-acme.wasm.minisig"),
    )
    .unwrap();
    house.drop_file(FILE, &guest).await;
    assert_eq!(house.serving(), ["acme 1.0.0"]);
    drop(house);
    let files = [(FILE, guest)];
    // The key that signed it is remembered with it: its signature need not lie there for ever.
    let house = House::after(&files, trusting(&old, Policy::Require), ledger.clone());
    assert_eq!(house.serving(), ["acme 1.0.0"]);
    drop(house);
    let house = House::after(&files, trusting(&new, Policy::Require), ledger);
    assert!(house.serving().is_empty());
    let why = house.folder.behind().expect("it may not serve the set").why;
    assert!(why.contains("which is not trusted any more"), "{why}");
}

#[tokio::test]
async fn a_shadow_that_may_not_be_loaded_keeps_no_deal_waiting() {
    let key = minisign::KeyPair::generate_unencrypted_keypair().unwrap();
    let of = |version| {
        let says = crate::guest::manifest("acme", version, vec![]);
        let guest = Guest::of(&["decorate"]).named("acme");
        guest.says("plugin#manifest", says).build()
    };
    let ledger = Arc::new(Slate::default());
    let house = House::after(&[], trusting(&key, Policy::Warn), ledger.clone());
    std::fs::write(house.path(".part"), of("1.0.0")).unwrap();
    sign(&key, &house.path(".part"));
    std::fs::rename(
        house.path(".part.minisig"),
        house.path("50-acme.wasm.minisig"),
    )
    .unwrap();
    house.drop_file(FILE, of("1.0.0")).await;
    // What is judged came unsigned, while that was only warned of.
    std::fs::remove_file(house.path("50-acme.wasm.minisig")).unwrap();
    std::fs::write(house.path("50-acme.toml"), "mode = \"shadow\"\n").unwrap();
    house.drop_file(FILE, of("2.0.0")).await;
    assert_eq!(house.folder.serving().shadows().len(), 1);
    drop(house);

    let files = [
        (FILE, of("2.0.0")),
        ("50-acme.toml", b"mode = \"shadow\"\n".to_vec()),
    ];
    let house = House::after(&files, trusting(&key, Policy::Require), ledger.clone());
    house.folder.reload().await;
    assert_eq!(house.folder.behind(), None);
    assert_eq!(house.serving(), ["acme 1.0.0"]);
    assert!(house.folder.serving().shadows().is_empty());
    let told = house.happened();
    let refused = told.iter().filter(|one| *one == "refused 50-acme.wasm");
    assert_eq!(refused.count(), 1, "{told:?}");
    // Somebody signs it.
    sign(&key, &house.path(FILE));
    house.folder.reload().await;
    assert_eq!(house.folder.serving().shadows().len(), 1);
    assert_eq!(house.serving(), ["acme 1.0.0"]);
}

#[test]
fn whoever_asks_beside_the_hosts_does_without_a_shadow_that_cannot_be_loaded() {
    let ledger = Arc::new(Slate::default());
    let files = [(FILE, Guest::of(&["decorate"]).named("acme").build())];
    drop(House::with_ledger(&files, ledger.clone()));
    let newest = ledger.history(1).unwrap().remove(0);
    let mut members = newest.members.clone();
    let mut lost = members[0].clone();
    lost.sha256 = "0".repeat(64);
    lost.component.clone_from(&lost.sha256);
    lost.detail.mode = Mode::Shadow;
    members.push(lost);
    let step = Step {
        base: newest.number,
        members,
        ..Step::default()
    };
    ledger.step(step).unwrap();
    let engine = Engine::new(EngineSettings::default()).unwrap();
    let serving = cosell_plugins::serving(&engine, &*ledger).unwrap();
    assert_eq!(serving.set.plugins().len(), 1);
    assert!(serving.shadows().is_empty());
}
