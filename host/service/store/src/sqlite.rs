//! The store in one SQLite file: write-ahead log, every commit synced, one writer, a few readers.

mod accept;
mod chain;
pub(crate) mod checkpoint;
mod lanes;
mod links;
mod readers;
mod reads;
mod schema;
mod throttles;

use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;

use self::readers::Readers;
use self::schema::SchemaError;
use crate::writer::{BELLS_WAITING_MAX, Desk, Failure, PowerCut, Scribe, WhenFull, Writer};
use crate::{
    Accepted, AcceptedEvent, AuditEntry, Bell, Census, ChainBreak, Change, Clock, CursorAdvance,
    Intent, LaneId, LaneState, LaneSummary, Lease, LinkState, Millis, Next, RecordKey, Store,
    StoreError, Throttle,
};

const OPENING: &str = "open its file";

/// [`Store`] on SQLite. Needs a tokio runtime for reads from a file; in memory it needs none.
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

    fn open_with(path: &Path, clock: Clock, bells_max: i64) -> Result<Self, StoreError> {
        let scribe = Scribe::new(
            schema::open_writer(path).map_err(opening)?,
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
            schema::open_in_memory().map_err(opening)?,
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

#[async_trait]
impl Store for SqliteStore {
    async fn accept(
        &self,
        events: Vec<AcceptedEvent>,
        cursor: Option<CursorAdvance>,
    ) -> Result<Vec<Accepted>, StoreError> {
        self.writer
            .write("accept events", WhenFull::Refuse, move |desk| {
                accept::accept(desk, &events, cursor.as_ref())
            })
            .await
    }

    async fn claim(
        &self,
        owner: &str,
        lease_ms: Millis,
        max: usize,
    ) -> Result<Vec<Lease>, StoreError> {
        let owner = owner.to_owned();
        self.write("claim due lanes", move |desk| {
            lanes::claim(desk, &owner, lease_ms, max)
        })
        .await
    }

    async fn next_due(&self) -> Result<Option<Millis>, StoreError> {
        self.read("find the next due lane", reads::next_due).await
    }

    async fn open(&self, lease: &Lease) -> Result<LaneState, StoreError> {
        let lease = lease.clone();
        self.read("read a lane", move |sql| reads::open(sql, &lease))
            .await
    }

    async fn renew(&self, lease: &Lease, lease_ms: Millis) -> Result<Lease, StoreError> {
        let lease = lease.clone();
        self.write("prolong a lease", move |desk| {
            lanes::renew(desk, &lease, lease_ms)
        })
        .await
    }

    async fn intend(&self, lease: &Lease, intent: Intent) -> Result<(), StoreError> {
        let lease = lease.clone();
        self.write("commit an intent", move |desk| {
            links::intend(desk, &lease, &intent)
        })
        .await
    }

    async fn complete_write(&self, lease: &Lease, change: Change) -> Result<(), StoreError> {
        let lease = lease.clone();
        self.write("close a write", move |desk| {
            links::complete_write(desk, &lease, &change)
        })
        .await
    }

    async fn complete_run(
        &self,
        lease: &Lease,
        answered: &[Bell],
        change: Change,
        next: Next,
    ) -> Result<(), StoreError> {
        let (lease, answered) = (lease.clone(), answered.to_vec());
        self.write("end a run", move |desk| {
            lanes::complete_run(desk, &lease, &answered, &change, &next)
        })
        .await
    }

    async fn lane_of(
        &self,
        connection: &str,
        record: &RecordKey,
    ) -> Result<Option<LaneId>, StoreError> {
        let (connection, record) = (connection.to_owned(), record.clone());
        self.read("find a record's lane", move |sql| {
            accept::lane_of(sql, &connection, &record)
        })
        .await
    }

    async fn lane_of_engagement(
        &self,
        connection: &str,
        engagement: &str,
    ) -> Result<Option<LaneId>, StoreError> {
        let (connection, engagement) = (connection.to_owned(), engagement.to_owned());
        self.read("find an engagement's lane", move |sql| {
            reads::lane_of_engagement(sql, &connection, &engagement)
        })
        .await
    }

    async fn cursor(&self, connection: &str, stream: &str) -> Result<Option<String>, StoreError> {
        let (connection, stream) = (connection.to_owned(), stream.to_owned());
        self.read("read a cursor", move |sql| {
            reads::cursor(sql, &connection, &stream)
        })
        .await
    }

    async fn set_throttle(&self, connection: &str, throttle: Throttle) -> Result<(), StoreError> {
        let connection = connection.to_owned();
        self.write("close a credential", move |desk| {
            throttles::set(desk, &connection, &throttle)
        })
        .await
    }

    async fn throttles(&self, connection: &str) -> Result<Vec<Throttle>, StoreError> {
        let (connection, now) = (connection.to_owned(), (self.clock)());
        self.read("read throttles", move |sql| {
            throttles::closed(sql, now, &connection)
        })
        .await
    }

    async fn resume(&self) -> Result<usize, StoreError> {
        self.write("take up what was left", lanes::resume).await
    }

    async fn wake(&self, connection: &str, lane: LaneId, cause: &str) -> Result<(), StoreError> {
        let (connection, cause) = (connection.to_owned(), cause.to_owned());
        self.write("wake a lane", move |desk| {
            lanes::wake(desk, &connection, lane, &cause)
        })
        .await
    }

    async fn census(&self) -> Result<Census, StoreError> {
        let now = (self.clock)();
        self.read("count", move |sql| reads::census(sql, now)).await
    }

    async fn lanes(&self, connection: &str, limit: usize) -> Result<Vec<LaneSummary>, StoreError> {
        let (connection, now) = (connection.to_owned(), (self.clock)());
        self.read("list lanes", move |sql| {
            reads::lanes(sql, now, &connection, limit)
        })
        .await
    }

    async fn link(&self, connection: &str, lane: LaneId) -> Result<Option<LinkState>, StoreError> {
        let connection = connection.to_owned();
        self.read("read a link", move |sql| {
            links::read_whole(sql, &connection, lane)
        })
        .await
    }

    async fn audit(&self, connection: &str, lane: LaneId) -> Result<Vec<AuditEntry>, StoreError> {
        let connection = connection.to_owned();
        self.read("read an audit", move |sql| {
            chain::entries(sql, &connection, lane)
        })
        .await
    }

    async fn check_audit(&self) -> Result<Vec<ChainBreak>, StoreError> {
        self.read("verify the audit", chain::check).await
    }
}

#[cfg(test)]
mod tests;
