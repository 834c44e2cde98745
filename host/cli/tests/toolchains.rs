//! Components in JavaScript and in Python, with the toolchains that are pinned beside the examples: built by `cosell plugin build`, tried by
//! `cosell plugin test`, and asked.
//!
//! The toolchains are installed below the build tree, and only by whoever runs these tests: `cargo verify --all`.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(missing_docs, reason = "tests are read by their names")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};

use cosell_tests::World;
use serde_json::Value;

/// A workshop below the build tree: the examples as they are now, and the toolchain as it is pinned.
fn workshop(language: &str, pins: &str, install: impl FnOnce(&Path)) -> PathBuf {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("toolchain-{language}"));
    let place = root.join(language);
    for folder in [language, "script"] {
        std::fs::create_dir_all(root.join(folder)).unwrap();
        for entry in std::fs::read_dir(examples.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                std::fs::copy(&path, root.join(folder).join(path.file_name().unwrap())).unwrap();
            }
        }
    }
    let pinned = std::fs::read_to_string(place.join(pins)).unwrap();
    let mark = root.join("installed");
    if std::fs::read_to_string(&mark).is_ok_and(|held| held == pinned) {
        return place;
    }
    install(&place);
    std::fs::write(mark, pinned).unwrap();
    place
}

fn run(command: &mut Command) -> Output {
    let done = command.output().unwrap();
    assert!(
        done.status.success(),
        "{command:?}: {}\n{}{}",
        done.status,
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
    done
}

fn cosell(place: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cosell"))
        .args(words)
        .current_dir(place)
        .output()
        .unwrap()
}

fn says(place: &Path, words: &[&str]) -> String {
    let done = cosell(place, words);
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(
        done.status.success(),
        "{words:?}: {said}{}",
        String::from_utf8_lossy(&done.stderr)
    );
    said
}

const MAPPINGS: [&str; 5] = [
    "51-lookup-country.wasm",
    "52-mandatory-fields.wasm",
    "54-account-match.wasm",
    "56-deal-value.wasm",
    "58-loss-reasons.wasm",
];

/// Builds the five mappings, and tries each of them.
fn keep_every_law(place: &Path) {
    let built = says(place, &["plugin", "build"]);
    for mapping in MAPPINGS {
        let file = format!("dist/{mapping}");
        assert!(built.contains(&file), "{file} was not built: {built}");
        let one: Value =
            serde_json::from_str(&says(place, &["plugin", "inspect", &file, "--json"])).unwrap();
        let imports = one["imports"].as_array().unwrap();
        assert!(
            imports.iter().all(|import| {
                let import = import.as_str().unwrap();
                import.starts_with("cosell:mapping/types@")
                    || import.starts_with("cosell:mapping/log@")
            }),
            "{file} imports more than the log: {imports:?}"
        );
        assert!(one["stamps"]["manifest"]["id"].is_string(), "{one:#}");
        // A fresh instance of an interpreter for each deal: a few deals do.
        says(place, &["plugin", "test", &file, "--cases", "10"]);
    }
}

/// What a mistake in a mapping looks like, with its place.
fn tells_its_place(place: &Path, words: &str) {
    let done = cosell(
        place,
        &[
            "plugin",
            "run",
            "dist/56-deal-value.wasm",
            "--hook",
            "opportunity.to-row",
            "--no-cost",
        ],
    );
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert_eq!(done.status.code(), Some(1), "{said}");
    assert!(said.contains(words), "{words:?} is not in {said}");
}

/// The example with one text instead of another.
fn spoil(file: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{from} is not in {}", file.display());
    std::fs::write(file, text.replace(from, to)).unwrap();
}

/// The workshop with what npm brings, installed once for all.
fn javascript() -> PathBuf {
    static ONE_INSTALLS: Mutex<()> = Mutex::new(());
    let _alone = ONE_INSTALLS.lock().unwrap_or_else(PoisonError::into_inner);
    workshop("javascript", "package-lock.json", |place| {
        run(Command::new("npm")
            .args(["ci", "--no-audit", "--no-fund"])
            .current_dir(place));
    })
}

/// What TypeScript says about these scripts and the typings beside them.
fn checked(place: &Path, folder: &Path, scripts: &[PathBuf]) -> Output {
    Command::new(place.join("node_modules/.bin/tsc"))
        .args([
            "--noEmit",
            "--allowJs",
            "--checkJs",
            "--strict",
            "--target",
            "es2022",
            "--lib",
            "es2022",
            "--module",
            "esnext",
            "--types",
            "",
            "--pretty",
            "false",
        ])
        .args(scripts)
        .current_dir(folder)
        .output()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "installs TypeScript; cargo verify --all runs it"]
async fn the_examples_keep_the_typings_and_a_misspelt_column_is_found_by_those_of_the_organisation()
{
    let world = World::start().await.unwrap();
    let config = world.config.clone();
    tokio::task::spawn_blocking(move || compiler_reads_typings(&config))
        .await
        .unwrap();
    world.end().await.unwrap();
}

fn compiler_reads_typings(config: &Path) {
    let place = javascript();
    let folder = tempfile::tempdir().unwrap();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/script");
    let mut scripts = Vec::new();
    for entry in std::fs::read_dir(examples).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap();
        if path.extension().is_some_and(|ending| ending == "js") {
            scripts.push(PathBuf::from(name));
        }
        std::fs::copy(&path, folder.path().join(name)).unwrap();
    }
    assert!(scripts.len() >= 6, "{scripts:?}");
    let said = |done: &Output| String::from_utf8_lossy(&done.stdout).into_owned();

    // As they are shipped: any name may be one of the organisation's.
    let done = checked(&place, folder.path(), &scripts);
    assert!(done.status.success(), "{}", said(&done));

    // With the names that the organisation really has.
    let config = config.display().to_string();
    says(folder.path(), &["plugin", "types", "--config", &config]);
    let script = "// @ts-check\n/// <reference path=\"./cosell.d.ts\" />\n/** @type {cosell.Need} */\nexport const need = { tag: \"reads\", val: { table: \"opportunity\", columns: [\"estimatedvalue\"] } };\n";
    let file = PathBuf::from("60-mine.js");
    std::fs::write(folder.path().join(&file), script).unwrap();
    let done = checked(&place, folder.path(), std::slice::from_ref(&file));
    assert!(done.status.success(), "{}", said(&done));
    spoil(
        &folder.path().join(&file),
        "\"estimatedvalue\"",
        "\"estimatedvalu\"",
    );
    let done = checked(&place, folder.path(), &[file]);
    let said = said(&done);
    assert!(!done.status.success(), "a misspelt column was not found");
    assert!(
        said.contains("60-mine.js(4,") && said.contains("\"estimatedvalu\""),
        "{said}"
    );
}

