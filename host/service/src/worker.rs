//! Takes due lanes and runs them: one run at a time per deal, many deals in parallel. The only retry loop.

use std::sync::Arc;
use std::time::Duration;

use cosell_plugins::PluginSet;
use cosell_store::{After, Change, LaneState, Lease, Millis, Next, PLUGINS_CHANGED, StoreError};
use cosell_sync::row::Needs;
use cosell_sync::schedule;
use futures_util::future::BoxFuture;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tracing::{Instrument, debug, error, info, info_span, warn};

use crate::desk::Desk;
use crate::pace;
use crate::personal::mask_beside;
use crate::pipeline::{self, Run, ending};
use crate::recording;
use crate::records::REFERRAL;
use crate::throttle;
use crate::trouble::{Trouble, reasons_of, sentences, with_replay};

/// A run that ended badly with a write under way is followed by another so soon.
const OPEN_WRITE_MS: Millis = 5_000;
/// How long a host waits that cannot work: it has not the set of the store, or the store hands out nothing.
const BEHIND: Duration = Duration::from_secs(1);
/// How often it is looked whether the set that has come meanwhile is loaded.
const CATCH_UP: Duration = Duration::from_millis(100);
/// How often a lease is prolonged at most, each time after a third of it: twenty minutes with the usual lease.
const PROLONGED_MAX: u32 = 20;
/// The worker looks at least so often, in case a wake-up was lost.
const IDLE_MAX: Duration = Duration::from_secs(5);

/// Works on up to `lanes_at_once` lanes until `stop` turns true, then lets the runs end that have begun. A run waits for the network most of
/// its life; Dataverse allows 52 requests at once per user.
pub async fn work(desk: Arc<Desk>, lanes_at_once: usize, mut stop: watch::Receiver<bool>) {
    let free = Arc::new(Semaphore::new(lanes_at_once));
    let mut runs = JoinSet::new();
    let mut is_older = false;
    while !*stop.borrow() {
        // All hands are full: whoever is due waits for the first that becomes free, and the store is not asked meanwhile.
        if free.available_permits() == 0 {
            tokio::select! {
                permit = free.acquire() => drop(permit),
                _ = stop.changed() => {}
            }
            continue;
        }
        // S29: no lane without the set that the store says. The keeper of the plugins has told why.
        if desk.plugins.behind().is_some() {
            tokio::select! {
                () = tokio::time::sleep(BEHIND) => {}
                _ = stop.changed() => {}
            }
            continue;
        }
        // Another set came while this one was at work: the keeper is loading it.
        is_older = is_older && has_older_set(&desk).await;
        if is_older {
            desk.plugins.follow();
            tokio::select! {
                () = tokio::time::sleep(CATCH_UP) => {}
                _ = stop.changed() => {}
            }
            continue;
        }
        failpoint!("claim.before");
        let claimed = match desk
            .store
            .claim(&desk.owner, desk.lease_ms, free.available_permits())
            .await
        {
            Ok(leases) => leases,
            Err(error) => {
                error!(error = %error, "the store did not hand out any lane; trying again");
                // A full disk says so at once, and lanes are due all the time.
                tokio::select! {
                    () = tokio::time::sleep(BEHIND) => {}
                    _ = stop.changed() => {}
                }
                continue;
            }
        };
        let idle = claimed.is_empty();
        if !idle {
            failpoint!("claim.after");
            is_older = has_older_set(&desk).await;
        }
        if is_older {
            for lease in &claimed {
                put_back(&desk, lease).await;
            }
            continue;
        }
        for lease in claimed {
            let permit = Arc::clone(&free)
                .acquire_owned()
                .await
                .expect("the semaphore is never closed");
            let desk = Arc::clone(&desk);
            let span = info_span!("run", connection = %lease.connection, lane = lease.lane.0, fence = lease.fence);
            runs.spawn(
                async move {
                    run(&desk, &lease).await;
                    drop(permit);
                    desk.rope.notify_one();
                }
                .instrument(span),
            );
        }
        while let Some(ended) = runs.try_join_next() {
            report_panic(ended);
        }
        if idle {
            let pause = pause(&desk).await;
            tokio::select! {
                () = desk.rope.notified() => {}
                () = tokio::time::sleep(pause) => {}
                _ = stop.changed() => {}
            }
        }
    }
    while let Some(ended) = runs.join_next().await {
        report_panic(ended);
    }
}

