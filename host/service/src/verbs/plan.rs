//! `cosell plan`: what would be done, over real records, and nothing of it. The line up to act is the one that runs; see
//! [`pipeline::preview`](crate::pipeline::preview). It takes no lease and writes to neither side nor to the store.

pub(super) mod candidates;
mod words;

use std::sync::Arc;

use cosell_plugins::PluginSet;
use cosell_remote::{Class, Permit, RemoteError};
use cosell_store::{After, Change, LaneId, LaneState, Millis, Next};
use futures_util::StreamExt as _;
use futures_util::stream;
use serde::Serialize;
use std::time::Duration;

use super::cards::Choice;
use super::deal::open_write;
use super::deals::line;
use super::{Archive, Moment, VerbError, reason_in_words};
use crate::binding;
use crate::desk::Desk;
use crate::pace;
use crate::pipeline::{Preview, Run, preview, refused};
use crate::recording::Played;
use crate::throttle;
use crate::trouble::Trouble;
use candidates::Candidate;
use words::{asks, holds, mass, named_by, summary, would};

/// Deals that are judged side by side: a plan is nobody's emergency, and the host beside it needs its share of the limits.
const AT_ONCE: usize = 6;
/// A side that asks for patience gets it so often for each deal; then the deal is said to be unjudged.
const TRIES: u32 = 5;
/// How long, when the other side does not say; and at most.
const PATIENCE: Duration = Duration::from_secs(5);
const PATIENCE_MAX: Duration = Duration::from_secs(300);

/// Which deals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// One: as [`find`](super::find()) reads it, or the id of a record that the host has never heard of.
    Deal(String),
    /// What changed, rang or ran at this moment or later.
    Since(Millis),
    /// All, and all records that could become one.
    All,
}

/// What would be done.
#[derive(Debug, Clone, Serialize)]
pub struct Plan {
    /// Deal by deal, the youngest lanes first, then what has none yet.
    pub deals: Vec<Planned>,
    /// In numbers.
    pub summary: Summary,
    /// What concerns more than one deal: a credential that rests, another CRM organisation, a batch that the brake would hold.
    pub notices: Vec<String>,
}

/// A plan in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Deals that would get a record on the other side.
    pub create: usize,
    /// Deals that would be written to.
    pub update: usize,
    /// Writes that would wait for time or a person.
    pub hold: usize,
    /// Questions for people.
    pub ask: usize,
    /// Deals and records that are left alone.
    pub skip: usize,
    /// Deals that would be parked, or stay so.
    pub refuse: usize,
    /// Deals that wait for something to pass or to be completed.
    pub wait: usize,
    /// Deals with nothing to do.
    pub in_step: usize,
    /// Deals that could not be judged.
    pub unjudged: usize,
}

/// What would happen to a deal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Would {
    /// A record would be created.
    Create,
    /// Records would be written to.
    Update,
    /// Nothing, until a hold is released or its time is over.
    Hold,
    /// Nothing, until a person answers.
    Ask,
    /// It is left alone.
    Skip,
    /// It would be parked, or stay so.
    Refuse,
    /// It would wait.
    Wait,
    /// Nothing is to be done.
    InStep,
    /// A side, a plugin or the store gave no answer.
    Unjudged,
}

/// One deal.
#[derive(Debug, Clone, Serialize)]
pub struct Planned {
    /// The connection.
    pub connection: String,
    /// The lane; none for a record that has none yet.
    pub lane: Option<i64>,
    /// The deal's name, as far as it is known.
    pub name: Option<String>,
    /// In one word.
    pub would: Would,
    /// The writes, what follows them, and what would be told.
    #[serde(flatten)]
    pub preview: Preview,
    /// Writes that would wait.
    pub holds: Vec<PlannedHold>,
    /// What a person would be asked.
    pub asks: Vec<PlannedAsk>,
    /// The line ended before it had a plan, and would with any set of plugins: two such plans are alike and say nothing about what differs.
    #[serde(skip)]
    pub(crate) is_unplanned: bool,
}

/// A write that would wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedHold {
    /// `won`, `visibility`, `mass`, …
    pub kind: String,
    /// The unit; of a mass change, the side.
    pub subject: String,
    /// What stands there now.
    pub before: Option<String>,
    /// What would stand there.
    pub after: Option<String>,
    /// The rest of "this write …".
    pub consequence: String,
    /// When it would go by itself; none: never without a person.
    pub until: Option<Moment>,
}

