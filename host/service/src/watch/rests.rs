//! Since when a credential rests without getting better. A credential that is refused rests for a minute at a time and is tried again: each of these
//! rests is short, and together they last until a person acts.

use std::collections::BTreeMap;

use cosell_store::Millis;

use super::vitals::Vitals;

/// A rest that begins so soon after another one goes on with it: in between, somebody had to come and be refused again.
const GAP_MS: Millis = 90_000;

/// Connection and credential.
pub(crate) type Which = (String, String);

/// One that rests, or has just rested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rest {
    /// The first of its rests began.
    pub(crate) since: Millis,
    /// The last of them ends.
    pub(crate) until: Millis,
    /// Who refused or slowed what, and what to do.
    pub(crate) why: String,
}

/// All that rest.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rests(BTreeMap<Which, Rest>);

impl Rests {
    /// What one look has seen.
    pub(crate) fn note(&mut self, vitals: &Vitals) {
        self.0.retain(|_, rest| vitals.now <= rest.until + GAP_MS);
        for (which, (until, why)) in &vitals.resting {
            let rest = self.0.entry(which.clone()).or_insert(Rest {
                since: vitals.now,
                until: *until,
                why: String::new(),
            });
            rest.until = rest.until.max(*until);
            rest.why.clone_from(why);
        }
    }

    /// All of them, however short.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Which> {
        self.0.keys()
    }

    /// Those that last for so long, what is still to come included.
    pub(crate) fn longer_than(&self, ms: Millis) -> impl Iterator<Item = (&Which, &Rest)> {
        self.0
            .iter()
            .filter(move |(_, rest)| rest.until - rest.since >= ms)
    }
}
