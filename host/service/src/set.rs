//! The set of plugins in the store (S29): what serves is written there, and hosts that share the store serve one set. Here is how the keeper of
//! the plugin folder, which works on a thread of its own, asks it.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use cosell_plugins::generation::{Detail, dated};
use cosell_plugins::ledger::{Quarantine, Said, Step};
use cosell_plugins::{Generation, KEY_FILE, Ledger, LedgerError, Member, PluginEvent};
use cosell_store::{
    Activation, Clock, Component, Quarantined, SaidFile, SetEvent, Store, StoreError,
};
use sha2::{Digest as _, Sha256};
use tokio::runtime::{Handle, Runtime};

/// Longer than any question takes; a store that is gone is told as that.
const ANSWER_MAX: Duration = Duration::from_secs(60);
/// Names the folder of the only host on a file: it needs no other name.
const ONLY: &str = "the plugin folder";

/// The ledger of plugins in a store.
pub(crate) struct StoreLedger {
    store: Arc<dyn Store>,
    clock: Clock,
    /// Names the folder in the store.
    folder: String,
    voice: Voice,
    runs_on: RunsOn,
}

/// What a folder is heard about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Voice {
    /// What is different from what it held when it was last heard.
    News,
    /// Everything in it.
    All,
}

/// Where questions are answered while the asking thread waits.
enum RunsOn {
    /// The host's own runtime, which is another thread's.
    Host(Handle),
    /// This thread itself.
    Here(Runtime),
}

impl StoreLedger {
    /// For a thread beside the runtime that we are on.
    pub(crate) fn of_host(
        store: Arc<dyn Store>,
        clock: Clock,
        folder: String,
        voice: Voice,
    ) -> Self {
        Self {
            store,
            clock,
            folder,
            voice,
            runs_on: RunsOn::Host(Handle::current()),
        }
    }

    /// For whoever only reads.
    pub(crate) fn beside(store: Arc<dyn Store>, clock: Clock, runtime: Runtime) -> Self {
        Self {
            store,
            clock,
            folder: String::new(),
            voice: Voice::News,
            runs_on: RunsOn::Here(runtime),
        }
    }

    fn ask<T, F>(&self, question: impl FnOnce(Arc<dyn Store>) -> F) -> Result<T, LedgerError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        self.try_ask(question)?.map_err(|error| lost(&error))
    }

    /// The store's own answer; the error is that there is none.
    fn try_ask<T, F>(
        &self,
        question: impl FnOnce(Arc<dyn Store>) -> F,
    ) -> Result<Result<T, StoreError>, LedgerError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let asking = question(Arc::clone(&self.store));
        match &self.runs_on {
            RunsOn::Here(runtime) => Ok(runtime.block_on(asking)),
            RunsOn::Host(handle) => {
                let (reply, answer) = mpsc::sync_channel(1);
                handle.spawn(async move {
                    // Whoever asked may have given up.
                    let _ = reply.send(asking.await);
                });
                // A host that ends drops the question, and with it the channel.
                answer.recv_timeout(ANSWER_MAX).map_err(|_| {
                    LedgerError("the store does not answer, or the host ends".to_owned())
                })
            }
        }
    }
}

fn lost(error: &StoreError) -> LedgerError {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    LedgerError(text)
}

impl Ledger for StoreLedger {
    fn name(&self) -> &str {
        &self.folder
    }

    fn newest(&self) -> Result<u64, LedgerError> {
        self.ask(|store| async move { store.generation().await })
            .map(number)
    }

    fn history(&self, limit: usize) -> Result<Vec<Generation>, LedgerError> {
        let found = self.ask(move |store| async move { store.set_history(limit).await })?;
        Ok(found.into_iter().map(generation).collect())
    }

    fn bytes(&self, hash: &str) -> Result<Option<Vec<u8>>, LedgerError> {
        let hash = hash.to_owned();
        self.ask(move |store| async move { store.component(&hash).await })
    }

    fn step(&self, step: Step) -> Result<Option<u64>, LedgerError> {
        let next = activation(step, &self.folder, self.now_ms());
        match self.try_ask(move |store| async move { store.activate(next).await })? {
            Ok(made) => Ok(Some(number(made))),
            Err(StoreError::Overtaken { .. } | StoreError::TakenOut { .. }) => Ok(None),
            Err(error) => Err(lost(&error)),
        }
    }

    fn said(&self) -> Result<Option<Vec<Said>>, LedgerError> {
        if self.voice == Voice::All {
            return Ok(Some(Vec::new()));
        }
        let folder = self.folder.clone();
        let said = self.ask(move |store| async move { store.said(&folder).await })?;
        Ok(said.map(|files| {
            let said = |one: SaidFile| Said {
                file: one.file,
                sha256: one.sha256,
                operator: one.operator,
            };
            files.into_iter().map(said).collect()
        }))
    }

