//! A folder that builds and tests as it is, in each language.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::shipped;
use crate::typings;

/// What a plugin can be written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the doc")]
pub enum Language {
    Rust,
    JavaScript,
    Script,
    Table,
    Python,
}

/// A file of a template: where it lies below the folder, and its text. `{{id}}` in both is the plugin's id.
type File = (&'static str, &'static str);

const RUST: &[File] = &[
    (
        "Cargo.toml",
        include_str!("../templates/rust/Cargo.toml.txt"),
    ),
    (
        "src/lib.rs",
        include_str!("../templates/rust/src/lib.rs.txt"),
    ),
    ("README.md", include_str!("../templates/rust/README.md")),
    (".gitignore", "/target\n/dist\n"),
];
const SCRIPT: &[File] = &[
    (
        "50-{{id}}.js",
        include_str!("../templates/script/plugin.js"),
    ),
    ("README.md", include_str!("../templates/script/README.md")),
    (".gitignore", "/dist\n"),
];
const TABLE: &[File] = &[
    (
        "50-{{id}}.table.toml",
        include_str!("../templates/table/plugin.table.toml"),
    ),
    ("README.md", include_str!("../templates/table/README.md")),
    (".gitignore", "/dist\n"),
];

const JAVASCRIPT: &[File] = &[
    (
        "package.json",
        include_str!("../templates/javascript/package.json"),
    ),
    ("mapping.js", include_str!("../templates/script/plugin.js")),
    (
        "README.md",
        include_str!("../templates/javascript/README.md"),
    ),
    (".gitignore", "/node_modules\n/dist\n"),
];
const PYTHON: &[File] = &[
    (
        "plugin.toml",
        include_str!("../templates/python/plugin.toml"),
    ),
    ("app.py", include_str!("../templates/python/app.py")),
    ("kit.py", include_str!("../../../examples/python/kit.py")),
    (
        "requirements.txt",
        include_str!("../templates/python/requirements.txt"),
    ),
    ("README.md", include_str!("../templates/python/README.md")),
    (".gitignore", "/.venv\n/dist\n__pycache__\n"),
];

impl Language {
    fn files(self) -> &'static [File] {
        match self {
            Self::Rust => RUST,
            Self::JavaScript => JAVASCRIPT,
            Self::Script => SCRIPT,
            Self::Table => TABLE,
            Self::Python => PYTHON,
        }
    }
}

/// A new project.
#[derive(Debug, Clone)]
pub struct New<'a> {
    /// Id of the plugin, the same through all its versions.
    pub id: &'a str,
    /// See there.
    pub language: Language,
    /// Where; made if it is not there, and empty if it is.
    pub dir: &'a Path,
    /// A checkout's `guest-sdk` to build against, instead of a copy of the one of this version. Only for Rust.
    pub sdk: Option<&'a Path>,
}

/// Writes it. Answers the files, relative to the folder.
///
/// # Errors
/// The id cannot be one, the folder is not empty, or cannot be written.
pub fn write(new: &New<'_>) -> Result<Vec<PathBuf>> {
    ensure!(
        is_id(new.id),
        "{:?} cannot be the id of a plugin: it begins with a letter and has small letters, digits and dashes, at most 64",
        new.id
    );
    let is_free = !new.dir.exists()
        || std::fs::read_dir(new.dir)
            .with_context(|| format!("{} is no folder", new.dir.display()))?
            .next()
            .is_none();
    ensure!(
        is_free,
        "{} is not empty: choose another folder with --dir, nothing is overwritten",
        new.dir.display()
    );
    let mut written = Vec::new();
    let mut put = |path: PathBuf, text: &str| -> Result<()> {
        let place = new.dir.join(&path);
        if let Some(folder) = place.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&place, text)
            .with_context(|| format!("cannot write {}", place.display()))?;
        written.push(path);
        Ok(())
    };
    let sdk = match new.sdk {
        Some(path) => {
            let path = std::path::absolute(path)?;
            ensure!(
                path.join("Cargo.toml").is_file(),
                "{} is no guest SDK: --sdk names the folder `guest-sdk` of a checkout",
                path.display()
            );
            path.display().to_string()
        }
        None => "sdk/guest-sdk".to_owned(),
    };
    // The contract lies beside the SDK, in a checkout as in a copy.
    let wit = Path::new(&sdk).with_file_name("wit").display().to_string();
    let sdk_is = match new.sdk {
        Some(_) => format!("It builds against the guest SDK of the checkout at `{sdk}`, and so on machines that have it there."),
        None => "`sdk` holds the guest SDK and the contract of the host that made this project, so nothing but cargo and crates.io is needed.".to_owned(),
    };
    for (path, text) in new.language.files() {
        let filled = |text: &str| {
            [
                ("{{id}}", new.id),
                ("{{sdk}}", &sdk),
                ("{{wit}}", &wit),
                ("{{sdk-is}}", &sdk_is),
            ]
            .iter()
            .fold(text.to_owned(), |text, (place, word)| {
                text.replace(place, word)
            })
        };
        put(PathBuf::from(filled(path)), &filled(text))?;
    }
    match new.language {
        Language::Rust if new.sdk.is_none() => {
            for (path, text) in shipped::SDK {
                put(Path::new("sdk").join(path), text)?;
            }
            put(PathBuf::from("sdk/guest-sdk/Cargo.toml"), &sdk_manifest())?;
        }
        Language::Script | Language::JavaScript => {
            put(PathBuf::from("cosell.d.ts"), typings::CONTRACT)?;
        }
        Language::Rust | Language::Table | Language::Python => {}
    }
    Ok(written)
}

