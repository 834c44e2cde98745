//! Timers that ring bells: for events that never came, and for deadlines. The sweep reads versions and rings; it acts on nothing.

use std::sync::Arc;
use std::time::Duration;

use cosell_remote::RemoteError;
use cosell_remote::dataverse::{ChangePage, Changes, Next};
use cosell_store::{AcceptedEvent, CursorAdvance, RecordKey, StoreError};
use cosell_sync::deal::Timestamp;
use cosell_sync::side::Side;
use tokio::sync::watch;
use tracing::{info, warn};

use crate::binding::{self, BindingError};
use crate::desk::{Connection, Desk};
use crate::records::{REFERRAL, kinds};

/// Referrals changed up to so long before the cursor are read again: the list may lag behind the clock that stamps it.
const OVERLAP_S: i64 = 300;
/// Events of one transaction; a page of Partner Center has a hundred.
const EVENTS_MAX: usize = 500;

/// How often each side is swept.
#[derive(Debug, Clone, Copy)]
pub struct Every {
    /// Partner Center: by `updatedDateTime`.
    pub partner_center: Duration,
    /// The CRM: by delta token, which dies of age after seven days.
    pub crm: Duration,
}

/// Sweeps both sides of a connection until `stop` turns true. The first sweep is at once: what happened while we were away is the
/// same as what was lost.
pub async fn sweep(
    desk: Arc<Desk>,
    connection: String,
    every: Every,
    mut stop: watch::Receiver<bool>,
) {
    let Some(connection) = desk.connections.get(&connection) else {
        return;
    };
    let mut partner_center = tokio::time::interval(every.partner_center);
    let mut crm = tokio::time::interval(every.crm);
    for timer in [&mut partner_center, &mut crm] {
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    }
    while !*stop.borrow() {
        let (side, swept) = tokio::select! {
            _ = stop.changed() => continue,
            _ = partner_center.tick() => (Side::PartnerCenter, sweep_partner_center(&desk, connection).await),
            _ = crm.tick() => (Side::Crm, sweep_crm(&desk, connection).await),
        };
        match swept {
            Ok(0) => {}
            Ok(rung) => {
                info!(connection = %connection.id, side = side.as_str(), rung, "the sweep rang bells");
                desk.rope.notify_one();
            }
            Err(error) => {
                warn!(connection = %connection.id, side = side.as_str(), error = %error, "the sweep failed; it comes again")
            }
        }
    }
}

/// Why a sweep failed.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The side could not be read.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// A token that was never given cannot be too old.
    #[error("the CRM says that a change token has died of age, but none was sent")]
    Contradiction,
    /// The bells could not be written down.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nobody could tell whether the CRM is still the same.
    #[error(transparent)]
    Binding(#[from] BindingError),
}

/// Rings for every referral that changed since the cursor, overlap included. Returns how many.
///
/// # Errors
/// Nothing is lost: the cursor advances in the transaction that stores the bells (I10).
pub async fn sweep_partner_center(
    desk: &Desk,
    connection: &Connection,
) -> Result<usize, SweepError> {
    const STREAM: &str = "partner-center";
    let cursor = desk.store.cursor(&connection.id, STREAM).await?;
    let since = cursor
        .as_deref()
        .and_then(|text| text.parse::<Timestamp>().ok())
        .unwrap_or(Timestamp::UNIX_EPOCH);
    let from = since
        .checked_sub(jiff::SignedDuration::from_secs(OVERLAP_S))
        .unwrap_or(Timestamp::UNIX_EPOCH);
    let mut pages = connection
        .partner_center
        .updated_since(from.max(Timestamp::UNIX_EPOCH));
    let (mut latest, mut rung) = (since, 0);
    while let Some(page) = pages.next().await? {
        latest = page
            .iter()
            .filter_map(|referral| referral.updated_at)
            .fold(latest, Timestamp::max);
        let events = page
            .iter()
            .map(|referral| {
                event(
                    connection,
                    Side::PartnerCenter,
                    REFERRAL,
                    &referral.id,
                    &referral.etag,
                )
            })
            .collect();
        let advance = CursorAdvance {
            connection: connection.id.clone(),
            stream: STREAM.into(),
            value: latest.to_string(),
        };
        rung += accept(desk, events, Some(advance)).await?;
    }
    Ok(rung)
}

