//! Databases in memory. Ten thousand histories begin with empty tables each: one that is done with leaves its connection to the next, emptied, with
//! its statements prepared.

use std::ops::{Deref, DerefMut};
use std::sync::Mutex;

use rusqlite::Connection;

use super::schema::{self, SchemaError};
use crate::writer::lock;

/// Connections kept: one for each thread that plays.
const KEPT_MAX: usize = 16;

/// Emptied, in no transaction.
static KEPT: Mutex<Vec<Connection>> = Mutex::new(Vec::new());

/// A writer's connection; one in memory is used again.
pub(crate) struct Owned {
    // None only while it is dropped.
    sql: Option<Connection>,
    in_memory: bool,
}

impl Owned {
    /// An empty database in memory.
    pub(super) fn in_memory() -> Result<Self, SchemaError> {
        let kept = lock(&KEPT).pop();
        let sql = match kept {
            Some(kept) => kept,
            None => {
                let mut made = Connection::open_in_memory()?;
                schema::prepare(&made)?;
                schema::migrate(&mut made)?;
                made
            }
        };
        Ok(Self {
            sql: Some(sql),
            in_memory: true,
        })
    }
}

/// One of a file, closed when it is dropped.
impl From<Connection> for Owned {
    fn from(sql: Connection) -> Self {
        Self {
            sql: Some(sql),
            in_memory: false,
        }
    }
}

impl Deref for Owned {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.sql.as_ref().expect("there until it is dropped")
    }
}

impl DerefMut for Owned {
    fn deref_mut(&mut self) -> &mut Connection {
        self.sql.as_mut().expect("there until it is dropped")
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        let Some(sql) = self.sql.take().filter(|_| self.in_memory) else {
            return;
        };
        // One that cannot be emptied, as after a panic within a transaction, is closed.
        if sql.is_autocommit() && empty(&sql).is_ok() {
            let mut kept = lock(&KEPT);
            if kept.len() < KEPT_MAX {
                kept.push(sql);
            }
        }
    }
}

/// Takes every row out of every table; the tables stay, and so do the statements that know them.
fn empty(sql: &Connection) -> rusqlite::Result<()> {
    let tables = tables(sql)?;
    let all = sql.unchecked_transaction()?;
    for table in tables {
        all.prepare_cached(&format!("DELETE FROM {table}"))?
            .execute([])?;
    }
    all.commit()
}

/// Those that refer to others before those.
fn tables(sql: &Connection) -> rusqlite::Result<Vec<String>> {
    sql.prepare_cached("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY rowid DESC")?
        .query_map([], |row| row.get(0))?
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_is_used_again_is_empty() {
        let sql = Connection::open_in_memory().unwrap();
        let mut sql = Owned {
            sql: Some(sql),
            in_memory: true,
        };
        schema::prepare(&sql).unwrap();
        schema::migrate(&mut sql).unwrap();
        sql.execute_batch(
            "INSERT INTO counter VALUES ('c', 'lane', 2);
             INSERT INTO lane (connection, lane, state, fence, attempts, born, audited)
                 VALUES ('c', 1, 'settled', 0, 0, 0, 0);
             INSERT INTO lane (connection, lane, state, fence, attempts, born, audited, retired_into)
                 VALUES ('c', 2, 'retired', 0, 0, 0, 0, 1);
             INSERT INTO member VALUES ('c', 'crm', 'lead', 'x', 1);
             INSERT INTO bell VALUES ('c', 'crm', 'lead', 'x', 1, 0, 'event', 0);",
        )
        .unwrap();
        empty(&sql).unwrap();
        let tables = tables(&sql).unwrap();
        assert!(tables.len() > 20, "{tables:?}");
        for table in tables {
            let rows: i64 = sql
                .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| {
                    row.get(0)
                })
                .unwrap();
            assert_eq!(rows, 0, "{table}");
        }
    }
}
