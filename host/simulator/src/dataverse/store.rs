//! Rows, versions, and changes that can be taken back.
//!
//! One counter for the whole organisation gives every write its version. What a request or change set did is kept until
//! it is committed or taken back as a whole: rows for undoing, events for webhooks, entries for the ledger.

mod saved;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::index::KeyIndex;
pub(crate) use super::row::{Cell, Row};
use super::schema::{Conflict, Name, Schema};
use crate::assumptions::Readings;
use crate::ids::{Ids, Traces};
use crate::sight::Sight;
use crate::standing::Hidden;
pub(crate) use saved::SavedDb;

/// The rows of a table, and the log of its deletions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    pub(crate) live: BTreeMap<Uuid, Arc<Row>>,
    pub(crate) deleted: Vec<(u64, Uuid)>,
    /// One for each alternate key of the table.
    indexes: Vec<KeyIndex>,
}

impl Rows {
    fn insert(&mut self, row: Arc<Row>) -> Option<Arc<Row>> {
        let before = self.live.insert(row.id, Arc::clone(&row));
        for index in &mut self.indexes {
            if let Some(before) = &before {
                index.remove(before);
            }
            index.add(&row);
        }
        before
    }

    fn remove(&mut self, id: Uuid) -> Option<Arc<Row>> {
        let before = self.live.remove(&id)?;
        for index in &mut self.indexes {
            index.remove(&before);
        }
        Some(before)
    }

    /// Rows whose columns may have these values; with no index over the columns, all rows may.
    pub(crate) fn candidates<'r>(
        &'r self,
        columns: &[&Name],
        values: &[String],
    ) -> Box<dyn Iterator<Item = &'r Arc<Row>> + 'r> {
        let over = |index: &&KeyIndex| {
            index.columns.len() == columns.len()
                && index.columns.iter().all(|column| columns.contains(&column))
        };
        let Some(index) = self.indexes.iter().find(over) else {
            return Box::new(self.live.values());
        };
        let in_order = index.columns.iter().map(|column| {
            let at = columns.iter().position(|held| *held == column);
            at.and_then(|at| values.get(at))
                .cloned()
                .unwrap_or_default()
        });
        let in_order: Vec<String> = in_order.collect();
        let ids: Vec<Uuid> = index.find(&in_order).collect();
        Box::new(ids.into_iter().filter_map(|id| self.live.get(&id)))
    }
}

/// Since when a row is there, and when each of its columns was changed last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Touched {
    pub(crate) made: u64,
    columns: BTreeMap<Name, u64>,
}

impl Touched {
    /// The version of the last change of a column, if it was changed at all.
    pub(crate) fn at(&self, column: &str) -> Option<u64> {
        self.columns.get(column).copied()
    }

    fn note(&mut self, before: &Row, after: &Row) {
        let both = before.cells.iter().chain(after.cells.iter());
        for (name, _) in both {
            if before.cells.get(name) != after.cells.get(name) {
                self.columns.insert(name.clone(), after.version);
            }
        }
    }
}

/// Something that happened to a row, for webhooks.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) message: &'static str,
    pub(crate) table: Name,
    pub(crate) id: Uuid,
    /// Columns of this operation, with their new values; none is a cleared column.
    pub(crate) target: Vec<(Name, Option<Cell>)>,
    pub(crate) primary_name: Option<String>,
    /// `?tag=` of the request.
    pub(crate) tag: Option<String>,
    /// The same for all events of a request.
    pub(crate) correlation: Uuid,
    /// The row before and after, for images.
    pub(crate) before: Option<Arc<Row>>,
    pub(crate) after: Option<Arc<Row>>,
    /// Of a message about many rows: each row with its columns of this operation.
    pub(crate) members: Vec<Member>,
}

/// A row of a message about many, and its columns of the operation.
pub(crate) type Member = (Uuid, Vec<(Name, Option<Cell>)>);

impl Event {
    pub(crate) fn new(message: &'static str, table: Name, id: Uuid) -> Self {
        Self {
            message,
            table,
            id,
            target: Vec::new(),
            primary_name: None,
            tag: None,
            correlation: Uuid::nil(),
            before: None,
            after: None,
            members: Vec::new(),
        }
    }
}

/// Under which circumstances a request is answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    /// What keys and their indexes are judged by, and what "the last seven days" are.
    pub(crate) now: Timestamp,
    /// systemuserid of the caller.
    pub(crate) caller: Uuid,
    /// Where the caller believes that we are.
    pub(crate) origin: String,
    /// How doubtful facts are read.
    pub(crate) readings: Readings,
}

/// An entry for the ledger.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) precondition: Option<String>,
    pub(crate) operation: &'static str,
    pub(crate) table: String,
    pub(crate) id: Uuid,
    pub(crate) changed: Vec<String>,
    /// `?tag=` of the request.
    pub(crate) tag: Option<String>,
    /// Columns that a person had changed and no caller was shown since.
    pub(crate) overwrote: Vec<String>,
    /// The row had lost a merge before.
    pub(crate) merged_away: bool,
}

