//! Making metadata: tables, columns, lookups with their relationships, keys, global choices. (dataverse 3.8)

use serde_json::{Value, json};

use super::bodies::{
    bound, label, length, missing, options, precision, required, schema_name, text,
};
use super::shape::metadata_id;
use super::{Way, invalid, refused, table};
use crate::dataverse::refusal::{self, Refusal};
use crate::dataverse::route::json_reply;
use crate::dataverse::schema::{
    AlternateKey, Choice, Column, Kind, ManyToMany, Name, Target, plain_column,
};
use crate::dataverse::seed;
use crate::dataverse::session::Session;
use crate::dataverse::store::{Cell, Db};
use crate::wire::{Reply, Request};

/// Longest texts.
const TEXT_MAX: u64 = 4_000;
const MEMO_MAX: u64 = 1_048_576;
/// Most columns in an alternate key, and most keys of a table.
const KEY_COLUMNS_MAX: usize = 16;
const KEYS_MAX: usize = 10;

/// Answers a POST to a collection of metadata.
pub(super) fn answer(
    db: &mut Db,
    session: &Session,
    request: &Request,
    way: &Way,
) -> Result<Reply, Refusal> {
    let body = request.json().map_err(|error| {
        refusal::payload(
            way.root(),
            format_args!("The body is not valid JSON: {error}"),
        )
    })?;
    let address = match way {
        Way::Tables => {
            let logical = make_table(db, session, &body)?;
            format!("EntityDefinitions({})", metadata_id(&[&logical]))
        }
        Way::Attributes { table, class: None } => {
            let column = column(db, &body)?;
            let id = metadata_id(&[table, &column.logical]);
            db.customise(|schema| schema.add_column(table, column))
                .map_err(refused)?;
            format!(
                "EntityDefinitions({})/Attributes({id})",
                metadata_id(&[table])
            )
        }
        Way::Part { table, name } if name == "Keys" => {
            let logical = make_key(db, session, table, &body)?;
            let id = metadata_id(&["key", table, &logical]);
            format!("EntityDefinitions({})/Keys({id})", metadata_id(&[table]))
        }
        Way::Relationships => {
            let schema_name = make_relationship(db, &body)?;
            let id = metadata_id(&["relationship", &schema_name]);
            format!("RelationshipDefinitions({id})")
        }
        Way::Choices => {
            let name = text(&body, "Name")?.to_lowercase();
            let options = options(&body["Options"])?;
            db.customise(|schema| schema.add_choice(&name, options))
                .map_err(refused)?;
            let id = metadata_id(&["choice", &name]);
            format!("GlobalOptionSetDefinitions({id})")
        }
        _ => return Err(refusal::method(&request.method)),
    };
    let address = format!("{}/api/data/v9.2/{address}", request.origin);
    Ok(Reply::empty(204).with("odata-entityid", address))
}

/// `POST /CreateEntities`: several tables in one call, as Microsoft's Python client makes them.
pub(crate) fn entities(
    db: &mut Db,
    session: &Session,
    request: &Request,
) -> Result<Reply, Refusal> {
    let body = request.json().map_err(|error| {
        refusal::payload(
            "EntityDefinitions",
            format_args!("The body is not valid JSON: {error}"),
        )
    })?;
    let entities = body["Entities"].as_array();
    let mut ids = Vec::new();
    for entity in entities.ok_or_else(|| missing("Entities"))? {
        ids.push(metadata_id(&[&make_table(db, session, entity)?]));
    }
    let context = format!(
        "{}/api/data/v9.2/$metadata#Microsoft.Dynamics.CRM.CreateEntitiesResponse",
        request.origin
    );
    Ok(json_reply(
        200,
        &json!({"@odata.context": context, "EntityIds": ids}),
    ))
}

