//! Read: the host turns referrals into a deal, the plugins turn the CRM row into one; and the plugins say whether it is kept in step.

use cosell_plugins::{Arrival, Verdict};
use cosell_remote::partner_center::{self, PcView};
use cosell_sync::ability::Phase;
use cosell_sync::course::{Gate, Presence, Situation};
use cosell_sync::deal::{Deal, ReferralFacts, Unit, UnitValue, Units};
use cosell_sync::mark;
use cosell_sync::merge::View;
use cosell_sync::row::{Cell, Reason, RecordKind, Seen};
use cosell_sync::side::{Side, Sides};

use super::ask::rounds;
use super::cards;
use super::look::Sight;
use super::run::Run;
use crate::trouble::Trouble;

/// Both sides in the shared language.
pub(super) struct Reading {
    /// What Partner Center says.
    pub(super) partner_center: Units,
    /// What only Partner Center decides.
    pub(super) facts: Option<ReferralFacts>,
    pc_phase: Phase,
    /// What the CRM says.
    pub(super) crm: cosell_plugins::Reading,
    /// The row as the plugins saw it: its name without the mark.
    pub(super) seen: Option<Seen>,
    /// The platform takes writes to the row, see [`Sight::row_is_open`].
    row_is_open: bool,
    pub(super) gate: Gate,
}

impl Reading {
    /// Of a row alone.
    pub(super) fn of_row(seen: Seen) -> Self {
        Self {
            partner_center: Units::new(),
            facts: None,
            pc_phase: Phase::Unborn,
            crm: cosell_plugins::Reading::default(),
            seen: Some(seen),
            row_is_open: true,
            gate: nobody_decided(),
        }
    }

    /// What is missing, and where a plugin has said so why it could not be read.
    pub(super) fn because(&self, missing: Vec<Reason>) -> Vec<Reason> {
        let unread = &self.crm.refusals;
        let is_about = |reason: &Reason, unit: &Unit| {
            let about = reason.about.as_deref().unwrap_or_default();
            about.split('.').next() == Some(unit.as_text().as_str())
        };
        let why = |reason: Reason| {
            let refusal = unread
                .iter()
                .find(|refusal| is_about(&reason, &refusal.unit));
            refusal.map_or(reason, |refusal| refusal.reason.clone())
        };
        missing.into_iter().map(why).collect()
    }

    /// What the course is decided from.
    pub(super) fn situation<'a>(&'a self, run: &Run<'_>, sight: &Sight) -> Situation<'a> {
        let rang = run
            .bells
            .iter()
            .filter(|bell| bell.rung > bell.answered)
            .map(|bell| bell.since)
            .max();
        Situation {
            presence: sight.presence,
            linked: run.is_linked(),
            gate: &self.gate,
            units: if sight.presence.crm == Presence::Here {
                &self.crm.units
            } else {
                &self.partner_center
            },
            kind: sight.kind,
            closed: sight.is_frozen(),
            row_closed: !sight.row_is_open(),
            reopened: sight.is_frozen() && self.is_reopened(run),
            decided: cards::decided(run),
            born: run.notes.incomplete_since.unwrap_or_else(|| run.now()),
            rang: rang.unwrap_or(run.born),
            now: run.now(),
            patience: run.connection.patience,
        }
    }

    /// The row was closed when both were last in step, and is open again (S19).
    fn is_reopened(&self, run: &Run<'_>) -> bool {
        let is_closed = |value: Option<&UnitValue>| match value {
            Some(UnitValue::State(state)) => Some(state.standing.is_closed()),
            _ => None,
        };
        let base = run.bases.get(&Unit::State);
        is_closed(base.and_then(|base| base.crm.as_ref())) == Some(true)
            && is_closed(self.crm.units.get(&Unit::State)) == Some(false)
    }

    /// For the merge.
    pub(super) fn views(&self) -> Sides<View> {
        let crm_phase = match self.crm.units.get(&Unit::State) {
            // A lead that was qualified without an opportunity, as well.
            _ if !self.row_is_open => Phase::Closed,
            Some(UnitValue::State(state)) if state.standing.is_closed() => Phase::Closed,
            _ => Phase::Open,
        };
        let view = |units: &Units, phase| View {
            units: units.clone(),
            phase,
            round_trip: Units::new(),
        };
        Sides {
            partner_center: view(&self.partner_center, self.pc_phase),
            crm: view(&self.crm.units, crm_phase),
        }
    }

