//! What the host remembers. SQL lives in this package and nowhere else.
//!
//! [`Store`] is the whole door: every method is one transaction. The store knows lanes, fences, intents and bases; it does not know
//! what a referral is. Unit values, raw records and plans pass through as JSON text that only the host reads.
//!
//! Time is the store's own ([`Clock`]), milliseconds since the Unix epoch: leases and due times of many hosts are compared with
//! one clock only.
#![forbid(unsafe_code)]

mod audit;
mod bell;
mod check;
mod copy;
mod end;
mod erase;
mod error;
mod export;
mod history;
mod lane;
mod link;
mod open;
mod postgres;
mod question;
mod recordings;
mod sets;
mod sqlite;
mod steady;
mod url;
mod write;
mod writer;

use std::sync::Arc;

use async_trait::async_trait;

pub use audit::{AuditEntry, AuditLine, ChainBreak};
pub use bell::{
    Accepted, AcceptedEvent, Bell, CursorAdvance, FULL_COMPARE, PERSON, PLUGINS_CHANGED, UNHURRIED,
};
pub use check::Finding;
pub use copy::{Copied, copy, dump};
pub use erase::{Erased, Said as Speaks, Scrub, Words, erase_person, find_person};
pub use error::StoreError;
pub use export::{EXPORT_VERSION, export};
pub use history::{ATTEMPTS_KEPT, HISTORY_KEPT_MS, History, HistoryPlace, Pruned};
pub use lane::{After, Census, LaneFilter, LaneState, LaneSummary, Lease, LinkedReferral, Next};
pub use link::{Base, LinkState};
pub use open::{Opened, attach, look, open, open_with};
pub use postgres::PostgresStore;
pub use question::{Answer, Card, CardChange, Closed, Hold, HoldChange, HoldVerdict};
pub use recordings::{Keep, Recording, Recordings};
pub use sets::{
    Activation, Component, EVENTS_KEPT, GENERATIONS_KEPT, Generation, Judgement, Member,
    Quarantined, Said, SaidFile, SetEvent, Sets,
};
pub use sqlite::{SqliteStore, system_clock};
pub use steady::steady_clock;
pub use url::{PostgresUrl, StoreUrl, StoreUrlError};
pub use write::{Attempt, AttemptRow, Change, Intent, RECENT_WRITES_MS, RecentWrite, WriteCount};
pub use writer::{BELLS_WAITING_MAX, Moment, PowerCut};

/// Milliseconds since the Unix epoch.
pub type Millis = i64;

/// How the name of an owner of leases begins that calls [`Store::attend`]. Hosts of before do not, and are only known by their leases.
pub const ATTENDED: &str = "attended/";

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

/// What a host hears that says it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attended {
    /// Lanes that became due because their hosts are gone.
    pub freed: usize,
    /// Hosts that are there, this one among them.
    pub hosts: usize,
    /// Whether this host is the one of them that tells what all of them see alike. One is, as long as there is any; another one when it is gone.
    pub speaks: bool,
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

/// The whole door, with [`Sets`] for what is about plugins, [`Recordings`] for what runs saw and [`History`] for what is over. SQLite and PostgreSQL implement it; one conformance suite serves both.
#[async_trait]
pub trait Store: Sets + Recordings + History {
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

    /// Says that the host `owner` is there, makes the lanes due whose hosts are known to be gone, and counts the hosts. A host calls it before
    /// it works, and every few seconds. Only owners whose names begin with [`ATTENDED`] are known to be gone when they are not heard of. The
    /// embedded store does nothing, and knows of one host.
    async fn attend(&self, owner: &str) -> Result<Attended, StoreError>;

    /// Makes the lanes due that `owner` has leased, and returns how many. For a host that stops in the middle of runs: nobody has to wait for
    /// their leases. Runs that go on all the same are fenced as soon as somebody else claims their lanes.
    async fn give_back(&self, owner: &str) -> Result<usize, StoreError>;

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
    /// [`StoreError::IntentOpen`] when the lane has one; [`StoreError::Cancelled`] when a live hold of it says that this write is not made (S24).
    async fn intend(&self, lease: &Lease, intent: Intent) -> Result<(), StoreError>;

    /// Closes the open intent: bases, link, attempt and audit in one transaction (S6).
    ///
    /// # Errors
    /// [`StoreError::NoIntent`] when none is open, or the attempt is another operation's; [`StoreError::Linked`].
    async fn complete_write(&self, lease: &Lease, change: Change) -> Result<(), StoreError>;

