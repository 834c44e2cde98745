//! How a run ends, and how a lane does.

use deadpool_postgres::Transaction;

use super::fault::Fault;
use super::lanes::{self, Desk, lock_in_order, make_due, ring_all, rows, run};
use super::{cards, holds, links, reads, writes};
use crate::bell::RETIRED;
use crate::end::End;
use crate::{Bell, Change, LaneId, Lease, Millis, Next, StoreError};

/// Ends the run. Returns how many bells have no ring to answer any more.
pub(super) async fn complete_run(
    sql: &Transaction<'_>,
    given: Option<Millis>,
    lease: &Lease,
    noted: &[Bell],
    change: &Change,
    next: &Next,
) -> Result<i64, Fault> {
    let elder = match next {
        Next::Retired { into } => lock_elder(sql, lease, *into).await?,
        _ => None,
    };
    let desk = Desk::under(sql, given, lease).await?;
    // Only waiting comes back by itself to find out what became of the write.
    if !matches!(next, Next::Wait { .. }) && writes::intent_open(&desk).await? {
        return Err(StoreError::IntentOpen { lane: lease.lane.0 }.into());
    }
    if let Some(attempt) = &change.attempt {
        writes::keep_attempt(&desk, attempt, None).await?;
    }
    links::apply(&desk, change).await?;
    let end = match End::of(next) {
        Ok(end) => end,
        Err(into) => return retire(&desk, into, elder).await.map(|()| 0),
    };
    let (rang_meanwhile, silenced) = if end.answers {
        answer(&desk, noted).await?
    } else {
        let bells = reads::bells(desk.sql, desk.connection, desk.lane).await?;
        (bells.iter().any(|bell| bell.rang_after(noted)), 0)
    };
    free(&end, &desk, rang_meanwhile).await?;
    Ok(silenced)
}

/// Frees the lane. A bell that rang meanwhile beats whatever the run had in mind (I9).
async fn free(end: &End<'_>, desk: &Desk<'_>, rang_meanwhile: bool) -> Result<(), Fault> {
    let (set_failure, failure, parked_on) = end.failure_columns();
    let (factor, more) = end.attempts.factor_and_more();
    let due_at = if rang_meanwhile {
        Some(desk.now)
    } else {
        end.due_at
    };
    run(
        desk.sql,
        "UPDATE lane SET state = $3, reason = $4, due_at = $5, lease_owner = NULL, lease_until = NULL,
             attempts = attempts * $6 + $7,
             failure = CASE WHEN $8 THEN $9 ELSE failure END,
             parked_on = CASE WHEN $8 THEN $10 ELSE parked_on END,
             ran_at = $11
         WHERE connection = $1 AND lane = $2",
        &[
            &desk.connection,
            &desk.lane.0,
            &end.state,
            &end.reason,
            &due_at,
            &factor,
            &more,
            &set_failure,
            &failure,
            &parked_on,
            &desk.now,
        ],
    )
    .await
    .map(drop)
}

/// Moves the answered counters up to what the run had noted, never down and never past a later ring (I7). Whether something rang that the
/// run did not note, and how many bells are silent now.
async fn answer(desk: &Desk<'_>, noted: &[Bell]) -> Result<(bool, i64), Fault> {
    let (mut rang_meanwhile, mut silenced) = (false, 0);
    let mut moved = Vec::new();
    for bell in reads::bells(desk.sql, desk.connection, desk.lane).await? {
        let up_to = noted
            .iter()
            .filter(|noted| noted.record == bell.record)
            .map(|noted| noted.rung)
            .max();
        let answered = up_to.unwrap_or(0).min(bell.rung).max(bell.answered);
        rang_meanwhile |= answered < bell.rung;
        if answered > bell.answered {
            silenced += i64::from(answered == bell.rung);
            moved.push((bell.record, answered));
        }
    }
    if moved.is_empty() {
        return Ok((rang_meanwhile, silenced));
    }
    let column =
        |of: fn(&(crate::RecordKey, i64)) -> &str| moved.iter().map(of).collect::<Vec<_>>();
    let answered: Vec<i64> = moved.iter().map(|(_, answered)| *answered).collect();
    // It waits since the first ring that is still unanswered, if there is one.
    rows(
        desk.sql,
        "UPDATE bell SET answered = up_to.answered, since = coalesce((
             SELECT event.at FROM event WHERE event.connection = bell.connection AND event.side = bell.side
                 AND event.kind = bell.kind AND event.record = bell.record AND event.ring = up_to.answered + 1), bell.since)
         FROM unnest($2::text[], $3::text[], $4::text[], $5::bigint[]) AS up_to (side, kind, record, answered)
         WHERE bell.connection = $1 AND bell.side = up_to.side AND bell.kind = up_to.kind AND bell.record = up_to.record",
        &[
            &desk.connection,
            &column(|(record, _)| &record.side),
            &column(|(record, _)| &record.kind),
            &column(|(record, _)| &record.id),
            &answered,
        ],
    )
    .await?;
    Ok((rang_meanwhile, silenced))
}

/// Whom a lane may retire into. Both are locked, in the order in which everybody locks.
async fn lock_elder(
    sql: &Transaction<'_>,
    lease: &Lease,
    into: LaneId,
) -> Result<Option<LaneId>, Fault> {
    let connection = &lease.connection;
    let found = lanes::elder(sql, connection, into).await?;
    if let Some(elder) = found {
        lock_in_order(sql, connection, &[elder.0, lease.lane.0]).await?;
        if lanes::elder(sql, connection, elder).await? != found {
            return Err(Fault::overtaken("the elder retired meanwhile"));
        }
    }
    Ok(found)
}

/// Hands members, and with them bells and events, to the elder (S13). What the retiring run saw does not count for the elder, so
/// every bell rings once more.
async fn retire(desk: &Desk<'_>, into: LaneId, elder: Option<LaneId>) -> Result<(), Fault> {
    let Some(elder) = elder.filter(|_| into != desk.lane) else {
        return Err(StoreError::NoLane { lane: into.0 }.into());
    };
    if elder == desk.lane {
        // The elder retired into this lane meanwhile. One of them has to stay: this one, and it looks again.
        return free(&End::not_told(), desk, true).await;
    }
    links::drop_half(desk).await?;
    let why = format!("lane {} became one with lane {}", desk.lane.0, elder.0);
    cards::close_all(desk, &why).await?;
    holds::close_all(desk, &why).await?;
    let records = reads::members(desk.sql, desk.connection, desk.lane).await?;
    run(
        desk.sql,
        "UPDATE member SET lane = $3 WHERE connection = $1 AND lane = $2",
        &[&desk.connection, &desk.lane.0, &elder.0],
    )
    .await?;
    run(
        desk.sql,
        "UPDATE lane SET state = 'retired', retired_into = $3, reason = NULL, due_at = NULL, lease_owner = NULL,
             lease_until = NULL, attempts = 0, ran_at = $4
         WHERE connection = $1 AND lane = $2",
        &[&desk.connection, &desk.lane.0, &elder.0, &desk.now],
    )
    .await?;
    ring_all(desk, &records, RETIRED).await?;
    make_due(desk, elder).await
}
