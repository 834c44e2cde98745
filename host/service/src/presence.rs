//! Says every few seconds that this host is there, and takes up what hosts have left that are gone.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use cosell_store::Attended;
use tokio::sync::watch;
use tracing::{info, warn};

use crate::desk::Desk;
use crate::pace;

/// So long the deals of a host that was killed wait for another one, at most; one small query each time.
const EVERY: Duration = Duration::from_secs(5);

/// What the store says about who is there.
pub(crate) fn heard(desk: &Desk, attended: Attended) {
    pace::shared_by(desk, attended.hosts);
    desk.speaks.store(attended.speaks, Ordering::Relaxed);
}

/// Until `stop` turns true.
pub(crate) async fn attend(desk: Arc<Desk>, mut stop: watch::Receiver<bool>) {
    let mut timer = tokio::time::interval(EVERY);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    // The start itself has just said so.
    timer.reset();
    while !*stop.borrow() {
        tokio::select! {
            _ = stop.changed() => continue,
            _ = timer.tick() => {}
        }
        match desk.store.attend(&desk.owner).await {
            Ok(attended) => {
                heard(&desk, attended);
                if attended.freed > 0 {
                    info!(
                        lanes = attended.freed,
                        "taking up what a host left that is gone"
                    );
                    desk.rope.notify_one();
                }
            }
            Err(error) => {
                warn!(error = %error, "the store was not told that this host is there; trying again");
            }
        }
    }
}
