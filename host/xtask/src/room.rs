//! Room on the disk: said before anything is built, so that a full one is not found out an hour later in the words of whatever it hit first.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use crate::steps::Workspace;

const MIB_PER_GIB: u64 = 1024;

/// What an empty build tree grows by, in MiB, rounded up; without incremental builds it is two thirds of that.
const BUILD: u64 = 13 * MIB_PER_GIB;

/// What the databases and folders of tests take beside it while they run, in MiB, rounded up.
const TESTS: u64 = 2 * MIB_PER_GIB;

/// Says how much room there is.
///
/// # Errors
/// There is not enough even for tests of what is built already.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    fs::create_dir_all(workspace.target()).context("cannot make the build tree")?;
    let temporary = std::env::temp_dir();
    let (target, tests) = (free(workspace.target())?, free(&temporary)?);
    let (Some(target), Some(tests)) = (target, tests) else {
        // Not everybody's `df` is POSIX's.
        return Ok(());
    };
    let gib = |mib: u64| mib / MIB_PER_GIB;
    let needed = BUILD + TESTS;
    eprintln!(
        "── room: {} GiB free for {}, {} GiB for {}; from nothing, {} GiB are needed",
        gib(target),
        workspace.target().display(),
        gib(tests),
        temporary.display(),
        gib(needed)
    );
    ensure!(
        target >= TESTS && tests >= TESTS,
        "too little room: free {} GiB, or name other places by CARGO_TARGET_DIR and TMPDIR",
        gib(TESTS)
    );
    Ok(())
}

/// MiB that are free there; None where nothing tells.
fn free(place: &Path) -> Result<Option<u64>> {
    let Ok(said) = Command::new("df").arg("-Pk").arg(place).output() else {
        return Ok(None);
    };
    if !said.status.success() {
        bail!("cannot see how much room there is at {}", place.display());
    }
    Ok(available(&String::from_utf8_lossy(&said.stdout)))
}

/// The fourth column of POSIX's `df -k`, in MiB.
fn available(said: &str) -> Option<u64> {
    let kib: u64 = said
        .lines()
        .nth(1)?
        .split_whitespace()
        .nth(3)?
        .parse()
        .ok()?;
    Some(kib / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_free_is_the_fourth_column() {
        let said = "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/vda 264212480 12582912 84934656 13% /\n";
        assert_eq!(available(said), Some(82_944));
        assert_eq!(available("Filesystem\n"), None);
        assert!(free(Path::new("/nowhere/at-all")).is_err());
        assert!(
            free(&std::env::temp_dir())
                .unwrap()
                .is_none_or(|mib| mib > 0)
        );
    }
}
