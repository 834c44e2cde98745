//! What a Web API path names: a table's set, a row by id or alternate key, a property, a navigation, `$ref`.
//! (dataverse 2.1, 2.5)

use uuid::Uuid;

use super::index;
use super::refusal::{self, Refusal};
use super::schema::{KeyStatus, Kind, Name, Table};
use super::store::{Cell, Db};
use crate::odata::Scalar;
use crate::odata::eval::{Case, equal};
use crate::odata::lex::literal_of;
use crate::wire::decode_segment;

/// One part of a path: a name, and what stands in its brackets.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Segment {
    pub(super) name: String,
    pub(super) arguments: Option<String>,
}

/// Which row is meant.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Key {
    Id(Uuid),
    Alternate(Vec<(String, Scalar)>),
}

/// Splits what follows the service root into segments.
pub(super) fn segments(path: &str) -> Vec<Segment> {
    path.split('/')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let part = decode_segment(part);
            match part.split_once('(') {
                Some((name, rest)) => Segment {
                    name: name.to_owned(),
                    arguments: Some(rest.strip_suffix(')').unwrap_or(rest).to_owned()),
                },
                None => Segment {
                    name: part,
                    arguments: None,
                },
            }
        })
        .collect()
}

/// Reads the brackets of a row address.
pub(super) fn key(arguments: &str, table: &Table) -> Result<Key, Refusal> {
    let trimmed = arguments.trim();
    if let Ok(id) = Uuid::try_parse(trimmed.trim_matches(|c| c == '{' || c == '}')) {
        return Ok(Key::Id(id));
    }
    let invalid = || {
        refusal::query(format!(
            "The key in the request URI is not valid for resource 'Microsoft.Dynamics.CRM.{}'. Ensure that the names and number of key properties match the declared key properties of the resource.",
            table.logical
        ))
    };
    let mut parts = Vec::new();
    for (name, value) in named(trimmed) {
        let literal = match value
            .strip_prefix('\'')
            .and_then(|rest| rest.strip_suffix('\''))
        {
            Some(text) => Scalar::Text(text.replace("''", "'")),
            None => match Uuid::try_parse(&value) {
                Ok(id) => Scalar::Guid(id),
                Err(_) => literal_of(&value).ok_or_else(invalid)?,
            },
        };
        parts.push((name, literal));
    }
    if let [(name, Scalar::Guid(id))] = parts.as_slice()
        && *name == *table.key
    {
        return Ok(Key::Id(*id));
    }
    if parts.is_empty() {
        Err(invalid())
    } else {
        Ok(Key::Alternate(parts))
    }
}

/// `name=value` pairs outside quotes and lists.
pub(super) fn named(text: &str) -> Vec<(String, String)> {
    let (mut quoted, mut lists, mut from, mut parts) = (false, 0_usize, 0, Vec::new());
    for (index, sign) in text.char_indices() {
        match sign {
            '\'' => quoted = !quoted,
            '[' if !quoted => lists += 1,
            ']' if !quoted => lists = lists.saturating_sub(1),
            ',' if !quoted && lists == 0 => {
                parts.push(&text[from..index]);
                from = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[from..]);
    parts
        .into_iter()
        .filter_map(|part| part.split_once('='))
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .collect()
}

/// The row that a key names; none when there is none. An undefined key is refused.
pub(super) fn locate(db: &Db, table: &Table, key: &Key) -> Result<Option<Uuid>, Refusal> {
    let parts = match key {
        Key::Id(id) => return Ok(db.row(&table.logical, *id).map(|row| row.id)),
        Key::Alternate(parts) => parts,
    };
    let mut columns = Vec::new();
    for (name, value) in parts {
        let column = table.property(name).ok_or_else(|| undefined(table))?;
        columns.push((column.logical.clone(), value));
    }
    // A key whose index is not built yet addresses nothing.
    let defined = table.keys.iter().any(|held| {
        held.status(db.asked.now) == KeyStatus::Active
            && held.columns.len() == columns.len()
            && held
                .columns
                .iter()
                .all(|name| columns.iter().any(|(column, _)| column == name))
    });
    if !defined {
        return Err(undefined(table));
    }
    let names: Vec<&Name> = columns.iter().map(|(column, _)| column).collect();
    let values: Vec<String> = columns
        .iter()
        .map(|(_, value)| index::of_scalar(value))
        .collect();
    let rows = db
        .rows(&table.logical)
        .into_iter()
        .flat_map(|rows| rows.candidates(&names, &values));
    let mut hits = rows.filter(|row| {
        columns.iter().all(|(column, wanted)| {
            let held = super::cells::scalar(row.cells.get(column));
            held != Scalar::Null && equal(&held, wanted, Case::Ignored)
        })
    });
    Ok(hits.next().map(|row| row.id))
}

fn undefined(table: &Table) -> Refusal {
    Refusal::new(
        400,
        "0x80060890",
        format!(
            "The specified key attributes are not a defined key for the {} entity",
            table.logical
        ),
    )
}

/// The columns that an upsert by alternate key writes on create.
pub(super) fn key_cells(table: &Table, key: &Key) -> Vec<(Name, Cell)> {
    let Key::Alternate(parts) = key else {
        return Vec::new();
    };
    parts
        .iter()
        .filter_map(|(name, value)| {
            let column = table.property(name)?;
            let cell = match (&column.kind, value) {
                (Kind::Lookup(targets), Scalar::Guid(id)) => Cell::Ref {
                    table: targets.first()?.table.clone(),
                    id: *id,
                },
                (_, Scalar::Text(text)) => Cell::text(text),
                (Kind::Int { .. } | Kind::Choice(_) | Kind::BigInt, Scalar::Number(number)) => {
                    Cell::Int(number.to_string().parse().ok()?)
                }
                (_, Scalar::Number(number)) => Cell::Decimal(*number),
                (_, Scalar::Guid(id)) => Cell::Guid(*id),
                (_, Scalar::Date(date)) => Cell::Date(*date),
                (_, Scalar::Time(time)) => Cell::Time(*time),
                (_, Scalar::Bool(value)) => Cell::Bool(*value),
                (_, Scalar::Null) => return None,
            };
            Some((column.logical.clone(), cell))
        })
        .collect()
}

/// The set, brackets and rest of a reference: relative, with a leading slash, or absolute.
pub(super) fn reference(text: &str) -> Option<Segment> {
    let path = text.split(['?', '#']).next()?;
    segments(path)
        .into_iter()
        .next_back()
        .filter(|segment| segment.arguments.is_some())
}
