//! A CRM of a handful of rows: what is there after a set of plugins has written one deal. It knows no column types, and resolves every key to a
//! row that has just these parts.

use std::collections::BTreeMap;

use cosell_sync::row::{
    Cell, Choice, Condition, Found, Join, Link, Needs, Query, RecordKind, Reference, Related, Row,
    RowKey, RowState, Seen, Test,
};

use crate::question::Draft;
use crate::standard::{ACCOUNT_ID, CONTACT_ID, ROW_ID};

/// The rows, the deal's own first.
pub(super) struct Crm {
    rows: Vec<Row>,
    /// Child rows, by the label of their join.
    children: BTreeMap<String, Vec<Row>>,
}

/// What a set writes for one deal.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Written {
    pub(super) record: Draft,
    pub(super) account: Draft,
    pub(super) contact: Draft,
    pub(super) state: Option<RowState>,
}

pub(super) fn account() -> Reference {
    to("account", ACCOUNT_ID)
}

pub(super) fn contact() -> Reference {
    to("contact", CONTACT_ID)
}

fn to(table: &str, id: &str) -> Reference {
    Reference {
        table: table.to_owned(),
        id: id.to_owned(),
        name: None,
    }
}

impl Crm {
    pub(super) fn after(kind: RecordKind, needs: &Needs, written: &Written) -> Self {
        let mut crm = Self {
            rows: Vec::new(),
            children: BTreeMap::new(),
        };
        for (table, id, draft) in [
            (kind.table(), ROW_ID, &written.record),
            ("account", ACCOUNT_ID, &written.account),
            ("contact", CONTACT_ID, &written.contact),
        ] {
            let mut row = empty(table, id, needs);
            for (column, (cell, _)) in &draft.cells {
                let cell = crm.resolved(cell);
                row.cells.insert(column.clone(), cell);
            }
            crm.rows.push(row);
        }
        // Keys have put their rows before it.
        let own = crm.rows.iter().position(|row| row.id == ROW_ID);
        if let Some(own) = own {
            let row = crm.rows.remove(own);
            crm.rows.insert(0, row);
        }
        if let Some(state) = &written.state {
            for (column, code) in [
                ("statecode", state.statecode),
                ("statuscode", state.statuscode),
            ] {
                let cell = Cell::Choice(Choice { code, label: None });
                crm.rows[0].cells.insert(column.to_owned(), cell);
            }
        }
        for (children, _) in &written.record.children {
            let table = needs.joins.iter().find(|join| join.label == children.label);
            let table = table.map_or(String::new(), |join| join.table.clone());
            let rows: Vec<Row> = children
                .rows
                .iter()
                .map(|child| Row {
                    table: table.clone(),
                    id: child.id.clone().unwrap_or_else(|| child.key.clone()),
                    cells: child
                        .cells
                        .iter()
                        .map(|(column, cell)| (column.clone(), crm.resolved(cell)))
                        .collect(),
                })
                .collect();
            crm.children.insert(children.label.clone(), rows);
        }
        crm
    }

    /// A key becomes a row that has its parts.
    fn resolved(&mut self, cell: &Cell) -> Cell {
        let Cell::RowWhere(key) = cell else {
            return cell.clone();
        };
        let id = id_of(key);
        if !self.rows.iter().any(|row| row.id == id) {
            let parts = key.parts.iter();
            self.rows.push(Row {
                table: key.table.clone(),
                id: id.clone(),
                cells: parts
                    .map(|(column, text)| (column.clone(), Cell::Text(text.clone())))
                    .collect(),
            });
        }
        Cell::Reference(to(&key.table, &id))
    }

