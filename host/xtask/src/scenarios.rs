//! `SCENARIOS.md`: the scenarios write it themselves, when they are asked to.

use anyhow::Result;

use crate::plugins;
use crate::steps::{Workspace, cargo, step};

/// Runs every scenario and lets it write down what it answered. `cargo verify` runs the same and compares.
pub(crate) fn write(workspace: &Workspace) -> Result<()> {
    plugins::build(workspace)?;
    step(
        "scenarios",
        cargo(workspace)
            .args(["test", "--package", "cosell-tests", "--test", "scenarios"])
            .env("COSELL_WRITE_SCENARIOS", "1"),
    )
}
