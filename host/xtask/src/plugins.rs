//! Guests → core modules (cargo) → components (`wit-component`), without any tool but cargo.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use wit_component::{ComponentEncoder, DecodedWasm};

use crate::guests::{GUESTS, Guest, Shelf, Target, buildable, packages};
use crate::steps::{Workspace, cargo, step};
use crate::wasm_c;

/// What all but a few guests are built for.
pub(crate) const TARGET: &str = Target::Bare.as_str();
/// See the workspace manifest.
pub(crate) const PROFILE: &str = "plugin";

/// Builds what changed; a component whose bytes are the same is not touched, so nobody who watches the folder is woken.
pub(crate) fn build(workspace: &Workspace) -> Result<()> {
    ensure_target(workspace, Target::Bare.as_str())?;
    let mut targets = vec![Target::Bare];
    match ensure_target(workspace, Target::System.as_str()) {
        Ok(()) => targets.push(Target::System),
        // Nothing that people run is built for it.
        Err(why) => eprintln!(
            "   what tests of inert WASI ask is not built, and those tests will fail: {why}"
        ),
    }
    let c = wasm_c::find(workspace);
    if c.is_none() {
        for guest in GUESTS.iter().filter(|guest| guest.needs_c) {
            eprintln!(
                "   {} is not built: it needs a C compiler for WebAssembly, and nothing else does; {}",
                guest.file,
                wasm_c::REMEDY
            );
        }
    }
    for target in &targets {
        let mut modules = cargo(workspace);
        modules.envs(c.iter().flatten().cloned());
        modules.args([
            "build",
            "--quiet",
            "--lib",
            "--examples",
            "--target",
            target.as_str(),
            "--profile",
            PROFILE,
        ]);
        for package in packages(c.is_some(), *target) {
            modules.args(["--package", package]);
        }
        step(&format!("plugins for {}", target.as_str()), &mut modules)?;
    }
    for shelf in Shelf::ALL {
        std::fs::create_dir_all(workspace.shelf(shelf))?;
    }
    let built = buildable(c.is_some()).filter(|guest| targets.contains(&guest.target));
    for guest in built {
        encode(workspace, guest)?;
    }
    remove_stale(workspace)
}

fn encode(workspace: &Workspace, guest: &Guest) -> Result<()> {
    let module = workspace
        .target()
        .join(guest.target.as_str())
        .join(PROFILE)
        .join(guest.module());
    let bytes = std::fs::read(&module)
        .with_context(|| format!("cargo did not leave {}", module.display()))?;
    let component = match guest.target {
        Target::Bare => ComponentEncoder::default()
            .validate(true)
            .module(&bytes)
            .and_then(|mut encoder| encoder.encode())
            .with_context(|| format!("{} does not make a component", module.display()))?,
        Target::System => bytes,
    };
    if guest.shelf != Shelf::Hostile {
        refuse_imports(guest.file, &component)?;
    }
    let file = workspace.shelf(guest.shelf).join(guest.file);
    if std::fs::read(&file).is_ok_and(|there| there == component) {
        return Ok(());
    }
    replace(&file, &component)?;
    eprintln!("   {} ({} KB)", file.display(), component.len() / 1024);
    Ok(())
}

/// What a well-behaved component may import: types, which are no functions, and the log.
const IMPORTS: [&str; 2] = ["cosell:mapping/types@", "cosell:mapping/log@"];

/// A call must be a function of its arguments. Whoever brings in a crate that wants a clock finds out here and not in a partner's host.
fn refuse_imports(file: &str, component: &[u8]) -> Result<()> {
    let DecodedWasm::Component(resolve, world) = wit_component::decode(component)? else {
        bail!("{file} is no component");
    };
    for (key, _) in &resolve.worlds[world].imports {
        let name = resolve.name_world_key(key);
        if !IMPORTS.iter().any(|allowed| name.starts_with(allowed)) {
            bail!(
                "{file} imports {name}; a plugin imports nothing but the log. Which dependency needs it?"
            );
        }
    }
    Ok(())
}

/// By rename, so that a watcher never sees half a file.
fn replace(file: &Path, bytes: &[u8]) -> Result<()> {
    let half = file.with_extension("tmp");
    std::fs::write(&half, bytes)
        .and_then(|()| std::fs::rename(&half, file))
        .with_context(|| format!("cannot write {}", file.display()))
}

/// A component that is no longer on the list would go on being loaded.
fn remove_stale(workspace: &Workspace) -> Result<()> {
    for shelf in Shelf::ALL {
        for entry in std::fs::read_dir(workspace.shelf(shelf))? {
            let path = entry?.path();
            let listed = GUESTS
                .iter()
                .any(|guest| guest.shelf == shelf && path.ends_with(guest.file));
            if path.extension().is_some_and(|ending| ending == "wasm") && !listed {
                eprintln!("   removing {}, which is not on the list", path.display());
                std::fs::remove_file(&path)?;
            }
        }
    }
    Ok(())
}

fn ensure_target(workspace: &Workspace, target: &str) -> Result<()> {
    if has_target(target) {
        return Ok(());
    }
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", target]);
    rustup.current_dir(workspace.target().parent().unwrap_or(workspace.target()));
    if step("WebAssembly target", &mut rustup).is_ok() && has_target(target) {
        return Ok(());
    }
    bail!(
        "the WebAssembly target is missing and cannot be added from here; type: rustup target add {target}"
    )
}

fn has_target(target: &str) -> bool {
    Command::new("rustc")
        .args(["--print", "target-libdir", "--target", target])
        .output()
        .is_ok_and(|said| {
            said.status.success()
                && Path::new(String::from_utf8_lossy(&said.stdout).trim()).is_dir()
        })
}
