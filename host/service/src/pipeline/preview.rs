//! A preview: the line up to act, and what would be done there. It takes no lease, writes nothing down and makes no write; what follows
//! executes exactly the script that is shown here, because both are composed by the same function.

use cosell_store::Next;
use cosell_sync::course::{Gate, Presence};
use cosell_sync::deal::{ReferralFacts, Units};
use cosell_sync::hold::Irreversible;
use cosell_sync::merge::Carry;
use cosell_sync::row::{Cell, Reason, RecordKind, Seen};
use cosell_sync::side::{Side, Sides};
use serde::Serialize;

use super::look::{self, Looked, look};
use super::read::read;
use super::run::{Run, reason_of};
use super::script::{What, Write};
use super::{ROUNDS_MAX, Round, compose, permit};
use crate::raw;
use crate::trouble::{Trouble, sentences};

/// What would be done about a deal.
#[derive(Debug, Clone, Serialize)]
pub struct Preview {
    /// Our referral, as far as it is known.
    pub referral: Option<String>,
    /// Logical name of the CRM row's table.
    pub crm_table: String,
    /// The CRM row, as far as it is known.
    pub crm_row: Option<String>,
    /// The writes of the next round, in order.
    pub writes: Vec<PreviewedWrite>,
    /// What follows once they are done.
    pub then: Vec<String>,
    /// Holds, questions, explained differences, mapping deltas: what would be told.
    pub notes: Vec<String>,
    /// Where the deal stands when there is nothing to write: `settled`, `waiting`, `held`, `parked`, `orphaned`, `paused`, `retired`.
    pub state: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

/// One write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PreviewedWrite {
    /// `create-referral`, `patch-referral`, `update-row`, …
    pub kind: String,
    /// `partner-center` or `crm`.
    pub side: String,
    /// `referral`, or the logical name of a table.
    pub record_kind: String,
    /// What is written to; none for a referral that does not exist yet.
    pub record: Option<String>,
    /// Under which version; none for a write that is unconditional or makes a row.
    pub precondition: Option<String>,
    /// The parts of the deal that it carries.
    pub units: Vec<PreviewedUnit>,
    /// Columns or paths, with what stands there now as far as it is known, and what will.
    pub fields: Vec<PreviewedField>,
    /// Kinds of it that cannot be taken back.
    pub irreversible: Vec<String>,
}

/// One part of the deal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PreviewedUnit {
    /// `close-date`
    pub unit: String,
    /// What stands there now.
    pub before: String,
    /// What will stand there.
    pub after: String,
    /// Why.
    pub why: String,
}

/// One column or path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PreviewedField {
    /// Logical name of the column, or JSON path.
    pub field: String,
    /// What stands there now.
    pub before: Option<String>,
    /// What will stand there.
    pub after: String,
    /// Whose word it is.
    pub by: Option<String>,
}

/// Looks, reads, plans and writes out, and stops before act (S1).
///
/// # Errors
/// [`Trouble`]: what would keep the run from going on.
pub async fn preview(run: &mut Run<'_>) -> Result<Preview, Trouble> {
    for _ in 0..ROUNDS_MAX {
        match compose(run).await? {
            Round::Again => {}
            Round::Over(next) => return Ok(over(run, &next)),
            Round::Do(mut scene) => {
                if let Some(next) = permit::brake(run, &scene.script).await? {
                    return Ok(over(run, &next));
                }
                for write in &mut scene.script.writes {
                    look_up(run, write).await?;
                }
                return Ok(Preview {
                    writes: scene.script.writes.iter().map(write).collect(),
                    then: scene.script.then,
                    ..of(run)
                });
            }
        }
    }
    Err(Trouble::Restless { rounds: ROUNDS_MAX })
}

/// Rows that are named by a key are looked up when they are written; a preview shows which ones these are.
async fn look_up(run: &Run<'_>, write: &mut Write) -> Result<(), Trouble> {
    let (What::CreateRow { cells, .. }
    | What::UpdateRow { cells, .. }
    | What::UpdateChild { cells, .. }) = &mut write.what
    else {
        return Ok(());
    };
    for (column, cell) in std::mem::take(cells) {
        let found = match &cell {
            Cell::RowWhere(key) => match run.sees.resolve(key).await {
                Ok(Some(reference)) => Some(Cell::Reference(reference)),
                Ok(None) if key.leave_out_if_missing => None,
                // The write will be refused, in words that name the key.
                Ok(None) => Some(cell),
                // The run of then looked it up when it wrote: the key says as much.
                Err(Trouble::Unrecorded(_)) => Some(cell),
                Err(trouble) => return Err(trouble),
            },
            _ => Some(cell),
        };
        cells.extend(found.map(|cell| (column, cell)));
    }
    Ok(())
}

/// Both sides of a deal as they are read now.
#[derive(Debug, Clone)]
pub struct Views {
    /// Which records are there.
    pub presence: Sides<Presence>,
    /// What they show; nothing on a side whose record is not there.
    pub units: Sides<Units>,
    /// What only Partner Center decides.
    pub facts: Option<ReferralFacts>,
    /// What the deal is in the CRM.
    pub kind: RecordKind,
    /// The row as plugins see it, if it is there.
    pub seen: Option<Seen>,
    /// Why the plugins leave the deal alone, if they do.
    pub off: Option<Reason>,
}

