//! What the host says about the components of this workspace: it takes the good ones, and catches every one that attacks it.
//!
//! The components are those of `cargo xtask plugins`, which `cargo verify` runs first.

use std::path::{Path, PathBuf};

use cosell_plugins::{CheckReport, Engine, EngineSettings, Limits, RejectionKind, check_file};

fn shelf(name: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    target
        .parent()
        .expect("the folder for temporary files stands in the target folder")
        .join(name)
}

fn components(name: &str) -> Vec<PathBuf> {
    let folder = shelf(name);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| {
            panic!(
                "{}: {error}; build the components first: cargo xtask plugins",
                folder.display()
            )
        })
        .map(|entry| entry.expect("a folder that can be listed").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "wasm"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    files
}

fn engine() -> Engine {
    Engine::new(EngineSettings::default()).expect("an engine without a cache needs nothing")
}

/// For attacks on memory and size: on a busy machine they are to meet that limit, and not the clock before it.
fn patient() -> Engine {
    let limits = Limits {
        call_ms: 10_000,
        ..Limits::default()
    };
    Engine::new(EngineSettings {
        limits,
        ..EngineSettings::default()
    })
    .expect("an engine without a cache needs nothing")
}

fn attack(engine: &Engine, name: &str) -> CheckReport {
    let file = shelf("hostile").join(name).with_extension("wasm");
    assert!(
        file.is_file(),
        "{} is not there; build it first: cargo xtask plugins",
        file.display()
    );
    check_file(engine, &file)
}

/// Refused at the door.
fn refused(name: &str, kind: RejectionKind, words: &str) {
    let report = attack(&engine(), name);
    let rejection = report.verdict.as_ref().expect_err(name);
    assert_eq!(rejection.kind, kind, "{report}");
    assert!(
        report.to_string().contains(words),
        "{words:?} in:\n{report}"
    );
}

/// Comes up, and is caught when it is asked about the standard deal.
fn caught(name: &str, words: &str) {
    caught_by(&engine(), name, words);
}

/// The same by another engine.
fn caught_by(engine: &Engine, name: &str, words: &str) {
    let report = attack(engine, name);
    let kind = report.verdict.as_ref().map_err(|why| why.kind);
    assert_eq!(kind, Err(RejectionKind::Law), "{report}");
    assert!(
        report
            .warnings
            .iter()
            .any(|warning| warning.starts_with("opportunity.to-row") && warning.contains(words)),
        "{words:?} in:\n{report}"
    );
}

#[test]
fn the_stock_mapping_and_the_examples_are_taken() {
    let engine = engine();
    for file in components("plugins")
        .into_iter()
        .chain(components("examples"))
    {
        let report = check_file(&engine, &file);
        assert!(report.is_good(), "{report}");
        let examples = report.plugin.as_ref().map_or(0, |plugin| plugin.examples);
        assert!(examples > 0, "{} has no golden examples", file.display());
    }
}

#[test]
fn every_attack_has_a_test() {
    let named: Vec<String> = components("hostile")
        .iter()
        .filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned()))
        .collect();
    let source = include_str!("verdicts.rs");
    for attack in named {
        assert!(
            source.contains(&format!("\"{attack}\"")),
            "nothing is expected of {attack}"
        );
    }
}

#[test]
fn a_guest_whose_deeds_are_settings_does_nothing_by_itself() {
    let report = attack(&engine(), "acts-up");
    assert!(report.is_good(), "{report}");
}

#[test]
fn other_types_under_a_known_name_are_incompatible() {
    refused("deceives", RejectionKind::Incompatible, "country");
}

#[test]
fn a_plugin_without_a_hook_is_refused() {
    refused("exports-nothing", RejectionKind::Export, "hook");
}

#[test]
fn a_broken_promise_keeps_a_plugin_out_of_service() {
    refused(
        "fails-its-example",
        RejectionKind::Example,
        "names go into the CRM in capitals",
    );
}

#[test]
fn an_import_that_no_plugin_gets_is_named() {
    refused(
        "imports-another",
        RejectionKind::Import,
        "wasi:random/random@0.2.0",
    );
}

#[test]
fn a_guest_that_is_built_for_a_system_hears_what_its_operator_may_do() {
    refused("looks-around", RejectionKind::Import, "wasi = \"inert\"");
}

#[test]
fn a_loop_at_load_is_cut_off() {
    refused("loops-at-load", RejectionKind::Timeout, "manifest");
}

#[test]
fn a_memory_bomb_is_stopped() {
    caught_by(&patient(), "eats-memory", "MiB of memory and may have");
}

#[test]
fn a_flood_of_log_lines_runs_out_of_time() {
    caught("floods-the-log", "ms");
}

#[test]
fn a_loop_is_cut_off() {
    caught("loops", "ms");
}

#[test]
fn a_panic_is_told_as_one() {
    caught("panics", "panicked");
}

#[test]
fn a_recursion_without_end_is_a_stack_that_ran_out() {
    caught("recurses", "stack");
}

#[test]
fn an_answer_that_is_too_large_is_not_taken() {
    caught_by(&patient(), "returns-too-much", "answered more than");
}

#[test]
fn an_undeclared_column_is_not_written() {
    caught("sets-undeclared", "creditlimit");
}
