//! What an author asks about a plugin before it meets a host: one question with its price ([`measure`]), what can be told about a file
//! ([`mod@inspect`]), and whether the plugin keeps the laws of the contract ([`exam`]). The folder tries as much of it as fits
//! into the time that somebody waits: see `self_test.rs`.

mod cases;
pub mod crm;
pub(crate) mod dice;
pub mod exam;
pub mod inspect;
pub(crate) mod laws;
pub mod measure;
mod subjects;
pub(crate) mod total;

pub use cases::Case;
pub use exam::{Check, Exam, ExamReport, Finding, Recorded, Verdict};
pub use inspect::{Inspection, inspect};
pub use measure::{Measured, Meter};

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::engine::Engine;
use crate::load::manifest_of;
use crate::offer::{Offer, engine_beside, operator_file};
use crate::rejection::Rejection;
use crate::stamp;

/// Who a component is, as JSON in JavaScript's shape: what its build stamps in. Its settings and examples do not matter yet. Blocks while it compiles.
///
/// # Errors
/// What the folder would say, as far as that comes before its settings.
pub fn manifest(engine: &Engine, path: &Path) -> Result<Value, Rejection> {
    let manifest = manifest_of(engine, &Offer::read(path)?)?;
    Ok(stamp::manifest_json(&manifest))
}

/// The engine that runs a script or a table: the one beside it, or the first in these folders. None: the file needs none, or there is none.
#[must_use]
pub fn engine_of(path: &Path, engines: &[PathBuf]) -> Option<PathBuf> {
    engine_beside(path, engines)
}

/// Name of the operator file that belongs to this one: `50-acme.toml`.
#[must_use]
pub fn operator_of(file: &str) -> String {
    operator_file(file)
}