    /// The record with everything that the joins of the set bring along.
    pub(super) fn seen(&self, kind: RecordKind, needs: &Needs) -> Seen {
        let mut under: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
        let mut related = Vec::new();
        for join in &needs.joins {
            let above: Vec<&Row> = if join.above == kind.table() {
                vec![&self.rows[0]]
            } else {
                under.get(join.above.as_str()).cloned().unwrap_or_default()
            };
            let rows = self.joined(join, &above, join.above == kind.table());
            related.push(Related {
                label: join.label.clone(),
                rows: rows
                    .iter()
                    .map(|row| with_columns(row, join.columns.iter().map(String::as_str)))
                    .collect(),
            });
            under.insert(&join.label, rows);
        }
        Seen {
            row: self.rows[0].clone(),
            related,
        }
    }

    fn joined<'a>(&'a self, join: &Join, above: &[&'a Row], is_top: bool) -> Vec<&'a Row> {
        match &join.via {
            Link::Lookup(column) => above
                .iter()
                .filter_map(|row| match row.cells.get(column) {
                    Some(Cell::Reference(to)) => self.rows.iter().find(|row| row.id == to.id),
                    // The host links the customer and the first contact itself where no plugin names the column.
                    _ if is_top && matches!(join.table.as_str(), "account" | "contact") => {
                        self.rows.iter().find(|row| row.table == join.table)
                    }
                    _ => None,
                })
                .collect(),
            Link::Child(_) | Link::Many(_) => {
                let rows = self.children.get(&join.label);
                rows.map(|rows| rows.iter().collect()).unwrap_or_default()
            }
        }
    }

    /// Rows for a query of a plugin.
    pub(super) fn answer(&self, query: &Query) -> Found {
        let rows = self
            .rows
            .iter()
            .filter(|row| row.table == query.table)
            .filter(|row| query.conditions.iter().all(|one| meets(row, one)))
            .take(usize::from(query.limit))
            .map(|row| with_columns(row, query.columns.iter().map(String::as_str)));
        Found {
            label: query.label.clone(),
            rows: rows.collect(),
            cut: false,
        }
    }
}

fn id_of(key: &RowKey) -> String {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let parts = key.parts.iter();
    let words = parts.flat_map(|(column, text)| [column.as_str(), text.as_str()]);
    for byte in std::iter::once(key.table.as_str())
        .chain(words)
        .flat_map(str::bytes)
    {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    format!("0f0f0f0f-0000-4000-8000-{:012x}", hash & 0xffff_ffff_ffff)
}

/// With every column that the set declared, empty.
fn empty(table: &str, id: &str, needs: &Needs) -> Row {
    let declared = needs.reads.get(table);
    let columns = declared.into_iter().flatten();
    Row {
        table: table.to_owned(),
        id: id.to_owned(),
        cells: columns
            .map(|column| (column.clone(), Cell::Empty))
            .collect(),
    }
}

fn with_columns<'a>(row: &Row, columns: impl Iterator<Item = &'a str>) -> Row {
    let cell = |column: &str| {
        let id_column =
            row.table.strip_suffix("id").is_none() && column == format!("{}id", row.table);
        match row.cells.get(column) {
            Some(cell) => cell.clone(),
            None if id_column => Cell::Text(row.id.clone()),
            None => Cell::Empty,
        }
    };
    Row {
        cells: columns
            .map(|column| (column.to_owned(), cell(column)))
            .collect(),
        ..row.clone()
    }
}

fn meets(row: &Row, condition: &Condition) -> bool {
    let is_id = condition.column == format!("{}id", row.table);
    let same = |wanted: &Cell| match (row.cells.get(&condition.column), wanted) {
        (Some(there), wanted) => there.same(wanted),
        (None, Cell::Text(id)) if is_id => row.id.eq_ignore_ascii_case(id),
        (None, Cell::Reference(to)) if is_id => row.id.eq_ignore_ascii_case(&to.id),
        (None, _) => false,
    };
    match &condition.test {
        Test::Equals(wanted) => same(wanted),
        Test::OneOf(wanted) => wanted.iter().any(same),
        // What a range or a part of a text finds is no matter of a round trip.
        _ => true,
    }
}