/// A question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedAsk {
    /// `conflict`, `gone`, …
    pub kind: String,
    /// The unit or the record.
    pub subject: String,
    /// The question.
    pub question: String,
    /// What may be answered.
    pub choices: Vec<Choice>,
}

/// Judges every deal of the scope, some side by side. `judged` is called with how many are done, of how many.
///
/// # Errors
/// [`VerbError::NoDeal`] and its kin for [`Scope::Deal`]; [`VerbError::Remote`] when a side could not be listed; [`VerbError::Store`].
pub async fn plan(
    desk: &Desk,
    connection: Option<&str>,
    scope: &Scope,
    judged: &(dyn Fn(usize, usize) + Sync),
) -> Result<Plan, VerbError> {
    let mut archive = Archive::of(desk, connection)?;
    let mut notices = Vec::new();
    let mut open = Vec::new();
    for id in std::mem::take(&mut archive.connections) {
        match is_shut(desk, &id).await? {
            Some(why) => notices.push(format!("connection \"{id}\" is not looked at: {why}")),
            None => open.push(id),
        }
    }
    archive.connections = open;
    let found = candidates::of(desk, &archive, scope).await?;
    let all = found.len();
    judged(0, all);
    let mut deals = Vec::with_capacity(all);
    let judging = found.into_iter().enumerate().map(|(place, one)| {
        Box::pin(async move { (place, judge(desk, None, one, None, None).await) })
    });
    let mut judging = stream::iter(judging).buffer_unordered(AT_ONCE);
    while let Some((place, planned)) = judging.next().await {
        deals.push((place, planned?));
        judged(deals.len(), all);
    }
    deals.sort_by_key(|(place, _)| *place);
    let deals: Vec<Planned> = deals
        .into_iter()
        .filter_map(|(_, planned)| planned)
        .collect();
    notices.extend(mass(desk, &deals));
    Ok(Plan {
        summary: summary(&deals),
        deals,
        notices,
    })
}

/// Why nothing would be done for a connection just now: a credential rests (I11), or the CRM is another one (S22).
pub(crate) async fn is_shut(desk: &Desk, connection: &str) -> Result<Option<String>, VerbError> {
    let ours = binding::must_be_ours(&*desk.store, connection, desk.now()).await;
    for answer in [throttle::must_be_open(desk, connection).await, ours] {
        match answer {
            Ok(()) => {}
            Err(Trouble::Store(error)) => return Err(error.into()),
            Err(trouble) => return Ok(Some(trouble.to_string())),
        }
    }
    Ok(None)
}

/// Nobody waits for a plan as one does for an edit. The host beside us may have been asked for patience meanwhile: that holds for us, too.
async fn take_turn(desk: &Desk, connection: &str) -> Vec<Permit> {
    if let Err(Trouble::NotYet { until, .. }) = throttle::must_be_open(desk, connection).await {
        let ms = until.saturating_sub(desk.now()).max(1).unsigned_abs();
        tokio::time::sleep(Duration::from_millis(ms).min(PATIENCE_MAX)).await;
    }
    match desk.connections.get(connection) {
        Some(connection) => pace::bulk_turn(connection).await,
        None => Vec::new(),
    }
}

/// One deal that has a lane, with another set of plugins than its own. None: there is nothing to be said about it.
pub(crate) async fn plan_lane(
    desk: &Desk,
    set: &Arc<PluginSet>,
    connection: &str,
    lane: LaneId,
) -> Result<Option<Planned>, VerbError> {
    let candidate = Candidate::of_lane(connection, lane);
    judge(desk, Some(set), candidate, None, None).await
}

/// The same from a recording of it: with what is remembered now, or with this instead.
pub(crate) async fn plan_recorded(
    desk: &Desk,
    set: &Arc<PluginSet>,
    connection: &str,
    lane: LaneId,
    state: &LaneState,
    played: &Arc<Played>,
) -> Result<Option<Planned>, VerbError> {
    let candidate = Candidate::of_lane(connection, lane);
    judge(desk, Some(set), candidate, Some(state), Some(played)).await
}

