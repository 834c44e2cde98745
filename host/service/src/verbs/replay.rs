//! `cosell plugin replay` and `record`: what a run saw, asked again; and as a file for the author of a plugin.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use cosell_plugins::PluginSet;
use cosell_store::LaneId;
use serde::Serialize;
use serde_json::{Map, Value};

use super::diff::{Judged, judge_two};
use super::find::find;
use super::plan::plan_recorded;
use super::{Archive, DealKey, Moment, SetDiff, VerbError};
use crate::desk::Desk;
use crate::personal::pseudonymised;
use crate::pipeline::{Preview, Run, preview, refused};
use crate::recording::{self, Heard, Recording, RecordingError};
use crate::trouble::Trouble;

/// The same questions, asked again.
#[derive(Debug, Clone, Serialize)]
pub struct Replay {
    /// The connection.
    pub connection: String,
    /// The deal's lane.
    pub lane: i64,
    /// When it was recorded: plugins are shown this moment again.
    pub recorded: Moment,
    /// The set that answered then.
    pub set_then: String,
    /// The set that is asked now.
    pub set_now: String,
    /// The plugins of then: id, version and the beginning of the hash.
    pub plugins_then: Vec<String>,
    /// How the run ended then.
    pub ended_then: String,
    /// What is asked now, in order, and what has changed in the answers.
    pub answers: Vec<Replayed>,
    /// Questions of then that are not asked any more.
    pub no_longer_asked: Vec<Heard>,
    /// What would be done now about the deal as it was then.
    pub would: Preview,
    /// What is asked now and was not then, and so is not known: the replay ends there.
    pub unrecorded: Option<String>,
}

/// One question.
#[derive(Debug, Clone, Serialize)]
pub struct Replayed {
    /// The question, and the answer of now.
    #[serde(flatten)]
    pub now: Heard,
    /// It was asked then.
    pub was_asked: bool,
    /// Where the answer is another one, by path; whose word it is counts for nothing.
    pub differs: Vec<Difference>,
}

/// One place of an answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// `units.value.parts`, `cells.estimatedvalue.cell`
    pub place: String,
    /// What stood there then; null: nothing.
    pub then: Value,
    /// What stands there now; null: nothing.
    pub now: Value,
}

impl Replay {
    /// Every question is asked and answered as then.
    #[must_use]
    pub fn is_same(&self) -> bool {
        let is_same = |one: &Replayed| one.was_asked && one.differs.is_empty();
        self.unrecorded.is_none()
            && self.no_longer_asked.is_empty()
            && self.answers.iter().all(is_same)
    }
}

/// The latest recording of a deal.
///
/// # Errors
/// [`VerbError::NoDeal`] and its kin; [`VerbError::NoRecording`]; [`VerbError::Recording`].
pub async fn recorded(
    desk: &Desk,
    connection: Option<&str>,
    asked: &str,
) -> Result<Recording, VerbError> {
    let archive = Archive::of(desk, connection)?;
    let DealKey { connection, lane } = find(&archive, asked).await?;
    let found = recording::of_deal(desk, &connection, LaneId(lane)).await?;
    found.into_iter().next().ok_or(VerbError::NoRecording {
        lane,
        hint: match desk.recordings {
            Some(_) => {
                "it has not run since recordings are on, or its recordings have expired: `cosell retry` runs it again"
            }
            None => {
                "recordings are off: switch them on with [recordings] enabled = true, and let it run again with `cosell retry`"
            }
        },
    })
}

/// A recording that was exported.
///
/// # Errors
/// [`VerbError::Recording`].
pub fn read_recording(path: &Path) -> Result<Recording, VerbError> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        RecordingError::Shape(format!("{} cannot be read: {error}", path.display()))
    })?;
    Ok(Recording::parse(&text)?)
}

/// For the author of a plugin: the latest recording of a deal, with stand-ins for names and ids.
///
/// # Errors
/// As [`recorded`].
pub async fn record(
    desk: &Desk,
    connection: Option<&str>,
    asked: &str,
) -> Result<Recording, VerbError> {
    let found = recorded(desk, connection, asked).await?;
    Ok(pseudonymised(&found, &desk.seal))
}

