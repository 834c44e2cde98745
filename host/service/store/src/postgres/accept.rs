//! Accepting the events of several callers in one transaction: what is there, what follows from it, what is written.

use std::collections::{BTreeSet, HashSet};

use deadpool_postgres::Transaction;

use super::fault::Fault;
use super::lanes::{self, row, rows, run};
use super::plan::{Call, Known, Place, Plan, Room};
use super::rings::{Columns, Key, join, ring};
use crate::{Accepted, LaneId, Millis, StoreError};

/// What each caller is told.
pub(super) type Answers = Vec<Result<Vec<Accepted>, StoreError>>;

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

impl Plan<'_> {
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
