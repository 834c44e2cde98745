//! What persons order about a lane, and what they ask to see.

use super::{chain, lanes};
use crate::writer::{Desk, Failure};
use crate::{AuditLine, LaneId, StoreError};

/// Kind of the audit line, and cause of the ring.
const PERSON: &str = "person";

/// What a person decided about a lane.
pub(super) struct Order<'a> {
    pub(super) connection: &'a str,
    pub(super) lane: LaneId,
    /// Who did what, in one sentence.
    pub(super) message: String,
    /// The same for programs.
    pub(super) detail: serde_json::Value,
}

impl Order<'_> {
    /// Writes down who it was, and makes the lane due.
    pub(super) fn carry_out(self, desk: &mut Desk<'_>) -> Result<(), Failure> {
        let line = AuditLine {
            kind: PERSON.into(),
            message: self.message,
            detail: self.detail.to_string(),
        };
        chain::append(desk, self.connection, self.lane, &[line])?;
        lanes::wake(desk, self.connection, self.lane, PERSON)
    }
}

/// A person orders a run.
pub(super) fn order_run(
    desk: &mut Desk<'_>,
    connection: &str,
    lane: LaneId,
    by: &str,
) -> Result<(), Failure> {
    let Some(elder) = lanes::elder(desk.sql, connection, lane)? else {
        return Err(StoreError::NoLane { lane: lane.0 }.into());
    };
    let order = Order {
        connection,
        lane: elder,
        message: format!("{by} ordered that the deal is tried again"),
        detail: serde_json::json!({ "by": by }),
    };
    order.carry_out(desk)
}

/// Conditions for a list: of one connection (`?1`) or of all, only what is open or all. Said so that the index of open rows serves.
pub(super) const fn narrowed(
    connection: Option<&str>,
    open_only: bool,
) -> (&'static str, &'static str) {
    (
        if connection.is_some() {
            "connection = ?1"
        } else {
            "?1 IS NULL"
        },
        if open_only {
            "closed_at IS NULL"
        } else {
            "TRUE"
        },
    )
}
