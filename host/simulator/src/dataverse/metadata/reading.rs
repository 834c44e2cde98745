//! Reading metadata: lists, single things, casts and expands. (dataverse 3.7)

use serde_json::{Map, Value, json};

use super::Way;
use super::shape::{attributes, definition, global, keys, many, relations};
use crate::dataverse::refusal::{self, Refusal};
use crate::dataverse::route::json_reply;
use crate::dataverse::schema::Table;
use crate::dataverse::store::Db;
use crate::odata::eval::{Case, matches};
use crate::odata::json::Json;
use crate::odata::options::{Expand, Options};
use crate::wire::{Reply, Request};

/// Answers a GET.
pub(super) fn answer(db: &Db, request: &Request, way: &Way) -> Result<Reply, Refusal> {
    let options = Options::read(&request.pairs()).map_err(|error| refusal::query(error.message))?;
    let context = format!("{}/api/data/v9.2/$metadata#{}", request.origin, way.root());
    let schema = &db.schema;
    match way {
        Way::Tables => {
            let tables = schema.tables.values();
            let all = tables.map(|table| with_expands(db, table, &options));
            list(all.collect(), &options, &context)
        }
        Way::Table(table) => {
            let table = super::table(db, table)?;
            single(with_expands(db, table, &options), &options, &context)
        }
        Way::Attributes { table, class } => {
            let all = attributes(super::table(db, table)?, class.as_deref(), &options);
            list(all, &options, &context)
        }
        Way::Attribute {
            table,
            column,
            class,
        } => {
            let all = attributes(super::table(db, table)?, class.as_deref(), &options);
            one(all, "LogicalName", column, &options, &context)
        }
        Way::Part { table, name } => {
            let all = collection(db, super::table(db, table)?, name);
            list(
                all.ok_or_else(|| refusal::no_segment(name))?,
                &options,
                &context,
            )
        }
        Way::Key { table, key } => {
            let all = keys(super::table(db, table)?, db.asked.now);
            one(all, "LogicalName", key, &options, &context)
        }
        Way::Relationships => list(relationships(db), &options, &context),
        Way::Relationship(name) => one(relationships(db), "SchemaName", name, &options, &context),
        Way::Choices => {
            let held = schema.choices.iter();
            let all = held.map(|(name, choices)| global(name, choices, &Options::default()));
            list(all.collect(), &options, &context)
        }
        Way::Choice(name) => {
            let held = schema.choices.get(name).map(Vec::as_slice);
            let all = held.map(|choices| global(name, choices, &Options::default()));
            one(all.into_iter().collect(), "Name", name, &options, &context)
        }
    }
}

/// Every relationship of the organisation.
pub(super) fn relationships(db: &Db) -> Vec<Value> {
    let schema = &db.schema;
    let tables = schema.tables.values();
    let lookups = tables.flat_map(|table| relations(schema, table));
    lookups.chain(many(schema, None)).collect()
}

fn collection(db: &Db, table: &Table, name: &str) -> Option<Vec<Value>> {
    match name {
        "ManyToOneRelationships" => Some(relations(&db.schema, table).collect()),
        "OneToManyRelationships" => {
            let tables = db.schema.tables.values();
            let all = tables.flat_map(|table| relations(&db.schema, table));
            Some(
                all.filter(|relation| relation["ReferencedEntity"] == *table.logical)
                    .collect(),
            )
        }
        "ManyToManyRelationships" => Some(many(&db.schema, Some(table)).collect()),
        "Keys" => Some(keys(table, db.asked.now)),
        _ => None,
    }
}

fn list(all: Vec<Value>, options: &Options, context: &str) -> Result<Reply, Refusal> {
    let kept = all.into_iter().filter(|value| {
        options
            .filter
            .as_ref()
            .is_none_or(|filter| matches(filter, &Json(value), Case::Ignored))
    });
    let mut shown = Vec::new();
    for value in kept {
        shown.push(selected(value, options)?);
    }
    Ok(json_reply(
        200,
        &json!({"@odata.context": context, "value": shown}),
    ))
}

fn one(
    all: Vec<Value>,
    key: &str,
    wanted: &str,
    options: &Options,
    context: &str,
) -> Result<Reply, Refusal> {
    let found = all.into_iter().find(|value| value[key] == wanted);
    let found = found.ok_or_else(|| {
        Refusal::new(
            404,
            "0x80060888",
            format!("Could not find '{wanted}' in the metadata cache."),
        )
    })?;
    single(found, options, context)
}

fn single(value: Value, options: &Options, context: &str) -> Result<Reply, Refusal> {
    let mut out = json!({ "@odata.context": format!("{context}/$entity") });
    if let (Value::Object(out), Value::Object(value)) = (&mut out, selected(value, options)?) {
        out.extend(value);
    }
    Ok(json_reply(200, &out))
}

/// The selected properties, the id, and what was expanded.
pub(super) fn selected(value: Value, options: &Options) -> Result<Value, Refusal> {
    let Some(names) = &options.select else {
        return Ok(value);
    };
    let Value::Object(all) = value else {
        return Ok(value);
    };
    let mut out = Map::new();
    for (name, value) in &all {
        let expanded = options.expand.iter().any(|expand| expand.name == *name);
        if expanded
            || name.starts_with('@')
            || name == "MetadataId"
            || names.iter().any(|wanted| wanted == name)
        {
            out.insert(name.clone(), value.clone());
        }
    }
    match names.iter().find(|wanted| !all.contains_key(*wanted)) {
        Some(unknown) => Err(refusal::query(format!(
            "Could not find a property named '{unknown}' on type 'Microsoft.Dynamics.CRM.MetadataBase'."
        ))),
        None => Ok(Value::Object(out)),
    }
}

fn with_expands(db: &Db, table: &Table, options: &Options) -> Value {
    let mut out = definition(table);
    for Expand { name, options, .. } in &options.expand {
        let items = if name == "Attributes" {
            Some(attributes(table, None, options))
        } else {
            collection(db, table, name)
        };
        if let Some(items) = items {
            let kept = items.into_iter().filter(|value| {
                options
                    .filter
                    .as_ref()
                    .is_none_or(|filter| matches(filter, &Json(value), Case::Ignored))
            });
            out[name.as_str()] = kept
                .filter_map(|value| selected(value, options).ok())
                .collect();
        }
    }
    out
}
