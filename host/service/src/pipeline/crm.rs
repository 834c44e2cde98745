//! Write out, towards the CRM: the plugins say what the row should look like, and what differs is to be written under the row's etag.

use std::collections::BTreeMap;

use cosell_plugins::{Draft, Order, Speaker};
use cosell_remote::dataverse::{STATE_COLUMN, STATUS_COLUMN};
use cosell_sync::columns::{Cells, ChildWrite, children_to_write, to_write};
use cosell_sync::deal::{Deal, Unit, Units};
use cosell_sync::identity::row_id;
use cosell_sync::merge::{Carry, Plan};
use cosell_sync::row::{
    Cell, Child, Children, Choice, Join, Link, RecordKind, Reference, Related, Row, RowState, Seen,
};
use cosell_sync::side::Side;

use super::ask::rounds;
use super::look::Sight;
use super::read::{Reading, read_row, without_mark};
use super::run::Run;
use super::script::{Newborn, What, Write};
use super::{customer, dress};
use crate::trouble::Trouble;

/// The state of a won opportunity, and of a qualified lead; the platform's own, in every organisation.
pub(super) const WON: i32 = 1;

/// What the plan carries to the CRM, as writes. What the row holds already as far as it can is settled here, without a write (S7).
pub(super) async fn write_out(
    run: &mut Run<'_>,
    sight: &Sight,
    reading: &Reading,
    plan: &Plan,
) -> Result<Vec<Write>, Trouble> {
    let (Some(row), Some(seen)) = (&sight.row, &reading.seen) else {
        return Ok(Vec::new());
    };
    let mut carries: Vec<&Carry> = plan
        .carries
        .iter()
        .filter(|carry| carry.to == Side::Crm)
        .collect();
    if carries.is_empty() {
        return Ok(Vec::new());
    }
    let (before, after, state, mut writes) = answers(run, sight, reading, seen, &carries).await?;
    run.tell_refusals("the CRM", &after.refusals);
    carries.retain(|carry| {
        !after
            .refusals
            .iter()
            .any(|refusal| refusal.unit == carry.unit)
    });
    if carries.is_empty() {
        return Ok(Vec::new());
    }
    let settles: Vec<Carry> = carries.iter().copied().cloned().collect();
    // A list takes several calls. If they are cut off in the middle, what the CRM shows then is our own half, and no edit.
    for carry in &carries {
        run.begin_half(carry);
    }
    let changed: Vec<_> = after
        .children
        .iter()
        .filter(|now| !before.children.iter().any(|then| then.0 == now.0))
        .cloned()
        .collect();
    writes.extend(child_writes(
        run,
        sight.kind,
        &row.seen.row.id,
        &changed,
        &seen.related,
    ));
    let mut written = to_write(&cells(&before), &cells(&after), &seen.row.cells);
    // Only an opportunity is closed by an activity of its own; a lead is disqualified like any other change.
    let closing = state
        .as_ref()
        .filter(|state| state.statecode != 0 && sight.kind == RecordKind::Opportunity);
    // A lead is qualified by a course of its own, and never by a column (S17).
    let qualifies = sight.kind == RecordKind::Lead
        && state.as_ref().is_some_and(|state| state.statecode == WON);
    if let (Some(state), None, false) = (&state, closing, qualifies) {
        put_status(state, &seen.row.cells, &mut written);
    }
    if written.is_empty() && closing.is_none() {
        match writes.last_mut() {
            Some(last) => last.settles = settles,
            None => settle_as_it_is(run, reading, &settles),
        }
        return Ok(writes);
    }
    let speakers = speakers(&after, &written);
    let story = dress::story(&carries);
    // The invitation is a write of the same script, and comes before this one.
    let invites = plan
        .carries
        .iter()
        .any(|carry| carry.unit == Unit::Help && carry.to == Side::PartnerCenter);
    let told = dress::Told {
        story: &story,
        invites,
    };
    let mark = dress::ride_along(run, reading, sight.kind, seen, &mut written, told).await?;
    writes.push(Write {
        what: dress::update(sight.kind, row, written, mark, closing.cloned()),
        settles,
        speakers,
    });
    Ok(writes)
}

