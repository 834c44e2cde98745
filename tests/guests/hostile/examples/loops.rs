//! Never comes back.

use cosell_guest_sdk::prelude::*;
use hostile_guests::{harmless, modest_needs};

/// The attacker.
pub struct Hostile;

impl Plugin for Hostile {
    fn manifest() -> PluginManifest {
        harmless("loops")
    }

    fn describe(_: Settings<'_>) -> Result<Vec<Need>, Vec<Reason>> {
        Ok(modest_needs())
    }
}

impl Opportunity for Hostile {
    fn to_row(_: &Context, _: &Order, _: &[Cell]) -> Answer<Vec<Change>> {
        let mut turns = 0u64;
        loop {
            turns = std::hint::black_box(turns.wrapping_add(1));
        }
    }
}

plugin!(Hostile: opportunity);
