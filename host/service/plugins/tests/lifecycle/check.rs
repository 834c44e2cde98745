//! `cosell plugin check FILE`.

use cosell_plugins::trial::Trial;
use cosell_plugins::{CheckReport, Engine, EngineSettings, RejectionKind, check_file};

use crate::guest::{Does, Guest, Val, reads, set, text, writes};

fn check(bytes: &[u8]) -> CheckReport {
    check_with(bytes, "")
}

fn check_with(bytes: &[u8], operator: &str) -> CheckReport {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("50-acme.wasm");
    std::fs::write(&path, bytes).unwrap();
    std::fs::write(dir.path().join("50-acme.toml"), operator).unwrap();
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
        missing
            .to_string()
            .contains("there is no such file (hint: check the path)"),
        "{missing}"
    );
}

#[test]
fn what_would_stop_deals_is_refused_or_a_warning_where_the_operator_wants_it_so() {
    let bytes = silent()
        .needs([writes("opportunity", &["name"])])
        .with("opportunity#to-deal", Does::Panics)
        .says(
            "opportunity#to-row",
            Val::ok(Val::list([set("new_x", text("x"))])),
        )
        .build();
    let tells_both = |report: &CheckReport| {
        let text = report.to_string();
        assert!(
            text.contains("opportunity.to-deal: panicked")
                && text.contains("sets opportunity.new_x without"),
            "{text}"
        );
    };
    let report = check(&bytes);
    assert_eq!(
        report.verdict.as_ref().map_err(|why| why.kind),
        Err(RejectionKind::Law)
    );
    tells_both(&report);
    let report = check_with(&bytes, "laws = \"warn\"");
    assert!(report.verdict.is_ok() && !report.is_good());
    tells_both(&report);
}

#[test]
fn a_plugin_on_trial_is_asked_what_it_serves_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("50-acme.wasm");
    std::fs::write(&path, silent().build()).unwrap();
    let engine = Engine::new(EngineSettings::default()).unwrap();
    let trial = Trial::load(&engine, &path).unwrap();
    let served: Vec<_> = trial.questions().collect();
    assert_eq!(served, ["opportunity.to-deal", "opportunity.to-row"]);
    for name in served {
        let put = trial.put(name, None, &[]);
        assert_eq!((put.ask(), put.ask_fresh()), (Ok(()), Ok(())));
    }
    let unserved = trial.put("country.to-row", None, &[]).ask().unwrap_err();
    assert!(unserved.contains("does not export `country`"), "{unserved}");
}
