//! What runs saw, for replay: kept for a short while, and sealed by the host before it comes here.

use async_trait::async_trait;

use crate::{ConnectionId, LaneId, Millis, StoreError};

/// What one run saw. The store cannot read it.
#[derive(Clone, PartialEq, Eq)]
pub struct Recording {
    /// Whose.
    pub connection: ConnectionId,
    /// Of which deal.
    pub lane: LaneId,
    /// Names the content: the same again is kept once. The host's word.
    pub content: String,
    /// Sealed bytes.
    pub body: Vec<u8>,
    /// When it was seen last; the store's clock decides.
    pub at: Millis,
}

/// How much of them is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Of one deal; at least 1. The oldest go.
    pub per_deal: usize,
    /// For so long after it was seen last.
    pub for_ms: Millis,
}

/// The part of [`Store`](crate::Store) that is about recordings. Each method is one transaction.
#[async_trait]
pub trait Recordings: Send + Sync + 'static {
    /// Keeps one; one with the same content was seen again. Older ones of its deal that are one too many go.
    ///
    /// # Errors
    /// [`StoreError::NoLane`].
    async fn record(&self, recording: Recording, keep: Keep) -> Result<(), StoreError>;

    /// Those of a deal, the latest first. One whose time is over is not shown.
    async fn recordings(
        &self,
        connection: &str,
        lane: LaneId,
    ) -> Result<Vec<Recording>, StoreError>;

    /// Drops those whose time is over, and then the oldest of all until the rest has at most so many bytes. Returns how many went.
    async fn expire_recordings(&self, bytes_max: u64) -> Result<u64, StoreError>;
}

impl std::fmt::Debug for Recording {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (name, bytes) = (&self.content, self.body.len());
        write!(f, "recording {name} of {}, {bytes} bytes", self.lane.0)
    }
}

/// The oldest that have to go until the rest has at most so many bytes (the only parameter, written into its place), in SQL that both stores speak.
pub(crate) fn too_many(bytes_max: u64) -> String {
    format!(
        "SELECT connection, lane, content FROM (
             SELECT connection, lane, content,
                 sum(length(body)) OVER (ORDER BY at DESC, connection, lane, content) AS so_far FROM recording) AS kept
         WHERE so_far > {}",
        i64::try_from(bytes_max).unwrap_or(i64::MAX)
    )
}
