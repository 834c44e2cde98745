//! All that must hold, cheapest first. The first failure ends it and names the command to repeat.

use std::fs;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};

use crate::assumptions;
use crate::deny;
use crate::deploy;
use crate::guests::{Target, packages};
use crate::plugins;
use crate::programs;
use crate::provide::{self, provide};
use crate::report;
use crate::room;
use crate::sbom;
use crate::steps::{Workspace, answer, built, cargo, need_c_compiler, on_shelves, step};
use crate::wasm_c;
use crate::wit_compat;

/// Random histories that must hold before a push; nights play more.
const HISTORIES: &str = "10000";

/// How much is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Width {
    /// What every push must pass.
    Usual,
    /// And what a release must.
    All,
}

pub(crate) fn run(workspace: &Workspace, width: Width) -> Result<()> {
    let started = Instant::now();
    need_c_compiler()?;
    room::check(workspace)?;
    provide(&provide::USUAL)?;
    step("fmt", cargo(workspace).args(["fmt", "--all", "--check"]))?;
    wit_compat::check(workspace)?;
    deny::check(workspace)?;
    wasm_c::ensure(workspace)?;
    plugins::build(workspace)?;
    step(
        "clippy",
        cargo(workspace).args([
            "clippy",
            "--quiet",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ]),
    )?;
    let c = wasm_c::find(workspace);
    for target in Target::ALL {
        let mut guests = cargo(workspace);
        guests.envs(c.iter().flatten().cloned());
        // In the profile in which they were just built: what is C in them (QuickJS) is compiled once.
        guests.args([
            "clippy",
            "--quiet",
            "--profile",
            plugins::PROFILE,
            "--lib",
            "--examples",
            "--target",
            target.as_str(),
        ]);
        for package in packages(c.is_some(), target) {
            guests.args(["--package", package]);
        }
        step(
            &format!("clippy of the guests for {}", target.as_str()),
            guests.args(["--", "-D", "warnings"]),
        )?;
    }
    step(
        "rustdoc",
        cargo(workspace)
            .args(["doc", "--quiet", "--workspace", "--no-deps"])
            .env("RUSTDOCFLAGS", "-D warnings"),
    )?;
    programs::run(workspace)?;
    assumptions::check(workspace)?;
    step(
        "histories",
        built(workspace, "simulate").args(["--seeds", HISTORIES]),
    )?;
    // As a program plays it: its exit code, and every key that it is promised.
    let mut demo = built(workspace, "cosell");
    demo.arg("demo");
    on_shelves(workspace, &mut demo);
    let report = answer("demo", demo.args(["--once", "--json"]))?;
    report::check(&report)?;
    if width == Width::All {
        assumptions::play(workspace, &[], assumptions::Breadth::Few)?;
        // Clients that we did not write, and a browser.
        provide(&provide::ALL)?;
        step(
            "other people's clients",
            cargo(workspace).args([
                "test",
                "--workspace",
                "--test",
                "clients",
                "--test",
                "browser",
                "--",
                "--ignored",
            ]),
        )?;
        step(
            "components in JavaScript and Python",
            cargo(workspace).args([
                "test",
                "--workspace",
                "--test",
                "toolchains",
                "--",
                "--ignored",
            ]),
        )?;
        silence(workspace)?;
        deploy::check(workspace)?;
        no_failpoints(workspace)?;
        sbom::write(workspace)?;
        sbom::validate(workspace)?;
        // The one bench whose budgets hold on any machine, however busy; on what the tests have built, so that nothing is optimised for it alone.
        step(
            "simulator under load",
            cargo(workspace).args([
                "bench",
                "--profile",
                "dev",
                "--workspace",
                "--bench",
                "service",
            ]),
        )?;
    }
    eprintln!(
        "── all of it holds: {:.0} s",
        started.elapsed().as_secs_f32()
    );
    Ok(())
}

/// A database at the far end of a cable that falls silent: only root may lay one, and not in every container.
fn silence(workspace: &Workspace) -> Result<()> {
    const TITLE: &str = "a database that falls silent";
    if !provide::may_lay_cables()? {
        eprintln!(
            "── {TITLE}: not played, because namespaces of the network may not be made here; where they may, as root, type: cargo test --workspace --test store -- --ignored silence"
        );
        return Ok(());
    }
    step(
        TITLE,
        cargo(workspace).args([
            "test",
            "--workspace",
            "--test",
            "store",
            "--",
            "--ignored",
            "silence",
        ]),
    )
}

/// Rooms that the manifest has optimised for the histories.
fn optimised(workspace: &Workspace) -> Result<Vec<String>> {
    let manifest = fs::read_to_string(workspace.root().join("Cargo.toml"))?;
    let manifest: toml::Table = manifest.parse()?;
    let packages = manifest
        .get("profile")
        .and_then(|profile| profile.get("dev")?.get("package")?.as_table())
        .context("Cargo.toml says nothing of profile.dev.package")?;
    let rooms = packages.keys().filter(|name| name.as_str() != "*");
    Ok(rooms.cloned().collect())
}

/// What tests may do to a host (the variable of its failpoints) is not in the program that people run: a release differs from what the tests have
/// built in its debug assertions. Those are taken off here, and not everything optimised once more, which takes longer than all tests.
fn no_failpoints(workspace: &Workspace) -> Result<()> {
    const VARIABLE: &[u8] = b"COSELL_FAILPOINT";
    let mut build = cargo(workspace);
    build.args(["build", "--quiet", "--workspace", "--bin", "cosell"]);
    build.args(["--config", "profile.dev.debug-assertions=false"]);
    // A look at what is in it needs no speed.
    for room in optimised(workspace)? {
        build.args([
            "--config",
            &format!("profile.dev.package.{room}.opt-level=0"),
        ]);
    }
    step("what people run", &mut build)?;
    let path = workspace.target().join("debug/cosell");
    let program = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    ensure!(
        !program
            .windows(VARIABLE.len())
            .any(|bytes| bytes == VARIABLE),
        "{} has failpoints without debug assertions",
        path.display()
    );
    Ok(())
}
