//! The one writer, and group commit.
//!
//! A durable commit costs one fsync, whatever stands in it. So requests that arrive while a commit runs are gathered and executed
//! together in the next transaction, each under its own savepoint: one that fails takes back its own changes only. Nobody gets an
//! answer before the commit that holds his change (I1).
//!
//! In memory there is no fsync to share and no thread: the same group of one runs on the caller's thread, so that a seeded
//! simulation stays on one thread and repeats exactly.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::sqlite::Owned;
use crate::sqlite::checkpoint::Nudge;
use crate::{Clock, Millis, StoreError};

/// Requests that may wait for the writer: a burst of some seconds at the rate of one slow disk; at about 1 KiB each, 8 MiB.
const QUEUE_MAX: usize = 8_192;

/// Requests in one transaction: more share one fsync hardly better, and the first of them waits for the last.
const GROUP_MAX: usize = 256;

/// Unanswered bells after which callers are asked to come again (503): more than a backfill of the largest partners rings.
pub const BELLS_WAITING_MAX: i64 = 100_000;

/// At the limit, how often the bells are counted again: another process may have answered them, and counting all takes milliseconds.
const RECOUNT_MS: Millis = 1_000;

/// Where requests go.
pub(crate) enum Writer {
    /// To the writer's thread.
    Thread {
        /// Taken away to close: the thread ends when the last request is served.
        queue: Mutex<Option<mpsc::Sender<Box<dyn Request>>>>,
        /// Writer and checkpointer.
        threads: Mutex<Vec<JoinHandle<()>>>,
    },
    /// Onto the caller's thread.
    Inline {
        /// The connection.
        scribe: Mutex<Scribe>,
        /// Asked around every request.
        cut: Option<PowerCut>,
    },
}

/// A moment of a request to a store in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Nothing has happened yet.
    Before,
    /// It is committed, and the caller does not know.
    After,
}

/// Told what is being done; true when the power fails at this moment.
pub type PowerCut = Arc<dyn Fn(&'static str, Moment) -> bool + Send + Sync>;

/// What a caller wants when the queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WhenFull {
    /// To be told, so that it can tell the other side to come again.
    Refuse,
    /// To wait: the work is done already and only has to be remembered.
    Wait,
}

impl Writer {
    /// Starts the thread.
    pub(crate) fn start(
        scribe: Scribe,
        nudge: Nudge,
        checkpointer: JoinHandle<()>,
    ) -> std::io::Result<Self> {
        let (queue, requests) = mpsc::channel(QUEUE_MAX);
        let thread = thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || serve(scribe, requests, nudge))?;
        Ok(Self::Thread {
            queue: Mutex::new(Some(queue)),
            threads: Mutex::new(vec![thread, checkpointer]),
        })
    }

    /// Executes `work` in a transaction of its own or of a group's. Durable when it returns. A caller that goes away meanwhile
    /// does not stop it.
    pub(crate) async fn write<T, F>(
        &self,
        doing: &'static str,
        when_full: WhenFull,
        work: F,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Desk<'_>) -> Result<T, Failure> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let request = Box::new(Pending {
            doing,
            work: Some(work),
            answer: None,
            reply,
        });
        match self {
            Self::Inline { scribe, cut } => {
                let fails = |moment| cut.as_ref().is_some_and(|cut| cut(doing, moment));
                if fails(Moment::Before) {
                    return std::future::pending().await;
                }
                lock(scribe).commit(vec![request]);
                if fails(Moment::After) {
                    return std::future::pending().await;
                }
            }
            Self::Thread { queue, .. } => {
                let queue = lock(queue).clone().ok_or_else(|| closed(doing))?;
                match when_full {
                    WhenFull::Wait => queue.send(request).await.map_err(|_| closed(doing))?,
                    WhenFull::Refuse => {
                        queue.try_send(request).map_err(|refused| match refused {
                            mpsc::error::TrySendError::Full(_) => StoreError::Full {
                                what: format!("{QUEUE_MAX} requests wait for the disk"),
                            },
                            mpsc::error::TrySendError::Closed(_) => closed(doing),
                        })?
                    }
                }
            }
        }
        answer.await.unwrap_or_else(|_| Err(closed(doing)))
    }

    /// Serves what is queued, then ends. Later requests fail. Blocks for the time of a commit.
    pub(crate) fn close(&self) {
        if let Self::Thread { queue, threads } = self {
            drop(lock(queue).take());
            for thread in lock(threads).drain(..) {
                if thread.join().is_err() {
                    tracing::error!(
                        "a thread of the store ended by a panic; what it had not acknowledged is not stored"
                    );
                }
            }
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.close();
    }
}

