//! Whether there is room to remember. The last of the disk belongs to what was begun: new events are refused before it is used, so that runs can
//! be written down to their ends. A store that takes nothing at all is told of, and tried until it takes something again.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cosell_store::StoreError;
use tracing::{info, warn};

use crate::desk::Desk;

/// Free space does not change faster than one can look.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A fact that only shows that facts can be written.
const PROBE: &str = "room";

/// Room on the disk of an embedded store, and whether the store takes anything.
#[derive(Debug, Default)]
pub struct Room {
    /// The folder of the file; None: somebody else's disk.
    folder: Option<PathBuf>,
    /// So much is left to what was begun.
    reserve_bytes: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    looked: Option<(Instant, u64)>,
    /// Why nothing could be written the last time.
    trouble: Option<String>,
}

impl Room {
    /// For a store in this file, if it is in one.
    #[must_use]
    pub fn new(store: Option<&std::path::Path>, reserve_bytes: u64) -> Self {
        let folder = store.and_then(|file| file.parent()).map(|folder| {
            if folder.as_os_str().is_empty() {
                PathBuf::from(".")
            } else {
                folder.to_owned()
            }
        });
        Self {
            folder,
            reserve_bytes,
            state: Mutex::default(),
        }
    }

    /// Whether new events may be taken.
    ///
    /// # Errors
    /// [`StoreError::NoRoom`] with what is left.
    pub fn may_take(&self) -> Result<(), StoreError> {
        let Some(free) = self.free() else {
            return Ok(());
        };
        if free >= self.reserve_bytes {
            return Ok(());
        }
        Err(StoreError::NoRoom {
            what: format!(
                "{} MiB are left on the disk, and {} MiB are kept for what was begun",
                free >> 20,
                self.reserve_bytes >> 20
            ),
        })
    }

    /// Bytes that are free, as they were a moment ago.
    fn free(&self) -> Option<u64> {
        let folder = self.folder.as_ref().filter(|_| self.reserve_bytes > 0)?;
        let mut state = self.state();
        if let Some((at, free)) = state.looked.filter(|(at, _)| at.elapsed() < LOOK_EVERY) {
            let _ = at;
            return Some(free);
        }
        let about = rustix::fs::statvfs(folder).ok()?;
        let free = about.f_bavail.saturating_mul(about.f_frsize);
        state.looked = Some((Instant::now(), free));
        Some(free)
    }

    /// Notes how a write has ended, as far as it says something about room.
    pub fn heard(&self, error: Option<&StoreError>) {
        let mut state = self.state();
        match error {
            Some(StoreError::NoRoom { what }) => {
                if state.trouble.is_none() {
                    warn!(why = %what, "the store takes nothing more: webhooks are answered with 503, and deals wait until there is room");
                }
                state.trouble = Some(what.clone());
            }
            Some(_) => {}
            None => {
                if state.trouble.take().is_some() {
                    info!("the store takes something again");
                }
            }
        }
    }

    fn trouble(&self) -> Option<String> {
        self.state().trouble.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why nothing new can be remembered just now. When a write has failed for want of room, another is tried first.
pub(crate) async fn trouble(desk: &Desk) -> Option<String> {
    if desk.room.trouble().is_some()
        && let Some(connection) = desk.connections.keys().next()
    {
        let now = desk.now().to_string();
        let probe = desk.store.set_note(connection, PROBE, Some(now)).await;
        desk.room.heard(probe.as_ref().err());
    }
    match desk.room.trouble() {
        Some(why) => Some(why),
        None => desk.room.may_take().err().map(|error| error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_for_what_was_begun_is_not_given_to_new_events() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cosell.db");
        assert!(Room::new(Some(&file), 1).may_take().is_ok());
        let all = Room::new(Some(&file), u64::MAX);
        let why = all.may_take().unwrap_err();
        assert!(
            why.to_string().contains("are kept for what was begun"),
            "{why}"
        );
        assert!(Room::new(None, u64::MAX).may_take().is_ok());
    }

    #[test]
    fn what_a_write_has_said_holds_until_another_succeeds() {
        let room = Room::default();
        let full = StoreError::NoRoom {
            what: "no room".into(),
        };
        room.heard(Some(&full));
        room.heard(Some(&StoreError::NoLane { lane: 1 }));
        assert_eq!(room.trouble().as_deref(), Some("no room"));
        room.heard(None);
        assert_eq!(room.trouble(), None);
    }
}
