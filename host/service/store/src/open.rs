//! A store by its address.

use std::sync::Arc;

use crate::{Clock, PostgresStore, SqliteStore, Store, StoreError, StoreUrl, system_clock};

/// A store and the clock that its leases hang on.
pub struct Opened {
    /// The store.
    pub store: Arc<dyn Store>,
    /// What time it is for the store: of one file this machine's, of a shared database the database's ([`PostgresStore::clock`]).
    pub clock: Clock,
}

/// Opens or creates the store and brings its tables up to date.
///
/// `given` is for tests: a clock that is turned by hand.
///
/// # Errors
/// [`StoreError::Broken`] when it cannot be opened, belongs to another program or was made by a newer cosell.
pub async fn open(url: &StoreUrl, given: Option<Clock>) -> Result<Opened, StoreError> {
    match url {
        StoreUrl::Sqlite(_) => attach(url, given),
        StoreUrl::Postgres(url) => Ok(shared(PostgresStore::open(url, given).await?)),
    }
}

/// The same without waiting: a database is connected to when something is asked first.
///
/// # Errors
/// As [`open`], as far as it can be known.
pub fn attach(url: &StoreUrl, given: Option<Clock>) -> Result<Opened, StoreError> {
    match url {
        StoreUrl::Sqlite(path) => {
            let clock = given.unwrap_or_else(system_clock);
            let store = SqliteStore::open(path, Arc::clone(&clock))?;
            Ok(Opened {
                store: Arc::new(store),
                clock,
            })
        }
        StoreUrl::Postgres(url) => Ok(shared(PostgresStore::attach(url, given)?)),
    }
}

fn shared(store: PostgresStore) -> Opened {
    let clock = store.clock();
    Opened {
        store: Arc::new(store),
        clock,
    }
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").finish_non_exhaustive()
    }
}
