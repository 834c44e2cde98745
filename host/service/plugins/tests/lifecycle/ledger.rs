//! A store that does not answer for a while: what was seen meanwhile is not forgotten.

use std::sync::{Arc, Mutex};

use cosell_plugins::ledger::{Quarantine, Said, Step};
use cosell_plugins::{Asking, Generation, Ledger, LedgerError, PluginEvent, Slate};
use cosell_sync::row::RecordKind;

use crate::acme::{bad, good};
use crate::house::{House, asking, seen};

const FILE: &str = "50-acme.wasm";

/// Forgets with the process, and is away when a test wants it.
#[derive(Default)]
struct Moody {
    slate: Slate,
    /// Which question is not answered, after so many more that are.
    away: Mutex<Option<(&'static str, usize)>>,
}

impl Moody {
    fn goes_away(&self, question: &'static str, answers: usize) {
        *self.away.lock().unwrap() = Some((question, answers));
    }

    fn comes_back(&self) {
        *self.away.lock().unwrap() = None;
    }

    fn is_there(&self, question: &str) -> Result<&Slate, LedgerError> {
        match &mut *self.away.lock().unwrap() {
            Some((away, 0)) if *away == question => Err(LedgerError("away".to_owned())),
            Some((away, answers)) if *away == question => {
                *answers -= 1;
                Ok(&self.slate)
            }
            _ => Ok(&self.slate),
        }
    }
}

impl Ledger for Moody {
    fn name(&self) -> &str {
        self.slate.name()
    }

    fn newest(&self) -> Result<u64, LedgerError> {
        self.is_there("newest")?.newest()
    }

    fn history(&self, limit: usize) -> Result<Vec<Generation>, LedgerError> {
        self.is_there("history")?.history(limit)
    }

    fn bytes(&self, hash: &str) -> Result<Option<Vec<u8>>, LedgerError> {
        self.is_there("bytes")?.bytes(hash)
    }

    fn step(&self, step: Step) -> Result<Option<u64>, LedgerError> {
        self.is_there("step")?.step(step)
    }

    fn said(&self) -> Result<Option<Vec<Said>>, LedgerError> {
        self.is_there("said")?.said()
    }

    fn say(&self, said: Vec<Said>) -> Result<(), LedgerError> {
        self.is_there("say")?.say(said)
    }

    fn quarantines(&self) -> Result<Vec<Quarantine>, LedgerError> {
        self.is_there("quarantines")?.quarantines()
    }

    fn quarantine(&self, what: Quarantine) -> Result<(), LedgerError> {
        self.is_there("quarantine")?.quarantine(what)
    }

    fn release(&self, sha256: &str) -> Result<(), LedgerError> {
        self.is_there("release")?.release(sha256)
    }

    fn tell(&self, events: Vec<PluginEvent>) -> Result<(), LedgerError> {
        self.is_there("tell")?.tell(events)
    }

    fn now_ms(&self) -> i64 {
        self.slate.now_ms()
    }
}

#[tokio::test]
async fn a_file_that_could_not_be_proposed_is_proposed_when_the_store_is_back() {
    let ledger = Arc::new(Moody::default());
    let house = House::with_ledger(&[(FILE, good("1.0.0"))], ledger.clone());
    ledger.goes_away("step", 0);
    house.drop_file(FILE, good("2.0.0")).await;
    // As a host does every two seconds. The second look is behind it in the same queue.
    house.folder.follow();
    house.folder.reload().await;
    assert_eq!(house.serving(), ["acme 1.0.0"]);
    ledger.comes_back();
    house.folder.reload().await;
    assert_eq!(house.serving(), ["acme 2.0.0"]);
}

#[tokio::test]
async fn a_file_that_was_not_tried_to_its_end_is_tried_again() {
    let ledger = Arc::new(Moody::default());
    let house = House::with_ledger(&[(FILE, good("1.0.0"))], ledger.clone());
    // The look begins with this question, and asks it again about the file.
    ledger.goes_away("quarantines", 1);
    house.drop_file(FILE, good("2.0.0")).await;
    assert_eq!(house.serving(), ["acme 1.0.0"]);
    ledger.comes_back();
    house.folder.reload().await;
    assert_eq!(house.serving(), ["acme 2.0.0"]);
}

#[tokio::test]
async fn a_version_that_fails_while_the_store_is_away_is_rolled_back_when_it_is_back() {
    let ledger = Arc::new(Moody::default());
    let house = House::with_ledger(&[(FILE, good("1.0.0"))], ledger.clone());
    let set = house.drop_file(FILE, bad("2.0.0")).await;
    ledger.goes_away("history", 0);
    for about in 0..5 {
        let asking = Asking { about, ..asking() };
        let answer = set.read(&asking, RecordKind::Opportunity, &seen()).await;
        assert!(answer.is_err());
    }
    house.folder.reload().await;
    assert_eq!(house.serving(), ["acme 2.0.0"], "nobody knows a better one");
    ledger.comes_back();
    house.folder.reload().await;
    assert_eq!(house.serving(), ["acme 1.0.0"]);
    assert!(house.refusal().starts_with("[service/quarantined]"));
}
