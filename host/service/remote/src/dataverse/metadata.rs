//! What the CRM says about its own tables: types, lengths, choices, and the names by which rows point at each other.
//!
//! Nothing about a column is known beforehand, because organisations change lengths, choices and requirements of every column there is.

use std::collections::BTreeMap;

use cosell_sync::row::Link;

use crate::json::{self, Object, Raw};

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Logical name: `opportunity`.
    pub name: String,
    /// Name in addresses: `opportunities`.
    pub set: String,
    /// The column that holds the row's GUID.
    pub id_column: String,
    /// The column that people know a row by.
    pub name_column: Option<String>,
    /// Changes can be followed.
    pub change_tracking: bool,
    /// By logical name.
    pub columns: BTreeMap<String, Column>,
    /// Alternate keys.
    pub keys: Vec<Key>,
    /// Lookups of this table, one entry for each table that a lookup may point to.
    pub lookups: Vec<LookupRelation>,
    /// Many-to-many relationships of this table.
    pub many: Vec<ManyRelation>,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Logical name.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
    /// May be set in a new row.
    pub create: bool,
    /// May be set in a row that is there.
    pub update: bool,
    /// The platform refuses a row without it.
    pub required: bool,
}

/// What a column holds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "the names are the doc; lengths count UTF-16 units, as the CRM does"
)]
pub enum Kind {
    Text {
        max: Option<usize>,
    },
    LongText {
        max: Option<usize>,
    },
    Guid,
    Integer,
    BigInteger,
    Decimal,
    Double,
    Money {
        precision: u32,
        by: MoneyPrecision,
    },
    Bool,
    /// A day without time or zone.
    Date,
    /// A moment, to the second.
    Timestamp,
    /// Choice, state or status.
    Choice(Vec<Choosable>),
    Choices(Vec<Choosable>),
    /// Tables that it may point to.
    Lookup(Vec<String>),
    /// A kind that cells cannot carry, as the CRM spells it.
    Other(String),
}

impl Kind {
    /// For people: "a currency column".
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Text { .. } => "a text column".to_owned(),
            Self::LongText { .. } => "a multi-line text column".to_owned(),
            Self::Guid => "a unique identifier column".to_owned(),
            Self::Integer => "a whole number column".to_owned(),
            Self::BigInteger => "a big whole number column".to_owned(),
            Self::Decimal => "a decimal column".to_owned(),
            Self::Double => "a floating point column".to_owned(),
            Self::Money { .. } => "a currency column".to_owned(),
            Self::Bool => "a yes/no column".to_owned(),
            Self::Date => "a date-only column".to_owned(),
            Self::Timestamp => "a date-and-time column".to_owned(),
            Self::Choice(_) => "a choice column".to_owned(),
            Self::Choices(_) => "a multi-select choice column".to_owned(),
            Self::Lookup(targets) => format!("a lookup column (to {})", targets.join(" or ")),
            Self::Other(name) => format!("a column of the kind {name}, which cannot be mapped"),
        }
    }
}

/// How many places an amount has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MoneyPrecision {
    /// As the row's currency.
    Currency,
    /// As the column says.
    Column,
}

/// One option of a choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choosable {
    /// Stable.
    pub code: i32,
    /// In the language of the application user.
    pub label: Option<String>,
    /// Of a status: the state that it belongs to.
    pub state: Option<i32>,
}

/// An alternate key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Logical names of its columns.
    pub columns: Vec<String>,
    /// Its index is built; before that it finds nothing.
    pub active: bool,
}

/// A lookup column and one table that it may point to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookupRelation {
    /// The lookup column.
    pub column: String,
    /// Logical name of the table pointed to.
    pub target: String,
    /// Navigation property from the pointing row: its spelling matters, and custom ones keep capitals.
    pub navigation: String,
    /// Navigation property back, to the collection of pointing rows.
    pub collection: String,
}

