//! What the host remembers. SQL lives in this package and nowhere else.
//!
//! [`Store`] is the whole door: every method is one transaction. The store knows lanes, fences, intents and bases; it does not know
//! what a referral is. Unit values, raw records and plans pass through as JSON text that only the host reads.
//!
//! Time is the store's own ([`Clock`]), milliseconds since the Unix epoch: leases and due times of many hosts are compared with
//! one clock only.

mod audit;
mod sqlite;
mod writer;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

pub use audit::{AuditEntry, AuditLine, ChainBreak};
pub use sqlite::{SqliteStore, system_clock};
pub use writer::{Moment, PowerCut};

/// Milliseconds since the Unix epoch.
pub type Millis = i64;

/// The store's own clock. The system's in production, turned by hand in tests.
pub type Clock = Arc<dyn Fn() -> Millis + Send + Sync>;

/// One partner tenant with one CRM environment. Leads every key.
pub type ConnectionId = String;

/// The queue of one deal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneId(pub i64);

/// What a bell and a member are about: one record on one side.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKey {
    /// `partner-center` or `crm`.
    pub side: String,
    /// `referral`, or the logical name of a table.
    pub kind: String,
    /// GUID, lower case.
    pub id: String,
}

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

/// What one side showed for one unit when both were last in step, and the raw behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// `close-date`
    pub unit: String,
    /// `partner-center` or `crm`.
    pub side: String,
    /// JSON of the value. None: unknown.
    pub value: Option<String>,
    /// Which raw record it was read from: its hash in [`LinkState::raws`].
    pub raw: Option<String>,
}

/// The pair of records of a lane.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LinkState {
    /// Our own referral. Unique within the connection.
    pub referral: Option<String>,
    /// Microsoft's referral in the same engagement.
    pub microsoft_referral: Option<String>,
    /// The engagement.
    pub engagement: Option<String>,
    /// Logical name of the CRM row's table.
    pub crm_table: Option<String>,
    /// The CRM row. Unique within the connection.
    pub crm_row: Option<String>,
    /// How often the pair was made anew (S18, S19). 0 at first.
    pub generation: i64,
    /// Etags as last seen: `referral`, `microsoft-referral`, `crm`.
    pub etags: BTreeMap<String, String>,
    /// The mark that stands before the CRM row's name (S28).
    pub mark: Option<String>,
    /// Hash of the plugin set under which the bases were read.
    pub set_hash: Option<String>,
    /// Per unit and side.
    pub bases: Vec<Base>,
    /// Raw records behind the bases, by hash, as JSON.
    pub raws: BTreeMap<String, String>,
    /// Free JSON of the host: what was told already, what was noticed first.
    pub notes: String,
}

/// A remote write that is about to happen, or whose outcome is unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// Operation id, a GUID; travels as correlation id.
    pub operation: String,
    /// `create-referral`, `invite-microsoft`, `patch-referral`, `create-row`, `update-row`, `close-row`.
    pub kind: String,
    /// What is written to: a record, or the id that a new record will have.
    pub target: RecordKey,
    /// Etag, `none-match`, or nothing (an unconditional write, S15).
    pub precondition: Option<String>,
    /// JSON of the host: enough to recognise the write's effect, never a secret.
    pub detail: String,
    /// When it was committed, by the store's clock; what a caller writes here is not read.
    pub since: Millis,
}

/// How a write ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Of the intent.
    pub operation: String,
    /// `done`, `refused`, `conflict`, `transient`, `unknown`.
    pub outcome: String,
    /// What the other side said, for people.
    pub detail: String,
}

