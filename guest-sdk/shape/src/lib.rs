//! Values of the contract in the shape that JavaScript toolchains for components agree on, and back. Knows none of the contract's types: whoever
//! generates them derives serde for them, and the names say the rest.
//!
//! The script engine speaks it with scripts, and the host's commands for authors with files and screens, so that a question is spelt the same
//! wherever an author meets one.

pub mod hear;
pub mod speak;
pub mod spelling;