enum Undo {
    Row {
        table: Name,
        id: Uuid,
        before: Option<Arc<Row>>,
    },
    Deleted {
        table: Name,
    },
    Link {
        relationship: usize,
        pair: (Uuid, Uuid),
        added: bool,
    },
    Schema(Arc<Schema>),
}

/// How far things had come at some moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    undo: usize,
    events: usize,
    writes: usize,
}

/// The whole organisation.
pub(crate) struct Db {
    /// Shared by copies until one of them changes it.
    pub(crate) schema: Arc<Schema>,
    pub(crate) ids: Ids,
    /// Names of requests and answers.
    pub(crate) traces: Arc<Traces>,
    pub(crate) version: u64,
    pub(crate) asked: Asked,
    /// The schema before it was changed last, and when that was: other servers know of a change a little later.
    pub(crate) stale: Option<(Arc<Schema>, Timestamp)>,
    /// Delta links that start before this version have expired.
    pub(crate) tracking_floor: u64,
    pub(crate) events: Vec<Event>,
    pub(crate) writes: Vec<Write>,
    /// Rows that callers of the API may no longer see.
    pub(crate) hidden: BTreeMap<Uuid, Hidden>,
    /// Whether what is rendered goes to a caller of the API; control looks without being seen.
    pub(crate) watched: bool,
    pub(crate) sight: RefCell<Sight>,
    rows: BTreeMap<Name, Rows>,
    /// Rows that were changed since they were made. A change that was taken back stays noted: a delta may tell too much, never too little.
    touched: BTreeMap<Uuid, Touched>,
    links: BTreeMap<usize, BTreeSet<(Uuid, Uuid)>>,
    undo: Vec<Undo>,
}

/// What a request did, to be told once the lock is released.
#[derive(Debug, Default)]
pub(crate) struct Committed {
    pub(crate) events: Vec<Event>,
    pub(crate) writes: Vec<Write>,
}

impl Db {
    pub(crate) fn new(schema: Schema, ids: Ids, traces: Arc<Traces>) -> Self {
        let rows = schema
            .tables
            .keys()
            .map(|table| (table.clone(), Rows::default()))
            .collect();
        let mut made = Self {
            schema: Arc::new(schema),
            ids,
            traces,
            version: 1_000_000,
            asked: Asked::default(),
            stale: None,
            tracking_floor: 0,
            events: Vec::new(),
            writes: Vec::new(),
            hidden: BTreeMap::new(),
            watched: false,
            sight: RefCell::default(),
            rows,
            touched: BTreeMap::new(),
            links: BTreeMap::new(),
            undo: Vec::new(),
        };
        made.index();
        made
    }

    /// Makes an index for each alternate key, and drops those of keys that are no more.
    fn index(&mut self) {
        for table in self.schema.tables.values() {
            let rows = self.rows.entry(table.logical.clone()).or_default();
            let keys = || table.keys.iter().map(|key| &key.columns);
            rows.indexes
                .retain(|index| keys().any(|columns| *columns == index.columns));
            for columns in keys() {
                if !rows.indexes.iter().any(|index| index.columns == *columns) {
                    let live = rows.live.values().map(AsRef::as_ref);
                    rows.indexes.push(KeyIndex::over(columns.clone(), live));
                }
            }
        }
    }

    /// The same rows and versions, all of them final; new rows get other ids.
    pub(crate) fn copied(&self, ids: Ids, traces: Arc<Traces>) -> Self {
        Self {
            schema: Arc::clone(&self.schema),
            ids,
            traces,
            version: self.version,
            asked: self.asked.clone(),
            stale: self.stale.clone(),
            tracking_floor: self.tracking_floor,
            events: Vec::new(),
            writes: Vec::new(),
            hidden: self.hidden.clone(),
            watched: false,
            sight: self.sight.clone(),
            rows: self.rows.clone(),
            touched: self.touched.clone(),
            links: self.links.clone(),
            undo: Vec::new(),
        }
    }

    pub(crate) fn rows(&self, table: &str) -> Option<&Rows> {
        self.rows.get(table)
    }

    pub(crate) fn row(&self, table: &str, id: Uuid) -> Option<&Arc<Row>> {
        self.rows.get(table)?.live.get(&id)
    }

    /// Whether callers of the API may see a row.
    pub(crate) fn shows(&self, id: Uuid) -> bool {
        !self.hidden.contains_key(&id)
    }

    /// Puts a row in place under the next version, and returns it as it is then.
    pub(crate) fn put(&mut self, table: &Name, mut row: Row) -> Arc<Row> {
        self.version += 1;
        row.version = self.version;
        row.cells.settle();
        let id = row.id;
        let row = Arc::new(row);
        let rows = self.rows.entry(table.clone()).or_default();
        let before = rows.insert(Arc::clone(&row));
        if let Some(before) = &before {
            let touched = self.touched.entry(id).or_insert_with(|| Touched {
                made: before.version,
                ..Touched::default()
            });
            touched.note(before, &row);
        }
        self.undo.push(Undo::Row {
            table: table.clone(),
            id,
            before,
        });
        row
    }

