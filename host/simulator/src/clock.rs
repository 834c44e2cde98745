//! The simulated clock: real time plus an offset, or a clock that stands until control moves it.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

thread_local! {
    /// How far a service is off that answers with a wrong clock: services answer on the thread that asks them.
    static SKEW_MS: Cell<i64> = const { Cell::new(0) };
}

/// What `answer` gives when the clock that it looks at is off by so many milliseconds.
pub(crate) fn skewed<T>(ms: i64, answer: impl FnOnce() -> T) -> T {
    let before = SKEW_MS.replace(ms);
    let answered = answer();
    SKEW_MS.set(before);
    answered
}

/// A clock as it is written down.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Reading {
    /// Microseconds: what is added to real time, or the simulated now itself.
    micros: i64,
    stands: bool,
}

/// Tokens, expiry and `modifiedon` follow it; the ledger also keeps real time.
#[derive(Debug)]
pub struct Clock {
    /// Microseconds: what is added to real time, or the simulated now itself.
    micros: AtomicI64,
    stands: AtomicBool,
}

impl Default for Clock {
    /// Real time.
    fn default() -> Self {
        Self {
            micros: AtomicI64::new(0),
            stands: AtomicBool::new(false),
        }
    }
}

impl Clock {
    /// A clock that only control moves, but for one microsecond at every look: no two things are stamped alike, as in real life.
    pub(crate) fn standing(now: Timestamp) -> Self {
        Self {
            micros: AtomicI64::new(now.as_microsecond()),
            stands: AtomicBool::new(true),
        }
    }

    /// The same time, from here on by itself.
    pub(crate) fn copied(&self) -> Self {
        let copy = Self::default();
        copy.read(self.reading());
        copy
    }

    pub(crate) fn reading(&self) -> Reading {
        Reading {
            micros: self.micros.load(Ordering::Relaxed),
            stands: self.stands.load(Ordering::Relaxed),
        }
    }

    /// Goes on as the one that was written down.
    pub(crate) fn read(&self, reading: Reading) {
        self.micros.store(reading.micros, Ordering::Relaxed);
        self.stands.store(reading.stands, Ordering::Relaxed);
    }

    /// The simulated now, as fine as the machine's clock.
    pub fn now(&self) -> Timestamp {
        let now = if self.stands.load(Ordering::Relaxed) {
            let micros = self.micros.fetch_add(1, Ordering::Relaxed);
            Timestamp::from_microsecond(micros).unwrap_or(Timestamp::MAX)
        } else {
            let offset = SignedDuration::from_micros(self.micros.load(Ordering::Relaxed));
            Timestamp::now()
                .saturating_add(offset)
                .unwrap_or(Timestamp::MAX)
        };
        now.saturating_add(SignedDuration::from_millis(SKEW_MS.get()))
            .unwrap_or(Timestamp::MAX)
    }

    /// Milliseconds since 1970 for the ledger: real time, of which latencies are computed, or that of a clock that stands, so that the same
    /// script gives the same ledger. Looking moves nothing.
    pub(crate) fn ledger_ms(&self) -> i64 {
        if self.stands.load(Ordering::Relaxed) {
            self.micros.load(Ordering::Relaxed) / 1_000
        } else {
            real_ms()
        }
    }

    /// Moves the clock by `ms`, backwards when negative, and returns the new now.
    pub fn advance_ms(&self, ms: i64) -> Timestamp {
        self.micros
            .fetch_add(ms.saturating_mul(1_000), Ordering::Relaxed);
        self.now()
    }

    /// Puts the clock at `now`; it goes on from there.
    pub fn set(&self, now: Timestamp) {
        let from = if self.stands.load(Ordering::Relaxed) {
            Timestamp::UNIX_EPOCH
        } else {
            Timestamp::now()
        };
        let micros = now.as_microsecond().saturating_sub(from.as_microsecond());
        self.micros.store(micros, Ordering::Relaxed);
    }
}

/// Real time in milliseconds since 1970: what latencies are computed from.
pub fn real_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

/// `2026-01-31T10:20:30Z`: Dataverse keeps whole seconds.
pub(crate) fn seconds(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// `2026-01-31T10:20:30.123Z` with trailing zeros dropped, as Partner Center prints it.
pub(crate) fn fraction(at: Timestamp) -> String {
    let whole = at.strftime("%Y-%m-%dT%H:%M:%S").to_string();
    // Partner Center keeps ticks of 100 ns; ours keeps microseconds, which fits.
    let micros = at.subsec_nanosecond() / 1_000;
    if micros == 0 {
        return format!("{whole}Z");
    }
    let digits = format!("{micros:06}");
    format!("{whole}.{}Z", digits.trim_end_matches('0'))
}
