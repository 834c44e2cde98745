//! A person is erased from a database.

use deadpool_postgres::Transaction;
use tokio_postgres::types::{ToSql, Type};

use super::fault::Fault;
use super::lanes::{Desk, Param, row, run};
use super::{PostgresStore, Tries, chain};
use crate::copy::Cell;
use crate::erase::{Batch, Hit, KeyPart, Scrub, forget_base, select, statement, without_raw};
use crate::{AuditLine, LaneId, Millis, StoreError, audit};

impl PostgresStore {
    /// Batch by batch; answers the deals that were left because a write is under way.
    pub(crate) async fn erase(
        &self,
        batches: &[Batch],
        scrub: &Scrub,
        by: &str,
    ) -> Result<Vec<(String, i64)>, StoreError> {
        let mut left = Vec::new();
        for batch in batches {
            let done = in_transaction!(self, "erase a person", |sql, given| settle(
                &sql, given, batch, scrub, by
            ))?;
            if !done {
                left.extend(batch.lane.clone());
            }
        }
        Ok(left)
    }
}

/// Everything of one deal. False: a write that speaks of the person is under way; nothing was changed.
async fn settle(
    sql: &Transaction<'_>,
    given: Option<Millis>,
    batch: &Batch,
    scrub: &Scrub,
    by: &str,
) -> Result<bool, Fault> {
    if batch
        .hits
        .iter()
        .any(|hit| hit.personal().table == "intent")
    {
        return Ok(false);
    }
    let desk = match &batch.lane {
        Some((connection, lane)) => Desk::lock(sql, given, connection, LaneId(*lane)).await?,
        None => None,
    };
    let mut entries = Vec::new();
    let mut bases: usize = 0;
    for hit in &batch.hits {
        let table = hit.personal().table;
        let Some(cells) = read(sql, hit).await? else {
            continue;
        };
        let said = hit.scrubbed(scrub, &cells);
        if said.iter().all(Option::is_none) {
            continue;
        }
        match (&batch.lane, table, key_of(hit, table)) {
            (Some((connection, lane)), "base", Some(unit)) => {
                let gone = run(sql, &forget_base('$'), &[connection, lane, &unit]).await?;
                bases += usize::try_from(gone).unwrap_or_default();
            }
            (Some((connection, lane)), "raw", Some(hash)) => {
                run(sql, &without_raw('$'), &[connection, lane, &hash]).await?;
                change(sql, hit, &said).await?;
            }
            (Some((connection, lane)), "audit", _) => {
                change(sql, hit, &said).await?;
                entries.push(entry(sql, connection, *lane, hit).await?);
            }
            _ => change(sql, hit, &said).await?,
        }
    }
    if let Some(desk) = &desk {
        chain::append(desk, &[audit::erasure(&entries, by, bases)]).await?;
    }
    Ok(true)
}

/// What names a base (its unit) or a raw record (its hash) within a deal.
fn key_of(hit: &Hit, table: &str) -> Option<String> {
    let part = match table {
        "base" => hit.key.get(2),
        _ => hit.key.last(),
    };
    match part {
        Some(KeyPart::Text(text)) => Some(text.clone()),
        _ => None,
    }
}

async fn read(sql: &Transaction<'_>, hit: &Hit) -> Result<Option<Vec<Cell>>, Fault> {
    let key = hit.cells();
    let Some(found) = row(sql, &select(hit, '$'), &params(&key)).await? else {
        return Ok(None);
    };
    let cells = found.columns().iter().enumerate().map(|(place, column)| {
        let text = |text: Option<String>| text.map_or(Cell::Null, Cell::Text);
        let bytes = |bytes: Option<Vec<u8>>| bytes.map_or(Cell::Null, Cell::Bytes);
        match *column.type_() {
            Type::BYTEA => bytes(found.get(place)),
            _ => text(found.get(place)),
        }
    });
    Ok(Some(cells.collect()))
}

fn params(cells: &[Cell]) -> Vec<Param<'_>> {
    let param = |cell| cell as &(dyn ToSql + Sync);
    cells.iter().map(param).collect()
}

async fn change(sql: &Transaction<'_>, hit: &Hit, said: &[Option<String>]) -> Result<(), Fault> {
    let (text, cells) = statement(hit, '$', said);
    run(sql, &text, &params(&cells)).await.map(drop)
}

/// An erased entry as it stands now, with the hash that it follows.
async fn entry(
    sql: &Transaction<'_>,
    connection: &str,
    lane: i64,
    hit: &Hit,
) -> Result<(i64, String, AuditLine), Fault> {
    let Some(KeyPart::Number(sequence)) = hit.key.last() else {
        return Err(Fault::broken("an entry of an audit has no number"));
    };
    let follows = row(
        sql,
        "SELECT hash FROM audit WHERE connection = $1 AND lane = $2 AND sequence = $3",
        &[&connection, &lane, &(sequence - 1)],
    )
    .await?;
    let line = row(
        sql,
        "SELECT kind, message, detail FROM audit WHERE connection = $1 AND lane = $2 AND sequence = $3",
        &[&connection, &lane, sequence],
    )
    .await?
    .ok_or_else(|| Fault::broken("an entry of an audit is gone"))?;
    let follows = follows.map_or_else(
        || audit::chain_start(connection, lane),
        |found| found.get(0),
    );
    let line = AuditLine {
        kind: line.get(0),
        message: line.get(1),
        detail: line.get(2),
    };
    Ok((*sequence, follows, line))
}
