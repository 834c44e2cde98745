//! Answers a text of 32 MiB.

use cosell_guest_sdk::prelude::*;
use hostile_guests::{harmless, modest_needs};

/// The attacker.
pub struct Hostile;

/// 32 MiB fits into a guest that may have 64 MiB of memory, and into no answer.
const TOO_MUCH: usize = 32 << 20;

impl Plugin for Hostile {
    fn manifest() -> PluginManifest {
        harmless("returns-too-much")
    }

    fn describe(_: Settings<'_>) -> Result<Vec<Need>, Vec<Reason>> {
        Ok(modest_needs())
    }
}

impl Opportunity for Hostile {
    fn to_row(_: &Context, _: &Order, _: &[Cell]) -> Answer<Vec<Change>> {
        Ok(vec![Change::set("name", "x".repeat(TOO_MUCH))])
    }
}

plugin!(Hostile: opportunity);
