//! Who waits for room, the longest wait first. Whoever asks more often must not go before one who asks less: a deal that is edited every second would
//! keep a new one waiting for as long as the edits go on.
//!
//! Moments are milliseconds of one clock, whichever.

use alloc::collections::BTreeMap;

/// Who has not come back so long after he wanted to is not waited for: he went elsewhere, or there is nothing left to do.
const GRACE_MS: i64 = 10_000;

/// Those who wait. One that does not wait at all takes no place.
#[derive(Debug, Clone)]
pub struct Queue<K> {
    /// Since when each waits.
    since: BTreeMap<K, i64>,
    /// When each comes back, the longest wait first.
    back: BTreeMap<(i64, K), i64>,
}

impl<K> Default for Queue<K> {
    fn default() -> Self {
        Self {
            since: BTreeMap::new(),
            back: BTreeMap::new(),
        }
    }
}

impl<K: Ord + Clone> Queue<K> {
    /// How many have waited longer than `who`, who has waited since then or, if he is known, since he first said so.
    pub fn before(&mut self, who: &K, since: i64, now: i64) -> usize {
        self.forget(now);
        let since = self.first(who, since);
        self.back.range(..(since, who.clone())).count()
    }

    /// He waits, and comes back then.
    pub fn wait(&mut self, who: &K, since: i64, back: i64) {
        let first = self.first(who, since);
        self.leave(who);
        self.since.insert(who.clone(), first);
        self.back.insert((first, who.clone()), back);
    }

    /// He waits no more.
    pub fn leave(&mut self, who: &K) {
        if let Some(since) = self.since.remove(who) {
            self.back.remove(&(since, who.clone()));
        }
    }

    fn first(&self, who: &K, since: i64) -> i64 {
        self.since.get(who).map_or(since, |known| since.min(*known))
    }

    fn forget(&mut self, now: i64) {
        let gone = |back: &i64| back.saturating_add(GRACE_MS) < now;
        let all = &mut self.since;
        self.back.retain(|(_, who), back| {
            if gone(back) {
                all.remove(who);
            }
            !gone(back)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_waited_longest_goes_first_however_often_another_asks() {
        let mut queue = Queue::default();
        queue.wait(&"edited", 20, 100);
        queue.wait(&"new", 10, 1_000);
        for now in 0..100 {
            assert_eq!(queue.before(&"edited", 20, now), 1);
            queue.wait(&"edited", 20, now + 1);
        }
        assert_eq!(queue.before(&"new", 10, 100), 0);
        assert_eq!(queue.before(&"other", 15, 100), 1, "and takes no place");
        assert_eq!(queue.before(&"edited", 20, 100), 1);
        queue.leave(&"new");
        assert_eq!(queue.before(&"edited", 20, 100), 0);
    }

    #[test]
    fn a_wait_that_began_is_not_forgotten_and_one_that_ended_elsewhere_is() {
        let mut queue = Queue::default();
        queue.wait(&1, 10, 50);
        queue.wait(&1, 40, 60);
        assert_eq!(queue.before(&2, 20, 60), 1, "it has waited since 10");
        assert_eq!(queue.before(&2, 20, 60 + GRACE_MS), 1);
        assert_eq!(queue.before(&2, 20, 61 + GRACE_MS), 0);
        assert!(queue.since.is_empty());
    }
}
