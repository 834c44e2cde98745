//! A person is erased from a file.

use std::path::Path;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params, params_from_iter};

use super::{SqliteStore, chain, schema, system_clock};
use crate::copy::Cell;
use crate::erase::{Batch, Hit, KeyPart, Scrub, forget_base, select, statement, without_raw};
use crate::writer::Failure;
use crate::{AuditLine, Clock, LaneId, Millis, StoreError, audit};

const DOING: &str = "erase a person";

impl SqliteStore {
    /// Batch by batch; answers the deals that were left because a write is under way. Blocks.
    pub(crate) fn erase(
        path: &Path,
        clock: Option<Clock>,
        batches: &[Batch],
        scrub: &Scrub,
        by: &str,
    ) -> Result<Vec<(String, i64)>, StoreError> {
        let broken = |source: Box<dyn std::error::Error + Send + Sync>| StoreError::Broken {
            doing: DOING,
            source,
        };
        let explain = |failure: Failure| failure.explain(DOING);
        let sql = |error: rusqlite::Error| Failure::from(error).explain(DOING);
        let clock = clock.unwrap_or_else(system_clock);
        let mut file = schema::open_writer(path).map_err(|error| broken(error.into()))?;
        // What is taken away is written over, and does not lie on in free pages.
        file.pragma_update(None, "secure_delete", true)
            .map_err(sql)?;
        let mut left = Vec::new();
        for batch in batches {
            let all = file
                .transaction_with_behavior(TransactionBehavior::Immediate)
                .map_err(sql)?;
            if settle(&all, clock(), batch, scrub, by).map_err(explain)? {
                all.commit().map_err(sql)?;
            } else {
                left.extend(batch.lane.clone());
            }
        }
        // Old pages lie in the log until it is emptied. A host that reads keeps it; its checkpoints empty it later.
        file.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .map_err(sql)?;
        Ok(left)
    }
}

/// Everything of one deal. False: a write that speaks of the person is under way.
fn settle(
    sql: &Connection,
    now: Millis,
    batch: &Batch,
    scrub: &Scrub,
    by: &str,
) -> Result<bool, Failure> {
    let mut entries = Vec::new();
    let mut bases = 0;
    for hit in &batch.hits {
        let table = hit.personal().table;
        if table == "intent" {
            return Ok(false);
        }
        let Some(cells) = read(sql, hit)? else {
            continue;
        };
        let said = hit.scrubbed(scrub, &cells);
        if said.iter().all(Option::is_none) {
            continue;
        }
        let (Some((connection, lane)), Some(KeyPart::Text(key))) = (&batch.lane, last(hit, table))
        else {
            change(sql, hit, &said)?;
            if let (Some((connection, lane)), "audit") = (&batch.lane, table) {
                entries.push(entry(sql, connection, *lane, hit)?);
            }
            continue;
        };
        match table {
            "base" => {
                bases += sql
                    .prepare_cached(&forget_base('?'))?
                    .execute(params![connection, lane, key])?;
            }
            "raw" => {
                sql.prepare_cached(&without_raw('?'))?
                    .execute(params![connection, lane, key])?;
                change(sql, hit, &said)?;
            }
            _ => change(sql, hit, &said)?,
        }
    }
    if let Some((connection, lane)) = &batch.lane {
        let line = audit::erasure(&entries, by, bases);
        chain::append_at(sql, now, connection, LaneId(*lane), &[line])?;
    }
    Ok(true)
}

/// What names a base (its unit) or a raw record (its hash) within a deal.
fn last<'a>(hit: &'a Hit, table: &str) -> Option<&'a KeyPart> {
    match table {
        "base" => hit.key.get(2),
        "audit" => None,
        _ => hit.key.last(),
    }
}

fn read(sql: &Connection, hit: &Hit) -> Result<Option<Vec<Cell>>, Failure> {
    let columns = hit.personal().columns.len();
    Ok(sql
        .prepare_cached(&select(hit, '?'))?
        .query_row(params_from_iter(hit.cells()), |row| {
            (0..columns)
                .map(|place| {
                    Ok(match row.get_ref(place)? {
                        ValueRef::Text(text) => {
                            Cell::Text(String::from_utf8_lossy(text).into_owned())
                        }
                        ValueRef::Blob(bytes) => Cell::Bytes(bytes.to_vec()),
                        _ => Cell::Null,
                    })
                })
                .collect()
        })
        .optional()?)
}

fn change(sql: &Connection, hit: &Hit, said: &[Option<String>]) -> Result<(), Failure> {
    let (text, cells) = statement(hit, '?', said);
    sql.prepare_cached(&text)?
        .execute(params_from_iter(cells))?;
    Ok(())
}

/// An erased entry as it stands now, with the hash that it follows.
fn entry(
    sql: &Connection,
    connection: &str,
    lane: i64,
    hit: &Hit,
) -> Result<(i64, String, AuditLine), Failure> {
    let Some(KeyPart::Number(sequence)) = hit.key.last() else {
        return Err(Failure::broken(DOING, "an entry of an audit has no number"));
    };
    let follows: Option<String> = sql
        .prepare_cached(
            "SELECT hash FROM audit WHERE connection = ?1 AND lane = ?2 AND sequence = ?3",
        )?
        .query_row(params![connection, lane, sequence - 1], |row| row.get(0))
        .optional()?;
    let line = sql
        .prepare_cached(
            "SELECT kind, message, detail FROM audit WHERE connection = ?1 AND lane = ?2 AND sequence = ?3",
        )?
        .query_row(params![connection, lane, sequence], |row| {
            Ok(AuditLine {
                kind: row.get(0)?,
                message: row.get(1)?,
                detail: row.get(2)?,
            })
        })?;
    let follows = follows.unwrap_or_else(|| audit::chain_start(connection, lane));
    Ok((*sequence, follows, line))
}
