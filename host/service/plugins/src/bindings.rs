//! What `bindgen!` makes of the contract. Nobody outside this room sees these types: `convert` turns them into the domain's words. Serde is for authors' files
//! and screens, in JavaScript's shape (`cosell-contract-shape`).
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    reason = "generated from the contract, whose documentation is in `wit/`"
)]

wasmtime::component::bindgen!({
    path: "../../../wit",
    world: "engine",
    additional_derives: [PartialEq, serde::Serialize, serde::Deserialize],
});