/// Looks and reads, and stops there: for a person who wants to see. None: the records belong to another lane.
///
/// # Errors
/// [`Trouble`]: a side could not be read.
pub async fn views(run: &mut Run<'_>) -> Result<Option<Views>, Trouble> {
    let sight = match look(run).await? {
        Looked::Sight(sight) => *sight,
        Looked::BelongsTo(_) => return Ok(None),
    };
    let reading = read(run, &sight).await?;
    Ok(Some(Views {
        presence: sight.presence,
        units: Sides {
            partner_center: reading.partner_center,
            crm: if sight.row.is_some() {
                reading.crm.units
            } else {
                Units::new()
            },
        },
        facts: reading.facts,
        kind: sight.kind,
        seen: reading.seen,
        off: match reading.gate {
            Gate::Skip(reason) => Some(reason),
            Gate::Sync(_) => None,
        },
    }))
}

/// The records as they are linked, else as the lane's bells name them.
fn of(run: &Run<'_>) -> Preview {
    let table = look::kind(run).table();
    let of_bell = |side: Side, kind: &str| {
        let member = run.members.iter().find(|member| {
            member.side == side.as_str()
                && member.kind == kind
                && !run.notes.left.contains(&member.id)
        });
        member.map(|member| member.id.clone())
    };
    Preview {
        referral: run
            .link
            .referral
            .clone()
            .or_else(|| of_bell(Side::PartnerCenter, crate::records::REFERRAL)),
        crm_table: table.to_owned(),
        crm_row: run
            .link
            .crm_row
            .clone()
            .or_else(|| of_bell(Side::Crm, table)),
        writes: Vec::new(),
        then: Vec::new(),
        notes: run.told(),
        state: None,
        reason: None,
    }
}

fn over(run: &Run<'_>, next: &Next) -> Preview {
    let (state, reason) = match next {
        Next::Settled => ("settled", None),
        Next::Wait { reason, .. } => ("waiting", Some(reason.clone())),
        Next::Parked { reasons, .. } => ("parked", Some(reasons.clone())),
        Next::Held { reason } => ("held", Some(reason.clone())),
        Next::Orphaned { reason } => ("orphaned", Some(reason.clone())),
        Next::Paused { reason } => ("paused", Some(reason.clone())),
        Next::Retired { .. } => ("retired", Some("the deal is another lane's".to_owned())),
    };
    Preview {
        state: Some(state.to_owned()),
        reason,
        ..of(run)
    }
}

/// A run that would end badly, as a preview.
#[must_use]
pub fn refused(run: &Run<'_>, trouble: &Trouble) -> Preview {
    let reason = match trouble {
        Trouble::Refused(reasons) => sentences(reasons),
        other => other.to_string(),
    };
    let state = match trouble {
        Trouble::Refused(_) => "parked",
        Trouble::Asked(_) => "held",
        _ => "waiting",
    };
    Preview {
        state: Some(state.to_owned()),
        reason: Some(reason),
        ..of(run)
    }
}

fn write(write: &Write) -> PreviewedWrite {
    let (record_kind, record) = write.record();
    let irreversible = write.irreversible();
    PreviewedWrite {
        kind: write.kind().as_str().to_owned(),
        side: write.side().as_str().to_owned(),
        record_kind: record_kind.to_owned(),
        record: record.map(str::to_owned),
        precondition: match &write.what {
            What::PatchReferral { etag, .. } => Some(etag.clone()),
            What::UpdateRow { version, .. } => Some(version.etag.clone()),
            What::CreateRow { .. } => Some("none-match".to_owned()),
            _ => None,
        },
        units: units(write),
        fields: fields(write),
        irreversible: irreversible
            .into_iter()
            .map(Irreversible::as_str)
            .map(str::to_owned)
            .collect(),
    }
}

fn units(write: &Write) -> Vec<PreviewedUnit> {
    if let What::CreateReferral { units, .. } | What::CreateRow { units, .. } = &write.what {
        return units
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(unit, value)| PreviewedUnit {
                unit: unit.as_text(),
                before: "nothing".to_owned(),
                after: value.in_words(),
                why: "it is created".to_owned(),
            })
            .collect();
    }
    let unit = |carry: &Carry| PreviewedUnit {
        unit: carry.unit.as_text(),
        before: carry.was.in_words(),
        after: carry.value.in_words(),
        why: reason_of(carry.why).0.to_owned(),
    };
    write.settles.iter().map(unit).collect()
}

fn fields(write: &Write) -> Vec<PreviewedField> {
    let column = |column: &String, cell: &Cell, before: Option<&Cell>| PreviewedField {
        field: column.clone(),
        before: before.map(raw::in_words),
        after: raw::in_words(cell),
        by: write.speakers.get(column).cloned(),
    };
    match &write.what {
        What::PatchReferral { operations, .. } => operations
            .iter()
            .map(|operation| PreviewedField {
                field: operation.path().to_owned(),
                before: None,
                after: operation.value().to_owned(),
                by: None,
            })
            .collect(),
        What::UpdateRow {
            cells,
            held,
            closing,
            ..
        } => {
            let closing = closing.iter().map(|state| PreviewedField {
                field: "statecode, statuscode".to_owned(),
                before: None,
                after: format!("{}, {}", state.statecode, state.statuscode),
                by: None,
            });
            cells
                .iter()
                .map(|(name, cell)| column(name, cell, held.get(name)))
                .chain(closing)
                .collect()
        }
        What::CreateRow { cells, .. } | What::UpdateChild { cells, .. } => cells
            .iter()
            .map(|(name, cell)| column(name, cell, None))
            .collect(),
        _ => Vec::new(),
    }
}
