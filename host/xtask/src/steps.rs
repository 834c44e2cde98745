//! Steps that are announced, timed, and repeatable by hand when they fail.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::guests::Shelf;

/// Where things are.
pub(crate) struct Workspace {
    root: PathBuf,
    target: PathBuf,
}

impl Workspace {
    /// Found through cargo, which started us.
    pub(crate) fn find() -> Result<Self> {
        let here = std::env::var_os("CARGO_MANIFEST_DIR")
            .context("start me with `cargo xtask`, I find the workspace through cargo")?;
        let root = Path::new(&here)
            .ancestors()
            .nth(2)
            .context("xtask has left its place, host/xtask")?
            .to_owned();
        let target = std::env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| root.join("target"), |given| root.join(given));
        Ok(Self { root, target })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    pub(crate) fn shelf(&self, shelf: Shelf) -> PathBuf {
        self.target.join(shelf.folder())
    }
}

/// The cargo that started us, in the workspace.
pub(crate) fn cargo(workspace: &Workspace) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(&workspace.root);
    quiet_about_us(&mut command);
    command
}

/// What cargo tells us about ourselves is not for what we start: build scripts that look at it (ring's) would run again, and everything behind them be
/// compiled again, whenever somebody goes from `cargo test` to `cargo verify` and back.
pub(crate) fn quiet_about_us(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let is_ours = name.to_str().is_some_and(|name| {
            name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
        });
        if is_ours {
            command.env_remove(name);
        }
    }
}

/// A program of the workspace, as `cargo test --workspace` has left it beside its tests: a build of its own would take other features of the
/// dependencies, and compile half of them once more.
pub(crate) fn built(workspace: &Workspace, program: &str) -> Command {
    let name = format!("{program}{}", std::env::consts::EXE_SUFFIX);
    let mut command = Command::new(workspace.target.join("debug").join(name));
    command.current_dir(&workspace.root);
    command
}

/// The demo, on the components that were just built.
pub(crate) fn demo(workspace: &Workspace) -> Result<Command> {
    let mut command = cargo(workspace);
    command.args(["run", "--quiet", "--package", "cosell", "--", "demo"]);
    on_shelves(workspace, &mut command);
    Ok(command)
}

/// Tells the demo where the components are.
pub(crate) fn on_shelves(workspace: &Workspace, demo: &mut Command) {
    demo.arg("--plugins")
        .arg(workspace.shelf(Shelf::Stock))
        .arg("--examples")
        .arg(workspace.shelf(Shelf::Examples));
}

/// Random histories against the real host. Built as the tests build it (see [`built`]).
///
/// # Errors
/// When it cannot be built; cargo has said why.
pub(crate) fn simulate(workspace: &Workspace) -> Result<Command> {
    step(
        "histories to be played",
        cargo(workspace).args([
            "test",
            "--quiet",
            "--workspace",
            "--no-run",
            "--test",
            "model",
        ]),
    )?;
    Ok(built(workspace, "simulate"))
}

/// The same with mistakes of the protocol built in.
pub(crate) fn mutants(workspace: &Workspace) -> Result<Command> {
    let mut command = simulate(workspace)?;
    command.arg("--mutants");
    Ok(command)
}

/// Real hosts that are ended by force. Cargo builds the program that it runs, and not the one that that one starts: so both are built first, as the
/// tests build them (see [`built`]).
///
/// # Errors
/// When they cannot be built; cargo has said why.
pub(crate) fn crash(workspace: &Workspace) -> Result<Command> {
    step(
        "hosts to be ended",
        cargo(workspace)
            .args(["test", "--quiet", "--workspace", "--no-run"])
            .args(["--test", "hosts", "--test", "model"]),
    )?;
    Ok(built(workspace, "crash"))
}

/// A real host under load for a long time: as people run it, so optimised. As above, what it starts is built first.
///
/// # Errors
/// When it cannot be built; cargo has said why.
pub(crate) fn soak(workspace: &Workspace) -> Result<Command> {
    step(
        "a host to be put under load",
        cargo(workspace).args(["build", "--quiet", "--release", "--workspace", "--bins"]),
    )?;
    Ok(Command::new(workspace.target().join("release/soak")))
}

/// What cargo cannot bring along: SQLite and the cryptography are built from C. Said in one line here, before a build script says it in forty.
///
/// # Errors
/// With the line to type.
pub(crate) fn need_c_compiler() -> Result<()> {
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let works = Command::new(&compiler)
        .arg("--version")
        .output()
        .is_ok_and(|said| said.status.success());
    if works {
        return Ok(());
    }
    bail!(
        "a C compiler is missing ({} does not run); type: sudo apt-get install -y gcc (Debian, Ubuntu), sudo dnf install -y gcc (Fedora) or xcode-select --install (macOS)",
        compiler.display()
    )
}

/// Runs one step.
///
/// # Errors
/// With the command to repeat, when it fails.
pub(crate) fn step(title: &str, command: &mut Command) -> Result<()> {
    timed(title, command, |command| command.status())
}

/// Runs one step for what it says on standard output.
///
/// # Errors
/// As [`step`].
pub(crate) fn answer(title: &str, command: &mut Command) -> Result<String> {
    let mut said = Vec::new();
    timed(title, command, |command| {
        let output = command.stderr(Stdio::inherit()).output()?;
        said = output.stdout;
        Ok(output.status)
    })?;
    String::from_utf8(said).with_context(|| format!("{title}: said something that is no text"))
}

/// Runs one step for everything that it says, however it ends.
///
/// # Errors
/// When it cannot be started.
pub(crate) fn heard(title: &str, command: &mut Command) -> Result<String> {
    let started = Instant::now();
    eprintln!("── {title}");
    let output = command
        .output()
        .with_context(|| format!("cannot start {}", in_words(command)))?;
    eprintln!("   {title}: {:.1} s", started.elapsed().as_secs_f32());
    let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.push_str(&String::from_utf8_lossy(&output.stderr));
    Ok(said)
}

fn timed(
    title: &str,
    command: &mut Command,
    run: impl FnOnce(&mut Command) -> std::io::Result<ExitStatus>,
) -> Result<()> {
    eprintln!("── {title}");
    let started = Instant::now();
    let status = run(command).with_context(|| format!("cannot start {}", in_words(command)))?;
    if !status.success() {
        bail!("{title}: failed. To repeat it:\n  {}", in_words(command));
    }
    eprintln!("   {title}: {:.1} s", started.elapsed().as_secs_f32());
    Ok(())
}

/// As a person would type it.
fn in_words(command: &Command) -> String {
    let environment = command
        .get_envs()
        .filter_map(|(name, value)| Some((name, value?)))
        .map(|(name, value)| format!("{}={}", name.display(), quoted(&value.to_string_lossy())));
    let program = Path::new(command.get_program())
        .file_stem()
        .unwrap_or(command.get_program())
        .display()
        .to_string();
    let arguments = command
        .get_args()
        .map(|argument| quoted(&argument.to_string_lossy()));
    environment
        .chain([program])
        .chain(arguments)
        .collect::<Vec<_>>()
        .join(" ")
}

fn quoted(word: &str) -> String {
    if word.contains(' ') {
        format!("'{word}'")
    } else {
        word.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_names_the_command_to_repeat() {
        let mut command = Command::new("false");
        command
            .args(["one", "two words"])
            .env("FLAGS", "-D warnings");
        let error = step("failing", &mut command).unwrap_err().to_string();
        assert!(
            error.ends_with("FLAGS='-D warnings' false one 'two words'"),
            "{error}"
        );
    }
}
