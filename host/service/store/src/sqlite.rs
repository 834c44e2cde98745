//! The store in one SQLite file: write-ahead log, every commit synced, one writer, a few readers.

mod accept;
mod cards;
mod chain;
mod check;
pub(crate) mod checkpoint;
mod copying;
mod door;
mod erasing;
mod history;
mod holds;
mod lanes;
mod links;
mod memory;
mod notes;
mod people;
mod readers;
mod reads;
mod recordings;
mod schema;
mod sets;
mod throttles;
mod writes;

use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) use self::memory::Owned;
use self::readers::Readers;
use self::schema::SchemaError;
use crate::writer::{BELLS_WAITING_MAX, Desk, Failure, PowerCut, Scribe, WhenFull, Writer};
use crate::{Clock, Millis, StoreError};

/// How many versions of the tables there are.
pub(crate) const TABLES_VERSION: usize = schema::VERSIONS.len();

const OPENING: &str = "open its file";

/// [`crate::Store`] on SQLite. Needs a tokio runtime for reads from a file; in memory it needs none.
pub struct SqliteStore {
    writer: Writer,
    readers: Readers,
    clock: Clock,
}

impl SqliteStore {
    /// Opens or creates the file, brings its tables up to date, starts writer and checkpointer.
    ///
    /// # Errors
    /// [`StoreError::Broken`] when the file cannot be opened, belongs to another program or was made by a newer cosell.
    pub fn open(path: impl AsRef<Path>, clock: Clock) -> Result<Self, StoreError> {
        Self::open_with(path.as_ref(), clock, BELLS_WAITING_MAX)
    }

    /// Refuses a file that opening would bring up to date.
    pub(crate) fn check_not_older(path: &Path) -> Result<(), StoreError> {
        schema::check_not_older(path).map_err(opening)
    }

    pub(crate) fn open_with(path: &Path, clock: Clock, bells_max: i64) -> Result<Self, StoreError> {
        let scribe = Scribe::new(
            schema::open_writer(path).map_err(opening)?.into(),
            clock.clone(),
            bells_max,
        )
        .map_err(opening)?;
        let readers = Readers::open(path).map_err(opening)?;
        let (nudge, checkpointer) =
            checkpoint::start(schema::open_checkpointer(path).map_err(opening)?)
                .map_err(opening)?;
        let writer = Writer::start(scribe, nudge, checkpointer).map_err(opening)?;
        Ok(Self {
            writer,
            readers,
            clock,
        })
    }

    /// A store that is gone when it is dropped, for seeded tests: the same statements and groups of one request, on the caller's
    /// thread, so that a history repeats exactly.
    ///
    /// # Errors
    /// [`StoreError::Broken`] when SQLite gets no memory.
    pub fn in_memory(clock: Clock) -> Result<Self, StoreError> {
        Self::in_memory_with(clock, BELLS_WAITING_MAX, None)
    }

    /// The same, and `cut` is asked around every request: where it says so, the request never returns, as if the process had ended there.
    ///
    /// # Errors
    /// As [`SqliteStore::in_memory`].
    pub fn in_memory_until(clock: Clock, cut: PowerCut) -> Result<Self, StoreError> {
        Self::in_memory_with(clock, BELLS_WAITING_MAX, Some(cut))
    }

    fn in_memory_with(
        clock: Clock,
        bells_max: i64,
        cut: Option<PowerCut>,
    ) -> Result<Self, StoreError> {
        let scribe = Scribe::new(
            Owned::in_memory().map_err(opening)?,
            clock.clone(),
            bells_max,
        )
        .map_err(opening)?;
        Ok(Self {
            writer: Writer::Inline {
                scribe: scribe.into(),
                cut,
            },
            readers: Readers::Writer,
            clock,
        })
    }

    /// Serves what is queued and closes the file; later requests fail. Blocks for the time of a commit. Dropping does the same.
    pub fn close(&self) {
        self.writer.close();
    }

    async fn write<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&mut Desk<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.writer.write(doing, WhenFull::Wait, work).await
    }

    async fn read<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&rusqlite::Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        match &self.readers {
            Readers::Pool(pool) => pool.read(doing, work).await,
            Readers::Writer => {
                self.writer
                    .write(doing, WhenFull::Wait, |desk| work(desk.sql))
                    .await
            }
        }
    }
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteStore").finish_non_exhaustive()
    }
}

/// The system's clock. A time before 1970 reads as 1970.
#[must_use]
pub fn system_clock() -> Clock {
    Arc::new(|| {
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Millis::try_from(since_epoch.as_millis()).unwrap_or(Millis::MAX)
    })
}

fn opening(error: impl Into<SchemaFault>) -> StoreError {
    StoreError::Broken {
        doing: OPENING,
        source: error.into().0,
    }
}

/// What can go wrong while opening, boxed.
struct SchemaFault(Box<dyn std::error::Error + Send + Sync>);

impl From<SchemaError> for SchemaFault {
    fn from(error: SchemaError) -> Self {
        Self(error.into())
    }
}

impl From<rusqlite::Error> for SchemaFault {
    fn from(error: rusqlite::Error) -> Self {
        Self(error.into())
    }
}

impl From<std::io::Error> for SchemaFault {
    fn from(error: std::io::Error) -> Self {
        Self(error.into())
    }
}

/// Empty tables, to be looked at.
#[cfg(test)]
pub(crate) fn in_memory_schema() -> Owned {
    Owned::in_memory().expect("memory")
}

#[cfg(test)]
mod tests;
