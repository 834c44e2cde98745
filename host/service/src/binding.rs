//! S22: a connection is bound to the organisation that its CRM address led to first. Another one there (a restored or copied environment)
//! is read and never written, until a person binds it anew.

use cosell_remote::RemoteError;
use cosell_store::{Millis, Store, StoreError};
use tracing::{error, info};

use crate::desk::Connection;
use crate::trouble::Trouble;

/// The organisation that the connection is bound to.
const BOUND: &str = "crm-organization";
/// Another one that was found there.
const FOREIGN: &str = "crm-organization-found";
/// How soon a lane of a quarantined connection asks again.
const RETRY_MS: Millis = 10 * 60_000;

/// Why it could not be told.
#[derive(Debug, thiserror::Error)]
pub enum BindingError {
    /// The CRM did not say who it is.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// It could not be looked up or written down.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<BindingError> for Trouble {
    fn from(error: BindingError) -> Self {
        match error {
            BindingError::Remote(error) => Self::Remote(error),
            BindingError::Store(error) => Self::Store(error),
        }
    }
}

/// Asks the CRM who it is, and compares.
///
/// # Errors
/// [`BindingError`]; nothing is bound or quarantined then.
pub async fn check(store: &dyn Store, connection: &Connection) -> Result<(), BindingError> {
    let found = connection.dataverse.who_am_i().await?.organization;
    let bound = store.note(&connection.id, BOUND).await?;
    match bound {
        None => {
            store
                .set_note(&connection.id, BOUND, Some(found.clone()))
                .await?;
            info!(connection = %connection.id, crm.organization = %found, "bound to the CRM's organisation");
        }
        Some(bound) if bound == found => {
            if store.note(&connection.id, FOREIGN).await?.is_some() {
                store.set_note(&connection.id, FOREIGN, None).await?;
                info!(connection = %connection.id, "the CRM is the one that the connection is bound to again");
            }
        }
        Some(bound) => {
            if store.note(&connection.id, FOREIGN).await?.as_ref() != Some(&found) {
                store
                    .set_note(&connection.id, FOREIGN, Some(found.clone()))
                    .await?;
                error!(connection = %connection.id, crm.bound = %bound, crm.found = %found, "the CRM is another organisation: nothing is written until a person binds it anew");
            }
        }
    }
    Ok(())
}

/// The sentence and the moment to look again, while the connection is quarantined.
///
/// # Errors
/// [`Trouble::NotYet`] while it is.
pub async fn must_be_ours(store: &dyn Store, connection: &str, now: Millis) -> Result<(), Trouble> {
    match store.note(connection, FOREIGN).await? {
        None => Ok(()),
        Some(found) => Err(Trouble::NotYet {
            until: now + RETRY_MS,
            reason: format!(
                "the CRM is another organisation ({found}) than the one that connection \"{connection}\" is bound to, perhaps a copy or a restored backup: nothing is written until a person orders `cosell rebind {connection}`"
            ),
        }),
    }
}

/// A person binds the connection to what was found there.
///
/// # Errors
/// The store.
pub async fn rebind(store: &dyn Store, connection: &str) -> Result<Option<String>, StoreError> {
    let found = store.note(connection, FOREIGN).await?;
    if let Some(found) = &found {
        store
            .set_note(connection, BOUND, Some(found.clone()))
            .await?;
        store.set_note(connection, FOREIGN, None).await?;
    }
    Ok(found)
}
