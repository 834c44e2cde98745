//! A choice column and the words for its options.

use crate::Settings;
use crate::types::Reason;

/// A setting of pairs, option code and word: `{ "299600001" = "technical-architecture" }`.
///
/// A word may have other spellings after a bar, `Price | PriceTooHigh`: the first is told to the other side, all are understood.
/// Words compare without regard to case.
#[derive(Debug, Clone, Copy)]
pub struct Codes<'a> {
    pairs: &'a [(String, String)],
}

impl<'a> Codes<'a> {
    /// The pairs of this setting; none when it has no value.
    #[must_use]
    pub fn of(settings: impl Into<Settings<'a>>, setting: &str) -> Self {
        Self {
            pairs: settings.into().pairs(setting),
        }
    }

    /// No option has a word.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// Every option with a number for a code, and what stands beside it.
    pub fn options(&self) -> impl Iterator<Item = (i32, &'a str)> + use<'a> {
        self.pairs
            .iter()
            .filter_map(|(code, words)| Some((code.trim().parse().ok()?, words.trim())))
    }

    /// The word of this option.
    #[must_use]
    pub fn word_of(&self, code: i32) -> Option<&'a str> {
        self.options()
            .find(|(known, _)| *known == code)
            .and_then(|(_, words)| spellings(words).next())
    }

    /// The option with this word.
    #[must_use]
    pub fn code_of(&self, word: &str) -> Option<i32> {
        self.options()
            .find(|(_, words)| means(words, word))
            .map(|(code, _)| code)
    }

    /// Codes that are no numbers, options without a word, and words that stand for two options, for
    /// [`Plugin::describe`](crate::Plugin::describe). `code` is that of the reasons.
    #[must_use]
    pub fn mistakes(&self, setting: &str, code: &str) -> Vec<Reason> {
        let wrong = |message: String, hint: &str| {
            Reason::new(code, message).about_setting(setting).hint(hint)
        };
        let mut mistakes = Vec::new();
        let mut known: Vec<(String, &str)> = Vec::new();
        for (option, words) in self.pairs {
            if option.trim().parse::<i32>().is_err() {
                mistakes.push(wrong(
                    format!("\"{option}\" = \"{words}\": \"{option}\" is no option value"),
                    "write the option's number before its word, \"100000004\" = \"Price\"",
                ));
            }
            if spellings(words).next().is_none() {
                mistakes.push(wrong(
                    format!("the option \"{option}\" has no word"),
                    "write what it means, or leave the option out",
                ));
            }
            for word in spellings(words) {
                let folded = word.to_lowercase();
                match known.iter().find(|(other, _)| *other == folded) {
                    Some((_, first)) if *first != option => mistakes.push(wrong(
                        format!("\"{word}\" stands for two options, {first} and {option}"),
                        "a word must lead back to one option; give one of them another word",
                    )),
                    _ => known.push((folded, option)),
                }
            }
        }
        mistakes
    }
}

/// The spellings of a word: `Price | PriceTooHigh`.
pub fn spellings(words: &str) -> impl Iterator<Item = &str> {
    words
        .split('|')
        .map(str::trim)
        .filter(|word| !word.is_empty())
}

/// Whether `word` is one of the spellings.
#[must_use]
pub fn means(words: &str, word: &str) -> bool {
    let word = word.trim().to_lowercase();
    spellings(words).any(|known| known.to_lowercase() == word)
}
