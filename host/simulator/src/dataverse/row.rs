//! A row and its cells.

use std::sync::Arc;

use jiff::{Timestamp, civil::Date};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::schema::Name;

/// The value of a column. A column without a value has no cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Cell {
    Bool(bool),
    Int(i64),
    Decimal(Decimal),
    Double(f64),
    Text(Arc<str>),
    Date(Date),
    Time(Timestamp),
    Guid(Uuid),
    Ref { table: Name, id: Uuid },
}

impl Cell {
    pub(super) fn text(text: &str) -> Self {
        Self::Text(text.into())
    }
}

/// Cells by the name of their column, in its order. A list and not a tree: a row has a few dozen of them, and there are many rows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cells(Vec<(Name, Cell)>);

impl Cells {
    fn place(&self, column: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(name, _)| (**name).cmp(column))
    }

    pub(crate) fn get(&self, column: &str) -> Option<&Cell> {
        self.place(column).ok().map(|at| &self.0[at].1)
    }

    pub(crate) fn contains_key(&self, column: &str) -> bool {
        self.place(column).is_ok()
    }

    /// Puts a value in place and returns the one before.
    pub(crate) fn insert(&mut self, column: Name, cell: Cell) -> Option<Cell> {
        match self.place(&column) {
            Ok(at) => Some(std::mem::replace(&mut self.0[at].1, cell)),
            Err(at) => {
                self.0.insert(at, (column, cell));
                None
            }
        }
    }

    pub(crate) fn remove(&mut self, column: &str) -> Option<Cell> {
        self.place(column).ok().map(|at| self.0.remove(at).1)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Name, &Cell)> {
        self.0.iter().map(|(name, cell)| (name, cell))
    }

    /// Gives back the room that is not used.
    pub(super) fn settle(&mut self) {
        self.0.shrink_to_fit();
    }
}

impl FromIterator<(Name, Cell)> for Cells {
    fn from_iter<I: IntoIterator<Item = (Name, Cell)>>(cells: I) -> Self {
        let mut out = Self::default();
        for (name, cell) in cells {
            out.insert(name, cell);
        }
        out
    }
}

/// A row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) id: Uuid,
    pub(crate) version: u64,
    pub(crate) cells: Cells,
}

impl Row {
    /// A row without any value.
    pub(crate) fn blank(id: Uuid) -> Self {
        Self {
            id,
            version: 0,
            cells: Cells::default(),
        }
    }

    pub(crate) fn int(&self, column: &str) -> Option<i64> {
        match self.cells.get(column)? {
            Cell::Int(value) => Some(*value),
            _ => None,
        }
    }

    pub(crate) fn str(&self, column: &str) -> Option<&str> {
        match self.cells.get(column)? {
            Cell::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn reference(&self, column: &str) -> Option<(&Name, Uuid)> {
        match self.cells.get(column)? {
            Cell::Ref { table, id } => Some((table, *id)),
            _ => None,
        }
    }

    pub(crate) fn etag(&self) -> String {
        format!("W/\"{}\"", self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_kept_in_the_order_of_their_names() {
        let mut cells: Cells = [("b".into(), Cell::Int(2)), ("a".into(), Cell::Int(1))]
            .into_iter()
            .collect();
        assert_eq!(cells.insert("b".into(), Cell::Int(3)), Some(Cell::Int(2)));
        cells.insert("c".into(), Cell::Bool(true));
        assert_eq!(cells.remove("a"), Some(Cell::Int(1)));
        let names: Vec<&str> = cells.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, ["b", "c"]);
        assert!(cells.get("a").is_none() && cells.contains_key("c"));
    }
}
