//! The invariants, asked of a file.

use rusqlite::Connection;

use super::chain;
use crate::Finding;
use crate::check::{COMPONENTS, FINDINGS_MAX, INVARIANTS, damaged};
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
    let names: Vec<String> = sql
        .prepare(COMPONENTS)?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for hash in names {
        let bytes: Vec<u8> = sql.query_row(
            "SELECT bytes FROM component WHERE hash = ?1",
            [&hash],
            |row| row.get(0),
        )?;
        findings.extend(damaged(&hash, &bytes));
    }
    Ok(findings)
}
