//! Drops what the store no longer needs: answered rings and writes of long ago.

use std::sync::Arc;
use std::time::Duration;

use cosell_store::Pruned;
use tokio::sync::watch;
use tracing::{info, warn};

use crate::desk::Desk;

/// Between two pages: whoever accepts events comes first.
const PAGE_EVERY: Duration = Duration::from_secs(1);
/// Between two walks through everything. What goes is weeks old, so nothing is in a hurry.
const WALK_EVERY: Duration = Duration::from_secs(3_600);
/// A host that has just started has better things to do.
const FIRST_AFTER: Duration = Duration::from_secs(60);

/// Walks through the history, page by page and again and again, until `stop`.
pub(crate) async fn prune(desk: Arc<Desk>, mut stop: watch::Receiver<bool>) {
    let (mut after, mut dropped, mut pause) = (None, 0, FIRST_AFTER);
    while !*stop.borrow() {
        tokio::select! {
            _ = stop.changed() => continue,
            () = tokio::time::sleep(pause) => {}
        }
        // After a failure it begins anew: what is gone already costs nothing.
        pause = match desk.store.prune_history(after.take()).await {
            Ok(Pruned { gone, next }) => {
                dropped += gone;
                after = next;
                if after.is_some() {
                    PAGE_EVERY
                } else {
                    WALK_EVERY
                }
            }
            Err(error) => {
                warn!(error = %error, "old history could not be dropped; trying again");
                WALK_EVERY
            }
        };
        if after.is_none() && dropped > 0 {
            info!(rows = dropped, "dropped history that was over");
            dropped = 0;
        }
    }
}
