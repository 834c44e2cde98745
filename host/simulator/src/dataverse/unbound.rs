//! Actions and functions that are bound to nothing. (dataverse 1.2, 2.4, 3.4, 3.8, 3.9)

use http::Method;
use serde_json::{Value, json};

use super::address::{self, Segment};
use super::refusal::{self, Refusal};
use super::route::json_reply;
use super::session::Session;
use super::store::Db;
use super::{actions, bulk, environment, metadata, organization};
use crate::wire::{Reply, Request};

/// Answers one operation.
pub(super) type Operation = fn(&mut Db, &Session, &Request, &Segment) -> Result<Reply, Refusal>;

/// Functions are read with GET, actions ordered with POST.
const OPERATIONS: [(Method, &str, Operation); 14] = [
    (Method::GET, "$metadata", |db, _, _, _| {
        Ok(metadata::csdl(&db.schema))
    }),
    (Method::GET, "WhoAmI", |_, session, request, _| {
        Ok(organization::who_am_i(session, request))
    }),
    (
        Method::GET,
        "RetrieveCurrentOrganization",
        |_, session, request, _| Ok(organization::current(session, request)),
    ),
    (
        Method::GET,
        "RetrieveEnvironmentVariableValue",
        |db, _, request, segment| environment::value(db, request, segment),
    ),
    (
        Method::GET,
        "RetrieveTotalRecordCount",
        |db, _, request, segment| total_record_count(db, request, segment),
    ),
    (Method::POST, "WinOpportunity", |db, session, request, _| {
        actions::close_opportunity(db, session, request, true)
    }),
    (
        Method::POST,
        "LoseOpportunity",
        |db, session, request, _| actions::close_opportunity(db, session, request, false),
    ),
    (Method::POST, "BulkDelete", |db, session, request, _| {
        bulk::delete(db, session, request)
    }),
    (Method::POST, "CreateEntities", |db, session, request, _| {
        metadata::create_entities(db, session, request)
    }),
    (
        Method::POST,
        "CreateCustomerRelationships",
        |db, _, request, _| metadata::create_polymorphic(db, request),
    ),
    (
        Method::POST,
        "CreatePolymorphicLookupAttribute",
        |db, _, request, _| metadata::create_polymorphic(db, request),
    ),
    (Method::POST, "ReactivateEntityKey", |db, _, request, _| {
        metadata::reactivate_key(db, request)
    }),
    // What is published is labels and forms, and nobody looks at those here.
    (Method::POST, "PublishXml", |_, _, request, _| {
        let xml = request.json().unwrap_or_default();
        match xml["ParameterXml"].as_str() {
            Some(_) => Ok(Reply::empty(204)),
            None => Err(refusal::payload(
                "PublishXml",
                "The parameter 'ParameterXml' is missing.",
            )),
        }
    }),
    (Method::POST, "PublishAllXml", |_, _, _, _| {
        Ok(Reply::empty(204))
    }),
];

/// The operation of that name, when this method reaches it.
pub(super) fn operation(method: &Method, name: &str) -> Option<Operation> {
    let mut all = OPERATIONS.iter();
    all.find(|(held, known, _)| held == method && *known == name)
        .map(|(_, _, operation)| *operation)
}

/// A parameter of a function: in its brackets, or through an alias in the query.
pub(super) fn parameter(request: &Request, segment: &Segment, name: &str) -> Option<String> {
    let arguments = address::named(segment.arguments.as_deref()?);
    let (_, value) = arguments.into_iter().find(|(held, _)| held == name)?;
    if !value.starts_with('@') {
        return Some(value);
    }
    let pairs = request.pairs();
    let aliased = pairs.into_iter().find(|(held, _)| *held == value);
    aliased.map(|(_, value)| value)
}

/// `GET /RetrieveTotalRecordCount(EntityNames=['account'])`. The platform's figure is up to a day old; ours is of now.
fn total_record_count(db: &Db, request: &Request, segment: &Segment) -> Result<Reply, Refusal> {
    let names = parameter(request, segment, "EntityNames").unwrap_or_default();
    let names: Vec<&str> = names
        .trim_matches(['[', ']'])
        .split(',')
        .map(|name| name.trim().trim_matches(['\'', '"']))
        .filter(|name| !name.is_empty())
        .collect();
    let mut counts = Vec::new();
    for name in &names {
        if db.schema.table(name).is_none() {
            return Err(Refusal::new(
                404,
                "0x80060888",
                format!("The entity with a name = '{name}' was not found in the MetadataCache."),
            ));
        }
        counts.push(db.rows(name).map_or(0, |rows| rows.live.len()));
    }
    let context = format!(
        "{}/api/data/v9.2/$metadata#Microsoft.Dynamics.CRM.RetrieveTotalRecordCountResponse",
        request.origin
    );
    let collection: Value =
        json!({"Count": names.len(), "IsReadOnly": false, "Keys": names, "Values": counts});
    Ok(json_reply(
        200,
        &json!({"@odata.context": context, "EntityRecordCountCollection": collection}),
    ))
}
