//! What a folder is, by what lies in it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::component::Metadata;

/// A folder that an author works in.
#[derive(Debug, Clone)]
pub struct Project {
    /// The folder.
    pub dir: PathBuf,
    /// What builds it.
    pub kind: Kind,
    /// The components that it makes.
    pub parts: Vec<Part>,
    /// What its manifest says about it.
    pub metadata: Metadata,
}

/// One component of a project: in `package.json` an entry of `cosell.plugins`, in `plugin.toml` one of `[[plugin]]`, of a crate its library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Name of the file in a plugin folder, without its ending: `50-acme`.
    pub file: String,
    /// What is compiled: a file (JavaScript), a module (Python).
    pub source: String,
    /// Hooks and `examples`, for toolchains that have to be told before they look into the source.
    pub hooks: Vec<String>,
}

/// What builds a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// `Cargo.toml`
    Rust,
    /// `package.json`: componentize-js
    JavaScript,
    /// `plugin.toml`: componentize-py
    Python,
    /// Scripts and tables, run by engines as they are.
    Text(Vec<PathBuf>),
}

/// Place in the chain of a plugin that says nothing else: behind the stock mapping, before the mark.
const PLACE: &str = "50";

/// What makes a folder a project that has to be built, however it reads.
const MANIFESTS: [&str; 3] = ["Cargo.toml", "package.json", "plugin.toml"];

impl Project {
    /// Whether the folder is one that has to be built, and not one of plugins. What stands in its manifest may still be wrong.
    #[must_use]
    pub fn is_one(dir: &Path) -> bool {
        // In a folder of plugins, `plugin.toml` is what an operator says about a plugin of that name.
        let is_operators = |manifest: &str| {
            let beside = ["plugin.wasm", "plugin.js"].map(|plugin| dir.join(plugin));
            manifest == "plugin.toml" && beside.iter().any(|plugin| plugin.is_file())
        };
        let mut manifests = MANIFESTS.into_iter();
        manifests.any(|manifest| dir.join(manifest).is_file() && !is_operators(manifest))
    }

    /// Looks what lies in the folder.
    ///
    /// # Errors
    /// Nothing that can be built, or a manifest that cannot be read.
    pub fn find(dir: &Path) -> Result<Self> {
        ensure!(dir.is_dir(), "{} is no folder", dir.display());
        if dir.join("Cargo.toml").is_file() {
            return Self::rust(dir);
        }
        if dir.join("package.json").is_file() {
            return Self::javascript(dir);
        }
        if dir.join("plugin.toml").is_file() {
            return Self::python(dir);
        }
        let texts = texts(dir)?;
        if texts.is_empty() {
            bail!(
                "{} holds nothing that can be built: a Cargo.toml (Rust), a package.json (JavaScript), a plugin.toml (Python), a NAME.js (script) or a \
                 NAME.table.toml (table); `cosell plugin new NAME --language …` makes one",
                dir.display()
            );
        }
        Ok(Self {
            dir: dir.to_owned(),
            kind: Kind::Text(texts),
            parts: Vec::new(),
            metadata: Metadata::new(),
        })
    }

    fn rust(dir: &Path) -> Result<Self> {
        let manifest = read_toml(&dir.join("Cargo.toml"))?;
        let package = manifest.get("package").context(
            "Cargo.toml has no [package]: build the folder of the plugin itself, not its workspace",
        )?;
        Ok(Self {
            dir: dir.to_owned(),
            kind: Kind::Rust,
            parts: vec![Part {
                file: file_name(package)?,
                source: String::new(),
                hooks: Vec::new(),
            }],
            metadata: metadata(
                package,
                &[
                    ("authors", "/authors"),
                    ("licenses", "/license"),
                    ("source", "/repository"),
                    ("homepage", "/homepage"),
                ],
            ),
        })
    }

