//! The process in which plugins are compiled: this program once more, started for nothing else.
#![allow(
    clippy::print_stderr,
    reason = "the parent reads what a child could not do"
)]

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use cosell_host::config::Config;
use cosell_plugins::compiler::serve;
use cosell_plugins::{Compiler, CompilerProcess};

/// The hidden command.
const COMMAND: &str = "compile-plugin";

/// This program as a compiler. Where it cannot find itself (it was deleted under its feet), plugins are compiled here, as a warning says.
pub(crate) fn compiler() -> Compiler {
    match std::env::current_exe() {
        Ok(program) => Compiler::Process(CompilerProcess::new(program, vec![COMMAND.into()])),
        Err(error) => {
            tracing::warn!(why = %error, "this program cannot find itself, so plugins are compiled without limits on time and memory");
            Compiler::Here
        }
    }
}

/// Reads the configuration, for a host that compiles in processes of their own.
pub(crate) fn load(path: &Path) -> anyhow::Result<Config> {
    let mut config = Config::load(path)?;
    config.plugins.compiler = compiler();
    Ok(config)
}

/// The child's side.
pub(crate) fn compile(limits: &[OsString]) -> ExitCode {
    match serve(limits) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cosell: {error}");
            ExitCode::FAILURE
        }
    }
}
