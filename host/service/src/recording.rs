//! What a run saw, so that the same can be asked again: every record that it read, what plugins were asked and what they answered, and what it
//! remembered of the deal when it began to look. With the set of plugins that served then, the line up to act is a function of exactly this.
//!
//! It holds names, mails and phones, so it is kept sealed, for a short while, and only when the operator has switched it on.

mod form;
mod shown;
mod state;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cosell_store::{Keep, LaneId, LaneState, Millis, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;
use tracing::{debug, info, warn};

use crate::desk::Desk;
use crate::seal::{Place, Purpose, SealError};

pub(crate) use form::{Asked, found, found_back, reference, reference_back, row, row_back};
pub(crate) use form::{cell_json, condition_json};

/// The shape of a recording. A host reads its own and no newer one.
pub const VERSION: u32 = 1;
/// Member by which a file is known as a recording.
pub const KIND: &str = "cosell-recording";
/// Largest one that is kept: a deal with hundreds of solutions has less.
const BYTES_MAX: usize = 1024 * 1024;
/// How often old ones are dropped.
const EXPIRE_EVERY: Duration = Duration::from_secs(60);

/// What one run saw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    /// [`VERSION`].
    #[serde(rename = "cosell-recording")]
    pub version: u32,
    /// True: names and ids are stand-ins.
    #[serde(default)]
    pub pseudonymised: bool,
    /// When it was seen, milliseconds since 1970: the clock that plugins were shown.
    pub at: Millis,
    /// The connection.
    pub connection: String,
    /// The deal.
    pub lane: i64,
    /// BCP 47 tag that plugins were told.
    pub language: String,
    /// SHA-256 of the set that was asked, hex.
    pub set: String,
    /// The set: id, version and the beginning of the hash, as speakers are called.
    pub plugins: Vec<String>,
    /// What was remembered of the deal when the look began; JSON that only this module reads.
    pub state: Value,
    /// What was read, in order.
    pub reads: Vec<Read>,
    /// What plugins were asked, and answered, in order.
    pub answers: Vec<Heard>,
    /// How the run ended: `settled`, `parked`, …
    pub ended: String,
}

/// One thing that was read of one of the two sides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Read {
    /// What was asked of the side.
    pub asked: Value,
    /// What it answered; null where it shows no such record.
    pub answer: Value,
}

/// One question to the set, and its answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Heard {
    /// `opportunity.to-deal`
    pub asked: String,
    /// The answer; none when a plugin stopped.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub answer: Value,
    /// Why there is none: which plugin, in which question, and what it said.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub stop: Value,
}

/// What a run has noted of its last look.
#[derive(Debug, Clone, Default)]
pub(crate) struct Noted {
    pub(crate) state: Value,
    pub(crate) reads: Vec<Read>,
    pub(crate) answers: Vec<Heard>,
    pub(crate) is_closed: bool,
}

/// How recordings are kept, when they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keeping {
    /// How many of a deal, and how long.
    pub keep: Keep,
    /// Of all deals.
    pub bytes_max: u64,
}

/// A recording that a run is played from.
#[derive(Debug)]
pub(crate) struct Played {
    reads: BTreeMap<String, Value>,
    /// Stand-ins do not survive what a plugin makes of a text: a query that asks the same columns is the same there.
    loosely: bool,
    /// The moment that plugins are shown; None: now.
    pub(crate) at: Option<Millis>,
    pub(crate) language: String,
}

/// Why a recording cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It cannot be opened.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// It is no recording, or one of another cosell.
    #[error("{0}")]
    Shape(String),
}

impl Recording {
    /// Reads a file.
    ///
    /// # Errors
    /// [`RecordingError::Shape`].
    pub fn parse(text: &str) -> Result<Self, RecordingError> {
        let value: Value = serde_json::from_str(text)
            .map_err(|error| RecordingError::Shape(format!("it is not JSON: {error}")))?;
        match value[KIND].as_u64() {
            None => {
                return Err(RecordingError::Shape(format!(
                    "it is no recording: `cosell plugin record` writes one, with a member \"{KIND}\""
                )));
            }
            Some(version) if version > u64::from(VERSION) => {
                return Err(RecordingError::Shape(format!(
                    "it has version {version}, and this cosell reads version {VERSION}: install the cosell that wrote it"
                )));
            }
            Some(_) => {}
        }
        serde_json::from_value(value)
            .map_err(|error| RecordingError::Shape(format!("it is damaged: {error}")))
    }

    /// What a run would begin with.
    #[must_use]
    pub fn lane_state(&self) -> LaneState {
        state::back(&self.state)
    }