/// None: the record belongs to another lane, which is judged itself, or the lane is about nothing that could be a deal.
async fn judge(
    desk: &Desk,
    set: Option<&Arc<PluginSet>>,
    candidate: Candidate,
    state: Option<&LaneState>,
    played: Option<&Arc<Played>>,
) -> Result<Option<Planned>, VerbError> {
    let key = candidate.key();
    let summary = desk.store.lane(&key.connection, key.id()).await?;
    let is_new = summary.is_none() && state.is_none();
    let state = match state {
        Some(state) => state.clone(),
        None => candidate.state(desk.store.peek(&key.connection, key.id()).await?),
    };
    let name = candidate.name.or_else(|| line(summary?, Some(&state)).name);
    let mut tries = 0;
    let (preview, change, ended) = loop {
        tries += 1;
        let mut run = match Run::preview(desk, &key.connection, key.id(), &state) {
            Ok(run) => {
                let run = match set {
                    Some(set) => run.with_set(Arc::clone(set)),
                    None => run,
                };
                match played {
                    Some(played) => run.playing(Arc::clone(played)),
                    None => run,
                }
            }
            // Only connections of this configuration are asked about.
            Err(trouble) => return Err(VerbError::Store(broken(&trouble))),
        };
        if let Some(intent) = &state.intent {
            let trouble = Trouble::NotYet {
                until: desk.now(),
                reason: open_write(intent),
            };
            break (refused(&run, &trouble), Change::default(), Ended::Unplanned);
        }
        // What is played again asks nobody.
        let _turn = match played {
            None => take_turn(desk, &key.connection).await,
            Some(_) => Vec::new(),
        };
        match preview(&mut run).await {
            Ok(preview) => break (preview, run.into_change(&Next::Settled), Ended::Planned),
            Err(Trouble::Remote(error)) if tries < TRIES && patience(&error).is_some() => {
                // The only place beside the worker that waits and asks again: a plan over many deals is stopped by every limit there is.
                tokio::time::sleep(patience(&error).unwrap_or(PATIENCE)).await;
            }
            Err(trouble) => {
                let (preview, ended) = failed(&run, &trouble, desk.now());
                break (preview, run.into_change(&Next::Settled), ended);
            }
        }
    };
    let state_is = |state: &str| preview.state.as_deref() == Some(state);
    let is_nothing = preview.referral.is_none() && preview.crm_row.is_none();
    if (is_new && state_is("retired")) || (is_nothing && state_is("settled")) {
        return Ok(None);
    }
    let preview = Preview {
        reason: preview.reason.as_deref().map(reason_in_words),
        ..preview
    };
    let holds = holds(&change);
    let asks = asks(&state, &change);
    Ok(Some(Planned {
        name: name.or_else(|| named_by(&preview)),
        connection: key.connection,
        lane: (!is_new).then_some(key.lane),
        would: would(&preview, &holds, &asks, ended == Ended::Unjudged),
        is_unplanned: ended != Ended::Planned,
        preview,
        holds,
        asks,
    }))
}

fn broken(trouble: &Trouble) -> cosell_store::StoreError {
    cosell_store::StoreError::Broken {
        doing: "begin a preview",
        source: trouble.to_string().into(),
    }
}

/// How long the other side asks us to wait, if waiting helps.
fn patience(error: &RemoteError) -> Option<Duration> {
    match error.class {
        Class::Transient {
            retry_after,
            throttled: true,
        } => Some(retry_after.unwrap_or(PATIENCE).min(PATIENCE_MAX)),
        _ => None,
    }
}

/// How far the line came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// To its plan, or to what plugins and people have to say instead of one.
    Planned,
    /// Not to its plan: the deal waits for something that no plugin has a say in.
    Unplanned,
    /// Nothing can be said about the deal.
    Unjudged,
}

/// A run that would end badly.
fn failed(run: &Run<'_>, trouble: &Trouble, now: Millis) -> (Preview, Ended) {
    let preview = refused(run, trouble);
    match trouble.verdict(0, 0, now).next {
        Next::Parked { reasons, .. } => {
            let preview = Preview {
                state: Some("parked".to_owned()),
                reason: Some(reasons),
                ..preview
            };
            (preview, Ended::Planned)
        }
        Next::Wait { after, .. } => {
            let is_resting = matches!(trouble, Trouble::Remote(_));
            let ended = match trouble {
                _ if after == After::Failure || is_resting => Ended::Unjudged,
                Trouble::NotYet { .. } => Ended::Unplanned,
                _ => Ended::Planned,
            };
            (preview, ended)
        }
        _ => (preview, Ended::Planned),
    }
}
