//! What becomes of events: a function of what was there. One event after the other, as SQLite's writer takes them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::rings::{Key, Ring};
use crate::{AcceptedEvent, CursorAdvance, Millis, StoreError};

/// What one caller brings.
pub(super) struct Call {
    pub(super) events: Vec<AcceptedEvent>,
    pub(super) cursor: Option<CursorAdvance>,
}

/// Room for bells that wait.
#[derive(Clone, Copy)]
pub(super) struct Room {
    pub(super) waiting: i64,
    pub(super) max: i64,
}

/// Everything that decides what becomes of the events, read under the locks of their lanes.
#[derive(Default)]
pub(super) struct Known<'a> {
    pub(super) now: Millis,
    pub(super) members: HashMap<Key<'a>, i64>,
    /// Whom a caller means by a lane.
    pub(super) elders: HashMap<(&'a str, i64), Option<i64>>,
    /// Lanes that have made something of their records: a link, an intent or a run in flight is not undone from outside (S13).
    pub(super) busy: HashSet<(String, i64)>,
    pub(super) seen: HashSet<(&'a str, &'a str)>,
    /// Records whose bells wait already.
    pub(super) waiting: HashSet<Key<'a>>,
}

/// A lane that is there, or the n-th that is to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    There(i64),
    New(usize),
}

/// What is to be written, and what is to be told. A function of what was there.
pub(super) struct Plan<'a> {
    /// Per call and event; none is a duplicate.
    pub(super) answers: Vec<Result<Vec<Option<Place>>, StoreError>>,
    pub(super) rings: Vec<Ring<'a>>,
    /// Whose they are.
    pub(super) new_lanes: Vec<&'a str>,
    pub(super) joins: BTreeMap<Key<'a>, Place>,
    pub(super) moves: BTreeMap<Key<'a>, i64>,
    pub(super) due: BTreeSet<(&'a str, Place)>,
    pub(super) cursors: BTreeMap<(&'a str, &'a str), &'a str>,
    pub(super) newly_waiting: i64,
}

impl<'a> Plan<'a> {
    /// One event after the other, as SQLite's writer takes them.
    pub(super) fn of(calls: &'a [Call], known: &Known<'a>, room: Room) -> Self {
        let mut plan = Self {
            answers: Vec::with_capacity(calls.len()),
            rings: Vec::new(),
            new_lanes: Vec::new(),
            joins: BTreeMap::new(),
            moves: BTreeMap::new(),
            due: BTreeSet::new(),
            cursors: BTreeMap::new(),
            newly_waiting: 0,
        };
        let (mut seen, mut waiting) = (known.seen.clone(), known.waiting.clone());
        for call in calls {
            // Looked at as a whole first: what is refused must leave nothing behind.
            let (mut news, mut ringing) = (HashSet::new(), HashSet::new());
            for event in &call.events {
                if event.dedupe.as_deref().is_none_or(|dedupe| {
                    let key = (event.connection.as_str(), dedupe);
                    !seen.contains(&key) && news.insert(key)
                }) {
                    let key = (event.connection.as_str(), &event.record);
                    if !waiting.contains(&key) {
                        ringing.insert(key);
                    }
                }
            }
            let newly = i64::try_from(ringing.len()).unwrap_or(i64::MAX);
            if newly > 0 && room.waiting + plan.newly_waiting + newly > room.max {
                plan.answers.push(Err(StoreError::Full {
                    what: format!("{} bells wait for an answer", room.max),
                }));
                continue;
            }
            plan.newly_waiting += newly;
            waiting.extend(ringing);
            let answers = call
                .events
                .iter()
                .map(|event| {
                    let connection = event.connection.as_str();
                    if let Some(dedupe) = event.dedupe.as_deref()
                        && !seen.insert((connection, dedupe))
                    {
                        return None;
                    }
                    let place = plan.place(event, known);
                    plan.rings.push(Ring {
                        connection,
                        record: &event.record,
                        cause: &event.cause,
                        dedupe: event.dedupe.as_deref(),
                    });
                    plan.due.insert((connection, place));
                    Some(place)
                })
                .collect();
            plan.answers.push(Ok(answers));
            if let Some(cursor) = &call.cursor {
                let stream = (cursor.connection.as_str(), cursor.stream.as_str());
                plan.cursors.insert(stream, &cursor.value);
            }
        }
        plan
    }

    /// The lane in which the event's bell hangs: the member table's, the caller's, or a new one.
    fn place(&mut self, event: &'a AcceptedEvent, known: &Known<'a>) -> Place {
        let connection = event.connection.as_str();
        let key = (connection, &event.record);
        let before = self.joins.get(&key).copied().or_else(|| {
            let moved = self.moves.get(&key).or_else(|| known.members.get(&key));
            moved.copied().map(Place::There)
        });
        let wanted = event
            .lane
            .and_then(|lane| *known.elders.get(&(connection, lane.0))?);
        match (before, wanted) {
            (Some(before), None) => before,
            (Some(before), Some(wanted)) => {
                // The caller knows better, unless the lane has made something of the record already.
                let stays = match before {
                    Place::There(lane) => {
                        lane == wanted || known.busy.contains(&(connection.to_owned(), lane))
                    }
                    Place::New(_) => false,
                };
                if stays {
                    return before;
                }
                let wanted_place = Place::There(wanted);
                match self.joins.get_mut(&key) {
                    Some(join) => *join = wanted_place,
                    None => {
                        self.moves.insert(key, wanted);
                    }
                }
                wanted_place
            }
            (None, wanted) => {
                let place = wanted.map_or_else(
                    || {
                        self.new_lanes.push(connection);
                        Place::New(self.new_lanes.len() - 1)
                    },
                    Place::There,
                );
                self.joins.insert(key, place);
                place
            }
        }
    }
}
