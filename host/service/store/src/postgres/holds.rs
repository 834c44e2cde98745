//! Holds: a write waits, a person decides, the wait ends.

use deadpool_postgres::{GenericClient, Transaction};
use serde_json::json;
use tokio_postgres::Row;

use super::cards::closed_from;
use super::fault::Fault;
use super::lanes::{self, Desk, row, rows, run};
use super::people;
use crate::{Hold, HoldChange, HoldVerdict, LaneId, Millis, StoreError};

/// The columns of [`hold_from`].
macro_rules! columns {
    () => {
        "connection, lane, hold, kind, subject, body, fingerprint, opened, until, released, settled_by, settled_at, closed_why, closed_at"
    };
}

/// What a run does to its lane's holds.
pub(super) async fn change(desk: &Desk<'_>, changes: &[HoldChange]) -> Result<(), Fault> {
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
                wanted.open(desk).await?;
            }
            HoldChange::Close { kind, subject, why } => {
                if let Some(live) = live_hold(desk, kind, subject).await? {
                    close(desk, live.hold, why).await?;
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
    async fn open(&self, desk: &Desk<'_>) -> Result<(), Fault> {
        let live = live_hold(desk, self.kind, self.subject).await?;
        if let Some(same) = live
            .as_ref()
            .filter(|live| live.fingerprint == self.fingerprint)
        {
            return self.refresh(desk, same).await;
        }
        let hold = lanes::number(desk, "hold").await?;
        if let Some(other) = live {
            let why = format!("another write took its place, hold {hold}");
            close(desk, other.hold, &why).await?;
        }
        run(
            desk.sql,
            "INSERT INTO hold (connection, hold, lane, kind, subject, body, fingerprint, opened, until)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            &[
                &desk.connection,
                &hold,
                &desk.lane.0,
                &self.kind,
                &self.subject,
                &self.body,
                &self.fingerprint,
                &desk.now,
                &self.until,
            ],
        )
        .await
        .map(drop)
    }

    /// The same write as before: a grace period goes on from where it began, and a verdict stands.
    async fn refresh(&self, desk: &Desk<'_>, live: &Hold) -> Result<(), Fault> {
        let until = self.until.and(live.until.or(self.until));
        if live.body == self.body && live.until == until {
            return Ok(());
        }
        run(
            desk.sql,
            "UPDATE hold SET body = $3, until = $4 WHERE connection = $1 AND hold = $2",
            &[&desk.connection, &live.hold, &self.body, &until],
        )
        .await
        .map(drop)
    }
}

async fn live_hold(desk: &Desk<'_>, kind: &str, subject: &str) -> Result<Option<Hold>, Fault> {
    let found = row(
        desk.sql,
        concat!(
            "SELECT ",
            columns!(),
            " FROM hold WHERE connection = $1 AND lane = $2 AND kind = $3 AND subject = $4 AND closed_at IS NULL"
        ),
        &[&desk.connection, &desk.lane.0, &kind, &subject],
    )
    .await?;
    Ok(found.as_ref().map(hold_from))
}

async fn close(desk: &Desk<'_>, hold: i64, why: &str) -> Result<(), Fault> {
    run(
        desk.sql,
        "UPDATE hold SET closed_why = $3, closed_at = $4 WHERE connection = $1 AND hold = $2",
        &[&desk.connection, &hold, &why, &desk.now],
    )
    .await
    .map(drop)
}

/// Closes what a lane that retires holds: a permit was for its own writes, and its elder plans anew.
pub(super) async fn close_all(desk: &Desk<'_>, why: &str) -> Result<(), Fault> {
    run(
        desk.sql,
        "UPDATE hold SET closed_why = $3, closed_at = $4 WHERE connection = $1 AND lane = $2 AND closed_at IS NULL",
        &[&desk.connection, &desk.lane.0, &why, &desk.now],
    )
    .await
    .map(drop)
}

/// A person's verdict. The lane's run acts on it.
pub(super) async fn settle(
    sql: &Transaction<'_>,
    given: Option<Millis>,
    connection: &str,
    hold: i64,
    released: bool,
    by: &str,
) -> Result<LaneId, Fault> {
    // Whose it is never changes; whether it is live is asked under its lane's lock.
    let of = row(
        sql,
        "SELECT lane FROM hold WHERE connection = $1 AND hold = $2",
        &[&connection, &hold],
    )
    .await?;
    let Some(desk) = (match of {
        Some(of) => Desk::lock(sql, given, connection, LaneId(of.get(0))).await?,
        None => None,
    }) else {
        return Err(StoreError::NoHold { hold, closed: None }.into());
    };
    let found = row(
        sql,
        concat!(
            "SELECT ",
            columns!(),
            " FROM hold WHERE connection = $1 AND hold = $2"
        ),
        &[&connection, &hold],
    )
    .await?
    .as_ref()
    .map(hold_from);
    let Some(Hold {
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
    run(
        sql,
        "UPDATE hold SET released = $3, settled_by = $4, settled_at = $5 WHERE connection = $1 AND hold = $2",
        &[&connection, &hold, &i64::from(released), &by, &desk.now],
    )
    .await?;
    let did = if released { "released" } else { "cancelled" };
    people::carry_out(
        &desk,
        format!("{by} {did} hold {hold} ({kind}, {subject})"),
        &json!({
            "hold": hold, "kind": kind, "subject": subject, "fingerprint": fingerprint, "released": released, "by": by
        }),
    )
    .await?;
    Ok(desk.lane)
}

/// Live holds of a lane.
pub(super) async fn live_in(
    sql: &impl GenericClient,
    connection: &str,
    lane: LaneId,
) -> Result<Vec<Hold>, Fault> {
    let found = rows(
        sql,
        concat!(
            "SELECT ",
            columns!(),
            " FROM hold WHERE connection = $1 AND lane = $2 AND closed_at IS NULL ORDER BY kind, subject"
        ),
        &[&connection, &lane.0],
    )
    .await?;
    Ok(found.iter().map(hold_from).collect())
}

/// Holds for people, the latest first.
pub(super) async fn list(
    sql: &impl GenericClient,
    connection: Option<&str>,
    live_only: bool,
    limit: usize,
) -> Result<Vec<Hold>, Fault> {
    let which = people::narrowed(live_only);
    let found = rows(
        sql,
        &format!(
            "SELECT {} FROM hold WHERE {which} ORDER BY opened DESC, connection, hold DESC LIMIT $2",
            columns!()
        ),
        &[&connection, &lanes::limit(limit)],
    )
    .await?;
    Ok(found.iter().map(hold_from).collect())
}

fn hold_from(row: &Row) -> Hold {
    let verdict = match (row.get::<_, Option<i64>>(9), row.get(10), row.get(11)) {
        (Some(released), Some(by), Some(at)) => Some(HoldVerdict {
            released: released != 0,
            by,
            at,
        }),
        _ => None,
    };
    Hold {
        connection: row.get(0),
        lane: LaneId(row.get(1)),
        hold: row.get(2),
        kind: row.get(3),
        subject: row.get(4),
        body: row.get(5),
        fingerprint: row.get(6),
        opened: row.get(7),
        until: row.get(8),
        verdict,
        closed: closed_from(row.get(12), row.get(13)),
    }
}