/// What changes when a write closes, or a run: everything in one transaction.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// The link as it is now, without bases and raws (what stands there is not read); None leaves it. The referral and the CRM row
    /// may be members of another lane, as long as no other link has them.
    pub link: Option<LinkState>,
    /// Bases that move (S6). Others keep what they have.
    pub bases: Vec<Base>,
    /// Raw records that the bases name, by hash. One that is stored already need not come again; raws that no base names any more
    /// are dropped.
    pub raws: BTreeMap<String, String>,
    /// Records that belong to the lane from now on. One whose bell rang before we knew it belongs to a lane of its own already and stays
    /// there: that lane finds the link and hands itself over (S13). What no two links may share is the link's own referral and row.
    pub members: Vec<RecordKey>,
    /// The attempt that ended; of the intent that closes, when one does.
    pub attempt: Option<Attempt>,
    /// Lines for the lane's audit.
    pub audit: Vec<AuditLine>,
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
        /// Counts towards the backoff; false for waiting that is no failure.
        failed: bool,
        /// For people.
        reason: String,
    },
    /// Needs a person. Only a bell from outside, or a person, runs it again (S26).
    Parked {
        /// JSON list of reasons.
        reasons: String,
        /// Same failure, same key: so that it is marked and told once.
        failure: String,
    },
    /// A hold or a card is open.
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
    /// dropped; a pair cannot retire ([`StoreError::Linked`]).
    Retired {
        /// The elder; if it has retired itself, the one into which it did.
        into: LaneId,
    },
}

/// Everything that a run needs to know about its lane, read in one transaction.
#[derive(Debug, Clone, PartialEq)]
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
    /// Key of the failure that parked it last; none once the lane has been settled since.
    pub failure: Option<String>,
    /// When the lane was born.
    pub born: Millis,
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
    /// When the oldest of them rang.
    pub oldest_unanswered: Option<Millis>,
    /// Open intents.
    pub intents: i64,
}

