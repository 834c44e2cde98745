//! Files of the folder that nobody reads although somebody meant something by them: an operator file whose name fits no plugin, a script or a table under
//! an ending that is none. A plugin that serves with its default settings because of a letter breaks on a Friday.

use std::fs;
use std::io;
use std::path::Path;

use strsim::levenshtein;

use crate::offer::{is_offered, operator_file};

/// A file that is not read, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stranger {
    /// Its name in the folder.
    pub file: String,
    /// One sentence: why, and what would be right.
    pub why: String,
}

/// A name with more wrong letters is another name.
const TYPING_ERRORS_MAX: usize = 3;

/// Endings of programs that are no plugins by themselves.
const SOURCES: [&str; 4] = [".mjs", ".cjs", ".ts", ".py"];

/// Every such file of the folder, by name.
///
/// # Errors
/// The folder cannot be read.
pub fn strangers(folder: &Path) -> io::Result<Vec<Stranger>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type().is_ok_and(|kind| !kind.is_dir())
            && let Ok(name) = entry.file_name().into_string()
        {
            names.push(name);
        }
    }
    names.sort();
    let read: Vec<String> = names
        .iter()
        .filter(|name| is_offered(name))
        .map(|name| operator_file(name))
        .collect();
    let unread = names
        .iter()
        .filter(|name| !name.starts_with(['.', '~']) && !is_offered(name) && !read.contains(name));
    Ok(unread
        .filter_map(|name| {
            let why = why(name, &read)?;
            Some(Stranger {
                file: name.clone(),
                why,
            })
        })
        .collect())
}

fn why(name: &str, read: &[String]) -> Option<String> {
    if name.ends_with(".toml") {
        let near = read.iter().min_by_key(|other| levenshtein(name, other));
        let meant = near
            .filter(|other| levenshtein(name, other) <= TYPING_ERRORS_MAX)
            .map(|other| format!(" (did you mean {other}?)"));
        return Some(format!(
            "belongs to no plugin here and is not read{}: an operator file is called as its plugin, 30-country.toml for 30-country.wasm, and a mapping table ends in .table.toml",
            meant.unwrap_or_default()
        ));
    }
    SOURCES
        .iter()
        .any(|ending| name.ends_with(ending))
        .then(|| {
            "is no plugin and is not read: a script ends in .js, TypeScript is compiled to JavaScript first, and what has modules, or is Python, is built into a component: `cosell plugin build`".to_owned()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_meant_and_nobody_reads_is_told() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "30-country.wasm",
            "30-countries.toml",
            "40-status.wasm",
            "40-status.toml",
            "50-acme.js",
            "50-acme.toml",
            "60-x.table.toml",
            "60-x.toml",
            "70-late.mjs",
            "script.engine.wasm",
            "10-a.wasm.minisig",
            "50-acme.js.rejected.json",
            "README.md",
            ".hidden.toml",
        ] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        fs::create_dir(folder.path().join("notes.toml")).unwrap();
        let told = strangers(folder.path()).unwrap();
        let files: Vec<_> = told.iter().map(|one| &*one.file).collect();
        assert_eq!(files, ["30-countries.toml", "70-late.mjs"]);
        assert!(
            told[0].why.contains("did you mean 30-country.toml?"),
            "{}",
            told[0].why
        );
        assert!(told[1].why.contains("ends in .js"), "{}", told[1].why);
    }
}
