//! When to try again. Only the worker retries, and only as this page says.

/// First pause after a transient failure.
const FIRST_MS: u64 = 2_000;
/// Longest pause: long enough to spare a service that is down, short enough that a deal arrives soon after it is back.
const LONGEST_MS: u64 = 15 * 60 * 1_000;
/// Failures in a row after which a person is called. With the pauses above this is about a day.
const ATTEMPTS_MAX: u32 = 110;

/// [`retry`] for what nobody may give up: a write whose outcome is unknown.
#[must_use]
pub fn pause(failures: u32, random: u32) -> u64 {
    let bound = FIRST_MS
        .saturating_mul(1_u64.checked_shl(failures).unwrap_or(u64::MAX))
        .min(LONGEST_MS);
    // At least a tenth of the bound: zero pauses would hammer a service that has just failed.
    let floor = bound / 10;
    floor + (bound - floor) * u64::from(random) / u64::from(u32::MAX)
}

/// What to do after a failure that may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Wait so many milliseconds.
    After(u64),
    /// It did not pass for about a day: park, and tell a person.
    GiveUp,
}

/// Full jitter: a random moment between now and the doubling bound, so that many deals do not come back as one wave. `failures` counts the
/// failures in a row so far, the present one not included. `random` is drawn by the caller; `asked_ms` is the other side's own wish (Retry-After) and wins.
#[must_use]
pub fn retry(failures: u32, random: u32, asked_ms: Option<u64>) -> Retry {
    if failures >= ATTEMPTS_MAX {
        return Retry::GiveUp;
    }
    if let Some(asked) = asked_ms {
        return Retry::After(asked);
    }
    Retry::After(pause(failures, random))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_cap_and_end_after_about_a_day() {
        let longest: u64 = (0..ATTEMPTS_MAX)
            .map(|failures| match retry(failures, u32::MAX, None) {
                Retry::After(ms) => ms,
                Retry::GiveUp => 0,
            })
            .sum();
        assert_eq!(retry(0, u32::MAX, None), Retry::After(2_000));
        assert_eq!(retry(3, u32::MAX, None), Retry::After(16_000));
        assert_eq!(retry(60, u32::MAX, None), Retry::After(LONGEST_MS));
        assert!(
            (20 * 3_600_000..=27 * 3_600_000).contains(&longest),
            "{longest} ms in all"
        );
        assert_eq!(retry(ATTEMPTS_MAX, 0, None), Retry::GiveUp);
    }

    #[test]
    fn the_other_sides_wish_wins() {
        assert_eq!(retry(1, u32::MAX, Some(57_000)), Retry::After(57_000));
    }
}
