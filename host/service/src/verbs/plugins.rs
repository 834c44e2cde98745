//! `cosell plugin list`: what serves by the store, what is to come, what was refused, and how it came to that.

use std::collections::BTreeMap;

use cosell_plugins::generation::pair;
use cosell_plugins::{Generation, Member, What};
use cosell_store::{Judgement, LaneFilter, LaneId, Quarantined, SetEvent, Store, StoreError};
use serde::Serialize;
use serde_json::Value;

use super::deals::is_a_deal;
use super::pages::Pages;
use super::vouching::{UnvouchedView, without_voucher};
use super::{Archive, Moment, VerbError};
use crate::config::Plugins;
use crate::set::generation;
use crate::shadow::{DIFFERS, SAME, UNJUDGED, by_deal};

/// What is wrong where no plugin serves, and what to do.
pub const NO_PLUGIN: &str = "no plugin is in service, so no deal is worked on: put the stock plugins into the plugin folder";

/// Lines of the journal that are read for what was refused.
const EVENTS: usize = 500;
/// Generations that are listed.
const LISTED: usize = 10;
/// The set, and everything around it.
#[derive(Debug, Clone, Serialize)]
pub struct PluginList {
    /// The generation that serves; none when no host has ever found a plugin.
    pub generation: Option<GenerationView>,
    /// What serves, in the order of asking.
    pub plugins: Vec<PluginLine>,
    /// What is judged, or tried on some deals.
    pub candidates: Vec<CandidateView>,
    /// Files that some host refused last.
    pub refused: Vec<RefusedView>,
    /// Versions in the set that some host saw come near the limit of a call.
    pub slow: Vec<SlowView>,
    /// Versions in the set for which nobody vouches whom this configuration trusts, where it requires that.
    pub unvouched: Vec<UnvouchedView>,
    /// Versions that are not taken any more.
    pub quarantined: Vec<OutView>,
    /// Generations before, the newest first.
    pub history: Vec<GenerationView>,
}

/// One generation.
#[derive(Debug, Clone, Serialize)]
pub struct GenerationView {
    /// Its number.
    pub generation: u64,
    /// Since when.
    pub at: Moment,
    /// Who made it.
    pub by: String,
    /// What changed with it.
    pub note: String,
}

/// One version in the set.
#[derive(Debug, Clone, Serialize)]
pub struct PluginLine {
    /// The plugin's id.
    pub plugin: String,
    /// Its own version.
    pub version: String,
    /// The file that it came from.
    pub file: String,
    /// Which bytes.
    pub sha256: String,
    /// `live`, `shadow` or `try-on`.
    pub mode: String,
    /// The generation with which it came so.
    pub generation: u64,
    /// When that was.
    pub since: Moment,
    /// Who brought it.
    pub by: String,
    /// Hooks that it serves.
    pub hooks: Vec<String>,
    /// The key of whoever vouched for its file.
    pub signer: Option<String>,
    /// What it wants beyond the version that served when it came.
    pub wants: Vec<String>,
}

/// A version that does not serve all deals.
#[derive(Debug, Clone, Serialize)]
pub struct CandidateView {
    /// Which.
    #[serde(flatten)]
    pub line: PluginLine,
    /// Deals on which it is tried.
    pub deals: Vec<String>,
    /// So many deals may differ for it to be promoted by itself; none: a person promotes it.
    pub budget: Option<u64>,
    /// How it is judged; none for one that is tried.
    pub shadow: Option<ShadowView>,
}

/// How far a shadow is judged.
#[derive(Debug, Clone, Serialize)]
pub struct ShadowView {
    /// Deals that were judged.
    pub judged: usize,
    /// Deals that there are to judge.
    pub deals: usize,
    /// Deals that would be planned the same.
    pub same: usize,
    /// Deals that would be planned otherwise, as `cosell plugin diff --json` shows each.
    pub differs: Vec<Value>,
    /// Deals that could not be judged, with why.
    pub unjudged: Vec<String>,
}

/// A file that a host did not take.
#[derive(Debug, Clone, Serialize)]
pub struct RefusedView {
    /// Its name.
    pub file: String,
    /// When.
    pub at: Moment,
    /// Which folder.
    pub by: String,
    /// Why, and what to do.
    pub why: String,
}

/// A version that is slow.
#[derive(Debug, Clone, Serialize)]
pub struct SlowView {
    /// The plugin's id.
    pub plugin: String,
    /// Its file.
    pub file: String,
    /// Since when.
    pub at: Moment,
    /// Which folder's host has seen it.
    pub by: String,
    /// How slow, and what to do.
    pub why: String,
}

