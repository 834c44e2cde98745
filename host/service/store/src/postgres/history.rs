//! What is over and goes: its rows.

use async_trait::async_trait;
use deadpool_postgres::Transaction;

use super::fault::Fault;
use super::lanes::{limit, rows, run};
use super::{PostgresStore, Tries};
use crate::history::{HISTORY_PAGE, Line, Page, Rung, Wrote, judge};
use crate::{ATTEMPTS_KEPT, HISTORY_KEPT_MS, History, HistoryPlace, Millis, Pruned, StoreError};

#[async_trait]
impl History for PostgresStore {
    async fn prune_history(&self, after: Option<HistoryPlace>) -> Result<Pruned, StoreError> {
        let after = &after.unwrap_or(HistoryPlace::FIRST);
        in_transaction!(self, "drop old history", |sql, given| prune(
            &sql, given, after
        ))
    }
}

/// No lane is locked: what is answered stays answered, what is old grows older, and nothing that a run reads goes.
async fn prune(
    sql: &Transaction<'_>,
    given: Option<Millis>,
    after: &HistoryPlace,
) -> Result<Pruned, Fault> {
    match after {
        HistoryPlace::Events {
            connection,
            side,
            kind,
            record,
            ring,
        } => {
            let found = rows(
                sql,
                concat!(
                    "SELECT event.connection, event.side, event.kind, event.record, event.ring,
                         event.at < coalesce($6::bigint, ",
                    database_now!(),
                    ") - $7::bigint AND event.ring <= bell.answered AND event.ring < bell.rung
                     FROM event JOIN bell ON bell.connection = event.connection AND bell.side = event.side
                         AND bell.kind = event.kind AND bell.record = event.record
                     WHERE (event.connection, event.side, event.kind, event.record, event.ring) > ($1, $2, $3, $4, $5)
                     ORDER BY event.connection, event.side, event.kind, event.record, event.ring LIMIT $8"
                ),
                &[
                    connection,
                    side,
                    kind,
                    record,
                    ring,
                    &given,
                    &HISTORY_KEPT_MS,
                    &limit(HISTORY_PAGE),
                ],
            )
            .await?;
            let lines: Vec<_> = found
                .iter()
                .map(|row| Line {
                    of: (row.get(0), row.get(1), row.get(2), row.get(3)),
                    number: row.get(4),
                    is_over: row.get(5),
                })
                .collect();
            let page = judge(&lines, HISTORY_PAGE);
            let gone = drop_rings(sql, &page).await?;
            Ok(page.pruned(gone))
        }
        HistoryPlace::Attempts {
            connection,
            lane,
            number,
        } => {
            let found = rows(
                sql,
                concat!(
                    "SELECT connection, lane, number, at < coalesce($4::bigint, ",
                    database_now!(),
                    ") - $5::bigint AND number <= (SELECT max(newest.number) FROM attempt AS newest
                         WHERE newest.connection = attempt.connection AND newest.lane = attempt.lane) - $6::bigint
                     FROM attempt WHERE (connection, lane, number) > ($1, $2, $3)
                     ORDER BY connection, lane, number LIMIT $7"
                ),
                &[
                    connection,
                    lane,
                    number,
                    &given,
                    &HISTORY_KEPT_MS,
                    &ATTEMPTS_KEPT,
                    &limit(HISTORY_PAGE),
                ],
            )
            .await?;
            let lines: Vec<_> = found
                .iter()
                .map(|row| Line {
                    of: (row.get(0), row.get(1)),
                    number: row.get(2),
                    is_over: row.get(3),
                })
                .collect();
            let page = judge(&lines, HISTORY_PAGE);
            let gone = drop_writes(sql, &page).await?;
            Ok(page.pruned(gone))
        }
    }
}

async fn drop_rings(sql: &Transaction<'_>, page: &Page<Rung>) -> Result<u64, Fault> {
    if page.going.is_empty() {
        return Ok(0);
    }
    let column = |of: fn(&Rung) -> &str| page.going.iter().map(|(rung, _)| of(rung)).collect();
    let (connections, sides): (Vec<&str>, Vec<&str>) = (column(|of| &of.0), column(|of| &of.1));
    let (kinds, records): (Vec<&str>, Vec<&str>) = (column(|of| &of.2), column(|of| &of.3));
    let up_to: Vec<i64> = page.going.iter().map(|(_, up_to)| *up_to).collect();
    run(
        sql,
        "DELETE FROM event USING unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[])
             AS old (connection, side, kind, record, ring)
         WHERE event.connection = old.connection AND event.side = old.side AND event.kind = old.kind
             AND event.record = old.record AND event.ring <= old.ring",
        &[&connections, &sides, &kinds, &records, &up_to],
    )
    .await
}

async fn drop_writes(sql: &Transaction<'_>, page: &Page<Wrote>) -> Result<u64, Fault> {
    if page.going.is_empty() {
        return Ok(0);
    }
    let going = || page.going.iter();
    let connections: Vec<&str> = going().map(|((of, _), _)| of.as_str()).collect();
    let lanes: Vec<i64> = going().map(|((_, lane), _)| *lane).collect();
    let up_to: Vec<i64> = going().map(|(_, up_to)| *up_to).collect();
    run(
        sql,
        "DELETE FROM attempt USING unnest($1::text[], $2::bigint[], $3::bigint[]) AS old (connection, lane, number)
         WHERE attempt.connection = old.connection AND attempt.lane = old.lane AND attempt.number <= old.number",
        &[&connections, &lanes, &up_to],
    )
    .await
}
