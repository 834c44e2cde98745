//! Everything that only looks. Each reads one snapshot.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};

use super::{cards, holds, lanes, links, writes};
use crate::writer::Failure;
use crate::{
    Bell, Census, LaneFilter, LaneId, LaneState, LaneSummary, Lease, LinkedReferral, Millis,
    RecordKey, UNHURRIED,
};

/// What a lane is at `?1`, the store's time: how its last run ended, unless the times say otherwise.
macro_rules! standing {
    () => {
        "CASE WHEN lane.state = 'retired' THEN 'retired'
              WHEN lane.lease_until > ?1 THEN 'running'
              WHEN lane.due_at <= ?1 THEN 'due'
              WHEN lane.due_at IS NOT NULL THEN 'waiting'
              ELSE lane.state END"
    };
}

/// Everything a run needs; refused with an old fence.
pub(super) fn open(sql: &Connection, now: Millis, lease: &Lease) -> Result<LaneState, Failure> {
    lanes::check_fence(sql, lease)?;
    // A lane that has this fence is there.
    Ok(state(sql, now, &lease.connection, lease.lane)?.unwrap_or_default())
}

/// Everything there is about a lane. None: there is no such lane.
pub(super) fn state(
    sql: &Connection,
    now: Millis,
    connection: &str,
    lane: LaneId,
) -> Result<Option<LaneState>, Failure> {
    let found = sql
        .prepare_cached(
            "SELECT attempts, failure, parked_on, born FROM lane WHERE connection = ?1 AND lane = ?2",
        )?
        .query_row(params![connection, lane.0], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .optional()?;
    let Some((attempts, failure, parked_on, born)) = found else {
        return Ok(None);
    };
    Ok(Some(LaneState {
        members: members(sql, connection, lane)?,
        bells: bells(sql, connection, lane)?,
        link: links::read_whole(sql, connection, lane)?,
        intent: writes::intent(sql, connection, lane)?,
        attempts,
        failure,
        parked_on,
        born,
        cards: cards::open_in(sql, connection, lane)?,
        holds: holds::live_in(sql, connection, lane)?,
        writes: writes::recent(sql, now, connection, lane)?,
    }))
}

/// Records of a lane.
pub(super) fn members(
    sql: &Connection,
    connection: &str,
    lane: LaneId,
) -> Result<Vec<RecordKey>, Failure> {
    Ok(sql
        .prepare_cached(
            "SELECT side, kind, record FROM member WHERE connection = ?1 AND lane = ?2 ORDER BY side, kind, record",
        )?
        .query_map(params![connection, lane.0], |row| {
            Ok(RecordKey { side: row.get(0)?, kind: row.get(1)?, id: row.get(2)? })
        })?
        .collect::<Result<_, _>>()?)
}

/// Says in which order the tables are read: left alone, SQLite walks through all bells of the connection, because they lie in the order that is
/// asked for.
pub(super) const BELLS: &str =
    "SELECT bell.side, bell.kind, bell.record, bell.rung, bell.answered, bell.cause, bell.since
     FROM member CROSS JOIN bell
     WHERE bell.connection = member.connection AND bell.side = member.side AND bell.kind = member.kind AND bell.record = member.record
         AND member.connection = ?1 AND member.lane = ?2
     ORDER BY bell.side, bell.kind, bell.record";

/// The plus keeps SQLite from walking through all links, which lie in the order that is asked for.
pub(super) const OF_ENGAGEMENT: &str =
    "SELECT lane FROM link WHERE connection = ?1 AND engagement = ?2 ORDER BY +lane LIMIT 1";

/// Bells of a lane's records, answered ones too. A record that never rang has none.
pub(super) fn bells(
    sql: &Connection,
    connection: &str,
    lane: LaneId,
) -> Result<Vec<Bell>, Failure> {
    Ok(sql
        .prepare_cached(BELLS)?
        .query_map(params![connection, lane.0], |row| {
            Ok(Bell {
                record: RecordKey {
                    side: row.get(0)?,
                    kind: row.get(1)?,
                    id: row.get(2)?,
                },
                rung: row.get(3)?,
                answered: row.get(4)?,
                cause: row.get(5)?,
                since: row.get(6)?,
            })
        })?
        .collect::<Result<_, _>>()?)
}

/// The next moment at which claiming would find something; ends of leases are such moments.
pub(super) fn next_due(sql: &Connection) -> Result<Option<Millis>, Failure> {
    Ok(sql
        .prepare_cached("SELECT due_at FROM lane WHERE due_at IS NOT NULL ORDER BY due_at LIMIT 1")?
        .query_row([], |row| row.get(0))
        .optional()?)
}

/// The lane whose link has this engagement; the oldest, should there be several.
pub(super) fn lane_of_engagement(
    sql: &Connection,
    connection: &str,
    engagement: &str,
) -> Result<Option<LaneId>, Failure> {
    Ok(sql
        .prepare_cached(OF_ENGAGEMENT)?
        .query_row(params![connection, engagement], |row| {
            row.get(0).map(LaneId)
        })
        .optional()?)
}

/// Where a stream was read up to.
pub(super) fn cursor(
    sql: &Connection,
    connection: &str,
    stream: &str,
) -> Result<Option<String>, Failure> {
    Ok(sql
        .prepare_cached("SELECT value FROM cursor WHERE connection = ?1 AND stream = ?2")?
        .query_row(params![connection, stream], |row| row.get(0))
        .optional()?)
}

/// Counts over everything.
pub(super) fn census(sql: &Connection, now: Millis) -> Result<Census, Failure> {
    let lanes = sql
        .prepare_cached(concat!(
            "SELECT ",
            standing!(),
            " AS standing, count(*) FROM lane GROUP BY standing"
        ))?
        .query_map([now], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let count = |query: &str| sql.prepare_cached(query)?.query_row([], |row| row.get(0));
    let (bells_unanswered, oldest_unanswered) = sql
        .prepare_cached(
            "SELECT count(*), min(CASE WHEN cause NOT IN (?1, ?2) THEN since END) FROM bell WHERE rung > answered",
        )?
        .query_row(UNHURRIED, |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(Census {
        lanes,
        linked: count(
            "SELECT count(*) FROM link WHERE referral IS NOT NULL AND crm_row IS NOT NULL",
        )?,
        // Each has rung once: there are fewer records than events.
        events: count("SELECT coalesce(sum(rung), 0) FROM bell")?,
        bells_unanswered,
        oldest_unanswered,
        intents: count("SELECT count(*) FROM intent")?,
        cards: count("SELECT count(*) FROM card WHERE closed_at IS NULL AND choice IS NULL")?,
        holds: count("SELECT count(*) FROM hold WHERE closed_at IS NULL AND released IS NULL")?,
    })
}

/// Lanes for people, youngest first.
pub(super) fn lanes(
    sql: &Connection,
    now: Millis,
    connection: &str,
    filter: &LaneFilter,
) -> Result<Vec<LaneSummary>, Failure> {
    let mut values = vec![
        Value::from(now),
        Value::from(connection.to_owned()),
        Value::from(lanes::limit(filter.limit)),
        Value::from(filter.after.map_or(i64::MAX, |after| after.0)),
    ];
    let mut query = String::from(SUMMARIES);
    if !filter.states.is_empty() {
        let places: Vec<String> = (0..filter.states.len())
            .map(|place| format!("?{}", values.len() + 1 + place))
            .collect();
        query.push_str(&format!(" AND {} IN ({})", standing!(), places.join(", ")));
        values.extend(filter.states.iter().cloned().map(Value::from));
    }
    if let Some(since) = filter.since {
        query.push_str(&format!(
            " AND (lane.ran_at >= ?{place} OR EXISTS (
                SELECT 1 FROM member
                JOIN bell ON bell.connection = member.connection AND bell.side = member.side
                    AND bell.kind = member.kind AND bell.record = member.record
                JOIN event ON event.connection = bell.connection AND event.side = bell.side AND event.kind = bell.kind
                    AND event.record = bell.record AND event.ring = bell.rung
                WHERE member.connection = lane.connection AND member.lane = lane.lane AND event.at >= ?{place}))",
            place = values.len() + 1
        ));
        values.push(Value::from(since));
    }
    query.push_str(" ORDER BY lane.lane DESC LIMIT ?3");
    Ok(sql
        .prepare_cached(&query)?
        .query_map(params_from_iter(values), |row| {
            Ok(LaneSummary {
                connection: connection.to_owned(),
                lane: LaneId(row.get(0)?),
                state: row.get(1)?,
                reason: row.get(2)?,
                next_at: row.get(3)?,
                attempts: row.get(4)?,
                ran: row.get(5)?,
                unanswered: row.get(6)?,
                link: row
                    .get::<_, Option<i64>>(7)?
                    .map(|_| links::link_from(row, 8))
                    .transpose()?,
            })
        })?
        .collect::<Result<_, _>>()?)
}

/// Summaries at `?1` of the lanes of connection `?2` that are older than `?4`.
const SUMMARIES: &str = concat!(
    "SELECT lane.lane, ",
    standing!(),
    ", lane.reason, CASE WHEN lane.lease_until > ?1 THEN NULL ELSE lane.due_at END, lane.attempts, lane.ran_at,
         (SELECT coalesce(sum(bell.rung - bell.answered), 0)
          FROM member JOIN bell ON bell.connection = member.connection AND bell.side = member.side
              AND bell.kind = member.kind AND bell.record = member.record
          WHERE member.connection = lane.connection AND member.lane = lane.lane),
         link.lane, link.referral, link.microsoft_referral, link.engagement, link.crm_table, link.crm_row,
         link.generation, link.etags, link.mark, link.set_hash, link.notes
     FROM lane LEFT JOIN link ON link.connection = lane.connection AND link.lane = lane.lane
     WHERE lane.connection = ?2 AND lane.lane < ?4"
);

/// One lane for people.
pub(super) fn lane(
    sql: &Connection,
    now: Millis,
    connection: &str,
    lane: LaneId,
) -> Result<Option<LaneSummary>, Failure> {
    // The youngest that is not younger.
    let filter = LaneFilter {
        after: Some(LaneId(lane.0.saturating_add(1))),
        limit: 1,
        ..LaneFilter::default()
    };
    let found = lanes(sql, now, connection, &filter)?;
    Ok(found.into_iter().find(|summary| summary.lane == lane))
}

/// Referrals that links have, by id.
pub(super) fn linked_referrals(
    sql: &Connection,
    now: Millis,
    connection: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<LinkedReferral>, Failure> {
    Ok(sql
        .prepare_cached(concat!(
            "SELECT link.referral, link.lane, ",
            standing!(),
            ", link.crm_row
             FROM link JOIN lane ON lane.connection = link.connection AND lane.lane = link.lane
             WHERE link.connection = ?2 AND link.referral > ?3 ORDER BY link.referral LIMIT ?4"
        ))?
        .query_map(
            params![now, connection, after.unwrap_or(""), lanes::limit(limit)],
            |row| {
                Ok(LinkedReferral {
                    referral: row.get(0)?,
                    lane: LaneId(row.get(1)?),
                    state: row.get(2)?,
                    crm_row: row.get(3)?,
                })
            },
        )?
        .collect::<Result<_, _>>()?)
}
