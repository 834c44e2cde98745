//! The stock engine for mapping tables, `table.engine.wasm`: a `.table.toml` file in the plugin folder is a plugin, without code.
//!
//! A table says line by line which part of a deal stands in which column. [`file`](mod@file) is what may be written, [`source`] the parts of a
//! deal, [`cell`] how one becomes a column's value and back.

pub mod cell;
pub mod file;
#[cfg(target_arch = "wasm32")]
mod guest;
#[cfg(test)]
mod hostile;
pub mod mapping;
pub mod source;
