//! Write out and act, towards the CRM: the plugins say what the row should look like, and what differs is written under the row's etag.

use cosell_plugins::{Draft, Order};
use cosell_remote::dataverse::{Looked, STATE_COLUMN, STATUS_COLUMN};
use cosell_store::Intent;
use cosell_sync::columns::{Cells, ChildWrite, children_to_write, to_write};
use cosell_sync::deal::{Deal, Unit, UnitValue, Units};
use cosell_sync::identity::row_id;
use cosell_sync::merge::{Carry, Plan};
use cosell_sync::row::{
    Cell, Children, Choice, Link, RecordKind, Reference, Related, Row, RowState, Seen,
};
use cosell_sync::side::Side;
use serde_json::json;

use super::ask::rounds;
use super::intents::{self, Kind};
use super::look::{Sight, fetch};
use super::read::{Reading, read_row, without_mark};
use super::run::Run;
use super::{customer, dress};
use crate::raw;
use crate::trouble::Trouble;

/// The state of a won opportunity; the platform's own, in every organisation.
const WON: i32 = 1;

/// Writes what the plan carries to the CRM. True when something was written or settled.
pub(super) async fn carry(
    run: &mut Run<'_>,
    sight: &Sight,
    reading: &Reading,
    plan: &Plan,
) -> Result<bool, Trouble> {
    let (Some(row), Some(seen)) = (&sight.row, &reading.seen) else {
        return Ok(false);
    };
    let mut carries: Vec<&Carry> = plan
        .carries
        .iter()
        .filter(|carry| carry.to == Side::Crm)
        .collect();
    if carries.is_empty() {
        return Ok(false);
    }
    let (before, after, state) = answers(run, sight, reading, seen, &carries).await?;
    run.tell_refusals("the CRM", &after.refusals);
    carries.retain(|carry| {
        !after
            .refusals
            .iter()
            .any(|refusal| refusal.unit == carry.unit)
    });
    if carries.is_empty() {
        return Ok(false);
    }
    // A list takes several calls. If they are cut off in the middle, what the CRM shows then is our own half, and no edit.
    for carry in &carries {
        if matches!(carry.value, UnitValue::Solutions(_) | UnitValue::People(_)) {
            run.notes.underway.insert(carry.unit.as_text());
        }
    }
    let cells = to_write(&cells(&before), &cells(&after), &seen.row.cells);
    let closing = state.as_ref().filter(|state| state.statecode != 0);
    let children: Vec<_> = after
        .children
        .iter()
        .filter(|now| !before.children.iter().any(|then| then.0 == now.0))
        .cloned()
        .collect();
    if write_children(run, sight.kind, &row.seen.row.id, &children, &seen.related).await?
        && closing.is_none()
        && cells.is_empty()
    {
        // Each child closed its own intent; the bases go with the next transaction of this run.
        run.tell_carries(&carries);
        remember(run, sight, &carries, None).await;
        return Ok(true);
    }
    let mut written = cells;
    if let (Some(state), None) = (&state, closing) {
        put_status(state, &mut written);
    }
    if written.is_empty() && closing.is_none() {
        // S7: the row holds all that it can hold of this. Remembered, so that it is never tried again.
        remember(run, sight, &carries, Some(row)).await;
        return Ok(true);
    }
    run.tell_carries(&carries);
    let story = dress::story(&carries);
    dress::ride_along(run, reading, sight.kind, seen, &mut written, &story).await?;
    write(run, sight, row, &written, closing).await?;
    remember(run, sight, &carries, None).await;
    run.close("done", "").await?;
    Ok(true)
}

/// The same question twice: for the deal as the row shows it, and as it should be. And the state, if it crosses.
async fn answers(
    run: &mut Run<'_>,
    sight: &Sight,
    reading: &Reading,
    seen: &Seen,
    carries: &[&Carry],
) -> Result<(Draft, Draft, Option<RowState>), Trouble> {
    let shown = reading.deal_as_crm_shows();
    let mut wanted = shown.clone();
    for carry in carries {
        wanted.units.insert(carry.unit.clone(), run.onto(carry));
    }
    let contacts = customer::known_contacts(&shown);
    let order = |deal: Deal| Order {
        deal,
        existing: Some(seen.clone()),
        account: None,
        contacts: contacts.clone(),
        lead: None,
    };
    let (then, now) = (order(shown), order(wanted));
    let before = rounds!(run, |asking| run.set.write(&asking, sight.kind, &then))?;
    let after = rounds!(run, |asking| run.set.write(&asking, sight.kind, &now))?;
    let state = if carries.iter().any(|carry| carry.unit == Unit::State) {
        rounds!(run, |asking| run.set.write_state(&asking, &now))?.map(|spoken| spoken.value)
    } else {
        None
    };
    Ok((before, after, state))
}

