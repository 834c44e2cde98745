//! Which columns to write: the difference between two answers of the same plugins (S7).

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use crate::row::{Cell, Child, Children, Row};

/// Columns by logical name.
pub type Cells = BTreeMap<String, Cell>;

/// The host asks `to-row` twice about the same row: for the deal as the row shows it (`before`) and as it should be (`after`). Written
/// are the columns on which the answers differ and which the row does not hold already. So a constant is written at creation
/// and never again, a lossy column never ping-pongs, and nobody computes diffs.
#[must_use]
pub fn to_write(before: &Cells, after: &Cells, row: &Cells) -> Cells {
    after
        .iter()
        .filter(|(column, cell)| before.get(*column).is_none_or(|same| !same.same(cell)))
        .filter(|(column, cell)| row.get(*column).is_none_or(|held| !held.same(cell)))
        .map(|(column, cell)| (column.clone(), cell.clone()))
        .collect()
}

/// What to do to the rows that hang from a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChildWrite {
    /// Create it; its id is made from the key (S14).
    Create(Child),
    /// Write these columns.
    Update {
        /// Which row.
        id: String,
        /// Only the columns that differ.
        cells: Cells,
    },
    /// It is no longer wanted. The host deletes it only if it has created it, else it is unlinked (S11).
    Remove {
        /// Which row.
        id: String,
    },
}

/// Compares the rows that should be there with those that are. `id_of` makes the id of a child from its key, so that a row that an
/// earlier run created is recognised.
#[must_use]
pub fn children_to_write(
    wanted: &Children,
    there: &[Row],
    id_of: impl Fn(&str) -> String,
) -> Vec<ChildWrite> {
    let mut writes = Vec::new();
    let mut named = Vec::new();
    for child in &wanted.rows {
        let id = child.id.clone().unwrap_or_else(|| id_of(&child.key));
        match there.iter().find(|row| row.id.eq_ignore_ascii_case(&id)) {
            None => writes.push(ChildWrite::Create(Child {
                id: Some(id.clone()),
                ..child.clone()
            })),
            Some(row) => {
                let cells = to_write(&Cells::new(), &child.cells, &row.cells);
                if !cells.is_empty() {
                    writes.push(ChildWrite::Update {
                        id: id.clone(),
                        cells,
                    });
                }
            }
        }
        named.push(id);
    }
    if wanted.remove_surplus {
        let surplus = there
            .iter()
            .filter(|row| !named.iter().any(|id| id.eq_ignore_ascii_case(&row.id)));
        writes.extend(surplus.map(|row| ChildWrite::Remove { id: row.id.clone() }));
    }
    writes
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    fn cells(list: &[(&str, &str)]) -> Cells {
        list.iter()
            .map(|(column, text)| ((*column).to_string(), Cell::Text((*text).to_string())))
            .collect()
    }

    #[test]
    fn a_constant_is_never_written_again_even_if_a_person_changed_it() {
        let answer = cells(&[("rating", "warm"), ("topic", "a")]);
        assert_eq!(
            to_write(
                &answer,
                &answer,
                &cells(&[("rating", "hot"), ("topic", "a")])
            ),
            cells(&[])
        );
    }

    #[test]
    fn s11_children_are_compared_one_by_one() {
        let child = |key: &str, id: Option<&str>, name: &str| Child {
            key: key.to_string(),
            id: id.map(ToString::to_string),
            cells: cells(&[("name", name)]),
        };
        let row = |id: &str, name: &str| Row {
            table: "line".to_string(),
            id: id.to_string(),
            cells: cells(&[("name", name)]),
        };
        let wanted = Children {
            label: "stock/solutions".to_string(),
            rows: [
                child("a", Some("1"), "Alpha"),
                child("b", Some("2"), "Beta"),
                child("c", None, "Gamma"),
            ]
            .into(),
            remove_surplus: true,
        };
        let there = [row("1", "Alpha"), row("2", "Old"), row("9", "Gone")];
        let writes = children_to_write(&wanted, &there, |key| alloc::format!("made-from-{key}"));
        assert_eq!(
            writes,
            [
                ChildWrite::Update {
                    id: "2".to_string(),
                    cells: cells(&[("name", "Beta")])
                },
                ChildWrite::Create(child("c", Some("made-from-c"), "Gamma")),
                ChildWrite::Remove {
                    id: "9".to_string()
                },
            ]
        );
    }

    #[test]
    fn what_the_row_holds_already_is_not_written() {
        let wrote = to_write(
            &cells(&[("topic", "a")]),
            &cells(&[("topic", "b"), ("city", "Pécs")]),
            &cells(&[("city", "Pécs")]),
        );
        assert_eq!(wrote, cells(&[("topic", "b")]));
    }
}
