//! Creating, changing and deleting rows. (dataverse 2.2, 2.5, 2.6, 3.6)

use std::sync::Arc;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::refusal::{self, Refusal};
use super::rules;
use super::schema::{Kind, Name, Required};
use super::session::Session;
use super::store::{Cell, Db, Event, Row};
use super::{actions, associate, index, payload};

/// Deepest nesting of a deep insert.
const INSERT_DEPTH_MAX: usize = 8;

/// Creates a row, and what is nested in it. `id` is the address of an upsert; `extra` its key columns.
pub(super) fn create(
    db: &mut Db,
    session: &Session,
    table: &Name,
    body: &Map<String, Value>,
    id: Option<Uuid>,
    extra: Vec<(Name, Cell)>,
    depth: usize,
) -> Result<Uuid, Refusal> {
    if depth > INSERT_DEPTH_MAX {
        return Err(refusal::payload(table, "The rows are nested too deeply."));
    }
    let mut payload = payload::read(db, session, table, body, true)?;
    for (column, target, body) in std::mem::take(&mut payload.parents) {
        let parent = create(db, session, &target, &body, None, Vec::new(), depth + 1)?;
        payload.set(
            &column,
            Some(Cell::Ref {
                table: target,
                id: parent,
            }),
        );
    }
    for (column, cell) in extra {
        if payload.get(&column).is_none() {
            payload.set(&column, Some(cell));
        }
    }
    let children = std::mem::take(&mut payload.children);
    let key = db
        .schema
        .table(table)
        .map(|table| table.key.clone())
        .ok_or_else(|| refusal::no_segment(table))?;
    let given = match payload.get(&key) {
        Some(Some(Cell::Guid(id))) => Some(*id),
        _ => None,
    };
    let id = id.or(given).unwrap_or_else(|| db.ids.guid());
    if db.row(table, id).is_some() {
        return Err(refusal::exists());
    }
    payload.set(&key, Some(Cell::Guid(id)));
    rules::before_create(db, session, table, &mut payload)?;
    let mut row = Row::blank(id);
    for (name, cell) in &payload.cells {
        if let Some(cell) = cell {
            row.cells.insert(name.clone(), cell.clone());
        }
    }
    rules::stamp_created(session, &mut row);
    rules::compute(db, table, &mut row)?;
    required_columns(db, table, &row)?;
    unique_keys(db, table, &row)?;
    let made = db.put(table, row);
    raise(db, "Create", table, (None, Some(&made)), payload.cells);
    for (child, column, body) in children {
        let mut body = body;
        let target = db
            .schema
            .table(table)
            .map(|table| table.set.clone())
            .unwrap_or_default();
        let navigation = navigation_to(db, &child, &column, table)
            .ok_or_else(|| refusal::payload(table, "The nested rows cannot refer to this one."))?;
        body.insert(
            format!("{navigation}@odata.bind"),
            Value::String(format!("/{target}({id})")),
        );
        create(db, session, &child, &body, None, Vec::new(), depth + 1)?;
    }
    Ok(id)
}

fn navigation_to(db: &Db, table: &str, column: &str, target: &str) -> Option<String> {
    let Kind::Lookup(targets) = &db.schema.table(table)?.column(column)?.kind else {
        return None;
    };
    targets
        .iter()
        .find(|held| *held.table == *target)
        .map(|held| held.navigation.clone())
}

/// Changes a row. State, owner and other columns are separate updates with a version and an event each.
pub(super) fn update(
    db: &mut Db,
    session: &Session,
    table: &Name,
    id: Uuid,
    body: &Map<String, Value>,
) -> Result<(), Refusal> {
    let mut payload = payload::read(db, session, table, body, false)?;
    rules::before_update(db, session, table, id, &mut payload)?;
    let closed = db.row(table, id).and_then(|row| row.int("statecode")) != Some(0);
    let reopened = &**table == "opportunity" && closed && payload.int("statecode") == Some(0);
    let is_state = |name: &Name| matches!(&**name, "statecode" | "statuscode");
    let (state, rest): (Vec<_>, Vec<_>) = payload
        .cells
        .into_iter()
        .partition(|(name, _)| is_state(name));
    let (owner, other): (Vec<_>, Vec<_>) =
        rest.into_iter().partition(|(name, _)| &**name == "ownerid");
    let nothing = state.is_empty() && owner.is_empty();
    if !other.is_empty() || nothing {
        apply(db, session, table, id, other)?;
    }
    for part in [owner, state] {
        if !part.is_empty() {
            apply(db, session, table, id, part)?;
        }
    }
    if reopened && session.assumptions.reopening_makes_close_row() {
        actions::note_reopening(db, session, id)?;
    }
    Ok(())
}

