//! Where it is written down what serves. The folder proposes; what serves is what the ledger says (S29).

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cosell_sync::deal::Timestamp;

use crate::folder::PluginEvent;
use crate::generation::{Generation, Member, dated};

/// Why the ledger did not answer. Nothing was changed, or it is not known; asking again is safe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LedgerError(pub String);

/// A file of a folder, as it was when the folder was heard.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Said {
    /// Its name.
    pub file: String,
    /// Which version, as [`Member::sha256`]; empty when it was quarantined since.
    pub sha256: String,
    /// Text of the operator file, or what stands for it; empty without one.
    pub operator: String,
}

/// A version that was taken out of service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantine {
    /// Which.
    pub sha256: String,
    /// The file that had it.
    pub file: String,
    /// The plugin's id.
    pub plugin: String,
    /// For people.
    pub why: String,
    /// A person has let it in again.
    pub is_released: bool,
}

/// A generation that is to follow another.
#[derive(Debug, Clone, Default)]
pub struct Step {
    /// The generation that it was made from; 0 for the first.
    pub base: u64,
    /// All members. Those with `since` 0 came with it.
    pub members: Vec<Member>,
    /// A folder, a host or a person.
    pub by: String,
    /// What changed, for people.
    pub note: String,
    /// Bytes that may not be known yet, by their SHA-256.
    pub bytes: BTreeMap<String, Vec<u8>>,
    /// What our folder holds.
    pub said: Option<Vec<Said>>,
    /// A version that goes with it.
    pub quarantine: Option<Quarantine>,
    /// For the journal.
    pub events: Vec<PluginEvent>,
}

/// Where it is written down what serves. Its methods may block; they are called from the keeper's thread.
pub trait Ledger: Send + Sync {
    /// Who we are in what is written down.
    fn name(&self) -> &str;
    /// The newest generation's number, 0 without one. Cheap.
    fn newest(&self) -> Result<u64, LedgerError>;
    /// Generations, the newest first, at most so many.
    fn history(&self, limit: usize) -> Result<Vec<Generation>, LedgerError>;
    /// Bytes by their SHA-256.
    fn bytes(&self, hash: &str) -> Result<Option<Vec<u8>>, LedgerError>;
    /// Makes the next generation. None: another one came since its base was looked at, or a version that comes with it was quarantined.
    fn step(&self, step: Step) -> Result<Option<u64>, LedgerError>;
    /// What our folder held when it was last heard; none: it never was.
    fn said(&self) -> Result<Option<Vec<Said>>, LedgerError>;
    /// Our folder was heard, and nothing follows.
    fn say(&self, said: Vec<Said>) -> Result<(), LedgerError>;
    /// Versions that were ever taken out of service.
    fn quarantines(&self) -> Result<Vec<Quarantine>, LedgerError>;
    /// Takes a version out that does not serve.
    fn quarantine(&self, what: Quarantine) -> Result<(), LedgerError>;
    /// Lets a version in again.
    fn release(&self, sha256: &str) -> Result<(), LedgerError>;
    /// Something happened that makes no generation.
    fn tell(&self, events: Vec<PluginEvent>) -> Result<(), LedgerError>;
    /// The ledger's clock, milliseconds since the Unix epoch.
    fn now_ms(&self) -> i64;
}

/// A ledger that is forgotten with the process: for a folder that serves by itself, without a host.
#[derive(Debug, Default)]
pub struct Slate(Mutex<Written>);

#[derive(Debug, Default)]
struct Written {
    generations: Vec<Generation>,
    bytes: BTreeMap<String, Vec<u8>>,
    said: Option<Vec<Said>>,
    quarantines: BTreeMap<String, Quarantine>,
}

impl Slate {
    fn open(&self) -> MutexGuard<'_, Written> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Written {
    fn quarantine(&mut self, what: Quarantine) {
        for said in self.said.iter_mut().flatten() {
            if said.sha256 == what.sha256 {
                said.sha256.clear();
            }
        }
        self.quarantines.insert(what.sha256.clone(), what);
    }

    /// It is quarantined, and is not in the set already.
    fn takes_not(&self, member: &Member) -> bool {
        let out = self.quarantines.get(&member.sha256);
        let newest = self.generations.last();
        let mut members = newest.iter().flat_map(|newest| &newest.members);
        out.is_some_and(|out| !out.is_released) && members.all(|one| one.sha256 != member.sha256)
    }
}

impl Ledger for Slate {
    fn name(&self) -> &'static str {
        "the plugin folder"
    }

    fn newest(&self) -> Result<u64, LedgerError> {
        Ok(self.open().generations.last().map_or(0, |one| one.number))
    }

    fn history(&self, limit: usize) -> Result<Vec<Generation>, LedgerError> {
        let written = self.open();
        Ok(written
            .generations
            .iter()
            .rev()
            .take(limit)
            .cloned()
            .collect())
    }

    fn bytes(&self, hash: &str) -> Result<Option<Vec<u8>>, LedgerError> {
        Ok(self.open().bytes.get(hash).cloned())
    }

    fn step(&self, step: Step) -> Result<Option<u64>, LedgerError> {
        if self.newest()? != step.base {
            return Ok(None);
        }
        let (number, at_ms) = (step.base + 1, self.now_ms());
        let mut written = self.open();
        if step.members.iter().any(|one| written.takes_not(one)) {
            return Ok(None);
        }
        written.bytes.extend(step.bytes);
        written.generations.push(Generation {
            number,
            members: dated(step.members, number, at_ms, &step.by),
            by: step.by,
            note: step.note,
            at_ms,
        });
        if step.said.is_some() {
            written.said = step.said;
        }
        if let Some(what) = step.quarantine {
            written.quarantine(what);
        }
        Ok(Some(number))
    }

    fn said(&self) -> Result<Option<Vec<Said>>, LedgerError> {
        Ok(self.open().said.clone())
    }

    fn say(&self, said: Vec<Said>) -> Result<(), LedgerError> {
        self.open().said = Some(said);
        Ok(())
    }

    fn quarantines(&self) -> Result<Vec<Quarantine>, LedgerError> {
        Ok(self.open().quarantines.values().cloned().collect())
    }

    fn quarantine(&self, what: Quarantine) -> Result<(), LedgerError> {
        self.open().quarantine(what);
        Ok(())
    }

    fn release(&self, sha256: &str) -> Result<(), LedgerError> {
        if let Some(one) = self.open().quarantines.get_mut(sha256) {
            one.is_released = true;
        }
        Ok(())
    }

    fn tell(&self, _: Vec<PluginEvent>) -> Result<(), LedgerError> {
        Ok(())
    }

    fn now_ms(&self) -> i64 {
        Timestamp::now().as_millisecond()
    }
}
