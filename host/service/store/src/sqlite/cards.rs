//! Cards: asked, answered, closed.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::json;

use super::{lanes, people};
use crate::writer::{Desk, Failure};
use crate::{Answer, Card, CardChange, Closed, LaneId, Lease, StoreError};

/// The columns of [`card_from`].
macro_rules! columns {
    () => {
        "connection, lane, card, kind, subject, body, opened, choice, answered_by, answered_at, closed_why, closed_at"
    };
}

/// What a run does to its lane's cards.
pub(super) fn change(
    desk: &Desk<'_>,
    lease: &Lease,
    changes: &[CardChange],
) -> Result<(), Failure> {
    for change in changes {
        match change {
            CardChange::Open {
                kind,
                subject,
                body,
            } => ask(desk, lease, kind, subject, body)?,
            CardChange::Close { kind, subject, why } => {
                if let Some((card, _)) = open_card(desk.sql, lease, kind, subject)? {
                    close(desk, &lease.connection, card, why)?;
                }
            }
        }
    }
    Ok(())
}

fn ask(
    desk: &Desk<'_>,
    lease: &Lease,
    kind: &str,
    subject: &str,
    body: &str,
) -> Result<(), Failure> {
    let before = open_card(desk.sql, lease, kind, subject)?;
    if before.as_ref().is_some_and(|(_, asked)| asked == body) {
        return Ok(());
    }
    let card = lanes::number(desk, &lease.connection, "card")?;
    if let Some((before, _)) = before {
        let why = format!("it is asked anew as card {card}");
        close(desk, &lease.connection, before, &why)?;
    }
    desk.sql
        .prepare_cached(
            "INSERT INTO card (connection, card, lane, kind, subject, body, opened) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![lease.connection, card, lease.lane.0, kind, subject, body, desk.now])?;
    Ok(())
}

/// Number and body of the open card.
fn open_card(
    sql: &Connection,
    lease: &Lease,
    kind: &str,
    subject: &str,
) -> Result<Option<(i64, String)>, Failure> {
    Ok(sql
        .prepare_cached(
            "SELECT card, body FROM card
             WHERE connection = ?1 AND lane = ?2 AND kind = ?3 AND subject = ?4 AND closed_at IS NULL",
        )?
        .query_row(
            params![lease.connection, lease.lane.0, kind, subject],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?)
}

fn close(desk: &Desk<'_>, connection: &str, card: i64, why: &str) -> Result<(), Failure> {
    desk.sql
        .prepare_cached(
            "UPDATE card SET closed_why = ?3, closed_at = ?4 WHERE connection = ?1 AND card = ?2",
        )?
        .execute(params![connection, card, why, desk.now])?;
    Ok(())
}

/// Closes what a lane that retires has asked: its elder asks by itself what it still wants to know.
pub(super) fn close_all(desk: &Desk<'_>, lease: &Lease, why: &str) -> Result<(), Failure> {
    desk.sql
        .prepare_cached(
            "UPDATE card SET closed_why = ?3, closed_at = ?4 WHERE connection = ?1 AND lane = ?2 AND closed_at IS NULL",
        )?
        .execute(params![lease.connection, lease.lane.0, why, desk.now])?;
    Ok(())
}

/// A person's answer. The lane's run acts on it and closes the card.
pub(super) fn answer(
    desk: &mut Desk<'_>,
    connection: &str,
    card: i64,
    choice: &str,
    by: &str,
) -> Result<LaneId, Failure> {
    let found: Option<(i64, String, String, Option<String>)> = desk
        .sql
        .prepare_cached(
            "SELECT lane, kind, subject, closed_why FROM card WHERE connection = ?1 AND card = ?2",
        )?
        .query_row(params![connection, card], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .optional()?;
    let Some((lane, kind, subject, None)) = found else {
        let closed = found.and_then(|(.., why)| why);
        return Err(StoreError::NoCard { card, closed }.into());
    };
    desk.sql
        .prepare_cached(
            "UPDATE card SET choice = ?3, answered_by = ?4, answered_at = ?5 WHERE connection = ?1 AND card = ?2",
        )?
        .execute(params![connection, card, choice, by, desk.now])?;
    let order = people::Order {
        connection,
        lane: LaneId(lane),
        message: format!("{by} answered card {card} ({kind}, {subject}): {choice}"),
        detail: json!({ "card": card, "kind": kind, "subject": subject, "choice": choice, "by": by }),
    };
    order.carry_out(desk)?;
    Ok(LaneId(lane))
}

/// Open cards of a lane.
pub(super) fn open_in(
    sql: &Connection,
    connection: &str,
    lane: LaneId,
) -> Result<Vec<Card>, Failure> {
    Ok(sql
        .prepare_cached(concat!(
            "SELECT ",
            columns!(),
            " FROM card WHERE connection = ?1 AND lane = ?2 AND closed_at IS NULL ORDER BY kind, subject"
        ))?
        .query_map(params![connection, lane.0], card_from)?
        .collect::<Result<_, _>>()?)
}

/// Cards for people, the latest first.
pub(super) fn list(
    sql: &Connection,
    connection: Option<&str>,
    open_only: bool,
    limit: usize,
) -> Result<Vec<Card>, Failure> {
    let (whose, which) = people::narrowed(connection, open_only);
    Ok(sql
        .prepare_cached(&format!(
            "SELECT {} FROM card WHERE {whose} AND {which} ORDER BY opened DESC, connection, card DESC LIMIT ?2",
            columns!()
        ))?
        .query_map(params![connection, lanes::limit(limit)], card_from)?
        .collect::<Result<_, _>>()?)
}

fn card_from(row: &Row<'_>) -> rusqlite::Result<Card> {
    let answer = match (row.get(7)?, row.get(8)?, row.get(9)?) {
        (Some(choice), Some(by), Some(at)) => Some(Answer { choice, by, at }),
        _ => None,
    };
    let closed = match (row.get(10)?, row.get(11)?) {
        (Some(why), Some(at)) => Some(Closed { why, at }),
        _ => None,
    };
    Ok(Card {
        connection: row.get(0)?,
        lane: LaneId(row.get(1)?),
        card: row.get(2)?,
        kind: row.get(3)?,
        subject: row.get(4)?,
        body: row.get(5)?,
        opened: row.get(6)?,
        answer,
        closed,
    })
}
