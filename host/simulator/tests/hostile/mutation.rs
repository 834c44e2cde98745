//! Inputs that are kept, and what a seeded generator makes of them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::rounds::rounds;

/// Mutated inputs of each kind. `COSELL_FUZZ_ROUNDS` says otherwise.
const ROUNDS: usize = 5_000;
/// Pieces that mean something to one parser or another.
const PIECES: [&str; 44] = [
    "(",
    ")",
    "'",
    "''",
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
    " eq ",
    " and ",
    " or ",
    "not ",
    "null",
    "any(x:",
    "contains(",
    "$expand=",
    "$filter=",
    "$select=",
    "Microsoft.Dynamics.CRM.In(PropertyName='name',PropertyValues=[",
    "1e99",
    "-1",
    "99999999999999999999",
    "2026-01-31T00:00:00Z",
    "0a0a0a0a-0000-4000-8000-000000000001",
    "\r\n",
    "\r\n\r\n",
    "--batch_x",
    "--batch_x--",
    "Content-Type: ",
    "HTTP/1.1",
    "@odata.bind",
    "\u{0}",
    "🦀",
];

fn corpus(kind: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz-corpus")
        .join(kind);
    cosell_fuzz::corpus(&folder, 21)
}

/// Replays the corpus of a kind, and mutates it. `feed` says what is wrong with an answer.
pub(crate) fn survives(kind: &str, feed: impl Fn(&[u8]) -> Result<(), String>) {
    let checked = |input: &[u8], what: &dyn std::fmt::Display| {
        let judged = catch_unwind(AssertUnwindSafe(|| feed(input)));
        let shown = String::from_utf8_lossy(input);
        match judged {
            Ok(Ok(())) => {}
            Ok(Err(wrong)) => panic!("{what}: {wrong}\n{shown}"),
            Err(_) => panic!("{what}: it panicked\n{shown}"),
        }
    };
    let corpus = corpus(kind);
    for (path, input) in &corpus {
        checked(input, &path.display());
    }
    let mut rng = StdRng::seed_from_u64(9);
    for round in 0..rounds(ROUNDS) {
        let (_, input) = &corpus[rng.random_range(0..corpus.len())];
        let (_, other) = &corpus[rng.random_range(0..corpus.len())];
        let input = cosell_fuzz::changed(input, other, &PIECES, &mut rng);
        checked(&input, &format!("{kind}, round {round}"));
    }
}
