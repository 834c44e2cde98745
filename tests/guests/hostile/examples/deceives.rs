//! Exports `country` under the contract's name and with functions of other types.

use cosell_guest_sdk::prelude::*;
use hostile_guests::{harmless, modest_needs};

/// The attacker.
pub struct Hostile;

impl Plugin for Hostile {
    fn manifest() -> PluginManifest {
        harmless("deceives")
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

#[allow(
    unsafe_code,
    missing_docs,
    unreachable_pub,
    reason = "generated bindings of the export"
)]
mod false_country {
    wit_bindgen::generate!({
        inline: "package cosell:mapping@1.0.0;
            interface country { to-deal: func(number: u32) -> string; to-row: func() -> u32; }
            world false-country { export country; }",
        generate_all,
    });

    use super::Hostile;

    impl exports::cosell::mapping::country::Guest for Hostile {
        fn to_deal(number: u32) -> String {
            number.to_string()
        }

        fn to_row() -> u32 {
            7
        }
    }

    #[cfg(target_arch = "wasm32")]
    export!(Hostile);
}
