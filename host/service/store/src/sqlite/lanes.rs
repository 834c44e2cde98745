//! Lanes: born, leased under a fence, made due, ended, retired.

use rusqlite::{Connection, OptionalExtension, params};

use super::accept::Ring;
use super::{cards, chain, holds, links, reads, writes};
use crate::bell::RETIRED;
use crate::end::End;
use crate::writer::{Desk, Failure};
use crate::{Bell, Change, LaneId, Lease, Millis, Next, RecordKey, StoreError};

/// Elders followed from a retired lane. Retiring always points at a living lane, so more than a few in a row are a damaged table.
const ELDERS_MAX: usize = 64;

/// A new lane, at rest until its first bell makes it due.
pub(super) fn create(desk: &Desk<'_>, connection: &str) -> Result<LaneId, Failure> {
    let lane = number(desk, connection, "lane")?;
    desk.sql
        .prepare_cached(
            "INSERT INTO lane (connection, lane, state, fence, attempts, born, audited)
             VALUES (?1, ?2, 'settled', 0, 0, ?3, 0)",
        )?
        .execute(params![connection, lane, desk.now])?;
    Ok(LaneId(lane))
}

/// The next number of a kind within a connection.
pub(super) fn number(desk: &Desk<'_>, connection: &str, of: &str) -> Result<i64, Failure> {
    Ok(desk
        .sql
        .prepare_cached(
            "INSERT INTO counter (connection, name, value) VALUES (?1, ?2, 1)
             ON CONFLICT (connection, name) DO UPDATE SET value = counter.value + 1
             RETURNING value",
        )?
        .query_row(params![connection, of], |row| row.get(0))?)
}

/// A limit as SQL takes it.
pub(super) fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

/// Due now. A leased lane is left alone: when its run ends, the unanswered bell makes it due.
pub(super) fn make_due(desk: &Desk<'_>, connection: &str, lane: LaneId) -> Result<(), Failure> {
    desk.sql
        .prepare_cached(
            "UPDATE lane SET due_at = ?3
             WHERE connection = ?1 AND lane = ?2 AND state <> 'retired' AND lease_until IS NULL
               AND (due_at IS NULL OR due_at > ?3)",
        )?
        .execute(params![connection, lane.0, desk.now])?;
    Ok(())
}

/// The lane itself, or the living lane into which it retired. None: there is no such lane.
pub(super) fn elder(
    sql: &Connection,
    connection: &str,
    lane: LaneId,
) -> Result<Option<LaneId>, Failure> {
    let mut lane = lane;
    for _ in 0..ELDERS_MAX {
        let into: Option<Option<i64>> = sql
            .prepare_cached("SELECT retired_into FROM lane WHERE connection = ?1 AND lane = ?2")?
            .query_row(params![connection, lane.0], |row| row.get(0))
            .optional()?;
        match into {
            None => return Ok(None),
            Some(None) => return Ok(Some(lane)),
            Some(Some(into)) => lane = LaneId(into),
        }
    }
    Err(Failure::broken(
        "follow retired lanes",
        format!("lane {} leads to retired lanes in a ring", lane.0),
    ))
}

/// Leased, or with an open intent.
pub(super) fn is_busy(sql: &Connection, connection: &str, lane: LaneId) -> Result<bool, Failure> {
    Ok(sql
        .prepare_cached(
            "SELECT 1 FROM lane WHERE connection = ?1 AND lane = ?2 AND (lease_until IS NOT NULL
                 OR EXISTS (SELECT 1 FROM intent WHERE intent.connection = ?1 AND intent.lane = ?2))",
        )?
        .exists(params![connection, lane.0])?)
}

/// The `?2` oldest lanes that are due at `?1`.
pub(super) const DUE: &str = "SELECT connection, lane, fence FROM lane WHERE due_at <= ?1 ORDER BY due_at, connection, lane LIMIT ?2";

/// Takes the oldest due lanes.
pub(super) fn claim(
    desk: &Desk<'_>,
    owner: &str,
    lease_ms: Millis,
    max: usize,
) -> Result<Vec<Lease>, Failure> {
    let until = desk.now.saturating_add(lease_ms);
    let mut leases = desk
        .sql
        .prepare_cached(DUE)?
        .query_map(params![desk.now, limit(max)], |row| {
            Ok(Lease {
                connection: row.get(0)?,
                lane: LaneId(row.get(1)?),
                fence: row.get::<_, i64>(2)? + 1,
                until,
            })
        })?
        .collect::<Result<Vec<_>, _>>()?;
    for lease in &mut leases {
        desk.sql
            .prepare_cached(
                "UPDATE lane SET fence = ?3, lease_owner = ?4, lease_until = ?5, due_at = ?5
                 WHERE connection = ?1 AND lane = ?2",
            )?
            .execute(params![
                lease.connection,
                lease.lane.0,
                lease.fence,
                owner,
                until
            ])?;
    }
    Ok(leases)
}

