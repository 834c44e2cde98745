//! S30: a version that is to come is judged by the writes that would be planned with it. Every deal is planned twice, with what serves and with the
//! shadow, exactly as `cosell plugin diff` does: both plans end before act. It happens beside the deals and never in their way: one deal at a time,
//! a rest after each as long as it took and longer, and none while deals wait for the host.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cosell_plugins::generation::pair;
use cosell_plugins::{Judged as Shadow, Mode, PluginSet};
use cosell_store::{Judgement, LaneId, Millis, StoreError};
use serde_json::json;
use tokio::sync::watch;
use tracing::{info, warn};

use crate::desk::Desk;
use crate::recording::{self, Played};
use crate::verbs::{
    Archive, Judged, Moment, VerbError, deals_to_judge, diff_lane, diff_recorded_lane, is_shut,
    promote,
};

/// How often it is looked whether there is something to judge.
const LOOK: Duration = Duration::from_secs(2);
/// Longest rest after a deal: a slow side is not made slower.
const REST_MAX: Duration = Duration::from_secs(20);
/// Deals between two looks at whether the shadow is still there.
const SLICE: usize = 20;
/// How soon a deal that could not be judged is judged again.
const AGAIN_MS: i64 = 60_000;

/// Connection and lane.
type Deal = (String, LaneId);

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
    // Also one that cannot be loaded here: another host judges it.
    let others: Vec<String> = generation
        .members
        .iter()
        .filter(|other| other.detail.mode == Mode::Shadow)
        .map(pair_of)
        .collect();
    let archive = Archive::of(desk, None)?;
    let known = desk.store.judgements(&name).await?;
    let all = deals_to_judge(&archive).await?;
    let judged = by_deal(&known);
    let todo = to_judge(&all, &judged, &desk.owner, desk.now());
    if todo.is_empty() {
        return decide(desk, &archive, shadow, &name, &all, &judged).await;
    }
    let mut shut = BTreeSet::new();
    let mut left = SLICE;
    for (connection, lane) in todo {
        if left == 0 {
            break;
        }
        let seen = recorded(desk, connection, *lane).await?;
        // A recording calls nobody.
        if seen.is_none() {
            if shut.contains(connection) {
                continue;
            }
            if is_shut(desk, connection).await?.is_some() {
                shut.insert(connection.clone());
                continue;
            }
        }
        if is_busy(desk).await? {
            return Ok(());
        }
        left -= 1;
        let began = Instant::now();
        let (judged, from) =
            judge_lane(desk, &serving.set, shadow, connection, *lane, seen).await?;
        let (verdict, mut body) = match judged {
            Judged::Same => (SAME, json!({})),
            Judged::Differs(deal) => (DIFFERS, json!(deal)),
            Judged::Unjudged(why) => (UNJUDGED, json!({ "why": why })),
        };
        body["judged-from"] = from.into();
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

/// So old a recording is a fresh look's equal, while nothing has rung since: what changes without ringing is found by the sweep.
const RECORDED_MS_MAX: i64 = 24 * 3_600_000;

/// From what the deal's last run saw, if that is still what is there, else from a fresh look; and which of the two it was.
async fn judge_lane(
    desk: &Desk,
    serving: &Arc<PluginSet>,
    shadow: &Shadow,
    connection: &str,
    lane: LaneId,
    seen: Option<(Arc<Played>, i64)>,
) -> Result<(Judged, String), VerbError> {
    if let Some((played, at)) = seen {
        let judged =
            diff_recorded_lane(desk, serving, &shadow.set, connection, lane, &played).await?;
        if let Some(judged) = judged {
            return Ok((judged, format!("the recording of {}", Moment(at))));
        }
    }
    let judged = diff_lane(desk, serving, &shadow.set, connection, lane).await?;
    Ok((judged, "a fresh look".to_owned()))
}

/// What the deal's last run saw, if that is still what is there.
async fn recorded(
    desk: &Desk,
    connection: &str,
    lane: LaneId,
) -> Result<Option<(Arc<Played>, i64)>, VerbError> {
    if desk.recordings.is_none() {
        return Ok(None);
    }
    let Some(summary) = desk.store.lane(connection, lane).await? else {
        return Ok(None);
    };
    // One that cannot be opened is none: the shadow is judged all the same.
    let Ok(found) = recording::of_deal(desk, connection, lane).await else {
        return Ok(None);
    };
    let is_last = |at: i64| summary.ran.is_some_and(|ran| at >= ran);
    let is_fresh = |at: i64| desk.now() - at <= RECORDED_MS_MAX;
    let last = found
        .into_iter()
        .next()
        .filter(|last| summary.unanswered == 0 && is_last(last.at) && is_fresh(last.at));
    Ok(last.map(|last| (last.play(false), last.at)))
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

/// What was judged, by connection and lane.
pub(crate) fn by_deal(known: &[Judgement]) -> BTreeMap<(&str, LaneId), &Judgement> {
    let by = known
        .iter()
        .map(|one| ((one.connection.as_str(), one.lane), one));
    by.collect()
}

/// Deals that are to be judged: first those that never were, then those that could not be for a while. Each host begins at another one, so that of
/// several none judges what another one is about to; what they have judged is looked at again with every slice.
fn to_judge<'a>(
    all: &'a [Deal],
    known: &BTreeMap<(&str, LaneId), &Judgement>,
    host: &str,
    now: Millis,
) -> Vec<&'a Deal> {
    let mut hash = DefaultHasher::new();
    host.hash(&mut hash);
    let most = u64::try_from(all.len()).unwrap_or(u64::MAX).max(1);
    let begin = usize::try_from(hash.finish() % most).unwrap_or(0);
    let (mut new, mut again) = (Vec::new(), Vec::new());
    for deal in all[begin..].iter().chain(&all[..begin]) {
        match known.get(&(deal.0.as_str(), deal.1)) {
            None => new.push(deal),
            Some(one) if one.verdict == UNJUDGED && now - one.at >= AGAIN_MS => again.push(deal),
            Some(_) => {}
        }
    }
    new.extend(again);
    new
}

