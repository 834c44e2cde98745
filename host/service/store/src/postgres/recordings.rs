//! What runs saw: its rows.

use async_trait::async_trait;
use deadpool_postgres::Transaction;

use super::fault::Fault;
use super::lanes::{limit, row, rows, run};
use super::{PostgresStore, Tries};
use crate::recordings::too_many;
use crate::{Keep, LaneId, Millis, Recording, Recordings, StoreError};

#[async_trait]
impl Recordings for PostgresStore {
    async fn record(&self, recording: Recording, keep: Keep) -> Result<(), StoreError> {
        in_transaction!(self, "keep a recording", |sql, given| record(
            &sql, given, &recording, keep
        ))
    }

    async fn recordings(
        &self,
        connection: &str,
        lane: LaneId,
    ) -> Result<Vec<Recording>, StoreError> {
        let given = self.time.given();
        let found = by_one_statement!(self, "read recordings", |sql| rows(
            &sql,
            concat!(
                "SELECT content, body, at FROM recording WHERE connection = $1 AND lane = $2
                     AND until > coalesce($3::bigint, ",
                database_now!(),
                ") ORDER BY at DESC, content"
            ),
            &[&connection, &lane.0, &given],
        ))?;
        let of = |row: &tokio_postgres::Row| Recording {
            connection: connection.to_owned(),
            lane,
            content: row.get(0),
            body: row.get(1),
            at: row.get(2),
        };
        Ok(found.iter().map(of).collect())
    }

    async fn expire_recordings(&self, bytes_max: u64) -> Result<u64, StoreError> {
        in_transaction!(self, "drop old recordings", |sql, given| expire(
            &sql, given, bytes_max
        ))
    }
}

async fn record(
    sql: &Transaction<'_>,
    given: Option<Millis>,
    recording: &Recording,
    keep: Keep,
) -> Result<(), Fault> {
    let Recording {
        connection,
        lane,
        content,
        body,
        ..
    } = recording;
    // The lane's row is not locked: it is the queue's.
    let is_there = row(
        sql,
        "SELECT 1 FROM lane WHERE connection = $1 AND lane = $2",
        &[connection, &lane.0],
    )
    .await?;
    if is_there.is_none() {
        return Err(StoreError::NoLane { lane: lane.0 }.into());
    }
    run(
        sql,
        concat!(
            "INSERT INTO recording (connection, lane, content, body, at, until)
             SELECT $1, $2, $3, $4, now.at, now.at + $6 FROM (SELECT coalesce($5::bigint, ",
            database_now!(),
            ") AS at) AS now
             ON CONFLICT (connection, lane, content) DO UPDATE SET at = excluded.at, until = excluded.until,
                 body = excluded.body"
        ),
        &[connection, &lane.0, content, body, &given, &keep.for_ms],
    )
    .await?;
    run(
        sql,
        "DELETE FROM recording WHERE connection = $1 AND lane = $2 AND content NOT IN (
             SELECT content FROM recording WHERE connection = $1 AND lane = $2 ORDER BY at DESC, content LIMIT $3)",
        &[connection, &lane.0, &limit(keep.per_deal.max(1))],
    )
    .await
    .map(drop)
}

async fn expire(
    sql: &Transaction<'_>,
    given: Option<Millis>,
    bytes_max: u64,
) -> Result<u64, Fault> {
    let mut gone = run(
        sql,
        concat!(
            "DELETE FROM recording WHERE until <= coalesce($1::bigint, ",
            database_now!(),
            ")"
        ),
        &[&given],
    )
    .await?;
    let oldest = too_many(bytes_max);
    gone += sql
        .execute(
            &format!("DELETE FROM recording WHERE (connection, lane, content) IN ({oldest})"),
            &[],
        )
        .await?;
    Ok(gone)
}