    fn javascript(dir: &Path) -> Result<Self> {
        let path = dir.join("package.json");
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let package: Value = serde_json::from_str(&text)
            .with_context(|| format!("{} is not JSON", path.display()))?;
        Ok(Self {
            dir: dir.to_owned(),
            kind: Kind::JavaScript,
            parts: parts(
                package.pointer("/cosell/plugins"),
                "package.json: \"cosell\": {\"plugins\": [{\"file\": \"50-acme\", \"source\": \"plugin.js\", \"hooks\": [\"opportunity\"]}]}",
            )?,
            metadata: metadata(
                &package,
                &[
                    ("authors", "/author"),
                    ("licenses", "/license"),
                    ("source", "/repository/url"),
                    ("homepage", "/homepage"),
                ],
            ),
        })
    }

    fn python(dir: &Path) -> Result<Self> {
        let manifest = read_toml(&dir.join("plugin.toml"))?;
        Ok(Self {
            dir: dir.to_owned(),
            kind: Kind::Python,
            parts: parts(
                manifest.get("plugin"),
                "plugin.toml: [[plugin]] file = \"50-acme\", source = \"app\", hooks = [\"opportunity\"]",
            )?,
            metadata: metadata(
                &manifest,
                &[
                    ("authors", "/authors"),
                    ("licenses", "/license"),
                    ("source", "/source"),
                    ("homepage", "/homepage"),
                ],
            ),
        })
    }
}

/// Scripts and tables, in the order of their names.
fn texts(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.ends_with(".js") || name.ends_with(".table.toml") {
            texts.push(path);
        }
    }
    texts.sort();
    Ok(texts)
}

fn read_toml(path: &Path) -> Result<Value> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("{} is not TOML", path.display()))
}

/// Of a crate.
fn file_name(package: &Value) -> Result<String> {
    if let Some(file) = package.pointer("/metadata/cosell/file") {
        let file = file
            .as_str()
            .context("[package.metadata.cosell] file is a text")?;
        return Ok(file.trim_end_matches(".wasm").to_owned());
    }
    let name = package.get("name").and_then(Value::as_str);
    let name = name.context("the manifest of the project has no name")?;
    Ok(format!("{PLACE}-{name}"))
}

fn parts(list: Option<&Value>, example: &str) -> Result<Vec<Part>> {
    let missing = || {
        format!(
            "it is not said which plugins are built and which hooks they serve, which their toolchain has to know before it builds; {example}"
        )
    };
    let list = list
        .and_then(Value::as_array)
        .filter(|list| !list.is_empty());
    list.with_context(missing)?
        .iter()
        .map(|one| {
            let text = |member: &str| {
                let text = one.get(member).and_then(Value::as_str);
                text.map(str::to_owned).with_context(missing)
            };
            let hooks = one.get("hooks").and_then(Value::as_array);
            let hooks: Vec<String> = hooks
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect();
            ensure!(!hooks.is_empty(), missing());
            Ok(Part {
                file: text("file")?.trim_end_matches(".wasm").to_owned(),
                source: text("source")?,
                hooks,
            })
        })
        .collect()
}

fn metadata(manifest: &Value, places: &[(&'static str, &str)]) -> Metadata {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(list) => {
            let texts: Vec<_> = list.iter().filter_map(Value::as_str).collect();
            (!texts.is_empty()).then(|| texts.join(", "))
        }
        _ => None,
    };
    places
        .iter()
        .filter_map(|(section, place)| Some((*section, text(manifest.pointer(place)?)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_is_one_although_its_manifest_cannot_be_read() {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        assert!(!Project::is_one(dir.path()));
        put("plugin.toml", "enabled = true");
        put("plugin.wasm", "");
        assert!(!Project::is_one(dir.path()), "an operator file is none");
        put("package.json", "{");
        assert!(Project::is_one(dir.path()));
        let why = format!("{:#}", Project::find(dir.path()).unwrap_err());
        assert!(why.contains("package.json is not JSON"), "{why}");
    }
}
