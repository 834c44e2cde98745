//! How many inputs are made.

/// So many, unless `COSELL_FUZZ_ROUNDS` says otherwise.
pub(crate) fn rounds(usual: usize) -> usize {
    let rounds = std::env::var("COSELL_FUZZ_ROUNDS");
    rounds.map_or(usual, |rounds| rounds.parse().unwrap())
}
