//! Why a verb could not be done: what, where, and what to do.

use cosell_remote::RemoteError;
use cosell_store::StoreError;

use super::cards::Choice;
use crate::app::StartError;
use crate::recording::RecordingError;

/// Why a verb could not be done.
#[derive(Debug, thiserror::Error)]
pub enum VerbError {
    /// No host has ever run with this configuration.
    #[error("there is no store at {path} yet: start the host once with `cosell run`")]
    NoStore {
        /// Where it was looked for.
        path: String,
    },
    /// The store said no, or broke.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The clients or the plugins could not be set up.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A side could not be read.
    #[error("the two sides cannot be compared: {0}")]
    Remote(#[from] RemoteError),
    /// A credential rests, because the other side asked for it or did not accept it (I11).
    #[error(
        "connection \"{connection}\" is not called just now: {why}; the host beside tells when it resumes, or ask again later"
    )]
    Resting {
        /// The connection.
        connection: String,
        /// Why.
        why: String,
    },
    /// No such connection.
    #[error("there is no connection \"{connection}\" in the configuration; it has {}", .known.join(", "))]
    UnknownConnection {
        /// What was asked.
        connection: String,
        /// What there is.
        known: Vec<String>,
    },
    /// Nothing is known by that name.
    #[error(
        "no deal is known as \"{asked}\": give a lane number, a referral id, a row id, or the first characters of an id; `cosell deals` lists them"
    )]
    NoDeal {
        /// What was asked.
        asked: String,
    },
    /// An id's beginning that says too little.
    #[error("\"{asked}\" could be the beginning of many ids: give at least {least} characters")]
    TooShort {
        /// What was asked.
        asked: String,
        /// So many say enough.
        least: usize,
    },
    /// More than one deal is meant.
    #[error("\"{asked}\" could be any of {}: give more of the id, or CONNECTION/LANE", .found.join(", "))]
    ManyDeals {
        /// What was asked.
        asked: String,
        /// What it could be.
        found: Vec<String>,
    },
    /// Nothing was recorded of it.
    #[error("there is no recording of deal {lane}: {hint}")]
    NoRecording {
        /// The deal.
        lane: i64,
        /// What to do.
        hint: &'static str,
    },
    /// A recording cannot be used.
    #[error("the recording cannot be used: {0}")]
    Recording(#[from] RecordingError),
    /// Its records could not be read.
    #[error("\"{asked}\" cannot be shown to a plugin: {why}")]
    Unshown {
        /// What was asked.
        asked: String,
        /// Why.
        why: String,
    },
    /// The deal never had such a part.
    #[error("the deal has no part \"{asked}\" that anything is known about; it has {}", .known.join(", "))]
    NoUnit {
        /// What was asked.
        asked: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The card offers other choices.
    #[error("card {card} cannot be answered with \"{choice}\"; its choices are {}", in_words(.choices))]
    NoChoice {
        /// The card.
        card: i64,
        /// What was asked.
        choice: String,
        /// What there is.
        choices: Vec<Choice>,
    },
    /// Several connections have a card or hold of this number.
    #[error("{what} {number} is there in {}: say which with --connection", .connections.join(" and in "))]
    ManyNumbers {
        /// `card`, `hold`.
        what: &'static str,
        /// The number.
        number: i64,
        /// Where.
        connections: Vec<String>,
    },
    /// No batch is held there.
    #[error("no mass change is held in {side}; `cosell holds` lists what is")]
    NoMass {
        /// Which side.
        side: String,
    },
    /// No candidate is called so.
    #[error("no candidate is called \"{asked}\"; {}", one_of("there is", "there is none: `cosell plugin list` shows what serves", .known))]
    NoCandidate {
        /// What was asked.
        asked: String,
        /// Files of those that there are.
        known: Vec<String>,
    },
    /// Nothing in the set is called so.
    #[error("no plugin of the set is called \"{asked}\"; {}; a version that is not in it is named by its whole SHA-256", one_of("there is", "there is none", .known))]
    NoPlugin {
        /// What was asked.
        asked: String,
        /// Files of those that there are.
        known: Vec<String>,
    },
    /// No such generation, or none to go back to.
    #[error("{}; {}", .asked.map_or_else(|| "there is no older set to go back to".to_owned(), |number| format!("there is no older generation {number}")), one_of("there is", "nothing older is kept", &.known.iter().map(ToString::to_string).collect::<Vec<_>>()))]
    NoGeneration {
        /// What was asked.
        asked: Option<u64>,
        /// What there is.
        known: Vec<u64>,
    },
    /// Something of the older set was taken out of service.
    #[error(
        "{plugin} is quarantined ({why}): let it in with `cosell plugin quarantine --release` first, or name another generation with --to"
    )]
    Out {
        /// Whose version.
        plugin: String,
        /// Why it is out.
        why: String,
    },
    /// Without it nothing would be known to serve.
    #[error(
        "nothing older is known to serve in the place of {plugin}: delete its file, or drop a better one over it"
    )]
    NothingOlder {
        /// Which.
        plugin: String,
    },
    /// What a candidate was judged beside serves no more.
    #[error(
        "{plugin} was judged beside another set than the one that serves now; it is judged anew, and then its rule decides"
    )]
    JudgedBesideAnother {
        /// Which.
        plugin: String,
    },
    /// Not exactly one quarantined version is called so.
    #[error("\"{asked}\" does not name one quarantined version; {}", one_of("there is", "there is none", .known))]
    NotOut {
        /// What was asked.
        asked: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A moment that cannot be read.
    #[error(
        "\"{text}\" is no moment: give a day (2026-01-31), a moment (2026-01-31T08:00:00Z), or how long ago (90m, 24h, 7d, 2w)"
    )]
    When {
        /// What was given.
        text: String,
    },
}

fn one_of(some: &str, none: &str, known: &[String]) -> String {
    match known {
        [] => none.to_owned(),
        known => format!("{some} {}", known.join(", ")),
    }
}

fn in_words(choices: &[Choice]) -> String {
    let words = choices
        .iter()
        .map(|one| format!("\"{}\" ({})", one.choice, one.means));
    words.collect::<Vec<_>>().join(", ")
}
