//! What is over and goes: its rows.

use async_trait::async_trait;
use rusqlite::params;

use super::SqliteStore;
use super::lanes::limit;
use crate::history::{HISTORY_PAGE, Line, judge};
use crate::writer::{Desk, Failure};
use crate::{ATTEMPTS_KEPT, HISTORY_KEPT_MS, History, HistoryPlace, Pruned, StoreError};

/// Rings in the order of their key. Says in which order the tables are read, as `reads::BELLS` does.
pub(super) const RINGS: &str =
    "SELECT event.connection, event.side, event.kind, event.record, event.ring,
         event.at < ?6 AND event.ring <= bell.answered AND event.ring < bell.rung
     FROM event CROSS JOIN bell
     WHERE (event.connection, event.side, event.kind, event.record, event.ring) > (?1, ?2, ?3, ?4, ?5)
         AND bell.connection = event.connection AND bell.side = event.side AND bell.kind = event.kind
         AND bell.record = event.record
     ORDER BY event.connection, event.side, event.kind, event.record, event.ring LIMIT ?7";

/// Writes in the order of their key.
pub(super) const WRITES: &str = "SELECT connection, lane, number,
         at < ?4 AND number <= ?5 + (SELECT max(newest.number) FROM attempt AS newest
             WHERE newest.connection = attempt.connection AND newest.lane = attempt.lane)
     FROM attempt WHERE (connection, lane, number) > (?1, ?2, ?3)
     ORDER BY connection, lane, number LIMIT ?6";

#[async_trait]
impl History for SqliteStore {
    async fn prune_history(&self, after: Option<HistoryPlace>) -> Result<Pruned, StoreError> {
        let after = after.unwrap_or(HistoryPlace::FIRST);
        self.write("drop old history", move |desk| prune(desk, &after))
            .await
    }
}

fn prune(desk: &Desk<'_>, after: &HistoryPlace) -> Result<Pruned, Failure> {
    let before = desk.now.saturating_sub(HISTORY_KEPT_MS);
    let mut gone = 0;
    match after {
        HistoryPlace::Events {
            connection,
            side,
            kind,
            record,
            ring,
        } => {
            let lines: Vec<_> = desk
                .sql
                .prepare_cached(RINGS)?
                .query_map(
                    params![
                        connection,
                        side,
                        kind,
                        record,
                        ring,
                        before,
                        limit(HISTORY_PAGE)
                    ],
                    |row| {
                        Ok(Line {
                            of: (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?),
                            number: row.get(4)?,
                            is_over: row.get(5)?,
                        })
                    },
                )?
                .collect::<Result<_, _>>()?;
            let page = judge(&lines, HISTORY_PAGE);
            for ((connection, side, kind, record), up_to) in &page.going {
                gone += desk
                    .sql
                    .prepare_cached(
                        "DELETE FROM event WHERE connection = ?1 AND side = ?2 AND kind = ?3 AND record = ?4 AND ring <= ?5",
                    )?
                    .execute(params![connection, side, kind, record, up_to])?;
            }
            Ok(page.pruned(gone as u64))
        }
        HistoryPlace::Attempts {
            connection,
            lane,
            number,
        } => {
            let lines: Vec<_> = desk
                .sql
                .prepare_cached(WRITES)?
                .query_map(
                    params![
                        connection,
                        lane,
                        number,
                        before,
                        -ATTEMPTS_KEPT,
                        limit(HISTORY_PAGE)
                    ],
                    |row| {
                        Ok(Line {
                            of: (row.get(0)?, row.get(1)?),
                            number: row.get(2)?,
                            is_over: row.get(3)?,
                        })
                    },
                )?
                .collect::<Result<_, _>>()?;
            let page = judge(&lines, HISTORY_PAGE);
            for ((connection, lane), up_to) in &page.going {
                gone += desk
                    .sql
                    .prepare_cached(
                        "DELETE FROM attempt WHERE connection = ?1 AND lane = ?2 AND number <= ?3",
                    )?
                    .execute(params![connection, lane, up_to])?;
            }
            Ok(page.pruned(gone as u64))
        }
    }
}
