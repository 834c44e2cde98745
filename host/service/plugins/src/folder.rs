//! The folder of plugins: drop a file, it is checked and put into service while deals flow; a bad one changes nothing and says why.
//!
//! Watch → settle → scan → load → propose → follow what the ledger says → swap. Events of the file system only wake the keeper; the truth is a scan by name, size, times and inode,
//! and then by content. A file is read once, and only those bytes are used.

mod caught;
mod events;
mod keeper;
mod once;
mod propose;
mod rejected;
mod scan;
mod served;
mod strangers;
mod trust;

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use notify::{
    EventKind, RecommendedWatcher, RecursiveMode, Watcher, event::AccessKind, event::AccessMode,
};
use tokio::sync::oneshot;

pub use events::{PluginEvent, What};
pub use once::with_candidate;
pub use served::{Behind, Judged, Serving, serving};
pub use strangers::{Stranger, strangers};
pub use trust::{needs_a_signature, unvouched};

use crate::engine::Engine;
use crate::ledger::{Ledger, LedgerError, Slate};
use crate::rejection::Rejection;
use crate::set::{Alarm, PluginSet};
use keeper::{Keeper, Shared, Wake};

pub(crate) use scan::{read_beside, read_component, read_operator, read_text, scan};

/// How patient the folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FolderSettings {
    /// A file has to keep its size, time and inode for so long before it is read: copies take time.
    pub settle: Duration,
    /// The folder is scanned so often even if nothing was heard: network and container mounts lose events.
    pub rescan: Duration,
    /// What is new is judged before it serves, unless its operator file says otherwise.
    pub shadow_first: bool,
    /// A version that wants more than the one that serves (columns, hooks, imports) waits for a person.
    pub ask_for_more: bool,
    /// What is new has to keep the laws of the contract, unless its operator file says otherwise.
    pub self_test: bool,
}

impl Default for FolderSettings {
    fn default() -> Self {
        Self {
            settle: Duration::from_millis(300),
            rescan: Duration::from_secs(30),
            shadow_first: false,
            ask_for_more: false,
            self_test: true,
        }
    }
}

