//! Allocates until it is stopped.

use cosell_guest_sdk::prelude::*;
use hostile_guests::{harmless, modest_needs};

/// The attacker.
pub struct Hostile;

impl Plugin for Hostile {
    fn manifest() -> PluginManifest {
        harmless("eats-memory")
    }

    fn describe(_: Settings<'_>) -> Result<Vec<Need>, Vec<Reason>> {
        Ok(modest_needs())
    }
}

impl Opportunity for Hostile {
    fn to_row(_: &Context, _: &Order, _: &[Cell]) -> Answer<Vec<Change>> {
        let mut hoard: Vec<Vec<u8>> = Vec::new();
        loop {
            // Asked for and not filled: filling it would run into the time limit first on a busy machine.
            hoard.push(std::hint::black_box(Vec::with_capacity(1 << 20)));
        }
    }
}

plugin!(Hostile: opportunity);
