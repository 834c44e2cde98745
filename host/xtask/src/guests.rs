//! The guests, as data: what is built, and where it lands.

use std::collections::BTreeSet;

/// A folder of components under the target directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shelf {
    /// The stock mapping: what a plugin folder starts with.
    Stock,
    /// What runs scripts and tables.
    Engines,
    /// Things to copy and to drop in.
    Examples,
    /// Guests that misbehave.
    Hostile,
}

impl Shelf {
    pub(crate) const ALL: [Self; 4] = [Self::Stock, Self::Engines, Self::Examples, Self::Hostile];

    pub(crate) const fn folder(self) -> &'static str {
        match self {
            Self::Stock => "plugins",
            Self::Engines => "engines",
            Self::Examples => "examples",
            Self::Hostile => "hostile",
        }
    }
}

/// A cargo target that becomes one component. The number in front of a file name is its place in the chain.
pub(crate) struct Guest {
    pub(crate) package: &'static str,
    /// `None`: the package's library; else one of its examples.
    pub(crate) example: Option<&'static str>,
    pub(crate) shelf: Shelf,
    pub(crate) file: &'static str,
    /// Parts of it are C: see [`crate::wasm_c`].
    pub(crate) needs_c: bool,
    pub(crate) target: Target,
}

/// What a guest is built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    /// No system, because guests import nothing of one.
    Bare,
    /// WASI, whose toolchain makes a component by itself: guests that show what is let in and what is not.
    System,
}

impl Target {
    pub(crate) const ALL: [Self; 2] = [Self::Bare, Self::System];

    /// As rustc names it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Bare => "wasm32-unknown-unknown",
            Self::System => "wasm32-wasip2",
        }
    }
}

impl Guest {
    /// Where cargo leaves the core module, below the profile's folder.
    pub(crate) fn module(&self) -> String {
        match self.example {
            Some(example) => format!("examples/{example}.wasm"),
            None => format!("{}.wasm", self.package.replace('-', "_")),
        }
    }
}

const fn library(shelf: Shelf, package: &'static str, file: &'static str) -> Guest {
    Guest {
        package,
        example: None,
        shelf,
        file,
        needs_c: false,
        target: Target::Bare,
    }
}

const fn mapping(example: &'static str, file: &'static str) -> Guest {
    Guest {
        package: "example-mappings",
        example: Some(example),
        shelf: Shelf::Examples,
        file,
        needs_c: false,
        target: Target::Bare,
    }
}

const fn hostile(example: &'static str, file: &'static str) -> Guest {
    Guest {
        package: "hostile-guests",
        example: Some(example),
        shelf: Shelf::Hostile,
        file,
        needs_c: false,
        target: Target::Bare,
    }
}

pub(crate) const GUESTS: &[Guest] = &[
    library(Shelf::Stock, "plugin-opportunity", "10-opportunity.wasm"),
    library(Shelf::Stock, "plugin-lead", "15-lead.wasm"),
    library(Shelf::Stock, "plugin-account", "20-account.wasm"),
    library(Shelf::Stock, "plugin-contact", "25-contact.wasm"),
    library(Shelf::Stock, "plugin-country", "30-country.wasm"),
    library(Shelf::Stock, "plugin-status", "40-status.wasm"),
    library(Shelf::Stock, "plugin-decorate", "90-decorate.wasm"),
    Guest {
        needs_c: true,
        ..library(Shelf::Engines, "plugin-script", "script.engine.wasm")
    },
    library(Shelf::Engines, "plugin-table", "table.engine.wasm"),
    library(Shelf::Examples, "example-lookup-country", "50-acme.wasm"),
    mapping("mandatory_fields", "52-mandatory-fields.wasm"),
    mapping("account_match", "54-account-match.wasm"),
    mapping("deal_value", "56-deal-value.wasm"),
    mapping("loss_reasons", "58-loss-reasons.wasm"),
    hostile("acts_up", "acts-up.wasm"),
    hostile("deceives", "deceives.wasm"),
    hostile("eats_memory", "eats-memory.wasm"),
    hostile("exports_nothing", "exports-nothing.wasm"),
    hostile("fails_its_example", "fails-its-example.wasm"),
    hostile("floods_the_log", "floods-the-log.wasm"),
    hostile("imports_another", "imports-another.wasm"),
    Guest {
        target: Target::System,
        ..library(Shelf::Hostile, "looks-around", "looks-around.wasm")
    },
    hostile("loops", "loops.wasm"),
    hostile("loops_at_load", "loops-at-load.wasm"),
    hostile("panics", "panics.wasm"),
    hostile("recurses", "recurses.wasm"),
    hostile("returns_too_much", "returns-too-much.wasm"),
    hostile("sets_undeclared", "sets-undeclared.wasm"),
];

/// The guests that can be built, with a C compiler for WebAssembly or without.
pub(crate) fn buildable(has_c: bool) -> impl Iterator<Item = &'static Guest> {
    GUESTS.iter().filter(move |guest| has_c || !guest.needs_c)
}

/// Packages of those that are built for this target, each once, as cargo wants them named.
pub(crate) fn packages(has_c: bool, target: Target) -> BTreeSet<&'static str> {
    buildable(has_c)
        .filter(|guest| guest.target == target)
        .map(|guest| guest.package)
        .collect()
}
