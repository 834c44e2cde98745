//! The invariants, asked of a file.

use rusqlite::Connection;

use super::chain;
use crate::Finding;
use crate::check::{FINDINGS_MAX, INVARIANTS};
use crate::writer::Failure;

/// Everything that must not be.
pub(super) fn check(sql: &Connection) -> Result<Vec<Finding>, Failure> {
    let mut findings: Vec<Finding> = chain::check(sql)?.into_iter().map(Finding::from).collect();
    for invariant in INVARIANTS {
        // Not kept prepared: it is asked once in a while.
        let mut query = sql.prepare(&format!("{} LIMIT {FINDINGS_MAX}", invariant.sql))?;
        let found = query.query_map([], |row| Ok(invariant.broken(row.get(0)?, row.get(1)?)))?;
        for finding in found {
            findings.push(finding?);
        }
    }
    Ok(findings)
}
