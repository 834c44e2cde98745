//! Events and the bells that they ring (S2).

use crate::{ConnectionId, LaneId, Millis, RecordKey};

/// The cause of a bell that a person rings.
pub const PERSON: &str = "person";
/// Why a record rings that a full compare has met.
pub const FULL_COMPARE: &str = "full compare";
/// Why a lane rings whose plugins have changed.
pub const PLUGINS_CHANGED: &str = "plugins changed";
/// Why a record rings that came from a lane that retired. It tells nothing new.
pub(crate) const RETIRED: &str = "lane-retired";
/// Causes for which nobody waits: as far as one knows, nobody has changed the record just now.
pub const UNHURRIED: [&str; 2] = [FULL_COMPARE, PLUGINS_CHANGED];

/// An event that passed the door, or a ring of the sweep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedEvent {
    /// Whose.
    pub connection: ConnectionId,
    /// "Look at this record."
    pub record: RecordKey,
    /// Why: `referral-updated`, `Update`, `sweep`, [`PERSON`].
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
    /// The last cause, as far as it counts: while a bell rings, what a person has ordered is not forgotten over what rings later, and what
    /// nobody waits for ([`UNHURRIED`]) hides nothing else. Neither does the move from a lane that retired.
    pub cause: String,
    /// When it rang first since the last answer.
    pub since: Millis,
}

/// Which of two causes counts that ring one after the other, unanswered.
pub(crate) fn counts<'a>(before: &'a str, now: &'a str) -> &'a str {
    if before == PERSON || now == RETIRED || UNHURRIED.contains(&now) {
        before
    } else {
        now
    }
}

impl Bell {
    /// Whether it has rung again since a run noted it among these; also, whether the run did not meet it.
    pub(crate) fn rang_after(&self, noted: &[Self]) -> bool {
        let noted = noted.iter().filter(|noted| noted.record == self.record);
        self.rung > noted.map(|noted| noted.rung).max().unwrap_or(self.answered)
    }
}
