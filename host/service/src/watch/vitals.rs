//! One look at everything that an operator watches.

use std::collections::BTreeMap;

use cosell_store::{Census, Millis, StoreError};

use crate::counting::{self, Count};
use crate::desk::Desk;
use crate::expiry::Expiry;
use crate::room;

/// What was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Vitals {
    /// By the store's clock, milliseconds since the epoch.
    pub(crate) now: Millis,
    /// Lanes, bells, cards and holds. None: the store does not answer.
    pub(crate) census: Option<Census>,
    /// Credentials that rest: connection and credential, until when, and why.
    pub(crate) resting: BTreeMap<(String, String), (Millis, String)>,
    /// Records of a connection that two counts in a row could not explain.
    pub(crate) unexplained: BTreeMap<String, usize>,
    /// Files of the plugin folder that are refused, and why.
    pub(crate) refused: BTreeMap<String, String>,
    /// Why this host cannot work with the set that serves by the store (S29).
    pub(crate) behind: Option<String>,
    /// Why nothing new can be remembered.
    pub(crate) no_room: Option<String>,
    /// Credentials that end, as far as that is known.
    pub(crate) expiries: Vec<Expiry>,
    /// Plugins in service.
    pub(crate) plugins: usize,
    /// Those that come near the limit of a call, by id.
    pub(crate) slow: Vec<String>,
    /// Why the store does not answer.
    pub(crate) store_trouble: Option<String>,
}

/// Looks. A store that does not answer is something to be told, and no error.
pub(crate) async fn look(desk: &Desk) -> Vitals {
    let mut vitals = Vitals {
        now: desk.now(),
        plugins: desk.plugins.current().plugins().len(),
        refused: desk
            .plugins
            .refused()
            .into_iter()
            .map(|rejection| (rejection.file.clone(), rejection.to_string()))
            .collect(),
        behind: desk.plugins.behind(),
        slow: desk
            .plugins
            .current()
            .slow()
            .into_iter()
            .map(|(id, _)| id)
            .collect(),
        no_room: room::trouble(desk).await,
        ..Vitals::default()
    };
    if let Err(error) = ask_the_store(desk, &mut vitals).await {
        vitals.census = None;
        vitals.store_trouble = Some(error.to_string());
    }
    vitals
}

async fn ask_the_store(desk: &Desk, vitals: &mut Vitals) -> Result<(), StoreError> {
    vitals.census = Some(desk.store.census().await?);
    for connection in desk.connections.keys() {
        let count = counting::last(desk, connection).await?;
        if let Some(count) = count.filter(Count::alarms) {
            vitals
                .unexplained
                .insert(connection.clone(), count.unexplained);
        }
        for throttle in desk.store.throttles(connection).await? {
            if throttle.until > vitals.now {
                vitals.resting.insert(
                    (connection.clone(), throttle.credential),
                    (throttle.until, throttle.reason),
                );
            }
        }
    }
    Ok(())
}
