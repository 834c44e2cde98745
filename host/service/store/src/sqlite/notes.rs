//! Small facts about a connection.

use rusqlite::{Connection, OptionalExtension, params};

use crate::writer::{Desk, Failure};

/// The fact of this name.
pub(super) fn read(
    sql: &Connection,
    connection: &str,
    name: &str,
) -> Result<Option<String>, Failure> {
    Ok(sql
        .prepare_cached("SELECT value FROM note WHERE connection = ?1 AND name = ?2")?
        .query_row(params![connection, name], |row| row.get(0))
        .optional()?)
}

/// Writes it down, or forgets it.
pub(super) fn set(
    desk: &Desk<'_>,
    connection: &str,
    name: &str,
    value: Option<&str>,
) -> Result<(), Failure> {
    match value {
        Some(value) => desk
            .sql
            .prepare_cached(
                "INSERT INTO note (connection, name, value, at) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (connection, name) DO UPDATE SET value = excluded.value, at = excluded.at",
            )?
            .execute(params![connection, name, value, desk.now])?,
        None => desk
            .sql
            .prepare_cached("DELETE FROM note WHERE connection = ?1 AND name = ?2")?
            .execute(params![connection, name])?,
    };
    Ok(())
}
