//! Guests that misbehave, one attack each, under `examples/`.
//!
//! | component | what it does | when |
//! |---|---|---|
//! | `acts-up` | what its setting `deed` says | `opportunity.to-row` |
//! | `deceives` | exports `country` with functions of other types | when it is linked |
//! | `eats-memory` | allocates until it is stopped | `opportunity.to-row` |
//! | `exports-nothing` | serves no hook at all | when it is looked at |
//! | `fails-its-example` | breaks the promise of its own golden example | at load |
//! | `floods-the-log` | ten million log lines, with control characters and long ones | `opportunity.to-row` |
//! | `imports-another` | wants an import that no host gives | when it is looked at |
//! | `loops` | never comes back | `opportunity.to-row` |
//! | `loops-at-load` | never comes back | `plugin.manifest` |
//! | `panics` | panics | `opportunity.to-row` |
//! | `recurses` | runs out of stack | `opportunity.to-row` |
//! | `returns-too-much` | answers a text of 32 MiB | `opportunity.to-row` |
//! | `sets-undeclared` | sets a column that it never declared | `opportunity.to-row` |
//!
//! Those that attack in `opportunity.to-row` load without a complaint.

use cosell_guest_sdk::prelude::*;

/// A manifest that nobody can object to.
#[must_use]
pub fn harmless(id: &str) -> PluginManifest {
    PluginManifest::new(id, env!("CARGO_PKG_VERSION"), "Looks harmless.")
}

/// Needs that nobody can object to: the name of the opportunity.
#[must_use]
pub fn modest_needs() -> Vec<Need> {
    vec![
        Need::reads("opportunity", ["name"]),
        Need::writes("opportunity", ["name"]),
    ]
}
