//! What a body says: columns with their values, references, and rows to be made along with it. (dataverse 2.2, 2.6)

use serde_json::{Map, Value};

use super::address::{self, Key};
use super::cells;
use super::refusal::{self, Refusal};
use super::schema::{Kind, Name, Navigation, Table};
use super::session::Session;
use super::store::{Cell, Db};
use crate::standing::Hidden;

/// What a body says: columns with their new values, and rows to be made along with it.
#[derive(Debug, Default)]
pub(super) struct Payload {
    pub(super) cells: Vec<(Name, Option<Cell>)>,
    /// Rows to create and then refer to from this one.
    pub(super) parents: Vec<(Name, Name, Map<String, Value>)>,
    /// Rows to create that refer to this one.
    pub(super) children: Vec<(Name, Name, Map<String, Value>)>,
}

impl Payload {
    pub(super) fn get(&self, column: &str) -> Option<&Option<Cell>> {
        self.cells
            .iter()
            .find(|(name, _)| **name == *column)
            .map(|(_, cell)| cell)
    }

    pub(super) fn int(&self, column: &str) -> Option<i64> {
        match self.get(column)? {
            Some(Cell::Int(value)) => Some(*value),
            _ => None,
        }
    }

    pub(super) fn bool(&self, column: &str) -> Option<bool> {
        match self.get(column)? {
            Some(Cell::Bool(value)) => Some(*value),
            _ => None,
        }
    }

    pub(super) fn set(&mut self, column: &str, cell: Option<Cell>) {
        self.cells.retain(|(name, _)| **name != *column);
        self.cells.push((column.into(), cell));
    }
}

/// Reads a body against a table. Read-only columns are ignored; unknown names are refused.
pub(super) fn read(
    db: &Db,
    session: &Session,
    table: &str,
    body: &Map<String, Value>,
    create: bool,
) -> Result<Payload, Refusal> {
    let table = db
        .schema
        .table(table)
        .ok_or_else(|| refusal::no_segment(table))?;
    let mut out = Payload::default();
    for (name, value) in body {
        if name.starts_with('@') {
            continue;
        }
        if let Some(navigation) = name.strip_suffix("@odata.bind") {
            let undeclared = || {
                refusal::payload(
                    &table.set,
                    format_args!(
                        "An undeclared property '{navigation}' which only has property annotations in the payload but no property value was found in the payload. In OData, only declared navigation properties and declared named streams can be represented as properties without values."
                    ),
                )
            };
            match db.schema.navigation(&table.logical, navigation) {
                Some(Navigation::One {
                    column,
                    table: target,
                }) => {
                    let cell = match value {
                        Value::Null => None,
                        Value::String(text) => {
                            let target = target_of(db, table, column, navigation, text, target);
                            Some(bound(db, session, &target, text, &table.set)?)
                        }
                        _ => {
                            return Err(refusal::payload(
                                &table.set,
                                format_args!("The value of '{name}' is not a reference."),
                            ));
                        }
                    };
                    // A null for one target clears only a reference to that target, or an empty lookup.
                    out.cells.retain(|(held, _)| held != column);
                    out.cells.push((column.clone(), cell));
                }
                _ => return Err(undeclared()),
            }
            continue;
        }
        if name.contains('@') {
            continue;
        }
        if let Some(column) = table.property(name) {
            if matches!(column.kind, Kind::Lookup(_)) {
                return Err(refusal::payload(
                    &table.set,
                    "CRM do not support direct update of Entity Reference properties, Use Navigation properties instead.",
                ));
            }
            let cell = cells::read(table, column, value)?;
            if if create { column.create } else { column.update } {
                let cell = cell.map(|cell| as_kept(session, cell));
                out.cells.push((column.logical.clone(), cell));
            } else if session.assumptions.read_only_columns_are_refused() {
                return Err(refusal::payload(
                    &table.set,
                    format_args!("The property '{name}' is read-only."),
                ));
            }
            continue;
        }
        match (db.schema.navigation(&table.logical, name), value) {
            (
                Some(Navigation::One {
                    column,
                    table: target,
                }),
                Value::Object(body),
            ) if create => {
                out.parents
                    .push((column.clone(), target.clone(), body.clone()));
            }
            (
                Some(Navigation::Children {
                    table: child,
                    column,
                }),
                Value::Array(rows),
            ) if create => {
                for row in rows {
                    let row = row.as_object().ok_or_else(|| {
                        refusal::payload(
                            &table.set,
                            format_args!("An item of '{name}' is not an object."),
                        )
                    })?;
                    out.children
                        .push((child.clone(), column.clone(), row.clone()));
                }
            }
            _ => {
                return Err(refusal::payload(
                    &table.set,
                    format_args!(
                        "The property '{name}' does not exist on type 'Microsoft.Dynamics.CRM.{}'. Make sure to only use property names that are defined by the type.",
                        table.logical
                    ),
                ));
            }
        }
    }
    Ok(out)
}

