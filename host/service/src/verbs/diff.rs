//! `cosell plugin diff`: what another version of a plugin would make of real deals, before it counts. Both plans are made from fresh looks and end
//! before act, so nothing is written, and what is shown is what would happen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use cosell_plugins::PluginSet;
use cosell_store::LaneId;
use cosell_sync::row::Role;
use serde::Serialize;

use super::VerbError;
use super::plan::{Plan, Planned, Scope, Would, plan, plan_lane, plan_recorded};
use crate::desk::{Desk, Plugins};
use crate::pipeline::PreviewedWrite;
use crate::recording::Played;

/// What would be different.
#[derive(Debug, Clone, Serialize)]
pub struct SetDiff {
    /// Deals that would be planned otherwise, in the order of the plan.
    pub deals: Vec<DealDiff>,
    /// Deals that would be planned the same.
    pub same: usize,
    /// Deals that one of the two sets could not judge, by name.
    pub unjudged: Vec<String>,
    /// What concerns more than one deal.
    pub notices: Vec<String>,
    /// SHA-256 of the set that serves, hex.
    pub now: String,
    /// And of the set with the candidate in it.
    pub then: String,
}

/// One deal.
#[derive(Debug, Clone, Serialize)]
pub struct DealDiff {
    /// The connection.
    pub connection: String,
    /// The lane; none for a record that has none yet.
    pub lane: Option<i64>,
    /// The deal's name, as far as it is known.
    pub name: Option<String>,
    /// What would happen with the set that serves, in one word.
    pub now: Would,
    /// And with the candidate in it.
    pub then: Would,
    /// Why, where the candidate would not write.
    pub reason: Option<String>,
    /// What the candidate reads otherwise, and what else it would tell.
    pub tells: Vec<String>,
    /// Writes that only the set that serves would make.
    pub no_longer: Vec<PreviewedWrite>,
    /// Writes that only the candidate would make.
    pub only_then: Vec<PreviewedWrite>,
}

/// Plans every deal of the scope twice: with the set that serves, and with `candidate`. `judged` is called with how many are done, of how many.
///
/// # Errors
/// As [`plan`].
pub async fn diff(
    mut desk: Desk,
    candidate: Arc<PluginSet>,
    connection: Option<&str>,
    scope: &Scope,
    judged: &(dyn Fn(usize, usize) + Sync),
) -> Result<SetDiff, VerbError> {
    let serving = desk.plugins.current();
    let audits = audits(&serving, &candidate);
    let hashes = [&serving, &candidate].map(|set| set.hash().to_owned());
    // One set for all of it, also if somebody drops another file meanwhile.
    desk.plugins = Plugins::Given(Mutex::new(serving));
    let now = plan(&desk, connection, scope, &|done, all| judged(done, 2 * all)).await?;
    desk.plugins = Plugins::Given(Mutex::new(candidate));
    let then = plan(&desk, connection, scope, &|done, all| {
        judged(all + done, 2 * all);
    })
    .await?;
    let [now_hash, then_hash] = hashes;
    Ok(SetDiff {
        now: now_hash,
        then: then_hash,
        ..compare(now, then, &audits)
    })
}

/// One deal that has a lane, as it would be planned with each of two sets, by the judgement of [`diff`].
///
/// # Errors
/// As [`plan`].
pub(crate) async fn diff_lane(
    desk: &Desk,
    serving: &Arc<PluginSet>,
    candidate: &Arc<PluginSet>,
    connection: &str,
    lane: LaneId,
) -> Result<Judged, VerbError> {
    let now = plan_lane(desk, serving, connection, lane).await?;
    let then = plan_lane(desk, candidate, connection, lane).await?;
    let (Some(now), Some(then)) = (now, then) else {
        return Ok(Judged::Same);
    };
    Ok(judge_two(now, then, serving, candidate))
}

/// The same from what the deal's last run saw: neither side is called. None: one of the sets asks for what was not recorded.
///
/// # Errors
/// As [`plan`].
pub(crate) async fn diff_recorded_lane(
    desk: &Desk,
    serving: &Arc<PluginSet>,
    candidate: &Arc<PluginSet>,
    connection: &str,
    lane: LaneId,
    played: &Arc<Played>,
) -> Result<Option<Judged>, VerbError> {
    let Some(state) = desk.store.peek(connection, lane).await? else {
        return Ok(None);
    };
    let now = plan_recorded(desk, serving, connection, lane, &state, played).await?;
    let then = plan_recorded(desk, candidate, connection, lane, &state, played).await?;
    let (Some(now), Some(then)) = (now, then) else {
        return Ok(Some(Judged::Same));
    };
    Ok(match judge_two(now, then, serving, candidate) {
        Judged::Unjudged(_) => None,
        judged => Some(judged),
    })
}

/// Two plans of one deal, with these two sets.
pub(crate) fn judge_two(
    now: Planned,
    then: Planned,
    serving: &PluginSet,
    candidate: &PluginSet,
) -> Judged {
    judge(now, then, &audits(serving, candidate))
}

/// What two plans of a deal come to.
pub(crate) enum Judged {
    /// They are the same.
    Same,
    /// They are not.
    Differs(Box<DealDiff>),
    /// One of them could not be made: the deal's name, and why.
    Unjudged(String),
}

fn judge(now: Planned, then: Planned, audits: &Audits) -> Judged {
    if now.is_unplanned || then.is_unplanned {
        let why = then
            .preview
            .reason
            .or(now.preview.reason)
            .unwrap_or_default();
        let name = then
            .name
            .or(now.name)
            .unwrap_or_else(|| "a deal".to_owned());
        return Judged::Unjudged(format!("{name}: {why}"));
    }
    match of_deal(now, then, audits) {
        Some(deal) => Judged::Differs(Box::new(deal)),
        None => Judged::Same,
    }
}

