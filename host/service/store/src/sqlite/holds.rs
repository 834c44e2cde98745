//! Holds: a write waits, a person decides, the wait ends.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::json;

use super::{lanes, people};
use crate::writer::{Desk, Failure};
use crate::{Closed, Hold, HoldChange, HoldVerdict, LaneId, Lease, Millis, StoreError};

/// The columns of [`hold_from`].
macro_rules! columns {
    () => {
        "connection, lane, hold, kind, subject, body, fingerprint, opened, until, released, settled_by, settled_at, closed_why, closed_at"
    };
}

/// What a run does to its lane's holds.
pub(super) fn change(
    desk: &Desk<'_>,
    lease: &Lease,
    changes: &[HoldChange],
) -> Result<(), Failure> {
    for change in changes {
        match change {
            HoldChange::Open {
                kind,
                subject,
                body,
                fingerprint,
                until,
            } => {
                let wanted = Wanted {
                    kind,
                    subject,
                    body,
                    fingerprint,
                    until: *until,
                };
                wanted.open(desk, lease)?;
            }
            HoldChange::Close { kind, subject, why } => {
                if let Some(live) = live_hold(desk.sql, lease, kind, subject)? {
                    close(desk, &lease.connection, live.hold, why)?;
                }
            }
        }
    }
    Ok(())
}

/// A write that a run wants to hold.
struct Wanted<'a> {
    kind: &'a str,
    subject: &'a str,
    body: &'a str,
    fingerprint: &'a str,
    until: Option<Millis>,
}

impl Wanted<'_> {
    fn open(&self, desk: &Desk<'_>, lease: &Lease) -> Result<(), Failure> {
        let live = live_hold(desk.sql, lease, self.kind, self.subject)?;
        if let Some(same) = live
            .as_ref()
            .filter(|live| live.fingerprint == self.fingerprint)
        {
            return self.refresh(desk, lease, same);
        }
        let hold = lanes::number(desk, &lease.connection, "hold")?;
        if let Some(other) = live {
            let why = format!("another write took its place, hold {hold}");
            close(desk, &lease.connection, other.hold, &why)?;
        }
        desk.sql
            .prepare_cached(
                "INSERT INTO hold (connection, hold, lane, kind, subject, body, fingerprint, opened, until)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute(params![
                lease.connection,
                hold,
                lease.lane.0,
                self.kind,
                self.subject,
                self.body,
                self.fingerprint,
                desk.now,
                self.until
            ])?;
        Ok(())
    }

    /// The same write as before: a grace period goes on from where it began, and a verdict stands.
    fn refresh(&self, desk: &Desk<'_>, lease: &Lease, live: &Hold) -> Result<(), Failure> {
        let until = self.until.and(live.until.or(self.until));
        if live.body == self.body && live.until == until {
            return Ok(());
        }
        desk.sql
            .prepare_cached(
                "UPDATE hold SET body = ?3, until = ?4 WHERE connection = ?1 AND hold = ?2",
            )?
            .execute(params![lease.connection, live.hold, self.body, until])?;
        Ok(())
    }
}

fn live_hold(
    sql: &Connection,
    lease: &Lease,
    kind: &str,
    subject: &str,
) -> Result<Option<Hold>, Failure> {
    Ok(sql
        .prepare_cached(concat!(
            "SELECT ",
            columns!(),
            " FROM hold WHERE connection = ?1 AND lane = ?2 AND kind = ?3 AND subject = ?4 AND closed_at IS NULL"
        ))?
        .query_row(
            params![lease.connection, lease.lane.0, kind, subject],
            hold_from,
        )
        .optional()?)
}

fn close(desk: &Desk<'_>, connection: &str, hold: i64, why: &str) -> Result<(), Failure> {
    desk.sql
        .prepare_cached(
            "UPDATE hold SET closed_why = ?3, closed_at = ?4 WHERE connection = ?1 AND hold = ?2",
        )?
        .execute(params![connection, hold, why, desk.now])?;
    Ok(())
}