/// Why there is no folder.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It does not exist, is no directory or cannot be read.
    #[error("the plugin folder {} cannot be read; create it, or name another one in the configuration", path.display())]
    Unreadable {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// What serves could not be asked.
    #[error("it is not known which plugins serve")]
    Ledger(#[source] LedgerError),
    /// The operating system gave no thread.
    #[error("cannot start the thread that keeps the plugin folder")]
    Thread(#[source] io::Error),
}

/// A watched folder and the set of plugins that is in service. Dropping it ends the watching; sets that were taken live on.
pub struct PluginFolder {
    shared: Arc<Shared>,
    wakes: mpsc::Sender<Wake>,
    keeper: Option<JoinHandle<()>>,
    /// None where the file system has no events: then the rescan has to do.
    _watcher: Option<RecommendedWatcher>,
}

impl PluginFolder {
    /// Loads what is there, then watches. Blocks until every file was tried (seconds when nothing is cached): call it at the start, or from a
    /// blocking thread. Files that are refused stop nothing; see [`PluginFolder::refused`].
    ///
    /// `on_event` is called from the keeper's thread (and during `open` from the caller's) with every transition.
    ///
    /// The folder serves by itself, and what it has learned is forgotten with it.
    ///
    /// # Errors
    /// The folder cannot be read, or there is no thread.
    pub fn open(
        engine: Engine,
        dir: impl Into<PathBuf>,
        settings: FolderSettings,
        on_event: impl Fn(&PluginEvent) + Send + Sync + 'static,
    ) -> Result<Self, FolderError> {
        Self::open_with(engine, dir, settings, Arc::new(Slate::default()), on_event)
    }

    /// The same, and the folder only proposes: what serves is what the ledger says. Where that cannot be loaded, [`PluginFolder::behind`] says so.
    ///
    /// Where the ledger has a set, only that is waited for: it serves at once, and the folder's own files are tried behind it, however long one of
    /// them takes. [`PluginFolder::reload`] waits for them as well.
    ///
    /// # Errors
    /// As [`PluginFolder::open`]; or the ledger does not answer.
    pub fn open_with(
        engine: Engine,
        dir: impl Into<PathBuf>,
        settings: FolderSettings,
        ledger: Arc<dyn Ledger>,
        on_event: impl Fn(&PluginEvent) + Send + Sync + 'static,
    ) -> Result<Self, FolderError> {
        let dir = dir.into();
        let (wakes, woken) = mpsc::channel();
        // Watching starts before the first scan: what arrives in between rings.
        let watcher = watch(&dir, wakes.clone());
        let shared = Arc::new(Shared {
            current: ArcSwap::from_pointee(Serving::nothing(&engine)),
            refused: Mutex::new(Vec::new()),
            behind: Mutex::new(None),
        });
        let mut keeper = Keeper::new(
            engine,
            dir,
            settings,
            ledger,
            Arc::clone(&shared),
            alarm(wakes.clone()),
            Box::new(on_event),
        );
        keeper.begin()?;
        let keeper = std::thread::Builder::new()
            .name("plugin-folder".to_owned())
            .spawn(move || keeper.keep(&woken))
            .map_err(FolderError::Thread)?;
        Ok(Self {
            shared,
            wakes,
            keeper: Some(keeper),
            _watcher: watcher,
        })
    }

    /// The set in service. A run takes it once and uses it to its end.
    #[must_use]
    pub fn current(&self) -> Arc<PluginSet> {
        Arc::clone(&self.shared.current.load().set)
    }

    /// The same with everything beside it: what is tried on some deals, and what is judged.
    #[must_use]
    pub fn serving(&self) -> Arc<Serving> {
        self.shared.current.load_full()
    }

    /// What should serve and cannot be loaded here. While there is something, nobody should begin a run.
    #[must_use]
    pub fn behind(&self) -> Option<Behind> {
        self.shared
            .behind
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Asks the ledger soon whether something else serves; returns at once.
    pub fn follow(&self) {
        // The keeper only goes away with the folder.
        let _ = self.wakes.send(Wake::Follow);
    }

    /// Files that are refused now, in file-name order.
    #[must_use]
    pub fn refused(&self) -> Vec<Rejection> {
        self.shared
            .refused
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Looks now (SIGHUP) and answers the set that is in service after it. Files still have to settle.
    pub async fn reload(&self) -> Arc<PluginSet> {
        let (done, finished) = oneshot::channel();
        if self.wakes.send(Wake::Reload(done)).is_ok() {
            // The keeper only goes away with the folder.
            let _ = finished.await;
        }
        self.current()
    }
}

impl Drop for PluginFolder {
    fn drop(&mut self) {
        // The keeper may be gone already.
        let _ = self.wakes.send(Wake::Stop);
        if let Some(keeper) = self.keeper.take()
            && keeper.join().is_err()
        {
            tracing::error!("the thread that keeps the plugin folder had panicked");
        }
    }
}

impl std::fmt::Debug for PluginFolder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PluginFolder")
            .field("current", &self.current())
            .finish_non_exhaustive()
    }
}

/// Tells the keeper about a plugin that fails or is slow, from whichever thread asked it.
fn alarm(wakes: mpsc::Sender<Wake>) -> Alarm {
    Arc::new(move |concern| {
        // The folder is being dropped: nobody rolls back any more.
        let _ = wakes.send(Wake::Concern(concern));
    })
}

/// The directory and not the files: a rename into place is an event of the directory.
fn watch(dir: &std::path::Path, wakes: mpsc::Sender<Wake>) -> Option<RecommendedWatcher> {
    let heard = move |event: notify::Result<notify::Event>| {
        // An error may mean lost events; looking is always right. Reading a file is an event too, and ours would ring for ever.
        let worth_a_look = event.map_or(true, |event| match event.kind {
            EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
            _ => true,
        });
        if worth_a_look {
            // The keeper is gone when the folder is being dropped.
            let _ = wakes.send(Wake::Changed);
        }
    };
    let watching = notify::recommended_watcher(heard).and_then(|mut watcher| {
        watcher.watch(dir, RecursiveMode::NonRecursive)?;
        Ok(watcher)
    });
    watching
        .map_err(|error| {
            tracing::warn!(dir = %dir.display(), why = %error, "the plugin folder gives no events here: it is scanned from time to time");
        })
        .ok()
}
