//! A core module into a component, and what a component is told about itself.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use cosell_plugins::trial::Trial;
use serde_json::Value;
use wasm_encoder::{ComponentNameSection, CustomSection};
use wit_component::ComponentEncoder;

/// Standard metadata, by the name of its section: `authors`, `description`, `homepage`, `licenses`, `revision`, `source`, `version`. Registries take
/// them for annotations, and `wasm-tools metadata show` prints them.
pub type Metadata = BTreeMap<&'static str, String>;

/// Wraps what a compiler for `wasm32-unknown-unknown` has made, without any other tool.
///
/// # Errors
/// It is no module, or was not made with `wit-bindgen`.
pub fn wrap(module: &[u8]) -> Result<Vec<u8>> {
    ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(|mut encoder| encoder.encode())
        .context("the module does not make a component: does it call `plugin!`, and is it built with the guest SDK of this host?")
}

/// The component with its manifest and metadata in sections of its own. The host compares the manifest with what the plugin answers.
#[must_use]
pub fn stamp(mut component: Vec<u8>, manifest: &Value, metadata: &Metadata) -> Vec<u8> {
    let mut sections: Vec<(&str, String)> = metadata
        .iter()
        .map(|(name, text)| (*name, text.clone()))
        .collect();
    let said = |member: &str| manifest.get(member)?.as_str().map(str::to_owned);
    // The plugin's own word is the one that counts.
    for (section, member) in [("version", "version"), ("description", "summary")] {
        if let Some(text) = said(member) {
            sections.retain(|(name, _)| *name != section);
            sections.push((section, text));
        }
    }
    sections.push((Trial::STAMP, manifest.to_string()));
    for (name, text) in sections {
        let section = CustomSection {
            name: name.into(),
            data: text.into_bytes().into(),
        };
        append(&mut component, &section);
    }
    if let Some(id) = said("id") {
        let mut names = ComponentNameSection::new();
        names.component(&id);
        append(&mut component, &names);
    }
    component
}

fn append(component: &mut Vec<u8>, section: &impl wasm_encoder::ComponentSection) {
    component.push(section.id());
    section.encode(component);
}
