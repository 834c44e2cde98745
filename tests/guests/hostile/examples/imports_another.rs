//! Wants an import that no host gives: randomness.

use cosell_guest_sdk::prelude::*;
use hostile_guests::{harmless, modest_needs};

/// The attacker.
pub struct Hostile;

impl Plugin for Hostile {
    fn manifest() -> PluginManifest {
        harmless("imports-another")
    }

    fn describe(_: Settings<'_>) -> Result<Vec<Need>, Vec<Reason>> {
        Ok(modest_needs())
    }
}

impl Opportunity for Hostile {
    fn to_row(_: &Context, _: &Order, _: &[Cell]) -> Answer<Vec<Change>> {
        let dice = dice::wasi::random::random::get_random_u64();
        Ok(vec![Change::set("name", dice.to_string())])
    }
}

plugin!(Hostile: opportunity);

#[allow(
    unsafe_code,
    missing_docs,
    unreachable_pub,
    reason = "generated bindings of the import"
)]
mod dice {
    wit_bindgen::generate!({
        inline: "package wasi:random@0.2.0;
            interface random { get-random-u64: func() -> u64; }
            world dice { import random; }",
        generate_all,
    });
}
