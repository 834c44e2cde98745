//! What arrives is gathered: while one transaction is under way, the events of all callers that come meanwhile wait for the next.
//!
//! PostgreSQL syncs many commits together by itself; what it cannot share are the round trips and the statements of each. A group of
//! calls costs as many of those as one call.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use deadpool_postgres::Pool;
use tokio::sync::{mpsc, oneshot};

use super::accept::{Answers, accept};
use super::fault::Fault;
use super::lanes::row;
use super::plan::{Call, Room};
use super::{Time, Tries};
use crate::writer::closed;
use crate::{Accepted, AcceptedEvent, CursorAdvance, StoreError};

/// What is being done.
const DOING: &str = "accept events";

/// Calls that may wait: as for SQLite's writer.
const QUEUE_MAX: usize = 8_192;

/// Calls in one transaction. Beside one transaction per call on all connections (measured by the bench with that change, on a busy machine)
/// 16 callers get through as often and 64 twice as often, over one connection instead of sixteen; several groups at once brought nothing.
/// More calls share its round trips hardly better, and the first of them waits for the last.
const GROUP_MAX: usize = 256;

/// How often waiting bells are counted: other hosts ring and answer, too. Between two counts this host follows its own.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// Where callers leave their events.
pub(super) struct Arrivals {
    queue: mpsc::Sender<Arrival>,
    waiting: Arc<AtomicI64>,
}

struct Arrival {
    call: Call,
    reply: oneshot::Sender<Result<Vec<Accepted>, StoreError>>,
}

impl Arrivals {
    /// Starts to serve; ends when this is dropped and what was left is served.
    pub(super) fn start(pool: Pool, time: Arc<Time>, bells_max: i64) -> Self {
        let (queue, arrivals) = mpsc::channel(QUEUE_MAX);
        let waiting = Arc::new(AtomicI64::new(0));
        let desk = Desk {
            pool,
            time,
            bells_max,
            waiting: Arc::clone(&waiting),
            counted: None,
        };
        tokio::spawn(desk.serve(arrivals));
        Self { queue, waiting }
    }

    /// Durable when it returns. A caller that goes away meanwhile does not stop it.
    pub(super) async fn bring(
        &self,
        events: Vec<AcceptedEvent>,
        cursor: Option<CursorAdvance>,
    ) -> Result<Vec<Accepted>, StoreError> {
        let (reply, answer) = oneshot::channel();
        let arrival = Arrival {
            call: Call { events, cursor },
            reply,
        };
        self.queue
            .try_send(arrival)
            .map_err(|refused| match refused {
                mpsc::error::TrySendError::Full(_) => StoreError::Full {
                    what: format!("{QUEUE_MAX} requests wait for the database"),
                },
                mpsc::error::TrySendError::Closed(_) => closed(DOING),
            })?;
        answer.await.unwrap_or_else(|_| Err(closed(DOING)))
    }

    /// So many bells have been answered.
    pub(super) fn answered(&self, bells: i64) {
        self.waiting.fetch_sub(bells, Ordering::Relaxed);
    }
}

struct Desk {
    pool: Pool,
    time: Arc<Time>,
    bells_max: i64,
    waiting: Arc<AtomicI64>,
    counted: Option<Instant>,
}

impl Desk {
    async fn serve(mut self, mut arrivals: mpsc::Receiver<Arrival>) {
        let mut group = Vec::with_capacity(GROUP_MAX);
        while arrivals.recv_many(&mut group, GROUP_MAX).await > 0 {
            let (calls, replies): (Vec<_>, Vec<_>) = group
                .drain(..)
                .map(|arrival| (arrival.call, arrival.reply))
                .unzip();
            let answers = match self.accept(&calls).await {
                Ok(answers) => answers,
                // A database that is away answers nobody: each would wait as long to be told so, one after the other.
                Err(fault) if fault.is_everybodys() => {
                    let fault = fault.explain(DOING);
                    calls.iter().map(|_| Err(same(&fault))).collect()
                }
                // One call's mistake must not be everybody's, and what it was, each alone finds out. Should the group have been committed
                // all the same, its events are known.
                Err(_) if calls.len() > 1 => self.accept_each(&calls).await,
                Err(fault) => vec![Err(fault.explain(DOING))],
            };
            for (reply, answer) in replies.into_iter().zip(answers) {
                // A caller that went away does not need its answer; the change stands all the same.
                drop(reply.send(answer));
            }
        }
    }

    /// Each on its own.
    async fn accept_each(&mut self, calls: &[Call]) -> Answers {
        let mut answers = Vec::with_capacity(calls.len());
        for call in calls {
            let answer = self.accept(std::slice::from_ref(call)).await;
            answers.push(match answer {
                Ok(mut answers) => answers.pop().unwrap_or_else(|| Err(closed(DOING))),
                Err(fault) => Err(fault.explain(DOING)),
            });
        }
        answers
    }

    async fn accept(&mut self, calls: &[Call]) -> Result<Answers, Fault> {
        if self.counted.is_none_or(|at| at.elapsed() >= COUNT_EVERY) {
            self.count().await?;
        }
        let room = Room {
            waiting: self.waiting.load(Ordering::Relaxed),
            max: self.bells_max,
        };
        let done: Result<_, Fault> = insist!({
            let mut client = self.pool.get().await?;
            let sql = client.transaction().await?;
            let done = accept(&sql, self.time.given(), calls, room).await?;
            sql.commit().await.map_err(Fault::of_commit)?;
            Ok(done)
        });
        let (answers, newly) = done?;
        self.waiting.fetch_add(newly, Ordering::Relaxed);
        Ok(answers)
    }

    /// No further than the limit: more is not worth the time.
    async fn count(&mut self) -> Result<(), Fault> {
        let beyond = self.bells_max.saturating_add(1);
        let found = insist!({
            let client = self.pool.get().await?;
            row(
                &client,
                "SELECT count(*) FROM (SELECT 1 FROM bell WHERE rung > answered LIMIT $1) AS waiting",
                &[&beyond],
            )
            .await
        });
        if let Some(found) = found? {
            self.waiting.store(found.get(0), Ordering::Relaxed);
        }
        self.counted = Some(Instant::now());
        Ok(())
    }
}

/// What everybody is told.
fn same(fault: &StoreError) -> StoreError {
    match fault {
        StoreError::Full { what } => StoreError::Full { what: what.clone() },
        StoreError::NoRoom { what } => StoreError::NoRoom { what: what.clone() },
        StoreError::Broken { source, .. } => StoreError::Broken {
            doing: DOING,
            source: source.to_string().into(),
        },
        other => StoreError::Broken {
            doing: DOING,
            source: other.to_string().into(),
        },
    }
}
