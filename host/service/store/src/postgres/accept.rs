//! Accepting the events of several callers in one transaction: what is there, what follows from it, what is written.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use deadpool_postgres::Transaction;

use super::fault::Fault;
use super::lanes::{self, row, rows, run};
use crate::{Accepted, AcceptedEvent, CursorAdvance, LaneId, Millis, RecordKey, StoreError};

/// What one caller brings.
pub(super) struct Call {
    pub(super) events: Vec<AcceptedEvent>,
    pub(super) cursor: Option<CursorAdvance>,
}

/// What each caller is told.
pub(super) type Answers = Vec<Result<Vec<Accepted>, StoreError>>;

/// A record of a connection.
type Key<'a> = (&'a str, &'a RecordKey);

/// Room for bells that wait.
#[derive(Clone, Copy)]
pub(super) struct Room {
    pub(super) waiting: i64,
    pub(super) max: i64,
}

/// All calls in one transaction, each whole or not at all (I1, I10). Also returns how many bells wait now that did not before.
pub(super) async fn accept(
    sql: &Transaction<'_>,
    given: Option<Millis>,
    calls: &[Call],
    room: Room,
) -> Result<(Answers, i64), Fault> {
    let known = look(sql, given, calls).await?;
    let plan = Plan::of(calls, &known, room);
    let lanes = plan.write(sql, known.now).await?;
    let told = plan
        .answers
        .into_iter()
        .map(|answer| {
            answer.map(|events| {
                let place = |place: Option<Place>| match place {
                    Some(place) => Accepted::Rung(LaneId(lanes.number(place))),
                    None => Accepted::Duplicate,
                };
                events.into_iter().map(place).collect()
            })
        })
        .collect();
    Ok((told, plan.newly_waiting))
}

/// Everything that decides what becomes of the events, read under the locks of their lanes.
#[derive(Default)]
struct Known<'a> {
    now: Millis,
    members: HashMap<Key<'a>, i64>,
    /// Whom a caller means by a lane.
    elders: HashMap<(&'a str, i64), Option<i64>>,
    /// Lanes that have made something of their records: a link, an intent or a run in flight is not undone from outside (S13).
    busy: HashSet<(String, i64)>,
    seen: HashSet<(&'a str, &'a str)>,
    /// Records whose bells wait already.
    waiting: HashSet<Key<'a>>,
}