/// Makes leased lanes due; the next claim raises their fence.
pub(super) fn resume(desk: &mut Desk<'_>) -> Result<usize, Failure> {
    Ok(desk
        .sql
        .prepare_cached("UPDATE lane SET lease_until = ?1, due_at = ?1 WHERE lease_until > ?1")?
        .execute([desk.now])?)
}

/// The same for the lanes of one owner.
pub(super) fn release(desk: &mut Desk<'_>, owner: &str) -> Result<usize, Failure> {
    Ok(desk
        .sql
        .prepare_cached(
            "UPDATE lane SET lease_until = ?1, due_at = ?1 WHERE lease_owner = ?2 AND lease_until > ?1",
        )?
        .execute(params![desk.now, owner])?)
}

/// Refuses a lease that is not the lane's any more (I3).
pub(super) fn check_fence(sql: &Connection, lease: &Lease) -> Result<(), Failure> {
    let held = sql
        .prepare_cached(
            "SELECT 1 FROM lane WHERE connection = ?1 AND lane = ?2 AND fence = ?3 AND lease_until IS NOT NULL",
        )?
        .exists(params![lease.connection, lease.lane.0, lease.fence])?;
    if held {
        Ok(())
    } else {
        Err(StoreError::Fenced {
            lane: lease.lane.0,
            fence: lease.fence,
        }
        .into())
    }
}

/// Prolongs a lease that is still the lane's.
pub(super) fn renew(desk: &Desk<'_>, lease: &Lease, lease_ms: Millis) -> Result<Lease, Failure> {
    check_fence(desk.sql, lease)?;
    let until = desk.now.saturating_add(lease_ms);
    desk.sql
        .prepare_cached(
            "UPDATE lane SET lease_until = ?3, due_at = ?3 WHERE connection = ?1 AND lane = ?2",
        )?
        .execute(params![lease.connection, lease.lane.0, until])?;
    Ok(Lease {
        until,
        ..lease.clone()
    })
}

/// Ends a run.
pub(super) fn complete_run(
    desk: &mut Desk<'_>,
    lease: &Lease,
    noted: &[Bell],
    change: &Change,
    next: &Next,
) -> Result<(), Failure> {
    check_fence(desk.sql, lease)?;
    // Only waiting comes back by itself to find out what became of the write.
    if !matches!(next, Next::Wait { .. }) && writes::intent_open(desk.sql, lease)? {
        return Err(StoreError::IntentOpen { lane: lease.lane.0 }.into());
    }
    if let Some(attempt) = &change.attempt {
        writes::keep_attempt(desk, lease, attempt, None)?;
    }
    links::apply(desk, lease, change)?;
    let end = match End::of(next) {
        Ok(end) => end,
        Err(into) => return retire(desk, lease, into),
    };
    let rang_meanwhile = if end.answers {
        answer(desk, lease, noted)?
    } else {
        let bells = reads::bells(desk.sql, &lease.connection, lease.lane)?;
        bells.iter().any(|bell| bell.rang_after(noted))
    };
    free(&end, desk, lease, rang_meanwhile)
}

/// Frees the lane. A bell that rang meanwhile beats whatever the run had in mind (I9).
fn free(
    end: &End<'_>,
    desk: &Desk<'_>,
    lease: &Lease,
    rang_meanwhile: bool,
) -> Result<(), Failure> {
    let (set_failure, failure, parked_on) = end.failure_columns();
    let (factor, more) = end.attempts.factor_and_more();
    let due_at = if rang_meanwhile {
        Some(desk.now)
    } else {
        end.due_at
    };
    desk.sql
        .prepare_cached(
            "UPDATE lane SET state = ?3, reason = ?4, due_at = ?5, lease_owner = NULL, lease_until = NULL,
                 attempts = attempts * ?6 + ?7,
                 failure = CASE WHEN ?8 THEN ?9 ELSE failure END,
                 parked_on = CASE WHEN ?8 THEN ?10 ELSE parked_on END,
                 ran_at = ?11
             WHERE connection = ?1 AND lane = ?2",
        )?
        .execute(params![
            lease.connection,
            lease.lane.0,
            end.state,
            end.reason,
            due_at,
            factor,
            more,
            set_failure,
            failure,
            parked_on,
            desk.now
        ])?;
    Ok(())
}