/// Columns with an audit line, each behind its table.
type Audits = BTreeSet<(String, String)>;

/// The time in an audit line is no difference of the mapping. What else the host fills for a plugin is the same however often it is planned.
fn audits(serving: &PluginSet, candidate: &PluginSet) -> Audits {
    [serving, candidate]
        .into_iter()
        .flat_map(|set| &set.needs().brings)
        .filter(|own| own.role == Some(Role::Audit))
        .map(|own| (own.table.clone(), own.column.clone()))
        .collect()
}

/// What a deal is known by in both plans.
type Key = (String, Option<i64>, Option<String>, Option<String>);

fn key(deal: &Planned) -> Key {
    (
        deal.connection.clone(),
        deal.lane,
        deal.preview
            .referral
            .clone()
            .filter(|_| deal.lane.is_none()),
        deal.preview.crm_row.clone().filter(|_| deal.lane.is_none()),
    )
}

fn compare(now: Plan, then: Plan, audits: &Audits) -> SetDiff {
    let mut before: BTreeMap<Key, Planned> = now
        .deals
        .into_iter()
        .map(|deal| (key(&deal), deal))
        .collect();
    let mut diff = SetDiff {
        deals: Vec::new(),
        same: 0,
        unjudged: Vec::new(),
        notices: now.notices,
        now: String::new(),
        then: String::new(),
    };
    for notice in then.notices {
        if !diff.notices.contains(&notice) {
            diff.notices.push(notice);
        }
    }
    for then in then.deals {
        // A deal that has come or gone between the two plans says nothing about plugins.
        let Some(now) = before.remove(&key(&then)) else {
            continue;
        };
        match judge(now, then, audits) {
            Judged::Same => diff.same += 1,
            Judged::Differs(deal) => diff.deals.push(*deal),
            Judged::Unjudged(why) => diff.unjudged.push(why),
        }
    }
    diff
}

/// None: the same, but for words that the host itself writes.
fn of_deal(now: Planned, then: Planned, audits: &Audits) -> Option<DealDiff> {
    let essence = |write: &PreviewedWrite| {
        let mut write = write.clone();
        write.precondition = None;
        for field in &mut write.fields {
            field.by = None;
            if audits.contains(&(write.record_kind.clone(), field.field.clone())) {
                field.before = None;
                field.after.clear();
            }
        }
        write
    };
    let only_in = |these: &Planned, those: &Planned| -> Vec<PreviewedWrite> {
        let others: Vec<PreviewedWrite> = those.preview.writes.iter().map(essence).collect();
        these
            .preview
            .writes
            .iter()
            .filter(|write| !others.contains(&essence(write)))
            .cloned()
            .collect()
    };
    let deal = DealDiff {
        no_longer: only_in(&now, &then),
        only_then: only_in(&then, &now),
        tells: then
            .preview
            .notes
            .iter()
            .filter(|note| !now.preview.notes.contains(note))
            .cloned()
            .collect(),
        now: now.would,
        then: then.would,
        reason: then
            .preview
            .reason
            .filter(|reason| now.preview.reason.as_ref() != Some(reason)),
        connection: then.connection,
        lane: then.lane,
        name: then.name.or(now.name),
    };
    let is_same = deal.now == deal.then
        && deal.reason.is_none()
        && deal.tells.is_empty()
        && deal.no_longer.is_empty()
        && deal.only_then.is_empty();
    (!is_same).then_some(deal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::{Preview, PreviewedField};

    /// A deal to whose opportunity this is written: table, column and text.
    fn planned(cells: &[(&str, &str, &str)]) -> Planned {
        let write = |(table, column, text): &(&str, &str, &str)| PreviewedWrite {
            kind: "update-row".to_owned(),
            side: "crm".to_owned(),
            record_kind: (*table).to_owned(),
            record: None,
            precondition: None,
            units: Vec::new(),
            fields: vec![PreviewedField {
                field: (*column).to_owned(),
                before: None,
                after: (*text).to_owned(),
                by: Some("acme".to_owned()),
            }],
            irreversible: Vec::new(),
        };
        Planned {
            connection: "contoso".to_owned(),
            lane: Some(1),
            name: None,
            would: Would::Update,
            preview: Preview {
                referral: None,
                crm_table: "opportunity".to_owned(),
                crm_row: None,
                writes: cells.iter().map(write).collect(),
                then: Vec::new(),
                notes: Vec::new(),
                state: None,
                reason: None,
            },
            holds: Vec::new(),
            asks: Vec::new(),
            is_unplanned: false,
        }
    }

    #[test]
    fn of_what_the_host_fills_only_the_words_of_an_audit_line_make_no_difference() {
        let audits = [("opportunity".to_owned(), "log".to_owned())].into();
        let line = ("opportunity", "log", "14:05 - in step");
        let later = ("opportunity", "log", "14:06 - in step");
        let link = ("opportunity", "link", "https://partner.example/1");
        let other = |text| ("account", "log", text);
        for (now, then, is_same) in [
            (&[line, link][..], &[later, link][..], true),
            (&[line, link], &[later], false),
            (&[line], &[], false),
            (&[other("a")], &[other("b")], false),
        ] {
            let judged = judge(planned(now), planned(then), &audits);
            assert_eq!(matches!(judged, Judged::Same), is_same, "{now:?} {then:?}");
        }
    }

    #[test]
    fn a_deal_that_was_not_planned_is_not_the_same() {
        let unplanned = Planned {
            is_unplanned: true,
            ..planned(&[])
        };
        let judged = judge(planned(&[]), unplanned, &Audits::new());
        assert!(matches!(judged, Judged::Unjudged(_)));
    }
}
