//! `cosell plugin check FILE`.

use cosell_plugins::{CheckReport, Engine, EngineSettings, check_file};

use crate::guest::{Does, Guest, Val, reads, set, text, writes};

fn check(bytes: &[u8]) -> CheckReport {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("50-acme.wasm");
    std::fs::write(&path, bytes).unwrap();
    check_file(&Engine::new(EngineSettings::default()).unwrap(), &path)
}

fn silent() -> Guest {
    Guest::of(&["opportunity"])
        .named("acme")
        .needs([reads("opportunity", &["name"])])
        .says("opportunity#to-deal", Val::ok(Val::list([])))
        .says("opportunity#to-row", Val::ok(Val::list([])))
}

#[test]
fn a_good_file_is_told_with_what_it_needs_and_costs() {
    let report = check(&silent().build());
    assert!(report.is_good(), "{report}");
    let text = report.to_string();
    for words in [
        "acme 1.0.0",
        "hooks     opportunity",
        "reads     opportunity: name",
        "compiled in",
        "good: the folder would put it into service",
    ] {
        assert!(text.contains(words), "{words:?} is not in:\n{text}");
    }
}

#[test]
fn a_refused_file_says_what_the_folder_would_say() {
    let report = check(b"junk");
    assert!(!report.is_good());
    assert!(
        report
            .to_string()
            .contains("refused (scan): this is not WebAssembly"),
        "{report}"
    );
    let missing = check_file(
        &Engine::new(EngineSettings::default()).unwrap(),
        std::path::Path::new("no-such-file.wasm"),
    );
    assert!(
        missing.to_string().contains("the file cannot be read"),
        "{missing}"
    );
}

#[test]
fn what_would_stop_deals_is_a_warning() {
    let report = check(
        &silent()
            .needs([writes("opportunity", &["name"])])
            .with("opportunity#to-deal", Does::Panics)
            .says(
                "opportunity#to-row",
                Val::ok(Val::list([set("new_x", text("x"))])),
            )
            .build(),
    );
    assert!(report.verdict.is_ok() && !report.is_good());
    let text = report.to_string();
    assert!(
        text.contains("opportunity.to-deal: panicked")
            && text.contains("sets opportunity.new_x without"),
        "{text}"
    );
}