/// S7: the row holds all that it can hold of this. Remembered as it shows it, so that it is never tried again.
fn settle_as_it_is(run: &mut Run<'_>, reading: &Reading, settles: &[Carry]) {
    let raw = run.raw_of(Side::Crm);
    run.settle(settles, &reading.crm.units, &raw);
    run.forget_halves(settles);
}

/// The same question twice: for the deal as the row shows it, and as it should be. And the state, if it crosses. And the people that the
/// CRM does not know yet, as writes that come first.
async fn answers(
    run: &mut Run<'_>,
    sight: &Sight,
    reading: &Reading,
    seen: &Seen,
    carries: &[&Carry],
) -> Result<(Draft, Draft, Option<RowState>, Vec<Write>), Trouble> {
    let shown = reading.deal_as_crm_shows();
    let mut wanted = shown.clone();
    for carry in carries {
        wanted.units.insert(carry.unit.clone(), carry.value.clone());
    }
    let (contacts, made) = if carries.iter().any(|carry| carry.unit == Unit::Contacts) {
        customer::new_contacts(run, &shown, &wanted).await?
    } else {
        (customer::known_contacts(&wanted), Vec::new())
    };
    let order = |deal: Deal, contacts| Order {
        deal,
        existing: Some(seen.clone()),
        account: None,
        contacts,
        lead: None,
    };
    let known = customer::known_contacts(&shown);
    let (then, now) = (order(shown, known), order(wanted, contacts));
    let name = to_row(sight.kind);
    let before = rounds!(run, name, |asking| run
        .set
        .write(&asking, sight.kind, &then))?;
    let after = rounds!(run, name, |asking| run.set.write(&asking, sight.kind, &now))?;
    let state = if carries.iter().any(|carry| carry.unit == Unit::State) {
        rounds!(run, "status.to-row", |asking| run
            .set
            .write_state(&asking, sight.kind, &now))?
        .map(|spoken| spoken.value)
    } else {
        None
    };
    // A person for whom the row has no place is not made: nobody would ever find out who that is.
    let made = made
        .into_iter()
        .filter(|write| write.record().1.is_some_and(|id| names(&after, id)))
        .collect();
    Ok((before, after, state, made))
}

/// The question for a row's columns.
pub(super) const fn to_row(kind: RecordKind) -> &'static str {
    match kind {
        RecordKind::Opportunity => "opportunity.to-row",
        RecordKind::Lead => "lead.to-row",
    }
}

/// Whether the answer points to this row.
fn names(draft: &Draft, id: &str) -> bool {
    let is_it = |cell: &Cell| matches!(cell, Cell::Reference(row) if row.id == id);
    draft.cells.values().any(|(cell, _)| is_it(cell))
        || draft
            .children
            .iter()
            .flat_map(|one| &one.0.rows)
            .any(|child| child.id.as_deref() == Some(id) || child.cells.values().any(is_it))
}

/// The columns of a draft.
pub(super) fn cells(draft: &Draft) -> Cells {
    draft
        .cells
        .iter()
        .map(|(column, (cell, _))| (column.clone(), cell.clone()))
        .collect()
}

/// Whose word each written column is.
pub(super) fn speakers(draft: &Draft, written: &Cells) -> BTreeMap<String, String> {
    draft
        .cells
        .iter()
        .filter(|(column, _)| written.contains_key(*column))
        .map(|(column, (_, by))| (column.clone(), by.to_string()))
        .collect()
}

fn put_status(state: &RowState, held: &Cells, cells: &mut Cells) {
    let codes = [
        (STATE_COLUMN, state.statecode),
        (STATUS_COLUMN, state.statuscode),
    ];
    let choices = codes.map(|(column, code)| (column, Cell::Choice(Choice { code, label: None })));
    let is_there =
        |(column, cell): &(&str, Cell)| held.get(*column).is_some_and(|held| held.same(cell));
    // Both or none: the status reason belongs to its state.
    if !choices.iter().all(is_there) {
        cells.extend(choices.map(|(column, cell)| (column.to_owned(), cell)));
    }
}

