//! The count proof: once a day the books of both sides are laid beside the store's, as `cosell reconcile` does it. A row that was deleted while nobody
//! listened, and a referral that Partner Center has stopped to list, ring no bell; they are missing, and that shows only here. So does what neither a
//! bell nor a sweep has told.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use cosell_store::{AcceptedEvent, FULL_COMPARE, LaneId, Millis, RecordKey, StoreError};
use cosell_sync::side::Side;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tracing::{info, warn};

use crate::desk::Desk;
use crate::personal::mask;
use crate::pipeline::Run;
use crate::records::REFERRAL;
use crate::sweep;
use crate::verbs::{self, Exception, VerbError, What};

/// How often it is asked whether it is time.
const LOOK_EVERY: Duration = Duration::from_secs(600);
/// From one count to the next.
const EVERY_MS: Millis = 24 * 60 * 60 * 1_000;
/// What cannot be explained at first may just be on its way: it is counted once more before somebody is called.
const AGAIN_MS: Millis = 10 * 60 * 1_000;
/// Under this name the store keeps what the last count came to.
const NOTE: &str = "count";

/// What the last count came to, for every host that shares the store.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// When the next one is due.
    pub next_at: Millis,
    /// Records that nobody could explain.
    pub unexplained: usize,
    /// And not for the first time.
    pub confirmed: bool,
}

impl Count {
    /// Whether somebody has to look.
    #[must_use]
    pub fn alarms(&self) -> bool {
        self.confirmed && self.unexplained > 0
    }
}

/// What the last count of a connection came to. None: there was none yet.
///
/// # Errors
/// The store.
pub async fn last(desk: &Desk, connection: &str) -> Result<Option<Count>, StoreError> {
    let note = desk.store.note(connection, NOTE).await?;
    Ok(note.and_then(|text| serde_json::from_str(&text).ok()))
}

async fn note(desk: &Desk, connection: &str, count: &Count) -> Result<(), StoreError> {
    let text = serde_json::json!(count).to_string();
    desk.store.set_note(connection, NOTE, Some(text)).await
}

/// The next count is due now: something may have happened that no list tells of.
///
/// # Errors
/// The store.
pub(crate) async fn soon(desk: &Desk, connection: &str) -> Result<(), StoreError> {
    let mut count = last(desk, connection).await?.unwrap_or_default();
    count.next_at = desk.now();
    note(desk, connection, &count).await
}

/// Counts, and rings the deals of which one side is missing.
///
/// # Errors
/// [`VerbError`]: a side cannot be listed now; nothing is written down then.
pub async fn count(desk: &Desk, connection: &str) -> Result<Count, VerbError> {
    let before = last(desk, connection).await?.unwrap_or_default();
    let books = verbs::reconcile(desk, Some(connection)).await?;
    let exceptions = || books.iter().flat_map(|book| &book.exceptions);
    let missing: BTreeSet<i64> = exceptions()
        .filter(|one| matches!(one.what, What::RowGone | What::NotListed))
        .filter_map(|one| one.lane)
        .collect();
    for lane in &missing {
        desk.store
            .wake(connection, LaneId(*lane), FULL_COMPARE)
            .await?;
    }
    // What no bell and no sweep has told: a list of Partner Center that is read while people edit may leave a referral out between two of its pages.
    let unheard: Vec<AcceptedEvent> = exceptions()
        .filter(|one| one.what == What::NoLane)
        .filter_map(|one| Some(heard_of(connection, record_of(one)?)))
        .collect();
    let rung = missing.len() + sweep::accept(desk, unheard, None).await?;
    if rung > 0 {
        desk.rope.notify_one();
    }
    let unexplained = books.iter().map(|book| book.unexplained).sum();
    let is_new = unexplained > 0 && before.unexplained == 0;
    let count = Count {
        next_at: desk.now() + if is_new { AGAIN_MS } else { EVERY_MS },
        unexplained,
        confirmed: unexplained > 0 && !is_new,
    };
    note(desk, connection, &count).await?;
    info!(
        connection,
        referrals = books.iter().map(|book| book.referrals).sum::<usize>(),
        linked = books.iter().map(|book| book.linked).sum::<usize>(),
        unexplained,
        rung,
        "counted the books of both sides"
    );
    Ok(count)
}

/// The record that the host has never heard of.
fn record_of(exception: &Exception) -> Option<RecordKey> {
    match (
        &exception.crm_table,
        &exception.crm_row,
        &exception.referral,
    ) {
        (Some(table), Some(row), _) => Some(Run::record(Side::Crm, table, row)),
        (_, _, Some(referral)) => Some(Run::record(Side::PartnerCenter, REFERRAL, referral)),
        _ => None,
    }
}

fn heard_of(connection: &str, record: RecordKey) -> AcceptedEvent {
    AcceptedEvent {
        connection: connection.to_owned(),
        record,
        cause: FULL_COMPARE.to_owned(),
        dedupe: None,
        lane: None,
    }
}

/// Counts whenever it is time, until `stop` turns true.
pub(crate) async fn keep_count(
    desk: Arc<Desk>,
    connection: String,
    mut stop: watch::Receiver<bool>,
) {
    let mut timer = tokio::time::interval(LOOK_EVERY);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while !*stop.borrow() {
        tokio::select! {
            _ = stop.changed() => continue,
            _ = timer.tick() => {}
        }
        let counted = tokio::select! {
            _ = stop.changed() => return,
            counted = in_time(&desk, &connection) => counted,
        };
        if let Err(error) = counted {
            warn!(connection = %connection, error = %mask(&error.to_string()), "the books could not be counted; it comes again");
        }
    }
}

async fn in_time(desk: &Desk, connection: &str) -> Result<(), VerbError> {
    let now = desk.now();
    match last(desk, connection).await? {
        // Everything is about to be compared for the first time, and most of it is not known yet.
        None => {
            let first = Count {
                next_at: now + EVERY_MS,
                ..Count::default()
            };
            note(desk, connection, &first).await?;
        }
        Some(last) if last.next_at <= now => {
            // Of hosts that share the store one counts.
            let taken = Count {
                next_at: now + AGAIN_MS,
                ..last
            };
            note(desk, connection, &taken).await?;
            count(desk, connection).await?;
        }
        Some(_) => {}
    }
    Ok(())
}
