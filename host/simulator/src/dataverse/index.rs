//! Where the rows of an alternate key are: upserts by key would otherwise look through the whole table.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::schema::Name;
use super::store::{Cell, Row};
use crate::odata::Scalar;

/// What stands between the values of a key of several columns.
const BETWEEN: char = '\u{1f}';

/// Rows by the values of a key's columns. Rows without a value in one of them are not in it: null is not held unique.
#[derive(Clone, Debug)]
pub(super) struct KeyIndex {
    pub(super) columns: Vec<Name>,
    rows: BTreeMap<String, BTreeSet<Uuid>>,
}

impl KeyIndex {
    pub(super) fn over<'r>(columns: Vec<Name>, rows: impl Iterator<Item = &'r Row>) -> Self {
        let mut index = Self {
            columns,
            rows: BTreeMap::new(),
        };
        for row in rows {
            index.add(row);
        }
        index
    }

    pub(super) fn add(&mut self, row: &Row) {
        if let Some(value) = self.value(row) {
            self.rows.entry(value).or_default().insert(row.id);
        }
    }

    pub(super) fn remove(&mut self, row: &Row) {
        let Some(value) = self.value(row) else { return };
        if let Some(ids) = self.rows.get_mut(&value) {
            ids.remove(&row.id);
            if ids.is_empty() {
                self.rows.remove(&value);
            }
        }
    }

    /// The rows that have these values, in the order of the columns. Who is found is to be looked at: values of different types may be
    /// written alike.
    pub(super) fn find(&self, values: &[String]) -> impl Iterator<Item = Uuid> + '_ {
        let found = self.rows.get(&joined(values.iter().map(String::as_str)));
        found.into_iter().flatten().copied()
    }

    fn value(&self, row: &Row) -> Option<String> {
        let values = self.columns.iter().map(|column| row.cells.get(column));
        let values: Option<Vec<String>> = values.map(|cell| cell.map(of_cell)).collect();
        values.map(|values| joined(values.iter().map(String::as_str)))
    }
}

fn joined<'v>(values: impl Iterator<Item = &'v str>) -> String {
    let mut out = String::new();
    for value in values {
        out.push_str(value);
        out.push(BETWEEN);
    }
    out
}

/// A cell as it is found: text without regard to case, numbers without regard to their decimals.
pub(super) fn of_cell(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) => text.to_lowercase(),
        Cell::Guid(id) | Cell::Ref { id, .. } => id.to_string(),
        Cell::Int(number) => number.to_string(),
        Cell::Decimal(number) => number.normalize().to_string(),
        Cell::Double(number) => number.to_string(),
        Cell::Bool(value) => value.to_string(),
        Cell::Date(date) => date.to_string(),
        Cell::Time(time) => time.to_string(),
    }
}

/// The same of a value in an address.
pub(super) fn of_scalar(value: &Scalar) -> String {
    match value {
        Scalar::Null => String::new(),
        Scalar::Text(text) => text.to_lowercase(),
        Scalar::Guid(id) => id.to_string(),
        Scalar::Number(number) => number.normalize().to_string(),
        Scalar::Bool(value) => value.to_string(),
        Scalar::Date(date) => date.to_string(),
        Scalar::Time(time) => time.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(number: u128, name: Option<&str>) -> Row {
        let mut row = Row::blank(Uuid::from_u128(number));
        if let Some(name) = name {
            row.cells.insert("name".into(), Cell::text(name));
        }
        row
    }

    #[test]
    fn rows_are_found_without_regard_to_case_until_they_go() {
        let (one, two, none) = (row(1, Some("A")), row(2, Some("a")), row(3, None));
        let mut index = KeyIndex::over(vec!["name".into()], [&one, &two, &none].into_iter());
        let found = |index: &KeyIndex| index.find(&["a".to_owned()]).collect::<Vec<_>>();
        assert_eq!(found(&index), [one.id, two.id]);
        index.remove(&one);
        assert_eq!(found(&index), [two.id]);
        index.remove(&two);
        assert!(found(&index).is_empty());
        assert_eq!(index.find(&[String::new()]).count(), 0);
    }
}