    /// Ends the run: bells answered up to the counters that it noted, lane freed. A bell that rang meanwhile makes it due again at once.
    ///
    /// `noted` are the bells of [`LaneState`], as the run found them. They are answered, unless the run ends in a wait [`After`] which they
    /// ring on. A bell that is left out counts as one that rang meanwhile.
    ///
    /// # Errors
    /// [`StoreError::IntentOpen`] when an intent is open and the run does not end in [`Next::Wait`], which alone comes back to resolve
    /// it; [`StoreError::Linked`]; [`StoreError::NoLane`] for an elder that does not exist.
    async fn complete_run(
        &self,
        lease: &Lease,
        noted: &[Bell],
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

    /// A person orders a run of the lane: an audit line says who, and the lane is due now, as by [`Store::wake`].
    ///
    /// # Errors
    /// [`StoreError::NoLane`].
    async fn order(&self, connection: &str, lane: LaneId, by: &str) -> Result<(), StoreError>;

    /// Makes a lane due now; also a parked one. Rings all its bells, so that it outlasts a run that is under way. A retired lane stands for its
    /// elder.
    ///
    /// # Errors
    /// [`StoreError::NoLane`].
    async fn wake(&self, connection: &str, lane: LaneId, cause: &str) -> Result<(), StoreError>;

    /// Cards, the latest first: of one connection or of all, only the open ones or with those that are closed.
    async fn cards(
        &self,
        connection: Option<&str>,
        open_only: bool,
        limit: usize,
    ) -> Result<Vec<Card>, StoreError>;

    /// A person answers a card. It stays open, with the answer, until the lane's run has acted on it; so an answer may be changed as long
    /// as it is open. An audit line says who; the lane is due now, as by [`Store::wake`]. Returns the lane.
    ///
    /// # Errors
    /// [`StoreError::NoCard`] when it is closed, or there is none.
    async fn answer_card(
        &self,
        connection: &str,
        card: i64,
        choice: &str,
        by: &str,
    ) -> Result<LaneId, StoreError>;

    /// Holds, the latest first: of one connection or of all, only the live ones or with those that are closed.
    async fn holds(
        &self,
        connection: Option<&str>,
        live_only: bool,
        limit: usize,
    ) -> Result<Vec<Hold>, StoreError>;

    /// A person releases or cancels a hold, as [`Store::answer_card`] answers a card.
    ///
    /// # Errors
    /// [`StoreError::NoHold`] when it is closed, or there is none.
    async fn settle_hold(
        &self,
        connection: &str,
        hold: i64,
        released: bool,
        by: &str,
    ) -> Result<LaneId, StoreError>;

    /// A small fact about a connection, by its name: to which organisation it is bound (S22), where an inbound deal belongs (S23),
    /// whether the mass-change brake is on (S25).
    async fn note(&self, connection: &str, name: &str) -> Result<Option<String>, StoreError>;

    /// Writes such a fact down, or forgets it.
    async fn set_note(
        &self,
        connection: &str,
        name: &str,
        value: Option<String>,
    ) -> Result<(), StoreError>;

    /// Counts the writes to a side that took effect at `since` or later (S25).
    async fn writes_since(
        &self,
        connection: &str,
        side: &str,
        since: Millis,
    ) -> Result<WriteCount, StoreError>;

    /// Counts for people and for health.
    async fn census(&self) -> Result<Census, StoreError>;

    /// Lanes, youngest first.
    async fn lanes(&self, connection: &str, limit: usize) -> Result<Vec<LaneSummary>, StoreError>;

    /// Lanes, youngest first, page by page: lanes that are born meanwhile come before the first page and shift nothing.
    async fn lanes_page(
        &self,
        connection: &str,
        filter: &LaneFilter,
    ) -> Result<Vec<LaneSummary>, StoreError>;

    /// One lane; a retired one is shown as that.
    async fn lane(&self, connection: &str, lane: LaneId)
    -> Result<Option<LaneSummary>, StoreError>;

    /// Everything that a run would find in a lane now, without a lease: for previews, and for people who ask. None: there is no such lane.
    async fn peek(&self, connection: &str, lane: LaneId) -> Result<Option<LaneState>, StoreError>;

    /// How a lane's writes ended, oldest first.
    async fn attempts(&self, connection: &str, lane: LaneId)
    -> Result<Vec<AttemptRow>, StoreError>;

    /// Referrals that links have, half pairs too, in the order of their ids, page by page: `after` is the last of the page before.
    async fn linked_referrals(
        &self,
        connection: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<LinkedReferral>, StoreError>;

    /// A lane's link with bases and raws.
    async fn link(&self, connection: &str, lane: LaneId) -> Result<Option<LinkState>, StoreError>;

    /// A lane's audit, oldest first.
    async fn audit(&self, connection: &str, lane: LaneId) -> Result<Vec<AuditEntry>, StoreError>;

    /// Recomputes the hash chains; empty when all are whole.
    async fn check_audit(&self) -> Result<Vec<ChainBreak>, StoreError>;

    /// Looks for everything in the store that must not be: the invariants that can be seen in its tables, and the hash chains. Empty when all
    /// is sound. Hosts may go on meanwhile; it reads everything once.
    async fn check(&self) -> Result<Vec<Finding>, StoreError>;
}
