//! What leaves the door.

use std::fmt;
use std::time::SystemTime;

use async_trait::async_trait;

/// Who rang.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// A signed Partner Center webhook.
    PartnerCenter,
    /// A Dataverse webhook with the shared secret.
    Dataverse,
}

impl Source {
    /// The spelling in logs and paths: `partner-center`, `dataverse`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PartnerCenter => "partner-center",
            Self::Dataverse => "dataverse",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PartnerCenter => "Partner Center",
            Self::Dataverse => "Dataverse",
        })
    }
}

/// "Look at this record", said by someone who has proved to be the one who may say so.
///
/// Names are as the sender spells them unless said otherwise; they are at most 128 characters long and printable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedBell {
    /// Id of the connection whose path and proof were used.
    pub connection: String,
    /// Who rang.
    pub source: Source,
    /// `EventName` (`referral-updated`) or `MessageName` (`Update`).
    pub event: String,
    /// `ResourceName` (`referral`) or `PrimaryEntityName` (`opportunity`), lower case.
    pub kind: String,
    /// GUID, lower case.
    pub record: String,
    /// Two bells with the same key are one event: hex SHA-256 of what names the event. None when the sender said too little to tell two events apart;
    /// then each counts.
    pub dedupe: Option<String>,
    /// The sender's correlation id.
    pub correlation: Option<String>,
    /// Dataverse: values of the shared variable `tag`, of the context and of every parent, inner ones first.
    pub tags: Vec<String>,
    /// Dataverse: GUID of the organisation that the event comes from, lower case.
    pub organization: Option<String>,
    /// Dataverse: GUID of the user who started the operation, lower case.
    pub initiator: Option<String>,
    /// When the request was verified, by the door's clock.
    pub received_at: SystemTime,
}

/// What stands behind the door.
///
/// A trait because two real things stand there: the store of the host, and the list of a test.
#[async_trait]
pub trait Accept: Send + Sync + 'static {
    /// Takes a bell. Durable when it returns: the door answers 2xx on `Ok` and the sender forgets the event.
    ///
    /// # Errors
    /// [`AcceptError`]: nothing was stored, the sender is asked to come again.
    async fn accept(&self, bell: VerifiedBell) -> Result<AcceptOutcome, AcceptError>;
}

/// What became of a bell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AcceptOutcome {
    /// Stored, and the bell has rung.
    Rung,
    /// Seen before; nothing changed.
    Duplicate,
    /// Nobody here is interested in this kind of record or event; acknowledged and counted.
    Unknown,
}

/// Why a bell was not taken. Both answer 503: Dataverse repeats only after 502, 503 and 504.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// Too much is waiting.
    #[error("too much is waiting: {what}")]
    Full {
        /// Which limit.
        what: String,
        /// When to come again, seconds.
        retry_after_s: u32,
    },
    /// It could not be stored.
    #[error("the bell could not be stored")]
    Broken {
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
