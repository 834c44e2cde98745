//! The whole organisation as it is written down: nothing that is under way, everything that is final.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::super::schema::Column;
use super::{Db, Name, Row, Schema};
use crate::ids::Ids;
use crate::sight::Sight;
use crate::standing::Hidden;

/// The rows of a table; what is found out from them is not written down.
#[derive(Serialize, Deserialize)]
struct SavedRows {
    live: Vec<Arc<Row>>,
    deleted: Vec<(u64, Uuid)>,
}

/// Tables, rows, versions and links.
#[derive(Serialize, Deserialize)]
pub(crate) struct SavedDb {
    schema: Arc<Schema>,
    ids: Ids,
    traces: Ids,
    version: u64,
    tracking_floor: u64,
    hidden: BTreeMap<Uuid, Hidden>,
    sight: Sight,
    rows: BTreeMap<Name, SavedRows>,
    links: BTreeMap<usize, BTreeSet<(Uuid, Uuid)>>,
}

impl Db {
    pub(crate) fn saved(&self) -> SavedDb {
        let rows = self.rows.iter().map(|(table, rows)| {
            let saved = SavedRows {
                live: rows.live.values().cloned().collect(),
                deleted: rows.deleted.clone(),
            };
            (table.clone(), saved)
        });
        SavedDb {
            schema: Arc::clone(&self.schema),
            ids: self.ids.clone(),
            traces: self.traces.saved(),
            version: self.version,
            tracking_floor: self.tracking_floor,
            hidden: self.hidden.clone(),
            sight: self.sight.borrow().clone(),
            rows: rows.collect(),
            links: self.links.clone(),
        }
    }

    /// Becomes what was written down. Versions go on where they were, so that etags and delta links stay good.
    pub(crate) fn restore(&mut self, saved: SavedDb) {
        self.schema = saved.schema;
        self.ids = saved.ids;
        self.traces.restore(saved.traces);
        self.version = saved.version;
        self.tracking_floor = saved.tracking_floor;
        self.hidden = saved.hidden;
        self.sight.replace(saved.sight);
        self.rows.clear();
        for (table, saved) in saved.rows {
            let columns = self.schema.table(&table).map(|table| &table.columns);
            let rows = self.rows.entry(table.clone()).or_default();
            let live = saved.live.into_iter();
            let live = live.map(|row| (row.id, Arc::new(sharing_names(columns, &row))));
            rows.live = live.collect();
            rows.deleted = saved.deleted;
        }
        self.links = saved.links;
        self.stale = None;
        self.index();
        self.undo.clear();
        self.events.clear();
        self.writes.clear();
    }
}

/// A row whose cells are called by the names that the schema holds: a row that was read has its own copy of each.
fn sharing_names(columns: Option<&BTreeMap<Name, Column>>, row: &Row) -> Row {
    let shared = |name: &Name| {
        let held = columns.and_then(|columns| columns.get_key_value(name));
        held.map_or_else(|| Arc::clone(name), |(held, _)| Arc::clone(held))
    };
    let cells = row.cells.iter();
    Row {
        id: row.id,
        version: row.version,
        cells: cells
            .map(|(name, cell)| (shared(name), cell.clone()))
            .collect(),
    }
}