/// Rings for every row that changed since the delta link; all rows the first time, and after the link has died of age. Before that it asks
/// whether the CRM is still the one that the connection is bound to (S22).
///
/// # Errors
/// As [`sweep_partner_center`].
pub async fn sweep_crm(desk: &Desk, connection: &Connection) -> Result<usize, SweepError> {
    binding::check(&*desk.store, connection).await?;
    let mut rung = 0;
    let set = desk.plugins.current();
    for kind in kinds(set.needs()) {
        rung += sweep_table(desk, connection, kind.table()).await?;
    }
    Ok(rung)
}

async fn sweep_table(
    desk: &Desk,
    connection: &Connection,
    table: &str,
) -> Result<usize, SweepError> {
    let mut rung = 0;
    let stream = format!("crm/{table}");
    let link = desk.store.cursor(&connection.id, &stream).await?;
    let mut page = match connection.dataverse.changes(table, link.as_deref()).await? {
        Changes::Page(page) => page,
        Changes::Expired => {
            warn!(connection = %connection.id, table, "the CRM's change token has died of age; comparing everything");
            first_page(connection, table).await?
        }
    };
    loop {
        let mut events: Vec<AcceptedEvent> = page
            .changed
            .iter()
            .map(|row| event(connection, Side::Crm, table, &row.id, &row.etag))
            .collect();
        events.extend(
            page.deleted
                .iter()
                .map(|id| event(connection, Side::Crm, table, id, "deleted")),
        );
        match page.next {
            // Only the last page brings a link that may be kept.
            Next::Kept(link) => {
                let advance = CursorAdvance {
                    connection: connection.id.clone(),
                    stream,
                    value: link,
                };
                return Ok(rung + accept(desk, events, Some(advance)).await?);
            }
            Next::More(link) => {
                rung += accept(desk, events, None).await?;
                page = match connection.dataverse.changes(table, Some(&link)).await? {
                    Changes::Page(page) => page,
                    Changes::Expired => first_page(connection, table).await?,
                };
            }
        }
    }
}

async fn first_page(connection: &Connection, table: &str) -> Result<ChangePage, SweepError> {
    match connection.dataverse.changes(table, None).await? {
        Changes::Page(page) => Ok(page),
        Changes::Expired => Err(SweepError::Contradiction),
    }
}

/// The cursor passes only with the last of its events (I10).
async fn accept(
    desk: &Desk,
    mut events: Vec<AcceptedEvent>,
    mut advance: Option<CursorAdvance>,
) -> Result<usize, SweepError> {
    let mut rung = 0;
    loop {
        let rest = events.split_off(events.len().min(EVENTS_MAX));
        let cursor = if rest.is_empty() {
            advance.take()
        } else {
            None
        };
        let outcomes = desk.store.accept(events, cursor).await?;
        rung += outcomes
            .iter()
            .filter(|outcome| matches!(outcome, cosell_store::Accepted::Rung(_)))
            .count();
        if rest.is_empty() {
            return Ok(rung);
        }
        events = rest;
    }
}

/// The same version of the same record rings once, however often it is swept.
fn event(
    connection: &Connection,
    side: Side,
    kind: &str,
    id: &str,
    version: &str,
) -> AcceptedEvent {
    AcceptedEvent {
        connection: connection.id.clone(),
        record: RecordKey {
            side: side.as_str().to_owned(),
            kind: kind.to_owned(),
            id: id.to_owned(),
        },
        cause: "sweep".to_owned(),
        dedupe: Some(format!("sweep/{kind}/{id}/{version}")),
        lane: None,
    }
}