/// One update with one version and one event.
pub(super) fn apply(
    db: &mut Db,
    session: &Session,
    table: &Name,
    id: Uuid,
    changes: Vec<(Name, Option<Cell>)>,
) -> Result<(), Refusal> {
    let before = db
        .row(table, id)
        .cloned()
        .ok_or_else(|| refusal::no_row(table, id))?;
    let mut row = (*before).clone();
    for (name, cell) in &changes {
        match cell {
            Some(cell) => row.cells.insert(name.clone(), cell.clone()),
            None => row.cells.remove(name),
        };
    }
    rules::stamp_modified(session, &mut row);
    rules::compute(db, table, &mut row)?;
    required_columns(db, table, &row)?;
    unique_keys(db, table, &row)?;
    let mut target = changes;
    for name in ["modifiedon", "modifiedby", "modifiedonbehalfby"] {
        target.push((name.into(), row.cells.get(name).cloned()));
    }
    let after = db.put(table, row);
    raise(db, "Update", table, (Some(&before), Some(&after)), target);
    Ok(())
}

/// Deletes a row; lookups that refer to it become empty.
pub(super) fn delete(db: &mut Db, table: &Name, id: Uuid) -> Result<(), Refusal> {
    let row = db
        .row(table, id)
        .cloned()
        .ok_or_else(|| refusal::no_row(table, id))?;
    let holders = associate::holders(db, table, id);
    if &**table == "serviceendpoint"
        && holders
            .iter()
            .any(|(child, ..)| &**child == "sdkmessageprocessingstep")
    {
        return Err(Refusal::new(
            405,
            "0x80040227",
            "The object you tried to delete is associated with another object and cannot be deleted.",
        ));
    }
    for (child, column, holder) in holders {
        if let Some(mut row) = db.row(&child, holder).map(|row| (**row).clone()) {
            row.cells.remove(&column);
            db.put(&child, row);
        }
    }
    for (relationship, here_is_first) in associate::relationships(db, table) {
        for other in db.linked(relationship, id, here_is_first) {
            db.link(
                relationship,
                associate::pair(id, other, here_is_first),
                false,
            );
        }
    }
    raise(db, "Delete", table, (Some(&row), None), Vec::new());
    db.remove(table, id);
    Ok(())
}

/// Remembers an event for webhooks.
pub(super) fn raise(
    db: &mut Db,
    message: &'static str,
    table: &Name,
    rows: (Option<&Arc<Row>>, Option<&Arc<Row>>),
    target: Vec<(Name, Option<Cell>)>,
) {
    let (before, after) = rows;
    let Some(row) = after.or(before) else { return };
    let held = db.schema.table(table);
    let primary_name = held.and_then(|held| row.str(&held.primary_name));
    let event = Event {
        target,
        primary_name: primary_name.map(str::to_owned),
        before: before.cloned(),
        after: after.cloned(),
        ..Event::new(message, table.clone(), row.id)
    };
    db.events.push(event);
}

fn required_columns(db: &Db, table: &str, row: &Row) -> Result<(), Refusal> {
    let Some(table) = db.schema.table(table) else {
        return Ok(());
    };
    for column in table
        .columns
        .values()
        .filter(|column| column.required == Required::System)
    {
        if !row.cells.contains_key(&column.logical) {
            return Err(refusal::required(&column.logical));
        }
    }
    Ok(())
}

fn unique_keys(db: &Db, table: &str, row: &Row) -> Result<(), Refusal> {
    let Some(table) = db.schema.table(table) else {
        return Ok(());
    };
    for key in table.keys.iter().filter(|key| !key.failed) {
        let columns = &key.columns;
        let values: Option<Vec<&Cell>> =
            columns.iter().map(|column| row.cells.get(column)).collect();
        // Null is allowed in a key, and not held to be unique.
        let Some(values) = values else { continue };
        let wanted: Vec<String> = values.into_iter().map(index::of_cell).collect();
        let names: Vec<&Name> = columns.iter().collect();
        let rows = db
            .rows(&table.logical)
            .into_iter()
            .flat_map(|rows| rows.candidates(&names, &wanted));
        let twin = rows.filter(|other| other.id != row.id).find(|other| {
            columns.iter().zip(&wanted).all(|(column, wanted)| {
                let held = other.cells.get(column);
                held.is_some_and(|held| index::of_cell(held) == *wanted)
            })
        });
        if let Some(twin) = twin {
            return Err(Refusal::new(
                412,
                "0x80060892",
                format!(
                    "Entity Key {} violated. A record with the same value for {} already exists. A duplicate record cannot be created. Select one or more unique values and try again. <DuplicateAttributes/><EntityName>{}</EntityName><Id>{}</Id>",
                    key.display(),
                    columns.join(", "),
                    table.logical,
                    twin.id
                ),
            ));
        }
    }
    Ok(())
}
