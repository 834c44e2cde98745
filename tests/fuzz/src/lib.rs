//! Hostile input for a parser: inputs that are kept, one a file, and what a seeded generator makes of them.
//!
//! A parser's own tests name a folder beside them (`fuzz-corpus/KIND`) and say what is wrong with what became of an input. Each input is replayed as
//! it is, and then mutated: the same seed makes the same inputs. To add a case, put a file into the folder; its name says what is in it. What breaks
//! is printed, escaped, with the line that plays this one input again; keep it in the folder with the fix.
//!
//! * A panic is a failure, and so is an input that takes longer than a hundred seconds: the process then ends and names it.
//! * `COSELL_FUZZ_ROUNDS` says how many inputs are made, `COSELL_FUZZ_ONLY` which one is.

mod mutation;

use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

pub use mutation::{changed, restructured};

/// An input that takes longer will take forever: one takes milliseconds, and this is a hundred thousand of them.
const LONGEST: Duration = Duration::from_secs(100);
/// What may be kept of an input beside a multiple of its length: names, sentences and places.
const KEPT_ALWAYS: usize = 16 * 1024;
/// The debug form of what was read tells each letter in up to ten, and text stands in it with its names and quotes.
const KEPT_A_BYTE: usize = 64;

/// What means something to nearly every parser.
pub const WORDS: [&str; 28] = [
    "(",
    ")",
    "'",
    "\"",
    ",",
    ";",
    "/",
    "$",
    "@",
    "[",
    "]",
    "{",
    "}",
    "%",
    "&",
    "=",
    ":",
    "\\",
    "null",
    "true",
    "1e99",
    "-1",
    "99999999999999999999",
    "2026-01-31T00:00:00Z",
    "0a0a0a0a-0000-4000-8000-000000000001",
    "\r\n",
    "\u{0}",
    "🦀",
];

/// Inputs that are kept, in the order of their names.
///
/// # Panics
/// When the folder is not there or nearly empty: then nothing is tested.
#[must_use]
pub fn corpus(folder: &Path, at_least: usize) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = std::fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("the corpus {}: {error}", folder.display()));
    let mut all: Vec<_> = entries
        .map(|entry| entry.expect("a folder can be listed").path())
        .map(|path| {
            let input = std::fs::read(&path).expect("an input can be read");
            (path, input)
        })
        .collect();
    all.sort();
    assert!(
        all.len() >= at_least,
        "the corpus {} has {} inputs",
        folder.display(),
        all.len()
    );
    all
}

/// Replays the corpus of a folder, and mutates it; `words` are what means something to this parser beside [`WORDS`]. `feed` says what is wrong with what became of
/// an input.
///
/// # Panics
/// With the input, when something is wrong with it.
pub fn survives(
    folder: &Path,
    words: &[&str],
    rounds: usize,
    feed: impl Fn(&[u8]) -> Result<(), String>,
) {
    let watch = Watch::begin();
    let words = [&WORDS, words].concat();
    let kind = folder
        .file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let checked = |input: &[u8], what: &dyn Display| {
        watch.now(&format!("{what}\n{}", input.escape_ascii()));
        let wrong = match catch_unwind(AssertUnwindSafe(|| feed(input))) {
            Ok(Ok(())) => return,
            Ok(Err(wrong)) => wrong,
            Err(_) => "it panicked".to_owned(),
        };
        panic!("{what}: {wrong}\n{}", input.escape_ascii());
    };
    let corpus = corpus(folder, 10);
    let only = number("COSELL_FUZZ_ONLY");
    if only.is_none() {
        for (path, input) in &corpus {
            checked(input, &path.display());
        }
    }
    let rounds = number("COSELL_FUZZ_ROUNDS").unwrap_or(rounds);
    for round in only.map_or(0..rounds, |only| only..only + 1) {
        // Each round from a seed of its own, so that one can be played alone.
        let mut rng = StdRng::seed_from_u64(round as u64);
        let (_, input) = &corpus[rng.random_range(0..corpus.len())];
        let (_, other) = &corpus[rng.random_range(0..corpus.len())];
        let make = if round % 2 == 0 {
            changed
        } else {
            restructured
        };
        let input = make(input, other, &words, &mut rng);
        checked(
            &input,
            &format!("{kind}, played again by COSELL_FUZZ_ONLY={round}"),
        );
    }
}

/// Says so when more is kept of an input than a multiple of it.
///
/// # Errors
/// How much it is.
pub fn bounded(input: &[u8], kept: usize) -> Result<(), String> {
    if kept <= KEPT_ALWAYS + KEPT_A_BYTE * input.len() {
        return Ok(());
    }
    Err(format!(
        "{kept} bytes are kept of an input of {}",
        input.len()
    ))
}

/// Says so when a refusal says nothing.
///
/// # Errors
/// That it does.
pub fn told(input: &[u8], refusal: &str) -> Result<(), String> {
    if refusal.trim().is_empty() {
        return Err("it is refused without a word".to_owned());
    }
    bounded(input, refusal.len())
}

fn number(variable: &str) -> Option<usize> {
    let said = std::env::var(variable).ok()?;
    Some(said.parse().expect("a number of rounds is a number"))
}

/// Ends the process when one input takes too long, which no panic could tell.
struct Watch(Arc<Mutex<(Instant, String)>>);

impl Watch {
    fn begin() -> Self {
        let current = Arc::new(Mutex::new((Instant::now(), String::new())));
        let watched = Arc::downgrade(&current);
        std::thread::spawn(move || watch(&watched));
        Self(current)
    }

    fn now(&self, what: &str) {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *current = (Instant::now(), what.to_owned());
    }
}

/// Goes on until the test has ended.
fn watch(watched: &Weak<Mutex<(Instant, String)>>) {
    while let Some(current) = watched.upgrade() {
        let (since, what) = current
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        drop(current);
        if since.elapsed() > LONGEST {
            end(&what);
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

#[expect(
    clippy::print_stderr,
    reason = "a test that never ends has no other way to tell"
)]
fn end(what: &str) -> ! {
    eprintln!("this input was never read to its end: {what}");
    std::process::abort()
}