/// Locks the lanes that are concerned, and looks.
async fn look<'a>(
    sql: &Transaction<'_>,
    given: Option<Millis>,
    calls: &'a [Call],
) -> Result<Known<'a>, Fault> {
    let mut known = Known::default();
    let mut keys = BTreeSet::<Key<'a>>::new();
    let mut dedupes = BTreeSet::new();
    for event in calls.iter().flat_map(|call| &call.events) {
        keys.insert((&event.connection, &event.record));
        dedupes.extend(
            event
                .dedupe
                .iter()
                .map(|key| (event.connection.as_str(), key.as_str())),
        );
        if let Some(LaneId(lane)) = event.lane
            && !known
                .elders
                .contains_key(&(event.connection.as_str(), lane))
        {
            let elder = lanes::elder(sql, &event.connection, LaneId(lane)).await?;
            known
                .elders
                .insert((&event.connection, lane), elder.map(|elder| elder.0));
        }
    }
    let keys: Vec<Key<'a>> = keys.into_iter().collect();
    let columns = Columns::of(&keys);
    let wanted: BTreeSet<(&str, i64)> = known
        .elders
        .iter()
        .filter_map(|((connection, _), elder)| Some((*connection, (*elder)?)))
        .collect();
    let wanted: (Vec<&str>, Vec<i64>) = wanted.into_iter().unzip();
    let locked = rows(
        sql,
        "SELECT lane.connection, lane.lane FROM lane
         WHERE (lane.connection, lane.lane) IN (
             SELECT member.connection, member.lane
             FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS key (connection, side, kind, record)
             JOIN member ON member.connection = key.connection AND member.side = key.side AND member.kind = key.kind
                 AND member.record = key.record
             UNION SELECT wanted.connection, wanted.lane FROM unnest($5::text[], $6::bigint[]) AS wanted (connection, lane))
         ORDER BY lane.connection, lane.lane FOR UPDATE OF lane",
        &[
            &columns.connections,
            &columns.sides,
            &columns.kinds,
            &columns.records,
            &wanted.0,
            &wanted.1,
        ],
    )
    .await?;
    let (locked_of, locked_lanes): (Vec<String>, Vec<i64>) = locked
        .iter()
        .map(|row| (row.get::<_, String>(0), row.get::<_, i64>(1)))
        .unzip();
    let (dedupes_of, dedupe_keys): (Vec<&str>, Vec<&str>) = dedupes.iter().copied().unzip();

    // Asked together: the questions travel one behind the other and wait for one answer's time.
    let key_params: [lanes::Param<'_>; 4] = [
        &columns.connections,
        &columns.sides,
        &columns.kinds,
        &columns.records,
    ];
    let now_params: [lanes::Param<'_>; 1] = [&given];
    let lane_params: [lanes::Param<'_>; 2] = [&locked_of, &locked_lanes];
    let dedupe_params: [lanes::Param<'_>; 2] = [&dedupes_of, &dedupe_keys];
    let (now, records, states, seen) = tokio::try_join!(
        row(
            sql,
            concat!("SELECT coalesce($1::bigint, ", database_now!(), ")"),
            &now_params,
        ),
        rows(
            sql,
            "SELECT key.place, member.lane, coalesce(bell.rung > bell.answered, FALSE)
             FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
                 WITH ORDINALITY AS key (connection, side, kind, record, place)
             JOIN member ON member.connection = key.connection AND member.side = key.side AND member.kind = key.kind
                 AND member.record = key.record
             LEFT JOIN bell ON bell.connection = key.connection AND bell.side = key.side AND bell.kind = key.kind
                 AND bell.record = key.record",
            &key_params,
        ),
        rows(
            sql,
            "SELECT lane.connection, lane.lane, lane.retired_into IS NOT NULL, lane.lease_until IS NOT NULL
                 OR EXISTS (SELECT 1 FROM intent WHERE intent.connection = lane.connection AND intent.lane = lane.lane)
                 OR EXISTS (SELECT 1 FROM link WHERE link.connection = lane.connection AND link.lane = lane.lane)
             FROM unnest($1::text[], $2::bigint[]) AS locked (connection, lane)
             JOIN lane ON lane.connection = locked.connection AND lane.lane = locked.lane",
            &lane_params,
        ),
        rows(
            sql,
            "SELECT key.place FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS key (connection, dedupe, place)
             JOIN event ON event.connection = key.connection AND event.dedupe = key.dedupe",
            &dedupe_params,
        ),
    )?;
    known.now = now.map_or(0, |row| row.get(0));
    let locked: HashSet<(&str, i64)> = locked_of
        .iter()
        .map(String::as_str)
        .zip(locked_lanes.iter().copied())
        .collect();
    for row in &records {
        let Some(key) = place(row.get(0)).and_then(|place| keys.get(place)) else {
            continue;
        };
        let lane = row.get(1);
        if !locked.contains(&(key.0, lane)) {
            return Err(Fault::overtaken("a record moved to another lane meanwhile"));
        }
        known.members.insert(*key, lane);
        if row.get(2) {
            known.waiting.insert(*key);
        }
    }
    for row in &states {
        if row.get(2) {
            return Err(Fault::overtaken("a lane retired meanwhile"));
        }
        if row.get(3) {
            known.busy.insert((row.get(0), row.get(1)));
        }
    }
    let dedupes: Vec<_> = dedupes.into_iter().collect();
    known.seen = seen
        .iter()
        .filter_map(|row| dedupes.get(place(row.get(0))?).copied())
        .collect();
    Ok(known)
}

/// Where a row stands that SQL counts from one.
fn place(ordinality: i64) -> Option<usize> {
    usize::try_from(ordinality).ok()?.checked_sub(1)
}

/// Keys as arrays.
struct Columns<'a> {
    connections: Vec<&'a str>,
    sides: Vec<&'a str>,
    kinds: Vec<&'a str>,
    records: Vec<&'a str>,
}

impl<'a> Columns<'a> {
    fn of(keys: &[Key<'a>]) -> Self {
        let column = |of: fn(&Key<'a>) -> &'a str| keys.iter().map(of).collect();
        Self {
            connections: column(|key| key.0),
            sides: column(|key| &key.1.side),
            kinds: column(|key| &key.1.kind),
            records: column(|key| &key.1.id),
        }
    }
}

/// A lane that is there, or the n-th that is to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    There(i64),
    New(usize),
}

/// What is to be written, and what is to be told. A function of what was there.
struct Plan<'a> {
    /// Per call and event; none is a duplicate.
    answers: Vec<Result<Vec<Option<Place>>, StoreError>>,
    rings: Vec<Ring<'a>>,
    /// Whose they are.
    new_lanes: Vec<&'a str>,
    joins: BTreeMap<Key<'a>, Place>,
    moves: BTreeMap<Key<'a>, i64>,
    due: BTreeSet<(&'a str, Place)>,
    cursors: BTreeMap<(&'a str, &'a str), &'a str>,
    newly_waiting: i64,
}

impl<'a> Plan<'a> {
    /// One event after the other, as SQLite's writer takes them.
    fn of(calls: &'a [Call], known: &Known<'a>, room: Room) -> Self {
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

    async fn write(&self, sql: &Transaction<'_>, now: Millis) -> Result<Lanes, Fault> {
        let lanes = self.make_lanes(sql, now).await?;
        self.join_lanes(sql, &lanes).await?;
        ring(sql, now, &self.rings).await?;
        let (of, due): (Vec<&str>, Vec<i64>) = self
            .due
            .iter()
            .map(|(connection, place)| (*connection, lanes.number(*place)))
            .unzip();
        if !due.is_empty() {
            run(
                sql,
                "UPDATE lane SET due_at = $3 FROM unnest($1::text[], $2::bigint[]) AS rung (connection, lane)
                 WHERE lane.connection = rung.connection AND lane.lane = rung.lane
                   AND lane.state <> 'retired' AND lane.lease_until IS NULL AND (lane.due_at IS NULL OR lane.due_at > $3)",
                &[&of, &due, &now],
            )
            .await?;
        }
        for ((connection, stream), value) in &self.cursors {
            run(
                sql,
                "INSERT INTO cursor (connection, stream, value, at) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (connection, stream) DO UPDATE SET value = excluded.value, at = excluded.at",
                &[connection, stream, value, &now],
            )
            .await?;
        }
        Ok(lanes)
    }

    /// New lanes, numbered in the order of their events, at rest until their bells make them due.
    async fn make_lanes(&self, sql: &Transaction<'_>, now: Millis) -> Result<Lanes, Fault> {
        let mut made = vec![0; self.new_lanes.len()];
        let whose: BTreeSet<&str> = self.new_lanes.iter().copied().collect();
        for connection in whose {
            let places = self.new_lanes.iter().zip(&mut made);
            let mut theirs: Vec<_> = places
                .filter(|(whose, _)| **whose == connection)
                .map(|(_, number)| number)
                .collect();
            let count = i64::try_from(theirs.len()).unwrap_or(i64::MAX);
            let last = lanes::numbers(sql, connection, "lane", count).await?;
            for (number, place) in (last - count + 1..).zip(&mut theirs) {
                **place = number;
            }
        }
        if !made.is_empty() {
            run(
                sql,
                "INSERT INTO lane (connection, lane, state, fence, attempts, born, audited)
                 SELECT new.connection, new.lane, 'settled', 0, 0, $3, 0 FROM unnest($1::text[], $2::bigint[]) AS new (connection, lane)",
                &[&self.new_lanes, &made, &now],
            )
            .await?;
        }
        Ok(Lanes { made })
    }

    async fn join_lanes(&self, sql: &Transaction<'_>, lanes: &Lanes) -> Result<(), Fault> {
        if !self.joins.is_empty() {
            let keys: Vec<Key<'_>> = self.joins.keys().copied().collect();
            let numbers: Vec<i64> = self
                .joins
                .values()
                .map(|place| lanes.number(*place))
                .collect();
            if join(sql, &keys, &numbers).await? != numbers.len() as u64 {
                return Err(Fault::overtaken("a record became known meanwhile"));
            }
        }
        if !self.moves.is_empty() {
            let keys: Vec<Key<'_>> = self.moves.keys().copied().collect();
            let columns = Columns::of(&keys);
            let numbers: Vec<i64> = self.moves.values().copied().collect();
            run(
                sql,
                "UPDATE member SET lane = moved.lane
                 FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[])
                     AS moved (connection, side, kind, record, lane)
                 WHERE member.connection = moved.connection AND member.side = moved.side AND member.kind = moved.kind
                   AND member.record = moved.record",
                &[
                    &columns.connections,
                    &columns.sides,
                    &columns.kinds,
                    &columns.records,
                    &numbers,
                ],
            )
            .await?;
        }
        Ok(())
    }
}

/// Numbers of the lanes that were made.
struct Lanes {
    made: Vec<i64>,
}

impl Lanes {
    fn number(&self, place: Place) -> i64 {
        match place {
            Place::There(lane) => lane,
            Place::New(place) => self.made[place],
        }
    }
}

/// Makes records that belong to no lane members of these, and says of how many that was still true.
pub(super) async fn join(
    sql: &Transaction<'_>,
    keys: &[Key<'_>],
    lanes: &[i64],
) -> Result<u64, Fault> {
    let columns = Columns::of(keys);
    run(
        sql,
        "INSERT INTO member (connection, side, kind, record, lane)
         SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[])
         ON CONFLICT (connection, side, kind, record) DO NOTHING",
        &[
            &columns.connections,
            &columns.sides,
            &columns.kinds,
            &columns.records,
            &lanes,
        ],
    )
    .await
}

/// One ring of one record's bell.
pub(super) struct Ring<'a> {
    pub(super) connection: &'a str,
    pub(super) record: &'a RecordKey,
    pub(super) cause: &'a str,
    pub(super) dedupe: Option<&'a str>,
}

/// Counts the rings and keeps the events. The records' lanes are locked.
pub(super) async fn ring(
    sql: &Transaction<'_>,
    now: Millis,
    rings: &[Ring<'_>],
) -> Result<(), Fault> {
    if rings.is_empty() {
        return Ok(());
    }
    // Per record: how often, and the last cause.
    let mut bells = BTreeMap::<Key<'_>, (i64, &str)>::new();
    for ring in rings {
        let bell = bells
            .entry((ring.connection, ring.record))
            .or_insert((0, ring.cause));
        *bell = (bell.0 + 1, ring.cause);
    }
    let keys: Vec<Key<'_>> = bells.keys().copied().collect();
    let columns = Columns::of(&keys);
    let (counts, causes): (Vec<i64>, Vec<&str>) = bells.values().copied().unzip();
    let rung = rows(
        sql,
        "INSERT INTO bell (connection, side, kind, record, rung, answered, cause, since)
         SELECT ring.connection, ring.side, ring.kind, ring.record, ring.count, 0, ring.cause, $7
         FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[])
             AS ring (connection, side, kind, record, count, cause)
         ON CONFLICT (connection, side, kind, record) DO UPDATE SET
             rung = bell.rung + excluded.rung,
             cause = excluded.cause,
             since = CASE WHEN bell.rung > bell.answered THEN bell.since ELSE excluded.since END
         RETURNING connection, side, kind, record, rung",
        &[
            &columns.connections,
            &columns.sides,
            &columns.kinds,
            &columns.records,
            &counts,
            &causes,
            &now,
        ],
    )
    .await?;
    let mut next: HashMap<(String, RecordKey), i64> = rung
        .iter()
        .map(|row| {
            let record = RecordKey {
                side: row.get(1),
                kind: row.get(2),
                id: row.get(3),
            };
            ((row.get(0), record), row.get(4))
        })
        .collect();
    for (key, (count, _)) in &bells {
        if let Some(number) = next.get_mut(&(key.0.to_owned(), key.1.clone())) {
            *number -= count;
        }
    }
    let keys: Vec<Key<'_>> = rings
        .iter()
        .map(|ring| (ring.connection, ring.record))
        .collect();
    let numbers: Vec<i64> = keys
        .iter()
        .map(|key| {
            let number = next.get_mut(&(key.0.to_owned(), key.1.clone()));
            number.map_or(0, |number| {
                *number += 1;
                *number
            })
        })
        .collect();
    let columns = Columns::of(&keys);
    let causes: Vec<&str> = rings.iter().map(|ring| ring.cause).collect();
    let dedupes: Vec<Option<&str>> = rings.iter().map(|ring| ring.dedupe).collect();
    run(
        sql,
        "INSERT INTO event (connection, side, kind, record, ring, cause, dedupe, at)
         SELECT connection, side, kind, record, ring, cause, dedupe, $8
         FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[])
             AS rung (connection, side, kind, record, ring, cause, dedupe)",
        &[
            &columns.connections,
            &columns.sides,
            &columns.kinds,
            &columns.records,
            &numbers,
            &causes,
            &dedupes,
            &now,
        ],
    )
    .await
    .map(drop)
}
