//! The `RemoteExecutionContext` that is posted. (dataverse 4.3)

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::dataverse::cells;
use crate::dataverse::schema::{Column, Kind, Name, Table};
use crate::dataverse::session::Session;
use crate::dataverse::store::{Cell, Db, Event, Row};

const CONTRACTS: &str = "http://schemas.microsoft.com/xrm/2011/Contracts";

/// JSON with the escaped slashes of the platform's dates.
pub(super) fn text(context: &Value) -> String {
    context
        .to_string()
        .replace("\"/Date(", "\"\\/Date(")
        .replace(")/\"", ")\\/\"")
        .replace(CONTRACTS, &CONTRACTS.replace('/', "\\/"))
}

pub(super) fn context(db: &Db, session: &Session, event: &Event, step: &Row) -> Value {
    let table = db.schema.table(&event.table);
    let target = match event.message {
        "Delete" => reference(&event.table, event.id),
        _ => entity(table, event.id, &event.target, true),
    };
    let mut input = vec![json!({"key": "Target", "value": target})];
    if matches!(event.message, "Win" | "Lose") {
        let status = event.target.iter().find_map(|(name, cell)| match cell {
            Some(Cell::Int(status)) if &**name == "statuscode" => Some(*status),
            _ => None,
        });
        input = vec![
            json!({"key": "Status", "value": {"__type": format!("OptionSetValue:{CONTRACTS}"), "Value": status}}),
        ];
        input.insert(0, json!({"key": "OpportunityClose", "value": entity_of("opportunityclose", Uuid::nil(),
            vec![json!({"key": "opportunityid", "value": reference("opportunity", event.id)})], true)}));
    }
    match event.message {
        "CreateMultiple" | "UpdateMultiple" => input = vec![targets(table, event)],
        "Merge" => input = merge_input(event),
        "Associate" | "Disassociate" => input = association_input(event),
        _ => {}
    }
    let mut shared = vec![json!({"key": "IsAutoTransact", "value": true})];
    if let Some(tag) = &event.tag {
        shared.insert(0, json!({"key": "tag", "value": tag}));
    }
    let mut named = Vec::new();
    if let Some(table) = table {
        named.push(json!({"key": &*table.key, "value": event.id.to_string()}));
        if let Some(name) = &event.primary_name {
            named.push(json!({"key": &*table.primary_name, "value": name}));
        }
    }
    let named = json!({"key": "AsynchronousStepPrimaryName", "value": entity_of(&event.table, event.id, named, false)});
    let (mut before, mut after) = images(db, table, event, step);
    if event.message == "Delete" {
        before.insert(0, named);
    } else {
        after.insert(0, named);
    }
    let output = if event.message == "Create" {
        json!([{"key": "id", "value": event.id.to_string()}])
    } else {
        json!([])
    };
    let frame = |stage: i64, parent: Value| {
        json!({
            "BusinessUnitId": session.business_unit.to_string(),
            "CorrelationId": event.correlation.to_string(),
            "Depth": 1,
            "InitiatingUserAzureActiveDirectoryObjectId": Uuid::nil().to_string(),
            "InitiatingUserId": session.user.to_string(),
            "InputParameters": input,
            "IsExecutingOffline": false,
            "IsInTransaction": false,
            "IsOfflinePlayback": false,
            "IsolationMode": 1,
            "MessageName": event.message,
            "Mode": 1,
            "OperationCreatedOn": format!("/Date({}+0000)/", session.now.as_millisecond()),
            "OperationId": db.traces.guid_text(),
            "OrganizationId": session.organization.to_string(),
            "OrganizationName": "simulated",
            "OutputParameters": output,
            "OwningExtension": {"Id": step.id.to_string(), "KeyAttributes": [], "LogicalName": "sdkmessageprocessingstep",
                "Name": step.str("name"), "RowVersion": null},
            "ParentContext": parent,
            "PostEntityImages": after,
            "PreEntityImages": before,
            "PrimaryEntityId": event.id.to_string(),
            "PrimaryEntityName": &*event.table,
            "RequestId": null,
            "SecondaryEntityName": "none",
            "SharedVariables": shared,
            "Stage": stage,
            "UserAzureActiveDirectoryObjectId": Uuid::nil().to_string(),
            "UserId": session.user.to_string(),
        })
    };
    frame(40, frame(30, Value::Null))
}

/// The rows before and after, as the step's images ask for them: 0 is before, 1 after, 2 both. (dataverse 4.2)
fn images(db: &Db, table: Option<&Table>, event: &Event, step: &Row) -> (Vec<Value>, Vec<Value>) {
    let (mut before, mut after) = (Vec::new(), Vec::new());
    let all = db.rows("sdkmessageprocessingstepimage");
    let all = all.into_iter().flat_map(|rows| rows.live.values());
    let of_step = |row: &&std::sync::Arc<Row>| {
        row.reference("sdkmessageprocessingstepid")
            .is_some_and(|(_, id)| id == step.id)
    };
    for image in all.filter(of_step) {
        let alias = image.str("entityalias").unwrap_or_default();
        let wanted: Option<Vec<&str>> = image
            .str("attributes")
            .map(|list| list.split(',').map(str::trim).collect());
        let pictured = |row: &Row| {
            let cells = row.cells.iter();
            let cells = cells
                .filter(|(name, _)| {
                    wanted
                        .as_ref()
                        .is_none_or(|wanted| wanted.contains(&&***name))
                })
                .map(|(name, cell)| (name.clone(), Some(cell.clone())));
            let target: Vec<_> = cells.collect();
            json!({"key": alias, "value": entity(table, event.id, &target, false)})
        };
        let kind = image.int("imagetype").unwrap_or(0);
        if let (0 | 2, Some(row)) = (kind, &event.before) {
            before.push(pictured(row));
        }
        if let (1 | 2, Some(row)) = (kind, &event.after) {
            after.push(pictured(row));
        }
    }
    (before, after)
}

