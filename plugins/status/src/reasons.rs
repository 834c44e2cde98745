//! An organisation's own reasons: status reason ⇄ standing and the reason that Partner Center is told.

use cosell_guest_sdk::parts::Codes;
use cosell_guest_sdk::parts::codes::{means, spellings};
use cosell_guest_sdk::prelude::*;

use crate::Moved;

/// The pairs of a setting, `100000005 = declined: No capacity | NoCapacity`.
pub(crate) struct Reasons<'a> {
    codes: Codes<'a>,
    /// Where nothing stands before the reason.
    otherwise: Standing,
}

/// How standings are spelt in the setting. Won, expired and what is open are no business of a status reason under Lost.
const STANDINGS: [(&str, Standing); 3] = [
    ("lost", Standing::Lost),
    ("declined", Standing::Declined),
    ("error", Standing::Error),
];

impl<'a> Reasons<'a> {
    pub(crate) fn of(
        settings: impl Into<Settings<'a>>,
        setting: &str,
        otherwise: Standing,
    ) -> Self {
        Self {
            codes: Codes::of(settings, setting),
            otherwise,
        }
    }

    /// Where a row with this status reason stands. One that the setting does not name has no reason to tell.
    pub(crate) fn read(&self, status: Option<i32>) -> DealState {
        let known = self.codes.options().find(|(code, _)| Some(*code) == status);
        match known.map(|(_, words)| self.parsed(words)) {
            Some((standing, words)) => DealState {
                standing,
                reason: spellings(words).next().map(str::to_owned),
            },
            None => DealState::from(self.otherwise.clone()),
        }
    }

    /// The status reason of this standing with this reason.
    pub(crate) fn code_of(&self, deal: &DealState) -> Option<i32> {
        let reason = deal.reason.as_deref()?;
        let found = self.codes.options().find(|(_, words)| {
            let (standing, words) = self.parsed(words);
            standing == deal.standing && means(words, reason)
        });
        found.map(|(code, _)| code)
    }

    /// The standing before the reason, if there is one, and the reason. A colon within a reason is nothing special.
    fn parsed<'w>(&self, words: &'w str) -> (Standing, &'w str) {
        words
            .split_once(':')
            .and_then(|(before, after)| {
                let before = before.trim().to_lowercase();
                let (_, standing) = STANDINGS.iter().find(|(word, _)| *word == before)?;
                Some((standing.clone(), after))
            })
            .unwrap_or_else(|| (self.otherwise.clone(), words))
    }

    /// What cannot be read back, or contradicts the other settings. `taken` are status reasons of other states.
    pub(crate) fn mistakes(
        &self,
        settings: Settings<'_>,
        setting: &str,
        taken: &[Moved],
    ) -> Vec<Reason> {
        let wrong = |message: String, hint: &str| {
            Reason::new("loss-reason-unknown", message)
                .about_setting(setting)
                .hint(hint)
        };
        let mut mistakes = Vec::new();
        let mut known: Vec<(Standing, String, &str)> = Vec::new();
        for (option, all) in settings.pairs(setting) {
            let (standing, words) = self.parsed(all);
            match option.trim().parse::<i32>() {
                Err(_) => mistakes.push(wrong(
                    format!("\"{option}\" = \"{all}\": \"{option}\" is no status reason"),
                    "write the number of the status reason before the word, 100000004 = Price",
                )),
                Ok(number) => {
                    let moved = taken.iter().find(|(name, default, _)| {
                        settings.integer(name).unwrap_or(*default) == number
                    });
                    mistakes.extend(moved.map(|(name, ..)| {
                        wrong(
                            format!("\"{option}\" = \"{all}\": {option} is the {name}"),
                            "a status reason belongs to one state; take it out here, or move that setting",
                        )
                    }));
                }
            }
            if spellings(words).next().is_none() {
                mistakes.push(wrong(
                    format!("the status reason \"{option}\" has no reason"),
                    "write what Partner Center is told, or leave it out",
                ));
            }
            for word in spellings(words).map(str::to_lowercase) {
                let twice = known
                    .iter()
                    .find(|(other, reason, _)| *other == standing && *reason == word);
                match twice {
                    Some((.., first)) if *first != option => mistakes.push(wrong(
                        format!("\"{word}\" leads to two status reasons, {first} and {option}"),
                        "a reason must lead back to one status reason; give one of them another word",
                    )),
                    _ => known.push((standing.clone(), word, option)),
                }
            }
        }
        mistakes
    }
}
