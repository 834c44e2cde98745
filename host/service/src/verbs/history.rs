//! What happened to a deal, line by line.

use cosell_store::{AttemptRow, AuditEntry};
use serde::Serialize;
use serde_json::Value;

use super::Moment;
use crate::trouble::{reasons_of, sentences};

/// One line of a lane's audit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HistoryLine {
    /// When.
    pub at: Moment,
    /// `write`, `conflict`, `explained`, `hold`, `question`, `answered`, `park`, `link`, `person`, …
    pub kind: String,
    /// For people.
    pub message: String,
    /// For programs: unit, side, before, after, rule, bells, whose word.
    pub detail: Value,
}

impl From<AuditEntry> for HistoryLine {
    fn from(entry: AuditEntry) -> Self {
        Self {
            at: Moment(entry.at),
            kind: entry.line.kind,
            message: entry.line.message,
            detail: serde_json::from_str(&entry.line.detail).unwrap_or_default(),
        }
    }
}

/// One write to a record, as it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WriteLine {
    /// When it ended.
    pub at: Moment,
    /// `create-referral`, `update-row`, …
    pub kind: String,
    /// `partner-center` or `crm`.
    pub side: String,
    /// `referral`, or the logical name of a table.
    pub record_kind: String,
    /// Which record.
    pub record: String,
    /// `done`, `adopted`, `refused`, `conflict`, `transient`, `unknown`, …
    pub outcome: String,
    /// What the other side said.
    pub detail: String,
    /// It could not be taken back.
    pub irreversible: bool,
    /// By this id the other side's logs know it.
    pub operation: String,
}

impl From<AttemptRow> for WriteLine {
    fn from(row: AttemptRow) -> Self {
        Self {
            at: Moment(row.at),
            kind: row.kind,
            side: row.side,
            record_kind: row.record_kind,
            record: row.record,
            outcome: row.outcome,
            detail: row.detail,
            irreversible: row.irreversible,
            operation: row.operation,
        }
    }
}

/// A lane's reason as a person reads it: a parked lane keeps a list of reasons, the others keep a sentence.
#[must_use]
pub fn reason_in_words(reason: &str) -> String {
    match reasons_of(reason) {
        reasons if reasons.is_empty() => reason.to_owned(),
        reasons => sentences(&reasons),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_read_in_either_shape() {
        let parked = r#"[{"code":"a","message":"no country","about":null,"hint":"fill it in"},{"code":"b","message":"no name"}]"#;
        assert_eq!(
            reason_in_words(parked),
            "no country (rule a): fill it in; no name (rule b)"
        );
        assert_eq!(reason_in_words("sync is off"), "sync is off");
    }
}