/// A text as the platform keeps it. (dataverse 6, row 32)
fn as_kept(session: &Session, cell: Cell) -> Cell {
    let Cell::Text(text) = cell else { return cell };
    let mut kept = text.to_string();
    let trimmed = kept.trim_end();
    if trimmed.len() < kept.len() && session.assumptions.text_is_trimmed() {
        kept.truncate(trimmed.len());
    }
    let plain = kept.replace("\r\n", "\n");
    if plain.matches('\n').count() > kept.matches("\r\n").count()
        && session.assumptions.line_feeds_become_crlf()
    {
        kept = plain.replace('\n', "\r\n");
    }
    Cell::text(&kept)
}

/// One navigation may lead to several tables (`ownerid` to users and teams): the reference itself says to which.
fn target_of(
    db: &Db,
    table: &Table,
    column: &str,
    navigation: &str,
    text: &str,
    otherwise: &str,
) -> String {
    let set = address::reference(text).map(|segment| segment.name);
    let named = set.and_then(|set| db.schema.of_set(&set));
    let targets = match table.column(column).map(|column| &column.kind) {
        Some(Kind::Lookup(targets)) => targets.as_slice(),
        _ => &[],
    };
    targets
        .iter()
        .filter(|target| target.navigation == navigation)
        .find(|target| named.is_some_and(|named| *named.logical == *target.table))
        .map_or_else(|| otherwise.to_owned(), |target| target.table.to_string())
}

/// The row that a bind refers to: by id, by alternate key, or `$n` inside a change set.
pub(super) fn bound(
    db: &Db,
    session: &Session,
    target: &str,
    text: &str,
    set: &str,
) -> Result<Cell, Refusal> {
    let resolved = match text.strip_prefix('$').map(|id| session.content_ids.get(id)) {
        Some(Some(held)) => held.clone(),
        Some(None) => return Err(unknown_content_id(text)),
        None => text.to_owned(),
    };
    let bad = || {
        refusal::payload(
            set,
            format_args!("The reference '{text}' does not lead to a row of '{target}'."),
        )
    };
    let segment = address::reference(&resolved).ok_or_else(bad)?;
    let table = db
        .schema
        .of_set(&segment.name)
        .filter(|table| *table.logical == *target)
        .ok_or_else(bad)?;
    let key = address::key(segment.arguments.as_deref().unwrap_or_default(), table)?;
    match address::locate(db, table, &key)? {
        Some(id) if !session.is_person() && db.hidden.get(&id) == Some(&Hidden::Forbidden) => {
            Err(refusal::denied(session.user, &table.logical))
        }
        Some(id) if session.is_person() || db.shows(id) => Ok(Cell::Ref {
            table: table.logical.clone(),
            id,
        }),
        _ => {
            let mut missing = match key {
                Key::Id(id) => refusal::no_bound_row(&table.logical, id),
                Key::Alternate(_) => refusal::no_row_by_key(&table.logical),
            };
            if session.assumptions.missing_reference_is_400() {
                missing.status = 400;
            }
            Err(missing)
        }
    }
}

/// A reference to an item that does not come before.
pub(super) fn unknown_content_id(text: &str) -> Refusal {
    refusal::query(format!(
        "Content-ID Reference: '{text}' does not exist in the batch context."
    ))
}