/// What is not settled about plugins, without what it takes long to count.
#[derive(Debug, Clone, Default, Serialize)]
pub struct PluginNews {
    /// Plugins that serve. None: no deal is worked on.
    pub serving: usize,
    /// What is judged, or tried on some deals.
    pub candidates: Vec<PluginLine>,
    /// Files that some host refused last.
    pub refused: Vec<RefusedView>,
    /// Versions in the set that some host saw come near the limit of a call.
    pub slow: Vec<SlowView>,
    /// Versions in the set for which nobody vouches whom this configuration trusts, where it requires that.
    pub unvouched: Vec<UnvouchedView>,
}

/// A version that is out.
#[derive(Debug, Clone, Serialize)]
pub struct OutView {
    /// The plugin's id.
    pub plugin: String,
    /// The file that had it.
    pub file: String,
    /// Which bytes.
    pub sha256: String,
    /// Why.
    pub why: String,
    /// Who took it out.
    pub by: String,
    /// When.
    pub at: Moment,
}

/// What serves, what is to come, what was refused, and how it came to that; and what of it a host of this configuration may not run.
///
/// # Errors
/// [`VerbError::Store`].
pub async fn plugin_list(archive: &Archive, plugins: &Plugins) -> Result<PluginList, VerbError> {
    let store = &*archive.store;
    let history: Vec<Generation> = store
        .set_history(LISTED + 1)
        .await?
        .into_iter()
        .map(generation)
        .collect();
    let members = history
        .first()
        .map_or(&[][..], |newest| newest.members.as_slice());
    let mut candidates = Vec::new();
    for member in members.iter().filter(|member| member.is_candidate()) {
        let is_judged = member.detail.deals.is_empty();
        candidates.push(CandidateView {
            line: line(member),
            deals: member.detail.deals.clone(),
            budget: member.detail.promote.budget(),
            shadow: if is_judged {
                Some(shadow(archive, &pair(members, member)).await?)
            } else {
                None
            },
        });
    }
    let live = members.iter().filter(|member| !member.is_candidate());
    let out = store.quarantines().await?;
    let events = store.set_events(EVENTS).await?;
    Ok(PluginList {
        generation: history.first().map(view),
        plugins: live.map(line).collect(),
        candidates,
        refused: refused(&events),
        slow: slow(&events, members),
        unvouched: without_voucher(store, plugins, members).await?,
        quarantined: out
            .into_iter()
            .filter(|one| one.released.is_none())
            .map(out_view)
            .collect(),
        history: history.iter().skip(1).map(view).collect(),
    })
}

/// What an operator should know about plugins at a glance.
///
/// # Errors
/// The store does not answer.
pub async fn plugin_news(store: &dyn Store, plugins: &Plugins) -> Result<PluginNews, StoreError> {
    let newest = store.active_set().await?.map(generation);
    let members = newest.map_or_else(Vec::new, |newest| newest.members);
    let events = store.set_events(EVENTS).await?;
    let candidates = members.iter().filter(|member| member.is_candidate());
    Ok(PluginNews {
        serving: members
            .iter()
            .filter(|member| !member.is_candidate())
            .count(),
        candidates: candidates.map(line).collect(),
        refused: refused(&events),
        slow: slow(&events, &members),
        unvouched: without_voucher(store, plugins, &members).await?,
    })
}

/// Deals that candidates are judged by.
pub(crate) async fn deals_to_judge(archive: &Archive) -> Result<Vec<(String, LaneId)>, VerbError> {
    let mut all = Vec::new();
    for connection in &archive.connections {
        let mut pages = Pages::of(&*archive.store, connection, LaneFilter::default());
        while let Some(page) = pages.next().await? {
            let deals = page.iter().filter(|lane| is_a_deal(lane));
            all.extend(deals.map(|lane| (connection.clone(), lane.lane)));
        }
    }
    Ok(all)
}

fn view(one: &Generation) -> GenerationView {
    GenerationView {
        generation: one.number,
        at: Moment(one.at_ms),
        by: one.by.clone(),
        note: one.note.clone(),
    }
}

fn line(member: &Member) -> PluginLine {
    let detail = &member.detail;
    PluginLine {
        plugin: detail.plugin.clone(),
        version: detail.version.clone(),
        file: member.file.clone(),
        sha256: member.sha256.clone(),
        mode: detail.mode.as_str().to_owned(),
        generation: detail.since,
        since: Moment(detail.since_ms),
        by: detail.by.clone(),
        hooks: detail.approved.hooks.clone(),
        signer: detail.signer.clone(),
        wants: detail.wants.clone(),
    }
}

