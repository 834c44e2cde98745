//! Metadata: tables, columns, choices, relationships and keys, as a generic client reads them. (dataverse 3.7)

use http::Method;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::address::{self, Segment};
use super::read;
use super::refusal::{self, Refusal};
use super::route::json_reply;
use super::schema::{Choice, Column, Kind, Required, Table, Target};
use super::store::Db;
use crate::odata::eval::{Case, matches};
use crate::odata::json::Json;
use crate::odata::options::{Expand, Options};
use crate::wire::{Reply, Request};

/// Language of all labels.
const LANGUAGE: i64 = 1033;

/// Answers below `EntityDefinitions` and `RelationshipDefinitions`.
pub(super) fn answer(db: &Db, request: &Request, segments: &[Segment]) -> Result<Reply, Refusal> {
    if request.method != Method::GET {
        return Err(Refusal::new(
            501,
            "0x80060888",
            "This simulator reads metadata; tables and columns are made by its configuration.",
        ));
    }
    let options = Options::read(&request.pairs()).map_err(|error| refusal::query(error.message))?;
    let name = |segment: &Segment, key: &str| -> Option<String> {
        let pairs = address::named(segment.arguments.as_deref()?);
        pairs
            .into_iter()
            .find(|(held, _)| held == key)
            .map(|(_, value)| value.trim_matches('\'').to_owned())
    };
    let context = format!(
        "{}/api/data/v9.2/$metadata#{}",
        request.origin, segments[0].name
    );
    if segments[0].name == "RelationshipDefinitions" {
        let all = db
            .schema
            .tables
            .values()
            .flat_map(relations)
            .chain(many(db, None))
            .collect();
        return match name(&segments[0], "SchemaName") {
            Some(wanted) => one(all, "SchemaName", &wanted, &options, &context),
            None => list(all, &options, &context),
        };
    }
    let Some(arguments) = &segments[0].arguments else {
        let all = db
            .schema
            .tables
            .values()
            .map(|table| with_expands(db, table, &options))
            .collect();
        return list(all, &options, &context);
    };
    let by_id = Uuid::try_parse(arguments).ok().map(|id| id.to_string());
    let logical = name(&segments[0], "LogicalName");
    let table = db.schema.tables.values().find(|table| {
        logical.as_deref() == Some(&*table.logical) || by_id == Some(metadata_id(&[&table.logical]))
    });
    let table = table.ok_or_else(|| {
        let shown = logical.unwrap_or_else(|| arguments.clone());
        Refusal::new(
            404,
            "0x80060888",
            format!("Could not find an entity with name '{shown}' in the metadata cache."),
        )
    })?;
    match &segments[1..] {
        [] => single(with_expands(db, table, &options), &options, &context),
        [part] if part.name == "Attributes" => match name(part, "LogicalName") {
            Some(wanted) => one(
                attributes(table, None, &options),
                "LogicalName",
                &wanted,
                &options,
                &context,
            ),
            None => list(attributes(table, None, &options), &options, &context),
        },
        [part, cast] if part.name == "Attributes" => {
            let class = cast
                .name
                .strip_prefix("Microsoft.Dynamics.CRM.")
                .ok_or_else(|| refusal::no_segment(&cast.name))?;
            match name(part, "LogicalName") {
                Some(wanted) => one(
                    attributes(table, Some(class), &options),
                    "LogicalName",
                    &wanted,
                    &options,
                    &context,
                ),
                None => list(attributes(table, Some(class), &options), &options, &context),
            }
        }
        [part] => match collection(db, table, &part.name) {
            Some(all) => list(all, &options, &context),
            None => Err(refusal::no_segment(&part.name)),
        },
        [_, rest, ..] => Err(refusal::no_segment(&rest.name)),
    }
}

