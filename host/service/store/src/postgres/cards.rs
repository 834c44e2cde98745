//! Cards: asked, answered, closed.

use deadpool_postgres::{GenericClient, Transaction};
use serde_json::json;
use tokio_postgres::Row;

use super::fault::Fault;
use super::lanes::{self, Desk, row, rows, run};
use super::people;
use crate::{Answer, Card, CardChange, Closed, LaneId, Millis, StoreError};

/// The columns of [`card_from`].
macro_rules! columns {
    () => {
        "connection, lane, card, kind, subject, body, opened, choice, answered_by, answered_at, closed_why, closed_at"
    };
}

/// What a run does to its lane's cards.
pub(super) async fn change(desk: &Desk<'_>, changes: &[CardChange]) -> Result<(), Fault> {
    for change in changes {
        match change {
            CardChange::Open {
                kind,
                subject,
                body,
            } => ask(desk, kind, subject, body).await?,
            CardChange::Close { kind, subject, why } => {
                if let Some((card, _)) = open_card(desk, kind, subject).await? {
                    close(desk, card, why).await?;
                }
            }
        }
    }
    Ok(())
}

async fn ask(desk: &Desk<'_>, kind: &str, subject: &str, body: &str) -> Result<(), Fault> {
    let before = open_card(desk, kind, subject).await?;
    if before.as_ref().is_some_and(|(_, asked)| asked == body) {
        return Ok(());
    }
    let card = lanes::number(desk, "card").await?;
    if let Some((before, _)) = before {
        let why = format!("it is asked anew as card {card}");
        close(desk, before, &why).await?;
    }
    run(
        desk.sql,
        "INSERT INTO card (connection, card, lane, kind, subject, body, opened) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        &[
            &desk.connection,
            &card,
            &desk.lane.0,
            &kind,
            &subject,
            &body,
            &desk.now,
        ],
    )
    .await
    .map(drop)
}

/// Number and body of the open card.
async fn open_card(
    desk: &Desk<'_>,
    kind: &str,
    subject: &str,
) -> Result<Option<(i64, String)>, Fault> {
    let found = row(
        desk.sql,
        "SELECT card, body FROM card
         WHERE connection = $1 AND lane = $2 AND kind = $3 AND subject = $4 AND closed_at IS NULL",
        &[&desk.connection, &desk.lane.0, &kind, &subject],
    )
    .await?;
    Ok(found.map(|found| (found.get(0), found.get(1))))
}

async fn close(desk: &Desk<'_>, card: i64, why: &str) -> Result<(), Fault> {
    run(
        desk.sql,
        "UPDATE card SET closed_why = $3, closed_at = $4 WHERE connection = $1 AND card = $2",
        &[&desk.connection, &card, &why, &desk.now],
    )
    .await
    .map(drop)
}

/// Closes what a lane that retires has asked: its elder asks by itself what it still wants to know.
pub(super) async fn close_all(desk: &Desk<'_>, why: &str) -> Result<(), Fault> {
    run(
        desk.sql,
        "UPDATE card SET closed_why = $3, closed_at = $4 WHERE connection = $1 AND lane = $2 AND closed_at IS NULL",
        &[&desk.connection, &desk.lane.0, &why, &desk.now],
    )
    .await
    .map(drop)
}

/// A person's answer. The lane's run acts on it and closes the card.
pub(super) async fn answer(
    sql: &Transaction<'_>,
    given: Option<Millis>,
    connection: &str,
    card: i64,
    choice: &str,
    by: &str,
) -> Result<LaneId, Fault> {
    // Whose it is never changes; whether it is open is asked under its lane's lock.
    let of = row(
        sql,
        "SELECT lane FROM card WHERE connection = $1 AND card = $2",
        &[&connection, &card],
    )
    .await?;
    let Some(desk) = (match of {
        Some(of) => Desk::lock(sql, given, connection, LaneId(of.get(0))).await?,
        None => None,
    }) else {
        return Err(StoreError::NoCard { card, closed: None }.into());
    };
    let found = row(
        sql,
        "SELECT kind, subject, closed_why FROM card WHERE connection = $1 AND card = $2",
        &[&connection, &card],
    )
    .await?;
    let closed: Option<String> = found.as_ref().and_then(|found| found.get(2));
    let Some(found) = found.filter(|_| closed.is_none()) else {
        return Err(StoreError::NoCard { card, closed }.into());
    };
    run(
        sql,
        "UPDATE card SET choice = $3, answered_by = $4, answered_at = $5 WHERE connection = $1 AND card = $2",
        &[&connection, &card, &choice, &by, &desk.now],
    )
    .await?;
    let (kind, subject): (&str, &str) = (found.get(0), found.get(1));
    people::carry_out(
        &desk,
        format!("{by} answered card {card} ({kind}, {subject}): {choice}"),
        &json!({ "card": card, "kind": kind, "subject": subject, "choice": choice, "by": by }),
    )
    .await?;
    Ok(desk.lane)
}

/// Open cards of a lane.
pub(super) async fn open_in(
    sql: &impl GenericClient,
    connection: &str,
    lane: LaneId,
) -> Result<Vec<Card>, Fault> {
    let found = rows(
        sql,
        concat!(
            "SELECT ",
            columns!(),
            " FROM card WHERE connection = $1 AND lane = $2 AND closed_at IS NULL ORDER BY kind, subject"
        ),
        &[&connection, &lane.0],
    )
    .await?;
    Ok(found.iter().map(card_from).collect())
}

/// Cards for people, the latest first.
pub(super) async fn list(
    sql: &impl GenericClient,
    connection: Option<&str>,
    open_only: bool,
    limit: usize,
) -> Result<Vec<Card>, Fault> {
    let which = people::narrowed(open_only);
    let found = rows(
        sql,
        &format!(
            "SELECT {} FROM card WHERE {which} ORDER BY opened DESC, connection, card DESC LIMIT $2",
            columns!()
        ),
        &[&connection, &lanes::limit(limit)],
    )
    .await?;
    Ok(found.iter().map(card_from).collect())
}

fn card_from(row: &Row) -> Card {
    let answer = match (row.get(7), row.get(8), row.get(9)) {
        (Some(choice), Some(by), Some(at)) => Some(Answer { choice, by, at }),
        _ => None,
    };
    Card {
        connection: row.get(0),
        lane: LaneId(row.get(1)),
        card: row.get(2),
        kind: row.get(3),
        subject: row.get(4),
        body: row.get(5),
        opened: row.get(6),
        answer,
        closed: closed_from(row.get(10), row.get(11)),
    }
}

/// How a card or a hold came to its end, if it did.
pub(super) fn closed_from(why: Option<String>, at: Option<Millis>) -> Option<Closed> {
    why.zip(at).map(|(why, at)| Closed { why, at })
}
