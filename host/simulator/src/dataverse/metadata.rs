//! Metadata: tables, columns, choices, relationships and keys, read and made as a generic client does it. (dataverse 3.7, 3.8)

mod bodies;
mod changing;
mod csdl;
mod making;
mod reading;
mod shape;

use http::Method;
use uuid::Uuid;

use super::address::{self, Segment};
use super::refusal::{self, Refusal};
use super::schema::{AlternateKey, Column, Conflict, Name, Table};
use super::session::Session;
use super::store::Db;
use crate::wire::{Reply, Request};
pub(super) use changing::reactivate as reactivate_key;
pub(super) use csdl::document as csdl;
pub(super) use making::{entities as create_entities, polymorphic as create_polymorphic};
use shape::metadata_id;

/// Roots of everything that is metadata.
pub(super) const ROOTS: [&str; 3] = [
    "EntityDefinitions",
    "RelationshipDefinitions",
    "GlobalOptionSetDefinitions",
];

/// Where metadata is changed: below its roots, and by some actions.
pub(super) fn changed_at() -> impl Iterator<Item = &'static str> {
    let actions = [
        "CreateEntities",
        "ReactivateEntityKey",
        "CreateCustomerRelationships",
        "CreatePolymorphicLookupAttribute",
    ];
    ROOTS.into_iter().chain(actions)
}

/// What a metadata address leads to; whatever is named in it exists.
#[derive(Debug)]
enum Way {
    Tables,
    Table(Name),
    Attributes {
        table: Name,
        class: Option<String>,
    },
    Attribute {
        table: Name,
        column: Name,
        class: Option<String>,
    },
    Key {
        table: Name,
        key: String,
    },
    /// A collection of a table: keys, or relationships of one kind.
    Part {
        table: Name,
        name: String,
    },
    Relationships,
    Relationship(String),
    Choices,
    Choice(String),
}

impl Way {
    fn root(&self) -> &'static str {
        match self {
            Self::Relationships | Self::Relationship(_) => "RelationshipDefinitions",
            Self::Choices | Self::Choice(_) => "GlobalOptionSetDefinitions",
            _ => "EntityDefinitions",
        }
    }
}

/// Answers below the roots of metadata.
pub(super) fn answer(
    db: &mut Db,
    session: &Session,
    request: &Request,
    segments: &[Segment],
) -> Result<Reply, Refusal> {
    let way = way(db, segments)?;
    match request.method {
        Method::GET => reading::answer(db, request, &way),
        Method::POST => making::answer(db, session, request, &way),
        Method::PUT | Method::DELETE => changing::answer(db, request, &way),
        // Metadata is put whole or not at all.
        _ => Err(refusal::method(&request.method)),
    }
}

fn way(db: &Db, segments: &[Segment]) -> Result<Way, Refusal> {
    let (first, rest) = segments
        .split_first()
        .ok_or_else(|| refusal::no_segment(""))?;
    let whole = |way: Way| match rest.first() {
        None => Ok(way),
        Some(further) => Err(refusal::no_segment(&further.name)),
    };
    match first.name.as_str() {
        "RelationshipDefinitions" => {
            // A cast to one kind of relationship changes nothing: a schema name belongs to one of them.
            let Some(by) = By::of(first, "SchemaName") else {
                return whole(Way::Relationships);
            };
            let all = reading::relationships(db);
            let found = all.iter().find(|held| match &by {
                By::Id(id) => held["MetadataId"] == **id,
                By::Name(name) => held["SchemaName"] == **name,
            });
            let found = found.and_then(|held| held["SchemaName"].as_str());
            let found = found.ok_or_else(|| by.not_found())?;
            Ok(Way::Relationship(found.to_owned()))
        }
        "GlobalOptionSetDefinitions" => {
            let Some(by) = By::of(first, "Name") else {
                return whole(Way::Choices);
            };
            let mut names = db.schema.choices.keys();
            let found = names.find(|name| by.is(name, || metadata_id(&["choice", name])));
            let found = found.ok_or_else(|| by.not_found())?;
            Ok(Way::Choice(found.clone()))
        }
        _ => match By::of(first, "LogicalName") {
            None => whole(Way::Tables),
            Some(by) => {
                let mut tables = db.schema.tables.values();
                let found = tables
                    .find(|table| by.is(&table.logical, || metadata_id(&[&table.logical])))
                    .ok_or_else(|| by.no_table())?;
                below(found, rest)
            }
        },
    }
}

