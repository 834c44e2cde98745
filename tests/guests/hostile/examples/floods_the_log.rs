//! Ten million log lines, long ones, with control characters and a forged second line.

use cosell_guest_sdk::log;
use cosell_guest_sdk::prelude::*;
use hostile_guests::{harmless, modest_needs};

/// The attacker.
pub struct Hostile;

impl Plugin for Hostile {
    fn manifest() -> PluginManifest {
        harmless("floods-the-log")
    }

    fn describe(_: Settings<'_>) -> Result<Vec<Need>, Vec<Reason>> {
        Ok(modest_needs())
    }
}

impl Opportunity for Hostile {
    fn to_row(_: &Context, _: &Order, _: &[Cell]) -> Answer<Vec<Change>> {
        for line in 0..10_000_000 {
            log::info(&format!(
                "line {line}\n2026-09-30 INFO forged\u{1b}[2J {}",
                "x".repeat(2_000)
            ));
        }
        Ok(Vec::new())
    }
}

plugin!(Hostile: opportunity);