fn make_table(db: &mut Db, session: &Session, body: &Value) -> Result<Name, Refusal> {
    let schema_name = schema_name(body)?;
    let columns = body["Attributes"].as_array();
    let columns = columns.ok_or_else(|| missing("Attributes"))?;
    let names_rows = |column: &&Value| column["IsPrimaryName"] == true;
    let primary = columns.iter().find(names_rows);
    let primary = primary.ok_or_else(|| invalid("A table needs one column with IsPrimaryName."))?;
    let primary = self::schema_name(primary)?.to_lowercase();
    let set = match body["EntitySetName"].as_str() {
        Some(set) => set.to_owned(),
        None => plural(&schema_name.to_lowercase()),
    };
    let mut made = db.schema.blank(&schema_name, &set, &primary);
    made.display = label(&body["DisplayName"]);
    made.tracked = body["ChangeTrackingEnabled"].as_bool().unwrap_or(false);
    let logical = made.logical.clone();
    db.customise(|schema| schema.add_table(made))
        .map_err(refused)?;
    for held in columns {
        let column = column(db, held)?;
        db.customise(|schema| schema.add_column(&logical, column))
            .map_err(refused)?;
    }
    seed::message_filters(db, session, &logical)?;
    Ok(logical)
}

/// The entity set that the platform makes of a logical name.
fn plural(logical: &str) -> String {
    match logical.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'i', 'o', 'u']) => format!("{stem}ies"),
        _ if logical.ends_with(['s', 'x', 'z']) || logical.ends_with("ch") => {
            format!("{logical}es")
        }
        _ => format!("{logical}s"),
    }
}

/// A column as its metadata describes it. Classes with `Complex` before their name are those of `CreateEntities`.
pub(super) fn column(db: &Db, body: &Value) -> Result<Column, Refusal> {
    let class = body["@odata.type"].as_str().unwrap_or_default();
    let class = class.trim_start_matches('#');
    let class = class
        .strip_prefix("Microsoft.Dynamics.CRM.")
        .unwrap_or(class);
    let class = class.strip_prefix("Complex").unwrap_or(class);
    let schema_name = schema_name(body)?;
    let bind = body["GlobalOptionSet@odata.bind"].as_str();
    let global = bind.map(|bind| global_choice(db, bind)).transpose()?;
    let choices = || match &global {
        Some((_, choices)) => Ok(choices.clone()),
        None => options(&body["OptionSet"]["Options"]),
    };
    let kind = match class {
        "StringAttributeMetadata" => Kind::Text {
            max: length(body, TEXT_MAX)?,
        },
        "MemoAttributeMetadata" => Kind::Memo {
            max: length(body, MEMO_MAX)?,
        },
        "BooleanAttributeMetadata" => Kind::Bool,
        "PicklistAttributeMetadata" => Kind::Choice(choices()?),
        "MultiSelectPicklistAttributeMetadata" => Kind::Choices(choices()?),
        "MoneyAttributeMetadata" => Kind::Money {
            min: bound(body, "MinValue", -922_337_203_685_477)?,
            max: bound(body, "MaxValue", 922_337_203_685_477)?,
            // Two is the currency's own precision, which is also what an organisation without a pricing precision takes.
            precision: match body["PrecisionSource"].as_u64().unwrap_or(2) {
                0 => Some(precision(body, 2, 4)?),
                _ => None,
            },
        },
        "DecimalAttributeMetadata" => Kind::Decimal {
            precision: precision(body, 2, 10)?,
            min: bound(body, "MinValue", -100_000_000_000)?,
            max: bound(body, "MaxValue", 100_000_000_000)?,
        },
        "DoubleAttributeMetadata" => Kind::Double {
            min: body["MinValue"].as_f64().unwrap_or(-1e11),
            max: body["MaxValue"].as_f64().unwrap_or(1e11),
        },
        "IntegerAttributeMetadata" => Kind::Int {
            min: body["MinValue"].as_i64().unwrap_or(i64::from(i32::MIN)),
            max: body["MaxValue"].as_i64().unwrap_or(i64::from(i32::MAX)),
        },
        // What people see is one thing, how the value behaves another: a day of `UserLocal` behaviour is a point in time.
        "DateTimeAttributeMetadata" => match body["DateTimeBehavior"]["Value"].as_str() {
            Some("DateOnly") => Kind::Date,
            _ => Kind::Time,
        },
        "LookupAttributeMetadata" => {
            return Err(invalid(
                "A lookup is made with its relationship, by POST to RelationshipDefinitions.",
            ));
        }
        other => {
            return Err(refusal::payload(
                "EntityDefinitions",
                format_args!("This simulator makes no column of the type '{other}'."),
            ));
        }
    };
    let mut made = plain_column(&schema_name.to_lowercase(), kind);
    made.default = match made.kind {
        Kind::Bool => Some(i32::from(body["DefaultValue"] == true)),
        Kind::Choice(_) => body["DefaultFormValue"]
            .as_i64()
            .filter(|value| *value >= 0)
            .and_then(|value| i32::try_from(value).ok()),
        _ => None,
    };
    made.global = global.map(|(name, _)| name);
    made.schema_name = schema_name;
    made.custom = true;
    made.required = required(body);
    made.display = label(&body["DisplayName"]);
    let format = body["FormatName"]["Value"].as_str();
    let format = format.or(body["Format"].as_str());
    made.format = format
        .filter(|_| matches!(made.kind, Kind::Text { .. } | Kind::Time))
        .map(str::to_owned);
    Ok(made)
}

