//! The ledger: every write that an API accepted, in order. It is what the host's tests are judged by.
//!
//! What people do through [`Control`](crate::Control) is kept apart as *acts*, so that "at most two writes per human
//! edit" can be counted.

use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::faults::Service;

/// Who sent a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// The app registration's client id.
    pub client_id: String,
    /// The user: a systemuser id at Dataverse, the signed-in user's mail at Partner Center, none for app-only tokens.
    pub user: Option<String>,
}

/// One accepted write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Position in the ledger, from 1, without gaps.
    pub sequence: u64,
    /// Real time, milliseconds since 1970; the simulated time where the clock stands.
    pub time_ms: i64,
    /// Which API accepted it.
    pub service: Service,
    /// Who asked for it.
    pub caller: Caller,
    /// HTTP method of the request (inside a `$batch`: of the part).
    pub method: String,
    /// Path and query as sent.
    pub url: String,
    /// `If-Match` or `If-None-Match` as sent, with its name in front.
    pub precondition: Option<String>,
    /// What happened: `create`, `update`, `delete`, `win`, `lose`, `associate`, `register` …
    pub operation: String,
    /// Table, or `referral`, or `registration`.
    pub kind: String,
    /// The record's id.
    pub record: String,
    /// Columns or paths that the request named.
    pub changed: Vec<String>,
    /// The `?tag=` of a Dataverse request.
    pub tag: Option<String>,
    /// Of `changed`: what a person had changed and no caller was shown since. Anything here is a lost update.
    pub overwrote: Vec<String>,
    /// The record had been merged into another one before.
    pub merged_away: bool,
}

/// One thing that a person did through control.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// Position among the acts, from 1.
    pub sequence: u64,
    /// Real time just before it was committed, milliseconds since 1970; the simulated time where the clock stands.
    pub time_ms: i64,
    /// `seller`, `partner-user`, `microsoft` or `operator`.
    pub who: String,
    /// What they did, such as `update opportunity`.
    pub what: String,
    /// The record's id.
    pub record: String,
}

/// One write that an API refused: what a host tried and should not have, or lost a race for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedWrite {
    /// Real time, milliseconds since 1970; the simulated time where the clock stands.
    pub time_ms: i64,
    /// Which API refused it.
    pub service: Service,
    /// HTTP method.
    pub method: String,
    /// Path and query as sent.
    pub url: String,
    /// HTTP status of the refusal.
    pub status: u16,
    /// Error code: the innermost one at Partner Center, `0x…` at Dataverse.
    pub code: String,
    /// The refusal in words.
    pub message: String,
}

/// Refused writes kept: older ones are dropped first.
const REFUSED_MAX: usize = 10_000;

/// All entries and acts so far.
#[derive(Debug)]
pub(crate) struct Ledger {
    clock: Arc<Clock>,
    pages: Mutex<Pages>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Pages {
    entries: Vec<Entry>,
    acts: Vec<Act>,
    refused: std::collections::VecDeque<RefusedWrite>,
}

impl Ledger {
    pub(crate) fn new(clock: Arc<Clock>) -> Self {
        Self {
            clock,
            pages: Mutex::default(),
        }
    }

    /// The time that acts are noted with.
    pub(crate) fn now_ms(&self) -> i64 {
        self.clock.ledger_ms()
    }

    /// Everything written so far.
    pub(crate) fn pages(&self) -> Pages {
        self.pages
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Goes on after the pages of another ledger.
    pub(crate) fn restore(&self, pages: Pages) {
        *self.pages.lock().unwrap_or_else(PoisonError::into_inner) = pages;
    }

    /// Enters an accepted write; sequence and time are given here.
    pub(crate) fn enter(&self, mut entry: Entry) -> u64 {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        entry.sequence = pages.entries.len() as u64 + 1;
        entry.time_ms = self.clock.ledger_ms();
        pages.entries.push(entry);
        pages.entries.len() as u64
    }

    /// Notes a refused write; its time is given here.
    pub(crate) fn refuse(&self, mut refused: RefusedWrite) {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        if pages.refused.len() == REFUSED_MAX {
            pages.refused.pop_front();
        }
        refused.time_ms = self.clock.ledger_ms();
        pages.refused.push_back(refused);
    }

    pub(crate) fn refused(&self) -> Vec<RefusedWrite> {
        self.pages
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .refused
            .iter()
            .cloned()
            .collect()
    }

    /// Notes a control act that was begun at `time_ms`.
    pub(crate) fn act(&self, time_ms: i64, who: &str, what: &str, record: &str) -> Act {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        let act = Act {
            sequence: pages.acts.len() as u64 + 1,
            time_ms,
            who: who.to_owned(),
            what: what.to_owned(),
            record: record.to_owned(),
        };
        pages.acts.push(act.clone());
        act
    }

    /// Entries after `sequence`, oldest first.
    pub(crate) fn entries_after(&self, sequence: u64) -> Vec<Entry> {
        let pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        let from = usize::try_from(sequence)
            .unwrap_or(usize::MAX)
            .min(pages.entries.len());
        pages.entries[from..].to_vec()
    }

    pub(crate) fn acts(&self) -> Vec<Act> {
        self.pages
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .acts
            .clone()
    }
}
