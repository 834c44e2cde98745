//! The mappings that partners ask for, in Rust and as scripts: each keeps every law of the contract, strange deals and round trips included.
//!
//! The components and the engine are those of `cargo xtask plugins`, which `cargo verify` runs first.

use std::path::{Path, PathBuf};

use cosell_plugins::author::{Exam, ExamReport};
use cosell_plugins::{Engine, EngineSettings};

fn shelf(name: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let folder = target
        .parent()
        .expect("it stands in the target folder")
        .join(name);
    assert!(
        folder.is_dir(),
        "{} is not there; build it first: cargo xtask plugins",
        folder.display()
    );
    folder
}

fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the folder can be listed");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry can be read").path())
        .filter(|path| path.extension().is_some_and(|own| own == ending))
        .collect();
    files.sort();
    files
}

/// Everything that is no note, in words.
fn failures(report: &ExamReport) -> Vec<String> {
    let findings = report.checks.iter().flat_map(|check| {
        let wrong = check.findings.iter().filter(|finding| !finding.is_note);
        wrong.map(move |finding| format!("{}: {}: {}", check.law, finding.about, finding.told))
    });
    findings.collect()
}

async fn keep_every_law(files: Vec<PathBuf>, at_least: usize) {
    let engine = Engine::new(EngineSettings::default()).expect("an engine needs nothing");
    let exam = Exam {
        seed: 1,
        cases: 60,
        engines: vec![shelf("engines")],
    };
    assert!(files.len() >= at_least, "{files:?}");
    for path in files {
        let report = exam.file(&engine, &path).await;
        assert!(
            report.is_passed(),
            "{}: {:#?}",
            path.display(),
            failures(&report)
        );
    }
}

#[tokio::test]
async fn every_example_in_rust_keeps_every_law() {
    keep_every_law(files(&shelf("examples"), "wasm"), 5).await;
}

#[tokio::test]
async fn every_example_script_keeps_every_law() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/script");
    keep_every_law(files(&folder, "js"), 6).await;
}
