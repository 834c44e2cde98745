//! `cosell deal`: everything about one deal on one screen.

use cosell_store::{Intent, LaneState};
use cosell_sync::course::Presence;
use cosell_sync::deal::{Unit, UnitValue, Units};
use cosell_sync::side::{Side, Sides};
use serde::Serialize;

use super::cards::{CardView, view as card_view};
use super::deals::line;
use super::holds::{HoldView, view as hold_view};
use super::{Archive, DealKey, DealLine, HistoryLine, VerbError, WriteLine};
use crate::desk::Desk;
use crate::link;
use crate::pipeline::{Run, Views, views};
use crate::throttle;
use crate::trouble::sentences;

/// Everything about one deal.
#[derive(Debug, Clone, Serialize)]
pub struct DealView {
    /// The deal in one line.
    #[serde(flatten)]
    pub line: DealLine,
    /// The referral's page for people.
    pub referral_link: Option<String>,
    /// Why the sides could not be read just now; none when they were, or when nobody wanted to.
    pub unreadable: Option<String>,
    /// What was found, or not found, beside the units: a record that is gone, sync that is off.
    pub remarks: Vec<String>,
    /// What both sides show now, and showed when they were last in step.
    pub units: Vec<UnitLine>,
    /// Open questions.
    pub cards: Vec<CardView>,
    /// Writes that wait.
    pub holds: Vec<HoldView>,
    /// A write whose outcome is not known yet, in words.
    pub open_write: Option<String>,
    /// The audit, oldest first.
    pub history: Vec<HistoryLine>,
    /// The writes that it made, oldest first.
    pub writes: Vec<WriteLine>,
}

/// One part of the deal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnitLine {
    /// `close-date`
    pub unit: String,
    /// As read now; none when it was not read.
    pub now: Option<Pair>,
    /// When both were last in step; a side is none as long as nothing is known of it.
    pub in_step: Pair,
    /// Both sides show it now, and not alike.
    pub differs: bool,
}

/// What both sides show.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "the names are the doc")]
pub struct Pair {
    pub partner_center: Option<Shown>,
    pub crm: Option<Shown>,
}

/// A value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// In one line, maybe shortened.
    pub words: String,
    /// Whole, as pairs of path and text.
    pub parts: Vec<(String, String)>,
}

impl Shown {
    pub(super) fn of(value: &UnitValue) -> Self {
        Self {
            words: value.in_words(),
            parts: value.to_parts(),
        }
    }
}

/// Everything about one deal. With `look`, both sides are read now; what keeps them from being read is told, and no error.
///
/// # Errors
/// [`VerbError::NoDeal`] when the lane is not there; [`VerbError::Store`].
pub async fn deal(
    archive: &Archive,
    key: &DealKey,
    look: Option<&Desk>,
) -> Result<DealView, VerbError> {
    let DealKey { connection, .. } = key;
    let lane = key.id();
    let summary = archive.store.lane(connection, lane).await?;
    let state = archive.store.peek(connection, lane).await?;
    let (Some(summary), Some(state)) = (summary, state) else {
        return Err(VerbError::NoDeal {
            asked: key.to_string(),
        });
    };
    let mut line = line(summary, Some(&state));
    let (mut now, mut unreadable, mut remarks) = (None, None, Vec::new());
    if let Some(desk) = look {
        match see(desk, key, &state).await {
            Ok(Some(seen)) => {
                remarks = told(&seen);
                line.name = line.name.or_else(|| name(&seen.units));
                now = Some(seen.units);
            }
            Ok(None) => remarks.push("its records belong to another lane by now".to_owned()),
            Err(why) => unreadable = Some(why),
        }
    }
    let link_base = look.and_then(|desk| desk.connections.get(connection));
    let referral_link = link_base
        .zip(line.referral.as_ref())
        .map(|(at, id)| format!("{}{id}", at.link_base));
    let entries = archive.store.audit(connection, lane).await?;
    let attempts = archive.store.attempts(connection, lane).await?;
    Ok(DealView {
        referral_link,
        unreadable,
        remarks,
        units: units(now.as_ref(), &state),
        cards: state
            .cards
            .iter()
            .map(|card| card_view(card, line.name.clone()))
            .collect(),
        holds: state
            .holds
            .iter()
            .map(|hold| hold_view(hold, line.name.clone()))
            .collect(),
        open_write: state.intent.as_ref().map(open_write),
        history: entries.into_iter().map(HistoryLine::from).collect(),
        writes: attempts.into_iter().map(WriteLine::from).collect(),
        line,
    })
}

