//! How a plugin in service is doing: one that fails again and again, over different deals, is told to the keeper of the folder.
//!
//! One deal over which a plugin fails is that deal's trouble: it is parked, and the plugin goes on. Only a row of faults at the same question that no
//! good answer interrupts, over several deals, is the plugin's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Faults in a row at one question.
pub(crate) const FAULTS_MAX: u32 = 5;
/// Over so many deals.
pub(crate) const DEALS_MIN: usize = 3;
/// A version that has answered so often since it came into service has proven itself: what makes it fail now came from outside, and the version before
/// would hardly do better.
pub(crate) const PROVEN_ANSWERS: u64 = 1_000;

/// Of one plugin, in one set.
#[derive(Debug, Default)]
pub(crate) struct Health {
    answers: AtomicU64,
    /// There is a row of faults: without one, a good answer costs no lock.
    failing: AtomicBool,
    rows: Mutex<BTreeMap<&'static str, Row>>,
    told: AtomicBool,
}

#[derive(Debug, Default)]
struct Row {
    faults: u32,
    deals: BTreeSet<u64>,
}

/// What the keeper is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failing {
    pub(crate) file: String,
    pub(crate) sha256: String,
    /// Text of its operator file: the same bytes may be there twice, once tried with other settings.
    pub(crate) operator: String,
    pub(crate) question: &'static str,
    pub(crate) faults: u32,
    pub(crate) deals: usize,
    /// Good answers before.
    pub(crate) answers: u64,
    /// The last fault, in words.
    pub(crate) last: String,
}

impl Health {
    /// What it answered before it came into service proves nothing.
    pub(crate) fn begin(&self) {
        self.answers.store(0, Ordering::Relaxed);
    }

    /// It has answered, whatever the answer is worth.
    pub(crate) fn answered(&self) {
        self.answers.fetch_add(1, Ordering::Relaxed);
    }

    /// A question of which it may have been part came to its end.
    pub(crate) fn is_well(&self, question: &'static str) {
        if self.failing.load(Ordering::Relaxed) {
            let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
            rows.remove(question);
            self.failing.store(!rows.is_empty(), Ordering::Relaxed);
        }
    }

    /// It has failed. Some: the row is long enough, and nobody was told yet. Faults, deals and good answers before.
    pub(crate) fn failed(&self, question: &'static str, deal: u64) -> Option<(u32, usize, u64)> {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let row = rows.entry(question).or_default();
        row.faults += 1;
        row.deals.insert(deal);
        let (faults, deals) = (row.faults, row.deals.len());
        self.failing.store(true, Ordering::Relaxed);
        let is_long = faults >= FAULTS_MAX && deals >= DEALS_MIN;
        (is_long && !self.told.swap(true, Ordering::Relaxed))
            .then(|| (faults, deals, self.answers.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_faults_over_several_deals_is_told_once() {
        let health = Health::default();
        health.answered();
        let told: Vec<_> = (0..8).filter_map(|deal| health.failed("a", deal)).collect();
        assert_eq!(told, [(FAULTS_MAX, 5, 1)]);
    }

    #[test]
    fn one_deal_is_not_the_plugins_fault() {
        let health = Health::default();
        for _ in 0..100 {
            assert_eq!(health.failed("a", 7), None);
        }
    }

    #[test]
    fn a_good_answer_ends_the_row_of_its_question() {
        let health = Health::default();
        for deal in 0..4 {
            assert_eq!(health.failed("a", deal), None);
        }
        health.is_well("b");
        assert!(
            health.failed("a", 4).is_some(),
            "another question's answer says nothing"
        );
        let health = Health::default();
        for deal in 0..40 {
            assert_eq!(health.failed("a", deal), None);
            if deal % 4 == 3 {
                health.is_well("a");
            }
        }
    }
}