#[test]
#[ignore = "installs componentize-js; cargo verify --all runs it"]
fn the_examples_in_javascript_keep_every_law_and_tell_mistakes_with_their_place() {
    let place = javascript();
    keep_every_law(&place);
    // Only this one is built anew; its examples would keep it out, so it has none.
    let only = r#"{ "name": "spoilt", "cosell": { "plugins": [{ "file": "56-deal-value", "source": "../script/56-deal-value.js", "hooks": ["opportunity"] }] } }"#;
    std::fs::write(place.join("package.json"), only).unwrap();
    let script = place.join("../script/56-deal-value.js");
    spoil(
        &script,
        "const value = order.deal.value;",
        "const value = order.deal.valu.amount;",
    );
    spoil(&script, "export const examples", "const examples");
    says(&place, &["plugin", "build"]);
    tells_its_place(&place, "56-deal-value.js:");
}

#[test]
#[ignore = "installs componentize-py; cargo verify --all runs it"]
fn the_examples_in_python_keep_every_law_and_tell_mistakes_with_their_place() {
    let place = workshop("python", "requirements.txt", |place| {
        run(Command::new("python3")
            .args(["-m", "venv"])
            .arg(place.join(".venv")));
        run(Command::new(place.join(".venv/bin/python"))
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--requirement",
                "requirements.txt",
            ])
            .current_dir(place));
    });
    keep_every_law(&place);
    let only = "name = \"spoilt\"\n[[plugin]]\nfile = \"56-deal-value\"\nsource = \"deal_value\"\nhooks = [\"opportunity\"]\n";
    std::fs::write(place.join("plugin.toml"), only).unwrap();
    spoil(
        &place.join("deal_value.py"),
        "order.deal.value)]",
        "order.deal.valu)]",
    );
    says(&place, &["plugin", "build"]);
    tells_its_place(&place, "deal_value.py:");
}