    /// When the columns of a row were changed; none of a row that is as it was made.
    pub(crate) fn touched(&self, id: Uuid) -> Option<&Touched> {
        self.touched.get(&id)
    }

    /// Removes a row and logs it for change tracking.
    pub(crate) fn remove(&mut self, table: &Name, id: Uuid) {
        self.version += 1;
        let version = self.version;
        let rows = self.rows.entry(table.clone()).or_default();
        let before = rows.remove(id);
        self.touched.remove(&id);
        rows.deleted.push((version, id));
        self.undo.push(Undo::Row {
            table: table.clone(),
            id,
            before,
        });
        self.undo.push(Undo::Deleted {
            table: table.clone(),
        });
    }

    /// Pairs of a many-to-many relationship.
    pub(crate) fn linked(&self, relationship: usize, id: Uuid, here_is_first: bool) -> Vec<Uuid> {
        let pairs = self.links.get(&relationship).into_iter().flatten();
        pairs
            .filter_map(|(first, second)| match here_is_first {
                true => (*first == id).then_some(*second),
                false => (*second == id).then_some(*first),
            })
            .collect()
    }

    pub(crate) fn link(&mut self, relationship: usize, pair: (Uuid, Uuid), add: bool) {
        let pairs = self.links.entry(relationship).or_default();
        let changed = if add {
            pairs.insert(pair)
        } else {
            pairs.remove(&pair)
        };
        if changed {
            self.undo.push(Undo::Link {
                relationship,
                pair,
                added: add,
            });
        }
    }

    /// Changes tables, columns, relationships or keys; a change that does not fit leaves all as it was.
    pub(crate) fn customise(
        &mut self,
        change: impl FnOnce(&mut Schema) -> Result<(), Conflict>,
    ) -> Result<(), Conflict> {
        let before = Arc::clone(&self.schema);
        if let Err(conflict) = change(Arc::make_mut(&mut self.schema)) {
            self.schema = before;
            return Err(conflict);
        }
        Arc::make_mut(&mut self.schema).version += 1;
        self.undo.push(Undo::Schema(before));
        self.index();
        Ok(())
    }

    /// Empties a column that is no more, so that a later one of its name begins empty. No version moves: nobody changed a row.
    pub(crate) fn forget(&mut self, table: &str, column: &str) {
        let Some((table, rows)) = self.rows.get_key_value(table) else {
            return;
        };
        let table = table.clone();
        let held = rows.live.values();
        let held: Vec<Arc<Row>> = held
            .filter(|row| row.cells.contains_key(column))
            .cloned()
            .collect();
        for before in held {
            let mut row = (*before).clone();
            row.cells.remove(column);
            let id = row.id;
            if let Some(rows) = self.rows.get_mut(&table) {
                rows.insert(Arc::new(row));
            }
            self.undo.push(Undo::Row {
                table: table.clone(),
                id,
                before: Some(before),
            });
        }
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark {
            undo: self.undo.len(),
            events: self.events.len(),
            writes: self.writes.len(),
        }
    }

    /// Takes back everything since the mark. Versions that were used stay used.
    pub(crate) fn roll_back(&mut self, mark: Mark) {
        while self.undo.len() > mark.undo {
            match self.undo.pop() {
                Some(Undo::Row { table, id, before }) => {
                    let rows = self.rows.entry(table).or_default();
                    match before {
                        Some(row) => rows.insert(row),
                        None => rows.remove(id),
                    };
                }
                Some(Undo::Deleted { table }) => {
                    self.rows.entry(table).or_default().deleted.pop();
                }
                Some(Undo::Schema(before)) => {
                    self.schema = before;
                    self.index();
                }
                Some(Undo::Link {
                    relationship,
                    pair,
                    added,
                }) => {
                    let pairs = self.links.entry(relationship).or_default();
                    if added {
                        pairs.remove(&pair)
                    } else {
                        pairs.insert(pair)
                    };
                }
                None => break,
            }
        }
        self.events.truncate(mark.events);
        self.writes.truncate(mark.writes);
    }

    /// Makes everything since the last commit final.
    pub(crate) fn commit(&mut self) -> Committed {
        let undo = std::mem::take(&mut self.undo);
        let mut changed = undo.into_iter();
        let before = changed.find_map(|step| match step {
            Undo::Schema(before) => Some(before),
            _ => None,
        });
        if let Some(before) = before {
            self.stale = Some((before, self.asked.now));
        }
        Committed {
            events: std::mem::take(&mut self.events),
            writes: std::mem::take(&mut self.writes),
        }
    }

    /// The primary name of a row, for labels.
    pub(crate) fn name_of(&self, table: &str, id: Uuid) -> Option<String> {
        let primary = &self.schema.table(table)?.primary_name;
        self.row(table, id)?.str(primary).map(str::to_owned)
    }
}
