//! Writes: the intent before, the attempt after, and how many there were.

use deadpool_postgres::{Client, GenericClient, Transaction};
use tokio_postgres::Row;

use super::fault::Fault;
use super::lanes::{Desk, fenced, row, rows, run};
use super::links;
use super::text::storable;
use crate::{
    Attempt, AttemptRow, Change, Intent, LaneId, Lease, Millis, RECENT_WRITES_MS, RecentWrite,
    RecordKey, StoreError, WriteCount,
};

/// Commits an intent; the database's clock says when. One statement, and so one transaction.
pub(super) async fn intend(
    sql: &Client,
    given: Option<Millis>,
    lease: &Lease,
    intent: &Intent,
) -> Result<(), Fault> {
    let permits: Vec<String> = intent.permits.iter().cloned().map(storable).collect();
    let found = row(
        sql,
        concat!(
            "WITH held AS MATERIALIZED (
                 SELECT connection, lane FROM lane
                 WHERE connection = $1 AND lane = $2 AND fence = $3 AND lease_until IS NOT NULL FOR UPDATE),
             forbidden AS (
                 SELECT min(hold) AS hold FROM hold
                 WHERE connection = $1 AND lane = $2 AND closed_at IS NULL AND released = 0
                     AND fingerprint IN (SELECT unnest($13::text[]))),
             made AS (
                 INSERT INTO intent (connection, lane, operation, kind, side, record_kind, record, precondition, detail, irreversible, since)
                 SELECT held.connection, held.lane, $4, $5, $6, $7, $8, $9, $10, $11, coalesce($12::bigint, ",
            database_now!(),
            ") FROM held, forbidden WHERE forbidden.hold IS NULL
                 ON CONFLICT (connection, lane) DO NOTHING RETURNING 1)
             SELECT EXISTS (SELECT 1 FROM held), EXISTS (SELECT 1 FROM made), (SELECT hold FROM forbidden)"
        ),
        &[
            &lease.connection,
            &lease.lane.0,
            &lease.fence,
            &intent.operation,
            &intent.kind,
            &intent.target.side,
            &intent.target.kind,
            &intent.target.id,
            &intent.precondition,
            &intent.detail,
            &i64::from(intent.irreversible),
            &given,
            &permits,
        ],
    )
    .await?;
    let lane = lease.lane.0;
    match found.map(|found| (found.get(0), found.get(1), found.get(2))) {
        Some((true, true, _)) => Ok(()),
        Some((true, false, Some(hold))) => Err(StoreError::Cancelled { lane, hold }.into()),
        Some((true, false, None)) => Err(StoreError::IntentOpen { lane }.into()),
        _ => Err(fenced(lease).into()),
    }
}

/// Whether the lane has an open intent.
pub(super) async fn intent_open(desk: &Desk<'_>) -> Result<bool, Fault> {
    let found = row(
        desk.sql,
        "SELECT 1 FROM intent WHERE connection = $1 AND lane = $2",
        &[&desk.connection, &desk.lane.0],
    )
    .await?;
    Ok(found.is_some())
}

/// The lane's open intent.
pub(super) async fn intent(
    sql: &impl GenericClient,
    connection: &str,
    lane: LaneId,
) -> Result<Option<Intent>, Fault> {
    let found = row(
        sql,
        "SELECT operation, kind, side, record_kind, record, precondition, detail, irreversible, since
         FROM intent WHERE connection = $1 AND lane = $2",
        &[&connection, &lane.0],
    )
    .await?;
    Ok(found.as_ref().map(intent_from))
}

fn intent_from(row: &Row) -> Intent {
    Intent {
        operation: row.get(0),
        kind: row.get(1),
        target: RecordKey {
            side: row.get(2),
            kind: row.get(3),
            id: row.get(4),
        },
        precondition: row.get(5),
        detail: row.get(6),
        irreversible: row.get::<_, i64>(7) != 0,
        permits: Vec::new(),
        since: row.get(8),
    }
}

