//! Runs out of stack.

use cosell_guest_sdk::prelude::*;
use hostile_guests::{harmless, modest_needs};

/// The attacker.
pub struct Hostile;

impl Plugin for Hostile {
    fn manifest() -> PluginManifest {
        harmless("recurses")
    }

    fn describe(_: Settings<'_>) -> Result<Vec<Need>, Vec<Reason>> {
        Ok(modest_needs())
    }
}

impl Opportunity for Hostile {
    fn to_row(_: &Context, _: &Order, _: &[Cell]) -> Answer<Vec<Change>> {
        let depth = deeper(std::hint::black_box(1));
        Ok(vec![Change::set("name", depth.to_string())])
    }
}

plugin!(Hostile: opportunity);

fn deeper(depth: u64) -> u64 {
    let room = std::hint::black_box([depth; 32]);
    if std::hint::black_box(depth) == 0 {
        return 0;
    }
    room[0].wrapping_add(deeper(depth + 1))
}
