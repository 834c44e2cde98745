//! `cosell plugin new`, `build`, `run`, `test`, `inspect` and `types`: what an author types before a plugin meets a host.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the command line may"
)]

pub(crate) mod build;
pub(crate) mod inspect;
pub(crate) mod new;
pub(crate) mod run;
pub(crate) mod test;
pub(crate) mod types;

use std::path::{Path, PathBuf};
use std::time::Duration;

use cosell_plugins::{Compiler, CompilerProcess, Engine, EngineError, EngineSettings, Limits};

/// Where the engines of scripts and tables are.
#[derive(Debug, clap::Args)]
pub(crate) struct Engines {
    /// The folder with script.engine.wasm and table.engine.wasm, for files that have none beside them. Without it: `engines` beside this program.
    #[arg(long, value_name = "DIR", env = "COSELL_ENGINES")]
    engines: Option<PathBuf>,
}

impl Engines {
    /// The folders to look in, the named one first.
    pub(crate) fn folders(&self) -> Vec<PathBuf> {
        self.engines.iter().cloned().chain(installed()).collect()
    }
}

/// Beside the program, as a release is unpacked or as `cargo xtask plugins` builds them.
fn installed() -> Vec<PathBuf> {
    let program = std::env::current_exe().ok();
    let folder = program.as_deref().and_then(Path::parent);
    let places = ["engines", "../engines", "../share/cosell/engines"];
    folder
        .map(|folder| places.map(|place| folder.join(place)).to_vec())
        .unwrap_or_default()
}

/// An author's machine builds other things meanwhile, and waits for nobody: a Python component that takes a host seven seconds to compile may take this
/// long here.
const COMPILE_TIME: Duration = Duration::from_secs(600);

/// As a host runs plugins, on the caller's own thread.
pub(crate) fn engine() -> anyhow::Result<Engine> {
    let compiler = match crate::compiler::compiler() {
        Compiler::Process(process) => Compiler::Process(CompilerProcess {
            time: COMPILE_TIME,
            ..process
        }),
        Compiler::Here => Compiler::Here,
    };
    keeping(
        "tried",
        EngineSettings {
            cache_dir: None,
            limits: Limits::default(),
            threads: 0,
            compiler,
            ..EngineSettings::default()
        },
    )
}

/// An engine that compiles nothing twice: whoever writes a plugin asks about it again and again. `apart` are those that compile under the same limits,
/// so that what took an author ten minutes does not pass for what a host would compile.
pub(crate) fn keeping(apart: &str, settings: EngineSettings) -> anyhow::Result<Engine> {
    let cache_dir = users_cache().map(|cache| cache.join("cosell").join(apart));
    let kept = Engine::new(EngineSettings {
        cache_dir,
        ..settings.clone()
    });
    match kept {
        // Of no use, or not this user's alone: it compiles each time.
        Err(EngineError::Cache(why)) => {
            tracing::debug!(%why, "compiled plugins are not kept");
            Ok(Engine::new(settings)?)
        }
        other => Ok(other?),
    }
}

/// Where this user keeps what can be made anew, as the XDG base directories say. None for who has no home, as many a service.
fn users_cache() -> Option<PathBuf> {
    let said = |name| std::env::var_os(name).map(PathBuf::from);
    said("XDG_CACHE_HOME")
        .filter(|path| path.is_absolute())
        .or_else(|| Some(said("HOME")?.join(".cache")))
        .filter(|path| path.is_absolute())
}

/// `1234567` → `1,234,567`
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `68157440` → `65.0 MiB`
pub(crate) fn mebibytes(bytes: u64) -> String {
    let tenths = bytes.saturating_mul(10) / (1 << 20);
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(mebibytes(65 << 20), "65.0 MiB");
        assert_eq!(mebibytes(1_150_000), "1.0 MiB");
    }
}
