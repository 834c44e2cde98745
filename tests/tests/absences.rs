//! What is absent keeps the rooms apart. ARCHITECTURE.md says it, the manifests keep it, and this reads the manifests.
#![allow(missing_docs, reason = "tests are read by their names")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests lies in the workspace")
        .to_owned()
}

/// What a room's code may name: its dependencies, without those of its tests.
fn dependencies(room: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(root().join(room).join("Cargo.toml"))
        .expect("the room has a manifest");
    let manifest: toml::Table = text.parse().expect("a manifest is TOML");
    let table = manifest
        .get("dependencies")
        .and_then(toml::Value::as_table)
        .cloned()
        .unwrap_or_default();
    table.keys().cloned().collect()
}

/// Every package of the workspace, as cargo knows it.
fn rooms() -> Vec<String> {
    let text =
        std::fs::read_to_string(root().join("Cargo.toml")).expect("the workspace has a manifest");
    let manifest: toml::Table = text.parse().expect("a manifest is TOML");
    let members = manifest["workspace"]["members"]
        .as_array()
        .expect("members are a list")
        .clone();
    members
        .iter()
        .map(|member| member.as_str().expect("a member is a path").to_owned())
        .collect()
}

/// Which rooms depend on `package`.
fn users(package: &str) -> BTreeSet<String> {
    rooms()
        .into_iter()
        .filter(|room| dependencies(room).contains(package))
        .collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn sync_knows_no_io_json_wasm_or_sql() {
    assert_eq!(
        dependencies("host/sync"),
        set(&["jiff", "rust_decimal", "uuid"])
    );
    let lib =
        std::fs::read_to_string(root().join("host/sync/src/lib.rs")).expect("sync has a lib.rs");
    assert!(
        lib.contains("#![no_std]"),
        "sync must not be able to reach a clock, a thread or a socket"
    );
}

#[test]
fn only_store_knows_sql() {
    assert_eq!(users("rusqlite"), set(&["host/service/store"]));
}

#[test]
fn only_plugins_knows_wasmtime() {
    assert_eq!(users("wasmtime"), set(&["host/service/plugins"]));
}

#[test]
fn only_remote_the_certificate_fetch_and_the_simulator_know_reqwest() {
    assert_eq!(
        users("reqwest"),
        set(&[
            "host/service/remote",
            "host/service/webhook",
            "host/simulator"
        ])
    );
}

#[test]
fn only_the_host_knows_mail_and_traces() {
    for package in ["lettre", "opentelemetry", "opentelemetry-otlp"] {
        assert_eq!(users(package), set(&["host/service"]), "{package}");
    }
}

#[test]
fn webhook_and_store_do_not_know_what_a_deal_is() {
    for room in ["host/service/webhook", "host/service/store"] {
        let known = dependencies(room);
        assert!(
            !known.contains("cosell-sync") && !known.contains("cosell-remote"),
            "{room} knows too much: {known:?}"
        );
    }
}

#[test]
fn the_simulator_and_the_host_share_no_type() {
    let ours = |room: &str| {
        dependencies(room)
            .into_iter()
            .filter(|name| name.starts_with("cosell"))
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(ours("host/simulator"), BTreeSet::new());
    for room in rooms()
        .iter()
        .filter(|room| room.starts_with("host/service") || *room == "host/sync")
    {
        assert!(
            !ours(room).contains("cosell-simulator"),
            "{room} must not know the simulator"
        );
    }
}

#[test]
fn plugins_know_the_sdk_and_nothing_else_of_ours() {
    let guests: Vec<String> = rooms()
        .into_iter()
        .filter(|room| room.starts_with("plugins/") || room.starts_with("examples/"))
        .collect();
    assert!(
        guests.len() >= 7,
        "the stock plugins and an example: {guests:?}"
    );
    for room in guests {
        let ours: BTreeSet<String> = dependencies(&room)
            .into_iter()
            .filter(|name| name.starts_with("cosell"))
            .collect();
        // The script engine takes the contract's types as serde reads them, and so makes its own from `wit/`; how JavaScript spells them it shares
        // with the commands for authors.
        assert!(
            ours.is_subset(&set(&["cosell-contract-shape", "cosell-guest-sdk"])),
            "{room}: {ours:?}"
        );
    }
}

#[test]
fn the_top_level_is_what_the_map_says() {
    let shown: BTreeSet<String> = std::fs::read_dir(root())
        .expect("the root can be read")
        .map(|entry| {
            entry
                .expect("an entry can be read")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .filter(|name| !name.starts_with('.') && name != "target")
        .collect();
    let expected = [
        "ARCHITECTURE.md",
        "ASSUMPTIONS.md",
        "CHANGELOG.md",
        "Cargo.lock",
        "Cargo.toml",
        "HOSTILE-PLUGINS.md",
        "LICENSE",
        "README.md",
        "SCENARIOS.md",
        "SECURITY.md",
        "deny.toml",
        "examples",
        "guest-sdk",
        "host",
        "plugins",
        "tests",
        "wit",
    ];
    assert_eq!(shown, set(&expected));
}

#[test]
fn only_the_wasm_edge_may_be_unsafe() {
    let mut looked_at = 0;
    for room in rooms().iter().filter(|room| room.starts_with("host/")) {
        let roots = ["src/lib.rs", "src/main.rs"].map(|file| root().join(room).join(file));
        for file in roots.iter().filter(|file| file.is_file()) {
            let text = std::fs::read_to_string(file).expect("source can be read");
            let forbids = text.contains("#![forbid(unsafe_code)]");
            // Compiled plugins are read back from the cache there; what the workspace denies is allowed where it says why.
            assert_eq!(
                forbids,
                room != "host/service/plugins",
                "{}",
                file.display()
            );
            looked_at += 1;
        }
    }
    assert!(looked_at > 10, "{looked_at} rooms are few");
}

#[test]
fn nobody_can_switch_off_the_look_at_a_certificate() {
    let words = [
        "danger_accept_invalid",
        "tls_danger",
        "dangerous()",
        "NoVerif",
        "verify(false)",
    ];
    let mut guilty = Vec::new();
    for room in ["host/service", "host/cli/src", "host/sync/src"] {
        visit(&root().join(room), &mut |path, text| {
            guilty.extend(
                words
                    .iter()
                    .filter(|word| text.contains(**word))
                    .map(|word| format!("{}: {word}", path.display())),
            );
        });
    }
    assert!(guilty.is_empty(), "{guilty:?}");
}

/// No host code may name a column of a mapping: they come from the plugins. Names of the platform itself (`statecode`) live in `remote`.
#[test]
fn no_mapped_column_name_stands_in_host_code() {
    let words = [
        "msft_",
        "estimatedvalue",
        "estimatedclosedate",
        "parentaccountid",
        "parentcontactid",
        "address1_",
        "emailaddress1",
    ];
    let mut guilty = Vec::new();
    for room in [
        "host/sync/src",
        "host/service/src",
        "host/service/remote/src",
        "host/service/plugins/src",
        "host/service/store/src",
        "host/service/webhook/src",
    ] {
        visit(&root().join(room), &mut |path, text| {
            // Tests and docs may give examples; code may not know. Hostile input is read by tests only.
            if path.file_name().is_some_and(|name| name == "hostile.rs") {
                return;
            }
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            for (number, line) in code.lines().enumerate() {
                let line = line.split("//").next().unwrap_or_default();
                if words.iter().any(|word| line.contains(word)) {
                    guilty.push(format!(
                        "{}:{}: {}",
                        path.display(),
                        number + 1,
                        line.trim()
                    ));
                }
            }
        });
    }
    assert!(
        guilty.is_empty(),
        "mapped columns in host code:\n{}",
        guilty.join("\n")
    );
}

fn visit(folder: &Path, see: &mut impl FnMut(&Path, &str)) {
    for entry in std::fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("an entry can be read").path();
        if path.is_dir() {
            visit(&path, see);
        } else if path.extension().is_some_and(|ending| ending == "rs")
            && path.file_stem().is_none_or(|stem| stem != "tests")
        {
            see(
                &path,
                &std::fs::read_to_string(&path).expect("source can be read"),
            );
        }
    }
}