/// Claims one due lane and runs it to its end. None: no lane is due, or another set of plugins serves than the one that is loaded. For whoever counts
/// the steps: [`work`] takes many lanes at once.
///
/// # Errors
/// The store did not hand out any lane.
pub async fn step(desk: &Desk) -> Result<Option<Lease>, StoreError> {
    let claimed = desk.store.claim(&desk.owner, desk.lease_ms, 1).await?;
    let lease = claimed.into_iter().next();
    if let Some(lease) = &lease {
        if has_older_set(desk).await {
            put_back(desk, lease).await;
            return Ok(None);
        }
        run(desk, lease).await;
    }
    Ok(lease)
}

/// S29: the store says another set than the one that is loaded here. The keeper looks for that every few seconds; a lane is not taken up in between.
async fn has_older_set(desk: &Desk) -> bool {
    let Some(serving) = desk.plugins.serving() else {
        return false;
    };
    match desk.store.generation().await {
        Ok(newest) => u64::try_from(newest).is_ok_and(|newest| newest > serving.set.generation()),
        Err(error) => {
            // It has just handed out lanes, and a run that finds it gone says so better.
            debug!(error = %error, "the store did not say which set serves");
            false
        }
    }
}

/// Its bells ring on, so whoever has the set that serves takes it at once.
async fn put_back(desk: &Desk, lease: &Lease) {
    let next = Next::Wait {
        until: desk.now(),
        after: After::PutOff,
        reason: "another set of plugins serves, and is being loaded".to_owned(),
    };
    let ended = desk
        .store
        .complete_run(lease, &[], Change::default(), next)
        .await;
    if let Err(error) = ended {
        given_up(&error);
    }
}

/// Prolongs the lease while a run works: services that answer slowly, one call after the other, can take longer than it lasts, and whoever took the lane
/// up then would meet the same. Not without end: a run that never ends must not keep its lane from everybody.
async fn while_it_lasts<T>(desk: &Desk, lease: &Lease, run: impl Future<Output = T>) -> T {
    let third = Duration::from_millis(desk.lease_ms.unsigned_abs() / 3);
    let prolong = async {
        for _ in 0..PROLONGED_MAX {
            tokio::time::sleep(third).await;
            // Another one has the lane, or the store is away: the run finds out by itself.
            if desk.store.renew(lease, desk.lease_ms).await.is_err() {
                break;
            }
        }
        std::future::pending().await
    };
    tokio::select! {
        biased;
        ended = run => ended,
        never = prolong => never,
    }
}

fn report_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        // The lane comes back when its lease runs out; nothing is lost but time.
        error!(error = %error, "a run panicked: this is a bug in the host, please report it");
    }
}

async fn pause(desk: &Desk) -> Duration {
    match desk.store.next_due().await {
        Ok(Some(due)) => {
            let ms = due.saturating_sub(desk.now()).max(1);
            Duration::from_millis(ms.unsigned_abs()).min(IDLE_MAX)
        }
        _ => IDLE_MAX,
    }
}

/// One run, whatever comes: its lane is free again when this returns, or its lease runs out.
///
/// Boxed, like whatever else leads from outside to a deal's line: an async body is compiled once more in every crate that polls it.
#[inline(never)]
fn run<'a>(desk: &'a Desk, lease: &'a Lease) -> BoxFuture<'a, ()> {
    Box::pin(run_through(desk, lease))
}