/// Every deal was judged: by its rule, the shadow comes to serve.
async fn decide(
    desk: &Desk,
    archive: &Archive,
    shadow: &Shadow,
    pair: &str,
    all: &[Deal],
    judged: &BTreeMap<(&str, LaneId), &Judgement>,
) -> Result<(), VerbError> {
    let Some(budget) = shadow.member.detail.promote.budget() else {
        return Ok(());
    };
    // Where there is no deal yet nothing has been shown, and a person promotes.
    let shown = counted(all, judged).filter(|_| !all.is_empty());
    let Some(differs) = shown.filter(|differs| *differs <= budget) else {
        return Ok(());
    };
    let why = format!(
        "all {} deals were judged, {differs} would be different, and its operator file allows {budget}",
        all.len()
    );
    let by = "its operator file";
    let changed = match promote(&*archive.store, &shadow.member, Some(pair), by, &why).await {
        Ok(changed) => changed,
        // Another set serves by now, and this host follows it in a moment.
        Err(why @ VerbError::JudgedBesideAnother { .. }) => {
            info!(file = %shadow.member.file, "{why}");
            desk.plugins.follow();
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    info!(generation = changed.generation, "{}", changed.message);
    desk.plugins.follow();
    Ok(())
}

/// How many deals would be different, once each was judged. A judgement whose deal is gone or no deal any more counts for nothing.
fn counted(all: &[Deal], judged: &BTreeMap<(&str, LaneId), &Judgement>) -> Option<u64> {
    let mut differs = 0;
    for (connection, lane) in all {
        match judged.get(&(connection.as_str(), *lane))?.verdict.as_str() {
            UNJUDGED => return None,
            DIFFERS => differs += 1,
            _ => {}
        }
    }
    Some(differs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deals(lanes: std::ops::Range<i64>) -> Vec<Deal> {
        lanes
            .map(|lane| ("contoso".to_owned(), LaneId(lane)))
            .collect()
    }

    fn judgement(lane: i64, verdict: &str, at: Millis) -> Judgement {
        Judgement {
            connection: "contoso".to_owned(),
            lane: LaneId(lane),
            verdict: verdict.to_owned(),
            body: "{}".to_owned(),
            at,
        }
    }

    fn lanes(todo: &[&Deal]) -> Vec<i64> {
        todo.iter().map(|deal| deal.1.0).collect()
    }

    #[test]
    fn what_was_never_judged_comes_before_what_could_not_be() {
        let all = deals(0..6);
        let known = [
            judgement(0, UNJUDGED, 0),
            judgement(1, UNJUDGED, 2 * AGAIN_MS),
            judgement(2, SAME, 0),
            judgement(3, DIFFERS, 0),
        ];
        let todo = to_judge(&all, &by_deal(&known), "host", 2 * AGAIN_MS);
        let mut todo = lanes(&todo);
        assert_eq!(todo.pop(), Some(0), "it had its turn");
        todo.sort_unstable();
        assert_eq!(todo, [4, 5]);
    }

    #[test]
    fn hosts_begin_at_different_deals_and_each_comes_round_to_all() {
        let all = deals(0..1_000);
        let of = |host: &str| lanes(&to_judge(&all, &BTreeMap::new(), host, 0));
        let (one, other) = (of("pid-1"), of("pid-2"));
        assert!(
            one[..SLICE]
                .iter()
                .all(|lane| !other[..SLICE].contains(lane))
        );
        let mut sorted = one.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..1_000).collect::<Vec<_>>());
        assert_eq!(of("pid-1"), one, "the same host goes on where it was");
        assert!(to_judge(&[], &BTreeMap::new(), "pid-1", 0).is_empty());
    }

    #[test]
    fn a_judgement_counts_while_its_deal_is_there() {
        let known = [
            judgement(0, SAME, 0),
            judgement(1, DIFFERS, 0),
            judgement(7, DIFFERS, 0),
            judgement(8, UNJUDGED, 0),
        ];
        let judged = by_deal(&known);
        assert_eq!(counted(&deals(0..2), &judged), Some(1));
        assert_eq!(counted(&deals(0..3), &judged), None, "not all were judged");
        assert_eq!(counted(&deals(7..9), &judged), None, "one could not be");
    }
}
