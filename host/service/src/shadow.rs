//! S30: a version that is to come is judged by the writes that would be planned with it. Every deal is planned twice, with what serves and with the
//! shadow, exactly as `cosell plugin diff` does: both plans end before act. It happens beside the deals and never in their way: one deal at a time,
//! a rest after each as long as it took and longer, and none while deals wait for the host.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cosell_plugins::Judged as Shadow;
use cosell_plugins::generation::pair;
use cosell_store::{Judgement, LaneId, StoreError};
use serde_json::json;
use tokio::sync::watch;
use tracing::{info, warn};

use crate::desk::{Desk, Plugins};
use crate::verbs::{Archive, Judged, VerbError, deals_to_judge, diff_lane, is_shut, promote};

/// How often it is looked whether there is something to judge.
const LOOK: Duration = Duration::from_secs(2);
/// Longest rest after a deal: a slow side is not made slower.
const REST_MAX: Duration = Duration::from_secs(20);
/// Deals between two looks at whether the shadow is still there.
const SLICE: usize = 20;
/// How soon a deal that could not be judged is judged again.
const AGAIN_MS: i64 = 60_000;

/// Judges shadows until `stop`.
pub(crate) async fn judge_shadows(desk: Arc<Desk>, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            _ = stop.changed() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        let shadows = desk.plugins.shadows();
        if shadows.is_empty() || desk.plugins.behind().is_some() {
            continue;
        }
        for shadow in &shadows {
            let slice = slice(&desk, shadow);
            let judged = tokio::select! {
                _ = stop.changed() => return,
                judged = slice => judged,
            };
            if let Err(error) = judged {
                // Nothing is lost: what was judged is kept, and the next slice goes on.
                warn!(file = %shadow.member.file, why = %error, "the shadow could not be judged just now");
            }
        }
    }
}

/// Some deals; and what follows when all are judged.
async fn slice(desk: &Desk, shadow: &Shadow) -> Result<(), VerbError> {
    let Some(serving) = desk.plugins.serving() else {
        return Ok(());
    };
    let Some(generation) = &serving.generation else {
        return Ok(());
    };
    if !generation.members.contains(&shadow.member) {
        return Ok(());
    }
    let pair_of = |member| pair(&generation.members, member);
    let name = pair_of(&shadow.member);
    let others: Vec<String> = serving
        .shadows()
        .iter()
        .map(|other| pair_of(&other.member))
        .collect();
    let archive = Archive::of(desk, None)?;
    let known = desk.store.judgements(&name).await?;
    let all = deals_to_judge(&archive).await?;
    let is_known = |lane: &(String, LaneId)| {
        known.iter().any(|one| {
            (&one.connection, one.lane) == (&lane.0, lane.1)
                && (one.verdict != UNJUDGED || desk.now() - one.at < AGAIN_MS)
        })
    };
    let todo: Vec<&(String, LaneId)> = all.iter().filter(|lane| !is_known(lane)).collect();
    if todo.is_empty() {
        return decide(desk, &archive, shadow, &all, &known).await;
    }
    let mut shut = BTreeSet::new();
    for (connection, lane) in todo.into_iter().take(SLICE) {
        if shut.contains(connection) {
            continue;
        }
        if is_shut(desk, connection).await?.is_some() {
            shut.insert(connection.clone());
            continue;
        }
        if is_busy(desk).await? {
            return Ok(());
        }
        let began = Instant::now();
        let judged = diff_lane(desk, &serving.set, &shadow.set, connection, *lane).await?;
        let (verdict, body) = match judged {
            Judged::Same => (SAME, json!({})),
            Judged::Differs(deal) => (DIFFERS, json!(deal)),
            Judged::Unjudged(why) => (UNJUDGED, json!({ "why": why })),
        };
        let judgement = Judgement {
            connection: connection.clone(),
            lane: *lane,
            verdict: verdict.to_owned(),
            body: body.to_string(),
            at: 0,
        };
        desk.store.judge(&name, vec![judgement], &others).await?;
        tokio::time::sleep((began.elapsed() * 2).min(REST_MAX)).await;
    }
    Ok(())
}

/// Verdicts in the store.
pub(crate) const SAME: &str = "same";
pub(crate) const DIFFERS: &str = "differs";
pub(crate) const UNJUDGED: &str = "unjudged";

/// Deals wait: they come first.
async fn is_busy(desk: &Desk) -> Result<bool, StoreError> {
    let due = desk.store.next_due().await?;
    Ok(due.is_some_and(|due| due <= desk.now()))
}

/// Every deal was judged: by its rule, the shadow comes to serve.
async fn decide(
    desk: &Desk,
    archive: &Archive,
    shadow: &Shadow,
    all: &[(String, LaneId)],
    known: &[Judgement],
) -> Result<(), VerbError> {
    let Some(budget) = shadow.member.detail.promote.budget() else {
        return Ok(());
    };
    let count = |verdict: &str| known.iter().filter(|one| one.verdict == verdict).count();
    let differs = u64::try_from(count(DIFFERS)).unwrap_or(u64::MAX);
    if count(UNJUDGED) > 0 || differs > budget {
        return Ok(());
    }
    let why = format!(
        "all {} deals were judged, {differs} would be different, and its operator file allows {budget}",
        all.len()
    );
    let changed = promote(&*archive.store, &shadow.member, "its operator file", &why).await?;
    info!(generation = changed.generation, "{}", changed.message);
    if let Plugins::Folder(folder) = &desk.plugins {
        folder.follow();
    }
    Ok(())
}
