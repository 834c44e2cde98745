//! Tables and their versions, and how a connection is set up.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::checkpoint::LOG_FILE_BYTES;

/// Each entry leads from the version before it to its own (1, 2, …). Released entries are frozen.
pub(super) const VERSIONS: [&str; 4] = [
    include_str!("schema-1.sql"),
    include_str!("schema-2.sql"),
    include_str!("schema-3.sql"),
    include_str!("schema-4.sql"),
];

/// `cose` in ASCII: marks the file as ours, so that somebody else's database is refused instead of extended.
const APPLICATION_ID: i32 = 0x636f_7365;

/// How long a connection waits for another process (`cosell status`, a second host by mistake) before it gives up.
const BUSY: Duration = Duration::from_secs(5);

/// How long a checkpoint waits for a reader, with the writer behind it: the next one tries again.
const BUSY_CHECKPOINT: Duration = Duration::from_millis(100);

/// Statements kept prepared per connection: a little more than the store has.
const STATEMENTS_MAX: usize = 128;

/// Why a file cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum SchemaError {
    /// The database's own words.
    #[error(transparent)]
    Sql(#[from] rusqlite::Error),
    /// Written by a later release.
    #[error(
        "made by a newer cosell: the file has version {found}, this cosell knows versions up to {known}; install the newer one"
    )]
    Newer { found: i64, known: usize },
    /// Of an earlier release, and whoever only looks changes nothing.
    #[error(
        "its tables have version {found}, and this cosell works with version {known}: `cosell store migrate`, or a start of this release's host, brings them up to date; nothing was changed"
    )]
    Older { found: usize, known: usize },
    /// Somebody else's.
    #[error("the file is an SQLite database of another program; name another file")]
    Foreign,
    /// SQLite could not switch the file to a write-ahead log.
    #[error(
        "the file cannot have a write-ahead log (journal mode is {mode:?}); a network file system cannot hold the store"
    )]
    NoLog { mode: String },
}

/// A connection that writes: tables brought up to date.
pub(super) fn open_writer(path: &Path) -> Result<Connection, SchemaError> {
    let mut sql = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    sql.busy_timeout(BUSY)?;
    check_owner(&sql)?;
    let mode: String = sql.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(SchemaError::NoLog { mode });
    }
    sql.pragma_update(None, "journal_size_limit", LOG_FILE_BYTES)?;
    // NORMAL would lose acknowledged events with the power.
    sql.pragma_update(None, "synchronous", "FULL")?;
    // The checkpointer does it.
    sql.query_row("PRAGMA wal_autocheckpoint = 0", [], |_| Ok(()))?;
    prepare(&sql)?;
    migrate(&mut sql)?;
    Ok(sql)
}

/// A connection that only reads, beside a writer that is open already.
pub(super) fn open_reader(path: &Path) -> Result<Connection, SchemaError> {
    let sql = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    sql.busy_timeout(BUSY)?;
    prepare(&sql)?;
    sql.pragma_update(None, "query_only", true)?;
    Ok(sql)
}

/// A connection that looks at a file and leaves it as it is.
pub(super) fn open_to_look(path: &Path) -> Result<Connection, SchemaError> {
    let sql = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    sql.busy_timeout(BUSY)?;
    check_owner(&sql)?;
    Ok(sql)
}

/// Whether nothing is missing in its tables.
pub(super) fn is_up_to_date(sql: &Connection) -> Result<bool, SchemaError> {
    Ok(known_version(sql)? == VERSIONS.len())
}

/// Refuses a file whose tables are older than this cosell's. One that has none yet is no older release's.
pub(super) fn check_not_older(path: &Path) -> Result<(), SchemaError> {
    match known_version(&open_to_look(path)?)? {
        found if found > 0 && found < VERSIONS.len() => Err(SchemaError::Older {
            found,
            known: VERSIONS.len(),
        }),
        _ => Ok(()),
    }
}

/// A connection that only checkpoints. It syncs as strictly as the writer: what is copied must be safe before the log starts anew.
pub(super) fn open_checkpointer(path: &Path) -> Result<Connection, SchemaError> {
    let sql = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    sql.busy_timeout(BUSY_CHECKPOINT)?;
    sql.pragma_update(None, "synchronous", "FULL")?;
    Ok(sql)
}

pub(super) fn prepare(sql: &Connection) -> rusqlite::Result<()> {
    sql.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    // A statement is planned once, and not again whenever another number is bound to its LIMIT.
    sql.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    sql.pragma_update(None, "foreign_keys", true)
}

fn check_owner(sql: &Connection) -> Result<(), SchemaError> {
    let owner: i32 = sql.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let tables: i64 = sql.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables > 0 && owner != APPLICATION_ID {
        return Err(SchemaError::Foreign);
    }
    known_version(sql).map(drop)
}

