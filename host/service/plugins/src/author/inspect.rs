//! What can be told about a file, also about one that no host would take: what it says about itself without being run, and what it answers if it
//! can be.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::engine::Engine;
use crate::limits::{
    CARRIED_BYTES_MAX, FILE_BYTES_MAX, INSTANCES_MAX, LOG_CALL_BYTES, Limits, SOURCE_BYTES_MAX,
    WASM_STACK_BYTES,
};
use crate::offer::Offer;
use crate::operator::Operator;
use crate::prescan::{PACKAGE, VERSION};
use crate::report::{AskedSystem, CheckReport, check_file_with};
use crate::stamp::{self, Stamps};

/// What is known about a file.
#[derive(Debug, Clone, Serialize)]
pub struct Inspection {
    /// Name of the file.
    pub file: String,
    /// Bytes of the file.
    pub bytes: u64,
    /// Version of the plugin as the host counts it, SHA-256, hex.
    pub sha256: String,
    /// The contract that this host speaks, `cosell:mapping 1.0.0`.
    pub contract: String,
    /// What the file says without being run.
    pub stamps: Stamps,
    /// What it imports.
    pub imports: Vec<String>,
    /// What it exports.
    pub exports: Vec<String>,
    /// What of a system it asks for, and whether it would be let in with that; null: it asks for none.
    pub system: Option<AskedSystem>,
    /// Sizes of its parts in bytes, the largest first: code, data, names.
    pub sections: Vec<(String, u64)>,
    /// Under which limits it runs here.
    pub limits: Limited,
    /// What the folder would say, with everything that it answers.
    #[serde(skip)]
    pub report: CheckReport,
}

/// Limits in force for this file: those of its operator file, or the usual ones.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs, reason = "the names carry their units")]
pub struct Limited {
    pub call_ms: u64,
    pub start_ms: u64,
    pub memory_bytes: u64,
    pub fresh_per_call: bool,
    pub file_bytes_max: u64,
    pub answer_bytes_max: u64,
    pub log_bytes_per_call: u64,
    pub stack_bytes: u64,
    pub core_instances_max: u64,
}

/// Looks at a file, and runs it if it can be run. Blocks while it compiles.
#[must_use]
pub fn inspect(engine: &Engine, path: &Path, engines: &[PathBuf]) -> Inspection {
    let report = check_file_with(engine, path, engines);
    let offer = Offer::read_from(path, engines).ok();
    let operator = Operator::beside(path).unwrap_or_default();
    let limits = operator.limits(engine.limits());
    let is_text = offer.as_ref().is_some_and(|offer| offer.text.is_some());
    let wasm = offer.as_ref().map_or(&[][..], |offer| &offer.wasm);
    Inspection {
        file: report.file.clone(),
        bytes: report.bytes,
        sha256: report.sha256.clone(),
        contract: format!("{PACKAGE} {VERSION}"),
        stamps: stamp::read(wasm),
        imports: report.imports.clone(),
        exports: report.exports.clone(),
        system: report.system.clone(),
        sections: stamp::sections(wasm),
        limits: limited(&limits, is_text),
        report,
    }
}

fn limited(limits: &Limits, is_text: bool) -> Limited {
    Limited {
        call_ms: limits.call_ms,
        start_ms: limits.start_ms,
        memory_bytes: limits.memory_bytes as u64,
        fresh_per_call: limits.fresh_per_call,
        file_bytes_max: if is_text {
            SOURCE_BYTES_MAX
        } else {
            FILE_BYTES_MAX
        },
        answer_bytes_max: CARRIED_BYTES_MAX as u64,
        log_bytes_per_call: LOG_CALL_BYTES as u64,
        stack_bytes: WASM_STACK_BYTES as u64,
        core_instances_max: INSTANCES_MAX as u64,
    }
}