    fn say(&self, said: Vec<Said>) -> Result<(), LedgerError> {
        let said = written(&self.folder, said);
        self.ask(move |store| async move { store.say(said).await })
    }

    fn quarantines(&self) -> Result<Vec<Quarantine>, LedgerError> {
        let found = self.ask(|store| async move { store.quarantines().await })?;
        let out = |one: Quarantined| Quarantine {
            is_released: one.released.is_some(),
            sha256: one.sha256,
            file: one.file,
            plugin: one.plugin,
            why: one.why,
        };
        Ok(found.into_iter().map(out).collect())
    }

    fn quarantine(&self, what: Quarantine) -> Result<(), LedgerError> {
        let what = quarantined(what, &self.folder);
        self.ask(move |store| async move { store.quarantine(what).await })
    }

    fn release(&self, sha256: &str) -> Result<(), LedgerError> {
        let (sha256, by) = (sha256.to_owned(), self.folder.clone());
        self.ask(move |store| async move { store.release(&sha256, &by).await })
            .map(drop)
    }

    fn tell(&self, events: Vec<PluginEvent>) -> Result<(), LedgerError> {
        let events = events
            .into_iter()
            .map(|one| event(one, &self.folder))
            .collect();
        self.ask(move |store| async move { store.tell(events).await })
    }

    fn now_ms(&self) -> i64 {
        (self.clock)()
    }
}

/// As it is written down.
pub(crate) fn generation(found: cosell_store::Generation) -> Generation {
    Generation {
        number: number(found.generation),
        members: found.members.into_iter().map(member).collect(),
        by: found.by,
        note: found.note,
        at_ms: found.at,
    }
}

fn member(found: cosell_store::Member) -> Member {
    Member {
        // A newer cosell may know more of it; what we do not understand is left out.
        detail: serde_json::from_str(&found.detail).unwrap_or_else(|_| Detail {
            plugin: found.file.clone(),
            ..Detail::default()
        }),
        file: found.file,
        sha256: found.sha256,
        component: found.component,
        source: found.source,
        operator: found.operator,
    }
}

/// To write down.
pub(crate) fn activation(step: Step, folder: &str, now_ms: i64) -> Activation {
    let members = dated(step.members, step.base + 1, now_ms, &step.by);
    Activation {
        base: i64::try_from(step.base).unwrap_or(i64::MAX),
        members: members.into_iter().map(stored).collect(),
        note: step.note,
        components: step
            .bytes
            .into_iter()
            .map(|(hash, bytes)| Component { hash, bytes })
            .collect(),
        said: step.said.map(|said| written(folder, said)),
        quarantined: step
            .quarantine
            .into_iter()
            .map(|one| quarantined(one, &step.by))
            .collect(),
        events: step
            .events
            .into_iter()
            .map(|one| event(one, &step.by))
            .collect(),
        by: step.by,
    }
}

fn stored(member: Member) -> cosell_store::Member {
    cosell_store::Member {
        candidate: member.is_candidate(),
        detail: serde_json::to_string(&member.detail).unwrap_or_default(),
        file: member.file,
        sha256: member.sha256,
        component: member.component,
        source: member.source,
        operator: member.operator,
    }
}

fn written(folder: &str, said: Vec<Said>) -> cosell_store::Said {
    let file = |one: Said| SaidFile {
        file: one.file,
        sha256: one.sha256,
        operator: one.operator,
    };
    cosell_store::Said {
        folder: folder.to_owned(),
        files: said.into_iter().map(file).collect(),
    }
}

fn quarantined(one: Quarantine, by: &str) -> Quarantined {
    Quarantined {
        sha256: one.sha256,
        file: one.file,
        plugin: one.plugin,
        why: one.why,
        by: by.to_owned(),
        // The store's clock decides.
        at: 0,
        released: None,
    }
}

fn event(one: PluginEvent, by: &str) -> SetEvent {
    SetEvent {
        what: one.what.as_str().to_owned(),
        file: one.file,
        plugin: one.id,
        version: one.version,
        sha256: one.hash,
        generation: None,
        by: by.to_owned(),
        message: one.message,
        at: 0,
    }
}

fn number(generation: i64) -> u64 {
    u64::try_from(generation).unwrap_or_default()
}

/// What names this host's folder among those of hosts that share a store: where it is, and by whose compiled plugins it is known. Whoever deletes
/// those makes the folder a stranger, which changes nothing until a file changes.
pub(crate) fn folder_name(is_shared: bool, folder: &Path, cache: &Path) -> String {
    if !is_shared {
        return ONLY.to_owned();
    }
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    // The engine has made it, private to this host; without one, the path alone has to do.
    let key = std::fs::read(cache.join(KEY_FILE)).unwrap_or_default();
    let mut id = Sha256::new_with_prefix(key);
    id.update(folder.as_os_str().as_encoded_bytes());
    let id = hex::encode(id.finalize());
    format!("{} of host {}", folder.display(), &id[..8])
}
