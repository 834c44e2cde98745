//! The simulated clock: real time plus an offset, or a clock that stands until control moves it.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};

/// Tokens, expiry and `modifiedon` follow it; the ledger also keeps real time.
#[derive(Debug)]
pub struct Clock {
    /// Microseconds: what is added to real time, or the simulated now itself.
    micros: AtomicI64,
    stands: bool,
}

impl Default for Clock {
    /// Real time.
    fn default() -> Self {
        Self {
            micros: AtomicI64::new(0),
            stands: false,
        }
    }
}

impl Clock {
    /// A clock that only control moves, but for one microsecond at every look: no two things are stamped alike, as in real life.
    pub(crate) fn standing(now: Timestamp) -> Self {
        Self {
            micros: AtomicI64::new(now.as_microsecond()),
            stands: true,
        }
    }

    /// The same time, from here on by itself.
    pub(crate) fn copied(&self) -> Self {
        Self {
            micros: AtomicI64::new(self.micros.load(Ordering::Relaxed)),
            stands: self.stands,
        }
    }

    /// The simulated now, as fine as the machine's clock.
    pub fn now(&self) -> Timestamp {
        if self.stands {
            let micros = self.micros.fetch_add(1, Ordering::Relaxed);
            return Timestamp::from_microsecond(micros).unwrap_or(Timestamp::MAX);
        }
        let offset = SignedDuration::from_micros(self.micros.load(Ordering::Relaxed));
        Timestamp::now()
            .saturating_add(offset)
            .unwrap_or(Timestamp::MAX)
    }

    /// Moves the clock by `ms`, backwards when negative, and returns the new now.
    pub fn advance_ms(&self, ms: i64) -> Timestamp {
        self.micros
            .fetch_add(ms.saturating_mul(1_000), Ordering::Relaxed);
        self.now()
    }

    /// Puts the clock at `now`; it goes on from there.
    pub fn set(&self, now: Timestamp) {
        let from = if self.stands {
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
