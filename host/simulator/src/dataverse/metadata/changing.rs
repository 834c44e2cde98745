//! Changing metadata by PUT of the whole definition, and deleting what is custom. (dataverse 3.8)

use http::Method;
use serde_json::Value;

use super::bodies::{label, required};
use super::making::has_twins;
use super::{Way, invalid, refused, table};
use crate::dataverse::refusal::{self, Refusal};
use crate::dataverse::schema::{Kind, Required};
use crate::dataverse::store::Db;
use crate::wire::{Reply, Request};

/// Answers a PUT or a DELETE.
pub(super) fn answer(db: &mut Db, request: &Request, way: &Way) -> Result<Reply, Refusal> {
    if request.method == Method::DELETE {
        delete(db, request, way)?;
        return Ok(Reply::empty(204));
    }
    let body = request.json().map_err(|error| {
        refusal::payload(
            way.root(),
            format_args!("The body is not valid JSON: {error}"),
        )
    })?;
    match way {
        Way::Table(logical) => put_table(db, logical, &body)?,
        Way::Attribute { table, column, .. } => put_column(db, table, column, &body)?,
        _ => return Err(refusal::method(&request.method)),
    }
    Ok(Reply::empty(204))
}

fn delete(db: &mut Db, request: &Request, way: &Way) -> Result<(), Refusal> {
    match way {
        Way::Table(logical) => {
            let rows = db.rows(logical).into_iter();
            let ids: Vec<_> = rows.flat_map(|rows| rows.live.keys().copied()).collect();
            db.customise(|schema| schema.drop_table(logical))
                .map_err(refused)?;
            for id in ids {
                db.remove(logical, id);
            }
            Ok(())
        }
        Way::Attribute { table, column, .. } => {
            db.customise(|schema| schema.drop_column(table, column))
                .map_err(refused)?;
            db.forget(table, column);
            db.forget(table, &format!("{column}_base"));
            Ok(())
        }
        Way::Choice(name) => db
            .customise(|schema| schema.drop_choice(name))
            .map_err(refused),
        Way::Key { table, key } => db
            .customise(|schema| schema.drop_key(table, key))
            .map_err(refused),
        Way::Relationship(name) => {
            let lookups = super::reading::relationships(db);
            let lookup = lookups.iter().find(|held| held["SchemaName"] == **name);
            let held = |part: &str| lookup.and_then(|held| held[part].as_str());
            let column = held("ReferencingEntity").zip(held("ReferencingAttribute"));
            db.customise(|schema| schema.drop_relationship(name))
                .map_err(refused)?;
            if let Some((table, column)) = column {
                db.forget(table, column);
            }
            Ok(())
        }
        _ => Err(refusal::method(&request.method)),
    }
}

fn put_table(db: &mut Db, logical: &str, body: &Value) -> Result<(), Refusal> {
    let held = table(db, logical)?;
    let tracked = body["ChangeTrackingEnabled"].as_bool();
    if held.tracked && tracked == Some(false) {
        return Err(invalid(
            "Change tracking that was enabled once cannot be disabled.",
        ));
    }
    let display = label(&body["DisplayName"]);
    db.customise(|schema| {
        if let Some(table) = schema.tables.get_mut(logical) {
            table.tracked = tracked.unwrap_or(table.tracked);
            table.display = display.or(table.display.take());
        }
        Ok(())
    })
    .map_err(refused)
}

fn put_column(db: &mut Db, logical: &str, name: &str, body: &Value) -> Result<(), Refusal> {
    let held = table(db, logical)?.column(name).cloned();
    let mut column = held.ok_or_else(|| refusal::no_segment(name))?;
    let length = body["MaxLength"]
        .as_u64()
        .and_then(|length| usize::try_from(length).ok());
    if let (Kind::Text { max } | Kind::Memo { max }, Some(length)) = (&mut column.kind, length) {
        *max = length.max(1);
    }
    if let Kind::Int { min, max } = &mut column.kind {
        *min = body["MinValue"].as_i64().unwrap_or(*min);
        *max = body["MaxValue"].as_i64().unwrap_or(*max);
    }
    // The level that the platform itself needs is not a customiser's to change.
    if column.required != Required::System && !body["RequiredLevel"].is_null() {
        column.required = required(body);
    }
    column.display = label(&body["DisplayName"]).or(column.display);
    db.customise(|schema| schema.replace_column(logical, column))
        .map_err(refused)
}

/// `POST /ReactivateEntityKey`: orders the index of a failed key again.
pub(crate) fn reactivate(db: &mut Db, request: &Request) -> Result<Reply, Refusal> {
    let body = request.json().unwrap_or_default();
    let word = |name: &str| body[name].as_str().unwrap_or_default().to_lowercase();
    let (logical, name) = (word("EntityLogicalName"), word("EntityKeyLogicalName"));
    let held = table(db, &logical)?;
    let key = held.keys.iter().find(|key| key.logical_name() == name);
    let columns = key.map(|key| key.columns.clone());
    let columns = columns.ok_or_else(|| invalid(format!("There is no key '{name}'.")))?;
    let (failed, now) = (has_twins(db, &logical, &columns), db.asked.now);
    db.customise(|schema| {
        let table = schema.tables.get_mut(logical.as_str());
        let mut keys = table.into_iter().flat_map(|table| &mut table.keys);
        if let Some(key) = keys.find(|key| key.logical_name() == name) {
            (key.failed, key.ordered) = (failed, Some(now));
        }
        Ok(())
    })
    .map_err(refused)?;
    Ok(Reply::empty(204))
}
