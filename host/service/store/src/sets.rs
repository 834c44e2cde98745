//! The set of plugins that serves (S29): generations of it, their bytes, what was taken out of service, what candidates would do (S30).
//!
//! The store does not know what a plugin is: a version is a name, a hash and bytes. It keeps that one generation follows the other, that the
//! bytes of each are there, and who it was.

use async_trait::async_trait;

use crate::{ConnectionId, LaneId, Millis, StoreError};

/// Generations that are kept, so that people can go back to them.
pub const GENERATIONS_KEPT: i64 = 50;
/// Lines of the journal that are kept.
pub const EVENTS_KEPT: i64 = 2_000;

/// One file of a generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name in the folder that it came from: `50-acme.wasm`.
    pub file: String,
    /// It does not serve: it is judged, or tried on some deals. A file has at most one of each.
    pub candidate: bool,
    /// Which version: of the component, or of engine and text together; hex.
    pub sha256: String,
    /// SHA-256 of the component's bytes, or of the engine's; hex.
    pub component: String,
    /// SHA-256 of the text that an engine runs; hex.
    pub source: Option<String>,
    /// Text of the operator file beside it; empty without one.
    pub operator: String,
    /// JSON that only the host reads.
    pub detail: String,
}

/// The set as it was from one moment to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation {
    /// From 1.
    pub generation: i64,
    /// By file name, what serves before what does not.
    pub members: Vec<Member>,
    /// A host or a person.
    pub by: String,
    /// What changed, for people.
    pub note: String,
    /// Since when.
    pub at: Millis,
}

/// Bytes and their name.
#[derive(Clone, PartialEq, Eq)]
pub struct Component {
    /// SHA-256, hex.
    pub hash: String,
    /// What has it.
    pub bytes: Vec<u8>,
}

/// A generation that is to follow another.
#[derive(Debug, Clone, Default)]
pub struct Activation {
    /// The generation that it was made from: 0 for the first. Another one has come since: nothing happens.
    pub base: i64,
    /// All members.
    pub members: Vec<Member>,
    /// A host or a person.
    pub by: String,
    /// What changed, for people.
    pub note: String,
    /// Bytes that the store may not have yet.
    pub components: Vec<Component>,
    /// Whose folder said so, and what it holds.
    pub said: Option<Said>,
    /// Versions that are taken out of service with it.
    pub quarantined: Vec<Quarantined>,
    /// Lines for the journal.
    pub events: Vec<SetEvent>,
}

/// What a folder held when it was heard.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Said {
    /// Names the folder.
    pub folder: String,
    /// By file name.
    pub files: Vec<SaidFile>,
}

/// One file of a folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct SaidFile {
    /// Its name.
    pub file: String,
    /// Which version; empty when it was quarantined since.
    pub sha256: String,
    /// SHA-256 of the operator file's text, hex; empty without one.
    pub operator: String,
}

/// A version that is not taken any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// Which version.
    pub sha256: String,
    /// The file that had it.
    pub file: String,
    /// The plugin's id.
    pub plugin: String,
    /// For people.
    pub why: String,
    /// A host or a person.
    pub by: String,
    /// When; the store's clock decides.
    pub at: Millis,
    /// Who has released it, and when.
    pub released: Option<(String, Millis)>,
}

/// A line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SetEvent {
    /// `loaded`, `refused`, `promoted`, …: words of whoever tells it
    pub what: String,
    /// The file; empty for the whole set.
    pub file: String,
    /// The plugin's id, if known.
    pub plugin: Option<String>,
    /// Its version, if known.
    pub version: Option<String>,
    /// Which bytes, if known.
    pub sha256: Option<String>,
    /// The generation that it made.
    pub generation: Option<i64>,
    /// A host or a person.
    pub by: String,
    /// For people.
    pub message: String,
    /// When; the store's clock decides.
    pub at: Millis,
}

/// What candidates would make of one deal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The connection.
    pub connection: ConnectionId,
    /// The deal.
    pub lane: LaneId,
    /// `same`, `differs`, `unjudged`.
    pub verdict: String,
    /// JSON that only the host reads.
    pub body: String,
    /// When; the store's clock decides.
    pub at: Millis,
}

/// The part of [`Store`](crate::Store) that is about plugins. Each method is one transaction.
#[async_trait]
pub trait Sets: Send + Sync + 'static {
    /// The newest generation's number; 0: there is none. Cheap: hosts ask every few seconds.
    async fn generation(&self) -> Result<i64, StoreError>;

    /// The newest generation.
    async fn active_set(&self) -> Result<Option<Generation>, StoreError>;

    /// Generations, the newest first.
    async fn set_history(&self, limit: usize) -> Result<Vec<Generation>, StoreError>;

    /// Bytes by their hash.
    async fn component(&self, hash: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Makes the next generation, and all that goes with it. Of what is quarantined no folder counts as having said
    /// which version it holds. Returns the new number.
    ///
    /// # Errors
    /// [`StoreError::Overtaken`] when `base` is not the newest generation; [`StoreError::TakenOut`] for a member that comes with this one, while its
    /// bytes are quarantined; [`StoreError::NoBytes`] for a member whose bytes nobody gave.
    async fn activate(&self, next: Activation) -> Result<i64, StoreError>;

    /// What a folder held when it was last heard. None: it never was.
    async fn said(&self, folder: &str) -> Result<Option<Vec<SaidFile>>, StoreError>;

    /// A folder was heard, and nothing follows from it.
    async fn say(&self, said: Said) -> Result<(), StoreError>;

    /// Versions that were taken out of service, also those that were released; the latest first.
    async fn quarantines(&self) -> Result<Vec<Quarantined>, StoreError>;

    /// Takes a version out of service that does not serve; one that does goes with [`Sets::activate`].
    async fn quarantine(&self, what: Quarantined) -> Result<(), StoreError>;

    /// A person lets it in again. False: it was not out.
    async fn release(&self, sha256: &str, by: &str) -> Result<bool, StoreError>;

    /// Writes lines into the journal.
    async fn tell(&self, events: Vec<SetEvent>) -> Result<(), StoreError>;

    /// The journal, the latest first.
    async fn set_events(&self, limit: usize) -> Result<Vec<SetEvent>, StoreError>;

    /// What is known about a pair of sets, by connection and lane.
    async fn judgements(&self, pair: &str) -> Result<Vec<Judgement>, StoreError>;

    /// Keeps judgements about a pair, and forgets those about all pairs but this one and `others`.
    async fn judge(
        &self,
        pair: &str,
        judgements: Vec<Judgement>,
        others: &[String],
    ) -> Result<(), StoreError>;
}

impl std::fmt::Debug for Component {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({} bytes)", self.hash, self.bytes.len())
    }
}
