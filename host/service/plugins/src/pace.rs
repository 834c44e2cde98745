//! Whether a plugin in service is near its limit: slow, and not too slow. That is told when it begins and when it ends, and nothing is rolled back for
//! it: its answers are good. What counts is work, as for the limit itself, and not the time on a clock: a busy machine makes no plugin slow.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The last calls, over which it is judged.
const WINDOW: usize = 100;
/// Fewer say nothing.
const CALLS_MIN: usize = 20;
/// So many of a hundred calls may be slow: the others make the 95th percentile.
const SLOW_PERCENT: usize = 5;
/// A call that works longer than this part of its limit is near it.
const NEAR: u32 = 2;

/// Of one plugin, in service or tried.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    calls: Mutex<Calls>,
    /// It became slow, or is no longer, and nobody was told.
    is_news: AtomicBool,
}

#[derive(Debug, Default)]
struct Calls {
    last: VecDeque<Duration>,
    near: usize,
    slow: Option<Slow>,
}

/// How slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slow {
    /// Of a hundred calls, 95 worked shorter than this: milliseconds, as it was when it became slow.
    pub p95_ms: u64,
    /// What a call may work.
    pub limit_ms: u64,
}

impl Pace {
    /// What it worked before it came into service says nothing.
    pub(crate) fn begin(&self) {
        *self.calls.lock().unwrap_or_else(PoisonError::into_inner) = Calls::default();
        self.is_news.store(false, Ordering::Relaxed);
    }

    /// A call has worked so long.
    pub(crate) fn called(&self, worked: Duration, limit: Duration) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let is_near = |one: Duration| one * NEAR > limit;
        calls.last.push_back(worked);
        calls.near += usize::from(is_near(worked));
        if calls.last.len() > WINDOW
            && let Some(oldest) = calls.last.pop_front()
        {
            calls.near -= usize::from(is_near(oldest));
        }
        let count = calls.last.len();
        let is_many = calls.near * 100 > count * SLOW_PERCENT;
        match calls.slow {
            None if count >= CALLS_MIN && is_many => {
                calls.slow = Some(Slow {
                    p95_ms: p95_ms(&calls.last),
                    limit_ms: millis(limit),
                });
            }
            // Only when the whole window is clean, or one that is just at the border would be told again and again.
            Some(_) if calls.near == 0 => calls.slow = None,
            _ => return,
        }
        self.is_news.store(true, Ordering::Relaxed);
    }

    pub(crate) fn slow(&self) -> Option<Slow> {
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.slow
    }

    /// Some: this is news. The inner value is what it is now.
    pub(crate) fn news(&self) -> Option<Option<Slow>> {
        // Asked after every question: without news it costs no lock.
        let is_news =
            self.is_news.load(Ordering::Relaxed) && self.is_news.swap(false, Ordering::Relaxed);
        is_news.then(|| self.slow())
    }
}

fn p95_ms(calls: &VecDeque<Duration>) -> u64 {
    let mut sorted: Vec<Duration> = calls.iter().copied().collect();
    sorted.sort_unstable();
    let at = (sorted.len() * (100 - SLOW_PERCENT)).div_ceil(100);
    millis(
        sorted
            .get(at)
            .or(sorted.last())
            .copied()
            .unwrap_or_default(),
    )
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_millis(50);

    /// What is told over calls of so many milliseconds each.
    fn told(pace: &Pace, calls: impl IntoIterator<Item = u64>) -> Vec<Option<u64>> {
        let news = calls.into_iter().filter_map(|ms| {
            pace.called(Duration::from_millis(ms), LIMIT);
            pace.news()
        });
        news.map(|slow| slow.map(|slow| slow.p95_ms)).collect()
    }

    #[test]
    fn what_works_more_than_half_its_limit_is_told_when_it_begins_and_when_it_ends() {
        let pace = Pace::default();
        assert_eq!(told(&pace, [30; 60]), [Some(30)]);
        assert_eq!(pace.slow().map(|slow| slow.limit_ms), Some(50));
        assert_eq!(told(&pace, [1; 99]), [], "not before the window is clean");
        assert_eq!(told(&pace, [1; 100]), [None]);
        assert_eq!(pace.slow(), None);
    }

    #[test]
    fn a_few_calls_or_a_few_slow_ones_say_nothing() {
        let pace = Pace::default();
        assert_eq!(told(&pace, [49; CALLS_MIN - 1]), []);
        let pace = Pace::default();
        let now_and_then = (0..1_000).map(|call| if call % 20 == 19 { 45 } else { 1 });
        assert_eq!(told(&pace, now_and_then), [], "one in twenty");
        let pace = Pace::default();
        assert_eq!(told(&pace, [25; 200]), [], "half is not more than half");
    }
}
