//! What `wit-bindgen` makes of the contract; every type can be written and read by serde, which [`crate::speak`] and [`crate::hear`] build on.
#![allow(
    unsafe_code,
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::unwrap_used,
    reason = "generated from the contract, whose documentation is in `wit/`"
)]

wit_bindgen::generate!({
    path: "../../wit",
    world: "engine",
    additional_derives: [PartialEq, Clone, serde::Serialize, serde::Deserialize],
    pub_export_macro: true,
});
