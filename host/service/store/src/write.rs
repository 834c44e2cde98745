//! Remote writes: the intent before, the attempt after, and what changes with it.

use std::collections::BTreeMap;

use crate::{AuditLine, Base, CardChange, HoldChange, LinkState, Millis, RecordKey};

/// How far back [`crate::LaneState::writes`] goes: S27 counts the writes to one side within ten minutes.
pub const RECENT_WRITES_MS: Millis = 10 * 60_000;

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
    /// It cannot be taken back: visibility, help, contacts shared, Won, Lost, Declined (S24).
    pub irreversible: bool,
    /// Of that, what holds know it by ([`Hold::fingerprint`](crate::Hold::fingerprint)): a person may have cancelled it since the run looked. Asked, and
    /// not kept.
    pub permits: Vec<String>,
    /// When it was committed, by the store's clock; what a caller writes here is not read.
    pub since: Millis,
}

/// How a write ended. What it was is known from its intent, and kept with the attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Of the intent.
    pub operation: String,
    /// `done`, `adopted` (it was there already), `absent`, `refused`, `conflict`, `transient`, `unknown`.
    pub outcome: String,
    /// What the other side said, for people.
    pub detail: String,
}

/// A write of the lane's last [`RECENT_WRITES_MS`], for the oscillation breaker (S27).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecentWrite {
    /// Which side was written to; empty for a write from before version 2 of the tables.
    pub side: String,
    /// When it ended.
    pub at: Millis,
    /// As in [`Attempt::outcome`]; a refused write is one, too.
    pub outcome: String,
    /// Of the intent.
    pub operation: String,
}

/// A write that ended, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptRow {
    /// Of the intent.
    pub operation: String,
    /// As in [`Intent::kind`]. Empty, like all that comes from the intent, for a write from before version 2 of the tables.
    pub kind: String,
    /// Which side was written to.
    pub side: String,
    /// `referral`, or the logical name of a table.
    pub record_kind: String,
    /// Which record, or the id that a new record was to have.
    pub record: String,
    /// It could not be taken back (S24).
    pub irreversible: bool,
    /// As in [`Attempt::outcome`].
    pub outcome: String,
    /// What the other side said.
    pub detail: String,
    /// When it ended.
    pub at: Millis,
}

/// How much was written to one side since a moment, for the mass-change brake (S25).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WriteCount {
    /// Writes that took effect: `done` or `adopted`.
    pub writes: i64,
    /// Those of them that cannot be taken back.
    pub irreversible: i64,
    /// In how many lanes.
    pub lanes: i64,
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
    /// Questions that are asked or no longer are, one after the other.
    pub cards: Vec<CardChange>,
    /// Writes that wait for time or a person, or no longer do, one after the other.
    pub holds: Vec<HoldChange>,
    /// Lines for the lane's audit.
    pub audit: Vec<AuditLine>,
}