fn collection(db: &Db, table: &Table, name: &str) -> Option<Vec<Value>> {
    match name {
        "ManyToOneRelationships" => Some(relations(table).collect()),
        "OneToManyRelationships" => {
            let all = db.schema.tables.values().flat_map(relations);
            Some(
                all.filter(|relation| relation["ReferencedEntity"] == *table.logical)
                    .collect(),
            )
        }
        "ManyToManyRelationships" => Some(many(db, Some(table)).collect()),
        "Keys" => Some(keys(table)),
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
fn selected(value: Value, options: &Options) -> Result<Value, Refusal> {
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
    for Expand { name, options } in &options.expand {
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

/// Ids of metadata follow from names, so they are the same in every world.
fn metadata_id(names: &[&str]) -> String {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, names.join(".").as_bytes()).to_string()
}

fn label(text: &str) -> Value {
    let held = json!({"Label": text, "LanguageCode": LANGUAGE, "IsManaged": true, "MetadataId": metadata_id(&["label", text]), "HasChanged": null});
    json!({"LocalizedLabels": [held], "UserLocalizedLabel": held})
}

fn definition(table: &Table) -> Value {
    json!({
        "MetadataId": metadata_id(&[&table.logical]),
        "LogicalName": &*table.logical,
        "SchemaName": table.schema_name,
        "EntitySetName": table.set,
        "LogicalCollectionName": table.set,
        "PrimaryIdAttribute": &*table.key,
        "PrimaryNameAttribute": &*table.primary_name,
        "ObjectTypeCode": table.code,
        "ChangeTrackingEnabled": table.tracked,
        "IsOptimisticConcurrencyEnabled": true,
        "IsCustomEntity": table.custom,
        "IsActivity": &*table.logical == "opportunityclose",
        "OwnershipType": if table.column("ownerid").is_some() { "UserOwned" } else { "OrganizationOwned" },
        "DisplayName": label(&table.schema_name),
        "DisplayCollectionName": label(&table.set),
    })
}

/// Class of metadata, `AttributeType` and `AttributeTypeName`.
fn types(column: &Column) -> (&'static str, &'static str, &'static str) {
    match &column.kind {
        Kind::Text { .. } => ("StringAttributeMetadata", "String", "StringType"),
        Kind::Memo { .. } => ("MemoAttributeMetadata", "Memo", "MemoType"),
        Kind::Int { .. } => ("IntegerAttributeMetadata", "Integer", "IntegerType"),
        Kind::BigInt => ("BigIntAttributeMetadata", "BigInt", "BigIntType"),
        Kind::Decimal { .. } => ("DecimalAttributeMetadata", "Decimal", "DecimalType"),
        Kind::Money { .. } => ("MoneyAttributeMetadata", "Money", "MoneyType"),
        Kind::Double { .. } => ("DoubleAttributeMetadata", "Double", "DoubleType"),
        Kind::Bool => ("BooleanAttributeMetadata", "Boolean", "BooleanType"),
        Kind::Choice(_) => ("PicklistAttributeMetadata", "Picklist", "PicklistType"),
        Kind::State(_) => ("StateAttributeMetadata", "State", "StateType"),
        Kind::Status(_) => ("StatusAttributeMetadata", "Status", "StatusType"),
        Kind::Date | Kind::Time => ("DateTimeAttributeMetadata", "DateTime", "DateTimeType"),
        Kind::Guid => (
            "AttributeMetadata",
            "Uniqueidentifier",
            "UniqueidentifierType",
        ),
        Kind::Lookup(_) if &*column.logical == "ownerid" => {
            ("LookupAttributeMetadata", "Owner", "OwnerType")
        }
        Kind::Lookup(targets) if is_customer(targets) => {
            ("LookupAttributeMetadata", "Customer", "CustomerType")
        }
        Kind::Lookup(_) => ("LookupAttributeMetadata", "Lookup", "LookupType"),
    }
}

fn is_customer(targets: &[Target]) -> bool {
    targets.len() == 2
        && targets
            .iter()
            .all(|target| matches!(&*target.table, "account" | "contact"))
}

/// Columns as metadata; with a class only those of it, and what only it has.
fn attributes(table: &Table, class: Option<&str>, options: &Options) -> Vec<Value> {
    let columns = table
        .columns
        .values()
        .filter(|column| class.is_none_or(|class| class == types(column).0));
    columns
        .map(|column| attribute(table, column, class.is_some(), options))
        .collect()
}

fn attribute(table: &Table, column: &Column, cast: bool, options: &Options) -> Value {
    let (class, kind, kind_name) = types(column);
    let required = match column.required {
        Required::No => "None",
        Required::Recommended => "Recommended",
        Required::Application => "ApplicationRequired",
        Required::System => "SystemRequired",
    };
    let mut out = json!({
        "@odata.type": format!("#Microsoft.Dynamics.CRM.{class}"),
        "MetadataId": metadata_id(&[&table.logical, &column.logical]),
        "LogicalName": &*column.logical,
        "SchemaName": column.schema_name,
        "EntityLogicalName": &*table.logical,
        "AttributeType": kind,
        "AttributeTypeName": {"Value": kind_name},
        "AttributeOf": null,
        "RequiredLevel": {"Value": required, "CanBeChanged": true, "ManagedPropertyLogicalName": "canmodifyrequirementlevelsettings"},
        "IsValidForCreate": column.create,
        "IsValidForUpdate": column.update,
        "IsValidForRead": column.read,
        "IsPrimaryId": column.logical == table.key,
        "IsPrimaryName": column.logical == table.primary_name,
        "IsCustomAttribute": column.custom,
        "IsLogical": false,
        "DisplayName": label(&column.schema_name),
    });
    // Without a cast a selection cannot name what only one class has.
    if (cast || options.select.is_none())
        && let (Value::Object(out), Value::Object(more)) = (&mut out, special(column))
    {
        out.extend(more);
    }
    for expand in &options.expand {
        out[expand.name.as_str()] = match expand.name.as_str() {
            "OptionSet" => option_set(table, column, &expand.options),
            _ => Value::Null,
        };
    }
    out
}

fn special(column: &Column) -> Value {
    match &column.kind {
        Kind::Text { max } => {
            json!({"MaxLength": max, "DatabaseLength": max * 2, "Format": "Text", "FormatName": {"Value": "Text"}})
        }
        Kind::Memo { max } => json!({"MaxLength": max, "Format": "TextArea"}),
        Kind::Int { min, max } => json!({"MinValue": min, "MaxValue": max, "Format": "None"}),
        Kind::Decimal {
            precision,
            min,
            max,
        } => {
            json!({"MinValue": plain(*min), "MaxValue": plain(*max), "Precision": precision})
        }
        Kind::Money { min, max } => {
            let base = column.logical.ends_with("_base");
            json!({"MinValue": plain(*min), "MaxValue": plain(*max), "Precision": if base { 4 } else { 2 },
                "PrecisionSource": if base { 0 } else { 2 }, "IsBaseCurrency": base, "CalculationOf":
                column.logical.strip_suffix("_base")})
        }
        Kind::Double { min, max } => json!({"MinValue": min, "MaxValue": max, "Precision": 2}),
        Kind::Bool => json!({"DefaultValue": column.default == Some(1)}),
        Kind::Choice(_) => json!({"DefaultFormValue": column.default.unwrap_or(-1)}),
        Kind::Date => json!({"Format": "DateOnly", "DateTimeBehavior": {"Value": "DateOnly"}}),
        Kind::Time => json!({"Format": "DateAndTime", "DateTimeBehavior": {"Value": "UserLocal"}}),
        Kind::Lookup(targets) => {
            json!({"Targets": targets.iter().map(|target| &*target.table).collect::<Vec<_>>()})
        }
        Kind::State(_) | Kind::Status(_) | Kind::BigInt | Kind::Guid => json!({}),
    }
}

fn plain(number: rust_decimal::Decimal) -> Value {
    super::cells::write(Some(&super::store::Cell::Decimal(number)))
}

fn option_set(table: &Table, column: &Column, options: &Options) -> Value {
    let option = |choice: &Choice, extra: Value| {
        let mut out = json!({"Value": choice.value, "Label": label(&choice.label), "Description": {"LocalizedLabels": [], "UserLocalizedLabel": null},
            "Color": null, "IsManaged": true, "ExternalValue": null, "MetadataId": null});
        if let (Value::Object(out), Value::Object(extra)) = (&mut out, extra) {
            out.extend(extra);
        }
        out
    };
    let held = match &column.kind {
        Kind::Choice(choices) => choices
            .iter()
            .map(|choice| option(choice, json!({})))
            .collect(),
        Kind::State(choices) => choices
            .iter()
            .map(|choice| {
                option(
                    choice,
                    json!({"DefaultStatus": choice.of, "InvariantName": choice.label}),
                )
            })
            .collect(),
        Kind::Status(choices) => choices
            .iter()
            .map(|choice| option(choice, json!({"State": choice.of})))
            .collect(),
        Kind::Bool => {
            let choice = |value, text: &str| Choice {
                value,
                label: text.to_owned(),
                of: 0,
            };
            return json!({"TrueOption": option(&choice(1, "Yes"), json!({})), "FalseOption": option(&choice(0, "No"), json!({})),
                "MetadataId": metadata_id(&["optionset", &table.logical, &column.logical])});
        }
        _ => return Value::Null,
    };
    let set = json!({"MetadataId": metadata_id(&["optionset", &table.logical, &column.logical]), "IsGlobal": false,
        "OptionSetType": types(column).1, "Name": format!("{}_{}", table.logical, column.logical), "Options": Value::Array(held)});
    selected(set.clone(), options).unwrap_or(set)
}

fn relations(table: &Table) -> impl Iterator<Item = Value> + '_ {
    table.columns.values().flat_map(move |column| {
        let targets = if let Kind::Lookup(targets) = &column.kind {
            targets.as_slice()
        } else {
            &[]
        };
        targets.iter().map(move |target| {
            json!({
                "@odata.type": "#Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata",
                "MetadataId": metadata_id(&["relationship", &target.relationship]),
                "SchemaName": target.relationship,
                "RelationshipType": "OneToManyRelationship",
                "IsCustomRelationship": column.custom,
                "ReferencingEntity": &*table.logical,
                "ReferencingAttribute": &*column.logical,
                "ReferencedEntity": &*target.table,
                "ReferencedAttribute": referenced(&target.table),
                "ReferencingEntityNavigationPropertyName": target.navigation,
                "ReferencedEntityNavigationPropertyName": target.relationship,
            })
        })
    })
}

fn referenced(table: &str) -> String {
    format!("{table}id")
}

fn many<'a>(db: &'a Db, table: Option<&'a Table>) -> impl Iterator<Item = Value> + 'a {
    let held = db.schema.many.iter().filter(move |many| {
        table.is_none_or(|table| many.first.0 == table.logical || many.second.0 == table.logical)
    });
    held.map(|many| {
        json!({
            "@odata.type": "#Microsoft.Dynamics.CRM.ManyToManyRelationshipMetadata",
            "MetadataId": metadata_id(&["relationship", &many.schema_name]),
            "SchemaName": many.schema_name,
            "RelationshipType": "ManyToManyRelationship",
            "IntersectEntityName": many.intersect,
            "Entity1LogicalName": &*many.first.0,
            "Entity1IntersectAttribute": format!("{}id", many.first.0),
            "Entity1NavigationPropertyName": many.first.1,
            "Entity2LogicalName": &*many.second.0,
            "Entity2IntersectAttribute": format!("{}id", many.second.0),
            "Entity2NavigationPropertyName": many.second.1,
        })
    })
}

fn keys(table: &Table) -> Vec<Value> {
    table.keys.iter().map(|columns| {
        let name = read::key_name(columns);
        json!({"MetadataId": metadata_id(&["key", &table.logical, &name]), "LogicalName": name, "SchemaName": name,
            "EntityLogicalName": &*table.logical, "KeyAttributes": columns.iter().map(|column| &**column).collect::<Vec<_>>(),
            "EntityKeyIndexStatus": "Active", "DisplayName": label(&name)})
    }).collect()
}