fn make_key(
    db: &mut Db,
    session: &Session,
    logical: &Name,
    body: &Value,
) -> Result<String, Refusal> {
    let schema_name = schema_name(body)?;
    let columns = body["KeyAttributes"].as_array();
    let columns = columns.ok_or_else(|| missing("KeyAttributes"))?;
    let names: Option<Vec<Name>> = columns
        .iter()
        .map(|name| name.as_str().map(Name::from))
        .collect();
    let names = names.ok_or_else(|| invalid("KeyAttributes are names of columns."))?;
    if names.is_empty() || names.len() > KEY_COLUMNS_MAX {
        return Err(invalid(format!(
            "A key has 1 to {KEY_COLUMNS_MAX} columns."
        )));
    }
    let held = table(db, logical)?;
    if held.keys.len() >= KEYS_MAX {
        return Err(invalid(format!("A table has at most {KEYS_MAX} keys.")));
    }
    let fits = |name: &&Name| match held.column(name).map(|column| &column.kind) {
        None => true,
        Some(kind) => matches!(
            kind,
            Kind::Text { .. }
                | Kind::Int { .. }
                | Kind::Decimal { .. }
                | Kind::Date
                | Kind::Time
                | Kind::Lookup(_)
                | Kind::Choice(_)
        ),
    };
    if let Some(other) = names.iter().find(|name| !fits(name)) {
        return Err(invalid(format!(
            "The type of column '{other}' is not one that a key can have."
        )));
    }
    let key = AlternateKey {
        failed: has_twins(db, logical, &names),
        columns: names,
        display: label(&body["DisplayName"]),
        ordered: Some(session.now),
        schema_name,
    };
    let name = key.logical_name();
    db.customise(|schema| schema.add_key(logical, key))
        .map_err(refused)?;
    Ok(name)
}

/// Whether two rows have the same values in all of these columns; rows without a value in one do not count.
pub(super) fn has_twins(db: &Db, table: &str, columns: &[Name]) -> bool {
    let mut seen = std::collections::BTreeSet::new();
    let rows = db
        .rows(table)
        .into_iter()
        .flat_map(|rows| rows.live.values());
    for row in rows {
        let values = columns.iter().map(|column| match row.cells.get(column) {
            Some(Cell::Text(text)) => Some(format!("t{}", text.to_lowercase())),
            cell => cell.map(|cell| format!("{cell:?}")),
        });
        let values: Option<Vec<String>> = values.collect();
        if values.is_some_and(|values| !seen.insert(values)) {
            return true;
        }
    }
    false
}

