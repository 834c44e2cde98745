//! Guests of every release of the contract, as they were built for it: this host takes each of them, and each answers.
//!
//! `cargo xtask freeze` has kept them, in `released/VERSION`; they are never built anew.

use std::path::{Path, PathBuf};

use cosell_plugins::{Engine, EngineSettings, check_file};

fn guests() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("released");
    let list = |folder: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).expect("the folder can be listed");
        let mut paths: Vec<_> = entries
            .map(|entry| entry.expect("an entry can be read").path())
            .collect();
        paths.sort();
        paths
    };
    list(&folder)
        .into_iter()
        .filter(|path| path.is_dir())
        .flat_map(|version| list(&version))
        .filter(|path| path.extension().is_some_and(|ending| ending == "wasm"))
        .collect()
}

#[test]
fn a_guest_of_every_release_is_taken_and_answers() {
    let engine = Engine::new(EngineSettings::default()).expect("an engine needs nothing");
    let guests = guests();
    let contracts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit/released");
    for contract in std::fs::read_dir(contracts).expect("the releases can be listed") {
        let version = contract.expect("an entry can be read").file_name();
        let has_guest = guests
            .iter()
            .any(|path| path.parent().and_then(Path::file_name) == Some(&version));
        assert!(
            has_guest,
            "no guest of the released contract {version:?} is kept"
        );
    }
    for path in guests {
        let report = check_file(&engine, &path);
        assert!(report.is_good(), "{}: {report}", path.display());
    }
}
