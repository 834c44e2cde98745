//! Everything in a file, out of it and into it.

use std::path::Path;
use std::time::Duration;

use rusqlite::backup::Backup;
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, ToSql, params_from_iter};
use tempfile::NamedTempFile;
use tokio::sync::mpsc;

use super::{SqliteStore, schema, system_clock};
use crate::StoreError;
use crate::copy::{Cell, Copied, CopyError, LEASED, Parcel, TABLES, Table, broken};

/// Pages that are copied at a time.
const PAGES: i32 = 1_024;

impl SqliteStore {
    /// Sends everything from one snapshot. Blocks.
    pub(crate) fn send(
        path: &Path,
        at_rest: bool,
        parcels: &mpsc::Sender<Parcel>,
    ) -> Result<(), StoreError> {
        if !path.exists() {
            return Err(broken(CopyError::Missing {
                path: path.display().to_string(),
            }));
        }
        // An older file is brought up to date in a copy: it may be a backup, and the release that wrote it may be wanted back.
        let copy = older_copy(path)?;
        let path = copy.as_ref().map_or(path, NamedTempFile::path);
        drop(schema::open_writer(path).map_err(broken)?);
        let sql = schema::open_reader(path).map_err(broken)?;
        let snapshot = sql.unchecked_transaction().map_err(broken)?;
        if at_rest {
            let now = (system_clock())();
            let lanes: i64 = snapshot
                .query_row(&format!("{LEASED} ?1"), [now], |row| row.get(0))
                .map_err(broken)?;
            if lanes > 0 {
                return Err(broken(CopyError::Busy { lanes }));
            }
        }
        for table in TABLES {
            send_table(&snapshot, table, parcels)?;
        }
        parcels
            .blocking_send(Parcel::End)
            .map_err(|_| broken(CopyError::Cut))
    }

    /// Takes everything in, whole or not at all. Blocks.
    pub(crate) fn receive(
        path: &Path,
        delivery: &mut mpsc::Receiver<Parcel>,
    ) -> Result<Copied, StoreError> {
        let mut sql = schema::open_writer(path).map_err(broken)?;
        let all = sql.transaction().map_err(broken)?;
        for table in TABLES {
            let count = format!("SELECT count(*) FROM {}", table.name);
            let rows: i64 = all
                .query_row(&count, [], |row| row.get(0))
                .map_err(broken)?;
            if rows > 0 {
                return Err(broken(CopyError::NotEmpty {
                    table: table.name,
                    rows,
                }));
            }
        }
        let mut copied = Copied::default();
        loop {
            match delivery.blocking_recv() {
                None => return Err(broken(CopyError::Cut)),
                Some(Parcel::End) => break,
                Some(Parcel::Rows {
                    table,
                    columns,
                    rows,
                }) => {
                    let places: Vec<String> = (1..=columns.len())
                        .map(|place| format!("?{place}"))
                        .collect();
                    let insert = format!(
                        "INSERT INTO {table} ({}) VALUES ({})",
                        columns.join(", "),
                        places.join(", ")
                    );
                    let mut insert = all.prepare_cached(&insert).map_err(broken)?;
                    copied.count(table, rows.len());
                    for row in &rows {
                        insert.execute(params_from_iter(row)).map_err(broken)?;
                    }
                }
            }
        }
        all.commit().map_err(broken)?;
        Ok(copied)
    }
}

fn send_table(
    sql: &Connection,
    asked: &Table,
    parcels: &mpsc::Sender<Parcel>,
) -> Result<(), StoreError> {
    let (table, batch) = (asked.name, asked.batch);
    let mut query = sql.prepare(&asked.rows()).map_err(broken)?;
    let columns: Vec<String> = query
        .column_names()
        .into_iter()
        .map(str::to_owned)
        .collect();
    let send = |rows| {
        let columns = columns.clone();
        parcels
            .blocking_send(Parcel::Rows {
                table,
                columns,
                rows,
            })
            .map_err(|_| broken(CopyError::Cut))
    };
    let mut found = query.query([]).map_err(broken)?;
    let mut rows = Vec::with_capacity(batch);
    while let Some(row) = found.next().map_err(broken)? {
        let cell = |(place, column): (usize, &String)| match row.get_ref(place) {
            Ok(ValueRef::Null) => Ok(Cell::Null),
            Ok(ValueRef::Integer(number)) => Ok(Cell::Integer(number)),
            Ok(ValueRef::Text(text)) => String::from_utf8(text.to_vec())
                .map(Cell::Text)
                .map_err(broken),
            Ok(ValueRef::Blob(bytes)) => Ok(Cell::Bytes(bytes.to_vec())),
            Ok(_) => Err(broken(CopyError::Odd {
                table: table.to_owned(),
                column: column.clone(),
            })),
            Err(error) => Err(broken(error)),
        };
        rows.push(
            columns
                .iter()
                .enumerate()
                .map(cell)
                .collect::<Result<_, _>>()?,
        );
        if rows.len() == batch {
            send(std::mem::replace(&mut rows, Vec::with_capacity(batch)))?;
        }
    }
    if rows.is_empty() {
        return Ok(());
    }
    send(rows)
}

impl ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Null => ToSqlOutput::Owned(Value::Null),
            Self::Integer(number) => ToSqlOutput::Owned(Value::Integer(*number)),
            Self::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Self::Bytes(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
        })
    }
}

/// A copy of a file whose tables are not up to date. None: they are.
fn older_copy(path: &Path) -> Result<Option<NamedTempFile>, StoreError> {
    let sql = schema::open_to_look(path).map_err(broken)?;
    if schema::is_up_to_date(&sql).map_err(broken)? {
        return Ok(None);
    }
    // Readable by this user only, as the store is.
    let copy = NamedTempFile::new().map_err(broken)?;
    let mut there = Connection::open(copy.path()).map_err(broken)?;
    Backup::new(&sql, &mut there)
        .and_then(|backup| backup.run_to_completion(PAGES, Duration::ZERO, None))
        .map_err(broken)?;
    Ok(Some(copy))
}
