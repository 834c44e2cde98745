//! Events and the bells that they ring (S2).

use crate::{ConnectionId, LaneId, Millis, RecordKey};

/// An event that passed the door, or a ring of the sweep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedEvent {
    /// Whose.
    pub connection: ConnectionId,
    /// "Look at this record."
    pub record: RecordKey,
    /// Why: `referral-updated`, `Update`, `sweep`, `person`. For the audit only.
    pub cause: String,
    /// Two events with the same key are one event. None: never a duplicate (the sweep only rings).
    pub dedupe: Option<String>,
    /// The lane to which the record belongs if the caller knows better than the member table; else found or made. A retired lane
    /// stands for its elder, an unknown one for none. A record that another lane has linked, is writing or is looking at stays there.
    pub lane: Option<LaneId>,
}

/// What became of an accepted event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// Stored; the bell has rung in this lane.
    Rung(LaneId),
    /// Seen before; nothing changed.
    Duplicate,
}

/// A cursor's new value, committed together with the events that it covers (I10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CursorAdvance {
    /// Whose.
    pub connection: ConnectionId,
    /// `partner-center`, `crm/opportunity`.
    pub stream: String,
    /// Opaque.
    pub value: String,
}

/// A record's bell as a run finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bell {
    /// Which record.
    pub record: RecordKey,
    /// How often it has rung.
    pub rung: i64,
    /// Up to which ring a run has answered.
    pub answered: i64,
    /// The last cause.
    pub cause: String,
    /// When it rang first since the last answer.
    pub since: Millis,
}
