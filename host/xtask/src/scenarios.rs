//! Pages that the tests write themselves, when they are asked to.

use anyhow::Result;

use crate::plugins;
use crate::steps::{Workspace, cargo, step};

/// A test that keeps a page, and the variable that makes it write instead of compare.
pub(crate) struct Page {
    test: &'static str,
    write: &'static str,
}

/// `SCENARIOS.md`
pub(crate) const SCENARIOS: Page = Page {
    test: "scenarios",
    write: "COSELL_WRITE_SCENARIOS",
};

/// `HOSTILE-PLUGINS.md`
pub(crate) const HOSTILE: Page = Page {
    test: "hostile",
    write: "COSELL_WRITE_HOSTILE",
};

/// `host/simulator/RULES.md`
pub(crate) fn write_rules(workspace: &Workspace) -> Result<()> {
    step(
        "rules of the simulator",
        cargo(workspace)
            .args(["test", "--quiet", "--workspace"])
            .args(["--test", "rules", "listed"])
            .env("COSELL_WRITE_RULES", "1"),
    )
}

/// Runs the test and lets it write down what it saw. `cargo verify` runs the same and compares.
pub(crate) fn write(workspace: &Workspace, page: &Page) -> Result<()> {
    plugins::build(workspace)?;
    // With the whole workspace: a test that starts a program finds it, and nothing is built with other features.
    step(
        page.test,
        cargo(workspace)
            .args(["test", "--workspace", "--test", page.test])
            .env(page.write, "1"),
    )
}
