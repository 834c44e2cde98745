//! Generated input for the three parsers that read more than JSON, made by their grammars and not byte by byte: queries, JSON Patches and batches.
//! What must come of each is known, because equal questions have equal answers, and because what is refused changes nothing.
//!
//! Seeded: the same seed makes the same inputs. `COSELL_FUZZ_ROUNDS` says how many.

#![expect(
    clippy::unwrap_used,
    reason = "a failed step of a test is a failed test, in helpers too"
)]

#[path = "structured/batches.rs"]
mod batches;
#[path = "hostile/clients.rs"]
mod clients;
#[path = "structured/patches.rs"]
mod patches;
#[path = "structured/queries.rs"]
mod queries;
#[path = "hostile/rounds.rs"]
mod rounds;

use rand::Rng as _;
use rand::rngs::StdRng;

/// Generated inputs of each kind.
const ROUNDS: usize = 400;

fn rounds() -> usize {
    rounds::rounds(ROUNDS)
}

/// One of several.
fn one<T: Copy>(all: &[T], rng: &mut StdRng) -> T {
    all[rng.random_range(0..all.len())]
}