/// A many-to-many relationship, seen from one of its tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManyRelation {
    /// Schema name.
    pub name: String,
    /// Logical name of the other table.
    pub other: String,
    /// Navigation property from this table to the collection of the other's rows.
    pub navigation: String,
}

impl Table {
    /// The column, if there is one.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.get(name)
    }

    /// Navigation property of a lookup that points to `target`.
    #[must_use]
    pub fn navigation(&self, column: &str, target: &str) -> Option<&str> {
        let named = self
            .lookups
            .iter()
            .find(|lookup| lookup.column == column && lookup.target == target);
        match named {
            Some(lookup) => Some(&lookup.navigation),
            // The owner is one relationship to all principals, named as its column.
            None if column == "ownerid" && matches!(target, "systemuser" | "team") => {
                Some("ownerid")
            }
            None => None,
        }
    }

    /// Navigation property from a row of this table to `other` rows, and whether it leads to many.
    #[must_use]
    pub fn way(&self, via: &Link, other: &Self) -> Option<(String, bool)> {
        match via {
            Link::Lookup(column) => self
                .navigation(column, &other.name)
                .map(|navigation| (navigation.to_owned(), false)),
            Link::Child(column) => {
                let back = other
                    .lookups
                    .iter()
                    .find(|lookup| lookup.column == *column && lookup.target == self.name)?;
                Some((back.collection.clone(), true))
            }
            Link::Many(name) => {
                let many = self.many.iter().find(|many| {
                    many.name.eq_ignore_ascii_case(name) && many.other == other.name
                })?;
                Some((many.navigation.clone(), true))
            }
        }
    }

    /// Name of a column in `$select` and `$filter`.
    pub(super) fn wire_name(&self, column: &str) -> String {
        match self.column(column).map(|column| &column.kind) {
            Some(Kind::Lookup(_)) => format!("_{column}_value"),
            _ => column.to_owned(),
        }
    }
}

/// Logical names are lower case letters, digits and underscores. Anything else would end up in an address.
pub(super) fn is_logical_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 128
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// What is asked about a table, beside its columns.
pub(super) const TABLE_SELECT: &str =
    "LogicalName,EntitySetName,PrimaryIdAttribute,PrimaryNameAttribute,ChangeTrackingEnabled";

/// What is asked about every column.
pub(super) const COLUMN_SELECT: &str =
    "LogicalName,AttributeType,AttributeTypeName,RequiredLevel,IsValidForCreate,IsValidForUpdate";

/// What is asked about lookups.
pub(super) const LOOKUP_SELECT: &str = "ReferencingAttribute,ReferencedEntity,ReferencingEntityNavigationPropertyName,ReferencedEntityNavigationPropertyName";

/// What is asked about many-to-many relationships.
pub(super) const MANY_SELECT: &str = "SchemaName,Entity1LogicalName,Entity2LogicalName,Entity1NavigationPropertyName,Entity2NavigationPropertyName";

/// What is asked about alternate keys.
pub(super) const KEY_SELECT: &str = "SchemaName,KeyAttributes,EntityKeyIndexStatus";

/// Kinds of column with properties of their own: as `AttributeType` (or `AttributeTypeName`), the cast that shows them, and what to ask.
pub(super) const CASTS: [(&[&str], &str, &str); 8] = [
    (
        &["String"],
        "StringAttributeMetadata",
        "$select=LogicalName,MaxLength",
    ),
    (
        &["Memo"],
        "MemoAttributeMetadata",
        "$select=LogicalName,MaxLength",
    ),
    (
        &["Money"],
        "MoneyAttributeMetadata",
        "$select=LogicalName,Precision,PrecisionSource",
    ),
    (
        &["DateTime"],
        "DateTimeAttributeMetadata",
        "$select=LogicalName,Format,DateTimeBehavior",
    ),
    (
        &["Lookup", "Customer", "Owner"],
        "LookupAttributeMetadata",
        "$select=LogicalName,Targets",
    ),
    (&["Picklist"], "PicklistAttributeMetadata", CHOICE_QUERY),
    (
        &["MultiSelectPicklistType"],
        "MultiSelectPicklistAttributeMetadata",
        CHOICE_QUERY,
    ),
    (
        &["State"],
        "StateAttributeMetadata",
        "$select=LogicalName&$expand=OptionSet($select=Options)",
    ),
];

