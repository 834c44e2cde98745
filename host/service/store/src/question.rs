//! What a lane asks a person: cards are questions, holds are writes that wait (S10, S24).
//!
//! What is asked anew in other words gets a new number. Whoever still has the old one before his eyes cannot answer what he has not
//! seen: the old number is closed.

use crate::{ConnectionId, LaneId, Millis};

/// A question for a person. A lane has at most one open card of a kind about a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// Whose.
    pub connection: ConnectionId,
    /// Which lane asks.
    pub lane: LaneId,
    /// By this number a person answers. Unique within the connection.
    pub card: i64,
    /// `conflict`, `gone`, `reopened`, … The host's word.
    pub kind: String,
    /// What it is about: a unit, a record. The host's word.
    pub subject: String,
    /// JSON of the host: the question, the choices, both values.
    pub body: String,
    /// Since when it is open.
    pub opened: Millis,
    /// What a person said, until the lane's run has done it and closes the card.
    pub answer: Option<Answer>,
    /// None: it is open.
    pub closed: Option<Closed>,
}

/// What a person chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// One of the choices of the card's body. The store does not check it.
    pub choice: String,
    /// Who.
    pub by: String,
    /// When, by the store's clock.
    pub at: Millis,
}

/// How a card or a hold came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// For people: `answered`, `both sides are alike again`.
    pub why: String,
    /// When, by the store's clock.
    pub at: Millis,
}

/// What a run does to the cards of its lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CardChange {
    /// Asks. The same kind, subject and body as an open card changes nothing, so that a run may ask each time; another body closes the
    /// open card with its answer, and opens one with a new number.
    Open {
        /// See [`Card::kind`].
        kind: String,
        /// See [`Card::subject`].
        subject: String,
        /// See [`Card::body`].
        body: String,
    },
    /// The question is answered or has gone; without an open card nothing happens. The card stays as history.
    Close {
        /// See [`Card::kind`].
        kind: String,
        /// See [`Card::subject`].
        subject: String,
        /// See [`Closed::why`].
        why: String,
    },
}

/// A write that waits for time or a person. A lane has at most one live hold of a kind about a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Whose.
    pub connection: ConnectionId,
    /// Which lane wants to write.
    pub lane: LaneId,
    /// By this number a person releases or cancels it. Unique within the connection.
    pub hold: i64,
    /// `visibility`, `help`, `contacts`, `won`, `lost`, `declined`, `mass`, … The host's word.
    pub kind: String,
    /// What it is about: a unit, a record. The host's word.
    pub subject: String,
    /// JSON of the host: before and after.
    pub body: String,
    /// Of the exact write: a verdict permits or forbids this one and no other.
    pub fingerprint: String,
    /// Since when it waits.
    pub opened: Millis,
    /// When a grace period ends, and the write may go without a verdict. None: never without one.
    pub until: Option<Millis>,
    /// What a person decided. A cancelled hold that stays live is the memory that this very write is not to be made; one that is closed
    /// and wanted again is asked again.
    pub verdict: Option<HoldVerdict>,
    /// None: it is live.
    pub closed: Option<Closed>,
}

/// What a person decided about a hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldVerdict {
    /// True: the write may go now. False: it shall not be made.
    pub released: bool,
    /// Who.
    pub by: String,
    /// When, by the store's clock.
    pub at: Millis,
}

/// What a run does to the holds of its lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HoldChange {
    /// Holds a write. Another fingerprint than the live hold's closes that one with its verdict, and opens one with a new number. The
    /// same fingerprint leaves number, age and verdict, and shows the new body; a grace period that has begun is neither prolonged nor
    /// cut short, but one that is no longer granted (none) ends, and one that is newly granted begins.
    Open {
        /// See [`Hold::kind`].
        kind: String,
        /// See [`Hold::subject`].
        subject: String,
        /// See [`Hold::body`].
        body: String,
        /// See [`Hold::fingerprint`].
        fingerprint: String,
        /// See [`Hold::until`].
        until: Option<Millis>,
    },
    /// The write was made, cancelled, or is not wanted any more; without a live hold nothing happens. The hold stays as history.
    Close {
        /// See [`Hold::kind`].
        kind: String,
        /// See [`Hold::subject`].
        subject: String,
        /// See [`Closed::why`].
        why: String,
    },
}
