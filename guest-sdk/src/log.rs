//! Lines for the plugin's log and, from `info` up, for the history of the deal. Never log names or addresses.
//!
//! A component imports the log only when its plugin calls one of these. Outside wasm the lines go nowhere.

use crate::types::Level;

/// Seen by nobody unless the operator asks for it.
pub fn debug(message: &str) {
    write(Level::Debug, message);
}

/// Goes into the history of the deal.
pub fn info(message: &str) {
    write(Level::Info, message);
}

/// Something is odd, and the answer stands nevertheless.
pub fn warn(message: &str) {
    write(Level::Warn, message);
}

/// Something is wrong, and a person should look.
pub fn error(message: &str) {
    write(Level::Error, message);
}

#[cfg(target_arch = "wasm32")]
fn write(level: Level, message: &str) {
    crate::bindings::log::cosell::mapping::log::write(level, message);
}

#[cfg(not(target_arch = "wasm32"))]
fn write(_: Level, _: &str) {}
