//! `cosell person erase`: a person is erased from everything that the host has written down. What the two vendors hold is theirs, and comes again with
//! the next look as long as it stands there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use cosell_store::{Scrub, Speaks, Words, erase_person, find_person};
use serde::Serialize;

use super::VerbError;
use crate::config::Config;
use crate::link::Notes;
use crate::personal::{ERASED, Person};
use crate::raw;
use crate::recording;
use crate::seal::{Seal, SealError};

/// What was found, and whether it is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Erasure {
    /// False: a look only.
    pub done: bool,
    /// Rows that speak of the person, or did, by table.
    pub rows: BTreeMap<&'static str, u64>,
    /// Deals that they belong to, as `CONNECTION/LANE`.
    pub deals: Vec<String>,
    /// Deals that are left as they are, because a write that speaks of the person is under way: erase again when it is over.
    pub under_way: Vec<String>,
    /// A host read the person again while we erased: erase on both sides first.
    pub coming_in: bool,
    /// What an erasure here does not reach.
    pub not_reached: Vec<&'static str>,
}

/// What no erasure in the store reaches.
const NOT_REACHED: [&str; 5] = [
    "the records in Partner Center and in the CRM: erase the person there first, or the next look brings the data back",
    "backups of the store, and copies made with `cosell store backup`, `move` or `export`",
    "logs that were written already, and what alerts have sent: they name deals and not people, but repeat what vendors and plugins said",
    "recordings and inputs that were given to plugin authors: they hold stand-ins, and no key that leads back",
    "on PostgreSQL, old versions of rows until the next VACUUM, and archived write-ahead logs",
];

/// Looks for a person, and erases him when `by` says who ordered it.
///
/// # Errors
/// [`VerbError::NoStore`]; [`VerbError::Store`]; [`VerbError::Recording`] when something is sealed with a key that is not there: then nothing was
/// erased, because nobody knows whether the person is in it.
pub async fn erase(
    config: &Config,
    person: &Person,
    by: Option<&str>,
) -> Result<Erasure, VerbError> {
    if config.store.file().is_some_and(|path| !path.exists()) {
        return Err(VerbError::NoStore {
            path: config.store.to_string(),
        });
    }
    let seal = Arc::new(Seal::new(&config.keys).unwrap_or_default());
    let sealed: Arc<Mutex<Option<SealError>>> = Arc::default();
    let scrub = scrub(person.clone(), seal, Arc::clone(&sealed));
    let mut erased = find_person(&config.store, &scrub).await?;
    let unopened = sealed
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    if let Some(error) = unopened {
        return Err(recording::RecordingError::from(error).into());
    }
    if let Some(by) = by {
        erased = erase_person(&config.store, None, &scrub, by).await?;
    }
    let named = |lanes: &std::collections::BTreeSet<(String, i64)>| -> Vec<String> {
        let named = lanes.iter();
        named
            .map(|(connection, lane)| format!("{connection}/{lane}"))
            .collect()
    };
    Ok(Erasure {
        done: by.is_some(),
        deals: named(&erased.lanes),
        under_way: named(&erased.under_way),
        rows: erased.rows,
        coming_in: erased.coming_in,
        not_reached: NOT_REACHED.to_vec(),
    })
}

/// Decides about each text. What cannot be opened is noted in `sealed`.
fn scrub(person: Person, seal: Arc<Seal>, sealed: Arc<Mutex<Option<SealError>>>) -> Scrub {
    Arc::new(move |words: &Words<'_>| {
        let text = match words.said {
            Speaks::Text(text) => text,
            Speaks::Bytes(bytes) => std::str::from_utf8(bytes).unwrap_or_default(),
        };
        if Seal::is_sealed(text) {
            let lane = words.lane.map(|lane| lane.0).unwrap_or_default();
            let name = format!("{lane}/{}", words.key);
            let place = match words.table {
                "recording" => recording::place(words.connection, words.key),
                _ => raw::place(words.connection, &name),
            };
            return match seal.open(place, text) {
                Ok(plain) => person.without(&String::from_utf8_lossy(&plain)),
                Err(error) => {
                    *sealed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    None
                }
            };
        }
        if (words.table, words.column) == ("hold", "fingerprint") {
            return is_about(&person, text).then(|| ERASED.to_owned());
        }
        let without = person.without(text)?;
        Some(match (words.table, words.column) {
            ("link", "notes") => notes_without(text, &without),
            _ => without,
        })
    })
}

/// Whether a hold of exactly this write, named by its parts in lines, is about the person. It is asked anew then.
fn is_about(person: &Person, fingerprint: &str) -> bool {
    let parts: Vec<(&str, &str)> = fingerprint
        .lines()
        .filter_map(|line| line.split_once('='))
        .collect();
    person.is_in(fingerprint) || person.is_in(&serde_json::json!(parts).to_string())
}

/// Values that a later look compares with are forgotten and not rewritten: nobody has ever sent "[erased]".
fn notes_without(before: &str, after: &str) -> String {
    let (before, mut after) = (Notes::parse(before), Notes::parse(after));
    after
        .halves
        .retain(|unit, value| before.halves.get(unit) == Some(value));
    after
        .under_way
        .retain(|sent| before.under_way.contains(sent));
    after.name = after.name.filter(|name| before.name.as_ref() == Some(name));
    after.to_text()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_is_found_by_the_parts_of_its_write() {
        let person = Person {
            names: vec!["Zsófia Kereszturi".into()],
            ..Person::default()
        };
        let hold = "contacts\n0=\n0.first-name=Zsófia\n0.last-name=Kereszturi";
        assert!(is_about(&person, hold));
        assert!(!is_about(&person, "contacts\n0=\n0.first-name=Zsófia"));
    }

    #[test]
    fn what_a_later_look_compares_with_is_forgotten() {
        let person = Person {
            names: vec!["Zsófia Kereszturi".into()],
            ..Person::default()
        };
        let mut notes = Notes {
            name: Some("For Zsófia Kereszturi".into()),
            ..Notes::default()
        };
        let value = |name: &str| format!("[[\"0.name\",\"{name}\"]]");
        notes
            .halves
            .insert("contacts".into(), value("Zsófia Kereszturi"));
        notes.halves.insert("solutions".into(), value("Azure"));
        let before = notes.to_text();
        let after = notes_without(&before, &person.without(&before).unwrap());
        let after = Notes::parse(&after);
        assert_eq!(after.halves.keys().collect::<Vec<_>>(), ["solutions"]);
        assert_eq!(after.name, None);
    }
}
