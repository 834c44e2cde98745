//! `$ref`: connecting and disconnecting rows, by lookup or by many-to-many relationship. (dataverse 2.6)

use http::Method;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::address::{Key, Segment};
use super::refusal::{self, Refusal};
use super::route::Call;
use super::rules;
use super::schema::{Name, Navigation};
use super::session::Session;
use super::store::{Cell, Db, Event};
use super::{payload, write};
use crate::wire::Reply;

impl Call<'_> {
    pub(super) fn reference(
        &self,
        db: &mut Db,
        key: &Key,
        segment: &Segment,
    ) -> Result<Reply, Refusal> {
        let id = self.locate(db, key)?;
        let navigation = db
            .schema
            .navigation(&self.table, &segment.name)
            .cloned()
            .ok_or_else(|| refusal::no_segment(&segment.name))?;
        let named = self.named(db, &navigation, segment)?;
        let connect = self.request.method != Method::DELETE;
        let session = self.session;
        match (&self.request.method, navigation, named) {
            (&Method::PUT, Navigation::One { column, table }, Some(other)) => {
                rules::refuse_closed(db, &self.table, id)?;
                let cell = Cell::Ref { table, id: other };
                let changes = vec![(column, Some(cell))];
                write::apply(db, session, &self.table, id, changes)?;
            }
            (&Method::DELETE, Navigation::One { column, .. }, _) => {
                rules::refuse_closed(db, &self.table, id)?;
                write::apply(db, session, &self.table, id, vec![(column, None)])?;
            }
            (
                &Method::POST | &Method::DELETE,
                Navigation::Children { table, column },
                Some(child),
            ) => {
                rules::refuse_closed(db, &table, child)?;
                let cell = connect.then(|| Cell::Ref {
                    table: self.table.clone(),
                    id,
                });
                write::apply(db, session, &table, child, vec![(column, cell)])?;
            }
            (
                &Method::POST | &Method::DELETE,
                navigation @ Navigation::Many { .. },
                Some(other),
            ) => {
                let changed = link(db, &self.table, id, &navigation, other, connect);
                if !changed && connect && session.assumptions.linking_twice_is_refused() {
                    return Err(refusal::exists());
                }
            }
            (_, _, None) => {
                return Err(refusal::payload(
                    &self.table(db)?.set,
                    "The property '@odata.id' with the address of a row is missing.",
                ));
            }
            _ => return Err(refusal::method(&self.request.method)),
        }
        let mut body = Map::new();
        body.insert(segment.name.clone(), Value::Null);
        let operation = if connect { "associate" } else { "disassociate" };
        self.enter(db, operation, id, Some(&body));
        Ok(Reply::empty(204))
    }

    /// The row at the other end: in brackets, in the body, or as `$id`.
    fn named(
        &self,
        db: &Db,
        navigation: &Navigation,
        segment: &Segment,
    ) -> Result<Option<Uuid>, Refusal> {
        let target = match navigation {
            Navigation::One { table, .. }
            | Navigation::Children { table, .. }
            | Navigation::Many { table, .. } => table,
        };
        let text = if let Some(arguments) = &segment.arguments {
            let set = db.schema.table(target).map(|table| &table.set);
            set.map(|set| format!("{set}({arguments})"))
        } else if self.request.method == Method::DELETE {
            let mut pairs = self.pairs.iter();
            let id = pairs.find(|(name, _)| name == "$id");
            id.map(|(_, value)| value.clone())
        } else {
            let body = self.body().ok();
            body.and_then(|body| Some(body.get("@odata.id")?.as_str()?.to_owned()))
        };
        let Some(text) = text else { return Ok(None) };
        match payload::bound(db, self.session, target, &text, &self.table(db)?.set)? {
            Cell::Ref { id, .. } => Ok(Some(id)),
            _ => Ok(None),
        }
    }
}

/// Connects or disconnects two rows of a many-to-many relationship, and says whether that changed anything. What is so already is left
/// so, without an event.
fn link(
    db: &mut Db,
    table: &Name,
    id: Uuid,
    navigation: &Navigation,
    other: Uuid,
    connect: bool,
) -> bool {
    let Navigation::Many {
        relationship,
        table: target,
        here_is_first,
    } = navigation
    else {
        return false;
    };
    let already = db
        .linked(*relationship, id, *here_is_first)
        .contains(&other);
    if already == connect {
        return false;
    }
    db.link(*relationship, pair(id, other, *here_is_first), connect);
    let schema_name = db
        .schema
        .many
        .get(*relationship)
        .map(|many| many.schema_name.clone());
    let (message, related) = (
        if connect { "Associate" } else { "Disassociate" },
        Cell::Ref {
            table: target.clone(),
            id: other,
        },
    );
    let event = Event {
        target: vec![
            (
                "relationship".into(),
                schema_name.as_deref().map(Cell::text),
            ),
            ("related".into(), Some(related)),
        ],
        ..Event::new(message, table.clone(), id)
    };
    db.events.push(event);
    true
}

/// A person connects or disconnects two rows.
pub(super) fn by_hand(
    db: &mut Db,
    session: &Session,
    table: &Name,
    id: Uuid,
    name: &str,
    other: Uuid,
    connect: bool,
) -> Result<(), Refusal> {
    let navigation = db
        .schema
        .navigation(table, name)
        .cloned()
        .ok_or_else(|| refusal::no_segment(name))?;
    let Navigation::Many { table: target, .. } = &navigation else {
        return Err(refusal::payload(
            table,
            format_args!("'{name}' is not a many-to-many relationship; use a bind."),
        ));
    };
    for (table, id) in [(table, id), (target, other)] {
        if db.row(table, id).is_none() || (!session.is_person() && !db.shows(id)) {
            return Err(refusal::no_row(table, id));
        }
    }
    link(db, table, id, &navigation, other, connect);
    Ok(())
}

/// Rows that refer to a row by a lookup: their table, the column, their id.
pub(super) fn holders(db: &Db, table: &Name, id: Uuid) -> Vec<(Name, Name, Uuid)> {
    let mut holders = Vec::new();
    for (_, navigation) in db.schema.navigations(table) {
        let Navigation::Children {
            table: child,
            column,
        } = navigation
        else {
            continue;
        };
        let rows = db
            .rows(child)
            .into_iter()
            .flat_map(|rows| rows.live.values());
        let held = rows.filter(|row| row.reference(column) == Some((table, id)));
        holders.extend(held.map(|row| (child.clone(), column.clone(), row.id)));
    }
    holders
}

/// The many-to-many relationships of a table, and whether it is their first side.
pub(super) fn relationships(db: &Db, table: &Name) -> Vec<(usize, bool)> {
    let navigations = db.schema.navigations(table);
    let many = navigations.filter_map(|(_, navigation)| match navigation {
        Navigation::Many {
            relationship,
            here_is_first,
            ..
        } => Some((*relationship, *here_is_first)),
        _ => None,
    });
    many.collect()
}

/// Two rows in the order of the relationship's sides.
pub(super) fn pair(id: Uuid, other: Uuid, here_is_first: bool) -> (Uuid, Uuid) {
    if here_is_first {
        (id, other)
    } else {
        (other, id)
    }
}