async fn run_through(desk: &Desk, lease: &Lease) {
    let state = match desk.store.open(lease).await {
        Ok(state) => state,
        Err(error) => return given_up(&error),
    };
    let turn = match pace::turn(desk, lease, &state.bells) {
        Ok(turn) => turn,
        Err(later) => return come_back(desk, lease, &state, &later).await,
    };
    desk.rings.link(&lease.connection, lease.lane);
    // The very set that the run begins with, or one that served before it: then there is one wake-up too many, and never one too few.
    let began_with = desk.set_for(&lease.connection, lease.lane, &state);
    let needs = began_with.needs();
    let (next, change, recording) = match Run::begin(desk, lease, &state).await {
        Ok(mut run) => {
            let passed = while_it_lasts(desk, lease, pipeline::pass(&mut run)).await;
            // What is asked to tell people of a failure is no part of what failed.
            run.look_is_over();
            let next = match passed {
                Ok(next) => {
                    report(&state, &next, needs);
                    next
                }
                Err(trouble) => {
                    settle_trouble(desk, lease, &state, &trouble, needs, Some(&mut run)).await
                }
            };
            let recording = run.recording(&next);
            let change = run.into_change(&next);
            (next, change, recording)
        }
        Err(trouble) => (
            settle_trouble(desk, lease, &state, &trouble, needs, None).await,
            Change::default(),
            None,
        ),
    };
    drop(turn);
    metrics::counter!("cosell_runs_total", "connection" => lease.connection.to_string(), "ending" => ending(&next))
        .increment(1);
    let stands_on_plugins = matches!(
        next,
        Next::Parked { .. } | Next::Held { .. } | Next::Paused { .. }
    );
    failpoint!("end.before");
    let mut ended = desk
        .store
        .complete_run(lease, &state.bells, change, next)
        .await;
    if let Err(error @ StoreError::Linked { .. }) = &ended {
        // Two lanes made the same record at the same moment (S13): the other one has it. What this one learned is the other's to know; the
        // next look finds that out, and does not wait for the lease to run out.
        let next = Next::Wait {
            until: desk.now() + OPEN_WRITE_MS,
            after: After::Failure,
            reason: error.to_string(),
        };
        ended = desk
            .store
            .complete_run(lease, &state.bells, Change::default(), next)
            .await;
    }
    failpoint!("end.after");
    if let (Ok(()), Some(recording)) = (&ended, recording) {
        recording::keep(desk, lease.lane, recording).await;
    }
    desk.room.heard(ended.as_ref().err());
    match ended {
        Ok(()) if stands_on_plugins => wake_if_swapped(desk, lease, &state, &began_with).await,
        Ok(()) => {}
        Err(error) => given_up(&error),
    }
}

/// It is not this lane's turn: it waits, and nothing was asked of anybody.
async fn come_back(desk: &Desk, lease: &Lease, state: &LaneState, later: &pace::Later) {
    let wait = Millis::try_from(later.wait.as_millis()).unwrap_or(Millis::MAX);
    debug!(wait_ms = wait, "not its turn: {}", later.why);
    metrics::counter!("cosell_turns_waited_total", "connection" => lease.connection.clone())
        .increment(1);
    let next = Next::Wait {
        until: desk.now().saturating_add(wait),
        after: After::PutOff,
        reason: later.why.to_owned(),
    };
    let ended = desk
        .store
        .complete_run(lease, &state.bells, Change::default(), next)
        .await;
    if let Err(error) = ended {
        given_up(&error);
    }
}

/// A swap wakes the lanes that it finds parked. One that was still running then parks afterwards, on a set that serves no more.
async fn wake_if_swapped(desk: &Desk, lease: &Lease, state: &LaneState, began_with: &PluginSet) {
    let now = desk.set_for(&lease.connection, lease.lane, state);
    if now.terms() == began_with.terms() {
        return;
    }
    let woken = desk
        .store
        .wake(&lease.connection, lease.lane, PLUGINS_CHANGED)
        .await;
    if let Err(error) = woken {
        error!(error = %error, "a deal could not be woken after a change of plugins");
    }
}

