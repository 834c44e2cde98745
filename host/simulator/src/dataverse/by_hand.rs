//! What people do on the site: the same rules as for the API, and no ledger entry.

use std::sync::Arc;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::qualify::{self, Order};
use super::refusal::{self, Refusal};
use super::schema::Name;
use super::session::Session;
use super::store::{Committed, Db};
use super::{Dataverse, actions, associate, merge, write};
use crate::standing::{CrmAccount, Hidden};

/// Columns that ride along with every change; nobody edits them.
const STAMPS: [&str; 3] = ["modifiedon", "modifiedby", "modifiedonbehalfby"];

impl Dataverse {
    pub(crate) fn create_by_hand(&self, table: &str, values: &Value) -> Result<String, Refusal> {
        self.by_hand(|db, session| {
            let body = object(values)?;
            let table = known(db, table)?;
            write::create(db, session, &table, body, None, Vec::new(), 0).map(|id| id.to_string())
        })
    }

    pub(crate) fn update_by_hand(
        &self,
        table: &str,
        id: &str,
        values: &Value,
    ) -> Result<(), Refusal> {
        self.by_hand(|db, session| {
            let table = known(db, table)?;
            write::update(db, session, &table, guid(&table, id)?, object(values)?)
        })
    }

    pub(crate) fn delete_by_hand(&self, table: &str, id: &str) -> Result<(), Refusal> {
        self.by_hand(|db, _| {
            let table = known(db, table)?;
            write::delete(db, &table, guid(&table, id)?)
        })
    }

    pub(crate) fn close_by_hand(&self, id: &str, won: bool, close: &Value) -> Result<(), Refusal> {
        self.by_hand(|db, session| {
            let id = guid("opportunity", id)?;
            let status = close["Status"].as_i64().unwrap_or(-1);
            actions::close(db, session, id, won, status, object(close)?).map(drop)
        })
    }

    pub(crate) fn reopen_by_hand(&self, id: &str) -> Result<(), Refusal> {
        self.by_hand(|db, session| actions::reopen_by_hand(db, session, guid("opportunity", id)?))
    }

    pub(crate) fn qualify_by_hand(&self, id: &str, order: &Value) -> Result<(), Refusal> {
        self.by_hand(|db, session| {
            let order = Order::of_person(order);
            qualify::qualify(db, session, guid("lead", id)?, &order).map(drop)
        })
    }

    pub(crate) fn disqualify_by_hand(&self, id: &str, status: i64) -> Result<(), Refusal> {
        self.by_hand(|db, session| qualify::disqualify(db, session, guid("lead", id)?, status))
    }

    pub(crate) fn reactivate_by_hand(&self, id: &str) -> Result<(), Refusal> {
        self.by_hand(|db, session| qualify::reactivate(db, session, guid("lead", id)?))
    }

    pub(crate) fn merge_by_hand(
        &self,
        table: &str,
        winner: &str,
        loser: &str,
    ) -> Result<(), Refusal> {
        self.by_hand(|db, session| {
            let table = known(db, table)?;
            let (winner, loser) = (guid(&table, winner)?, guid(&table, loser)?);
            merge::merge(db, session, &table, winner, loser)
        })
    }

    pub(crate) fn link_by_hand(
        &self,
        table: &str,
        id: &str,
        relationship: &str,
        other: &str,
        connect: bool,
    ) -> Result<(), Refusal> {
        self.by_hand(|db, session| {
            let table = known(db, table)?;
            let (id, other) = (guid(&table, id)?, guid(relationship, other)?);
            associate::by_hand(db, session, &table, id, relationship, other, connect)
        })
    }

    fn by_hand<T>(
        &self,
        act: impl FnOnce(&mut Db, &Session) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let session = self.session_of(self.users.seller);
        let mut db = self.db();
        let mark = db.mark();
        match act(&mut db, &session) {
            Ok(done) => {
                let committed = db.commit();
                remember(&db, &committed);
                self.send(&db, &session, &committed.events);
                Ok(done)
            }
            Err(refusal) => {
                db.roll_back(mark);
                db.commit();
                Err(refusal)
            }
        }
    }

    // An administrator's doing.

    /// Makes a column system-required, or not; false when there is none of that name.
    pub(crate) fn require(&self, table: &str, column: &str, required: bool) -> bool {
        let mut db = self.db();
        let schema = Arc::make_mut(&mut db.schema);
        schema.version += 1;
        let held = schema
            .tables
            .get_mut(table)
            .and_then(|table| table.columns.get_mut(column));
        let Some(column) = held else { return false };
        column.required = if required {
            super::schema::Required::System
        } else {
            super::schema::Required::No
        };
        true
    }

    pub(crate) fn add_status(
        &self,
        table: &str,
        value: i32,
        label: &str,
        state: i32,
    ) -> Result<(), String> {
        let mut db = self.db();
        let schema = Arc::make_mut(&mut db.schema);
        schema.version += 1;
        schema.add_status(table, value, label, state)
    }

    pub(crate) fn retire_status(&self, table: &str, value: i32) -> Result<(), String> {
        let mut db = self.db();
        let schema = Arc::make_mut(&mut db.schema);
        schema.version += 1;
        schema.retire_status(table, value)
    }

    /// Hides a row from callers of the API, or shows it again; false when there is none.
    pub(crate) fn hide(&self, table: &str, id: &str, hidden: Option<Hidden>) -> bool {
        let mut db = self.db();
        let id = Uuid::try_parse(id).unwrap_or_default();
        if db.row(table, id).is_none() {
            return false;
        }
        match hidden {
            Some(hidden) => db.hidden.insert(id, hidden),
            None => db.hidden.remove(&id),
        };
        true
    }

    /// From now on this is a restored copy: all rows, and another `OrganizationId`.
    pub(crate) fn copy_environment(&self) -> Uuid {
        let fresh = self.db().ids.guid();
        *self
            .organization
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = fresh;
        fresh
    }

    pub(crate) fn set_account(&self, account: CrmAccount) {
        *self
            .account
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = account;
    }
}

/// What a person changed, so that a caller who overwrites it unseen can be told.
fn remember(db: &Db, committed: &Committed) {
    let mut sight = db.sight.borrow_mut();
    for event in &committed.events {
        if !matches!(event.message, "Create" | "Update") {
            continue;
        }
        let Some(table) = db.schema.table(&event.table) else {
            continue;
        };
        let record = event.id.to_string();
        for (name, _) in &event.target {
            if let Some(column) = table.column(name).filter(|_| !STAMPS.contains(&&**name)) {
                sight.change(&record, &column.wire_name());
            }
        }
    }
}

fn known(db: &Db, table: &str) -> Result<Name, Refusal> {
    db.schema
        .table(table)
        .map(|table| table.logical.clone())
        .ok_or_else(|| refusal::no_segment(table))
}

fn object(value: &Value) -> Result<&Map<String, Value>, Refusal> {
    value
        .as_object()
        .ok_or_else(|| refusal::payload("", "The body is not an object."))
}

fn guid(table: &str, text: &str) -> Result<Uuid, Refusal> {
    Uuid::try_parse(text).map_err(|_| refusal::no_row(table, text))
}
