//! The stock engine for scripts, `script.engine.wasm`: a `.js` file in the plugin folder is a plugin.
//!
//! A script is an ECMAScript module that exports an object for each interface that it serves, with the functions of that interface, in
//! camelCase: `export const opportunity = { toDeal(ctx, seen, draft) { … } }`. That is the shape that JavaScript toolchains for components
//! ask for, so a script that has outgrown this engine becomes a component without a changed line. Values have that shape too:
//! [`speak`] and [`hear`] say how.
//!
//! QuickJS runs inside the sandbox of every plugin; this crate adds what the contract wants of a plugin: no clock but `ctx.now`, no
//! randomness, no evaluation of text, nothing to import, and every mistake told with file, line and column.

pub use cosell_contract_shape::{hear, speak};

pub mod answer;
pub mod bindings;
#[cfg(target_arch = "wasm32")]
mod guest;
pub mod interfaces;
pub mod script;
