//! What came through the door, for `status`. Counted since the process started; nothing here is a decision.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::bell::AcceptOutcome;
use crate::refusal::Reason;

/// Kinds of unknown events that are told once each; more than these are only counted, so that memory stays bounded.
const KINDS_TOLD_MAX: usize = 64;

/// Atomic counters of a door.
#[derive(Debug)]
pub struct Counters {
    accepted: AtomicU64,
    duplicates: AtomicU64,
    unknown: AtomicU64,
    tests: AtomicU64,
    refused: Vec<AtomicU64>,
    told: Mutex<BTreeSet<String>>,
}

/// The counters at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// Bells that rang.
    pub accepted: u64,
    /// Events seen before.
    pub duplicates: u64,
    /// Events that nobody here is interested in.
    pub unknown: u64,
    /// Partner Center's `test-created`.
    pub tests: u64,
    /// By [`Reason::code`]; reasons that never occurred are absent.
    pub refused: BTreeMap<&'static str, u64>,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            accepted: AtomicU64::default(),
            duplicates: AtomicU64::default(),
            unknown: AtomicU64::default(),
            tests: AtomicU64::default(),
            refused: Reason::ALL.iter().map(|_| AtomicU64::default()).collect(),
            told: Mutex::default(),
        }
    }
}

impl Counters {
    /// The counters now.
    #[must_use]
    pub fn tally(&self) -> Tally {
        Tally {
            accepted: self.accepted.load(Relaxed),
            duplicates: self.duplicates.load(Relaxed),
            unknown: self.unknown.load(Relaxed),
            tests: self.tests.load(Relaxed),
            refused: Reason::ALL
                .iter()
                .zip(&self.refused)
                .map(|(reason, count)| (reason.code(), count.load(Relaxed)))
                .filter(|(_, count)| *count > 0)
                .collect(),
        }
    }

    pub(crate) fn outcome(&self, outcome: AcceptOutcome) {
        match outcome {
            AcceptOutcome::Rung => &self.accepted,
            AcceptOutcome::Duplicate => &self.duplicates,
            AcceptOutcome::Unknown => &self.unknown,
        }
        .fetch_add(1, Relaxed);
    }

    pub(crate) fn test(&self) {
        self.tests.fetch_add(1, Relaxed);
    }

    pub(crate) fn refused(&self, reason: Reason) {
        if let Some(count) = Reason::ALL
            .iter()
            .position(|other| *other == reason)
            .and_then(|at| self.refused.get(at))
        {
            count.fetch_add(1, Relaxed);
        }
    }

    /// True the first time that this kind of event is met: worth a line in the log.
    pub(crate) fn first_of_kind(&self, kind: &str) -> bool {
        let mut told = self
            .told
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        told.len() < KINDS_TOLD_MAX && told.insert(kind.to_owned())
    }
}
