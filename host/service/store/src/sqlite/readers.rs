//! The readers: a few connections, each read in one snapshot beside the writer.

use std::path::Path;
use std::sync::{Arc, Mutex};

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::schema::{self, SchemaError};
use crate::StoreError;
use crate::writer::{Failure, closed, lock};

/// Readers: a run's look at its lane takes some tens of microseconds, so a few serve many workers.
const READERS: usize = 4;

/// Who reads.
pub(super) enum Readers {
    /// Connections of their own, on the runtime's blocking threads.
    Pool(Pool),
    /// The writer's connection: a store in memory has no other.
    Writer,
}

/// Connections that are not reading right now; the semaphore has as many permits.
pub(super) struct Pool {
    idle: Arc<Mutex<Vec<Connection>>>,
    turns: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn open(path: &Path) -> Result<Self, SchemaError> {
        let idle = (0..READERS)
            .map(|_| schema::open_reader(path))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self::Pool(Pool {
            idle: Arc::new(Mutex::new(idle)),
            turns: Arc::new(Semaphore::new(READERS)),
        }))
    }
}

impl Pool {
    /// Reads in one snapshot. It sees every change whose commit was acknowledged before.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        let turn = self
            .turns
            .clone()
            .acquire_owned()
            .await
            .map_err(|_| closed(doing))?;
        let reader = lock(&self.idle).pop().ok_or_else(|| closed(doing))?;
        let loan = Loan {
            reader: Some(reader),
            idle: self.idle.clone(),
            _turn: turn,
        };
        tokio::task::spawn_blocking(move || loan.read(work))
            .await
            .map_err(|error| StoreError::Broken {
                doing,
                source: error.into(),
            })?
            .map_err(|failure| failure.explain(doing))
    }
}

/// A reader while it reads; comes back however the read ends.
struct Loan {
    reader: Option<Connection>,
    idle: Arc<Mutex<Vec<Connection>>>,
    // Dropped after the reader has come back (fields are dropped after `drop`), so a turn always finds a reader.
    _turn: OwnedSemaphorePermit,
}

impl Loan {
    fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T, Failure>) -> Result<T, Failure> {
        let reader = self
            .reader
            .as_ref()
            .expect("a loan has its reader until it is dropped");
        // Nothing is written, so taking back is as good as committing.
        let snapshot = reader.unchecked_transaction()?;
        work(&snapshot)
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        lock(&self.idle).extend(self.reader.take());
    }
}
