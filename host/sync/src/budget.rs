//! How much may be asked of a service that counts: requests and execution time in a sliding window, and calls at once. Below what it allows, so
//! that it never has to refuse; and bulk work has a part of that only, so that a fresh edit never waits behind a thousand old ones.
//!
//! Moments are milliseconds of any clock that never steps back.

use alloc::collections::VecDeque;

/// Parts of a window that are forgotten together: the finer, the sooner there is room again.
const SLICES: u64 = 60;
/// A run that begins leaves this much (per mille) to those that have begun, whose calls nobody can foretell exactly.
const FRESH_UP_TO: u64 = 950;
/// Bulk work stops here, whoever has used it up.
const BULK_UP_TO: u64 = 800;
/// After a refusal bulk work stands back for this part of a window.
const STANDS_BACK: u64 = 10;
/// Whoever waits asks again after so many slices: runs that end leave room, too.
const LOOK_AGAIN: u64 = 6;
/// Calls of a run, until runs have shown what they cost.
const CALLS_AT_FIRST: u32 = 10;
/// What nobody waits less than: asking again costs something, too.
const WAIT_MS_MIN: u64 = 50;

/// What a service allows to one credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Length of the sliding window, milliseconds.
    pub window_ms: u64,
    /// Requests in a window; 0: nobody counts them.
    pub requests: u32,
    /// Execution time of all requests of a window together, milliseconds; 0: nobody counts it.
    pub execution_ms: u64,
    /// Calls at once.
    pub at_once: u32,
    /// The part of a window that bulk work may use, per cent.
    pub bulk_percent: u32,
    /// Whether hosts that share the credential share these limits; else each has them whole.
    pub is_shared: bool,
}

/// What a run is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Somebody has changed something just now.
    Fresh,
    /// Many deals at a time, and nobody waits for any of them: a full compare, changed plugins, shadows.
    Bulk,
}

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Now.
    Go,
    /// As many calls are under way as may be: as soon as one of them ends.
    WhenOneEnds,
    /// In so many milliseconds.
    In(u64),
}

/// What an answer said about the limits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Heard {
    /// It was no answer but a refusal: too much.
    pub refused: bool,
    /// It wants to be left alone for so long, milliseconds.
    pub rest_ms: Option<u64>,
    /// So many calls at once are recommended (`x-ms-dop-hint`).
    pub at_once: Option<u32>,
    /// So many requests are left in the service's own window.
    pub requests_left: Option<u32>,
    /// So much execution time is left in it, milliseconds.
    pub execution_ms_left: Option<u64>,
}

/// What has been used, and what may be used yet.
#[derive(Debug, Clone)]
pub struct Budget {
    limits: Limits,
    hosts: u32,
    slices: VecDeque<Slice>,
    /// Sums of the slices.
    used: Used,
    /// Runs that have begun: what they will still cost is theirs.
    runs: u32,
    /// Calls under way.
    running: u32,
    /// Calls that may be under way: less than allowed after a refusal.
    width: u32,
    hint: Option<u32>,
    refused_at: Option<u64>,
    /// Nobody calls before this moment.
    closed_until: u64,
    /// Good answers since the width was changed.
    good: u32,
    /// Calls of a run, times 16.
    cost: u32,
    since_a_run_ended: u32,
    told: Option<Told>,
}

#[derive(Debug, Clone, Copy)]
struct Slice {
    from: u64,
    used: Used,
}

#[derive(Debug, Clone, Copy, Default)]
struct Used {
    requests: u32,
    execution_ms: u64,
    /// Requests of bulk work, as far as one knows.
    bulk: u32,
}

/// What the service itself has counted, of all who use the credential.
#[derive(Debug, Clone, Copy)]
struct Told {
    at: u64,
    permille: u64,
}

