//! What was probably meant.

use std::collections::BTreeSet;

use strsim::levenshtein;

/// A misspelt key has at most so many wrong letters; beyond that a guess is noise.
const TYPING_ERRORS_MAX: usize = 3;

/// The known word that was probably meant.
pub(in crate::config) fn nearest<'a>(written: &str, known: &BTreeSet<&'a str>) -> Option<&'a str> {
    known
        .iter()
        .map(|word| (levenshtein(written, word), *word))
        .filter(|(distance, word)| *distance <= TYPING_ERRORS_MAX.min(word.len() / 2))
        .min()
        .map(|(_, word)| word)
}
