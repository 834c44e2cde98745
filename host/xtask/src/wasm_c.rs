//! A C compiler that can write WebAssembly. Only the script engine needs one, because QuickJS is C; nothing else does, and whoever has none goes
//! without scripts until one is there.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::provide::is_root;
use crate::steps::{Workspace, step};

/// What the C build scripts of cargo ask for.
const VARIABLE: &str = "CC_wasm32_unknown_unknown";
/// One file of half a gigabyte without an installer: clang, a WebAssembly linker and headers.
const ZIG: &str = "ziglang==0.17.1";
/// What to type, where nothing can be installed from here.
pub(crate) const REMEDY: &str = "cargo xtask wasm-c (it needs python3 with pip), or sudo apt-get install -y clang, or name a compiler in CC_wasm32_unknown_unknown";

/// What cargo has to be told to use it; empty where it knows already.
pub(crate) type Environment = Vec<(&'static str, PathBuf)>;

/// The compiler that is there: the one that was named, clang, or zig.
pub(crate) fn find(workspace: &Workspace) -> Option<Environment> {
    if std::env::var_os(VARIABLE).is_some() {
        return Some(Vec::new());
    }
    if said(Command::new("clang").arg("--print-targets")).contains("wasm32") {
        return Some(vec![(VARIABLE, PathBuf::from("clang"))]);
    }
    let installed = installed(workspace);
    let zig = [installed.as_path(), Path::new("zig")]
        .into_iter()
        .find(|zig| !said(Command::new(zig).arg("version")).is_empty())?;
    let compiler = wrapped(workspace, zig).ok()?;
    Some(vec![(VARIABLE, compiler)])
}

/// The compiler that is there, or one that is brought into the target folder.
///
/// # Errors
/// With what to type, when none can be brought.
pub(crate) fn ensure(workspace: &Workspace) -> Result<()> {
    if find(workspace).is_some() {
        return Ok(());
    }
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--target"])
        .arg(folder(workspace).join("zig"))
        .arg(ZIG);
    if step("C compiler for WebAssembly", &mut pip).is_ok() && find(workspace).is_some() {
        return Ok(());
    }
    let mut apt = Command::new("apt-get");
    apt.args(["install", "--yes", "--no-install-recommends", "clang"]);
    if is_root() && step("clang", &mut apt).is_ok() && find(workspace).is_some() {
        return Ok(());
    }
    bail!("the script engine needs a C compiler for WebAssembly; type one of: {REMEDY}")
}

fn folder(workspace: &Workspace) -> PathBuf {
    workspace.target().join("tools")
}

fn installed(workspace: &Workspace) -> PathBuf {
    folder(workspace).join("zig/ziglang/zig")
}

/// Build scripts name the target as clang does, and zig has another name for it.
fn wrapped(workspace: &Workspace, zig: &Path) -> Result<PathBuf> {
    let script = format!(
        "#!/bin/sh\n\
         # Written by `cargo xtask`: zig as a C compiler for wasm32-unknown-unknown.\n\
         for argument in \"$@\"; do\n  \
           shift\n  \
           case \"$argument\" in\n    \
             --target=wasm32-unknown-unknown) set -- \"$@\" --target=wasm32-freestanding ;;\n    \
             *) set -- \"$@\" \"$argument\" ;;\n  \
           esac\n\
         done\n\
         exec '{}' cc \"$@\"\n",
        zig.display()
    );
    let path = folder(workspace).join("zig-cc");
    if std::fs::read_to_string(&path).is_ok_and(|there| there == script) {
        return Ok(path);
    }
    std::fs::create_dir_all(folder(workspace))?;
    std::fs::write(&path, script).with_context(|| format!("cannot write {}", path.display()))?;
    make_executable(&path)?;
    Ok(path)
}

#[cfg(unix)]
fn make_executable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    Ok(std::fs::set_permissions(
        path,
        std::fs::Permissions::from_mode(0o755),
    )?)
}

#[cfg(not(unix))]
fn make_executable(_: &Path) -> Result<()> {
    bail!("zig is wrapped by a shell script, and there is no shell here: use clang")
}

/// Empty where the program is not there or does not succeed.
fn said(command: &mut Command) -> String {
    let output = command.stderr(Stdio::null()).output();
    let output = output.ok().filter(|output| output.status.success());
    output.map_or_else(String::new, |output| {
        String::from_utf8_lossy(&output.stdout).into_owned()
    })
}
