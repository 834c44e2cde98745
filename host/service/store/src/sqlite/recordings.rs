//! What runs saw: its rows.

use async_trait::async_trait;
use rusqlite::{OptionalExtension as _, params};

use super::SqliteStore;
use crate::recordings::too_many;
use crate::writer::{Desk, Failure};
use crate::{Keep, LaneId, Recording, Recordings, StoreError};

#[async_trait]
impl Recordings for SqliteStore {
    async fn record(&self, recording: Recording, keep: Keep) -> Result<(), StoreError> {
        self.write("keep a recording", move |desk| {
            record(desk, &recording, keep)
        })
        .await
    }

    async fn recordings(
        &self,
        connection: &str,
        lane: LaneId,
    ) -> Result<Vec<Recording>, StoreError> {
        let (connection, now) = (connection.to_owned(), (self.clock)());
        self.read("read recordings", move |sql| {
            Ok(sql
                .prepare_cached(
                    "SELECT content, body, at FROM recording
                     WHERE connection = ?1 AND lane = ?2 AND until > ?3 ORDER BY at DESC, content",
                )?
                .query_map(params![connection, lane.0, now], |row| {
                    Ok(Recording {
                        connection: connection.clone(),
                        lane,
                        content: row.get(0)?,
                        body: row.get(1)?,
                        at: row.get(2)?,
                    })
                })?
                .collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn expire_recordings(&self, bytes_max: u64) -> Result<u64, StoreError> {
        self.write("drop old recordings", move |desk| {
            let mut gone = desk
                .sql
                .prepare_cached("DELETE FROM recording WHERE until <= ?1")?
                .execute([desk.now])?;
            let oldest = too_many(bytes_max);
            gone += desk
                .sql
                .prepare(&format!(
                    "DELETE FROM recording WHERE (connection, lane, content) IN ({oldest})"
                ))?
                .execute([])?;
            Ok(gone as u64)
        })
        .await
    }
}

fn record(desk: &Desk<'_>, recording: &Recording, keep: Keep) -> Result<(), Failure> {
    let Recording {
        connection,
        lane,
        content,
        body,
        ..
    } = recording;
    let is_there = desk
        .sql
        .prepare_cached("SELECT 1 FROM lane WHERE connection = ?1 AND lane = ?2")?
        .query_row(params![connection, lane.0], |_| Ok(()))
        .optional()?;
    if is_there.is_none() {
        return Err(StoreError::NoLane { lane: lane.0 }.into());
    }
    desk.sql
        .prepare_cached(
            "INSERT INTO recording (connection, lane, content, body, at, until) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (connection, lane, content) DO UPDATE SET at = excluded.at, until = excluded.until,
                 body = excluded.body",
        )?
        .execute(params![
            connection,
            lane.0,
            content,
            body,
            desk.now,
            desk.now.saturating_add(keep.for_ms)
        ])?;
    desk.sql
        .prepare_cached(
            "DELETE FROM recording WHERE connection = ?1 AND lane = ?2 AND content NOT IN (
                 SELECT content FROM recording WHERE connection = ?1 AND lane = ?2 ORDER BY at DESC, content LIMIT ?3)",
        )?
        .execute(params![connection, lane.0, keep.per_deal.max(1) as i64])?;
    Ok(())
}
