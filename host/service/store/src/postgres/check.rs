//! The invariants, asked of a database.

use deadpool_postgres::Transaction;

use super::chain;
use super::fault::Fault;
use crate::Finding;
use crate::check::{COMPONENTS, FINDINGS_MAX, INVARIANTS, damaged};

/// Everything that must not be.
pub(super) async fn check(sql: &Transaction<'_>) -> Result<Vec<Finding>, Fault> {
    let mut findings: Vec<Finding> = chain::check(sql)
        .await?
        .into_iter()
        .map(Finding::from)
        .collect();
    for invariant in INVARIANTS {
        let query = format!("{} LIMIT {FINDINGS_MAX}", invariant.sql);
        for row in sql.query(&query, &[]).await? {
            findings.push(invariant.broken(row.get(0), row.get(1)));
        }
    }
    for name in sql.query(COMPONENTS, &[]).await? {
        let hash: String = name.get(0);
        let row = sql
            .query_one("SELECT bytes FROM component WHERE hash = $1", &[&hash])
            .await?;
        findings.extend(damaged(&hash, row.get(0)));
    }
    Ok(findings)
}
