//! The audit: what happened to a deal, one hash chain per lane (I7).

use sha2::{Digest, Sha256};

use crate::Millis;

/// How hashes are made today. A later scheme may chain salted commitments to the texts instead of the texts, so that an erased value
/// still verifies; entries say which scheme is theirs.
pub(crate) const SCHEME: i64 = 1;

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
    /// SHA-256 over the hash before, the position, the time and the line, each part preceded by its length; hex.
    pub hash: String,
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
pub(crate) fn chained(previous: &str, sequence: i64, at: Millis, line: &AuditLine) -> String {
    digest(&[
        b"cosell audit entry",
        &SCHEME.to_be_bytes(),
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
}

impl Walk {
    /// At the chain's beginning.
    pub(crate) fn begin(connection: &str, lane: i64) -> Self {
        Self {
            hash: chain_start(connection, lane),
            sequence: 0,
            broken: None,
        }
    }

    /// The next entry, as it is stored.
    pub(crate) fn see(&mut self, scheme: i64, entry: &AuditEntry) {
        if self.broken.is_some() {
            return;
        }
        let follows = chained(&self.hash, self.sequence + 1, entry.at, &entry.line);
        if scheme != SCHEME || entry.sequence != self.sequence + 1 || entry.hash != follows {
            self.broken = Some(self.sequence + 1);
        }
        self.sequence += 1;
        self.hash = follows;
    }

    /// Compares the chain's end with what the lane says: entries cut off the end, or added behind it, leave every remaining link whole;
    /// only the lane knows. The first entry that is wrong or missing.
    pub(crate) fn end(self, audited: i64, head: Option<&str>) -> Option<i64> {
        let ends_there = self.sequence == audited
            && match head {
                Some(head) => self.hash == head,
                None => audited == 0,
            };
        let cut = (!ends_there).then(|| self.sequence.min(audited) + 1);
        self.broken.or(cut)
    }
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

    #[test]
    fn moving_a_letter_from_one_field_to_the_next_is_another_hash() {
        assert_ne!(
            chained("00", 1, 5, &line("run", "x")),
            chained("00", 1, 5, &line("ru", "nx"))
        );
    }

    #[test]
    fn everything_that_an_entry_says_is_in_its_hash() {
        let whole = chained("00", 1, 5, &line("run", "x"));
        let others = [
            chained("01", 1, 5, &line("run", "x")),
            chained("00", 2, 5, &line("run", "x")),
            chained("00", 1, 6, &line("run", "x")),
            chained("00", 1, 5, &line("run", "y")),
            chained(
                "00",
                1,
                5,
                &AuditLine {
                    detail: "[]".into(),
                    ..line("run", "x")
                },
            ),
        ];
        assert!(others.iter().all(|other| *other != whole));
    }

    #[test]
    fn the_encoding_of_scheme_1_is_frozen() {
        assert_eq!(
            chain_start("c", 1),
            "e70d13425eb97a566ad26c870d1375caf6a1744cd6495e66d4009dd1c0b88927"
        );
        assert_eq!(
            chained("00", 1, 5, &line("run", "x")),
            "034f746d484a8fe91cd4122bfcae991583ac4d66b42009a2cf24d85ddb36e5d5"
        );
    }
}
