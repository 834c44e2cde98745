//! Keys, and what is kept for replay.

use super::*;

const KEYS: &str = "# keys = [{ file = \"secrets/store-key\" }]";

fn with_key(more: &str) -> Place {
    let text = example_with(KEYS, &KEYS[2..]);
    let place = Place::new(&text.replace("#enabled = false", more));
    place.put("secrets/store-key", &"0f".repeat(32));
    place.mode("secrets/store-key", 0o600);
    place
}

#[test]
fn recordings_need_a_key() {
    let config = with_key("enabled = true").load().unwrap();
    assert_eq!((config.keys.len(), config.recordings.enabled), (1, true));
    assert!(!format!("{config:?}").contains("0f0f"));
    check_mistake(
        "#enabled = false",
        "enabled = true",
        "recordings.enabled",
        "there is no key to seal them with",
        "openssl rand -hex 32",
    );
    let silent = Place::new(EXAMPLE).load().unwrap();
    assert!(silent.keys.is_empty() && !silent.recordings.enabled);
}

#[test]
fn what_is_no_key_is_refused_and_not_repeated() {
    let place = with_key("");
    place.put("secrets/store-key", "hunter2-hunter2");
    let told = place.load().unwrap_err().to_string();
    assert!(
        told.contains("store.keys") && told.contains("openssl rand -hex 32"),
        "{told}"
    );
    assert!(!told.contains("hunter2"), "{told}");
    for (to, problem) in [
        ("keys = \"hunter2\"", "expected a list"),
        (
            "keys = [\"hunter2\"]",
            "must not stand in the configuration",
        ),
        ("keys = [{ file = \"secrets/none\" }]", "cannot be read"),
    ] {
        check_mistake(KEYS, to, "store.keys", problem, "");
    }
    place.put("secrets/store-key", &"0f".repeat(32));
    place.mode("secrets/store-key", 0o644);
    let told = place.load().unwrap_err().to_string();
    assert!(told.contains("mode 0644"), "{told}");
}
