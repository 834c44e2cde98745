//! Never comes back from the first question.

use cosell_guest_sdk::prelude::*;
use hostile_guests::{harmless, modest_needs};

/// The attacker.
pub struct Hostile;

impl Plugin for Hostile {
    fn manifest() -> PluginManifest {
        let mut turns = 0u64;
        while std::hint::black_box(turns) != u64::MAX {
            turns = std::hint::black_box(turns.wrapping_add(2));
        }
        harmless("loops-at-load")
    }

    fn describe(_: Settings<'_>) -> Result<Vec<Need>, Vec<Reason>> {
        Ok(modest_needs())
    }
}

impl Opportunity for Hostile {}

plugin!(Hostile: opportunity);
