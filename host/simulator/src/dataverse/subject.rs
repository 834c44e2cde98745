//! A row as something that can be asked: its columns, and what its navigation properties lead to.

use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::cells;
use super::schema::{Column, Name, Navigation, Table};
use super::store::{Cell, Db, Row};
use crate::odata::Scalar;
use crate::odata::eval::Subject;

/// A row with what it needs to be asked.
pub(super) struct RowSubject<'a> {
    pub(super) db: &'a Db,
    pub(super) table: &'a Table,
    pub(super) row: &'a Row,
}

impl Subject for RowSubject<'_> {
    fn column(&self, name: &str) -> Scalar {
        match self.table.column(name) {
            Some(column) => cells::scalar(cell(self.row, column).as_ref()),
            None => Scalar::Null,
        }
    }

    fn now(&self) -> Timestamp {
        self.db.asked.now
    }

    fn caller(&self) -> Uuid {
        self.db.asked.caller
    }

    fn not_equal_finds_empty(&self) -> bool {
        self.db.asked.readings.not_equal_finds_empty()
    }

    fn scalar(&self, path: &[String]) -> Scalar {
        let Some((first, rest)) = path.split_first() else {
            return Scalar::Guid(self.row.id);
        };
        if rest.is_empty() {
            return match self.table.property(first) {
                Some(column) => cells::scalar(cell(self.row, column).as_ref()),
                None => Scalar::Null,
            };
        }
        let Some(Navigation::One { column, table }) =
            self.db.schema.navigation(&self.table.logical, first)
        else {
            return Scalar::Null;
        };
        let target = self
            .row
            .reference(column)
            .filter(|(held, _)| *held == table);
        match (
            target.and_then(|(table, id)| self.db.row(table, id)),
            self.db.schema.table(table),
        ) {
            (Some(row), Some(table)) => RowSubject {
                db: self.db,
                table,
                row,
            }
            .scalar(rest),
            _ => Scalar::Null,
        }
    }

    fn members(&self, path: &[String]) -> Vec<Box<dyn Subject + '_>> {
        let Some(navigation) = path
            .first()
            .and_then(|name| self.db.schema.navigation(&self.table.logical, name))
        else {
            return Vec::new();
        };
        let (table, rows) = related(self.db, &self.table.logical, self.row, navigation);
        let Some(table) = self.db.schema.table(table) else {
            return Vec::new();
        };
        rows.into_iter()
            .map(|row| {
                Box::new(RowSubject {
                    db: self.db,
                    table,
                    row,
                }) as Box<dyn Subject>
            })
            .collect()
    }
}

/// The rows at the other end of a navigation property.
pub(super) fn related<'a>(
    db: &'a Db,
    here: &Name,
    row: &Row,
    navigation: &'a Navigation,
) -> (&'a Name, Vec<&'a Arc<Row>>) {
    match navigation {
        Navigation::One { column, table } => {
            let target = row.reference(column).filter(|(held, _)| *held == table);
            (
                table,
                target
                    .filter(|(_, id)| db.shows(*id))
                    .and_then(|(table, id)| db.row(table, id))
                    .into_iter()
                    .collect(),
            )
        }
        Navigation::Children { table, column } => {
            let rows = db
                .rows(table)
                .into_iter()
                .flat_map(|rows| rows.live.values());
            (
                table,
                rows.filter(|child| child.reference(column) == Some((here, row.id)))
                    .filter(|child| db.shows(child.id))
                    .collect(),
            )
        }
        Navigation::Many {
            relationship,
            table,
            here_is_first,
        } => {
            let ids = db.linked(*relationship, row.id, *here_is_first);
            (
                table,
                ids.into_iter()
                    .filter(|id| db.shows(*id))
                    .filter_map(|id| db.row(table, id))
                    .collect(),
            )
        }
    }
}

/// The value of a column, the version included.
pub(super) fn cell(row: &Row, column: &Column) -> Option<Cell> {
    if &*column.logical == "versionnumber" {
        return i64::try_from(row.version).ok().map(Cell::Int);
    }
    row.cells.get(&column.logical).cloned()
}
