//! What persons order about a lane.

use deadpool_postgres::Transaction;

use super::chain;
use super::fault::Fault;
use super::lanes::{self, Desk, wake};
use crate::{AuditLine, LaneId, Millis, StoreError};

/// Kind of the audit line, and cause of the ring.
const PERSON: &str = "person";

/// Writes down who it was, and makes the locked lane due.
pub(super) async fn carry_out(
    desk: &Desk<'_>,
    message: String,
    detail: &serde_json::Value,
) -> Result<(), Fault> {
    let line = AuditLine {
        kind: PERSON.into(),
        message,
        detail: detail.to_string(),
    };
    chain::append(desk, &[line]).await?;
    wake(desk, PERSON).await
}

/// A person orders a run.
pub(super) async fn order_run(
    sql: &Transaction<'_>,
    given: Option<Millis>,
    connection: &str,
    lane: LaneId,
    by: &str,
) -> Result<(), Fault> {
    let desk = living(sql, given, connection, lane).await?;
    let message = format!("{by} ordered that the deal is tried again");
    carry_out(&desk, message, &serde_json::json!({ "by": by })).await
}

/// Makes a lane due.
pub(super) async fn wake_lane(
    sql: &Transaction<'_>,
    given: Option<Millis>,
    connection: &str,
    lane: LaneId,
    cause: &str,
) -> Result<(), Fault> {
    let desk = living(sql, given, connection, lane).await?;
    wake(&desk, cause).await
}

/// Locks the lane, or the living one into which it retired.
async fn living<'a>(
    sql: &'a Transaction<'a>,
    given: Option<Millis>,
    connection: &'a str,
    lane: LaneId,
) -> Result<Desk<'a>, Fault> {
    let no_lane = || Fault::from(StoreError::NoLane { lane: lane.0 });
    let elder = lanes::elder(sql, connection, lane)
        .await?
        .ok_or_else(no_lane)?;
    let desk = Desk::lock(sql, given, connection, elder)
        .await?
        .ok_or_else(no_lane)?;
    if lanes::elder(sql, connection, elder).await? != Some(elder) {
        return Err(Fault::overtaken("the lane retired meanwhile"));
    }
    Ok(desk)
}

/// Conditions for a list: of one connection (`$1`) or of all, only what is open or all.
pub(super) const fn narrowed(open_only: bool) -> &'static str {
    if open_only {
        "($1::text IS NULL OR connection = $1) AND closed_at IS NULL"
    } else {
        "($1::text IS NULL OR connection = $1)"
    }
}