async fn see(desk: &Desk, key: &DealKey, state: &LaneState) -> Result<Option<Views>, String> {
    throttle::must_be_open(desk, &key.connection)
        .await
        .map_err(|trouble| trouble.to_string())?;
    let mut run = Run::preview(desk, &key.connection, key.id(), state)
        .map_err(|trouble| trouble.to_string())?;
    views(&mut run).await.map_err(|trouble| trouble.to_string())
}

/// Of a deal that is not linked yet, the name that the side shows which has it.
fn name(units: &Sides<Units>) -> Option<String> {
    let sides = [&units.crm, &units.partner_center];
    sides
        .into_iter()
        .find_map(|units| match units.get(&Unit::Name) {
            Some(UnitValue::Text(text)) => text.clone(),
            _ => None,
        })
}

/// A write that has begun, in words.
pub(super) fn open_write(intent: &Intent) -> String {
    format!(
        "{} {} {}: its outcome is not known yet; the next run looks before anything else",
        intent.kind, intent.target.kind, intent.target.id
    )
}

fn told(views: &Views) -> Vec<String> {
    let mut remarks = Vec::new();
    for side in Side::BOTH {
        match views.presence[side] {
            Presence::Here => {}
            Presence::Never => remarks.push(format!("{side} has no record of it yet")),
            Presence::Gone => remarks.push(format!(
                "its record in {side} cannot be found: it was deleted, or we may not see it"
            )),
        }
    }
    remarks.extend(views.off.as_ref().map(|reason| {
        format!(
            "the plugins leave it alone: {}",
            sentences(std::slice::from_ref(reason))
        )
    }));
    remarks
}

fn units(now: Option<&Sides<Units>>, state: &LaneState) -> Vec<UnitLine> {
    let link = state.link.clone().unwrap_or_default();
    let bases = link::bases(&link);
    let mut known: Vec<Unit> = Unit::NAMED.to_vec();
    let shown = now.into_iter().flat_map(|sides| {
        Side::BOTH
            .into_iter()
            .flat_map(move |side| sides[side].keys())
    });
    let mut more: Vec<Unit> = shown
        .chain(bases.keys())
        .filter(|unit| matches!(unit, Unit::More(_)))
        .cloned()
        .collect();
    more.sort();
    more.dedup();
    known.append(&mut more);
    known
        .into_iter()
        .filter_map(|unit| {
            let seen = now.map(|sides| Sides::of(|side| sides[side].get(&unit)));
            let base = bases.get(&unit);
            let last = Sides::of(|side| base.and_then(|base| base[side].as_ref()));
            let says_something = |value: &&UnitValue| !value.is_empty();
            let worth = [
                seen.and_then(|seen| seen.partner_center),
                seen.and_then(|seen| seen.crm),
                last.partner_center,
                last.crm,
            ];
            worth.iter().flatten().find(|one| says_something(one))?;
            Some(UnitLine {
                unit: unit.as_text(),
                differs: seen.is_some_and(|seen| match (seen.partner_center, seen.crm) {
                    (Some(one), Some(other)) => !cosell_sync::merge::same(one, other),
                    _ => false,
                }),
                now: seen.map(pair),
                in_step: pair(last),
            })
        })
        .collect()
}

fn pair(sides: Sides<Option<&UnitValue>>) -> Pair {
    Pair {
        partner_center: sides.partner_center.map(Shown::of),
        crm: sides.crm.map(Shown::of),
    }
}