fn is_id(id: &str) -> bool {
    id.len() <= 64
        && id.starts_with(|first: char| first.is_ascii_lowercase())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn sdk_manifest() -> String {
    format!(
        "# The guest SDK of the host that made this project, so that it builds on any machine. A newer host writes a newer one:\n\
         # `cosell plugin new` in another folder, and copy its `sdk` over this one.\n\
         [package]\n\
         name = \"cosell-guest-sdk\"\n\
         version = \"{}\"\n\
         edition = \"2024\"\n\
         license = \"Apache-2.0\"\n\
         publish = false\n\n\
         [dependencies]\n\
         {}\n",
        env!("CARGO_PKG_VERSION"),
        shipped::WIT_BINDGEN
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_one_everywhere() {
        for good in ["acme", "acme-2", "a"] {
            assert!(is_id(good), "{good}");
        }
        for bad in ["", "Acme", "50-acme", "a_b", "../a", "é"] {
            assert!(!is_id(bad), "{bad}");
        }
    }

    #[test]
    fn nothing_is_overwritten_and_nothing_is_left_to_fill_in() {
        let dir = tempfile::tempdir().unwrap();
        for (number, language) in [
            Language::Rust,
            Language::JavaScript,
            Language::Script,
            Language::Table,
            Language::Python,
        ]
        .into_iter()
        .enumerate()
        {
            let place = dir.path().join(number.to_string());
            let new = New {
                id: "acme",
                language,
                dir: &place,
                sdk: None,
            };
            for file in write(&new).unwrap() {
                let text = std::fs::read_to_string(place.join(&file)).unwrap();
                let is_open = ["{{id}}", "{{sdk}}", "{{wit}}", "{{sdk-is}}"]
                    .iter()
                    .any(|place| text.contains(place));
                assert!(!is_open, "{}: {text}", file.display());
            }
            let again = write(&new).unwrap_err().to_string();
            assert!(again.contains("is not empty"), "{again}");
        }
    }

    #[test]
    fn the_readme_says_where_the_sdk_is() {
        let dir = tempfile::tempdir().unwrap();
        let sdk = dir.path().join("checkout/guest-sdk");
        std::fs::create_dir_all(&sdk).unwrap();
        std::fs::write(sdk.join("Cargo.toml"), "").unwrap();
        let readme = |place: &str, sdk: Option<&Path>| {
            let place = dir.path().join(place);
            let new = New {
                id: "acme",
                language: Language::Rust,
                dir: &place,
                sdk,
            };
            write(&new).unwrap();
            std::fs::read_to_string(place.join("README.md")).unwrap()
        };
        let copied = readme("copied", None);
        assert!(
            copied.contains("`sdk/wit`") && copied.contains("`sdk` holds"),
            "{copied}"
        );
        let beside = readme("beside", Some(&sdk));
        let wit = sdk.with_file_name("wit").display().to_string();
        assert!(
            beside.contains(&wit) && !beside.contains("`sdk"),
            "{beside}"
        );
    }
}
