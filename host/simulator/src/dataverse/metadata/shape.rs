//! How tables, columns, choices, relationships and keys look as metadata. (dataverse 3.7)

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::reading::selected;
use crate::dataverse::cells;
use crate::dataverse::schema::{
    AlternateKey, Choice, Column, Kind, Required, Schema, Table, Target,
};
use crate::dataverse::store::Cell;
use crate::odata::options::Options;

/// Language of all labels.
const LANGUAGE: i64 = 1033;

/// Ids of metadata follow from names, so they are the same in every world.
pub(super) fn metadata_id(names: &[&str]) -> String {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, names.join(".").as_bytes()).to_string()
}

pub(super) fn label(text: &str) -> Value {
    let held = json!({"Label": text, "LanguageCode": LANGUAGE, "IsManaged": true, "MetadataId": metadata_id(&["label", text]), "HasChanged": null});
    json!({"LocalizedLabels": [held], "UserLocalizedLabel": held})
}

pub(super) fn definition(table: &Table) -> Value {
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
        "IsOptimisticConcurrencyEnabled": table.versioned,
        "IsCustomEntity": table.custom,
        "IsActivity": &*table.logical == "opportunityclose",
        "OwnershipType": if table.column("ownerid").is_some() { "UserOwned" } else { "OrganizationOwned" },
        "IsPrivate": false,
        "IsManaged": !table.custom,
        "HasActivities": false,
        "HasNotes": false,
        "DisplayName": label(table.display.as_deref().unwrap_or(&table.schema_name)),
        "DisplayCollectionName": label(&table.set),
        "Description": label(""),
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
        Kind::Choices(_) => (
            "MultiSelectPicklistAttributeMetadata",
            "Virtual",
            "MultiSelectPicklistType",
        ),
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
pub(super) fn attributes(table: &Table, class: Option<&str>, options: &Options) -> Vec<Value> {
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
        "DisplayName": label(column.display.as_deref().unwrap_or(&column.schema_name)),
        "Description": label(""),
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
            "GlobalOptionSet" => column.global.as_deref().map_or(Value::Null, |name| {
                global(name, options_of(column), &expand.options)
            }),
            _ => Value::Null,
        };
    }
    out
}

