//! Lanes: locked, leased under a fence, made due, ended, retired.

use deadpool_postgres::{Client, GenericClient, Transaction};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::Time;
use super::fault::Fault;
use crate::{LaneId, Lease, Millis, RecordKey, StoreError};

/// Elders followed from a retired lane. Retiring always points at a living lane, so more than a few in a row are a damaged table.
const ELDERS_MAX: usize = 64;

pub(super) type Param<'a> = &'a (dyn ToSql + Sync);

/// Rows of a statement that stays prepared on its connection.
pub(super) async fn rows(
    sql: &impl GenericClient,
    text: &str,
    params: &[Param<'_>],
) -> Result<Vec<Row>, Fault> {
    let statement = sql.prepare_cached(text).await?;
    Ok(sql.query(&statement, params).await?)
}

/// The only row, or none.
pub(super) async fn row(
    sql: &impl GenericClient,
    text: &str,
    params: &[Param<'_>],
) -> Result<Option<Row>, Fault> {
    let statement = sql.prepare_cached(text).await?;
    Ok(sql.query_opt(&statement, params).await?)
}

/// How many rows it changed.
pub(super) async fn run(
    sql: &impl GenericClient,
    text: &str,
    params: &[Param<'_>],
) -> Result<u64, Fault> {
    let statement = sql.prepare_cached(text).await?;
    Ok(sql.execute(&statement, params).await?)
}

/// A limit as SQL takes it.
pub(super) fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

/// What a request about one lane works with: the lane is locked until the transaction ends.
pub(super) struct Desk<'a> {
    pub(super) sql: &'a Transaction<'a>,
    /// The time of this transaction.
    pub(super) now: Millis,
    pub(super) connection: &'a str,
    pub(super) lane: LaneId,
    /// Where the lane's audit chain ends.
    pub(super) audited: i64,
    pub(super) audit_head: Option<String>,
    fence: i64,
    leased: bool,
}

impl<'a> Desk<'a> {
    /// Locks the lane. None: there is no such lane.
    pub(super) async fn lock(
        sql: &'a Transaction<'a>,
        given: Option<Millis>,
        connection: &'a str,
        lane: LaneId,
    ) -> Result<Option<Self>, Fault> {
        let found = row(
            sql,
            concat!(
                "SELECT coalesce($3::bigint, ",
                database_now!(),
                "), audited, audit_head, fence, lease_until IS NOT NULL FROM lane WHERE connection = $1 AND lane = $2 FOR UPDATE"
            ),
            &[&connection, &lane.0, &given],
        )
        .await?;
        Ok(found.map(|found| Self {
            sql,
            now: found.get(0),
            connection,
            lane,
            audited: found.get(1),
            audit_head: found.get(2),
            fence: found.get(3),
            leased: found.get(4),
        }))
    }

    /// Locks the lane of a lease, and refuses one that is not the lane's any more (I3).
    pub(super) async fn under(
        sql: &'a Transaction<'a>,
        given: Option<Millis>,
        lease: &'a Lease,
    ) -> Result<Self, Fault> {
        Self::lock(sql, given, &lease.connection, lease.lane)
            .await?
            .filter(|desk| desk.leased && desk.fence == lease.fence)
            .ok_or_else(|| fenced(lease).into())
    }
}

pub(super) fn fenced(lease: &Lease) -> StoreError {
    StoreError::Fenced {
        lane: lease.lane.0,
        fence: lease.fence,
    }
}

/// The next number of a kind within a connection.
pub(super) async fn number(desk: &Desk<'_>, of: &str) -> Result<i64, Fault> {
    numbers(desk.sql, desk.connection, of, 1).await
}

/// The last of the next numbers of a kind within a connection.
pub(super) async fn numbers(
    sql: &Transaction<'_>,
    connection: &str,
    of: &str,
    count: i64,
) -> Result<i64, Fault> {
    let found = row(
        sql,
        "INSERT INTO counter (connection, name, value) VALUES ($1, $2, $3)
         ON CONFLICT (connection, name) DO UPDATE SET value = counter.value + excluded.value
         RETURNING value",
        &[&connection, &of, &count],
    )
    .await?;
    found
        .map(|found| found.get(0))
        .ok_or_else(|| Fault::broken("a counter gave no number"))
}

/// The lane itself, or the living lane into which it retired. None: there is no such lane.
pub(super) async fn elder(
    sql: &impl GenericClient,
    connection: &str,
    lane: LaneId,
) -> Result<Option<LaneId>, Fault> {
    let mut lane = lane;
    for _ in 0..ELDERS_MAX {
        let found = row(
            sql,
            "SELECT retired_into FROM lane WHERE connection = $1 AND lane = $2",
            &[&connection, &lane.0],
        )
        .await?;
        match found.map(|found| found.get::<_, Option<i64>>(0)) {
            None => return Ok(None),
            Some(None) => return Ok(Some(lane)),
            Some(Some(into)) => lane = LaneId(into),
        }
    }
    Err(Fault::broken(format!(
        "lane {} leads to retired lanes in a ring",
        lane.0
    )))
}

/// Locks several lanes of a connection in the order of their numbers, as everybody does.
pub(super) async fn lock_in_order(
    sql: &Transaction<'_>,
    connection: &str,
    lanes: &[i64],
) -> Result<(), Fault> {
    rows(
        sql,
        "SELECT lane FROM lane WHERE connection = $1 AND lane = ANY($2) ORDER BY lane FOR UPDATE",
        &[&connection, &lanes],
    )
    .await
    .map(drop)
}

/// Takes the oldest due lanes that nobody else is taking at this moment. One statement, and so one transaction.
pub(super) async fn claim(
    sql: &Client,
    time: &Time,
    owner: &str,
    lease_ms: Millis,
    max: usize,
) -> Result<Vec<Lease>, Fault> {
    let asked = (time.ours)();
    // What a claim that finds nothing says is the time.
    let found = rows(
        sql,
        concat!(
            "WITH moment AS MATERIALIZED (SELECT coalesce($1::bigint, ",
            database_now!(),
            ") AS now),
             due AS MATERIALIZED (
                 SELECT connection, lane, due_at FROM lane WHERE due_at <= (SELECT now FROM moment)
                 ORDER BY due_at, connection, lane LIMIT $2 FOR UPDATE SKIP LOCKED),
             taken AS (
                 UPDATE lane SET fence = lane.fence + 1, lease_owner = $3, lease_until = moment.now + $4, due_at = moment.now + $4
                 FROM due, moment WHERE lane.connection = due.connection AND lane.lane = due.lane
                 RETURNING lane.connection, lane.lane, lane.fence, lane.lease_until, due.due_at AS was_due)
             SELECT moment.now, taken.connection, taken.lane, taken.fence, taken.lease_until
             FROM moment LEFT JOIN taken ON TRUE ORDER BY taken.was_due, taken.connection, taken.lane"
        ),
        &[&time.given(), &limit(max), &owner, &lease_ms],
    )
    .await?;
    if let (Some(first), None) = (found.first(), &time.given) {
        time.learn(asked, first.get(0));
    }
    Ok(found
        .iter()
        .filter_map(|row| {
            Some(Lease {
                connection: row.get::<_, Option<String>>(1)?,
                lane: LaneId(row.get(2)),
                fence: row.get(3),
                until: row.get(4),
            })
        })
        .collect())
}

/// Prolongs a lease that is still the lane's. One statement, and so one transaction.
pub(super) async fn renew(
    sql: &Client,
    given: Option<Millis>,
    lease: &Lease,
    lease_ms: Millis,
) -> Result<Lease, Fault> {
    let renewed = row(
        sql,
        concat!(
            "WITH moment AS MATERIALIZED (SELECT coalesce($4::bigint, ",
            database_now!(),
            ") AS now)
             UPDATE lane SET lease_until = moment.now + $5, due_at = moment.now + $5 FROM moment
             WHERE connection = $1 AND lane = $2 AND fence = $3 AND lease_until IS NOT NULL
             RETURNING lease_until"
        ),
        &[
            &lease.connection,
            &lease.lane.0,
            &lease.fence,
            &given,
            &lease_ms,
        ],
    )
    .await?;
    match renewed {
        Some(renewed) => Ok(Lease {
            until: renewed.get(0),
            ..lease.clone()
        }),
        None => Err(fenced(lease).into()),
    }
}

/// Makes the lanes of an owner due. One statement, and so one transaction.
pub(super) async fn release(
    sql: &Client,
    given: Option<Millis>,
    owner: &str,
) -> Result<usize, Fault> {
    let released = run(
        sql,
        concat!(
            "WITH moment AS MATERIALIZED (SELECT coalesce($1::bigint, ",
            database_now!(),
            ") AS now)
             UPDATE lane SET lease_until = moment.now, due_at = moment.now FROM moment
             WHERE lease_owner = $2 AND lease_until > moment.now"
        ),
        &[&given, &owner],
    )
    .await?;
    Ok(usize::try_from(released).unwrap_or(usize::MAX))
}

/// Due now. A leased lane is left alone: when its run ends, the unanswered bell makes it due.
pub(super) async fn make_due(desk: &Desk<'_>, lane: LaneId) -> Result<(), Fault> {
    run(
        desk.sql,
        "UPDATE lane SET due_at = $3
         WHERE connection = $1 AND lane = $2 AND state <> 'retired' AND lease_until IS NULL
           AND (due_at IS NULL OR due_at > $3)",
        &[&desk.connection, &lane.0, &desk.now],
    )
    .await
    .map(drop)
}

/// Rings the bells of records once more, all of them in lanes that are locked.
pub(super) async fn ring_all(
    desk: &Desk<'_>,
    records: &[RecordKey],
    cause: &str,
) -> Result<(), Fault> {
    let rings: Vec<_> = records
        .iter()
        .map(|record| super::rings::Ring {
            connection: desk.connection,
            record,
            cause,
            dedupe: None,
        })
        .collect();
    super::rings::ring(desk.sql, desk.now, &rings).await
}

/// A person's order: rings every bell of the locked lane, so that it is not lost on a lane that is running.
pub(super) async fn wake(desk: &Desk<'_>, cause: &str) -> Result<(), Fault> {
    let records = super::reads::members(desk.sql, desk.connection, desk.lane).await?;
    ring_all(desk, &records, cause).await?;
    make_due(desk, desk.lane).await
}