fn serve(mut scribe: Scribe, mut requests: mpsc::Receiver<Box<dyn Request>>, mut nudge: Nudge) {
    let mut group = Vec::with_capacity(GROUP_MAX);
    while requests.blocking_recv_many(&mut group, GROUP_MAX) > 0 {
        scribe.commit(std::mem::take(&mut group));
        nudge.after_commit(&scribe.sql);
    }
}

/// Owns the connection that writes.
pub(crate) struct Scribe {
    pub(crate) sql: Owned,
    clock: Clock,
    backlog: Backlog,
}

impl Scribe {
    /// Counts the waiting bells once; afterwards the number is kept.
    pub(crate) fn new(sql: Owned, clock: Clock, bells_max: i64) -> rusqlite::Result<Self> {
        let waiting = count_waiting(&sql)?;
        let backlog = Backlog {
            waiting,
            max: bells_max,
            counted_at: clock(),
        };
        Ok(Self {
            sql,
            clock,
            backlog,
        })
    }

    /// One transaction for all of them; answers go out after its commit.
    pub(crate) fn commit(&mut self, mut group: Vec<Box<dyn Request>>) {
        let before = self.backlog;
        let failure = self.execute(&mut group).err().map(Arc::new);
        if failure.is_some() {
            self.backlog = before;
            // Some failures roll back by themselves; a rollback that fails is met again, and reported, by the next BEGIN.
            if !self.sql.is_autocommit() && self.sql.execute_batch("ROLLBACK").is_err() {
                tracing::error!("the store could not take back a transaction that failed");
            }
        }
        for request in group {
            request.reply(failure.clone());
        }
    }

    fn execute(&mut self, group: &mut [Box<dyn Request>]) -> rusqlite::Result<()> {
        // The transaction of one request is its savepoint.
        let alone = group.len() == 1;
        self.run("BEGIN IMMEDIATE")?;
        for request in group {
            let backlog = self.backlog;
            if !alone {
                self.run("SAVEPOINT request")?;
            }
            let mut desk = Desk {
                sql: &self.sql,
                now: (self.clock)(),
                backlog: &mut self.backlog,
            };
            // A panic is one request's mistake and must not take the store from everybody: all of it is taken back.
            let kept = catch_unwind(AssertUnwindSafe(|| request.execute(&mut desk)));
            if !kept.unwrap_or(false) {
                self.backlog = backlog;
                if alone {
                    return self.run("ROLLBACK");
                }
                self.run("ROLLBACK TO request")?;
            }
            if !alone {
                self.run("RELEASE request")?;
            }
        }
        self.run("COMMIT")
    }

    /// Works outside any transaction.
    #[cfg(test)]
    pub(crate) fn desk(&mut self, work: impl FnOnce(&mut Desk<'_>) -> Result<(), Failure>) {
        let mut desk = Desk {
            sql: &self.sql,
            now: (self.clock)(),
            backlog: &mut self.backlog,
        };
        assert!(work(&mut desk).is_ok());
    }

    fn run(&self, sql: &str) -> rusqlite::Result<()> {
        self.sql.prepare_cached(sql)?.execute([]).map(drop)
    }
}

/// What a request works with.
pub(crate) struct Desk<'a> {
    /// Inside the transaction.
    pub(crate) sql: &'a Connection,
    /// The store's clock when the request's turn came.
    pub(crate) now: Millis,
    /// Follows the bells that the request rings and answers.
    pub(crate) backlog: &'a mut Backlog,
}

/// How many bells wait for an answer. Kept beside the transaction, because counting 100,000 of them on every accept is too slow.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Backlog {
    pub(crate) waiting: i64,
    max: i64,
    counted_at: Millis,
}

