//! What a preview comes to: in one word, in numbers, and what waits for people.

use cosell_store::{CardChange, Change, HoldChange, LaneState};
use cosell_sync::row::RecordKind;
use cosell_sync::side::Side;
use serde_json::Value;

use super::{Planned, PlannedAsk, PlannedHold, Summary, Would};
use crate::desk::Desk;
use crate::pipeline::{MASS, Preview};
use crate::verbs::Moment;

/// What would be held when the round is over.
pub(super) fn holds(change: &Change) -> Vec<PlannedHold> {
    let mut holds: Vec<PlannedHold> = Vec::new();
    for change in &change.holds {
        let (HoldChange::Open { kind, subject, .. } | HoldChange::Close { kind, subject, .. }) =
            change;
        holds.retain(|hold| hold.kind != *kind || hold.subject != *subject);
        if let HoldChange::Open { body, until, .. } = change {
            let body: Value = serde_json::from_str(body).unwrap_or_default();
            let text = |name: &str| body[name].as_str().map(str::to_owned);
            holds.push(PlannedHold {
                kind: kind.clone(),
                subject: subject.clone(),
                before: text("before"),
                after: text("after"),
                consequence: text("consequence").unwrap_or_default(),
                until: until.map(Moment),
            });
        }
    }
    holds
}

/// What is asked already and would still be, and what would be asked.
pub(super) fn asks(state: &LaneState, change: &Change) -> Vec<PlannedAsk> {
    let mut asks: Vec<PlannedAsk> = state
        .cards
        .iter()
        .map(|card| ask(&card.kind, &card.subject, &card.body))
        .collect();
    for change in &change.cards {
        let (CardChange::Open { kind, subject, .. } | CardChange::Close { kind, subject, .. }) =
            change;
        asks.retain(|ask| ask.kind != *kind || ask.subject != *subject);
        if let CardChange::Open { body, .. } = change {
            asks.push(ask(kind, subject, body));
        }
    }
    asks
}

fn ask(kind: &str, subject: &str, body: &str) -> PlannedAsk {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    PlannedAsk {
        kind: kind.to_owned(),
        subject: subject.to_owned(),
        question: body["question"].as_str().unwrap_or_default().to_owned(),
        choices: serde_json::from_value(body["choices"].clone()).unwrap_or_default(),
    }
}

/// The name that a birth gives.
pub(super) fn named_by(preview: &Preview) -> Option<String> {
    let mut units = preview.writes.iter().flat_map(|write| &write.units);
    let name = units.find(|unit| unit.unit == "name")?;
    Some(name.after.trim_matches('"').to_owned())
}

/// What would happen, in one word.
pub(super) fn would(
    preview: &Preview,
    holds: &[PlannedHold],
    asks: &[PlannedAsk],
    unjudged: bool,
) -> Would {
    let deals = [RecordKind::Opportunity, RecordKind::Lead].map(RecordKind::table);
    let is_birth = preview.writes.iter().any(|write| {
        write.kind == "create-referral"
            || (write.kind == "create-row" && deals.contains(&write.record_kind.as_str()))
    });
    match preview.state.as_deref() {
        _ if unjudged => Would::Unjudged,
        None if is_birth => Would::Create,
        None => Would::Update,
        Some("held" | "orphaned") if !asks.is_empty() => Would::Ask,
        Some("held" | "waiting") if !holds.is_empty() => Would::Hold,
        Some("held" | "orphaned") => Would::Ask,
        Some("waiting") => Would::Wait,
        Some("parked") => Would::Refuse,
        Some("paused" | "retired") => Would::Skip,
        Some(_) => Would::InStep,
    }
}

pub(super) fn summary(deals: &[Planned]) -> Summary {
    let mut summary = Summary::default();
    for deal in deals {
        let count = match deal.would {
            Would::Create => &mut summary.create,
            Would::Update => &mut summary.update,
            Would::Skip => &mut summary.skip,
            Would::Refuse => &mut summary.refuse,
            Would::Wait => &mut summary.wait,
            Would::InStep => &mut summary.in_step,
            Would::Unjudged => &mut summary.unjudged,
            // Counted by what is held and asked: a deal that is written to may hold and ask, too.
            Would::Hold | Would::Ask => &mut 0,
        };
        *count += 1;
        summary.hold += deal.holds.len();
        summary.ask += deal.asks.len();
    }
    summary
}

/// A plan is judged deal by deal; the brake would count them all.
pub(super) fn mass(desk: &Desk, deals: &[Planned]) -> Vec<String> {
    let mut notices = Vec::new();
    for (id, connection) in &desk.connections {
        let most = usize::try_from(connection.mass.writes_max).unwrap_or(usize::MAX);
        for side in Side::BOTH {
            let writes = deals
                .iter()
                .filter(|deal| deal.connection == *id)
                .filter(|deal| !deal.holds.iter().any(|hold| hold.kind == MASS))
                .flat_map(|deal| &deal.preview.writes)
                .filter(|write| write.side == side.as_str())
                .count();
            if most > 0 && writes > most {
                notices.push(format!(
                    "{writes} writes would go to {side} of connection \"{id}\": the brake on mass changes holds what comes after {most} within {} minutes, until a person releases it",
                    connection.mass.window_ms / 60_000
                ));
            }
        }
    }
    notices
}