/// Apart from the others because only its options belong to a state.
pub(super) const STATUS_CAST: (&[&str], &str, &str) = (
    &["Status"],
    "StatusAttributeMetadata",
    "$select=LogicalName&$expand=OptionSet($select=Options)",
);

const CHOICE_QUERY: &str =
    "$select=LogicalName&$expand=OptionSet($select=Options),GlobalOptionSet($select=Options)";

/// Everything that was read about one table, as it came.
#[derive(Debug, Default)]
pub(super) struct Documents {
    pub(super) table: Object,
    pub(super) columns: Vec<Object>,
    /// Members of the casts, to be laid over the columns of the same name.
    pub(super) details: Vec<Object>,
    pub(super) keys: Vec<Object>,
    pub(super) lookups: Vec<Object>,
    pub(super) many: Vec<Object>,
}

impl Documents {
    /// None when the table's own members are missing.
    pub(super) fn table(&self) -> Option<Table> {
        let head = |name: &str| self.table.get(name).and_then(|value| json::filled(value));
        let name = head("LogicalName")?;
        let lookups: Vec<LookupRelation> = self.lookups.iter().filter_map(lookup).collect();
        let mut members: BTreeMap<String, Object> = BTreeMap::new();
        for part in self.columns.iter().chain(&self.details) {
            if let Some(column) = member(part, "LogicalName") {
                members.entry(column).or_default().extend(
                    part.iter()
                        .map(|(name, value)| (name.clone(), value.clone())),
                );
            }
        }
        let columns = members
            .into_iter()
            .map(|(name, members)| (name.clone(), column(name, &members, &lookups)))
            .collect();
        Some(Table {
            set: head("EntitySetName")?,
            id_column: head("PrimaryIdAttribute")?,
            name_column: head("PrimaryNameAttribute"),
            change_tracking: head("ChangeTrackingEnabled").is_some_and(|flag| flag == "true"),
            columns,
            keys: self.keys.iter().filter_map(key).collect(),
            many: self
                .many
                .iter()
                .filter_map(|relation| many(relation, &name))
                .collect(),
            lookups,
            name,
        })
    }
}

fn member(object: &Object, name: &str) -> Option<String> {
    object.get(name).and_then(|value| json::filled(value))
}

/// `{"Value": …}`, as the vendor wraps some enumerations.
fn wrapped(object: &Object, name: &str) -> Option<String> {
    let raw = object.get(name)?;
    json::filled(raw).or_else(|| member(&json::object(raw.get())?, "Value"))
}

fn column(name: String, members: &Object, lookups: &[LookupRelation]) -> Column {
    let number =
        |member_name: &str| member(members, member_name).and_then(|text| text.parse().ok());
    let attribute_type = member(members, "AttributeType").unwrap_or_default();
    let type_name = wrapped(members, "AttributeTypeName").unwrap_or_default();
    let kind = match attribute_type.as_str() {
        "String" => Kind::Text {
            max: number("MaxLength"),
        },
        "Memo" => Kind::LongText {
            max: number("MaxLength"),
        },
        "Uniqueidentifier" => Kind::Guid,
        "Integer" => Kind::Integer,
        "BigInt" => Kind::BigInteger,
        "Decimal" => Kind::Decimal,
        "Double" => Kind::Double,
        // 4 is the finest that a currency can have; 2 means "as the currency".
        "Money" => Kind::Money {
            precision: member(members, "Precision")
                .and_then(|text| text.parse().ok())
                .unwrap_or(4),
            by: if member(members, "PrecisionSource").as_deref() == Some("2") {
                MoneyPrecision::Currency
            } else {
                MoneyPrecision::Column
            },
        },
        "Boolean" => Kind::Bool,
        // What people see as a date may still be a moment that shifts by zone; only the behaviour tells.
        "DateTime" if wrapped(members, "DateTimeBehavior").as_deref() == Some("DateOnly") => {
            Kind::Date
        }
        "DateTime" => Kind::Timestamp,
        "Picklist" | "State" | "Status" => Kind::Choice(options(members)),
        _ if type_name == "MultiSelectPicklistType" => Kind::Choices(options(members)),
        "Lookup" | "Customer" | "Owner" => Kind::Lookup(targets(&name, members, lookups)),
        other => Kind::Other(other.to_owned()),
    };
    let allowed =
        |member_name: &str| member(members, member_name).is_none_or(|flag| flag != "false");
    Column {
        kind,
        create: allowed("IsValidForCreate"),
        update: allowed("IsValidForUpdate"),
        required: wrapped(members, "RequiredLevel").as_deref() == Some("SystemRequired"),
        name,
    }
}

