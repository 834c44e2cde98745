//! Accepting events, and ringing bells.

use rusqlite::{OptionalExtension, params};

use super::{lanes, links};
use crate::bell::RETIRED;
use crate::writer::{Desk, Failure};
use crate::{
    Accepted, AcceptedEvent, CursorAdvance, FULL_COMPARE, LaneId, PERSON, PLUGINS_CHANGED,
    RecordKey,
};

/// All events and the cursor, or nothing (I1, I10).
pub(super) fn accept(
    desk: &mut Desk<'_>,
    events: &[AcceptedEvent],
    cursor: Option<&CursorAdvance>,
) -> Result<Vec<Accepted>, Failure> {
    let mut accepted = Vec::with_capacity(events.len());
    for event in events {
        accepted.push(accept_one(desk, event)?);
    }
    if let Some(cursor) = cursor {
        advance(desk, cursor)?;
    }
    Ok(accepted)
}

fn accept_one(desk: &mut Desk<'_>, event: &AcceptedEvent) -> Result<Accepted, Failure> {
    if let Some(dedupe) = &event.dedupe
        && desk
            .sql
            .prepare_cached("SELECT 1 FROM event WHERE connection = ?1 AND dedupe = ?2")?
            .exists(params![event.connection, dedupe])?
    {
        return Ok(Accepted::Duplicate);
    }
    let lane = lane_for(desk, event)?;
    let ring = Ring {
        connection: &event.connection,
        record: &event.record,
        cause: &event.cause,
    };
    if ring.ring(desk, event.dedupe.as_deref())? {
        desk.check_backlog()?;
    }
    lanes::make_due(desk, &event.connection, lane)?;
    Ok(Accepted::Rung(lane))
}

/// One ring of one record's bell.
pub(super) struct Ring<'a> {
    pub(super) connection: &'a str,
    pub(super) record: &'a RecordKey,
    pub(super) cause: &'a str,
}

impl Ring<'_> {
    /// Counts the ring and keeps the event. True: the bell had been answered, and waits from now on.
    pub(super) fn ring(&self, desk: &mut Desk<'_>, dedupe: Option<&str>) -> Result<bool, Failure> {
        let Self {
            connection,
            record: RecordKey { side, kind, id },
            cause,
        } = self;
        let (rung, answered): (i64, i64) = desk
            .sql
            .prepare_cached(
                "INSERT INTO bell (connection, side, kind, record, rung, answered, cause, since)
                 VALUES (?1, ?2, ?3, ?4, 1, 0, ?5, ?6)
                 ON CONFLICT (connection, side, kind, record) DO UPDATE SET
                     rung = bell.rung + 1,
                     cause = CASE WHEN bell.rung > bell.answered AND (bell.cause = ?7 OR excluded.cause IN (?8, ?9, ?10))
                         THEN bell.cause ELSE excluded.cause END,
                     since = CASE WHEN bell.rung > bell.answered THEN bell.since ELSE excluded.since END
                 RETURNING rung, answered",
            )?
            .query_row(params![connection, side, kind, id, cause, desk.now, PERSON, FULL_COMPARE, PLUGINS_CHANGED, RETIRED], |row| Ok((row.get(0)?, row.get(1)?)))?;
        desk.sql
            .prepare_cached(
                "INSERT INTO event (connection, side, kind, record, ring, cause, dedupe, at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![
                connection, side, kind, id, rung, cause, dedupe, desk.now
            ])?;
        let newly_waiting = rung - answered == 1;
        if newly_waiting {
            desk.backlog.waiting += 1;
        }
        Ok(newly_waiting)
    }
}

/// The lane in which the event's bell hangs: the member table's, the caller's, or a new one.
fn lane_for(desk: &Desk<'_>, event: &AcceptedEvent) -> Result<LaneId, Failure> {
    let AcceptedEvent {
        connection, record, ..
    } = event;
    let known = lane_of(desk.sql, connection, record)?;
    let wanted = match event.lane {
        Some(lane) => lanes::elder(desk.sql, connection, lane)?,
        None => None,
    };
    match (known, wanted) {
        (Some(known), None) => Ok(known),
        (Some(known), Some(wanted)) if known == wanted => Ok(known),
        (Some(known), Some(wanted)) => {
            // The caller knows better, unless the lane has made something of the record already: a link, an intent or a run in
            // flight is not undone from outside (S13).
            if links::exists(desk.sql, connection, known)?
                || lanes::is_busy(desk.sql, connection, known)?
            {
                return Ok(known);
            }
            desk.sql
                .prepare_cached(
                    "UPDATE member SET lane = ?5 WHERE connection = ?1 AND side = ?2 AND kind = ?3 AND record = ?4",
                )?
                .execute(params![connection, record.side, record.kind, record.id, wanted.0])?;
            Ok(wanted)
        }
        (None, wanted) => {
            let lane = match wanted {
                Some(lane) => lane,
                None => lanes::create(desk, connection)?,
            };
            join(desk, connection, lane, record)?;
            Ok(lane)
        }
    }
}

/// Which lane a record belongs to.
pub(super) fn lane_of(
    sql: &rusqlite::Connection,
    connection: &str,
    record: &RecordKey,
) -> Result<Option<LaneId>, Failure> {
    Ok(sql
        .prepare_cached(
            "SELECT lane FROM member WHERE connection = ?1 AND side = ?2 AND kind = ?3 AND record = ?4",
        )?
        .query_row(params![connection, record.side, record.kind, record.id], |row| row.get(0).map(LaneId))
        .optional()?)
}

/// Makes a record that belongs to no lane a member of this one.
pub(super) fn join(
    desk: &Desk<'_>,
    connection: &str,
    lane: LaneId,
    record: &RecordKey,
) -> Result<(), Failure> {
    desk.sql
        .prepare_cached(
            "INSERT INTO member (connection, side, kind, record, lane) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            connection,
            record.side,
            record.kind,
            record.id,
            lane.0
        ])?;
    Ok(())
}

fn advance(desk: &Desk<'_>, cursor: &CursorAdvance) -> Result<(), Failure> {
    desk.sql
        .prepare_cached(
            "INSERT INTO cursor (connection, stream, value, at) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (connection, stream) DO UPDATE SET value = excluded.value, at = excluded.at",
        )?
        .execute(params![cursor.connection, cursor.stream, cursor.value, desk.now])?;
    Ok(())
}