/// All rows of a message about many.
fn targets(table: Option<&Table>, event: &Event) -> Value {
    let members = event.members.iter();
    let entities: Vec<Value> = members
        .map(|(id, target)| entity(table, *id, target, true))
        .collect();
    json!({"key": "Targets", "value": {"__type": format!("EntityCollection:{CONTRACTS}"), "Entities": entities,
        "EntityName": &*event.table, "MinActiveRowVersion": null, "MoreRecords": false, "PagingCookie": null,
        "TotalRecordCount": -1, "TotalRecordCountLimitExceeded": false}})
}

fn cell_of<'e>(event: &'e Event, name: &str) -> Option<&'e Cell> {
    let found = event.target.iter().find(|(held, _)| &**held == name)?;
    found.1.as_ref()
}

/// The winner, and the id of the row that is no more.
fn merge_input(event: &Event) -> Vec<Value> {
    let loser = cells::write(cell_of(event, "subordinateid"));
    vec![
        json!({"key": "Target", "value": reference(&event.table, event.id)}),
        json!({"key": "SubordinateId", "value": loser}),
        json!({"key": "PerformParentingChecks", "value": false}),
    ]
}

/// The row, the relationship by its schema name, and the rows at its other end.
fn association_input(event: &Event) -> Vec<Value> {
    let relationship = cells::write(cell_of(event, "relationship"));
    let related: Vec<Value> = match cell_of(event, "related") {
        Some(Cell::Ref { table, id }) => vec![reference(table, *id)],
        _ => Vec::new(),
    };
    let relationship = json!({"__type": format!("Relationship:{CONTRACTS}"), "PrimaryEntityRole": null, "SchemaName": relationship});
    vec![
        json!({"key": "Target", "value": reference(&event.table, event.id)}),
        json!({"key": "Relationship", "value": relationship}),
        json!({"key": "RelatedEntities", "value": related}),
    ]
}

fn entity(table: Option<&Table>, id: Uuid, target: &[(Name, Option<Cell>)], typed: bool) -> Value {
    let Some(table) = table else {
        return Value::Null;
    };
    let mut attributes = Vec::new();
    if !target.iter().any(|(name, _)| *name == table.key) {
        attributes.push(json!({"key": &*table.key, "value": id.to_string()}));
    }
    let mut labels = Vec::new();
    for (name, cell) in target {
        let Some(column) = table.column(name).filter(|column| column.read) else {
            continue;
        };
        attributes.push(json!({"key": &**name, "value": cell.as_ref().map_or(Value::Null, |cell| value(column, cell))}));
        if let Some(label) = cell
            .as_ref()
            .and_then(|cell| cells::label(column, cell, None))
        {
            labels.push(json!({"key": &**name, "value": label}));
        }
    }
    let mut out = entity_of(&table.logical, id, attributes, typed);
    out["FormattedValues"] = Value::Array(labels);
    out
}

fn entity_of(table: &str, id: Uuid, attributes: Vec<Value>, typed: bool) -> Value {
    let mut out = Map::new();
    if typed {
        out.insert("__type".to_owned(), json!(format!("Entity:{CONTRACTS}")));
    }
    out.insert("Attributes".to_owned(), Value::Array(attributes));
    out.insert("EntityState".to_owned(), Value::Null);
    out.insert("FormattedValues".to_owned(), json!([]));
    out.insert("Id".to_owned(), json!(id.to_string()));
    out.insert("KeyAttributes".to_owned(), json!([]));
    out.insert("LogicalName".to_owned(), json!(table));
    out.insert("RelatedEntities".to_owned(), json!([]));
    out.insert("RowVersion".to_owned(), Value::Null);
    Value::Object(out)
}

fn reference(table: &str, id: Uuid) -> Value {
    json!({"__type": format!("EntityReference:{CONTRACTS}"), "Id": id.to_string(), "KeyAttributes": [], "LogicalName": table,
        "Name": null, "RowVersion": null})
}

fn value(column: &Column, cell: &Cell) -> Value {
    let stamp = |at: Timestamp| json!(format!("/Date({})/", at.as_millisecond()));
    match (&column.kind, cell) {
        (_, Cell::Ref { table, id }) => reference(table, *id),
        (Kind::Choice(_) | Kind::State(_) | Kind::Status(_), Cell::Int(value)) => {
            json!({"__type": format!("OptionSetValue:{CONTRACTS}"), "Value": value})
        }
        (Kind::Choices(_), Cell::Text(text)) => text
            .split(',')
            .filter_map(|part| part.parse::<i64>().ok())
            .map(|value| json!({"__type": format!("OptionSetValue:{CONTRACTS}"), "Value": value}))
            .collect(),
        (Kind::Money { .. }, cell) => {
            json!({"__type": format!("Money:{CONTRACTS}"), "Value": cells::write(Some(cell))})
        }
        (_, Cell::Time(at)) => stamp(*at),
        (_, Cell::Date(date)) => date
            .to_zoned_datetime(jiff::tz::TimeZone::UTC)
            .map_or(Value::Null, |zoned| stamp(zoned.timestamp())),
        (_, cell) => cells::write(Some(cell)),
    }
}