fn targets(column: &str, members: &Object, lookups: &[LookupRelation]) -> Vec<String> {
    let named: Vec<String> = members
        .get("Targets")
        .and_then(|targets| json::parse(targets))
        .unwrap_or_default();
    if named.is_empty() {
        lookups
            .iter()
            .filter(|lookup| lookup.column == column)
            .map(|lookup| lookup.target.clone())
            .collect()
    } else {
        named
    }
}

/// Local options, or those of the global choice that the column uses.
fn options(members: &Object) -> Vec<Choosable> {
    let set = |name: &str| -> Vec<Choosable> {
        let options: Vec<Raw> = members
            .get(name)
            .and_then(|set| json::object(set.get()))
            .and_then(|set| json::parse(set.get("Options")?))
            .unwrap_or_default();
        options
            .iter()
            .filter_map(|option| choosable(&json::object(option.get())?))
            .collect()
    };
    let local = set("OptionSet");
    if local.is_empty() {
        set("GlobalOptionSet")
    } else {
        local
    }
}

fn choosable(option: &Object) -> Option<Choosable> {
    let label = option
        .get("Label")
        .and_then(|label| json::object(label.get()));
    let label = label.and_then(|label| {
        let user = label
            .get("UserLocalizedLabel")
            .and_then(|own| json::object(own.get()))
            .and_then(|own| member(&own, "Label"));
        user.or_else(|| {
            let all: Vec<Raw> = json::parse(label.get("LocalizedLabels")?)?;
            member(&json::object(all.first()?.get())?, "Label")
        })
    });
    let state = member(option, "State").and_then(|state| state.parse().ok());
    Some(Choosable {
        code: member(option, "Value")?.parse().ok()?,
        label,
        state,
    })
}

fn lookup(relation: &Object) -> Option<LookupRelation> {
    Some(LookupRelation {
        column: member(relation, "ReferencingAttribute")?,
        target: member(relation, "ReferencedEntity")?,
        navigation: member(relation, "ReferencingEntityNavigationPropertyName")?,
        collection: member(relation, "ReferencedEntityNavigationPropertyName").unwrap_or_default(),
    })
}

fn many(relation: &Object, table: &str) -> Option<ManyRelation> {
    let (one, two) = (
        member(relation, "Entity1LogicalName")?,
        member(relation, "Entity2LogicalName")?,
    );
    let name = member(relation, "SchemaName")?;
    if one == table {
        Some(ManyRelation {
            name,
            other: two,
            navigation: member(relation, "Entity1NavigationPropertyName")?,
        })
    } else {
        Some(ManyRelation {
            name,
            other: one,
            navigation: member(relation, "Entity2NavigationPropertyName")?,
        })
    }
}

fn key(key: &Object) -> Option<Key> {
    let active = member(key, "EntityKeyIndexStatus")
        .is_some_and(|status| status == "Active" || status == "2");
    Some(Key {
        columns: json::parse(key.get("KeyAttributes")?)?,
        active,
    })
}