/// Closes what a lane that retires holds: a permit was for its own writes, and its elder plans anew.
pub(super) fn close_all(desk: &Desk<'_>, lease: &Lease, why: &str) -> Result<(), Failure> {
    desk.sql
        .prepare_cached(
            "UPDATE hold SET closed_why = ?3, closed_at = ?4 WHERE connection = ?1 AND lane = ?2 AND closed_at IS NULL",
        )?
        .execute(params![lease.connection, lease.lane.0, why, desk.now])?;
    Ok(())
}

/// A person's verdict. The lane's run acts on it.
pub(super) fn settle(
    desk: &mut Desk<'_>,
    connection: &str,
    hold: i64,
    released: bool,
    by: &str,
) -> Result<LaneId, Failure> {
    let found = desk
        .sql
        .prepare_cached(concat!(
            "SELECT ",
            columns!(),
            " FROM hold WHERE connection = ?1 AND hold = ?2"
        ))?
        .query_row(params![connection, hold], hold_from)
        .optional()?;
    let Some(Hold {
        lane,
        kind,
        subject,
        fingerprint,
        closed: None,
        ..
    }) = found
    else {
        let closed = found
            .and_then(|found| found.closed)
            .map(|closed| closed.why);
        return Err(StoreError::NoHold { hold, closed }.into());
    };
    desk.sql
        .prepare_cached(
            "UPDATE hold SET released = ?3, settled_by = ?4, settled_at = ?5 WHERE connection = ?1 AND hold = ?2",
        )?
        .execute(params![connection, hold, released, by, desk.now])?;
    let did = if released { "released" } else { "cancelled" };
    let order = people::Order {
        connection,
        lane,
        message: format!("{by} {did} hold {hold} ({kind}, {subject})"),
        detail: json!({
            "hold": hold, "kind": kind, "subject": subject, "fingerprint": fingerprint, "released": released, "by": by
        }),
    };
    order.carry_out(desk)?;
    Ok(lane)
}

/// The live hold by which a person has forbidden one of these writes.
pub(super) fn cancelled(
    sql: &Connection,
    lease: &Lease,
    permits: &[String],
) -> Result<Option<i64>, Failure> {
    for permit in permits {
        let found = sql
            .prepare_cached(
                "SELECT hold FROM hold
                 WHERE connection = ?1 AND lane = ?2 AND closed_at IS NULL AND released = 0 AND fingerprint = ?3",
            )?
            .query_row(params![lease.connection, lease.lane.0, permit], |row| {
                row.get(0)
            })
            .optional()?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Live holds of a lane.
pub(super) fn live_in(
    sql: &Connection,
    connection: &str,
    lane: LaneId,
) -> Result<Vec<Hold>, Failure> {
    Ok(sql
        .prepare_cached(concat!(
            "SELECT ",
            columns!(),
            " FROM hold WHERE connection = ?1 AND lane = ?2 AND closed_at IS NULL ORDER BY kind, subject"
        ))?
        .query_map(params![connection, lane.0], hold_from)?
        .collect::<Result<_, _>>()?)
}

/// Holds for people, the latest first.
pub(super) fn list(
    sql: &Connection,
    connection: Option<&str>,
    live_only: bool,
    limit: usize,
) -> Result<Vec<Hold>, Failure> {
    let (whose, which) = people::narrowed(connection, live_only);
    Ok(sql
        .prepare_cached(&format!(
            "SELECT {} FROM hold WHERE {whose} AND {which} ORDER BY opened DESC, connection, hold DESC LIMIT ?2",
            columns!()
        ))?
        .query_map(params![connection, lanes::limit(limit)], hold_from)?
        .collect::<Result<_, _>>()?)
}

fn hold_from(row: &Row<'_>) -> rusqlite::Result<Hold> {
    let verdict = match (row.get(9)?, row.get(10)?, row.get(11)?) {
        (Some(released), Some(by), Some(at)) => Some(HoldVerdict { released, by, at }),
        _ => None,
    };
    let closed = match (row.get(12)?, row.get(13)?) {
        (Some(why), Some(at)) => Some(Closed { why, at }),
        _ => None,
    };
    Ok(Hold {
        connection: row.get(0)?,
        lane: LaneId(row.get(1)?),
        hold: row.get(2)?,
        kind: row.get(3)?,
        subject: row.get(4)?,
        body: row.get(5)?,
        fingerprint: row.get(6)?,
        opened: row.get(7)?,
        until: row.get(8)?,
        verdict,
        closed,
    })
}
