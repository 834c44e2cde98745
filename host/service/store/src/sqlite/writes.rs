//! Writes: the intent before, the attempt after, and how many there were.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{holds, lanes, links};
use crate::writer::{Desk, Failure};
use crate::{
    Attempt, AttemptRow, Change, Intent, LaneId, Lease, Millis, RECENT_WRITES_MS, RecentWrite,
    RecordKey, StoreError, WriteCount,
};

/// Commits an intent; the store's clock says when.
pub(super) fn intend(desk: &Desk<'_>, lease: &Lease, intent: &Intent) -> Result<(), Failure> {
    lanes::check_fence(desk.sql, lease)?;
    if intent_open(desk.sql, lease)? {
        return Err(StoreError::IntentOpen { lane: lease.lane.0 }.into());
    }
    if let Some(hold) = holds::cancelled(desk.sql, lease, &intent.permits)? {
        let lane = lease.lane.0;
        return Err(StoreError::Cancelled { lane, hold }.into());
    }
    desk.sql
        .prepare_cached(
            "INSERT INTO intent (connection, lane, operation, kind, side, record_kind, record, precondition, detail, irreversible, since)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .execute(params![
            lease.connection,
            lease.lane.0,
            intent.operation,
            intent.kind,
            intent.target.side,
            intent.target.kind,
            intent.target.id,
            intent.precondition,
            intent.detail,
            intent.irreversible,
            desk.now
        ])?;
    Ok(())
}

/// Whether the lane has an open intent.
pub(super) fn intent_open(sql: &Connection, lease: &Lease) -> Result<bool, Failure> {
    Ok(sql
        .prepare_cached("SELECT 1 FROM intent WHERE connection = ?1 AND lane = ?2")?
        .exists(params![lease.connection, lease.lane.0])?)
}

/// The lane's open intent.
pub(super) fn intent(
    sql: &Connection,
    connection: &str,
    lane: LaneId,
) -> Result<Option<Intent>, Failure> {
    Ok(sql
        .prepare_cached(
            "SELECT operation, kind, side, record_kind, record, precondition, detail, irreversible, since
             FROM intent WHERE connection = ?1 AND lane = ?2",
        )?
        .query_row(params![connection, lane.0], intent_from)
        .optional()?)
}

fn intent_from(row: &Row<'_>) -> rusqlite::Result<Intent> {
    Ok(Intent {
        operation: row.get(0)?,
        kind: row.get(1)?,
        target: RecordKey {
            side: row.get(2)?,
            kind: row.get(3)?,
            id: row.get(4)?,
        },
        precondition: row.get(5)?,
        detail: row.get(6)?,
        irreversible: row.get(7)?,
        permits: Vec::new(),
        since: row.get(8)?,
    })
}

/// Closes the open intent. The attempt, if told, has to be the intent's.
pub(super) fn complete_write(
    desk: &Desk<'_>,
    lease: &Lease,
    change: &Change,
) -> Result<(), Failure> {
    lanes::check_fence(desk.sql, lease)?;
    let told = change.attempt.as_ref().map(|attempt| &attempt.operation);
    let Some(intent) = intent(desk.sql, &lease.connection, lease.lane)?
        .filter(|intent| told.is_none_or(|told| *told == intent.operation))
    else {
        return Err(StoreError::NoIntent {
            lane: lease.lane.0,
            operation: told.cloned(),
        }
        .into());
    };
    desk.sql
        .prepare_cached("DELETE FROM intent WHERE connection = ?1 AND lane = ?2")?
        .execute(params![lease.connection, lease.lane.0])?;
    if let Some(attempt) = &change.attempt {
        keep_attempt(desk, lease, attempt, Some(&intent))?;
    }
    links::apply(desk, lease, change)
}

/// Keeps how a write ended, and what it was.
pub(super) fn keep_attempt(
    desk: &Desk<'_>,
    lease: &Lease,
    attempt: &Attempt,
    intent: Option<&Intent>,
) -> Result<(), Failure> {
    let target = intent.map(|intent| &intent.target);
    desk.sql
        .prepare_cached(
            "INSERT INTO attempt (connection, lane, number, operation, outcome, detail, at, kind, side, record_kind, record, irreversible)
             SELECT ?1, ?2, coalesce(max(number), 0) + 1, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11
             FROM attempt WHERE connection = ?1 AND lane = ?2",
        )?
        .execute(params![
            lease.connection,
            lease.lane.0,
            attempt.operation,
            attempt.outcome,
            attempt.detail,
            desk.now,
            intent.map_or("", |intent| &intent.kind),
            target.map_or("", |target| &target.side),
            target.map_or("", |target| &target.kind),
            target.map_or("", |target| &target.id),
            intent.is_some_and(|intent| intent.irreversible)
        ])?;
    Ok(())
}

/// The lane's writes of the last ten minutes, newest first (S27).
pub(super) fn recent(
    sql: &Connection,
    now: Millis,
    connection: &str,
    lane: LaneId,
) -> Result<Vec<RecentWrite>, Failure> {
    let since = now.saturating_sub(RECENT_WRITES_MS);
    // Read backwards until one is too old, so that a lane's long history costs nothing.
    Ok(sql
        .prepare_cached(
            "SELECT side, at, outcome, operation FROM attempt WHERE connection = ?1 AND lane = ?2 ORDER BY number DESC",
        )?
        .query_map(params![connection, lane.0], |row| {
            Ok(RecentWrite {
                side: row.get(0)?,
                at: row.get(1)?,
                outcome: row.get(2)?,
                operation: row.get(3)?,
            })
        })?
        .take_while(|write| !matches!(write, Ok(write) if write.at < since))
        .collect::<Result<_, _>>()?)
}

/// How a lane's writes ended, oldest first.
pub(super) fn attempts(
    sql: &Connection,
    connection: &str,
    lane: LaneId,
) -> Result<Vec<AttemptRow>, Failure> {
    Ok(sql
        .prepare_cached(
            "SELECT operation, kind, side, record_kind, record, irreversible, outcome, detail, at
             FROM attempt WHERE connection = ?1 AND lane = ?2 ORDER BY number",
        )?
        .query_map(params![connection, lane.0], |row| {
            Ok(AttemptRow {
                operation: row.get(0)?,
                kind: row.get(1)?,
                side: row.get(2)?,
                record_kind: row.get(3)?,
                record: row.get(4)?,
                irreversible: row.get(5)?,
                outcome: row.get(6)?,
                detail: row.get(7)?,
                at: row.get(8)?,
            })
        })?
        .collect::<Result<_, _>>()?)
}

/// Writes to a side that took effect (S25).
pub(super) const WRITTEN_SINCE: &str = "SELECT count(*), coalesce(sum(irreversible), 0), count(DISTINCT lane)
    FROM attempt WHERE connection = ?1 AND side = ?2 AND at >= ?3 AND outcome IN ('done', 'adopted')";

/// Counts them.
pub(super) fn since(
    sql: &Connection,
    connection: &str,
    side: &str,
    since: Millis,
) -> Result<WriteCount, Failure> {
    Ok(sql
        .prepare_cached(WRITTEN_SINCE)?
        .query_row(params![connection, side, since], |row| {
            Ok(WriteCount {
                writes: row.get(0)?,
                irreversible: row.get(1)?,
                lanes: row.get(2)?,
            })
        })?)
}