fn make_relationship(db: &mut Db, body: &Value) -> Result<String, Refusal> {
    let relationship = text(body, "SchemaName")?.to_owned();
    let taken = super::reading::relationships(db);
    if taken.iter().any(|held| held["SchemaName"] == *relationship) {
        return Err(invalid(format!(
            "A component with the name '{relationship}' already exists."
        )));
    }
    if body["@odata.type"]
        .as_str()
        .is_some_and(|class| class.ends_with("ManyToManyRelationshipMetadata"))
    {
        let side = |name: &str, navigation: &str| -> Result<(Name, String), Refusal> {
            let navigation = body[navigation].as_str().unwrap_or(&relationship);
            Ok((text(body, name)?.into(), navigation.to_owned()))
        };
        let intersect = body["IntersectEntityName"].as_str();
        let many = ManyToMany {
            schema_name: relationship.clone(),
            intersect: intersect.unwrap_or(&relationship).to_lowercase(),
            first: side("Entity1LogicalName", "Entity1NavigationPropertyName")?,
            second: side("Entity2LogicalName", "Entity2NavigationPropertyName")?,
            gone: false,
        };
        db.customise(|schema| schema.add_many(many))
            .map_err(refused)?;
        return Ok(relationship);
    }
    let (from, to) = (
        text(body, "ReferencingEntity")?,
        text(body, "ReferencedEntity")?,
    );
    let lookup = &body["Lookup"];
    let schema_name = schema_name(lookup)?;
    let target = Target {
        table: to.into(),
        // A custom lookup's navigation property keeps the casing of the schema name.
        navigation: schema_name.clone(),
        relationship: relationship.clone(),
    };
    let mut column = plain_column(&schema_name.to_lowercase(), Kind::Lookup(vec![target]));
    column.schema_name = schema_name;
    column.custom = true;
    column.required = required(lookup);
    column.display = label(&lookup["DisplayName"]);
    db.customise(|schema| schema.add_column(from, column))
        .map_err(refused)?;
    Ok(relationship)
}

/// `POST /CreateCustomerRelationships` and `POST /CreatePolymorphicLookupAttribute`: one lookup that leads to several tables, each by a
/// navigation property of its own. (dataverse 2.6, 3.8)
pub(crate) fn polymorphic(db: &mut Db, request: &Request) -> Result<Reply, Refusal> {
    let body = request.json().map_err(|error| {
        refusal::payload(
            "RelationshipDefinitions",
            format_args!("The body is not valid JSON: {error}"),
        )
    })?;
    let lookup = &body["Lookup"];
    let name = schema_name(lookup)?;
    let all = body["OneToManyRelationships"].as_array();
    let all = all.ok_or_else(|| missing("OneToManyRelationships"))?;
    let first = all
        .first()
        .ok_or_else(|| missing("OneToManyRelationships"))?;
    let from = text(first, "ReferencingEntity")?;
    let taken = super::reading::relationships(db);
    let (mut targets, mut ids) = (Vec::new(), Vec::new());
    for held in all {
        let (relationship, to) = (text(held, "SchemaName")?, text(held, "ReferencedEntity")?);
        if held["ReferencingEntity"] != *from {
            return Err(invalid(
                "All relationships of one lookup begin at one table.",
            ));
        }
        if taken
            .iter()
            .any(|other| other["SchemaName"] == *relationship)
        {
            return Err(invalid(format!(
                "A component with the name '{relationship}' already exists."
            )));
        }
        targets.push(Target {
            table: to.into(),
            navigation: format!("{name}_{to}"),
            relationship: relationship.to_owned(),
        });
        ids.push(metadata_id(&["relationship", relationship]));
    }
    let mut column = plain_column(&name.to_lowercase(), Kind::Lookup(targets));
    column.schema_name = name;
    column.custom = true;
    column.required = required(lookup);
    column.display = label(&lookup["DisplayName"]);
    let id = metadata_id(&[from, &column.logical]);
    db.customise(|schema| schema.add_column(from, column))
        .map_err(refused)?;
    let context = format!(
        "{}/api/data/v9.2/$metadata#Microsoft.Dynamics.CRM.CreatePolymorphicLookupAttributeResponse",
        request.origin
    );
    Ok(json_reply(
        200,
        &json!({"@odata.context": context, "AttributeId": id, "RelationshipIds": ids}),
    ))
}

fn global_choice(db: &Db, bind: &str) -> Result<(String, Vec<Choice>), Refusal> {
    let inside = bind
        .split_once('(')
        .map_or(bind, |(_, rest)| rest.trim_end_matches(')'));
    let inside = inside.trim_start_matches("Name=").trim_matches('\'');
    let mut held = db.schema.choices.iter();
    held.find(|(name, _)| *name == inside || metadata_id(&["choice", name]) == inside)
        .map(|(name, choices)| (name.clone(), choices.clone()))
        .ok_or_else(|| invalid(format!("There is no global choice '{inside}'.")))
}