    /// The deal as the CRM shows it, whole: what the CRM is silent about is filled from Partner Center, so that no plugin takes a
    /// silence for an emptied field.
    pub(super) fn deal_as_crm_shows(&self) -> Deal {
        let mut units = self.partner_center.clone();
        units.extend(self.crm.units.clone());
        Deal {
            units,
            referral: self.facts.clone(),
        }
    }

    /// The deal as Partner Center shows it, the same way.
    pub(super) fn deal_as_partner_center_shows(&self) -> Deal {
        let mut units = self.crm.units.clone();
        units.extend(self.partner_center.clone());
        Deal {
            units,
            referral: self.facts.clone(),
        }
    }
}

/// Reads both sides.
pub(super) async fn read(run: &mut Run<'_>, sight: &Sight) -> Result<Reading, Trouble> {
    let view = sight
        .own
        .as_ref()
        .map(|own| partner_center::read(own, sight.microsoft.as_ref(), run.link_base()));
    let (units, facts, pc_phase) = match view {
        Some(PcView {
            units,
            facts,
            frozen,
            shared,
        }) => {
            let phase = if frozen {
                Phase::Closed
            } else if shared || units.get(&Unit::Visibility) == Some(&UnitValue::Flag(true)) {
                Phase::Shared
            } else {
                Phase::Open
            };
            (units, Some(facts), phase)
        }
        None => (Units::new(), None, Phase::Unborn),
    };
    let seen = match &sight.row {
        Some(row) => Some(without_mark(run, &row.seen).await?),
        None => None,
    };
    let crm = match &seen {
        Some(seen) => read_row(run, sight.kind, seen).await?,
        None => cosell_plugins::Reading::default(),
    };
    run.speakers = crm
        .spoken
        .iter()
        .map(|(unit, by)| (unit.clone(), by.to_string()))
        .collect();
    let mut reading = Reading {
        partner_center: units,
        facts,
        pc_phase,
        crm,
        seen,
        row_is_open: sight.row_is_open(),
        gate: nobody_decided(),
    };
    reading.gate = gate(run, sight, &reading).await?;
    Ok(reading)
}

/// What the plugins read out of a row. Our id for the deal is the row's, unless a plugin says otherwise.
pub(super) async fn read_row(
    run: &Run<'_>,
    kind: RecordKind,
    seen: &Seen,
) -> Result<cosell_plugins::Reading, Trouble> {
    let mut reading = rounds!(run, to_deal(kind), |asking| run
        .set
        .read(&asking, kind, seen))?;
    reading
        .units
        .entry(Unit::ExternalReference)
        .or_insert_with(|| UnitValue::Text(Some(seen.row.id.clone())));
    Ok(reading)
}

const fn to_deal(kind: RecordKind) -> &'static str {
    match kind {
        RecordKind::Opportunity => "opportunity.to-deal",
        RecordKind::Lead => "lead.to-deal",
    }
}

/// S28: no plugin ever sees the mark.
pub(super) async fn without_mark(run: &Run<'_>, seen: &Seen) -> Result<Seen, Trouble> {
    let mut seen = seen.clone();
    let primary = run.name_column(&seen.row.table).await?;
    if let Some(Cell::Text(name)) = seen.row.cells.get_mut(&primary) {
        *name = mark::strip(name, run.link.mark.as_deref()).to_owned();
    }
    Ok(seen)
}

async fn gate(run: &Run<'_>, sight: &Sight, reading: &Reading) -> Result<Gate, Trouble> {
    let here = |side: Side| sight.presence[side] == Presence::Here;
    if !here(Side::PartnerCenter) && !here(Side::Crm) {
        return Ok(nobody_decided());
    }
    let arrival = Arrival {
        origin: run.origin(if here(Side::Crm) {
            Side::Crm
        } else {
            Side::PartnerCenter
        }),
        deal: here(Side::PartnerCenter).then(|| reading.deal_as_partner_center_shows()),
        seen: reading.seen.clone(),
        linked: run.is_linked(),
    };
    let verdict = rounds!(run, "should-sync.decide", |asking| run
        .set
        .decide(&asking, arrival.clone()))?;
    Ok(match verdict.map(|spoken| spoken.value) {
        Some(Verdict::Sync(kind)) => Gate::Sync(kind),
        Some(Verdict::Skip(reason)) => Gate::Skip(reason),
        None => nobody_decided(),
    })
}

fn nobody_decided() -> Gate {
    Gate::Skip(Reason {
        code: "nobody-decided".into(),
        message: "no plugin decided whether this deal is kept in step".into(),
        about: None,
        hint: Some("put a plugin with the hook should-sync into the plugin folder; the stock one is 10-opportunity.wasm".into()),
    })
}