fn out_view(one: Quarantined) -> OutView {
    OutView {
        plugin: one.plugin,
        file: one.file,
        sha256: one.sha256,
        why: one.why,
        by: one.by,
        at: Moment(one.at),
    }
}

async fn shadow(archive: &Archive, pair: &str) -> Result<ShadowView, VerbError> {
    let known = archive.store.judgements(pair).await?;
    let all = deals_to_judge(archive).await?;
    let by_deal = by_deal(&known);
    // What was judged of deals that are gone meanwhile counts for nothing.
    let judged = all
        .iter()
        .filter_map(|(connection, lane)| by_deal.get(&(connection.as_str(), *lane)).copied());
    let judged: Vec<&Judgement> = judged.collect();
    let of = |verdict: &'static str| judged.iter().filter(move |one| one.verdict == verdict);
    let body = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
    Ok(ShadowView {
        judged: judged.len(),
        deals: all.len(),
        same: of(SAME).count(),
        differs: of(DIFFERS).map(|one| body(&one.body)).collect(),
        unjudged: of(UNJUDGED)
            .map(|one| {
                body(&one.body)["why"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned()
            })
            .collect(),
    })
}

/// What was said last about each file of each folder, of these words. The journal is read backwards.
fn last_of<'a>(events: &'a [SetEvent], telling: &[What]) -> Vec<&'a SetEvent> {
    let mut last: BTreeMap<(&str, &str), &SetEvent> = BTreeMap::new();
    for event in events {
        if !event.file.is_empty() && telling.iter().any(|what| what.as_str() == event.what) {
            last.entry((event.by.as_str(), event.file.as_str()))
                .or_insert(event);
        }
    }
    last.into_values().collect()
}

fn slow(events: &[SetEvent], members: &[Member]) -> Vec<SlowView> {
    // Of a version that is no longer in the set nothing is to be said.
    let is_there = |event: &&SetEvent| {
        members.iter().any(|member| {
            member.file == event.file && Some(&member.sha256) == event.sha256.as_ref()
        })
    };
    last_of(events, &[What::Slow, What::InTime])
        .into_iter()
        .filter(|event| event.what == What::Slow.as_str())
        .filter(is_there)
        .map(|event| SlowView {
            plugin: event.plugin.clone().unwrap_or_default(),
            file: event.file.clone(),
            at: Moment(event.at),
            by: event.by.clone(),
            why: event.message.clone(),
        })
        .collect()
}

fn refused(events: &[SetEvent]) -> Vec<RefusedView> {
    let telling = [
        What::Refused,
        What::Loaded,
        What::Candidate,
        What::Retired,
        What::Released,
    ];
    last_of(events, &telling)
        .into_iter()
        .filter(|event| event.what == What::Refused.as_str())
        .map(|event| RefusedView {
            file: event.file.clone(),
            at: Moment(event.at),
            by: event.by.clone(),
            why: event.message.clone(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use cosell_plugins::generation::Detail;

    fn event(what: What, file: &str, sha256: &str) -> SetEvent {
        SetEvent {
            what: what.as_str().to_owned(),
            file: file.to_owned(),
            sha256: Some(sha256.to_owned()),
            by: "a folder".to_owned(),
            ..SetEvent::default()
        }
    }

    fn member(file: &str, sha256: &str) -> Member {
        Member {
            file: file.to_owned(),
            sha256: sha256.to_owned(),
            component: sha256.to_owned(),
            source: None,
            operator: String::new(),
            detail: Detail::default(),
        }
    }

    #[test]
    fn a_version_is_slow_until_it_is_not_or_another_one_serves() {
        let members = [member("a", "1"), member("b", "1"), member("c", "2")];
        // The newest first.
        let events = [
            event(What::InTime, "b", "1"),
            event(What::Slow, "a", "1"),
            event(What::Slow, "b", "1"),
            event(What::Slow, "c", "1"),
        ];
        let files: Vec<_> = slow(&events, &members)
            .into_iter()
            .map(|one| one.file)
            .collect();
        assert_eq!(files, ["a"]);
    }

    #[test]
    fn a_refusal_ends_with_the_next_word_about_its_file() {
        let events = [
            event(What::Retired, "a", ""),
            event(What::Slow, "b", ""),
            event(What::Refused, "b", ""),
            event(What::Refused, "a", ""),
        ];
        let files: Vec<_> = refused(&events).into_iter().map(|one| one.file).collect();
        assert_eq!(files, ["b"]);
    }
}