    /// To be played. `then`: plugins are shown the moment of then, else that of now.
    pub(crate) fn play(&self, then: bool) -> Arc<Played> {
        let reads = self.reads.iter();
        Arc::new(Played {
            reads: reads
                .map(|read| (read.asked.to_string(), read.answer.clone()))
                .collect(),
            loosely: self.pseudonymised,
            at: then.then_some(self.at),
            language: self.language.clone(),
        })
    }

    /// Names its content: what was seen and answered, however often and whenever.
    fn content(&self) -> Vec<u8> {
        let mut state = self.state.clone();
        if let Some(state) = state.as_object_mut() {
            // Counters of bells grow with every look.
            state.remove("bells");
        }
        let content = (&self.set, &state, &self.reads, &self.answers, &self.ended);
        serde_json::to_vec(&content).unwrap_or_default()
    }
}

impl Played {
    /// What a side answered to this. None: it was not asked.
    pub(crate) fn answer(&self, asked: &Asked<'_>) -> Option<Value> {
        if let Some(found) = self.reads.get(&asked.to_json().to_string()) {
            return Some(found.clone());
        }
        let alike = |(known, _): &(&String, &Value)| {
            let known: Value = serde_json::from_str(known).unwrap_or_default();
            asked.is_like(&known)
        };
        let mut alike = self.reads.iter().filter(|_| self.loosely).filter(alike);
        match (alike.next(), alike.next()) {
            (Some((_, answer)), None) => Some(answer.clone()),
            _ => None,
        }
    }
}

/// The state of a run for a recording.
pub(crate) fn remembered(state: &LaneState) -> Value {
    state::there(state)
}

/// Keeps what a run has noted. Best effort: a recording is worth no run.
pub(crate) async fn keep(desk: &Desk, lane: LaneId, recording: Recording) {
    let Some(keeping) = desk.recordings else {
        return;
    };
    let (Some(content), Ok(plain)) = (
        desk.seal.name_of(&recording.content()),
        serde_json::to_vec(&recording),
    ) else {
        return;
    };
    if plain.len() > BYTES_MAX {
        debug!(
            bytes = plain.len(),
            "what the run saw is too large for a recording"
        );
        return;
    }
    let Some(sealed) = desk
        .seal
        .seal(place(&recording.connection, &content), &plain)
    else {
        return;
    };
    let kept = cosell_store::Recording {
        connection: recording.connection.clone(),
        lane,
        content,
        body: sealed.into_bytes(),
        at: 0,
    };
    if let Err(error) = desk.store.record(kept, keeping.keep).await {
        warn!(error = %error, "what the run saw could not be kept for replay");
    }
}

/// The recordings of a deal, the latest first.
pub(crate) async fn of_deal(
    desk: &Desk,
    connection: &str,
    lane: LaneId,
) -> Result<Vec<Recording>, RecordingError> {
    let kept = desk.store.recordings(connection, lane).await?;
    kept.iter()
        .map(|kept| {
            let mut recording = opened(&desk.seal, kept)?;
            // The same again is the same row, seen later.
            recording.at = recording.at.max(kept.at);
            Ok(recording)
        })
        .collect()
}

fn opened(
    seal: &crate::seal::Seal,
    kept: &cosell_store::Recording,
) -> Result<Recording, RecordingError> {
    let sealed = std::str::from_utf8(&kept.body).unwrap_or_default();
    let plain = seal.open(place(&kept.connection, &kept.content), sealed)?;
    Recording::parse(&String::from_utf8_lossy(&plain))
}

/// Where a recording is sealed.
pub(crate) const fn place<'a>(connection: &'a str, content: &'a str) -> Place<'a> {
    Place {
        connection,
        purpose: Purpose::Recording,
        name: content,
    }
}

/// Drops what is too old or too much, until `stop`.
pub(crate) async fn expire(desk: Arc<Desk>, mut stop: watch::Receiver<bool>) {
    // Where recordings were switched off, those of before stay for the time that was promised.
    let bytes_max = desk
        .recordings
        .map_or(u64::MAX, |keeping| keeping.bytes_max);
    let mut timer = tokio::time::interval(EXPIRE_EVERY);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while !*stop.borrow() {
        tokio::select! {
            _ = stop.changed() => continue,
            _ = timer.tick() => {}
        }
        match desk.store.expire_recordings(bytes_max).await {
            Ok(0) => {}
            Ok(gone) => info!(recordings = gone, "dropped recordings whose time was over"),
            Err(error) => {
                warn!(error = %error, "old recordings could not be dropped; trying again");
            }
        }
    }
}
