//! Sets a column that it never declared.

use cosell_guest_sdk::prelude::*;
use hostile_guests::{harmless, modest_needs};

/// The attacker.
pub struct Hostile;

impl Plugin for Hostile {
    fn manifest() -> PluginManifest {
        harmless("sets-undeclared")
    }

    fn describe(_: Settings<'_>) -> Result<Vec<Need>, Vec<Reason>> {
        Ok(modest_needs())
    }
}

impl Opportunity for Hostile {
    fn to_row(_: &Context, _: &Order, _: &[Cell]) -> Answer<Vec<Change>> {
        Ok(vec![Change::set("creditlimit", 1_000_000)])
    }
}

plugin!(Hostile: opportunity);