/// The columns of a draft.
pub(super) fn cells(draft: &Draft) -> Cells {
    draft
        .cells
        .iter()
        .map(|(column, (cell, _))| (column.clone(), cell.clone()))
        .collect()
}

fn put_status(state: &RowState, cells: &mut Cells) {
    for (column, code) in [
        (STATE_COLUMN, state.statecode),
        (STATUS_COLUMN, state.statuscode),
    ] {
        cells.insert(
            column.to_owned(),
            Cell::Choice(Choice { code, label: None }),
        );
    }
}

/// One conditional write, under its own intent. The close rides in one change set behind the columns (S15, S16).
pub(super) async fn write(
    run: &mut Run<'_>,
    sight: &Sight,
    row: &Looked,
    cells: &Cells,
    closing: Option<&RowState>,
) -> Result<(), Trouble> {
    let (table, id) = (sight.kind.table(), row.seen.row.id.clone());
    let kind = if closing.is_some() {
        Kind::CloseRow
    } else {
        Kind::UpdateRow
    };
    let target = Run::record(Side::Crm, table, &id);
    let detail = json!({ "columns": cells.keys().collect::<Vec<_>>() });
    let intent: Intent = intents::new(run, kind, target, Some(row.version.etag.clone()), detail);
    let operation = intent.operation.clone();
    run.intend(intent).await?;
    let dataverse = &run.connection.dataverse;
    let call = match closing {
        Some(state) => {
            let won = state.statecode == WON;
            let closed = dataverse
                .close_opportunity(&id, cells, &row.version, state, won, &operation)
                .await;
            // The close has moved the version once more, and did not say to what.
            closed.map(|closed| (String::new(), closed.cut))
        }
        None => {
            let written = dataverse
                .update(table, &id, cells, &row.version, &operation)
                .await;
            written.map(|written| (written.version.etag, written.cut))
        }
    };
    let (etag, cut) = intents::answered(run, call).await?;
    run.link.etags.insert("crm".into(), etag);
    run.tell_cut(&cut);
    Ok(())
}

/// S6: bases move to what the row shows after this very write. It is read again for its joins; if a colleague was faster, and the etag
/// is not the one that our write left, to what was sent.
async fn remember(
    run: &mut Run<'_>,
    sight: &Sight,
    carries: &[&Carry],
    unchanged: Option<&Looked>,
) {
    let Some(row) = &sight.row else { return };
    let now = match unchanged {
        Some(row) => Some(row.clone()),
        None => {
            let left = run.link.etags.get("crm").cloned().unwrap_or_default();
            fetch(run, sight.kind, &row.seen.row.id)
                .await
                .ok()
                .filter(|now| left.is_empty() || now.version.etag == left)
        }
    };
    // The write has happened: nothing that goes wrong from here on may keep it from being remembered.
    let shown = match &now {
        Some(now) => read_again(run, sight, &now.seen).await.ok(),
        None => None,
    };
    let raw = run.keep_raw(&raw::row(now.as_ref().map_or(&row.seen, |now| &now.seen)));
    for carry in carries {
        let sent = run.onto(carry);
        let is_list = matches!(sent, UnitValue::Solutions(_) | UnitValue::People(_));
        let now = shown
            .as_ref()
            .and_then(|shown| shown.get(&carry.unit))
            .filter(|_| !is_list || unchanged.is_some());
        let value = now.unwrap_or(&sent).clone();
        run.remember(&carry.unit, Side::Crm, &value, &raw);
        run.remember_source(carry);
        run.notes.underway.remove(&carry.unit.as_text());
    }
}

/// What the plugins read out of a row that was just written.
pub(super) async fn read_again(
    run: &Run<'_>,
    sight: &Sight,
    seen: &Seen,
) -> Result<Units, Trouble> {
    let seen = without_mark(run, seen).await?;
    Ok(read_row(run, sight, &seen).await?.units)
}

