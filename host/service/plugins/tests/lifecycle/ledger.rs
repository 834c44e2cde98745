//! A store that does not answer for a while: what was seen meanwhile is not forgotten.

use std::future::{Future, poll_fn};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::Poll;

use cosell_plugins::ledger::{Quarantine, Said, Step};
use cosell_plugins::{Asking, Generation, Ledger, LedgerError, PluginEvent, Slate};
use cosell_sync::row::RecordKind;

use crate::acme::{bad, good};
use crate::guest::Guest;
use crate::house::{House, PATIENCE, asking, put, seen};

const FILE: &str = "50-acme.wasm";

/// Forgets with the process, and is away when a test wants it.
#[derive(Default)]
struct Moody {
    slate: Slate,
    /// Which question is not answered, after so many more that are.
    away: Mutex<Option<(&'static str, usize)>>,
    /// Over which question it panics, after so many more that are answered, and how often.
    mad: Mutex<Option<(&'static str, usize, usize)>>,
    /// It does not say what is quarantined before this is heard.
    still: Mutex<Option<mpsc::Receiver<()>>>,
    /// Somebody quarantines what the next step brings, just before it.
    is_wary: AtomicBool,
    /// How often it was asked what the folder held: twice with every look.
    asked: AtomicUsize,
}

impl Moody {
    fn goes_away(&self, question: &'static str, answers: usize) {
        *self.away.lock().unwrap() = Some((question, answers));
    }

    fn goes_mad(&self, question: &'static str, answers: usize, times: usize) {
        *self.mad.lock().unwrap() = Some((question, answers, times));
    }

    fn stands_still(&self) -> mpsc::Sender<()> {
        let (go_on, told) = mpsc::channel();
        *self.still.lock().unwrap() = Some(told);
        go_on
    }

    fn comes_back(&self) {
        *self.away.lock().unwrap() = None;
        *self.mad.lock().unwrap() = None;
    }

    /// Whether it panics over this question.
    fn is_mad(&self, question: &str) -> bool {
        match &mut *self.mad.lock().unwrap() {
            Some((over, 0, times)) if *over == question && *times > 0 => {
                *times -= 1;
                true
            }
            Some((over, answers, _)) if *over == question && *answers > 0 => {
                *answers -= 1;
                false
            }
            _ => false,
        }
    }

    fn is_there(&self, question: &str) -> Result<&Slate, LedgerError> {
        assert!(!self.is_mad(question), "a bug over {question}");
        if question == "said" {
            self.asked.fetch_add(1, Ordering::SeqCst);
        }
        if question == "quarantines" {
            let still = self.still.lock().unwrap().take();
            if let Some(still) = still {
                // A test that fails lets go.
                let _ = still.recv_timeout(PATIENCE);
            }
        }
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
        if self.is_wary.swap(false, Ordering::SeqCst) {
            for new in step.members.iter().filter(|one| one.detail.since == 0) {
                self.slate.quarantine(Quarantine {
                    sha256: new.sha256.clone(),
                    file: new.file.clone(),
                    plugin: new.detail.plugin.clone(),
                    why: "somebody says so".to_owned(),
                    is_released: false,
                })?;
            }
        }
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
async fn a_version_that_is_quarantined_while_it_is_tried_does_not_come_into_the_set() {
    let ledger = Arc::new(Moody::default());
    let house = House::with_ledger(&[(FILE, good("1.0.0"))], ledger.clone());
    ledger.is_wary.store(true, Ordering::SeqCst);
    house.drop_file(FILE, good("2.0.0")).await;
    assert_eq!(house.serving(), ["acme 1.0.0"]);
    assert!(house.refusal().starts_with("[service/quarantined]"));
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

#[tokio::test]
async fn a_file_over_which_the_host_itself_fails_is_refused_and_the_next_one_serves() {
    let ledger = Arc::new(Moody::default());
    let house = House::with_ledger(&[], ledger.clone());
    // Of the first file it is told that it has passed.
    ledger.goes_mad("tell", 0, 1);
    let first = Guest::of(&["decorate"]).named("first").build();
    put(house.dir.path(), "40-first.wasm", &first);
    put(house.dir.path(), FILE, &good("1.0.0"));
    house.folder.reload().await;
    assert_eq!(house.serving(), ["acme 1.0.0"]);
    let refused = house.folder.refused();
    assert_eq!(refused.len(), 1, "{refused:#?}");
    assert_eq!(refused[0].file, "40-first.wasm");
    let why = refused[0].to_string();
    assert!(
        why.starts_with("cosell itself failed on this file: a bug over tell")
            && why.contains("report it"),
        "{why}"
    );
    assert!(house.path("40-first.rejected.json").exists());
    // The same bytes, copied once more.
    house.drop_file("40-first.wasm", &first).await;
    assert_eq!(house.serving(), ["first 1.0.0", "acme 1.0.0"]);
    assert!(!house.path("40-first.rejected.json").exists());
}

#[tokio::test]
async fn a_version_of_the_store_over_which_the_host_itself_fails_leaves_it_behind_and_watching() {
    let ledger = Arc::new(Moody::default());
    let files = [(FILE, good("1.0.0"))];
    drop(House::with_ledger(&files, ledger.clone()));
    ledger.goes_mad("bytes", 0, usize::MAX);
    let house = House::with_ledger(&files, ledger.clone());
    house.folder.reload().await;
    assert!(house.serving().is_empty());
    let behind = house.folder.behind().expect("it cannot serve the set");
    assert!(
        behind.why.contains("cosell itself failed on this file"),
        "{}",
        behind.why
    );
    ledger.comes_back();
    house.folder.reload().await;
    assert_eq!(house.serving(), ["acme 1.0.0"]);
    assert_eq!(house.folder.behind(), None);
}

#[tokio::test]
async fn a_look_in_which_the_host_itself_fails_is_not_the_last_one() {
    let ledger = Arc::new(Moody::default());
    let house = House::with_ledger(&[(FILE, good("1.0.0"))], ledger.clone());
    ledger.goes_mad("said", 0, usize::MAX);
    house.drop_file(FILE, good("2.0.0")).await;
    assert_eq!(house.serving(), ["acme 1.0.0"]);
    ledger.comes_back();
    house.folder.reload().await;
    assert_eq!(house.serving(), ["acme 2.0.0"]);
}

#[tokio::test]
async fn the_set_of_the_store_serves_before_a_file_of_the_folder_is_tried() {
    let ledger = Arc::new(Moody::default());
    drop(House::with_ledger(&[(FILE, good("1.0.0"))], ledger.clone()));
    // The first look cannot go on before it is told to.
    let go_on = ledger.stands_still();
    let house = House::with_ledger(
        &[
            (FILE, good("1.0.0")),
            ("60-late.wasm", b"not a component".to_vec()),
        ],
        ledger.clone(),
    );
    assert_eq!(house.serving(), ["acme 1.0.0"]);
    assert!(house.folder.refused().is_empty());
    go_on.send(()).unwrap();
    house.folder.reload().await;
    assert_eq!(house.folder.refused()[0].file, "60-late.wasm");
    assert_eq!(house.serving(), ["acme 1.0.0"]);
    assert_eq!(house.happened(), ["swapped 1", "refused 60-late.wasm"]);
}

#[tokio::test]
async fn whoever_rings_a_hundred_times_during_a_look_is_answered_by_the_next_one() {
    let ledger = Arc::new(Moody::default());
    let house = House::with_ledger(&[(FILE, good("1.0.0"))], ledger.clone());
    let before = ledger.asked.load(Ordering::SeqCst);
    let go_on = ledger.stands_still();
    let mut rings: Vec<_> = (0..100).map(|_| Box::pin(house.folder.reload())).collect();
    // Each rings when it is polled; the first look cannot end before it is told to go on.
    poll_fn(|context| {
        for ring in &mut rings {
            assert!(ring.as_mut().poll(context).is_pending());
        }
        Poll::Ready(())
    })
    .await;
    go_on.send(()).unwrap();
    for ring in rings {
        ring.await;
    }
    let looks = (ledger.asked.load(Ordering::SeqCst) - before) / 2;
    assert!((1..=4).contains(&looks), "{looks} looks");
}
