//! Which columns to write: the difference between two answers of the same plugins (S7).

use alloc::collections::BTreeMap;
use alloc::string::String;

use crate::row::Cell;

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
    fn what_the_row_holds_already_is_not_written() {
        let wrote = to_write(
            &cells(&[("topic", "a")]),
            &cells(&[("topic", "b"), ("city", "Pécs")]),
            &cells(&[("city", "Pécs")]),
        );
        assert_eq!(wrote, cells(&[("topic", "b")]));
    }
}
