//! A store by its address.

use std::path::Path;
use std::sync::Arc;

use crate::{
    BELLS_WAITING_MAX, Clock, PostgresStore, SqliteStore, Store, StoreError, StoreUrl, steady_clock,
};

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
    open_with(url, given, BELLS_WAITING_MAX).await
}

/// The same; with more than `bells_max` bells that wait for an answer, new ones are refused ([`StoreError::Full`]).
///
/// # Errors
/// As [`open`].
pub async fn open_with(
    url: &StoreUrl,
    given: Option<Clock>,
    bells_max: i64,
) -> Result<Opened, StoreError> {
    match url {
        StoreUrl::Sqlite(path) => embedded(path, given, bells_max),
        StoreUrl::Postgres(url) => {
            let store = PostgresStore::attach_with(url, given, bells_max)?;
            store.open_now().await?;
            Ok(shared(store))
        }
    }
}

/// The same without waiting: a database is connected to when something is asked first.
///
/// # Errors
/// As [`open`], as far as it can be known.
pub fn attach(url: &StoreUrl, given: Option<Clock>) -> Result<Opened, StoreError> {
    match url {
        StoreUrl::Sqlite(path) => embedded(path, given, BELLS_WAITING_MAX),
        StoreUrl::Postgres(url) => Ok(shared(PostgresStore::attach(url, given)?)),
    }
}

/// As [`attach`], for whoever writes nothing. Tables of an earlier release stay as they are: a host of that release may be running on them.
///
/// # Errors
/// As [`attach`], and where the tables are older than this cosell; of a database, when something is asked first.
pub fn look(url: &StoreUrl, given: Option<Clock>) -> Result<Opened, StoreError> {
    match url {
        StoreUrl::Sqlite(path) => {
            if path.exists() {
                SqliteStore::check_not_older(path)?;
            }
            embedded(path, given, BELLS_WAITING_MAX)
        }
        StoreUrl::Postgres(url) => Ok(shared(PostgresStore::attach(url, given)?.to_look())),
    }
}

fn embedded(path: &Path, given: Option<Clock>, bells_max: i64) -> Result<Opened, StoreError> {
    let clock = given.unwrap_or_else(steady_clock);
    let store = SqliteStore::open_with(path, Arc::clone(&clock), bells_max)?;
    Ok(Opened {
        store: Arc::new(store),
        clock,
    })
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