/// What the plugins read out of a row that was just written.
pub(super) async fn read_again(
    run: &Run<'_>,
    kind: RecordKind,
    seen: &Seen,
) -> Result<Units, Trouble> {
    let seen = without_mark(run, seen).await?;
    Ok(read_row(run, kind, &seen).await?.units)
}

/// The rows that should hang from the record, as writes: ids of new ones are made from their keys (S14), and of those that are no longer
/// wanted only the host's own are deleted (S11).
pub(super) fn child_writes(
    run: &Run<'_>,
    kind: RecordKind,
    parent: &str,
    wanted: &[(Children, Speaker)],
    related: &[Related],
) -> Vec<Write> {
    let mut writes = Vec::new();
    for (children, by) in wanted {
        let Some(join) = run
            .set
            .needs()
            .joins
            .iter()
            .find(|join| join.label == children.label)
        else {
            continue;
        };
        let there: Vec<Row> = related
            .iter()
            .find(|one| one.label == children.label)
            .map(|one| one.rows.clone())
            .unwrap_or_default();
        let made = |key: &str| {
            row_id(
                &run.connection.id,
                &join.table,
                &format!("{parent}|{}|{key}", children.label),
                0,
            )
        };
        let parent = Reference {
            table: kind.table().to_owned(),
            id: parent.to_owned(),
            name: None,
        };
        for write in children_to_write(children, &there, made) {
            let whats = match &join.via {
                Link::Child(up) => vec![hanging(run, join, up, &parent, write)],
                Link::Many(relationship) => linked(run, join, relationship, &parent, write),
                // One row that a column points to is no list.
                Link::Lookup(_) => Vec::new(),
            };
            writes.extend(whats.into_iter().map(|what| Write {
                speakers: BTreeMap::from([(children.label.clone(), by.to_string())]),
                ..Write::of(what)
            }));
        }
    }
    writes
}

/// Rows that point up to the record.
fn hanging(run: &Run<'_>, join: &Join, up: &str, parent: &Reference, write: ChildWrite) -> What {
    let table = join.table.clone();
    match write {
        ChildWrite::Create(child) => {
            let mut cells = child.cells;
            cells.insert(up.to_owned(), Cell::Reference(parent.clone()));
            newborn(table, child.id.unwrap_or_default(), cells)
        }
        ChildWrite::Update { id, cells } => What::UpdateChild { table, id, cells },
        ChildWrite::Remove { id } if run.made(&id) => What::DeleteChild { table, id },
        ChildWrite::Remove { id } => What::UpdateChild {
            table,
            id,
            cells: Cells::from([(up.to_owned(), Cell::Empty)]),
        },
    }
}

/// Rows that a many-to-many relationship connects: an id names a row that is there already, and is connected; without one, the row is
/// made first. Taking one off never deletes it: others may use it.
fn linked(
    run: &Run<'_>,
    join: &Join,
    relationship: &str,
    parent: &Reference,
    write: ChildWrite,
) -> Vec<What> {
    let associate = |id: String, link: bool| What::Associate {
        table: parent.table.clone(),
        id: parent.id.clone(),
        relationship: relationship.to_owned(),
        other: Reference {
            table: join.table.clone(),
            id,
            name: None,
        },
        link,
    };
    match write {
        ChildWrite::Create(Child { key, id, cells }) => {
            let made = row_id(
                &run.connection.id,
                &join.table,
                &format!("{}|{}|{key}", parent.id, join.label),
                0,
            );
            match id {
                Some(id) if id != made => vec![associate(id, true)],
                _ => vec![
                    newborn(join.table.clone(), made.clone(), cells),
                    associate(made, true),
                ],
            }
        }
        ChildWrite::Update { id, cells } => vec![What::UpdateChild {
            table: join.table.clone(),
            id,
            cells,
        }],
        ChildWrite::Remove { id } => vec![associate(id, false)],
    }
}

fn newborn(table: String, id: String, cells: Cells) -> What {
    What::CreateRow {
        table,
        id,
        cells,
        newborn: Newborn::Child,
        mark: None,
        units: Units::new(),
    }
}
