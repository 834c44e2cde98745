//! The simulated clock: real time plus an offset that only control moves.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};

/// Real time plus an offset in milliseconds. Tokens, expiry and `modifiedon` follow it; the ledger also keeps real time.
#[derive(Debug, Default)]
pub struct Clock {
    offset_ms: AtomicI64,
}

impl Clock {
    /// The simulated now, as fine as the machine's clock.
    pub fn now(&self) -> Timestamp {
        let offset = SignedDuration::from_millis(self.offset_ms.load(Ordering::Relaxed));
        Timestamp::now()
            .saturating_add(offset)
            .unwrap_or(Timestamp::MAX)
    }

    /// Moves the clock by `ms`, backwards when negative, and returns the new now.
    pub fn advance_ms(&self, ms: i64) -> Timestamp {
        self.offset_ms.fetch_add(ms, Ordering::Relaxed);
        self.now()
    }

    /// Puts the clock at `now`; it goes on running from there.
    pub fn set(&self, now: Timestamp) {
        self.offset_ms.store(
            now.as_millisecond().saturating_sub(real_ms()),
            Ordering::Relaxed,
        );
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
