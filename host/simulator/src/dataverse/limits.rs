//! Service protection: how much a user may ask in a sliding window, and how it is refused. (dataverse 5)

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::refusal::Refusal;
use crate::config::ServiceProtection;
use crate::wire::Reply;

/// How many requests at a time the platform recommends.
const PARALLEL_HINT: u32 = 4;

/// The counters of all users. Without a configuration nothing is counted.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    config: Option<ServiceProtection>,
    windows: Mutex<BTreeMap<String, Window>>,
}

/// What one user asked for lately.
#[derive(Debug, Default)]
struct Window {
    /// When each request came, and the milliseconds that it took.
    taken: VecDeque<(Timestamp, u64)>,
    execution_ms: u64,
    running: u32,
    /// Refusals since the last request that was let in: who keeps asking waits longer.
    refused: u32,
}

/// A request that is under way. Dropped when it is answered.
#[derive(Debug)]
pub(crate) struct Running {
    limits: Arc<Limits>,
    user: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(window) = self.limits.windows().get_mut(&self.user) {
            window.running = window.running.saturating_sub(1);
        }
    }
}

impl Limits {
    pub(crate) fn new(config: Option<ServiceProtection>) -> Self {
        Self {
            config,
            windows: Mutex::default(),
        }
    }

    /// The same limits, and nobody has asked for anything yet.
    pub(crate) fn fresh(&self) -> Self {
        Self::new(self.config.clone())
    }

    fn windows(&self) -> MutexGuard<'_, BTreeMap<String, Window>> {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether anything is counted at all.
    pub(crate) fn are_kept(&self) -> bool {
        self.config.is_some()
    }

    /// A request begins; too many at a time are refused.
    pub(crate) fn begin(self: &Arc<Self>, user: &str) -> Result<Option<Running>, Reply> {
        let Some(config) = &self.config else {
            return Ok(None);
        };
        let mut windows = self.windows();
        let window = windows.entry(user.to_owned()).or_default();
        if window.running >= config.concurrent_max {
            window.refused += 1;
            return Err(Limit::Concurrent.reply(config, 1, window.refused));
        }
        window.running += 1;
        Ok(Some(Running {
            limits: Arc::clone(self),
            user: user.to_owned(),
        }))
    }

    /// A request is let in, or refused because the window is full.
    pub(crate) fn admit(&self, user: &str, now: Timestamp) -> Result<(), Reply> {
        let Some(config) = &self.config else {
            return Ok(());
        };
        let mut windows = self.windows();
        let window = windows.entry(user.to_owned()).or_default();
        window.forget(config, now);
        let limit =
            if window.taken.len() >= usize::try_from(config.requests_max).unwrap_or(usize::MAX) {
                Limit::Requests
            } else if window.execution_ms >= config.execution_ms_max {
                Limit::Execution
            } else {
                window.refused = 0;
                return Ok(());
            };
        window.refused += 1;
        let oldest = window.taken.front().map_or(now, |(at, _)| *at);
        let free = oldest
            .checked_add(SignedDuration::from_secs(i64::from(config.window_s)))
            .map_or(SignedDuration::ZERO, |free| free.duration_since(now));
        let wait_s = u32::try_from(free.as_secs()).unwrap_or(0) + 1;
        Err(limit.reply(config, wait_s, window.refused))
    }

    /// Counts a request that was answered, and tells in its reply what is left.
    pub(crate) fn count(
        &self,
        user: &str,
        now: Timestamp,
        operations: u64,
        took: Duration,
        reply: Reply,
    ) -> Reply {
        let Some(config) = &self.config else {
            return reply;
        };
        let real_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let ms = real_ms.saturating_add(operations.saturating_mul(config.operation_ms));
        let mut windows = self.windows();
        let window = windows.entry(user.to_owned()).or_default();
        window.taken.push_back((now, ms));
        window.execution_ms = window.execution_ms.saturating_add(ms);
        let taken = u32::try_from(window.taken.len()).unwrap_or(u32::MAX);
        let requests = config.requests_max.saturating_sub(taken);
        let time_s = config.execution_ms_max.saturating_sub(window.execution_ms) / 1_000;
        reply
            .with(
                "x-ms-ratelimit-burst-remaining-xrm-requests",
                requests.to_string(),
            )
            .with(
                "x-ms-ratelimit-time-remaining-xrm-requests",
                time_s.to_string(),
            )
            .with("x-ms-dop-hint", PARALLEL_HINT.to_string())
    }
}

impl Window {
    /// Drops what has left the window.
    fn forget(&mut self, config: &ServiceProtection, now: Timestamp) {
        let length = SignedDuration::from_secs(i64::from(config.window_s));
        while let Some((at, ms)) = self.taken.front() {
            if now.duration_since(*at) < length {
                break;
            }
            self.execution_ms = self.execution_ms.saturating_sub(*ms);
            self.taken.pop_front();
        }
    }
}

enum Limit {
    Requests,
    Execution,
    Concurrent,
}

impl Limit {
    fn reply(&self, config: &ServiceProtection, wait_s: u32, refused: u32) -> Reply {
        let (code, message) = match self {
            Self::Requests => (
                "0x80072322",
                format!(
                    "Number of requests exceeded the limit of {} over time window of {} seconds.",
                    config.requests_max, config.window_s
                ),
            ),
            Self::Execution => (
                "0x80072321",
                format!(
                    "Combined execution time of incoming requests exceeded limit of {} milliseconds over time window of {} seconds. Decrease number of concurrent requests or reduce the duration of requests and try again later.",
                    super::cells::grouped(&config.execution_ms_max.to_string()),
                    config.window_s
                ),
            ),
            Self::Concurrent => (
                "0x80072326",
                format!(
                    "Number of concurrent requests exceeded the limit of {}.",
                    config.concurrent_max
                ),
            ),
        };
        let wait_s = wait_s
            .saturating_add(refused.saturating_sub(1))
            .min(config.window_s.max(1));
        Refusal::new(429, code, message)
            .reply()
            .with("retry-after", wait_s.to_string())
    }
}
