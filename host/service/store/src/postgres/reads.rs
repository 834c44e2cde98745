//! Everything that only looks. What takes several statements is read in one snapshot.

use deadpool_postgres::{GenericClient, Transaction};

use super::fault::Fault;
use super::lanes::{self, Param, fenced, row, rows};
use super::{cards, holds, links, writes};
use crate::{
    Bell, Census, LaneFilter, LaneId, LaneState, LaneSummary, Lease, LinkedReferral, Millis,
    RecordKey, UNHURRIED,
};

/// What a lane is at `$1`, the store's time: how its last run ended, unless the times say otherwise.
macro_rules! standing {
    () => {
        "CASE WHEN lane.state = 'retired' THEN 'retired'
              WHEN lane.lease_until > $1 THEN 'running'
              WHEN lane.due_at <= $1 THEN 'due'
              WHEN lane.due_at IS NOT NULL THEN 'waiting'
              ELSE lane.state END"
    };
}

/// Everything a run needs; refused with an old fence.
pub(super) async fn open(
    sql: &Transaction<'_>,
    now: Millis,
    lease: &Lease,
) -> Result<LaneState, Fault> {
    let lease_params: [Param<'_>; 3] = [&lease.connection, &lease.lane.0, &lease.fence];
    let held = row(
        sql,
        "SELECT 1 FROM lane WHERE connection = $1 AND lane = $2 AND fence = $3 AND lease_until IS NOT NULL",
        &lease_params,
    );
    let (held, state) = tokio::try_join!(held, state(sql, now, &lease.connection, lease.lane))?;
    match (held, state) {
        (Some(_), Some(state)) => Ok(state),
        _ => Err(fenced(lease).into()),
    }
}

/// Everything there is about a lane. None: there is no such lane.
pub(super) async fn state(
    sql: &Transaction<'_>,
    now: Millis,
    connection: &str,
    lane: LaneId,
) -> Result<Option<LaneState>, Fault> {
    let of_lane: [Param<'_>; 2] = [&connection, &lane.0];
    let found = row(
        sql,
        "SELECT attempts, failure, parked_on, born FROM lane WHERE connection = $1 AND lane = $2",
        &of_lane,
    );
    // Asked one behind the other, answered together.
    let (found, members, bells, link, intent, cards, holds, writes) = tokio::try_join!(
        found,
        members(sql, connection, lane),
        bells(sql, connection, lane),
        links::read_whole(sql, connection, lane),
        writes::intent(sql, connection, lane),
        cards::open_in(sql, connection, lane),
        holds::live_in(sql, connection, lane),
        writes::recent(sql, now, connection, lane),
    )?;
    Ok(found.map(|found| LaneState {
        members,
        bells,
        link,
        intent,
        attempts: found.get(0),
        failure: found.get(1),
        parked_on: found.get(2),
        born: found.get(3),
        cards,
        holds,
        writes,
    }))
}

/// Which lane a record belongs to.
pub(super) async fn lane_of(
    sql: &impl GenericClient,
    connection: &str,
    record: &RecordKey,
) -> Result<Option<LaneId>, Fault> {
    let found = row(
        sql,
        "SELECT lane FROM member WHERE connection = $1 AND side = $2 AND kind = $3 AND record = $4",
        &[&connection, &record.side, &record.kind, &record.id],
    )
    .await?;
    Ok(found.map(|found| LaneId(found.get(0))))
}

/// Records of a lane.
pub(super) async fn members(
    sql: &impl GenericClient,
    connection: &str,
    lane: LaneId,
) -> Result<Vec<RecordKey>, Fault> {
    let found = rows(
        sql,
        "SELECT side, kind, record FROM member WHERE connection = $1 AND lane = $2 ORDER BY side, kind, record",
        &[&connection, &lane.0],
    )
    .await?;
    Ok(found
        .iter()
        .map(|row| RecordKey {
            side: row.get(0),
            kind: row.get(1),
            id: row.get(2),
        })
        .collect())
}

/// Bells of a lane's records, answered ones too. A record that never rang has none.
pub(super) async fn bells(
    sql: &impl GenericClient,
    connection: &str,
    lane: LaneId,
) -> Result<Vec<Bell>, Fault> {
    let found = rows(
        sql,
        "SELECT bell.side, bell.kind, bell.record, bell.rung, bell.answered, bell.cause, bell.since
         FROM member JOIN bell ON bell.connection = member.connection AND bell.side = member.side
             AND bell.kind = member.kind AND bell.record = member.record
         WHERE member.connection = $1 AND member.lane = $2
         ORDER BY bell.side, bell.kind, bell.record",
        &[&connection, &lane.0],
    )
    .await?;
    Ok(found
        .iter()
        .map(|row| Bell {
            record: RecordKey {
                side: row.get(0),
                kind: row.get(1),
                id: row.get(2),
            },
            rung: row.get(3),
            answered: row.get(4),
            cause: row.get(5),
            since: row.get(6),
        })
        .collect())
}

/// The next moment at which claiming would find something; ends of leases are such moments.
pub(super) async fn next_due(sql: &impl GenericClient) -> Result<Option<Millis>, Fault> {
    let found = row(
        sql,
        "SELECT due_at FROM lane WHERE due_at IS NOT NULL ORDER BY due_at LIMIT 1",
        &[],
    )
    .await?;
    Ok(found.map(|found| found.get(0)))
}

/// The lane whose link has this engagement; the oldest, should there be several.
pub(super) async fn lane_of_engagement(
    sql: &impl GenericClient,
    connection: &str,
    engagement: &str,
) -> Result<Option<LaneId>, Fault> {
    let found = row(
        sql,
        "SELECT lane FROM link WHERE connection = $1 AND engagement = $2 ORDER BY lane LIMIT 1",
        &[&connection, &engagement],
    )
    .await?;
    Ok(found.map(|found| LaneId(found.get(0))))
}

/// Counts over everything.
pub(super) async fn census(sql: &Transaction<'_>, now: Millis) -> Result<Census, Fault> {
    let lanes = rows(
        sql,
        concat!(
            "SELECT ",
            standing!(),
            " AS standing, count(*) FROM lane GROUP BY standing"
        ),
        &[&now],
    )
    .await?;
    let counts = row(
        sql,
        "SELECT (SELECT count(*) FROM link WHERE referral IS NOT NULL AND crm_row IS NOT NULL),
             (SELECT coalesce(sum(rung), 0)::bigint FROM bell),
             (SELECT count(*) FROM bell WHERE rung > answered),
             (SELECT min(since) FROM bell WHERE rung > answered AND cause NOT IN ($1, $2)),
             (SELECT count(*) FROM intent),
             (SELECT count(*) FROM card WHERE closed_at IS NULL AND choice IS NULL),
             (SELECT count(*) FROM hold WHERE closed_at IS NULL AND released IS NULL)",
        &[&UNHURRIED[0], &UNHURRIED[1]],
    )
    .await?
    .ok_or_else(|| Fault::broken("counting gave no row"))?;
    Ok(Census {
        lanes: lanes.iter().map(|row| (row.get(0), row.get(1))).collect(),
        linked: counts.get(0),
        events: counts.get(1),
        bells_unanswered: counts.get(2),
        oldest_unanswered: counts.get(3),
        intents: counts.get(4),
        cards: counts.get(5),
        holds: counts.get(6),
    })
}

/// Lanes for people, youngest first.
pub(super) async fn lanes(
    sql: &impl GenericClient,
    now: Millis,
    connection: &str,
    filter: &LaneFilter,
) -> Result<Vec<LaneSummary>, Fault> {
    let after = filter.after.map_or(i64::MAX, |after| after.0);
    let states = (!filter.states.is_empty()).then_some(&filter.states);
    let found = rows(
        sql,
        SUMMARIES,
        &[
            &now,
            &connection,
            &lanes::limit(filter.limit),
            &after,
            &states,
            &filter.since,
        ],
    )
    .await?;
    found
        .iter()
        .map(|row| {
            Ok(LaneSummary {
                connection: connection.to_owned(),
                lane: LaneId(row.get(0)),
                state: row.get(1),
                reason: row.get(2),
                next_at: row.get(3),
                attempts: row.get(4),
                ran: row.get(5),
                unanswered: row.get(6),
                link: row
                    .get::<_, Option<i64>>(7)
                    .map(|_| links::link_from(row, 8))
                    .transpose()?,
            })
        })
        .collect()
}

/// Summaries at `$1` of up to `$3` lanes of connection `$2` that are older than `$4`, stand as one of `$5` and ran or rang since `$6`, where
/// these are told.
const SUMMARIES: &str = concat!(
    "SELECT lane.lane, ",
    standing!(),
    ", lane.reason, CASE WHEN lane.lease_until > $1 THEN NULL ELSE lane.due_at END, lane.attempts, lane.ran_at,
         (SELECT coalesce(sum(bell.rung - bell.answered), 0)::bigint
          FROM member JOIN bell ON bell.connection = member.connection AND bell.side = member.side
              AND bell.kind = member.kind AND bell.record = member.record
          WHERE member.connection = lane.connection AND member.lane = lane.lane),
         link.lane, link.referral, link.microsoft_referral, link.engagement, link.crm_table, link.crm_row,
         link.generation, link.etags, link.mark, link.set_hash, link.notes
     FROM lane LEFT JOIN link ON link.connection = lane.connection AND link.lane = lane.lane
     WHERE lane.connection = $2 AND lane.lane < $4
       AND ($5::text[] IS NULL OR ",
    standing!(),
    " = ANY($5))
       AND ($6::bigint IS NULL OR lane.ran_at >= $6 OR EXISTS (
         SELECT 1 FROM member
         JOIN bell ON bell.connection = member.connection AND bell.side = member.side
             AND bell.kind = member.kind AND bell.record = member.record
         JOIN event ON event.connection = bell.connection AND event.side = bell.side AND event.kind = bell.kind
             AND event.record = bell.record AND event.ring = bell.rung
         WHERE member.connection = lane.connection AND member.lane = lane.lane AND event.at >= $6))
     ORDER BY lane.lane DESC LIMIT $3"
);

/// One lane for people.
pub(super) async fn lane(
    sql: &impl GenericClient,
    now: Millis,
    connection: &str,
    lane: LaneId,
) -> Result<Option<LaneSummary>, Fault> {
    // The youngest that is not younger.
    let filter = LaneFilter {
        after: Some(LaneId(lane.0.saturating_add(1))),
        limit: 1,
        ..LaneFilter::default()
    };
    let found = lanes(sql, now, connection, &filter).await?;
    Ok(found.into_iter().find(|summary| summary.lane == lane))
}

/// Referrals that links have, by id.
pub(super) async fn linked_referrals(
    sql: &impl GenericClient,
    now: Millis,
    connection: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<LinkedReferral>, Fault> {
    let found = rows(
        sql,
        concat!(
            "SELECT link.referral, link.lane, ",
            standing!(),
            ", link.crm_row
             FROM link JOIN lane ON lane.connection = link.connection AND lane.lane = link.lane
             WHERE link.connection = $2 AND link.referral > $3 ORDER BY link.referral LIMIT $4"
        ),
        &[
            &now,
            &connection,
            &after.unwrap_or(""),
            &lanes::limit(limit),
        ],
    )
    .await?;
    Ok(found
        .iter()
        .map(|row| LinkedReferral {
            referral: row.get(0),
            lane: LaneId(row.get(1)),
            state: row.get(2),
            crm_row: row.get(3),
        })
        .collect())
}
