//! `NAME.rejected.json`: why a file does not serve, beside the file. Best effort: the folder may be read-only, and the event, the log and the
//! store say the same.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::scan::read_beside;
use crate::offer::is_offered;
use crate::rejection::{Rejection, RejectionKind, told_beside};

/// What we write has a few kilobytes.
const VERDICT_BYTES_MAX: u64 = 1 << 20;

/// `50-acme.wasm` → `50-acme.rejected.json`
pub(super) fn path(dir: &Path, file: &str) -> PathBuf {
    dir.join(told_beside(file))
}

/// False: it could not be written.
pub(super) fn write(dir: &Path, rejection: &Rejection) -> bool {
    let path = path(dir, &rejection.file);
    // Made anew under a name that nobody can foretell: a link that lay there would be written through.
    let unfinished = dir.join(format!(
        ".{}.{:016x}.rejected.part",
        rejection.file,
        rand::random::<u64>()
    ));
    let written = File::create_new(&unfinished)
        .and_then(|mut file| file.write_all(rejection.to_json().as_bytes()))
        .and_then(|()| std::fs::rename(&unfinished, &path));
    if let Err(error) = &written {
        tracing::debug!(file = %path.display(), why = %error, "the reason cannot be written beside the plugin");
        // On a full disk a part of it may be there.
        let _ = std::fs::remove_file(&unfinished);
    }
    written.is_ok()
}

/// False: there was none, or it stays.
pub(super) fn remove(dir: &Path, file: &str) -> bool {
    let path = path(dir, file);
    let removed = std::fs::remove_file(&path);
    if let Err(error) = &removed
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::debug!(file = %path.display(), why = %error, "an old rejection cannot be removed");
    }
    removed.is_ok()
}

/// Files whose reasons lie in the folder, and that do not.
pub(super) fn left_behind(dir: &Path, is_there: impl Fn(&str) -> bool) -> Vec<String> {
    let names = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    let stems: BTreeSet<String> = names
        .filter_map(|name| Some(name.strip_suffix(".rejected.json")?.to_owned()))
        .collect();
    let component = |stem: &str| format!("{stem}.wasm");
    stems
        .into_iter()
        .filter(|stem| !stem.starts_with('.') && !is_there(stem) && !is_there(&component(stem)))
        .map(|stem| {
            if is_offered(&stem) {
                stem
            } else {
                component(&stem)
            }
        })
        .collect()
}

/// What the file says about a quarantine of these very bytes: whose plugin it was, and why.
pub(super) fn quarantine(dir: &Path, file: &str, sha256: &str) -> Option<(String, String)> {
    let text = read_beside(&path(dir, file), VERDICT_BYTES_MAX).ok()?;
    let verdict: serde_json::Value = serde_json::from_slice(&text).ok()?;
    let says = |name: &str| verdict[name].as_str();
    let is_it =
        says("kind") == Some(RejectionKind::Quarantined.as_str()) && says("hash") == Some(sha256);
    is_it.then(|| {
        let text = |name| says(name).unwrap_or_default().to_owned();
        (text("plugin"), text("message"))
    })
}