impl Desk<'_> {
    /// Refuses when more bells wait than may.
    pub(crate) fn check_backlog(&mut self) -> Result<(), Failure> {
        if self.backlog.waiting <= self.backlog.max {
            return Ok(());
        }
        // A clock that stepped back must not stop the counting.
        if (self.now - self.backlog.counted_at).abs() >= RECOUNT_MS {
            self.backlog.waiting = count_waiting(self.sql)?;
            self.backlog.counted_at = self.now;
            if self.backlog.waiting <= self.backlog.max {
                return Ok(());
            }
        }
        Err(StoreError::Full {
            what: format!("{} bells wait for an answer", self.backlog.max),
        }
        .into())
    }
}

fn count_waiting(sql: &Connection) -> rusqlite::Result<i64> {
    sql.query_row(
        "SELECT count(*) FROM bell WHERE rung > answered",
        [],
        |row| row.get(0),
    )
}

/// Why a request did not succeed, before it is said what was being done.
pub(crate) enum Failure {
    /// One of the store's own answers.
    Refused(StoreError),
    /// The database's.
    Sql(rusqlite::Error),
}

impl Failure {
    /// For the caller.
    pub(crate) fn explain(self, doing: &'static str) -> StoreError {
        match self {
            Self::Refused(error) => error,
            Self::Sql(error) if disk_full(&error) => no_room(),
            Self::Sql(error) => StoreError::Broken {
                doing,
                source: Box::new(error),
            },
        }
    }

    /// A fault that is neither a refusal nor the database's: stored text that cannot be read, a reference to nothing.
    pub(crate) fn broken(
        doing: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Refused(StoreError::Broken {
            doing,
            source: source.into(),
        })
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

/// A caller's request as the writer sees it.
pub(crate) trait Request: Send {
    /// Does the work. False: it failed, take its changes back.
    fn execute(&mut self, desk: &mut Desk<'_>) -> bool;
    /// Answers the caller, after the commit or after what stopped it.
    fn reply(self: Box<Self>, stopped: Option<Arc<rusqlite::Error>>);
}

struct Pending<T, F> {
    doing: &'static str,
    work: Option<F>,
    answer: Option<Result<T, Failure>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Request for Pending<T, F>
where
    T: Send,
    F: FnOnce(&mut Desk<'_>) -> Result<T, Failure> + Send,
{
    fn execute(&mut self, desk: &mut Desk<'_>) -> bool {
        let answer = self.work.take().map(|work| work(desk));
        let keep = matches!(answer, Some(Ok(_)));
        self.answer = answer;
        keep
    }

    fn reply(self: Box<Self>, stopped: Option<Arc<rusqlite::Error>>) {
        let doing = self.doing;
        let answer = match (self.answer, stopped) {
            // Its own failure says more than the group's.
            (Some(Err(failure)), _) => Err(failure.explain(doing)),
            (_, Some(error)) if disk_full(&error) => Err(no_room()),
            (_, Some(error)) => Err(StoreError::Broken {
                doing,
                source: Box::new(error),
            }),
            (Some(Ok(answer)), None) => Ok(answer),
            (None, None) => Err(StoreError::Broken {
                doing,
                source: "the request panicked".into(),
            }),
        };
        // A caller that went away does not need its answer; the change stands all the same.
        drop(self.reply.send(answer));
    }
}

/// A full disk says so; a quota that is used up, or a limit on the size of files, is a write that fails.
fn disk_full(error: &rusqlite::Error) -> bool {
    const WRITE_FAILED: i32 = rusqlite::ffi::SQLITE_IOERR_WRITE;
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull)
        || error
            .sqlite_error()
            .is_some_and(|said| said.extended_code == WRITE_FAILED)
}

fn no_room() -> StoreError {
    StoreError::NoRoom {
        what: "no room is left on the disk".into(),
    }
}

/// The answer of a store that was closed.
pub(crate) fn closed(doing: &'static str) -> StoreError {
    StoreError::Broken {
        doing,
        source: "the store is closed".into(),
    }
}

/// A panic under one of these locks leaves nothing half done: the transaction is taken back when the connection is used next.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
