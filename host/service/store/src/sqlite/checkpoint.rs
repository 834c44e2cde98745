//! Checkpoints, off the writer's path.
//!
//! A checkpoint copies the write-ahead log into the database file and syncs both. Done by the writer, every hundredth accept would
//! wait for it. A thread with a connection of its own does it instead, when the writer says that enough has changed.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;

/// Rows changed between two checkpoints: some megabytes of log, copied in the time of a few commits.
const CHECKPOINT_ROWS: u64 = 10_000;

/// And commits: a run changes few rows in each of its commits, and every one of them writes some pages to the log.
const CHECKPOINT_COMMITS: u32 = 500;

/// Length of the log, in pages of 4 KiB, at which the writer is held up for once (32 MiB). Under a load without a pause the gentle
/// checkpoint never quite reaches the end of the log, so the log never starts anew.
const LOG_PAGES_MAX: i64 = 8_192;

/// What the log's file is cut to when it starts anew, bytes: one that had to grow does not stay long.
pub(super) const LOG_FILE_BYTES: i64 = LOG_PAGES_MAX * 4_096;

/// The writer's end: tells the checkpointer that there is something to do. Dropped, it ends the checkpointer.
pub(crate) struct Nudge {
    bell: SyncSender<()>,
    changes_before: u64,
    commits: u32,
}

impl Nudge {
    /// Called by the writer after each commit; costs nothing most times.
    pub(crate) fn after_commit(&mut self, sql: &Connection) {
        let changes = sql.total_changes();
        self.commits += 1;
        if changes - self.changes_before >= CHECKPOINT_ROWS || self.commits >= CHECKPOINT_COMMITS {
            (self.changes_before, self.commits) = (changes, 0);
            // Full: the checkpointer has been told already and not come round to it.
            let _ = self.bell.try_send(());
        }
    }
}

/// Starts the checkpointer on a connection of its own.
pub(crate) fn start(sql: Connection) -> std::io::Result<(Nudge, JoinHandle<()>)> {
    let (bell, nudges) = sync_channel(1);
    let thread = thread::Builder::new()
        .name("store-checkpoint".into())
        .spawn(move || serve(&sql, &nudges))?;
    Ok((
        Nudge {
            bell,
            changes_before: 0,
            commits: 0,
        },
        thread,
    ))
}

fn serve(sql: &Connection, nudges: &Receiver<()>) {
    while nudges.recv().is_ok() {
        if let Err(error) = checkpoint(sql, LOG_PAGES_MAX) {
            // Nothing is lost: the log keeps everything, it only grows until a checkpoint succeeds.
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "checkpoint of the store failed; the log keeps growing"
            );
        }
    }
}

/// Gentle first. Only a log that has grown too long is brought to its end while the writer waits; the gentle one has left little.
fn checkpoint(sql: &Connection, log_pages_max: i64) -> rusqlite::Result<()> {
    let pages: i64 = sql.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get(1))?;
    if pages > log_pages_max {
        sql.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::sqlite::schema::{open_checkpointer, open_writer};

    fn write(sql: &Connection, rows: i64) {
        for row in 0..rows {
            sql.execute(
                "INSERT INTO cursor VALUES ('c', ?1, 'v', 0) ON CONFLICT DO UPDATE SET at = at + 1",
                [row.to_string()],
            )
            .unwrap();
        }
    }

    fn both(folder: &Path) -> (Connection, Connection) {
        let path = folder.join("cosell.db");
        (
            open_writer(&path).unwrap(),
            open_checkpointer(&path).unwrap(),
        )
    }

    /// Bytes of the log's file.
    fn log(folder: &Path) -> u64 {
        std::fs::metadata(folder.join("cosell.db-wal"))
            .unwrap()
            .len()
    }

    #[test]
    fn the_checkpointer_is_told_when_enough_has_changed() {
        let folder = tempfile::tempdir().unwrap();
        let sql = open_writer(&folder.path().join("cosell.db")).unwrap();
        let (bell, nudges) = sync_channel(1);
        let mut nudge = Nudge {
            bell,
            changes_before: sql.total_changes(),
            commits: 0,
        };
        write(&sql, 5);
        nudge.after_commit(&sql);
        assert!(nudges.try_recv().is_err(), "hardly anything yet");
        sql.execute_batch("BEGIN").unwrap();
        write(&sql, CHECKPOINT_ROWS as i64);
        sql.execute_batch("COMMIT").unwrap();
        nudge.after_commit(&sql);
        assert!(nudges.try_recv().is_ok());
        nudge.after_commit(&sql);
        assert!(nudges.try_recv().is_err(), "once is enough");
        for commit in 2..=CHECKPOINT_COMMITS {
            write(&sql, 1);
            nudge.after_commit(&sql);
            let is_told = nudges.try_recv().is_ok();
            assert_eq!(
                is_told,
                commit == CHECKPOINT_COMMITS,
                "small ones, {commit}"
            );
        }
    }

    #[test]
    fn a_log_that_had_to_grow_is_cut_when_it_starts_anew() {
        let folder = tempfile::tempdir().unwrap();
        let (writer, checkpointer) = both(folder.path());
        let log = || log(folder.path());
        writer
            .execute(
                "INSERT INTO cursor VALUES ('c', 'long', hex(zeroblob(?1)), 0)",
                [LOG_FILE_BYTES],
            )
            .unwrap();
        assert!(log() > LOG_FILE_BYTES as u64);
        checkpoint(&checkpointer, 10).unwrap();
        write(&writer, 1);
        assert!(log() <= LOG_FILE_BYTES as u64, "{}", log());
    }

    #[test]
    fn a_log_that_was_too_long_is_written_from_its_beginning_again() {
        let folder = tempfile::tempdir().unwrap();
        let (writer, checkpointer) = both(folder.path());
        let log = || log(folder.path());
        write(&writer, 50);
        let grown = log();
        write(&writer, 50);
        assert!(log() > grown, "nobody but the checkpointer checkpoints");
        let grown = log();
        checkpoint(&checkpointer, 10).unwrap();
        write(&writer, 50);
        assert_eq!(log(), grown);
        let rows: i64 = writer
            .query_row("SELECT count(*) FROM cursor", [], |row| row.get(0))
            .unwrap();
        assert_eq!(rows, 50);
    }
}