/// Why a credential may not be used right now; survives restarts (I11).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Throttle {
    /// `dataverse`, `partner-center`.
    pub credential: String,
    /// No request before this moment.
    pub until: Millis,
    /// For people.
    pub reason: String,
}

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The lease is no longer ours; nothing was changed.
    #[error("lane {lane} was taken over by another run (fence {fence} is old)")]
    Fenced {
        /// Lane number.
        lane: i64,
        /// The fence that was presented.
        fence: i64,
    },
    /// The record belongs to another lane or link already (I4).
    #[error("{record} is linked in lane {lane} already")]
    Linked {
        /// Which record.
        record: String,
        /// By whom.
        lane: i64,
    },
    /// A second intent while one is open (I5).
    #[error("lane {lane} has an open intent already")]
    IntentOpen {
        /// Lane number.
        lane: i64,
    },
    /// A write was closed that no intent had opened (I5).
    #[error("lane {lane} has no open intent{}", .operation.as_deref().map(|id| format!(" with operation {id}")).unwrap_or_default())]
    NoIntent {
        /// Lane number.
        lane: i64,
        /// The attempt's operation, if it named one.
        operation: Option<String>,
    },
    /// There is no such lane.
    #[error("there is no lane {lane} that could be meant here")]
    NoLane {
        /// Lane number.
        lane: i64,
    },
    /// Too much is waiting; the caller shall come again.
    #[error("the store is full: {what}")]
    Full {
        /// Which limit.
        what: String,
    },
    /// The database failed: disk, corruption, a version from the future.
    #[error("the store failed while trying to {doing}")]
    Broken {
        /// What was being done.
        doing: &'static str,
        /// What the database said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// The whole door. SQLite implements it today, PostgreSQL will; one conformance suite serves both.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Stores events once each, rings their bells, makes their lanes due; advances a cursor in the same transaction. Durable when it
    /// returns. All or nothing: when it fails, no event of the call is stored.
    ///
    /// A lane at rest (parked, held, paused, …) becomes due too: its run decides whether anything is different now. A leased lane
    /// becomes due when its run ends.
    ///
    /// # Errors
    /// [`StoreError::Full`] when too many bells or requests wait already: come again.
    async fn accept(
        &self,
        events: Vec<AcceptedEvent>,
        cursor: Option<CursorAdvance>,
    ) -> Result<Vec<Accepted>, StoreError>;

    /// Takes up to `max` due lanes, the longest due first: fence + 1, leased to `owner` for `lease_ms`. A lane whose lease ran out is
    /// due.
    async fn claim(
        &self,
        owner: &str,
        lease_ms: Millis,
        max: usize,
    ) -> Result<Vec<Lease>, StoreError>;

    /// Makes every leased lane due at once and returns how many: whoever leased them is gone. A host calls it before it works. It is for
    /// the embedded store, on which one host runs at a time; a store that hosts share does nothing, and waits for the leases. Should a
    /// second host run after all, fences keep its runs from changing anything (I3).
    async fn resume(&self) -> Result<usize, StoreError>;

    /// When the next lane becomes due, if any waits: so that an idle worker sleeps exactly that long. The end of a lease counts. May
    /// lie in the past.
    async fn next_due(&self) -> Result<Option<Millis>, StoreError>;

    /// Everything a run needs.
    ///
    /// # Errors
    /// [`StoreError::Fenced`], as for everything that takes a lease: another run has the lane, or this one has ended.
    async fn open(&self, lease: &Lease) -> Result<LaneState, StoreError>;

    /// Prolongs the lease.
    async fn renew(&self, lease: &Lease, lease_ms: Millis) -> Result<Lease, StoreError>;

    /// Commits the intent of a write, before the write (I5).
    ///
    /// # Errors
    /// [`StoreError::IntentOpen`] when the lane has one.
    async fn intend(&self, lease: &Lease, intent: Intent) -> Result<(), StoreError>;

    /// Closes the open intent: bases, link, attempt and audit in one transaction (S6).
    ///
    /// # Errors
    /// [`StoreError::NoIntent`] when none is open, or the attempt is another operation's; [`StoreError::Linked`].
    async fn complete_write(&self, lease: &Lease, change: Change) -> Result<(), StoreError>;

    /// Ends the run: bells answered up to the given counters, lane freed. A bell that rang meanwhile makes it due again at once.
    ///
    /// `answered` are the bells of [`LaneState`], as the run found them, also when it ends in [`Next::Wait`]: from then on the wait
    /// holds the duty to look again. A bell that is left out counts as one that rang meanwhile.
    ///
    /// # Errors
    /// [`StoreError::IntentOpen`] when an intent is open and the run does not end in [`Next::Wait`], which alone comes back to resolve
    /// it; [`StoreError::Linked`]; [`StoreError::NoLane`] for an elder that does not exist.
    async fn complete_run(
        &self,
        lease: &Lease,
        answered: &[Bell],
        change: Change,
        next: Next,
    ) -> Result<(), StoreError>;

    /// Which lane a record belongs to.
    async fn lane_of(
        &self,
        connection: &str,
        record: &RecordKey,
    ) -> Result<Option<LaneId>, StoreError>;

    /// The lane whose link has this engagement.
    async fn lane_of_engagement(
        &self,
        connection: &str,
        engagement: &str,
    ) -> Result<Option<LaneId>, StoreError>;

    /// Where a stream was read up to.
    async fn cursor(&self, connection: &str, stream: &str) -> Result<Option<String>, StoreError>;

    /// Closes a credential until a moment; an earlier moment than the stored one changes nothing.
    async fn set_throttle(&self, connection: &str, throttle: Throttle) -> Result<(), StoreError>;

    /// Throttles that are still closed.
    async fn throttles(&self, connection: &str) -> Result<Vec<Throttle>, StoreError>;

    /// Makes a lane due now, as a person orders it; also a parked one. Rings all its bells, so that the order outlasts a run that is
    /// under way. A retired lane stands for its elder.
    ///
    /// # Errors
    /// [`StoreError::NoLane`].
    async fn wake(&self, connection: &str, lane: LaneId, cause: &str) -> Result<(), StoreError>;

    /// Counts for people and for health.
    async fn census(&self) -> Result<Census, StoreError>;

    /// Lanes, youngest first.
    async fn lanes(&self, connection: &str, limit: usize) -> Result<Vec<LaneSummary>, StoreError>;

    /// A lane's link with bases and raws.
    async fn link(&self, connection: &str, lane: LaneId) -> Result<Option<LinkState>, StoreError>;

    /// A lane's audit, oldest first.
    async fn audit(&self, connection: &str, lane: LaneId) -> Result<Vec<AuditEntry>, StoreError>;

    /// Recomputes the hash chains; empty when all are whole.
    async fn check_audit(&self) -> Result<Vec<ChainBreak>, StoreError>;
}