impl Budget {
    /// Nothing used yet, as far as one knows.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let mut budget = Self {
            limits,
            hosts: 1,
            slices: VecDeque::new(),
            used: Used::default(),
            runs: 0,
            running: 0,
            width: 1,
            hint: None,
            refused_at: None,
            closed_until: 0,
            good: 0,
            cost: CALLS_AT_FIRST * 16,
            since_a_run_ended: 0,
            told: None,
        };
        budget.width = budget.width_max();
        budget
    }

    /// So many hosts use the credential now, this one among them.
    pub fn shared_by(&mut self, hosts: u32) {
        let was_whole = self.width >= self.width_max();
        self.hosts = hosts.max(1);
        if was_whole || self.width > self.width_max() {
            self.width = self.width_max();
        }
    }

    /// Whether a run may begin. If so, what it will cost is promised to it, until [`Budget::end`].
    pub fn begin(&mut self, now: u64, work: Work) -> Turn {
        self.forget(now);
        if let Some(rest) = self.rest(now) {
            return Turn::In(rest);
        }
        let cost = self.cost();
        let up_to = match work {
            Work::Fresh => FRESH_UP_TO,
            Work::Bulk => BULK_UP_TO,
        };
        let bulk_max = u64::from(self.requests_max()) * u64::from(self.limits.bulk_percent) / 100;
        // However small its part is, one run has room in it.
        let bulk_max = bulk_max.max(u64::from(cost));
        let over_bulk = work == Work::Bulk
            && self.limits.requests > 0
            && u64::from(self.used.bulk) + u64::from(cost) > bulk_max;
        if over_bulk || self.permille(now, self.next_cost()) > up_to {
            return Turn::In(self.until_room(now));
        }
        // After a refusal bulk work stands back for a while, whatever there seems to be room for.
        let rested = self
            .refused_at
            .map(|at| at + self.limits.window_ms / STANDS_BACK);
        if let Some(rested) = rested.filter(|until| work == Work::Bulk && now < *until) {
            return Turn::In(rested - now);
        }
        self.runs += 1;
        if work == Work::Bulk {
            self.slice(now).used.bulk += cost;
            self.used.bulk += cost;
        }
        Turn::Go
    }

    /// How many fresh runs have room now, by what runs cost.
    pub fn room(&mut self, now: u64) -> u32 {
        self.forget(now);
        let cost = self.cost();
        if self.permille(now, self.next_cost()) > FRESH_UP_TO {
            return 0;
        }
        let all = u64::from(self.requests_max());
        if all == 0 {
            return u32::MAX;
        }
        let gone = self.permille(now, 0).min(FRESH_UP_TO);
        let left = all * (FRESH_UP_TO - gone) / 1_000;
        u32::try_from(left / u64::from(cost))
            .unwrap_or(u32::MAX)
            .max(1)
    }

    /// Milliseconds from one run to the next, if a window is used up evenly.
    #[must_use]
    pub fn each_ms(&self) -> u64 {
        (self.limits.window_ms * u64::from(self.cost()))
            .checked_div(self.requests_max().into())
            .unwrap_or(0)
            .max(1)
    }

    /// A run that was let begin did not: what was promised to it is there for others, and nothing is learned of what runs cost.
    pub fn give_back(&mut self, work: Work) {
        self.runs = self.runs.saturating_sub(1);
        if work == Work::Fresh {
            return;
        }
        let mut left = self.cost();
        for slice in self.slices.iter_mut().rev() {
            let back = left.min(slice.used.bulk);
            slice.used.bulk -= back;
            self.used.bulk -= back;
            left -= back;
        }
    }

    /// A run that had begun has ended.
    pub fn end(&mut self) {
        self.runs = self.runs.saturating_sub(1);
        // Of many runs at once nobody knows whose calls they were; over many of them it is the mean.
        self.cost = (self.cost * 15 + self.since_a_run_ended * 16) / 16;
        self.since_a_run_ended = 0;
    }

    /// Whether a call may be made. If so it is counted, until [`Budget::answered`] and after.
    pub fn call(&mut self, now: u64) -> Turn {
        self.forget(now);
        // The throttle of the store is asked when a run begins; runs that had begun hear of it here.
        if let Some(rest) = self.rest(now) {
            return Turn::In(rest);
        }
        if self.running >= self.width {
            return Turn::WhenOneEnds;
        }
        let full = self.limits.requests > 0 && self.used.requests >= self.requests_max()
            || self.limits.execution_ms > 0 && self.used.execution_ms >= self.execution_max();
        if full {
            return Turn::In(self.until_room(now));
        }
        self.running += 1;
        self.since_a_run_ended += 1;
        self.slice(now).used.requests += 1;
        self.used.requests += 1;
        Turn::Go
    }

    /// A call that was made has ended after so many milliseconds. That counts as execution time: the network's share of it errs on the safe side.
    pub fn answered(&mut self, now: u64, took_ms: u64, heard: Heard) {
        self.forget(now);
        self.running = self.running.saturating_sub(1);
        // When the service has counted it is not known: somewhere on the way. From its answer on it leaves the window last.
        let began = self.start_of(now.saturating_sub(took_ms));
        let mut slices = self.slices.iter_mut().rev();
        if let Some(slice) = slices.find(|slice| slice.from == began)
            && slice.used.requests > 0
        {
            slice.used.requests -= 1;
            self.slice(now).used.requests += 1;
        }
        self.slice(now).used.execution_ms += took_ms;
        self.used.execution_ms += took_ms;
        if let Some(hint) = heard.at_once.filter(|hint| *hint > 0) {
            let was_whole = self.width >= self.width_max();
            self.hint = Some(hint);
            if was_whole || self.width > self.width_max() {
                self.width = self.width_max();
            }
        }
        self.hear(now, heard);
        if let Some(rest) = heard.rest_ms {
            self.closed_until = self.closed_until.max(now.saturating_add(rest));
        }
        if heard.refused {
            self.width = (self.width / 2).max(1);
            self.good = 0;
            self.refused_at = Some(now);
        } else {
            self.good += 1;
            if self.good >= self.width && self.width < self.width_max() {
                self.width += 1;
                self.good = 0;
            }
        }
    }

    /// How long nobody may call, if that is so.
    fn rest(&self, now: u64) -> Option<u64> {
        (now < self.closed_until).then(|| self.closed_until - now)
    }

    /// How much of the window is used, per mille, the service's own count included.
    #[must_use]
    pub fn used_permille(&self, now: u64) -> u64 {
        self.permille(now, 0)
    }

    /// Calls that may be under way at once.
    #[must_use]
    pub const fn width(&self) -> u32 {
        self.width
    }

    /// The service says what is left: after a restart it is the only one who knows, and it counts what others do with the same credential. Each of
    /// its servers counts for itself, so it may know less than we do, and is never believed when it says that there is more room.
    fn hear(&mut self, now: u64, heard: Heard) {
        let part = |left: u64, all: u64| (all > 0).then(|| 1_000 - (left.min(all) * 1_000 / all));
        let requests = heard
            .requests_left
            .and_then(|left| part(left.into(), self.limits.requests.into()));
        let execution = heard
            .execution_ms_left
            .and_then(|left| part(left, self.limits.execution_ms));
        let Some(permille) = requests.max(execution) else {
            return;
        };
        if permille >= self.told_permille(now) {
            self.told = Some(Told { at: now, permille });
        }
    }

    fn permille(&self, now: u64, more: u32) -> u64 {
        let part = |used: u64, all: u64| (used * 1_000).checked_div(all).unwrap_or(0);
        let coming = self.runs * self.cost() + more;
        let requests = part(
            u64::from(self.used.requests) + u64::from(coming),
            self.requests_max().into(),
        );
        let execution = part(self.used.execution_ms, self.execution_max());
        requests.max(execution).max(self.told_permille(now))
    }

    /// What the service has told of leaves the window little by little.
    fn told_permille(&self, now: u64) -> u64 {
        self.told.map_or(0, |told| {
            let age = now.saturating_sub(told.at).min(self.limits.window_ms);
            told.permille * (self.limits.window_ms - age) / self.limits.window_ms.max(1)
        })
    }

    fn until_room(&self, now: u64) -> u64 {
        let oldest = self.slices.front().map_or(0, |slice| slice.from);
        let gone = oldest + self.limits.window_ms + self.slice_ms();
        gone.saturating_sub(now)
            .min(LOOK_AGAIN * self.slice_ms())
            .max(WAIT_MS_MIN)
    }

    /// What the next run will cost. A window of which nothing is used has room for one, whatever it costs.
    fn next_cost(&self) -> u32 {
        let is_unused = self.runs == 0 && self.used.requests == 0;
        if is_unused { 0 } else { self.cost() }
    }

    fn cost(&self) -> u32 {
        let cost = (self.cost / 16).max(1);
        match self.requests_max() {
            0 => cost,
            // However dear runs are, some of them have room in a window.
            all => cost.min((all / 4).max(1)),
        }
    }

    fn share(&self) -> u32 {
        if self.limits.is_shared { self.hosts } else { 1 }
    }

    fn requests_max(&self) -> u32 {
        (self.limits.requests / self.share()).max(u32::from(self.limits.requests > 0))
    }

    fn execution_max(&self) -> u64 {
        self.limits.execution_ms / u64::from(self.share())
    }

    fn width_max(&self) -> u32 {
        let all = self.hint.unwrap_or(u32::MAX).min(self.limits.at_once);
        (all / self.share()).max(1)
    }

    fn slice_ms(&self) -> u64 {
        (self.limits.window_ms / SLICES).max(1)
    }

    fn start_of(&self, moment: u64) -> u64 {
        moment - moment % self.slice_ms()
    }

    fn slice(&mut self, now: u64) -> &mut Slice {
        let from = self.start_of(now);
        if self.slices.back().is_none_or(|slice| slice.from != from) {
            self.slices.push_back(Slice {
                from,
                used: Used::default(),
            });
        }
        let last = self.slices.len() - 1;
        &mut self.slices[last]
    }

    fn forget(&mut self, now: u64) {
        let whole = self.limits.window_ms + self.slice_ms();
        while let Some(oldest) = self
            .slices
            .front()
            .filter(|slice| slice.from + whole <= now)
        {
            self.used.requests -= oldest.used.requests;
            self.used.execution_ms -= oldest.used.execution_ms;
            self.used.bulk -= oldest.used.bulk;
            self.slices.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        window_ms: 60_000,
        requests: 1_000,
        execution_ms: 0,
        at_once: 8,
        bulk_percent: 50,
        is_shared: true,
    };

    /// One run of so many calls, each answered at once. How many calls were made.
    fn run(budget: &mut Budget, now: u64, work: Work, calls: u32) -> Option<u32> {
        if budget.begin(now, work) != Turn::Go {
            return None;
        }
        let mut made = 0;
        for _ in 0..calls {
            if budget.call(now) == Turn::Go {
                budget.answered(now, 1, Heard::default());
                made += 1;
            }
        }
        budget.end();
        Some(made)
    }

    #[test]
    fn bulk_work_stops_at_its_part_and_fresh_edits_go_on() {
        let mut budget = Budget::new(LIMITS);
        let mut bulk = 0;
        while let Some(calls) = run(&mut budget, 5, Work::Bulk, 10) {
            bulk += calls;
        }
        assert_eq!(bulk, 500);
        let mut fresh = 0;
        while let Some(calls) = run(&mut budget, 5, Work::Fresh, 10) {
            fresh += calls;
        }
        assert_eq!(fresh, 450, "some is left to those that have begun");
        assert_eq!(budget.begin(5, Work::Fresh), Turn::In(6_000));
        assert_eq!(budget.begin(61_000, Work::Bulk), Turn::Go);
    }

    #[test]
    fn fresh_edits_that_use_most_of_the_window_leave_nothing_to_bulk_work() {
        let mut budget = Budget::new(LIMITS);
        for _ in 0..79 {
            assert_eq!(run(&mut budget, 5, Work::Fresh, 10), Some(10));
        }
        assert_eq!(run(&mut budget, 5, Work::Bulk, 10), Some(10));
        assert_eq!(run(&mut budget, 5, Work::Bulk, 10), None, "over 80 %");
        assert_eq!(run(&mut budget, 5, Work::Fresh, 10), Some(10));
    }

    #[test]
    fn what_was_not_begun_costs_nothing() {
        let mut budget = Budget::new(LIMITS);
        assert_eq!(run(&mut budget, 5, Work::Bulk, 20), Some(20));
        let (cost, bulk) = (budget.cost, budget.used.bulk);
        for _ in 0..1_000 {
            assert_eq!(budget.begin(1_500, Work::Bulk), Turn::Go);
            budget.give_back(Work::Bulk);
            assert_eq!(budget.begin(1_500, Work::Fresh), Turn::Go);
            budget.give_back(Work::Fresh);
        }
        assert_eq!(
            (budget.cost, budget.used.bulk, budget.runs),
            (cost, bulk, 0)
        );
    }

    #[test]
    fn a_server_that_has_counted_less_does_not_hide_what_another_has_said() {
        let mut budget = Budget::new(LIMITS);
        let left = |left| Heard {
            requests_left: Some(left),
            ..Heard::default()
        };
        for (at, left, used) in [
            (0, left(100), 900),
            (1_000, left(990), 885),
            (30_000, left(500), 500),
            (30_000, left(400), 600),
        ] {
            assert_eq!(budget.call(at), Turn::Go);
            budget.answered(at, 1, left);
            assert_eq!(budget.used_permille(at), used, "at {at}");
        }
    }

    #[test]
    fn a_refusal_halves_the_width_and_good_answers_let_it_grow_again() {
        let mut budget = Budget::new(LIMITS);
        assert_eq!(budget.width(), 8);
        for width in [4, 2, 1, 1] {
            assert_eq!(budget.call(0), Turn::Go);
            let refused = Heard {
                refused: true,
                ..Heard::default()
            };
            budget.answered(0, 1, refused);
            assert_eq!(budget.width(), width);
        }
        assert_eq!(budget.begin(0, Work::Bulk), Turn::In(6_000));
        assert_eq!(budget.begin(6_000, Work::Bulk), Turn::Go);
        assert_eq!(budget.call(0), Turn::Go);
        assert_eq!(budget.call(0), Turn::WhenOneEnds);
        budget.answered(0, 1, Heard::default());
        for _ in 0..40 {
            budget.call(0);
            budget.answered(0, 1, Heard::default());
        }
        assert_eq!(budget.width(), 8);
    }

    #[test]
    fn while_the_service_wants_rest_nobody_calls_and_nothing_begins() {
        let mut budget = Budget::new(LIMITS);
        let rest = |rest_ms| Heard {
            refused: true,
            rest_ms: Some(rest_ms),
            ..Heard::default()
        };
        // Three are under way when the first of them is refused.
        for _ in 0..3 {
            assert_eq!(budget.call(0), Turn::Go);
        }
        budget.answered(1_000, 1, rest(10_000));
        budget.answered(1_100, 1, rest(2_000));
        assert_eq!(budget.call(2_000), Turn::In(9_000), "the longest counts");
        assert_eq!(budget.begin(2_000, Work::Fresh), Turn::In(9_000));
        budget.answered(3_000, 1, Heard::default());
        assert_eq!(budget.call(10_999), Turn::In(1));
        assert_eq!(budget.call(11_000), Turn::Go);
    }

    #[test]
    fn the_hint_is_followed_both_ways() {
        let mut budget = Budget::new(LIMITS);
        let hint = |at_once| Heard {
            at_once: Some(at_once),
            ..Heard::default()
        };
        budget.call(0);
        budget.answered(0, 1, hint(4));
        assert_eq!(budget.width(), 4);
        budget.call(0);
        budget.answered(0, 1, hint(100));
        assert_eq!(budget.width(), 8, "never more than is allowed");
    }

    #[test]
    fn hosts_share_what_the_service_counts() {
        let mut budget = Budget::new(LIMITS);
        budget.shared_by(4);
        assert_eq!(budget.width(), 2);
        let mut calls = 0;
        while run(&mut budget, 5, Work::Fresh, 10).is_some() {
            calls += 10;
        }
        assert_eq!(calls, 230);
        budget.shared_by(1);
        assert_eq!(budget.width(), 8);
        assert_eq!(run(&mut budget, 5, Work::Fresh, 10), Some(10));
    }

    #[test]
    fn after_a_restart_the_service_knows_what_was_used() {
        let mut budget = Budget::new(LIMITS);
        budget.call(0);
        let heard = Heard {
            requests_left: Some(100),
            ..Heard::default()
        };
        budget.answered(0, 1, heard);
        assert!(matches!(budget.begin(0, Work::Bulk), Turn::In(_)));
        assert_eq!(budget.begin(0, Work::Fresh), Turn::Go);
        assert_eq!(budget.begin(30_000, Work::Bulk), Turn::Go, "half is gone");
    }

    #[test]
    fn execution_time_is_a_limit_of_its_own() {
        let mut budget = Budget::new(Limits {
            execution_ms: 10_000,
            ..LIMITS
        });
        for _ in 0..10 {
            assert_eq!(budget.call(7), Turn::Go);
            budget.answered(7, 1_000, Heard::default());
        }
        assert_eq!(budget.call(59_000), Turn::In(2_000));
        assert_eq!(budget.call(61_000), Turn::Go);
    }
}
