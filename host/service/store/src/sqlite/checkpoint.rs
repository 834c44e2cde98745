//! Checkpoints, off the writer's path.
//!
//! A checkpoint copies the write-ahead log into the database file and syncs both. Done by the writer, every hundredth accept would
//! wait for it. A thread with a connection of its own does it instead, when the writer says that enough has changed.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;

/// Rows changed between two checkpoints: some megabytes of log, copied in the time of a few commits.
const CHECKPOINT_ROWS: u64 = 10_000;

/// Length of the log, in pages of 4 KiB, at which the writer is held up for once (64 MiB). Under a load without a pause the gentle
/// checkpoint never quite reaches the end of the log, so the log never starts anew.
const LOG_PAGES_MAX: i64 = 16_384;

/// The writer's end: tells the checkpointer that there is something to do. Dropped, it ends the checkpointer.
pub(crate) struct Nudge {
    bell: SyncSender<()>,
    changes_before: u64,
}

impl Nudge {
    /// Called by the writer after each commit; costs nothing most times.
    pub(crate) fn after_commit(&mut self, sql: &Connection) {
        let changes = sql.total_changes();
        if changes - self.changes_before >= CHECKPOINT_ROWS {
            self.changes_before = changes;
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
        },
        thread,
    ))
}

fn serve(sql: &Connection, nudges: &Receiver<()>) {
    while nudges.recv().is_ok() {
        if let Err(error) = checkpoint(sql) {
            // Nothing is lost: the log keeps everything, it only grows until a checkpoint succeeds.
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "checkpoint of the store failed; the log keeps growing"
            );
        }
    }
}

/// Gentle first. Only a log that has grown too long is brought to its end while the writer waits; the gentle one has left little.
fn checkpoint(sql: &Connection) -> rusqlite::Result<()> {
    let pages: i64 = sql.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get(1))?;
    if pages > LOG_PAGES_MAX {
        sql.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(()))?;
    }
    Ok(())
}