/// The deal's records, for the log: `opportunity 7f3c… with referral 12ab…`. Names of people and customers never go there.
fn deal(lane: &LaneState) -> String {
    let link = lane.link.as_ref();
    let linked = [
        link.and_then(|link| Some((link.crm_table.as_deref()?, link.crm_row.as_deref()?))),
        link.and_then(|link| Some((REFERRAL, link.referral.as_deref()?))),
    ];
    let members = lane
        .members
        .iter()
        .map(|member| (member.kind.as_str(), member.id.as_str()));
    let mut records: Vec<(&str, &str)> = linked.into_iter().flatten().collect();
    for member in members {
        if !records.iter().any(|(kind, _)| *kind == member.0) {
            records.push(member);
        }
    }
    let words: Vec<String> = records
        .iter()
        .map(|(kind, id)| format!("{kind} {id}"))
        .collect();
    words.join(" with ")
}

/// A deal that does not settle says why, although nothing failed.
fn report(state: &LaneState, next: &Next, needs: &Needs) {
    let deal = deal(state);
    match next {
        Next::Wait { until, reason, .. } => {
            info!(deal = %deal, until_ms = until, reason = %mask_beside(reason, needs), "waits");
        }
        Next::Paused { reason } => {
            info!(deal = %deal, reason = %mask_beside(reason, needs), "left alone")
        }
        Next::Held { reason } => {
            info!(deal = %deal, reason = %mask_beside(reason, needs), "held: a person is asked")
        }
        Next::Orphaned { reason } => {
            warn!(deal = %deal, reason = %mask_beside(reason, needs), "orphaned: a record is gone, and a person decides");
        }
        Next::Settled | Next::Parked { .. } | Next::Retired { .. } => {}
    }
}

/// Decides what becomes of a lane whose run ended badly, and tells whom it concerns.
async fn settle_trouble(
    desk: &Desk,
    lease: &Lease,
    lane: &LaneState,
    trouble: &Trouble,
    needs: &Needs,
    run: Option<&mut Run<'_>>,
) -> Next {
    let failures = u32::try_from(lane.attempts).unwrap_or(u32::MAX);
    let mut verdict = trouble.verdict(failures, (desk.dice)(), desk.now());
    // A write whose outcome is unknown comes before everything else: the next run reads its target, and nobody gives that up. It comes ever more
    // seldom, and is told as a lane that waits: parked is what a person has to mend.
    let is_open = run.as_deref().is_some_and(|run| run.has_open_write());
    if is_open && !matches!(verdict.next, Next::Wait { .. }) {
        let pause = schedule::pause(failures, (desk.dice)());
        let pause = Millis::try_from(pause).unwrap_or(Millis::MAX);
        verdict.next = Next::Wait {
            until: desk.now().saturating_add(pause.max(OPEN_WRITE_MS)),
            after: After::Failure,
            reason: trouble.to_string(),
        };
    }
    if let Some(rest) = verdict.rest.take()
        && let Err(error) = throttle::close(desk, &lease.connection, rest).await
    {
        error!(error = %error, "could not write down that a credential rests");
    }
    if let (Next::Parked { reasons, .. }, Trouble::Plugin(_), Some(_)) =
        (&mut verdict.next, trouble, desk.recordings)
    {
        *reasons = with_replay(reasons, lease.lane);
    }
    if let (Next::Parked { state, .. }, Some(run)) = (&mut verdict.next, run.as_deref()) {
        state.clone_from(&run.stands_on);
    }
    match &verdict.next {
        Next::Parked { reasons, .. } if lane.failure.as_ref() != Some(reasons) => {
            warn!(deal = %deal(lane), reasons = %mask_beside(&sentences(&reasons_of(reasons)), needs), "parked: a person is needed");
            if let Some(run) = run {
                pipeline::tell_failure(run, reasons).await;
            }
        }
        Next::Wait {
            until,
            reason,
            after,
        } => {
            let failed = *after == After::Failure;
            info!(deal = %deal(lane), until_ms = until, failed, reason = %mask_beside(reason, needs), "waits");
        }
        _ => {}
    }
    verdict.next
}

fn given_up(error: &StoreError) {
    match error {
        StoreError::Fenced { .. } => info!(error = %error, "another run has the lane now"),
        other => {
            error!(error = %other, "the run could not be written down; the lane comes back when its lease runs out")
        }
    }
}