/// Moves the answered counters up to what the run had noted, never down and never past a later ring (I7). True: something rang
/// that the run did not note.
fn answer(desk: &mut Desk<'_>, lease: &Lease, noted: &[Bell]) -> Result<bool, Failure> {
    let mut rang_meanwhile = false;
    for bell in reads::bells(desk.sql, &lease.connection, lease.lane)? {
        let RecordKey { side, kind, id } = &bell.record;
        let up_to = noted
            .iter()
            .filter(|noted| noted.record == bell.record)
            .map(|noted| noted.rung)
            .max();
        let answered = up_to.unwrap_or(0).min(bell.rung).max(bell.answered);
        if answered > bell.answered {
            // The first ring that is still unanswered, if there is one.
            let since: Option<Millis> = desk
                .sql
                .prepare_cached(
                    "SELECT at FROM event WHERE connection = ?1 AND side = ?2 AND kind = ?3 AND record = ?4 AND ring = ?5",
                )?
                .query_row(params![lease.connection, side, kind, id, answered + 1], |row| row.get(0))
                .optional()?;
            desk.sql
                .prepare_cached(
                    "UPDATE bell SET answered = ?5, since = ?6
                     WHERE connection = ?1 AND side = ?2 AND kind = ?3 AND record = ?4",
                )?
                .execute(params![
                    lease.connection,
                    side,
                    kind,
                    id,
                    answered,
                    since.unwrap_or(bell.since)
                ])?;
            if answered == bell.rung {
                desk.backlog.waiting -= 1;
            }
        }
        rang_meanwhile |= answered < bell.rung;
    }
    Ok(rang_meanwhile)
}

/// Hands members, and with them bells and events, to the elder (S13). What the retiring run saw does not count for the elder, so
/// every bell rings once more.
fn retire(desk: &mut Desk<'_>, lease: &Lease, into: LaneId) -> Result<(), Failure> {
    let Lease {
        connection, lane, ..
    } = lease;
    let Some(elder) = elder(desk.sql, connection, into)?.filter(|_| into != *lane) else {
        return Err(StoreError::NoLane { lane: into.0 }.into());
    };
    if elder == *lane {
        // The elder retired into this lane meanwhile. One of them has to stay: this one, and it looks again.
        return free(&End::not_told(), desk, lease, true);
    }
    links::drop_half(desk, lease)?;
    let why = format!("lane {} became one with lane {}", lane.0, elder.0);
    cards::close_all(desk, lease, &why)?;
    holds::close_all(desk, lease, &why)?;
    let records = reads::members(desk.sql, connection, *lane)?;
    desk.sql
        .prepare_cached("UPDATE member SET lane = ?3 WHERE connection = ?1 AND lane = ?2")?
        .execute(params![connection, lane.0, elder.0])?;
    desk.sql
        .prepare_cached(
            "UPDATE lane SET state = 'retired', retired_into = ?3, reason = NULL, due_at = NULL, lease_owner = NULL,
                 lease_until = NULL, attempts = 0, ran_at = ?4
             WHERE connection = ?1 AND lane = ?2",
        )?
        .execute(params![connection, lane.0, elder.0, desk.now])?;
    for record in &records {
        Ring {
            connection,
            record,
            cause: RETIRED,
        }
        .ring(desk, None)?;
    }
    make_due(desk, connection, elder)
}

/// A person's order: rings every bell of the lane, so that it is not lost on a lane that is running.
pub(super) fn wake(
    desk: &mut Desk<'_>,
    connection: &str,
    lane: LaneId,
    cause: &str,
) -> Result<(), Failure> {
    let Some(lane) = elder(desk.sql, connection, lane)? else {
        return Err(StoreError::NoLane { lane: lane.0 }.into());
    };
    for record in &reads::members(desk.sql, connection, lane)? {
        Ring {
            connection,
            record,
            cause,
        }
        .ring(desk, None)?;
    }
    make_due(desk, connection, lane)
}

/// Appends to the lane's chain and notes its new end on the lane.
pub(super) fn audit(desk: &Desk<'_>, lease: &Lease, change: &Change) -> Result<(), Failure> {
    if change.audit.is_empty() {
        return Ok(());
    }
    chain::append(desk, &lease.connection, lease.lane, &change.audit)
}
