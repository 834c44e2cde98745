//! What can go wrong between a request and PostgreSQL, and what is to be done about it.

use std::error::Error;

use deadpool_postgres::{PoolError, TimeoutType};
use tokio_postgres::error::SqlState;

use crate::{PostgresUrl, StoreError};

/// Why a request did not succeed, before it is said what was being done.
#[derive(Debug)]
pub(super) enum Fault {
    /// One of the store's own answers.
    Refused(StoreError),
    /// Another transaction was faster, or the connection was gone before anything was committed. Nothing has changed: the whole
    /// transaction is done again.
    Again(Box<dyn Error + Send + Sync>),
    /// The way to it is gone, and whether what was asked has happened is not known: it is not done again by itself.
    Gone(Box<dyn Error + Send + Sync>),
    /// Anything else that PostgreSQL or the way to it said.
    Broken(Box<dyn Error + Send + Sync>),
    /// It takes no more at once: connections.
    Full(String),
    /// No room is left on its disk.
    NoRoom(String),
}

/// What PostgreSQL said, in one line. Its details are left away: they repeat values.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
struct Said {
    what: String,
}

impl Fault {
    /// For the caller.
    pub(super) fn explain(self, doing: &'static str) -> StoreError {
        match self {
            Self::Refused(error) => error,
            Self::Again(source) | Self::Gone(source) | Self::Broken(source) => {
                StoreError::Broken { doing, source }
            }
            Self::Full(what) => StoreError::Full { what },
            Self::NoRoom(what) => StoreError::NoRoom { what },
        }
    }

    /// A fault that is neither a refusal nor the database's.
    pub(super) fn broken(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Broken(source.into())
    }

    /// Another transaction has changed what this one had read before it held the locks.
    pub(super) fn overtaken(what: &'static str) -> Self {
        Self::Again(what.into())
    }

    /// Of a database that was not reached before: where it is, and what may be the matter.
    pub(super) fn at(self, url: &PostgresUrl) -> Self {
        let advice = |source: &dyn std::fmt::Display| -> Box<dyn Error + Send + Sync> {
            format!("{url}: {source}. Is the server running, does it let this user in, is the address right?").into()
        };
        match self {
            Self::Again(source) => Self::Again(advice(&source)),
            Self::Gone(source) => Self::Gone(advice(&source)),
            Self::Broken(source) => Self::Broken(advice(&source)),
            other => other,
        }
    }

    /// What a commit said: whether it happened is not known then, so it is never done again by itself.
    pub(super) fn of_commit(error: tokio_postgres::Error) -> Self {
        match Self::from(error) {
            Self::Again(source) if !is_rollback(source.as_ref()) => Self::Gone(source),
            fault => fault,
        }
    }

    /// The database is not reached, or takes nobody: whoever asks now fares the same.
    pub(super) fn is_everybodys(&self) -> bool {
        match self {
            Self::Gone(_) | Self::Full(_) | Self::NoRoom(_) => true,
            Self::Again(source) => !is_rollback(source.as_ref()),
            Self::Refused(_) | Self::Broken(_) => false,
        }
    }
}

/// Marks what PostgreSQL itself has taken back.
const TAKEN_BACK: &str = "taken back by the database: ";

fn is_rollback(source: &(dyn Error + Send + Sync)) -> bool {
    source.to_string().starts_with(TAKEN_BACK)
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(said) = error.as_db_error() else {
            let what = describe(&error);
            let gone = error.is_closed()
                || error
                    .source()
                    .is_some_and(|source| source.is::<std::io::Error>());
            return if gone {
                Self::Again(Box::new(Said { what }))
            } else {
                Self::broken(Said { what })
            };
        };
        let what = format!("{} (SQLSTATE {})", said.message(), said.code().code());
        let code = said.code();
        // A unique key that somebody else took between our look and our insert is found at the next look.
        let overtaken = [
            SqlState::T_R_DEADLOCK_DETECTED,
            SqlState::T_R_SERIALIZATION_FAILURE,
            SqlState::LOCK_NOT_AVAILABLE,
            SqlState::UNIQUE_VIOLATION,
        ];
        let gone = [
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
            SqlState::CANNOT_CONNECT_NOW,
            SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
        ];
        if overtaken.contains(code) {
            Self::Again(Box::new(Said {
                what: format!("{TAKEN_BACK}{what}"),
            }))
        } else if gone.contains(code) {
            Self::Again(Box::new(Said { what }))
        } else if *code == SqlState::DISK_FULL {
            Self::NoRoom("no room is left on the database's disk".into())
        } else if *code == SqlState::TOO_MANY_CONNECTIONS {
            Self::Full("the database takes no more connections".into())
        } else {
            Self::broken(Said { what })
        }
    }
}

impl From<PoolError> for Fault {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Backend(error) => Self::from(error),
            PoolError::Timeout(TimeoutType::Wait) => {
                Self::Full("all connections to the database are busy".into())
            }
            PoolError::Timeout(_) => Self::Gone(Box::new(Said {
                what: "the database did not answer in time".into(),
            })),
            other => Self::broken(Said {
                what: other.to_string(),
            }),
        }
    }
}

/// An error of the client's library with its sources: by itself it says only where it happened.
pub(super) fn describe(error: &(dyn Error + 'static)) -> String {
    let mut what = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let said = source.to_string();
        if !what.contains(&said) {
            what = format!("{what}: {said}");
        }
        next = source.source();
    }
    what
}