/// Asks the set that serves, or a candidate, what was asked then: with the records, the memory and the moment of then. Calls neither side and writes
/// nothing.
///
/// # Errors
/// [`VerbError::Store`]; what cannot be asked is in the answer.
pub async fn replay(
    desk: &Desk,
    candidate: Option<Arc<PluginSet>>,
    recording: &Recording,
) -> Result<Replay, VerbError> {
    let connection = known(desk, recording)?;
    let state = recording.lane_state();
    let lane = LaneId(recording.lane);
    let set = candidate.unwrap_or_else(|| desk.set_for(&connection, lane, &state));
    let mut run = Run::preview(desk, &connection, lane, &state)
        .map_err(|trouble| RecordingError::Shape(trouble.to_string()))?
        .with_set(Arc::clone(&set))
        .playing(recording.play(true));
    let (would, unrecorded) = match preview(&mut run).await {
        Ok(preview) => (preview, None),
        Err(trouble @ Trouble::Unrecorded(_)) => {
            (refused(&run, &trouble), Some(trouble.to_string()))
        }
        Err(Trouble::Store(error)) => return Err(error.into()),
        Err(trouble) => (refused(&run, &trouble), None),
    };
    let (answers, no_longer_asked) = compared(&recording.answers, run.heard());
    Ok(Replay {
        connection: recording.connection.clone(),
        lane: recording.lane,
        recorded: Moment(recording.at),
        set_then: recording.set.clone(),
        set_now: set.hash().to_owned(),
        plugins_then: recording.plugins.clone(),
        ended_then: recording.ended.clone(),
        answers,
        // Where the replay breaks off, the rest was not reached.
        no_longer_asked: if unrecorded.is_some() {
            Vec::new()
        } else {
            no_longer_asked
        },
        would,
        unrecorded,
    })
}

/// Plans a recorded deal with each of two sets, as [`diff`](super::diff()) does with deals of now.
///
/// # Errors
/// [`VerbError::Recording`] when one of the sets asks for what was not recorded.
pub async fn diff_recording(
    desk: &Desk,
    serving: &Arc<PluginSet>,
    candidate: &Arc<PluginSet>,
    recording: &Recording,
) -> Result<SetDiff, VerbError> {
    let connection = known(desk, recording)?;
    let state = recording.lane_state();
    let played = recording.play(true);
    let lane = LaneId(recording.lane);
    let now = plan_recorded(desk, serving, &connection, lane, &state, &played).await?;
    let then = plan_recorded(desk, candidate, &connection, lane, &state, &played).await?;
    let judged = match (now, then) {
        (Some(now), Some(then)) => judge_two(now, then, serving, candidate),
        _ => Judged::Same,
    };
    let deal = match judged {
        Judged::Same => None,
        Judged::Differs(deal) => Some(*deal),
        Judged::Unjudged(why) => return Err(RecordingError::Shape(why).into()),
    };
    Ok(SetDiff {
        same: usize::from(deal.is_none()),
        deals: deal.into_iter().collect(),
        unjudged: Vec::new(),
        notices: Vec::new(),
        now: serving.hash().to_owned(),
        then: candidate.hash().to_owned(),
    })
}

/// The recording's connection; a file from elsewhere is read with the policies of the only one that there is.
fn known(desk: &Desk, recording: &Recording) -> Result<String, VerbError> {
    if desk.connections.contains_key(&recording.connection) {
        return Ok(recording.connection.clone());
    }
    let mut all: Vec<_> = desk.connections.values().collect();
    all.sort_by_key(|one| one.place);
    let first = all.first().map(|one| one.id.clone());
    first.ok_or_else(|| RecordingError::Shape("there is no connection".to_owned()).into())
}

