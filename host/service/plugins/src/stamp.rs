//! What a component says about itself without being run: the manifest that the build command stamps in, and the standard sections that registries
//! and tools read.
//!
//! A stamp is for people and tools. What counts is what the plugin answers; where both are there, they have to agree, or somebody would read one
//! thing and run another.

use std::collections::BTreeMap;

use cosell_contract_shape::speak;
use serde::Serialize;
use serde_json::Value;
use wasmparser::{Parser, Payload};

use crate::bindings::cosell::mapping::types as wit;
use crate::convert::heard::short;
use crate::rejection::{Phase, Rejection, RejectionKind};

/// The section that holds the manifest, JSON in JavaScript's shape.
pub(crate) const SECTION: &str = "cosell:manifest";
/// A manifest is a page of text.
const STAMP_BYTES_MAX: usize = 64 << 10;
/// Sections of text that other tools know: OCI's annotations, as `wasm-tools metadata` writes them.
const KNOWN: [&str; 7] = [
    "version",
    "description",
    "authors",
    "licenses",
    "source",
    "homepage",
    "revision",
];

/// What stands in a component's own sections.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Stamps {
    /// The manifest, if it was stamped and can be read.
    pub manifest: Option<Value>,
    /// Standard metadata by the section's name: `version`, `licenses`.
    pub metadata: BTreeMap<String, String>,
    /// Tools that made it, `language Rust 1.95`.
    pub producers: Vec<String>,
}

impl Stamps {
    /// What the manifest says of the plugin, `acme 1.0.0: one sentence`, in one line that steers no terminal. None: there is no manifest.
    #[must_use]
    pub fn title(&self) -> Option<String> {
        let manifest = self.manifest.as_ref()?;
        let word = |member: &str| short(manifest[member].as_str().unwrap_or_default());
        Some(format!(
            "{} {}: {}",
            word("id"),
            word("version"),
            word("summary")
        ))
    }
}

/// Reads what is there; a section that is no text or too long is left out.
pub(crate) fn read(component: &[u8]) -> Stamps {
    let mut stamps = Stamps::default();
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(component) {
        let Ok(payload) = payload else { break };
        match payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::CustomSection(section) if section.name() == "producers" => {
                producers(&section, &mut stamps.producers);
            }
            Payload::CustomSection(section) if depth == 0 => {
                let bytes = section.data();
                if bytes.len() > STAMP_BYTES_MAX {
                    continue;
                }
                let Ok(text) = std::str::from_utf8(bytes) else {
                    continue;
                };
                if section.name() == SECTION {
                    stamps.manifest = serde_json::from_str(text).ok();
                } else if KNOWN.contains(&section.name()) {
                    stamps
                        .metadata
                        .insert(section.name().to_owned(), short(text));
                }
            }
            _ => {}
        }
    }
    stamps
}

fn producers(section: &wasmparser::CustomSectionReader<'_>, told: &mut Vec<String>) {
    let wasmparser::KnownCustom::Producers(fields) = section.as_known() else {
        return;
    };
    for field in fields.into_iter().flatten() {
        for value in field.values.into_iter().flatten() {
            let line = short(&format!("{} {} {}", field.name, value.name, value.version));
            let line = line.trim_end().to_owned();
            if told.len() < 50 && !told.contains(&line) {
                told.push(line);
            }
        }
    }
}

/// Bytes of the parts of all core modules together, the largest first.
pub(crate) fn sections(component: &[u8]) -> Vec<(String, u64)> {
    let mut sizes: BTreeMap<String, u64> = BTreeMap::new();
    let mut add = |name: &str, range: std::ops::Range<usize>| {
        *sizes.entry(name.to_owned()).or_default() += range.len() as u64;
    };
    for payload in Parser::new(0).parse_all(component) {
        let Ok(payload) = payload else { break };
        match payload {
            Payload::CodeSectionStart { range, .. } => add("code", range),
            Payload::DataSection(section) => add("data", section.range()),
            Payload::CustomSection(section) => {
                let name = match section.name() {
                    "name" | "component-name" => "names",
                    ".debug_info" | ".debug_line" | ".debug_str" | ".debug_abbrev"
                    | ".debug_ranges" => "debug",
                    _ => "custom",
                };
                add(name, section.range());
            }
            _ => {}
        }
    }
    let mut sizes: Vec<_> = sizes.into_iter().collect();
    sizes.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    sizes
}

/// What is stamped in.
pub(crate) fn manifest_json(manifest: &wit::PluginManifest) -> Value {
    speak::json(manifest)
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default()
}

/// Whether what is stamped in is what the plugin answers.
///
/// # Errors
/// The rejection.
pub(crate) fn agrees(component: &[u8], manifest: &wit::PluginManifest) -> Result<(), Rejection> {
    let Some(stamped) = read(component).manifest else {
        return Ok(());
    };
    let answered = manifest_json(manifest);
    if stamped == answered {
        return Ok(());
    }
    let differing: Vec<String> = ["id", "version", "summary", "settings"]
        .into_iter()
        .filter(|member| stamped.get(member) != answered.get(member))
        .map(|member| {
            let one = |value: &Value| value.get(member).unwrap_or(&Value::Null).to_string();
            format!(
                "{member}: {} is stamped in, and {} is answered",
                one(&stamped),
                one(&answered)
            )
        })
        .collect();
    Err(Rejection::new(
        Phase::Manifest,
        RejectionKind::Output,
        "the manifest that is stamped into it is not the one that it answers",
    )
    .because(differing)
    .with_hint("build it with `cosell plugin build`, which stamps in what the plugin answers"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_steers_no_terminal_and_turns_no_line_around() {
        let manifest = serde_json::json!({
            "id": "acme\u{1b}[2J", "version": "1.0.0\u{202e}", "summary": "good\nsigned: yes",
        });
        let stamps = Stamps {
            manifest: Some(manifest),
            ..Stamps::default()
        };
        assert_eq!(
            stamps.title().unwrap(),
            "acme [2J 1.0.0\u{fffd}: good signed: yes"
        );
        assert_eq!(Stamps::default().title(), None);
    }
}
