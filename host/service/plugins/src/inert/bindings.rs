//! What `bindgen!` makes of `wit/inert.wit`.
#![allow(
    missing_docs,
    unreachable_pub,
    dead_code,
    clippy::all,
    reason = "generated from interfaces that are documented where they are published"
)]

wasmtime::component::bindgen!({
    path: "wit",
    world: "inert",
    // Whatever goes beyond what is answered ends the call with a sentence.
    imports: { default: trappable },
});
