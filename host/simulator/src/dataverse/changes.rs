//! Requests that create, change or delete a row, and what the ledger is told of them. (dataverse 2.2, 2.5)

use serde_json::{Map, Value};
use uuid::Uuid;

use super::address::{self, Key};
use super::refusal::{self, Refusal};
use super::route::Call;
use super::schema::{Name, Table};
use super::store::{Cell, Db, Row, Write};
use super::{read, twins, write};
use crate::wire::Reply;

impl Call<'_> {
    /// Notes an accepted write for the ledger.
    pub(super) fn enter(
        &self,
        db: &mut Db,
        operation: &'static str,
        id: Uuid,
        body: Option<&Map<String, Value>>,
    ) {
        let changed = body.into_iter().flat_map(|body| body.keys());
        let changed = changed
            .filter(|name| !name.starts_with('@'))
            .map(|name| name.trim_end_matches("@odata.bind").to_owned());
        let changed = changed.collect();
        db.writes.push(Write {
            method: self.request.method.to_string(),
            url: self.request.target(),
            precondition: self.request.precondition(),
            operation,
            table: self.table.to_string(),
            id,
            changed,
            tag: None,
            overwrote: Vec::new(),
            merged_away: false,
        });
    }

    /// Changes a row, and notes for the ledger what that did to work that the caller had not seen.
    pub(super) fn change(
        &self,
        db: &mut Db,
        id: Uuid,
        sent: &Map<String, Value>,
        named: &Map<String, Value>,
    ) -> Result<(), Refusal> {
        let before = read::existing(db, self.table(db)?, id)?.clone();
        write::update(db, self.session, &self.table, id, sent)?;
        let overwrote = overwritten(db, self.table(db)?, &before);
        self.enter(db, "update", id, Some(named));
        if let Some(write) = db.writes.last_mut() {
            write.overwrote = overwrote;
            write.merged_away = before.cells.get("merged") == Some(&Cell::Bool(true));
        }
        Ok(())
    }

    pub(super) fn create(&self, db: &mut Db) -> Result<Reply, Refusal> {
        let body = self.body()?;
        twins::detect(db, self.session, self.request, &self.table, &body, None)?;
        let id = write::create(db, self.session, &self.table, &body, None, Vec::new(), 0)?;
        self.enter(db, "create", id, Some(&body));
        self.written(db, id, true)
    }

    /// The matrix of preconditions. (dataverse 2.5)
    pub(super) fn patch(&self, db: &mut Db, key: &Key) -> Result<Reply, Refusal> {
        let body = self.body()?;
        let existing = address::locate(db, self.table(db)?, key)?;
        let if_match = self.request.header("if-match");
        let never_update = self.request.header("if-none-match") == Some("*");
        if let Some(id) = existing {
            self.refuse_hidden(db, id, key)?;
        }
        twins::detect(db, self.session, self.request, &self.table, &body, existing)?;
        match existing {
            Some(_) if never_update => Err(refusal::exists()),
            Some(id) => {
                self.check_version(db, id)?;
                let key_columns: Vec<Name> = match key {
                    Key::Alternate(parts) => {
                        parts.iter().map(|(name, _)| name.as_str().into()).collect()
                    }
                    Key::Id(_) => Vec::new(),
                };
                // On an update by key, the key's columns in the body are dropped.
                let mut sent = body.clone();
                sent.retain(|name, _| !key_columns.iter().any(|column| **column == **name));
                self.change(db, id, &sent, &body)?;
                self.written(db, id, false)
            }
            None if if_match.is_some() => Err(self.gone(key)),
            None => {
                let extra = address::key_cells(self.table(db)?, key);
                let id = if let Key::Id(id) = key {
                    Some(*id)
                } else {
                    None
                };
                let id = write::create(db, self.session, &self.table, &body, id, extra, 0)?;
                self.enter(db, "create", id, Some(&body));
                self.written(db, id, true)
            }
        }
    }

    pub(super) fn check_version(&self, db: &Db, id: Uuid) -> Result<(), Refusal> {
        let row = read::existing(db, self.table(db)?, id)?;
        match self.request.header("if-match") {
            Some(tag) if tag != "*" && !self.table(db)?.versioned => {
                Err(refusal::not_versioned(&self.table))
            }
            Some(tag) if tag != "*" && tag != row.etag() => Err(refusal::changed()),
            _ => Ok(()),
        }
    }

    /// A write to a row that is not there. No version is that of no row.
    fn gone(&self, key: &Key) -> Refusal {
        let by_etag = self
            .request
            .header("if-match")
            .is_some_and(|tag| tag != "*");
        if by_etag && self.session.assumptions.gone_row_is_412() {
            return refusal::changed();
        }
        self.missing(key)
    }

    pub(super) fn delete(&self, db: &mut Db, key: &Key) -> Result<Reply, Refusal> {
        if address::locate(db, self.table(db)?, key)?.is_none() {
            return Err(self.gone(key));
        }
        let id = self.locate(db, key)?;
        self.check_version(db, id)?;
        let unseen = db.sight.borrow().unseen(&id.to_string()).len();
        write::delete(db, &self.table, id)?;
        self.enter(db, "delete", id, None);
        if unseen > 0
            && let Some(write) = db.writes.last_mut()
        {
            write.overwrote = vec!["the whole row".to_owned()];
        }
        Ok(Reply::empty(204))
    }
}

/// Columns that a person changed, that no caller was shown since, and that are now another value.
fn overwritten(db: &Db, table: &Table, before: &Row) -> Vec<String> {
    let Some(after) = db.row(&table.logical, before.id) else {
        return Vec::new();
    };
    let sight = db.sight.borrow();
    let unseen = sight.unseen(&before.id.to_string());
    let differs = |name: &&str| {
        table.property(name).is_some_and(|column| {
            before.cells.get(&column.logical) != after.cells.get(&column.logical)
        })
    };
    unseen
        .into_iter()
        .filter(differs)
        .map(str::to_owned)
        .collect()
}
