//! The system's clock without its steps back. Leases, due times and throttles are moments: a clock that is set back by an hour would let every deal
//! that waits wait an hour longer.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::{Clock, Millis, system_clock};

/// While it is ahead of the system's clock it goes so much slower, in tenths, until the other has caught up.
const SLOW_TENTHS: Millis = 9;
/// The slow stretch is measured from a moment this far back at most, so that tenths of milliseconds are not lost.
const STRETCH_MS: Millis = 1_000;

/// Follows the system's clock. A step forward is followed at once: what was due meanwhile is due. A step back is not: the clock goes on, a tenth
/// slower, until it is right again.
#[must_use]
pub fn steady_clock() -> Clock {
    let wall = system_clock();
    let began = Instant::now();
    let state = Mutex::new(Steady::new(wall()));
    Arc::new(move || {
        let passed = Millis::try_from(began.elapsed().as_millis()).unwrap_or(Millis::MAX);
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        state.tell(passed, wall())
    })
}

#[derive(Debug, Clone, Copy)]
struct Steady {
    /// What was told at the beginning of the stretch, and when that was by a clock that never steps.
    from: Millis,
    from_passed: Millis,
    told: Millis,
}

impl Steady {
    const fn new(wall: Millis) -> Self {
        Self {
            from: wall,
            from_passed: 0,
            told: wall,
        }
    }

    /// `passed`: milliseconds since the beginning, by a clock that never steps.
    fn tell(&mut self, passed: Millis, wall: Millis) -> Millis {
        let stretch = passed - self.from_passed;
        let slow = self.from + stretch * SLOW_TENTHS / 10;
        let now = wall.max(slow).max(self.told);
        if now == wall || stretch >= STRETCH_MS {
            (self.from, self.from_passed) = (now, passed);
        }
        self.told = now;
        now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Millis = 3_600_000;

    #[test]
    fn a_step_forward_is_followed_at_once() {
        let mut clock = Steady::new(1_000);
        assert_eq!(clock.tell(500, 1_500), 1_500);
        assert_eq!(clock.tell(600, 1_600 + HOUR), 1_600 + HOUR);
    }

    #[test]
    fn a_step_back_is_walked_off_and_a_second_stays_nearly_a_second() {
        let mut clock = Steady::new(HOUR);
        assert_eq!(clock.tell(1_000, HOUR + 1_000), HOUR + 1_000);
        // Set back by an hour; asked every millisecond.
        let mut last = HOUR + 1_000;
        for passed in 1_001..=11_000 {
            let now = clock.tell(passed, passed);
            assert!(now >= last);
            last = now;
        }
        let went = last - (HOUR + 1_000);
        assert!((8_900..=9_010).contains(&went), "{went}");
        // Ten hours later it is right again, and goes with the system's.
        for hundredth in 1..=4_000 {
            last = clock.tell(11_000 + hundredth * 10_000, 11_000 + hundredth * 10_000);
        }
        assert_eq!(last, 11_000 + 4_000 * 10_000);
    }
}
