//! The audit's rows.

use rusqlite::{Connection, params};

use crate::audit::{SCHEME, Sealed, Stored, Walk, chain_start, sealed};
use crate::writer::{Desk, Failure};
use crate::{AuditEntry, AuditLine, ChainBreak, LaneId, Millis};

/// Appends lines to a lane's chain and notes its new end on the lane.
pub(super) fn append(
    desk: &Desk<'_>,
    connection: &str,
    lane: LaneId,
    lines: &[AuditLine],
) -> Result<(), Failure> {
    append_at(desk.sql, desk.now, connection, lane, lines)
}

/// The same on a connection that is not the writer's.
pub(super) fn append_at(
    sql: &Connection,
    now: Millis,
    connection: &str,
    lane: LaneId,
    lines: &[AuditLine],
) -> Result<(), Failure> {
    let (mut sequence, head): (i64, Option<String>) = sql
        .prepare_cached("SELECT audited, audit_head FROM lane WHERE connection = ?1 AND lane = ?2")?
        .query_row(params![connection, lane.0], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    let mut head = head.unwrap_or_else(|| chain_start(connection, lane.0));
    for line in lines {
        sequence += 1;
        let Sealed {
            salt,
            commitment,
            hash,
        } = sealed(&head, sequence, now, line);
        sql.prepare_cached(
            "INSERT INTO audit (connection, lane, sequence, at, kind, message, detail, scheme, hash, salt, commitment)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .execute(params![
            connection,
            lane.0,
            sequence,
            now,
            line.kind,
            line.message,
            line.detail,
            SCHEME,
            hash,
            salt,
            commitment
        ])?;
        head = hash;
    }
    sql.prepare_cached(
        "UPDATE lane SET audited = ?3, audit_head = ?4 WHERE connection = ?1 AND lane = ?2",
    )?
    .execute(params![connection, lane.0, sequence, head])?;
    Ok(())
}

/// A lane's entries, oldest first.
pub(super) fn entries(
    sql: &Connection,
    connection: &str,
    lane: LaneId,
) -> Result<Vec<AuditEntry>, Failure> {
    let mut entries = Vec::new();
    each_entry(sql, connection, lane.0, |stored| entries.push(stored.entry))?;
    Ok(entries)
}

fn each_entry(
    sql: &Connection,
    connection: &str,
    lane: i64,
    mut see: impl FnMut(Stored),
) -> Result<(), Failure> {
    let mut query = sql.prepare_cached(
        "SELECT scheme, sequence, at, kind, message, detail, hash, salt, commitment, erased FROM audit
         WHERE connection = ?1 AND lane = ?2 ORDER BY sequence",
    )?;
    let mut rows = query.query(params![connection, lane])?;
    while let Some(row) = rows.next()? {
        let line = AuditLine {
            kind: row.get(3)?,
            message: row.get(4)?,
            detail: row.get(5)?,
        };
        see(Stored {
            entry: AuditEntry {
                sequence: row.get(1)?,
                at: row.get(2)?,
                line,
                hash: row.get(6)?,
            },
            scheme: row.get(0)?,
            salt: row.get(7)?,
            commitment: row.get(8)?,
            erased: row.get(9)?,
        });
    }
    Ok(())
}

/// Recomputes every chain, one lane after the other, and compares its end with what the lane says.
pub(super) fn check(sql: &Connection) -> Result<Vec<ChainBreak>, Failure> {
    let mut breaks = Vec::new();
    let mut lanes = sql.prepare_cached(
        "SELECT connection, lane, audited, audit_head FROM lane ORDER BY connection, lane",
    )?;
    let mut rows = lanes.query([])?;
    while let Some(row) = rows.next()? {
        let (connection, lane): (String, i64) = (row.get(0)?, row.get(1)?);
        let (audited, head): (i64, Option<String>) = (row.get(2)?, row.get(3)?);
        let mut walk = Walk::begin(&connection, lane);
        each_entry(sql, &connection, lane, |stored| walk.see(&stored))?;
        let broken = walk.end(audited, head.as_deref());
        breaks.extend(broken.map(|sequence| ChainBreak {
            connection,
            lane,
            sequence,
        }));
    }
    Ok(breaks)
}
