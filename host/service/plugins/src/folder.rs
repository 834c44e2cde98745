//! The folder of plugins: drop a file, it is checked and put into service while deals flow; a bad one changes nothing and says why.
//!
//! Watch → settle → scan → load → swap. Events of the file system only wake the keeper; the truth is a scan by name, size, time and inode,
//! and then by content. A file is read once, and only those bytes are used.

mod events;
mod keeper;
mod once;
mod scan;

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

use crate::engine::Engine;
use crate::rejection::Rejection;
use crate::set::{Alarm, PluginSet};
use keeper::{Keeper, Shared, Wake};

pub(crate) use scan::{read_component, read_operator, read_text};

/// How patient the folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FolderSettings {
    /// A file has to keep its size, time and inode for so long before it is read: copies take time.
    pub settle: Duration,
    /// The folder is scanned so often even if nothing was heard: network and container mounts lose events.
    pub rescan: Duration,
}

impl Default for FolderSettings {
    fn default() -> Self {
        Self {
            settle: Duration::from_millis(300),
            rescan: Duration::from_secs(30),
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
    /// # Errors
    /// The folder cannot be read, or there is no thread.
    pub fn open(
        engine: Engine,
        dir: impl Into<PathBuf>,
        settings: FolderSettings,
        on_event: impl Fn(&PluginEvent) + Send + Sync + 'static,
    ) -> Result<Self, FolderError> {
        let dir = dir.into();
        let (wakes, woken) = mpsc::channel();
        // Watching starts before the first scan: what arrives in between rings.
        let watcher = watch(&dir, wakes.clone());
        let shared = Arc::new(Shared {
            current: ArcSwap::from_pointee(PluginSet::new(engine.clone(), 0, Vec::new(), None)),
            refused: Mutex::new(Vec::new()),
        });
        let mut keeper = Keeper::new(
            engine,
            dir.clone(),
            settings,
            Arc::clone(&shared),
            alarm(wakes.clone()),
            Box::new(on_event),
        );
        keeper
            .first_look()
            .map_err(|source| FolderError::Unreadable { path: dir, source })?;
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
        self.shared.current.load_full()
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

    /// Looks now (SIGHUP, the admin API) and answers the set that is in service after it. Files still have to settle.
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

/// Tells the keeper about a plugin that fails, from whichever thread asked it.
fn alarm(wakes: mpsc::Sender<Wake>) -> Alarm {
    Arc::new(move |failing| {
        // The folder is being dropped: nobody rolls back any more.
        let _ = wakes.send(Wake::Failing(failing));
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