/// Each question of now beside the same one of then: the first `opportunity.to-row` beside the first, the second beside the second.
fn compared(then: &[Heard], now: Vec<Heard>) -> (Vec<Replayed>, Vec<Heard>) {
    let mut left: Vec<&Heard> = then.iter().collect();
    let answers = now
        .into_iter()
        .map(|now| {
            let place = left.iter().position(|then| then.asked == now.asked);
            let then = place.map(|place| left.remove(place));
            Replayed {
                was_asked: then.is_some(),
                differs: then.map_or_else(Vec::new, |then| differences(then, &now)),
                now,
            }
        })
        .collect();
    (answers, left.into_iter().cloned().collect())
}

fn differences(then: &Heard, now: &Heard) -> Vec<Difference> {
    let flat = |heard: &Heard| {
        let mut leaves = BTreeMap::new();
        flatten("", &heard.answer, &mut leaves);
        flatten("stop", &heard.stop, &mut leaves);
        leaves
    };
    let (then, now) = (flat(then), flat(now));
    let mut places: Vec<&String> = then.keys().chain(now.keys()).collect();
    places.sort();
    places.dedup();
    let of = |leaves: &BTreeMap<String, Value>, place: &String| {
        leaves.get(place).cloned().unwrap_or_default()
    };
    places
        .into_iter()
        .map(|place| Difference {
            then: of(&then, place),
            now: of(&now, place),
            place: place.clone(),
        })
        .filter(|one| one.then != one.now)
        .collect()
}

/// Members whose difference is none of the mapping: whose word it is, and the places of a broken plugin's code.
const NOT_COMPARED: [&str; 3] = ["by", "trace", "frames"];

fn flatten(place: &str, value: &Value, leaves: &mut BTreeMap<String, Value>) {
    let is_branch = |members: &Map<String, Value>| {
        // A cell and a list of parts are one thing to people.
        !["text", "choice", "money", "reference", "date", "row-where"]
            .iter()
            .any(|kind| members.contains_key(*kind))
    };
    match value {
        Value::Object(members) if is_branch(members) => {
            for (name, value) in members {
                if !NOT_COMPARED.contains(&name.as_str()) {
                    let below = if place.is_empty() {
                        name.clone()
                    } else {
                        format!("{place}.{name}")
                    };
                    flatten(&below, value, leaves);
                }
            }
        }
        Value::Null => {}
        other => drop(leaves.insert(place.to_owned(), other.clone())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn heard(asked: &str, answer: Value) -> Heard {
        Heard {
            asked: asked.into(),
            answer,
            stop: Value::Null,
        }
    }

    #[test]
    fn answers_are_compared_one_by_one_and_whose_word_it_is_counts_for_nothing() {
        let cell = |amount: &str, by: &str| json!({ "cells": { "estimatedvalue": { "cell": { "money": amount, "currency": "EUR" }, "by": by } } });
        let then = [
            heard("opportunity.to-row", cell("1", "acme 1")),
            heard("opportunity.to-row", cell("2", "acme 1")),
            heard("status.to-row", json!({ "statecode": 0 })),
        ];
        let now = vec![
            heard("opportunity.to-row", cell("1", "acme 2")),
            heard("opportunity.to-row", cell("3", "acme 2")),
            heard("decorate.mark", json!({ "mark": "x" })),
        ];
        let (answers, gone) = compared(&then, now);
        assert_eq!(gone, [then[2].clone()]);
        assert!(answers[0].differs.is_empty() && answers[0].was_asked);
        let money = |amount: &str| json!({ "money": amount, "currency": "EUR" });
        let expected = Difference {
            place: "cells.estimatedvalue.cell".into(),
            then: money("2"),
            now: money("3"),
        };
        assert_eq!(answers[1].differs, [expected]);
        assert!(!answers[2].was_asked);
    }

    #[test]
    fn a_trap_is_the_same_when_its_words_are() {
        let trap = |message: &str, frames: &[&str]| Heard {
            asked: "opportunity.to-deal".into(),
            answer: Value::Null,
            stop: json!({ "by": "acme", "fault": { "kind": "trap", "message": message, "frames": frames } }),
        };
        assert_eq!(
            differences(&trap("unreachable", &["a"]), &trap("unreachable", &["b"])),
            []
        );
        let other = differences(&trap("unreachable", &[]), &trap("too deep", &[]));
        assert_eq!(other[0].place, "stop.fault.message");
    }
}
