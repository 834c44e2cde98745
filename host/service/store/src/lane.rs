//! Lanes: leased, looked at, left.

use std::collections::BTreeMap;

use crate::{
    Bell, Card, ConnectionId, Hold, Intent, LaneId, LinkState, Millis, RecentWrite, RecordKey,
};

/// The right to work on a lane until the lease runs out. Completing with an old fence changes nothing (I3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Whose.
    pub connection: ConnectionId,
    /// Which lane.
    pub lane: LaneId,
    /// Grows with every claim.
    pub fence: i64,
    /// When the lease runs out.
    pub until: Millis,
}
/// Lanes on a page, unless a filter says otherwise: what a terminal still shows.
const PAGE: usize = 100;

/// Everything that a run needs to know about its lane, read in one transaction.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LaneState {
    /// All records of the lane.
    pub members: Vec<RecordKey>,
    /// Their bells. A run answers these counters and no later ring (I7).
    pub bells: Vec<Bell>,
    /// The pair, if there is one.
    pub link: Option<LinkState>,
    /// A write whose outcome is unknown. At most one (I5).
    pub intent: Option<Intent>,
    /// Failures in a row.
    pub attempts: i64,
    /// The reasons that parked it last, as [`Next::Parked`] gave them; none once the lane has been settled since. The same reasons are the same
    /// failure, so that it is marked and told once (S26).
    pub failure: Option<String>,
    /// What the lane stood on when it was parked last ([`Next::Parked`]), kept as long as `failure` is. While a look finds the same,
    /// the lane stays parked (S26).
    pub parked_on: Option<String>,
    /// When the lane was born.
    pub born: Millis,
    /// Open cards with the answers that they have, by kind and subject.
    pub cards: Vec<Card>,
    /// Live holds with the verdicts that they have, by kind and subject.
    pub holds: Vec<Hold>,
    /// The lane's writes of the last ten minutes ([`crate::RECENT_WRITES_MS`]), newest first (S27).
    pub writes: Vec<RecentWrite>,
}

/// Where a lane stands when its run ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Nothing to do until a bell rings.
    Settled,
    /// Run again at this moment (backoff, incomplete, quiet period). Carries the reason for people.
    Wait {
        /// When.
        until: Millis,
        /// What the run has come to by then.
        after: After,
        /// For people.
        reason: String,
    },
    /// Needs a person. A bell or a person makes it due; whether anything is different then, [`LaneState::parked_on`] helps to tell (S26).
    Parked {
        /// JSON list of reasons. Kept as [`LaneState::failure`] however the lane waits meanwhile.
        reasons: String,
        /// Fingerprint of what the run stood on: the state without derived columns, the plugin set, the configuration. None if that
        /// was not read: then any bell is a reason to try again.
        state: Option<String>,
    },
    /// A hold or a card is open, and only a bell or a person goes on. A grace period that ends by itself is a [`Next::Wait`].
    Held {
        /// For people.
        reason: String,
    },
    /// A record is gone (S18).
    Orphaned {
        /// For people.
        reason: String,
    },
    /// Sync is off for this deal (S21).
    Paused {
        /// For people.
        reason: String,
    },
    /// Ends the lane; its members, bells and events go to the elder (S13), whose bells ring for each. A link that is no pair yet is
    /// dropped; a pair cannot retire ([`crate::StoreError::Linked`]).
    Retired {
        /// The elder; if it has retired itself, the one into which it did.
        into: LaneId,
    },
}

/// What a run has come to that ends in [`Next::Wait`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// It has looked, and waiting is what came of it: its bells are answered, and its failures forgotten. From then on the wait holds the
    /// duty to look again.
    Look,
    /// It has not got to look: its bells ring on, and its failures count on.
    PutOff,
    /// It has failed: its bells ring on, and one failure more counts towards the backoff.
    Failure,
}

/// A lane for people and for the census.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneSummary {
    /// Whose.
    pub connection: ConnectionId,
    /// Which.
    pub lane: LaneId,
    /// `settled`, `due`, `running`, `waiting`, `held`, `parked`, `orphaned`, `paused`, `retired`.
    pub state: String,
    /// For people.
    pub reason: Option<String>,
    /// When it runs next, as far as that is known; none while it runs.
    pub next_at: Option<Millis>,
    /// The pair, without bases and raws.
    pub link: Option<LinkState>,
    /// Unanswered rings.
    pub unanswered: i64,
    /// Failures in a row.
    pub attempts: i64,
    /// When its last run ended. For one from before version 2 of the tables, when it last said something in the audit.
    pub ran: Option<Millis>,
}

/// Which lanes a page lists. The default lists all, from the youngest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneFilter {
    /// Only lanes in these states ([`LaneSummary::state`]); empty: in any.
    pub states: Vec<String>,
    /// Only lanes whose last run ended, or whose last bell rang, at this moment or later.
    pub since: Option<Millis>,
    /// Only lanes older than this one: the last of the page before.
    pub after: Option<LaneId>,
    /// At most so many.
    pub limit: usize,
}

impl Default for LaneFilter {
    fn default() -> Self {
        Self {
            states: Vec::new(),
            since: None,
            after: None,
            limit: PAGE,
        }
    }
}

/// A referral that a link has, for the count proof of `cosell reconcile`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkedReferral {
    /// Our own referral.
    pub referral: String,
    /// The lane of the link.
    pub lane: LaneId,
    /// As in [`LaneSummary::state`].
    pub state: String,
    /// The other half of the pair, once there is one.
    pub crm_row: Option<String>,
}

/// What `cosell status` shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Census {
    /// Lanes by state.
    pub lanes: BTreeMap<String, i64>,
    /// Links with both records.
    pub linked: i64,
    /// Events accepted.
    pub events: i64,
    /// Bells not answered yet.
    pub bells_unanswered: i64,
    /// When the oldest of them rang for which somebody waits (not [`crate::UNHURRIED`]).
    pub oldest_unanswered: Option<Millis>,
    /// Open intents.
    pub intents: i64,
    /// Open cards that nobody has answered.
    pub cards: i64,
    /// Live holds without a verdict, of a grace period too.
    pub holds: i64,
}
