//! Plugins are compiled in a process of their own, and what that costs is limited.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use cosell_plugins::{
    CheckReport, Compiler, CompilerProcess, Engine, EngineSettings, Phase, Rejection,
    RejectionKind, check_file,
};

fn plugin() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target")),
        PathBuf::from,
    );
    let file = target.join("plugins/10-opportunity.wasm");
    assert!(
        file.is_file(),
        "{} is not there; build it first: cargo xtask plugins",
        file.display()
    );
    file
}

fn process() -> CompilerProcess {
    CompilerProcess::new(
        env!("CARGO_BIN_EXE_cosell").into(),
        vec!["compile-plugin".into()],
    )
}

fn check(process: CompilerProcess) -> CheckReport {
    let engine = Engine::new(EngineSettings {
        compiler: Compiler::Process(process),
        ..EngineSettings::default()
    });
    check_file(
        &engine.expect("an engine without a cache needs nothing"),
        &plugin(),
    )
}

fn refused(process: CompilerProcess) -> Rejection {
    let rejection = check(process).verdict.expect_err("so little is not enough");
    assert_eq!(rejection.phase, Phase::Compile);
    assert!(
        rejection.hint.is_some(),
        "it says what to do: {rejection:?}"
    );
    rejection
}

#[test]
fn a_plugin_that_was_compiled_next_door_answers() {
    let report = check(process());
    assert!(report.is_good(), "{report}");
}

#[test]
fn what_takes_too_long_to_compile_is_killed_and_refused() {
    let began = Instant::now();
    let rejection = refused(CompilerProcess {
        time: Duration::from_millis(20),
        ..process()
    });
    assert_eq!(rejection.kind, RejectionKind::Timeout, "{rejection:?}");
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "nobody waited for it"
    );
}

#[test]
#[cfg(target_os = "linux")]
fn what_takes_too_much_memory_to_compile_is_refused() {
    let rejection = refused(CompilerProcess {
        memory_bytes: 80 << 20,
        ..process()
    });
    assert_eq!(rejection.kind, RejectionKind::Memory, "{rejection:?}");
}

#[test]
fn a_compiler_that_is_none_is_told_apart_from_a_bad_file() {
    for program in ["/bin/false", "/nowhere/cosell"] {
        let rejection = refused(CompilerProcess::new(program.into(), Vec::new()));
        assert_eq!(rejection.kind, RejectionKind::Compile);
        let causes = rejection.causes.join("\n");
        assert!(causes.contains(program), "{causes}");
    }
}

#[test]
fn a_file_that_is_no_component_is_told_by_the_process_as_here() {
    let mut child = super::binary();
    child.args(["compile-plugin", "3000000000", "60"]);
    child.stdin(std::process::Stdio::piped());
    child.stdout(std::process::Stdio::piped());
    let mut child = child.spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"\0asm nonsense").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(output.stdout.first(), Some(&b'e'), "causes follow, no code");
    assert!(output.stdout.len() > 10);
}
