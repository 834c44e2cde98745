//! The audit: what happened to a deal, one hash chain per lane (I7).

//!
//! A person may be erased from it, and the chain still verifies: what is chained is a salted commitment to an entry's words. An erasure takes the
//! salt away with the words, and says in an entry of its own what stands there now; so words cannot be changed under the name of an erasure either.

use std::collections::BTreeMap;

use ring::rand::{SecureRandom as _, SystemRandom};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::Millis;

/// How hashes are made today: over a salted commitment to the words. Scheme 1 was over the words themselves; entries say which scheme is theirs.
pub(crate) const SCHEME: i64 = 2;
/// Of before version 4 of the tables.
const IN_WORDS: i64 = 1;
/// Bytes of a salt: nobody tries them all.
const SALT_BYTES: usize = 16;
/// The kind of an entry that tells of erased ones.
pub(crate) const ERASED: &str = "erased";

/// What is to be written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditLine {
    /// `run`, `write`, `conflict`, `explained`, `skip`, `park`, `link`, `plugin`, `person`.
    pub kind: String,
    /// One sentence for people.
    pub message: String,
    /// JSON: unit, before, after, loser, plugin, version, hash, correlation ids.
    pub detail: String,
}

/// A line that was written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Position in the lane's chain, from 1.
    pub sequence: i64,
    /// When, by the store's clock.
    pub at: Millis,
    /// What.
    pub line: AuditLine,
    /// SHA-256 over the hash before, the position, the time, the kind and a salted commitment to message and detail, each part preceded by its
    /// length; hex. Of entries from before version 4 of the tables, over message and detail themselves.
    pub hash: String,
}

/// An entry with what verifies it, as it is stored.
pub(crate) struct Stored {
    pub(crate) entry: AuditEntry,
    pub(crate) scheme: i64,
    pub(crate) salt: Option<String>,
    pub(crate) commitment: Option<String>,
    pub(crate) erased: bool,
}

/// What is stored beside a new line.
pub(crate) struct Sealed {
    pub(crate) salt: String,
    pub(crate) commitment: String,
    pub(crate) hash: String,
}

/// The entry that follows `previous`, with a salt that nobody knows yet.
pub(crate) fn sealed(previous: &str, sequence: i64, at: Millis, line: &AuditLine) -> Sealed {
    let mut bytes = [0; SALT_BYTES];
    SystemRandom::new()
        .fill(&mut bytes)
        .expect("the system has randomness, or nothing on it is safe");
    let salt = hex::encode(bytes);
    let commitment = committed(&salt, line);
    Sealed {
        hash: chained(previous, sequence, at, &line.kind, &commitment),
        salt,
        commitment,
    }
}

/// The entry that tells of erased ones: each with the hash before it, and the hash of what stands there now.
pub(crate) fn erasure(erased: &[(i64, String, AuditLine)], by: &str, bases: usize) -> AuditLine {
    let entries: Vec<Value> = erased
        .iter()
        .map(|(sequence, follows, line)| {
            json!({ "entry": sequence, "follows": follows, "now": words_now(line) })
        })
        .collect();
    let message = format!(
        "{by} has erased a person: {} entries of this history no longer say the name, and {bases} values are unknown until the deal is read again",
        entries.len()
    );
    AuditLine {
        kind: ERASED.to_owned(),
        message,
        detail: json!({ "by": by, "entries": entries, "bases": bases }).to_string(),
    }
}

/// The hash of what an erasure has left.
fn words_now(line: &AuditLine) -> String {
    digest(&[
        b"cosell erased words",
        line.message.as_bytes(),
        line.detail.as_bytes(),
    ])
}

/// What the chain stands on instead of the words.
fn committed(salt: &str, line: &AuditLine) -> String {
    digest(&[
        b"cosell audit words",
        salt.as_bytes(),
        line.message.as_bytes(),
        line.detail.as_bytes(),
    ])
}

/// Where a chain does not verify.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainBreak {
    /// Whose.
    pub connection: String,
    /// Which lane.
    pub lane: i64,
    /// The first entry that does not follow from the one before, or that is missing at the end.
    pub sequence: i64,
}

/// The hash before a lane's first entry. It names the lane, so that a whole chain cannot pass as another lane's.
pub(crate) fn chain_start(connection: &str, lane: i64) -> String {
    digest(&[
        b"cosell audit lane",
        connection.as_bytes(),
        &lane.to_be_bytes(),
    ])
}

/// The hash of the entry that follows `previous`.
fn chained(previous: &str, sequence: i64, at: Millis, kind: &str, commitment: &str) -> String {
    digest(&[
        b"cosell audit entry",
        &SCHEME.to_be_bytes(),
        previous.as_bytes(),
        &sequence.to_be_bytes(),
        &at.to_be_bytes(),
        kind.as_bytes(),
        commitment.as_bytes(),
    ])
}

