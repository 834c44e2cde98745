//! What the host has written down, and for which connections.

use std::fmt;
use std::sync::Arc;

use cosell_store::{Clock, ConnectionId, LaneId, Opened, Store, StoreError, StoreUrl};
use serde::Serialize;

use super::VerbError;
use crate::config::Config;
use crate::desk::Desk;

/// The store, and the connections that a verb is about.
#[derive(Clone)]
pub struct Archive {
    /// What the host remembers.
    pub store: Arc<dyn Store>,
    /// In the order of the configuration.
    pub connections: Vec<ConnectionId>,
}

/// Names a deal in every connection.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct DealKey {
    /// The connection.
    pub connection: ConnectionId,
    /// The lane's number.
    pub lane: i64,
}

impl fmt::Display for DealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.connection, self.lane)
    }
}

impl DealKey {
    pub(super) const fn id(&self) -> LaneId {
        LaneId(self.lane)
    }
}

impl Archive {
    /// Opens the store of a configuration beside a host that may be running. `connection` narrows it to one.
    ///
    /// # Errors
    /// [`VerbError::NoStore`], [`VerbError::UnknownConnection`], [`VerbError::Store`].
    pub fn open(config: &Config, connection: Option<&str>) -> Result<Self, VerbError> {
        Self::opened(config, connection, cosell_store::attach)
    }

    /// The same for a verb that writes nothing: tables of an earlier release are refused and stay as they are, because a host of that release may be
    /// running on them.
    ///
    /// # Errors
    /// As [`Archive::open`].
    pub fn to_look(config: &Config, connection: Option<&str>) -> Result<Self, VerbError> {
        Self::opened(config, connection, cosell_store::look)
    }

    fn opened(
        config: &Config,
        connection: Option<&str>,
        open: fn(&StoreUrl, Option<Clock>) -> Result<Opened, StoreError>,
    ) -> Result<Self, VerbError> {
        if config.store.file().is_some_and(|path| !path.exists()) {
            return Err(VerbError::NoStore {
                path: config.store.to_string(),
            });
        }
        let known = config.connections.iter().map(|one| one.id.clone());
        Ok(Self {
            connections: narrowed(known.collect(), connection)?,
            store: open(&config.store, None)?.store,
        })
    }

    /// The same of a desk that is there already.
    ///
    /// # Errors
    /// [`VerbError::UnknownConnection`].
    pub fn of(desk: &Desk, connection: Option<&str>) -> Result<Self, VerbError> {
        let mut known: Vec<_> = desk.connections.values().collect();
        known.sort_by_key(|one| one.place);
        let known = known.into_iter().map(|one| one.id.clone());
        Ok(Self {
            connections: narrowed(known.collect(), connection)?,
            store: Arc::clone(&desk.store),
        })
    }

    /// The connection, when the verb is about exactly one.
    pub(super) fn only(&self) -> Option<&str> {
        match self.connections.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }
}

fn narrowed(
    known: Vec<ConnectionId>,
    connection: Option<&str>,
) -> Result<Vec<ConnectionId>, VerbError> {
    match connection {
        None => Ok(known),
        Some(one) if known.iter().any(|id| id == one) => Ok(vec![one.to_owned()]),
        Some(one) => Err(VerbError::UnknownConnection {
            connection: one.to_owned(),
            known,
        }),
    }
}
