//! Environment variables: a definition with a default, and at most one value of the environment's own. (dataverse 3.9)

use serde_json::json;

use super::address::Segment;
use super::refusal::{self, Refusal};
use super::route::json_reply;
use super::store::Db;
use super::unbound::parameter;
use crate::wire::{Reply, Request};

/// `GET /RetrieveEnvironmentVariableValue(DefinitionSchemaName='…')`: the value row if there is one, else the default.
pub(super) fn value(db: &Db, request: &Request, segment: &Segment) -> Result<Reply, Refusal> {
    let name = parameter(request, segment, "DefinitionSchemaName")
        .ok_or_else(|| refusal::query("The parameter 'DefinitionSchemaName' is missing."))?;
    let name = name.trim_matches('\'').replace("''", "'");
    let live = |table: &str| {
        db.rows(table)
            .into_iter()
            .flat_map(|rows| rows.live.values())
    };
    let mut definitions = live("environmentvariabledefinition");
    let definition = definitions
        .find(|row| {
            row.str("schemaname")
                .is_some_and(|held| held.eq_ignore_ascii_case(&name))
        })
        .ok_or_else(|| refusal::no_row("environmentvariabledefinition", &name))?;
    let mut values = live("environmentvariablevalue");
    let own = values.find(|row| {
        row.reference("environmentvariabledefinitionid")
            .is_some_and(|(_, id)| id == definition.id)
    });
    let value = own
        .and_then(|row| row.str("value"))
        .or(definition.str("defaultvalue"));
    let context = format!(
        "{}/api/data/v9.2/$metadata#Microsoft.Dynamics.CRM.RetrieveEnvironmentVariableValueResponse",
        request.origin
    );
    Ok(json_reply(
        200,
        &json!({"@odata.context": context, "Value": value}),
    ))
}