fn special(column: &Column) -> Value {
    match &column.kind {
        Kind::Text { max } => {
            let format = column.format.as_deref().unwrap_or("Text");
            json!({"MaxLength": max, "DatabaseLength": max * 2, "Format": format, "FormatName": {"Value": format}})
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
        Kind::Money {
            min,
            max,
            precision,
        } => {
            let base = column.logical.ends_with("_base");
            json!({"MinValue": plain(*min), "MaxValue": plain(*max), "Precision": precision.unwrap_or(2),
                "PrecisionSource": if precision.is_some() { 0 } else { 2 }, "IsBaseCurrency": base,
                "CalculationOf": column.logical.strip_suffix("_base")})
        }
        Kind::Double { min, max } => json!({"MinValue": min, "MaxValue": max, "Precision": 2}),
        Kind::Bool => json!({"DefaultValue": column.default == Some(1)}),
        Kind::Choice(_) | Kind::Choices(_) => {
            json!({"DefaultFormValue": column.default.unwrap_or(-1)})
        }
        Kind::Date => json!({"Format": "DateOnly", "DateTimeBehavior": {"Value": "DateOnly"}}),
        Kind::Time => {
            json!({"Format": column.format.as_deref().unwrap_or("DateAndTime"), "DateTimeBehavior": {"Value": "UserLocal"}})
        }
        Kind::Lookup(targets) => {
            json!({"Targets": targets.iter().map(|target| &*target.table).collect::<Vec<_>>()})
        }
        Kind::State(_) | Kind::Status(_) | Kind::BigInt | Kind::Guid => json!({}),
    }
}

fn plain(number: rust_decimal::Decimal) -> Value {
    cells::write(Some(&Cell::Decimal(number)))
}

fn options_of(column: &Column) -> &[Choice] {
    match &column.kind {
        Kind::Choice(choices)
        | Kind::Choices(choices)
        | Kind::State(choices)
        | Kind::Status(choices) => choices,
        _ => &[],
    }
}

fn option(choice: &Choice, extra: Value) -> Value {
    let mut out = json!({"Value": choice.value, "Label": label(&choice.label), "Description": {"LocalizedLabels": [], "UserLocalizedLabel": null},
        "Color": null, "IsManaged": true, "ExternalValue": null, "MetadataId": null});
    if let (Value::Object(out), Value::Object(extra)) = (&mut out, extra) {
        out.extend(extra);
    }
    out
}

pub(super) fn option_set(table: &Table, column: &Column, options: &Options) -> Value {
    let id = metadata_id(&["optionset", &table.logical, &column.logical]);
    if matches!(column.kind, Kind::Bool) {
        let choice = |value, text: &str| {
            let label = text.to_owned();
            option(
                &Choice {
                    value,
                    label,
                    of: 0,
                },
                json!({}),
            )
        };
        return json!({"TrueOption": choice(1, "Yes"), "FalseOption": choice(0, "No"), "MetadataId": id});
    }
    let choices = options_of(column);
    if choices.is_empty() || column.global.is_some() {
        return Value::Null;
    }
    let more = |choice: &Choice| match column.kind {
        Kind::State(_) => json!({"DefaultStatus": choice.of, "InvariantName": choice.label}),
        Kind::Status(_) => json!({"State": choice.of}),
        _ => json!({}),
    };
    let held = choices.iter().map(|choice| option(choice, more(choice)));
    let set = json!({"MetadataId": id, "IsGlobal": false, "OptionSetType": types(column).1,
        "Name": format!("{}_{}", table.logical, column.logical), "Options": held.collect::<Value>()});
    selected(set.clone(), options).unwrap_or(set)
}

/// A global choice.
pub(super) fn global(name: &str, choices: &[Choice], options: &Options) -> Value {
    let held = choices.iter().map(|choice| option(choice, json!({})));
    let set = json!({"@odata.type": "#Microsoft.Dynamics.CRM.OptionSetMetadata",
        "MetadataId": metadata_id(&["choice", name]), "IsGlobal": true, "OptionSetType": "Picklist", "Name": name,
        "DisplayName": label(name), "Options": held.collect::<Value>()});
    selected(set.clone(), options).unwrap_or(set)
}

pub(super) fn relations<'a>(
    schema: &'a Schema,
    table: &'a Table,
) -> impl Iterator<Item = Value> + 'a {
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
                "ReferencedAttribute": schema.table(&target.table).map(|target| &*target.key),
                "ReferencingEntityNavigationPropertyName": target.navigation,
                "ReferencedEntityNavigationPropertyName": target.relationship,
            })
        })
    })
}

pub(super) fn many<'a>(
    schema: &'a Schema,
    table: Option<&'a Table>,
) -> impl Iterator<Item = Value> + 'a {
    let held = schema.many.iter().filter(move |many| {
        let here = |table: &Table| [&many.first.0, &many.second.0].contains(&&table.logical);
        !many.gone && table.is_none_or(here)
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

pub(super) fn keys(table: &Table, now: Timestamp) -> Vec<Value> {
    let key = |key: &AlternateKey| {
        let name = key.logical_name();
        json!({"MetadataId": metadata_id(&["key", &table.logical, &name]), "LogicalName": name,
            "SchemaName": key.schema_name, "EntityLogicalName": &*table.logical, "IsManaged": false,
            "KeyAttributes": key.columns.iter().map(|column| &**column).collect::<Vec<_>>(),
            "EntityKeyIndexStatus": key.status(now).word(), "DisplayName": label(key.display())})
    };
    table.keys.iter().map(key).collect()
}