/// The same by scheme 1.
fn chained_in_words(previous: &str, sequence: i64, at: Millis, line: &AuditLine) -> String {
    digest(&[
        b"cosell audit entry",
        &IN_WORDS.to_be_bytes(),
        previous.as_bytes(),
        &sequence.to_be_bytes(),
        &at.to_be_bytes(),
        line.kind.as_bytes(),
        line.message.as_bytes(),
        line.detail.as_bytes(),
    ])
}

/// Walks along one lane's chain, whichever store it lies in.
pub(crate) struct Walk {
    hash: String,
    sequence: i64,
    broken: Option<i64>,
    /// Erased entries: the hash before each, and the hash of what stands there.
    erased: BTreeMap<i64, (String, String)>,
    /// What entries say about erased ones; the last word counts.
    said: BTreeMap<i64, (String, String)>,
}

impl Walk {
    /// At the chain's beginning.
    pub(crate) fn begin(connection: &str, lane: i64) -> Self {
        Self {
            hash: chain_start(connection, lane),
            sequence: 0,
            broken: None,
            erased: BTreeMap::new(),
            said: BTreeMap::new(),
        }
    }

    /// The next entry.
    pub(crate) fn see(&mut self, stored: &Stored) {
        if self.broken.is_some() {
            return;
        }
        let entry = &stored.entry;
        let sequence = self.sequence + 1;
        let follows = self.follows(stored, sequence);
        if follows.is_none() || entry.sequence != sequence || follows.as_ref() != Some(&entry.hash)
        {
            self.broken = Some(sequence);
        }
        if stored.erased {
            let now = words_now(&entry.line);
            self.erased.insert(sequence, (self.hash.clone(), now));
        }
        if entry.line.kind == ERASED {
            self.said.extend(told(&entry.line.detail));
        }
        self.sequence = sequence;
        self.hash.clone_from(&entry.hash);
    }

    /// The hash that the entry should have. None: its words are not those that it was committed to.
    fn follows(&self, stored: &Stored, sequence: i64) -> Option<String> {
        let AuditEntry { at, line, hash, .. } = &stored.entry;
        match (stored.scheme, stored.erased) {
            (IN_WORDS, false) => Some(chained_in_words(&self.hash, sequence, *at, line)),
            (IN_WORDS, true) => Some(hash.clone()),
            (SCHEME, erased) => {
                let commitment = stored.commitment.as_deref()?;
                let is_true = match &stored.salt {
                    Some(salt) => committed(salt, line) == commitment,
                    None => erased,
                };
                is_true.then(|| chained(&self.hash, sequence, *at, &line.kind, commitment))
            }
            _ => None,
        }
    }

    /// Compares the chain's end with what the lane says: entries cut off the end, or added behind it, leave every remaining link whole;
    /// only the lane knows. And erased entries with what was said when they were erased. The first entry that is wrong or missing.
    pub(crate) fn end(self, audited: i64, head: Option<&str>) -> Option<i64> {
        let ends_there = self.sequence == audited
            && match head {
                Some(head) => self.hash == head,
                None => audited == 0,
            };
        let cut = (!ends_there).then(|| self.sequence.min(audited) + 1);
        let untold = self
            .erased
            .iter()
            .find(|(sequence, is)| self.said.get(sequence) != Some(is))
            .map(|(sequence, _)| *sequence);
        // Behind a break nothing is read: what would be said there is not known.
        self.broken.or(untold).or(cut)
    }
}

/// What an entry of the kind [`ERASED`] says: which entries, the hash before each, the hash of what stands there now.
fn told(detail: &str) -> Vec<(i64, (String, String))> {
    let detail: Value = serde_json::from_str(detail).unwrap_or_default();
    let entries = detail["entries"].as_array().into_iter().flatten();
    let one = |entry: &Value| {
        let text = |name: &str| entry[name].as_str().map(str::to_owned);
        Some((entry["entry"].as_i64()?, (text("follows")?, text("now")?)))
    };
    entries.filter_map(one).collect()
}