/// The rows that hang from the record: each one under its own intent, its id made from its key (S14). True when one was written.
pub(super) async fn write_children(
    run: &mut Run<'_>,
    kind: RecordKind,
    parent: &str,
    wanted: &[(Children, cosell_plugins::Speaker)],
    related: &[Related],
) -> Result<bool, Trouble> {
    let mut wrote = false;
    for (children, _) in wanted {
        let Some(join) = run
            .set
            .needs()
            .joins
            .iter()
            .find(|join| join.label == children.label)
            .cloned()
        else {
            continue;
        };
        let Link::Child(up) = &join.via else { continue };
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
        for write in children_to_write(children, &there, made) {
            // Only rows that the host itself has made may be deleted; a person's row is let go of (S11).
            let ours = |id: &str| run.made(id);
            match write {
                ChildWrite::Create(child) => {
                    let id = child.id.clone().unwrap_or_else(|| made(&child.key));
                    let mut cells = child.cells;
                    let parent = Reference {
                        table: kind.table().to_owned(),
                        id: parent.to_owned(),
                        name: None,
                    };
                    cells.insert(up.clone(), Cell::Reference(parent));
                    run.note_made(&id);
                    create_row(run, &join.table, &id, &cells).await?;
                }
                ChildWrite::Update { id, cells } => {
                    change_row(run, &join.table, &id, &cells).await?
                }
                ChildWrite::Remove { id } if ours(&id) => delete_row(run, &join.table, &id).await?,
                ChildWrite::Remove { id } => {
                    change_row(
                        run,
                        &join.table,
                        &id,
                        &Cells::from([(up.clone(), Cell::Empty)]),
                    )
                    .await?;
                }
            }
            wrote = true;
        }
    }
    Ok(wrote)
}

/// Changes a row that hangs from the record, under the version that it has now.
async fn change_row(
    run: &mut Run<'_>,
    table: &str,
    id: &str,
    cells: &Cells,
) -> Result<(), Trouble> {
    let columns = cells.keys().cloned().collect();
    let now = run
        .connection
        .dataverse
        .retrieve(table, id, &columns, &[])
        .await?;
    let target = Run::record(Side::Crm, table, id);
    let intent = intents::new(
        run,
        Kind::UpdateRow,
        target,
        Some(now.version.etag.clone()),
        json!({ "columns": columns }),
    );
    let operation = intent.operation.clone();
    run.intend(intent).await?;
    let call = run
        .connection
        .dataverse
        .update(table, id, cells, &now.version, &operation)
        .await;
    intents::answered(run, call).await?;
    run.tell(
        "write",
        format!("changes {table} {id}"),
        &json!({ "table": table, "row": id }),
    );
    run.close("done", "").await
}

/// Deletes a row that the host has made.
async fn delete_row(run: &mut Run<'_>, table: &str, id: &str) -> Result<(), Trouble> {
    let intent = intents::new(
        run,
        Kind::DeleteRow,
        Run::record(Side::Crm, table, id),
        None,
        json!({}),
    );
    let operation = intent.operation.clone();
    run.intend(intent).await?;
    let call = run
        .connection
        .dataverse
        .delete(table, id, None, &operation)
        .await;
    intents::answered(run, call).await?;
    run.tell(
        "write",
        format!("deletes {table} {id}, which the host had made"),
        &json!({ "table": table, "row": id }),
    );
    run.close("done", "").await
}

/// Creates a row whose id we chose; one that is there already is the same row.
pub(super) async fn create_row(
    run: &mut Run<'_>,
    table: &str,
    id: &str,
    cells: &Cells,
) -> Result<(), Trouble> {
    let target = Run::record(Side::Crm, table, id);
    let intent = intents::new(
        run,
        Kind::CreateRow,
        target,
        Some("none-match".into()),
        json!({}),
    );
    let operation = intent.operation.clone();
    run.intend(intent).await?;
    let call = run
        .connection
        .dataverse
        .create(table, id, cells, &operation)
        .await;
    match intents::exists_already(call) {
        Ok(Some(_)) => {
            run.tell(
                "write",
                format!("creates {table} {id}"),
                &json!({ "table": table, "row": id }),
            );
            run.close("done", "").await
        }
        Ok(None) => run.close("adopted", "it was there already").await,
        Err(error) => intents::answered(run, Err(error)).await,
    }
}