/// What follows a table.
fn below(table: &Table, rest: &[Segment]) -> Result<Way, Refusal> {
    let Some((part, rest)) = rest.split_first() else {
        return Ok(Way::Table(table.logical.clone()));
    };
    let class = match rest {
        [] => None,
        [cast] => {
            let class = cast.name.strip_prefix("Microsoft.Dynamics.CRM.");
            Some(
                class
                    .ok_or_else(|| refusal::no_segment(&cast.name))?
                    .to_owned(),
            )
        }
        [_, further, ..] => return Err(refusal::no_segment(&further.name)),
    };
    let logical = table.logical.clone();
    let by = By::of(part, "LogicalName");
    match (part.name.as_str(), by) {
        ("Attributes", None) => Ok(Way::Attributes {
            table: logical,
            class,
        }),
        ("Attributes", Some(by)) => {
            let id = |column: &Column| metadata_id(&[&table.logical, &column.logical]);
            let mut columns = table.columns.values();
            let column = columns
                .find(|column| by.is(&column.logical, || id(column)))
                .ok_or_else(|| by.not_found())?;
            Ok(Way::Attribute {
                table: logical,
                column: column.logical.clone(),
                class,
            })
        }
        ("Keys", Some(by)) => {
            let id =
                |key: &AlternateKey| metadata_id(&["key", &table.logical, &key.logical_name()]);
            let mut keys = table.keys.iter();
            let key = keys
                .find(|key| by.is(&key.logical_name(), || id(key)))
                .ok_or_else(|| by.not_found())?;
            Ok(Way::Key {
                table: logical,
                key: key.logical_name(),
            })
        }
        (name, None) => Ok(Way::Part {
            table: logical,
            name: name.to_owned(),
        }),
        (name, Some(_)) => Err(refusal::no_segment(name)),
    }
}

/// How an address names a thing.
enum By {
    Id(String),
    Name(String),
}

impl By {
    /// None when there are no brackets.
    fn of(segment: &Segment, key: &str) -> Option<Self> {
        let arguments = segment.arguments.as_deref()?;
        if let Ok(id) = Uuid::try_parse(arguments.trim()) {
            return Some(Self::Id(id.to_string()));
        }
        let pairs = address::named(arguments);
        let named = pairs.into_iter().find(|(held, _)| held == key);
        let name = named.map(|(_, value)| value.trim_matches('\'').to_owned());
        Some(Self::Name(name.unwrap_or_else(|| arguments.to_owned())))
    }

    fn is(&self, name: &str, id: impl FnOnce() -> String) -> bool {
        match self {
            Self::Id(wanted) => id() == *wanted,
            Self::Name(wanted) => name == wanted,
        }
    }

    fn shown(&self) -> &str {
        match self {
            Self::Id(text) | Self::Name(text) => text,
        }
    }

    fn not_found(&self) -> Refusal {
        Refusal::new(
            404,
            "0x80060888",
            format!("Could not find '{}' in the metadata cache.", self.shown()),
        )
    }

    fn no_table(&self) -> Refusal {
        Refusal::new(
            404,
            "0x80060888",
            format!(
                "Could not find an entity with name '{}' in the metadata cache.",
                self.shown()
            ),
        )
    }
}

fn table<'d>(db: &'d Db, logical: &str) -> Result<&'d Table, Refusal> {
    db.schema
        .table(logical)
        .ok_or_else(|| refusal::no_segment(logical))
}

/// A change of the schema that does not fit. Which code the platform uses differs by component; 0x80040203 is its general one.
fn refused(conflict: Conflict) -> Refusal {
    match conflict {
        Conflict::Exists(name) => invalid(format!(
            "A component with the name '{name}' already exists."
        )),
        Conflict::Unknown(name) => invalid(format!("'{name}' does not exist.")),
        Conflict::NotCustom(name) => invalid(format!(
            "'{name}' is not a custom component and cannot be deleted."
        )),
        Conflict::InUse(name) => Refusal::new(
            405,
            "0x80040227",
            format!("The component cannot be deleted because '{name}' depends on it."),
        ),
        Conflict::Broken(reason) => invalid(reason),
    }
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new(400, "0x80040203", message)
}
