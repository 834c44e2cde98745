//! Everything that a store holds as lines of JSON: to leave the product with.

use serde_json::{Map, Value, json};

use crate::copy::{Cell, each_row};
use crate::{StoreError, StoreUrl};

/// The shape of the lines. It changes when a line of today would mean something else; new tables and columns do not change it.
pub const EXPORT_VERSION: u32 = 1;

/// Hands everything to `line`, one JSON object for each row, `{"table": …, "row": {…}}`, after a first one that says what follows. Numbers are numbers,
/// texts are texts (many hold JSON themselves), bytes are hex after `hex:`. Components of plugins are named and not shown unless `with_bytes`.
///
/// # Errors
/// [`StoreError::Broken`]: the store is not there, or failed; the error that `line` gave.
pub async fn export(
    from: &StoreUrl,
    with_bytes: bool,
    mut line: impl FnMut(&Value) -> std::io::Result<()>,
) -> Result<u64, StoreError> {
    let (mut rows, mut failed) = (0, None);
    let head = json!({
        "cosell-export": EXPORT_VERSION,
        "tables-version": crate::sqlite::TABLES_VERSION,
        "of": from.to_string(),
        "times": "milliseconds since 1970-01-01T00:00:00Z",
    });
    failed = failed.or(line(&head).err());
    each_row(from, |table, columns, row| {
        let cells = columns.iter().cloned().zip(row);
        let cells = cells.map(|(column, cell)| {
            let value = match cell {
                Cell::Null => Value::Null,
                Cell::Integer(number) => number.into(),
                Cell::Text(text) => text.into(),
                Cell::Bytes(bytes) if table == "component" && !with_bytes => {
                    format!("{} bytes", bytes.len()).into()
                }
                Cell::Bytes(bytes) => format!("hex:{}", hex::encode(bytes)).into(),
            };
            (column, value)
        });
        let told = json!({ "table": table, "row": cells.collect::<Map<_, _>>() });
        if failed.is_none() {
            failed = line(&told).err();
            rows += 1;
        }
    })
    .await?;
    match failed {
        None => Ok(rows),
        Some(error) => Err(StoreError::Broken {
            doing: "write an export",
            source: error.into(),
        }),
    }
}
