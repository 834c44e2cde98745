//! `cosell rebind`: a person says that the CRM's new organisation is the right one (S22).

use cosell_store::LaneFilter;
use serde::Serialize;

use super::pages::Pages;
use super::{Archive, VerbError};
use crate::binding;

/// Why the lanes ring, before the name of who bound the connection anew. No person's order about each deal: what is parked or braked stays so.
const CAUSE: &str = "rebound by";

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rebound {
    /// The connection.
    pub connection: String,
    /// The organisation that it is bound to from now on; none: nothing else was found there, and nothing has changed.
    pub organization: Option<String>,
    /// Lanes that go on.
    pub woken: usize,
}

/// Binds the connection to the organisation that was found at the CRM's address, and lets its lanes go on; each rings because of who ordered it.
///
/// # Errors
/// [`VerbError::UnknownConnection`], [`VerbError::Store`].
pub async fn rebind(archive: &Archive, connection: &str, by: &str) -> Result<Rebound, VerbError> {
    if !archive.connections.iter().any(|id| id == connection) {
        return Err(VerbError::UnknownConnection {
            connection: connection.to_owned(),
            known: archive.connections.clone(),
        });
    }
    let organization = binding::rebind(&*archive.store, connection).await?;
    let cause = format!("{CAUSE} {by}");
    let mut woken = 0;
    let mut pages = Pages::of(&*archive.store, connection, LaneFilter::default());
    while organization.is_some() {
        let Some(page) = pages.next().await? else {
            break;
        };
        for summary in page.iter().filter(|one| one.state != "retired") {
            archive.store.wake(connection, summary.lane, &cause).await?;
            woken += 1;
        }
    }
    Ok(Rebound {
        connection: connection.to_owned(),
        organization,
        woken,
    })
}
