//! Records that join a lane, and bells that ring: many in one statement.

use std::collections::{BTreeMap, HashMap};

use deadpool_postgres::Transaction;

use super::fault::Fault;
use super::lanes::{rows, run};
use crate::bell::RETIRED;
use crate::bell::counts;
use crate::{FULL_COMPARE, Millis, PERSON, PLUGINS_CHANGED, RecordKey};

/// A record of a connection.
pub(super) type Key<'a> = (&'a str, &'a RecordKey);

/// Keys as arrays.
pub(super) struct Columns<'a> {
    pub(super) connections: Vec<&'a str>,
    pub(super) sides: Vec<&'a str>,
    pub(super) kinds: Vec<&'a str>,
    pub(super) records: Vec<&'a str>,
}

impl<'a> Columns<'a> {
    pub(super) fn of(keys: &[Key<'a>]) -> Self {
        let column = |of: fn(&Key<'a>) -> &'a str| keys.iter().map(of).collect();
        Self {
            connections: column(|key| key.0),
            sides: column(|key| &key.1.side),
            kinds: column(|key| &key.1.kind),
            records: column(|key| &key.1.id),
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
    // Per record: how often, and the cause that counts.
    let mut bells = BTreeMap::<Key<'_>, (i64, &str)>::new();
    for ring in rings {
        let bell = bells
            .entry((ring.connection, ring.record))
            .or_insert((0, ring.cause));
        *bell = (bell.0 + 1, counts(bell.1, ring.cause));
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
             cause = CASE WHEN bell.rung > bell.answered AND (bell.cause = $8 OR excluded.cause IN ($9, $10, $11))
                 THEN bell.cause ELSE excluded.cause END,
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
            &PERSON,
            &FULL_COMPARE,
            &PLUGINS_CHANGED,
            &RETIRED,
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
