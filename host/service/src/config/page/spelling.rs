//! What was probably meant.

use std::collections::BTreeSet;

/// A misspelt key has at most so many wrong letters; beyond that a guess is noise.
const TYPING_ERRORS_MAX: usize = 3;

/// The known word that was probably meant.
pub(super) fn nearest<'a>(written: &str, known: &BTreeSet<&'a str>) -> Option<&'a str> {
    known
        .iter()
        .map(|word| (distance(written, word), *word))
        .filter(|(distance, word)| *distance <= TYPING_ERRORS_MAX.min(word.len() / 2))
        .min()
        .map(|(_, word)| word)
}

/// How many letters have to be added, taken away or changed (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().enumerate() {
        let mut diagonal = i;
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
        for (j, other) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = (above + 1)
                .min(row[j] + 1)
                .min(diagonal + usize::from(letter != *other));
            diagonal = above;
        }
    }
    row.last().copied().unwrap_or_default()
}
