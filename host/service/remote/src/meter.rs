//! Keeps below what a service allows: counts each call, and lets as many be under way as may be. What may be used yet is decided by
//! [`cosell_sync::budget`]; here it is waited for.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cosell_sync::budget::{Budget, Heard, Limits, Turn, Work};
use http::header::HeaderMap;
use tokio::sync::Notify;

use crate::http::{Answer, Http, retry_after};

/// A call waits so long for its turn. A lease lasts for more than two calls, and the turn must not use that up.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// What one credential may ask of one service. Cheap to clone; all clones share.
#[derive(Clone)]
pub struct Meter(Arc<Inner>);

struct Inner {
    http: Http,
    began: Instant,
    budget: Mutex<Budget>,
    /// A call has ended.
    ended: Notify,
    calls: AtomicU64,
    refused: AtomicU64,
}

/// What came of it so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Calls made.
    pub calls: u64,
    /// Of them, those that were refused for being too many (429).
    pub refused: u64,
    /// How much of the window is used, per mille.
    pub used_permille: u64,
    /// Calls that may be under way at once.
    pub at_once: u32,
}

impl Meter {
    /// Nothing used yet. Time is that of the client whose calls are counted.
    #[must_use]
    pub fn new(limits: Limits, http: &Http) -> Self {
        Self(Arc::new(Inner {
            http: http.clone(),
            began: http.now(),
            budget: Mutex::new(Budget::new(limits)),
            ended: Notify::new(),
            calls: AtomicU64::default(),
            refused: AtomicU64::default(),
        }))
    }

    /// Whether a run may begin now; what it will cost is its own as long as the permit is held.
    ///
    /// # Errors
    /// How long to wait before asking again.
    pub fn begin(&self, work: Work) -> Result<Permit, Duration> {
        let now = self.0.now();
        match self.0.budget().begin(now, work) {
            Turn::Go => Ok(Permit {
                meter: Arc::clone(&self.0),
                work,
                is_unused: false,
            }),
            Turn::In(ms) => Err(Duration::from_millis(ms)),
            Turn::WhenOneEnds => Err(WAIT_MAX),
        }
    }

    /// How many fresh runs have room now, and how long it takes until there is room for one more when all are taken.
    #[must_use]
    pub fn room(&self) -> (u32, Duration) {
        let now = self.0.now();
        let mut budget = self.0.budget();
        (budget.room(now), Duration::from_millis(budget.each_ms()))
    }

    /// So many hosts use the credential, this one among them.
    pub fn shared_by(&self, hosts: u32) {
        self.0.budget().shared_by(hosts);
    }

    /// What came of it so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        let now = self.0.now();
        let budget = self.0.budget();
        Tally {
            calls: self.0.calls.load(Ordering::Relaxed),
            refused: self.0.refused.load(Ordering::Relaxed),
            used_permille: budget.used_permille(now),
            at_once: budget.width(),
        }
    }

    /// Waits for the turn of one call.
    ///
    /// # Errors
    /// How long it would have to wait yet: longer than a call may.
    pub(crate) async fn call(&self) -> Result<UnderWay, Duration> {
        let until = tokio::time::Instant::now() + WAIT_MAX;
        loop {
            let ended = self.0.ended.notified();
            let now = self.0.now();
            let turn = self.0.budget().call(now);
            let left = until.saturating_duration_since(tokio::time::Instant::now());
            let wait = match turn {
                Turn::Go => {
                    self.0.calls.fetch_add(1, Ordering::Relaxed);
                    return Ok(UnderWay {
                        meter: Arc::clone(&self.0),
                        began: now,
                        heard: Heard::default(),
                    });
                }
                Turn::WhenOneEnds if left > Duration::ZERO => {
                    drop(tokio::time::timeout(left, ended).await);
                    continue;
                }
                Turn::WhenOneEnds => Duration::from_secs(1),
                Turn::In(ms) => Duration::from_millis(ms),
            };
            if wait > left {
                return Err(wait);
            }
            tokio::time::sleep(wait).await;
        }
    }
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Meter").field(&self.tally()).finish()
    }
}

impl Inner {
    fn budget(&self) -> MutexGuard<'_, Budget> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> u64 {
        let since = self.http.now().saturating_duration_since(self.began);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

/// A run that has begun.
pub struct Permit {
    meter: Arc<Inner>,
    work: Work,
    is_unused: bool,
}

impl Permit {
    /// The run does not begin after all, and has called nobody.
    pub fn give_back(mut self) {
        self.is_unused = true;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut budget = self.meter.budget();
        if self.is_unused {
            budget.give_back(self.work);
        } else {
            budget.end();
        }
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permit")
    }
}

/// A call that has begun. It has ended when this is dropped, also when nobody waits for its answer any more.
pub(crate) struct UnderWay {
    meter: Arc<Inner>,
    began: u64,
    heard: Heard,
}

impl UnderWay {
    pub(crate) fn ended(mut self, answer: Option<&Answer>) {
        if let Some(answer) = answer {
            self.heard = heard(answer.status.as_u16(), &answer.headers);
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let now = self.meter.now();
        if self.heard.refused {
            self.meter.refused.fetch_add(1, Ordering::Relaxed);
        }
        self.meter
            .budget()
            .answered(now, now.saturating_sub(self.began), self.heard);
        self.meter.ended.notify_one();
    }
}

/// What the headers say about limits. (dataverse 5)
fn heard(status: u16, headers: &HeaderMap) -> Heard {
    let number = |name: &str| {
        let text = headers.get(name)?.to_str().ok()?;
        text.trim().parse::<u32>().ok()
    };
    let seconds_left = number("x-ms-ratelimit-time-remaining-xrm-requests");
    let rest = retry_after(headers);
    Heard {
        refused: matches!(status, 429 | 509),
        rest_ms: rest
            .filter(|_| matches!(status, 429 | 503 | 509))
            .map(|rest| u64::try_from(rest.as_millis()).unwrap_or(u64::MAX)),
        at_once: number("x-ms-dop-hint"),
        requests_left: number("x-ms-ratelimit-burst-remaining-xrm-requests"),
        execution_ms_left: seconds_left.map(|seconds| u64::from(seconds) * 1_000),
    }
}
