//! What `wit-bindgen` makes of the contract: one module of types, and one module per interface that can be exported.
//!
//! Every interface is generated from a world of its own, so that a plugin exports the hooks it names and not one more: only the
//! `export!` macro of a named hook puts that hook's world into the component. The types are generated once and shared.

#![allow(
    unsafe_code,
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "generated: lifting and lowering values across the component boundary; its docs are those of the contract"
)]

/// The words of the contract.
pub mod words {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "package cosell:words; world words { import cosell:mapping/types@1.0.0; }",
        generate_all,
        generate_unused_types: true,
        additional_derives: [PartialEq, Eq, Clone],
    });
}

/// The only import.
pub mod log {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "package cosell:logging; world logging { import cosell:mapping/log@1.0.0; }",
        generate_all,
        with: { "cosell:mapping/types@1.0.0": crate::types },
    });
}

/// One interface that a plugin may export.
macro_rules! exported {
    ($(#[doc = $doc:literal] $name:ident, $world:literal;)*) => { $(
        #[doc = $doc]
        pub mod $name {
            wit_bindgen::generate!({
                path: "../wit",
                inline: $world,
                generate_all,
                with: { "cosell:mapping/types@1.0.0": crate::types },
                pub_export_macro: true,
            });
        }
    )* };
}

exported! {
    /// Who the plugin is.
    plugin, "package cosell:of-plugin; world of-plugin { export cosell:mapping/plugin@1.0.0; }";
    /// Golden examples.
    examples, "package cosell:of-examples; world of-examples { export cosell:mapping/examples@1.0.0; }";
    /// At the door.
    should_sync, "package cosell:of-should-sync; world of-should-sync { export cosell:mapping/should-sync@1.0.0; }";
    /// Opportunity rows.
    opportunity, "package cosell:of-opportunity; world of-opportunity { export cosell:mapping/opportunity@1.0.0; }";
    /// Lead rows.
    lead, "package cosell:of-lead; world of-lead { export cosell:mapping/lead@1.0.0; }";
    /// Countries.
    country, "package cosell:of-country; world of-country { export cosell:mapping/country@1.0.0; }";
    /// Where a deal stands.
    status, "package cosell:of-status; world of-status { export cosell:mapping/status@1.0.0; }";
    /// The customer.
    account, "package cosell:of-account; world of-account { export cosell:mapping/account@1.0.0; }";
    /// People at the customer.
    contact, "package cosell:of-contact; world of-contact { export cosell:mapping/contact@1.0.0; }";
    /// The mark.
    decorate, "package cosell:of-decorate; world of-decorate { export cosell:mapping/decorate@1.0.0; }";
}
