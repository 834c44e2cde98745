//! Serves no hook at all.

use cosell_guest_sdk::prelude::*;
use hostile_guests::{harmless, modest_needs};

/// The attacker.
pub struct Hostile;

impl Plugin for Hostile {
    fn manifest() -> PluginManifest {
        harmless("exports-nothing")
    }

    fn describe(_: Settings<'_>) -> Result<Vec<Need>, Vec<Reason>> {
        Ok(modest_needs())
    }
}

impl Examples for Hostile {
    fn cases() -> Vec<Example> {
        Vec::new()
    }
}

plugin!(Hostile: examples);
