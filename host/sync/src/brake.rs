//! Brakes: a mass change is held (S25), and a deal that swings is stopped (S27).

/// How far back [`oscillates`] looks, in milliseconds.
pub const SWING_WINDOW_MS: i64 = 10 * 60 * 1_000;
/// Writes to one side of a deal in that time, without anybody having edited it, after which it is stopped.
pub const SWINGS_MAX: usize = 5;

/// When a batch of writes looks like an accident: a restored environment, a bulk edit, a mistake in a mapping, a lost role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MassLimits {
    /// Writes to one side in a window; 0 is no limit.
    pub writes_max: u32,
    /// Of them such that cannot be taken back; 0 is no limit.
    pub irreversible_max: u32,
    /// The window, milliseconds.
    pub window_ms: i64,
}

/// What was written to one side in the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Written {
    /// All of it.
    pub writes: u32,
    /// What cannot be taken back.
    pub irreversible: u32,
}

/// Whether the next write is one too many (S25).
#[must_use]
pub const fn is_mass(limits: MassLimits, written: Written, next_is_irreversible: bool) -> bool {
    let all = limits.writes_max > 0 && written.writes >= limits.writes_max;
    let irreversible = limits.irreversible_max > 0
        && next_is_irreversible
        && written.irreversible >= limits.irreversible_max;
    all || irreversible
}

/// Whether a deal swings: `writes` are the moments of our own writes to one side, `outside` is when somebody else last changed anything
/// (S27).
#[must_use]
pub fn oscillates(writes: impl IntoIterator<Item = i64>, outside: i64, now: i64) -> bool {
    let since = outside.max(now.saturating_sub(SWING_WINDOW_MS));
    writes.into_iter().filter(|at| *at > since).count() > SWINGS_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s25_one_write_too_many_is_a_mass_change() {
        let limits = MassLimits {
            writes_max: 3,
            irreversible_max: 1,
            window_ms: 1,
        };
        let written = |writes, irreversible| Written {
            writes,
            irreversible,
        };
        assert!(!is_mass(limits, written(2, 1), false));
        assert!(is_mass(limits, written(3, 0), false));
        assert!(is_mass(limits, written(1, 1), true));
        let none = MassLimits {
            writes_max: 0,
            irreversible_max: 0,
            window_ms: 1,
        };
        assert!(!is_mass(none, written(1_000_000, 1_000_000), true));
    }

    #[test]
    fn s27_a_deal_swings_only_while_nobody_touches_it() {
        let now = SWING_WINDOW_MS * 10;
        let writes = || (0..6).map(|second| now - second * 1_000);
        assert!(oscillates(writes(), 0, now));
        assert!(!oscillates(writes().take(5), 0, now));
        assert!(
            !oscillates(writes(), now - 500, now),
            "somebody edited it in between"
        );
        assert!(
            !oscillates(writes().map(|at| at - SWING_WINDOW_MS), 0, now),
            "long ago"
        );
    }
}