/// Closes the open intent. The attempt, if told, has to be the intent's.
pub(super) async fn complete_write(
    sql: &Transaction<'_>,
    given: Option<Millis>,
    lease: &Lease,
    change: &Change,
) -> Result<(), Fault> {
    let desk = Desk::under(sql, given, lease).await?;
    let told = change.attempt.as_ref().map(|attempt| &attempt.operation);
    let closed = row(
        sql,
        "DELETE FROM intent WHERE connection = $1 AND lane = $2
         RETURNING operation, kind, side, record_kind, record, precondition, detail, irreversible, since",
        &[&lease.connection, &lease.lane.0],
    )
    .await?;
    let Some(intent) = closed
        .as_ref()
        .map(intent_from)
        .filter(|intent| told.is_none_or(|told| *told == intent.operation))
    else {
        return Err(StoreError::NoIntent {
            lane: lease.lane.0,
            operation: told.cloned(),
        }
        .into());
    };
    if let Some(attempt) = &change.attempt {
        keep_attempt(&desk, attempt, Some(&intent)).await?;
    }
    links::apply(&desk, change).await
}

/// Keeps how a write ended, and what it was.
pub(super) async fn keep_attempt(
    desk: &Desk<'_>,
    attempt: &Attempt,
    intent: Option<&Intent>,
) -> Result<(), Fault> {
    let target = intent.map(|intent| &intent.target);
    let irreversible = intent.is_some_and(|intent| intent.irreversible);
    run(
        desk.sql,
        "INSERT INTO attempt (connection, lane, number, operation, outcome, detail, at, kind, side, record_kind, record, irreversible)
         SELECT $1::text, $2::bigint, coalesce(max(number), 0) + 1, $3::text, $4::text, $5::text, $6::bigint, $7::text, $8::text,
             $9::text, $10::text, $11::bigint
         FROM attempt WHERE connection = $1 AND lane = $2",
        &[
            &desk.connection,
            &desk.lane.0,
            &attempt.operation,
            &attempt.outcome,
            &attempt.detail,
            &desk.now,
            &intent.map_or("", |intent| &intent.kind),
            &target.map_or("", |target| &target.side),
            &target.map_or("", |target| &target.kind),
            &target.map_or("", |target| &target.id),
            &i64::from(irreversible),
        ],
    )
    .await
    .map(drop)
}

/// The lane's writes of the last ten minutes, newest first (S27).
pub(super) async fn recent(
    sql: &impl GenericClient,
    now: Millis,
    connection: &str,
    lane: LaneId,
) -> Result<Vec<RecentWrite>, Fault> {
    let since = now.saturating_sub(RECENT_WRITES_MS);
    // From the last one that is too old on, so that a lane's long history costs nothing.
    let found = rows(
        sql,
        "SELECT side, at, outcome, operation FROM attempt
         WHERE connection = $1 AND lane = $2 AND number > coalesce((
             SELECT old.number FROM attempt AS old WHERE old.connection = $1 AND old.lane = $2 AND old.at < $3
             ORDER BY old.number DESC LIMIT 1), 0)
         ORDER BY number DESC",
        &[&connection, &lane.0, &since],
    )
    .await?;
    Ok(found
        .iter()
        .map(|row| RecentWrite {
            side: row.get(0),
            at: row.get(1),
            outcome: row.get(2),
            operation: row.get(3),
        })
        .collect())
}

/// How a lane's writes ended, oldest first.
pub(super) async fn attempts(
    sql: &impl GenericClient,
    connection: &str,
    lane: LaneId,
) -> Result<Vec<AttemptRow>, Fault> {
    let found = rows(
        sql,
        "SELECT operation, kind, side, record_kind, record, irreversible, outcome, detail, at
         FROM attempt WHERE connection = $1 AND lane = $2 ORDER BY number",
        &[&connection, &lane.0],
    )
    .await?;
    Ok(found
        .iter()
        .map(|row| AttemptRow {
            operation: row.get(0),
            kind: row.get(1),
            side: row.get(2),
            record_kind: row.get(3),
            record: row.get(4),
            irreversible: row.get::<_, i64>(5) != 0,
            outcome: row.get(6),
            detail: row.get(7),
            at: row.get(8),
        })
        .collect())
}

/// Counts the writes to a side that took effect (S25).
pub(super) async fn since(
    sql: &impl GenericClient,
    connection: &str,
    side: &str,
    since: Millis,
) -> Result<WriteCount, Fault> {
    let found = row(
        sql,
        "SELECT count(*), coalesce(sum(irreversible), 0)::bigint, count(DISTINCT lane)
         FROM attempt WHERE connection = $1 AND side = $2 AND at >= $3 AND outcome IN ('done', 'adopted')",
        &[&connection, &side, &since],
    )
    .await?;
    Ok(found.map_or_else(WriteCount::default, |row| WriteCount {
        writes: row.get(0),
        irreversible: row.get(1),
        lanes: row.get(2),
    }))
}
