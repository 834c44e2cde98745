//! The audit: what happened to a deal, one hash chain per lane (I7).

use crate::Millis;

/// What is to be written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditLine {
    /// `run`, `write`, `conflict`, `explained`, `skip`, `park`, `link`, `plugin`.
    pub kind: String,
    /// One sentence for people.
    pub message: String,
    /// JSON: unit, before, after, loser, plugin, version, hash, correlation ids.
    pub detail: String,
}

/// A line that was written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Position in the lane's chain, from 1.
    pub sequence: i64,
    /// When, by the store's clock.
    pub at: Millis,
    /// What.
    pub line: AuditLine,
    /// SHA-256 over the hash before, the time and the line, hex.
    pub hash: String,
}

/// Where a chain does not verify.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainBreak {
    /// Whose.
    pub connection: String,
    /// Which lane.
    pub lane: i64,
    /// The first entry that does not follow from the one before.
    pub sequence: i64,
}