/// Each part is preceded by its length: no two different lists of parts are the same bytes.
fn digest(parts: &[&[u8]]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hex::encode(hasher.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(kind: &str, message: &str) -> AuditLine {
        AuditLine {
            kind: kind.into(),
            message: message.into(),
            detail: "{}".into(),
        }
    }

    fn stored(sequence: i64, line: &AuditLine, sealed: Sealed) -> Stored {
        Stored {
            entry: AuditEntry {
                sequence,
                at: 5,
                line: line.clone(),
                hash: sealed.hash,
            },
            scheme: SCHEME,
            salt: Some(sealed.salt),
            commitment: Some(sealed.commitment),
            erased: false,
        }
    }

    /// A chain of these lines as it is stored.
    fn chain(lines: &[AuditLine]) -> Vec<Stored> {
        let mut hash = chain_start("c", 1);
        let mut all = Vec::new();
        for (sequence, line) in (1..).zip(lines) {
            let sealed = sealed(&hash, sequence, 5, line);
            hash.clone_from(&sealed.hash);
            all.push(stored(sequence, line, sealed));
        }
        all
    }

    fn broken(chain: &[Stored]) -> Option<i64> {
        let mut walk = Walk::begin("c", 1);
        chain.iter().for_each(|stored| walk.see(stored));
        let head = chain.last().map(|last| last.entry.hash.clone());
        walk.end(chain.len() as i64, head.as_deref())
    }

    fn erase(chain: &mut [Stored], at: usize) {
        chain[at].entry.line.message = "[erased]".into();
        chain[at].salt = None;
        chain[at].erased = true;
    }

    #[test]
    fn moving_a_letter_from_one_field_to_the_next_is_another_hash() {
        let other = AuditLine {
            message: "x{".into(),
            detail: "}".into(),
            ..line("run", "")
        };
        assert_ne!(committed("00", &line("run", "x")), committed("00", &other));
        assert_ne!(
            chained("00", 1, 5, "run", "x"),
            chained("00", 1, 5, "ru", "nx")
        );
        assert_ne!(
            chained_in_words("00", 1, 5, &line("run", "x")),
            chained_in_words("00", 1, 5, &line("ru", "nx"))
        );
    }

    #[test]
    fn everything_that_an_entry_says_is_in_its_hash() {
        let spoil: [fn(&mut Stored); 8] = [
            |stored| stored.entry.at = 6,
            |stored| stored.entry.sequence = 7,
            |stored| stored.entry.line.kind = "write".into(),
            |stored| stored.entry.line.message = "y".into(),
            |stored| stored.entry.line.detail = "[]".into(),
            |stored| stored.salt = None,
            |stored| stored.scheme = 1,
            |stored| stored.commitment = None,
        ];
        assert_eq!(broken(&chain(&[line("run", "x"), line("run", "z")])), None);
        for spoil in spoil {
            let mut chain = chain(&[line("run", "x"), line("run", "z")]);
            spoil(&mut chain[0]);
            assert_eq!(broken(&chain), Some(1));
        }
    }

    #[test]
    fn i7_an_erased_entry_verifies_and_only_as_it_was_left() {
        let lines = [line("run", "x"), line("write", "Anna"), line("run", "z")];
        let mut told = chain(&lines);
        erase(&mut told, 1);
        assert_eq!(broken(&told), Some(2), "nobody has said that it is erased");
        let left = told[1].entry.line.clone();
        let said = erasure(&[(2, told[0].entry.hash.clone(), left)], "ada", 0);
        let last = told[2].entry.hash.clone();
        told.push(stored(4, &said, sealed(&last, 4, 5, &said)));
        assert_eq!(broken(&told), None);
        assert!(!said.message.contains("Anna") && !said.detail.contains("Anna"));
        told[1].entry.line.message = "something else".into();
        assert_eq!(broken(&told), Some(2));
    }

    #[test]
    fn i7_an_entry_of_scheme_1_can_be_erased_too() {
        let mut hash = chain_start("c", 1);
        let mut told = Vec::new();
        for sequence in 1..4 {
            let line = line("run", &format!("Anna {sequence}"));
            hash = chained_in_words(&hash, sequence, 5, &line);
            let sealed = Sealed {
                hash: hash.clone(),
                salt: String::new(),
                commitment: String::new(),
            };
            told.push(Stored {
                scheme: IN_WORDS,
                salt: None,
                commitment: None,
                ..stored(sequence, &line, sealed)
            });
        }
        assert_eq!(broken(&told), None);
        erase(&mut told, 1);
        let said = erasure(
            &[(2, told[0].entry.hash.clone(), told[1].entry.line.clone())],
            "ada",
            0,
        );
        told.push(stored(4, &said, sealed(&hash, 4, 5, &said)));
        assert_eq!(broken(&told), None);
        told[0].entry.line.message = "another beginning".into();
        told[0].entry.hash = chained_in_words(&chain_start("c", 1), 1, 5, &told[0].entry.line);
        assert_eq!(broken(&told), Some(2), "it follows another entry");
    }

    #[test]
    fn the_encodings_are_frozen() {
        assert_eq!(
            chain_start("c", 1),
            "e70d13425eb97a566ad26c870d1375caf6a1744cd6495e66d4009dd1c0b88927"
        );
        assert_eq!(
            chained_in_words("00", 1, 5, &line("run", "x")),
            "034f746d484a8fe91cd4122bfcae991583ac4d66b42009a2cf24d85ddb36e5d5"
        );
        assert_eq!(
            chained("00", 1, 5, "run", &committed("5a17", &line("run", "x"))),
            "cd167b97949e290a956fa45abf03c346898abeb725eb10282a0022d2d0621393"
        );
    }
}
