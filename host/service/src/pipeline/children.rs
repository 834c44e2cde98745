//! Rows below a deal's row, as they were seen when the writes were planned. Their versions do not come with a join: they are asked for just before the
//! write, and would not tell that somebody has saved in between. What was seen tells (S6).

use std::collections::BTreeSet;

use cosell_remote::{RemoteError, Service, dataverse};
use cosell_sync::row::{Cell, Row};

/// The row as the look saw it.
fn seen<'a>(look: Option<&'a dataverse::Looked>, table: &str, id: &str) -> Option<&'a Row> {
    let related = look?.seen.related.iter().flat_map(|join| &join.rows);
    let mut rows = related.filter(|row| row.table == table);
    rows.find(|row| row.id.eq_ignore_ascii_case(id))
}

/// What the look saw of it.
pub(super) fn columns_seen(
    look: Option<&dataverse::Looked>,
    table: &str,
    id: &str,
) -> BTreeSet<String> {
    seen(look, table, id)
        .map(|row| row.cells.keys().cloned().collect())
        .unwrap_or_default()
}

/// Refuses when the row, as it is now, is another than the look saw. One that the look did not see is new.
///
/// # Errors
/// A conflict: the deal is looked at again.
pub(super) fn must_be_as_seen(
    look: Option<&dataverse::Looked>,
    now: &Row,
) -> Result<(), RemoteError> {
    let Some(before) = seen(look, &now.table, &now.id) else {
        return Ok(());
    };
    let changed = now.cells.iter().find(|(column, cell)| {
        let before = before.cells.get(*column);
        before.is_some_and(|before| !alike(before, cell))
    });
    match changed {
        None => Ok(()),
        Some((column, _)) => Err(RemoteError::changed_meanwhile(
            Service::Dataverse,
            format!("write {column} of {} {}", now.table, now.id),
        )),
    }
}

/// A join does not always bring the currency of its rows.
fn alike(before: &Cell, now: &Cell) -> bool {
    match (before, now) {
        (Cell::Money(before), Cell::Money(now)) => before.amount == now.amount,
        _ => before.same(now),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use cosell_remote::dataverse::Version;
    use cosell_sync::row::{Related, Seen};

    use super::*;

    fn row(table: &str, id: &str, cells: &[(&str, Cell)]) -> Row {
        let cells = cells
            .iter()
            .map(|(name, cell)| ((*name).to_owned(), cell.clone()));
        Row {
            table: table.to_owned(),
            id: id.to_owned(),
            cells: cells.collect(),
        }
    }

    #[test]
    fn s6_a_child_that_somebody_has_saved_since_the_look_is_looked_at_again() {
        let text = |text: &str| Cell::Text(text.to_owned());
        let child = row("opportunityproduct", "p1", &[("name", text("ten seats"))]);
        let look = dataverse::Looked {
            seen: Seen {
                row: row("opportunity", "o1", &[]),
                related: vec![Related {
                    label: "stock/products".to_owned(),
                    rows: vec![child.clone()],
                }],
            },
            version: Version {
                etag: "W/\"1\"".to_owned(),
                currency: None,
            },
        };
        let look = Some(&look);
        assert!(must_be_as_seen(look, &child).is_ok());
        let saved = row("opportunityproduct", "P1", &[("name", text("12 seats"))]);
        let told = must_be_as_seen(look, &saved).unwrap_err();
        assert_eq!(told.class, cosell_remote::Class::Conflict);
        let other_column = BTreeMap::from([("description".to_owned(), text("x"))]);
        let not_seen = Row {
            cells: other_column,
            ..child.clone()
        };
        assert!(must_be_as_seen(look, &not_seen).is_ok(), "nobody looked");
        let new = row("opportunityproduct", "p2", &[("name", text("x"))]);
        assert!(must_be_as_seen(look, &new).is_ok());
        assert_eq!(
            columns_seen(look, "opportunityproduct", "p1"),
            BTreeSet::from(["name".to_owned()])
        );
    }
}