/// How many of [`VERSIONS`] the file has.
fn known_version(sql: &Connection) -> Result<usize, SchemaError> {
    let found: i64 = sql.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    usize::try_from(found)
        .ok()
        .filter(|version| *version <= VERSIONS.len())
        .ok_or(SchemaError::Newer {
            found,
            known: VERSIONS.len(),
        })
}

pub(super) fn migrate(sql: &mut Connection) -> Result<(), SchemaError> {
    if known_version(sql)? == VERSIONS.len() {
        return Ok(());
    }
    // All steps or none; and the version is read again inside, because a second process may have been faster.
    let all = sql.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    for step in &VERSIONS[known_version(&all)?..] {
        all.execute_batch(step)?;
    }
    all.pragma_update(None, "user_version", VERSIONS.len() as i64)?;
    all.pragma_update(None, "application_id", APPLICATION_ID)?;
    all.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_a_newer_cosell_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cosell.db");
        let sql = open_writer(&path).unwrap();
        sql.pragma_update(None, "user_version", 17).unwrap();
        drop(sql);
        let message = open_writer(&path).unwrap_err().to_string();
        assert!(
            message.starts_with("made by a newer cosell: the file has version 17"),
            "{message}"
        );
        let sql = Connection::open(&path).unwrap();
        assert_eq!(
            sql.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0))
                .unwrap(),
            17
        );
    }

    #[test]
    fn somebody_elses_database_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("other.db");
        Connection::open(&path)
            .unwrap()
            .execute_batch("CREATE TABLE song (title TEXT)")
            .unwrap();
        assert!(matches!(open_writer(&path), Err(SchemaError::Foreign)));
        let tables: i64 = Connection::open(&path)
            .unwrap()
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
            .unwrap();
        assert_eq!(tables, 1);
    }

    #[test]
    fn the_file_is_durable_and_related_rows_are_checked() {
        let folder = tempfile::tempdir().unwrap();
        let sql = open_writer(&folder.path().join("cosell.db")).unwrap();
        let pragma = |name: &str| {
            sql.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0))
                .unwrap()
        };
        assert_eq!(pragma("synchronous"), 2, "FULL");
        assert_eq!(pragma("foreign_keys"), 1);
        assert_eq!(pragma("wal_autocheckpoint"), 0);
        assert!(
            sql.execute(
                "INSERT INTO member VALUES ('c', 'crm', 'lead', 'x', 99)",
                []
            )
            .is_err(),
            "a member of no lane"
        );
    }

    #[test]
    fn claiming_and_counting_use_their_indexes() {
        let sql = crate::sqlite::in_memory_schema();
        // Parameters stay unbound: the plan does not depend on them.
        let plan = |query: &str| -> String {
            let mut explain = sql.prepare(&format!("EXPLAIN QUERY PLAN {query}")).unwrap();
            let mut rows = explain.raw_query();
            let mut steps = Vec::<String>::new();
            while let Some(row) = rows.next().unwrap() {
                steps.push(row.get(3).unwrap());
            }
            steps.join("; ")
        };
        let claim = plan(crate::sqlite::lanes::DUE);
        assert!(claim.contains("lane_due"), "{claim}");
        let waiting = plan("SELECT count(*) FROM bell WHERE rung > answered");
        assert!(waiting.contains("bell_waiting"), "{waiting}");
        let written = plan(crate::sqlite::writes::WRITTEN_SINCE);
        assert!(
            written.contains("COVERING INDEX attempt_written (connection=? AND side=? AND at>?)"),
            "{written}"
        );
        // What every run asks, and every new referral: never a walk through all deals.
        let bells = plan(crate::sqlite::reads::BELLS);
        assert!(
            bells.starts_with(
                "SEARCH member USING COVERING INDEX member_lane (connection=? AND lane=?)"
            ) && bells.contains(
                "SEARCH bell USING PRIMARY KEY (connection=? AND side=? AND kind=? AND record=?)"
            ),
            "{bells}"
        );
        // Pages of the history begin where the page before ended, and lie in the order that is asked for.
        for page in [
            crate::sqlite::history::RINGS,
            crate::sqlite::history::WRITES,
        ] {
            let steps = plan(page);
            assert!(
                steps.contains("SEARCH")
                    && !steps.contains("SCAN ")
                    && !steps.contains("TEMP B-TREE"),
                "{steps}"
            );
        }
        let engagement = plan(crate::sqlite::reads::OF_ENGAGEMENT);
        assert!(
            engagement.contains("link_engagement (connection=? AND engagement=?)"),
            "{engagement}"
        );
        let (whose, which) = crate::sqlite::people::narrowed(None, true);
        let open = plan(&format!("SELECT body FROM card WHERE {whose} AND {which}"));
        assert!(open.contains("card_open"), "{open}");
    }
}
