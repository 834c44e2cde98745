//! Who vouches for a file decides whether it serves.

use std::io::Cursor;
use std::path::Path;

use cosell_plugins::EngineSettings;
use cosell_plugins::signature::{Policy, Trust};

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
