//! The one thread that knows which file is good, and which set follows from it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use arc_swap::ArcSwap;
use tokio::sync::oneshot;

use super::FolderSettings;
use super::events::{PluginEvent, What};
use super::scan::{Print, Scan, read_operator, scan};
use crate::engine::Engine;
use crate::health::{Failing, PROVEN_ANSWERS};
use crate::load::{Loaded, load};
use crate::offer::Offer;
use crate::operator::Operator;
use crate::plugin::Plugin;
use crate::rejection::{Phase, Rejection, RejectionKind};
use crate::set::{Alarm, PluginSet};

/// What ends a quarantine.
const UNTIL: &str = "mend it and drop the new file over it: these very bytes are not taken again, unless this .rejected.json is removed";
/// A file that keeps changing for so many settle periods does not hold up the others any longer.
const SETTLE_ROUNDS_MAX: usize = 20;

/// What the folder's owner and the keeper share.
pub(super) struct Shared {
    pub(super) current: ArcSwap<PluginSet>,
    pub(super) refused: Mutex<Vec<Rejection>>,
}

/// Why the keeper should look.
pub(super) enum Wake {
    Changed,
    /// A plugin fails over one deal after the other.
    Failing(Failing),
    Reload(oneshot::Sender<()>),
    Stop,
}

pub(super) struct Keeper {
    engine: Engine,
    dir: PathBuf,
    settings: FolderSettings,
    shared: Arc<Shared>,
    alarm: Alarm,
    on_event: Box<dyn Fn(&PluginEvent) + Send + Sync>,
    files: BTreeMap<String, Held>,
    generation: u64,
}

/// One file, as it was when last tried.
struct Held {
    /// None: it moved while it was read, try again whatever it looks like.
    print: Option<Print>,
    /// Which version it was, and the text of the operator file: the same content is not tried twice.
    content: Option<([u8; 32], Option<String>)>,
    /// The last version that passed.
    good: Option<Arc<Plugin>>,
    /// It came while the host was running, and this was good before it: None was nothing at all. What is there at the start has no before.
    before: Option<Option<Arc<Plugin>>>,
    rejection: Option<Rejection>,
    /// Good by itself, and its id is taken by an earlier file.
    duplicate: Option<Rejection>,
}

impl Keeper {
    pub(super) fn new(
        engine: Engine,
        dir: PathBuf,
        settings: FolderSettings,
        shared: Arc<Shared>,
        alarm: Alarm,
        on_event: Box<dyn Fn(&PluginEvent) + Send + Sync>,
    ) -> Self {
        Self {
            engine,
            dir,
            settings,
            shared,
            alarm,
            on_event,
            files: BTreeMap::new(),
            generation: 0,
        }
    }

    /// Loads what is there without waiting: at the start nobody is copying, and whoever is rings again.
    pub(super) fn first_look(&mut self) -> io::Result<()> {
        let found = scan(&self.dir)?;
        self.look(&found, &BTreeSet::new());
        Ok(())
    }

    pub(super) fn keep(&mut self, woken: &mpsc::Receiver<Wake>) {
        loop {
            let mut waiting = Vec::new();
            match woken.recv_timeout(self.settings.rescan) {
                Ok(Wake::Stop) | Err(mpsc::RecvTimeoutError::Disconnected) => return,
                Ok(Wake::Reload(done)) => waiting.push(done),
                Ok(Wake::Failing(failing)) => {
                    self.roll_back(&failing);
                    continue;
                }
                Ok(Wake::Changed) | Err(mpsc::RecvTimeoutError::Timeout) => {}
            }
            let failing = &mut Vec::new();
            match self.settled(woken, &mut waiting, failing) {
                Ok(Some((found, moving))) => self.look(&found, &moving),
                Ok(None) => return,
                // The folder is away for a moment (a mount, a redeployment): what serves goes on serving.
                Err(error) => {
                    tracing::warn!(dir = %self.dir.display(), why = %error, "the plugin folder cannot be read; the set stays as it is")
                }
            }
            for failing in failing {
                self.roll_back(failing);
            }
            for done in waiting {
                // Whoever asked may have gone.
                let _ = done.send(());
            }
        }
    }

    /// Waits until what is new stands still. None: stop.
    fn settled(
        &self,
        woken: &mpsc::Receiver<Wake>,
        waiting: &mut Vec<oneshot::Sender<()>>,
        failing: &mut Vec<Failing>,
    ) -> io::Result<Option<(Scan, BTreeSet<String>)>> {
        let mut before = scan(&self.dir)?;
        if self.knows(&before) {
            return Ok(Some((before, BTreeSet::new())));
        }
        for round in 0.. {
            let until = std::time::Instant::now() + self.settings.settle;
            loop {
                match woken.recv_timeout(until.saturating_duration_since(std::time::Instant::now()))
                {
                    Ok(Wake::Stop) | Err(mpsc::RecvTimeoutError::Disconnected) => return Ok(None),
                    Ok(Wake::Reload(done)) => waiting.push(done),
                    Ok(Wake::Failing(one)) => failing.push(one),
                    Ok(Wake::Changed) => {}
                    Err(mpsc::RecvTimeoutError::Timeout) => break,
                }
            }
            let now = scan(&self.dir)?;
            let moving: BTreeSet<String> = now
                .iter()
                .filter(|(file, print)| before.get(*file) != Some(print))
                .map(|(file, _)| file.clone())
                .collect();
            if moving.is_empty() || round >= SETTLE_ROUNDS_MAX {
                return Ok(Some((now, moving)));
            }
            before = now;
        }
        Ok(None)
    }

    fn knows(&self, found: &Scan) -> bool {
        found.len() == self.files.len()
            && found.iter().all(|(file, print)| {
                self.files
                    .get(file)
                    .is_some_and(|held| held.print == Some(*print))
            })
    }

    fn look(&mut self, found: &Scan, moving: &BTreeSet<String>) {
        let gone: Vec<_> = self
            .files
            .keys()
            .filter(|file| !found.contains_key(*file))
            .cloned()
            .collect();
        for file in gone {
            self.retire(&file);
        }
        for (file, held) in &mut self.files {
            let is_quarantined =
                |rejection: &Rejection| rejection.kind == RejectionKind::Quarantined;
            if held.rejection.as_ref().is_some_and(is_quarantined)
                && !rejection_file(&self.dir, file).exists()
            {
                // A person has taken the verdict away: the bytes get another chance.
                held.rejection = None;
                held.content = None;
                held.print = None;
            }
        }
        for (file, print) in found {
            let known = self
                .files
                .get(file)
                .is_some_and(|held| held.print == Some(*print));
            if !known && !moving.contains(file) {
                self.try_file(file, *print);
            }
        }
        self.assemble();
    }

    fn retire(&mut self, file: &str) {
        remove_rejection(&self.dir, file);
        if let Some(Held {
            good: Some(plugin), ..
        }) = self.files.remove(file)
        {
            self.tell(&PluginEvent::about(
                &plugin,
                What::Retired,
                format!("{file} is gone: plugin \"{}\" retires", plugin.id()),
            ));
        }
    }

    fn try_file(&mut self, file: &str, print: Print) {
        let path = self.dir.join(file);
        let read = read_operator(&path).and_then(|operator| Ok((Offer::read(&path)?, operator)));
        let (offer, operator_text) = match read {
            Ok(read) => read,
            Err(rejection) => {
                // Nobody knows which bytes these were: whatever comes next is tried.
                self.held(file).content = None;
                let is_gone = !path.exists() && std::fs::symlink_metadata(&path).is_err();
                self.held(file).print = (!is_gone).then_some(print);
                return self.refuse(
                    file,
                    Rejection {
                        file: file.to_owned(),
                        ..rejection
                    },
                );
            }
        };
        let content = Some((offer.digest(), operator_text));
        let held = self.held(file);
        held.print = Some(print);
        if held.content == content {
            return;
        }
        held.content = content;
        if let Some(rejection) = self.quarantined(file) {
            return self.refuse(file, rejection);
        }
        let held = self.held(file);
        let operator_text = held
            .content
            .as_ref()
            .and_then(|(_, text)| text.clone())
            .unwrap_or_default();
        match Operator::read(&operator_text) {
            Ok(operator) if !operator.enabled => self.switch_off(file),
            Ok(operator) => match self.load(&offer, &operator) {
                Ok(loaded) => {
                    let how = if loaded.from_cache {
                        "taken from the cache"
                    } else {
                        "compiled"
                    };
                    let took = loaded.compile.as_millis();
                    self.accept(
                        file,
                        loaded.plugin,
                        &format!("{how} in {took} ms, {} examples passed", loaded.examples),
                    );
                }
                Err(rejection) => self.refuse(file, rejection),
            },
            Err(rejection) => self.refuse(
                file,
                Rejection {
                    file: file.to_owned(),
                    ..rejection
                },
            ),
        }
    }

    /// A bug in the compiler or in us must not end the watching.
    fn load(&self, offer: &Offer, operator: &Operator) -> Result<Loaded, Rejection> {
        let loading = AssertUnwindSafe(|| load(&self.engine, offer, operator));
        catch_unwind(loading).unwrap_or_else(|_| {
            Err(Rejection {
                file: offer.file.clone(),
                ..Rejection::new(
                    Phase::Compile,
                    RejectionKind::Compile,
                    "the host itself failed over this file",
                )
                .with_hint("please report it, with the file if you can; the log has the place")
            })
        })
    }

    fn held(&mut self, file: &str) -> &mut Held {
        self.files.entry(file.to_owned()).or_insert(Held {
            print: None,
            content: None,
            good: None,
            before: None,
            rejection: None,
            duplicate: None,
        })
    }

    fn accept(&mut self, file: &str, plugin: Arc<Plugin>, how: &str) {
        remove_rejection(&self.dir, file);
        let is_running = self.generation > 0;
        let hooks: Vec<_> = plugin.hooks.iter().map(|hook| hook.as_str()).collect();
        let message = format!(
            "{file}: plugin \"{}\" {} passed ({}; {how})",
            plugin.id(),
            plugin.speaker.version,
            hooks.join(", ")
        );
        let event = PluginEvent::about(&plugin, What::Loaded, message);
        let held = self.held(file);
        held.rejection = None;
        held.duplicate = None;
        let is_other = held
            .good
            .as_ref()
            .is_none_or(|good| !Arc::ptr_eq(good, &plugin));
        let before = held.good.replace(plugin);
        // At the very start nothing serves yet, so there is nothing to go back to.
        if is_running && is_other {
            held.before = Some(before);
        }
        self.tell(&event);
    }

    fn refuse(&mut self, file: &str, rejection: Rejection) {
        write_rejection(&self.dir, &rejection);
        self.tell(&PluginEvent::refused(&rejection));
        let held = self.held(file);
        held.rejection = Some(rejection);
        if let Some(good) = held.good.clone() {
            let message = format!(
                "{file}: plugin \"{}\" {} goes on serving",
                good.id(),
                good.speaker.version
            );
            self.tell(&PluginEvent::about(&good, What::Kept, message));
        }
    }

    /// What a person finds beside the file says that these very bytes were taken out of service, by this host or by one before it.
    fn quarantined(&self, file: &str) -> Option<Rejection> {
        let (sha256, _) = self.files.get(file)?.content.as_ref()?;
        let text = std::fs::read_to_string(rejection_file(&self.dir, file)).ok()?;
        let verdict: serde_json::Value = serde_json::from_str(&text).ok()?;
        let says = |name: &str| verdict[name].as_str();
        let is_it = says("kind") == Some(RejectionKind::Quarantined.as_str())
            && says("hash") == Some(hex::encode(sha256).as_str());
        is_it.then(|| Rejection {
            file: file.to_owned(),
            plugin: says("plugin").map(str::to_owned),
            hash: says("hash").map(str::to_owned),
            ..Rejection::new(
                Phase::Service,
                RejectionKind::Quarantined,
                says("message").unwrap_or_default(),
            )
            .with_hint(UNTIL)
        })
    }

    /// The plugin fails over one deal after the other. If it is new, what was there before its file came serves again, and its bytes are
    /// quarantined. A version that has proven itself, or was there from the start, stays: without it deals would be mapped otherwise than their owner
    /// wants, and with it they are parked and say why.
    fn roll_back(&mut self, failing: &Failing) {
        let Failing {
            file,
            sha256,
            question,
            faults,
            deals,
            answers,
            last,
        } = failing;
        let Some(held) = self.files.get_mut(file) else {
            return;
        };
        // Told of a version that has been replaced meanwhile.
        let Some(good) = held.good.clone().filter(|good| good.sha256 == *sha256) else {
            return;
        };
        let (id, version) = (good.id().to_owned(), good.speaker.version.clone());
        let story =
            format!("it failed {faults} times in a row at {question}, over {deals} deals: {last}");
        let before = held.before.take_if(|_| *answers < PROVEN_ANSWERS);
        let Some(before) = before else {
            let message = format!(
                "{file}: plugin \"{id}\" {version} is failing: {story}; no version is known that would do better, so the deals that need it are parked until another one is dropped"
            );
            return self.tell(&PluginEvent::about(&good, What::Failing, message));
        };
        let instead = match &before {
            Some(before) => format!("version {} serves again", before.speaker.version),
            None => "the set from before it came serves again".to_owned(),
        };
        held.good = before;
        let message = format!(
            "{file}: plugin \"{id}\" {version} is taken out of service: {story}; {instead}"
        );
        self.tell(&PluginEvent::about(&good, What::RolledBack, message));
        self.refuse(
            file,
            Rejection {
                file: file.clone(),
                plugin: Some(id),
                hash: Some(sha256.clone()),
                ..Rejection::new(Phase::Service, RejectionKind::Quarantined, story).with_hint(UNTIL)
            },
        );
        self.assemble();
    }

    fn switch_off(&mut self, file: &str) {
        remove_rejection(&self.dir, file);
        let held = self.held(file);
        held.rejection = None;
        held.duplicate = None;
        let message = format!("{file} is switched off in its operator file");
        let event = match held.good.take() {
            Some(good) => PluginEvent::about(&good, What::Retired, message),
            None => PluginEvent::nameless(file, What::Retired, message),
        };
        self.tell(&event);
    }

    /// From good files to a set; another set than before is swapped in.
    fn assemble(&mut self) {
        let mut taken: BTreeMap<String, String> = BTreeMap::new();
        let mut plugins: Vec<Arc<Plugin>> = Vec::new();
        let mut clashes = Vec::new();
        let mut cleared = Vec::new();
        for (file, held) in &self.files {
            let Some(plugin) = &held.good else { continue };
            if let Some(earlier) = taken.get(plugin.id()) {
                if held.duplicate.is_none() {
                    clashes.push((file.clone(), duplicate(plugin, earlier)));
                }
                continue;
            }
            if held.duplicate.is_some() {
                cleared.push((file.clone(), Arc::clone(plugin)));
            }
            taken.insert(plugin.id().to_owned(), file.clone());
            plugins.push(Arc::clone(plugin));
        }
        for (file, rejection) in clashes {
            write_rejection(&self.dir, &rejection);
            self.tell(&PluginEvent::refused(&rejection));
            self.held(&file).duplicate = Some(rejection);
        }
        for (file, plugin) in cleared {
            self.accept(&file, plugin, "its id is free now");
        }
        *self
            .shared
            .refused
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = self
            .files
            .values()
            .filter_map(|held| held.rejection.clone().or_else(|| held.duplicate.clone()))
            .collect();
        self.swap(plugins);
    }

    fn swap(&mut self, plugins: Vec<Arc<Plugin>>) {
        let current = self.shared.current.load();
        let is_same = current.chain.plugins.len() == plugins.len()
            && current
                .chain
                .plugins
                .iter()
                .zip(&plugins)
                .all(|(a, b)| Arc::ptr_eq(a, b));
        // The very first set counts as a swap even when it is empty: there was none before.
        if is_same && self.generation > 0 {
            return;
        }
        self.generation += 1;
        let set = PluginSet::new(
            self.engine.clone(),
            self.generation,
            plugins,
            Some(Arc::clone(&self.alarm)),
        );
        let names: Vec<_> = set
            .plugins()
            .iter()
            .map(|plugin| format!("{} {}", plugin.id, plugin.version))
            .collect();
        let message = match names.as_slice() {
            [] => format!("set {} is in service: no plugins", self.generation),
            names => format!(
                "set {} is in service: {}",
                self.generation,
                names.join(", ")
            ),
        };
        let mut event = PluginEvent::nameless(
            "",
            What::Swapped {
                generation: self.generation,
            },
            message,
        );
        event.hash = Some(set.hash().to_owned());
        self.shared.current.store(Arc::new(set));
        self.tell(&event);
    }

    fn tell(&self, event: &PluginEvent) {
        event.log();
        (self.on_event)(event);
    }
}

fn duplicate(plugin: &Plugin, earlier: &str) -> Rejection {
    let id = plugin.id();
    Rejection {
        file: plugin.file.clone(),
        plugin: Some(id.to_owned()),
        hash: Some(plugin.sha256.clone()),
        ..Rejection::new(
            Phase::Set,
            RejectionKind::Duplicate,
            format!("its id \"{id}\" is taken by {earlier}, which comes first"),
        )
        .with_hint("keep one of the two files; to replace a plugin, overwrite its file")
    }
}

/// `50-acme.wasm` → `50-acme.rejected.json`
fn rejection_file(dir: &Path, file: &str) -> PathBuf {
    dir.join(format!(
        "{}.rejected.json",
        file.strip_suffix(".wasm").unwrap_or(file)
    ))
}

/// Best effort: the folder may be read-only, and the event and the log say the same.
fn write_rejection(dir: &Path, rejection: &Rejection) {
    let path = rejection_file(dir, &rejection.file);
    let unfinished = dir.join(format!(".{}.rejected.part", rejection.file));
    let written = std::fs::write(&unfinished, rejection.to_json())
        .and_then(|()| std::fs::rename(&unfinished, &path));
    if let Err(error) = written {
        tracing::debug!(file = %path.display(), why = %error, "the reason cannot be written beside the plugin");
    }
}

fn remove_rejection(dir: &Path, file: &str) {
    let path = rejection_file(dir, file);
    match std::fs::remove_file(&path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => {
            tracing::debug!(file = %path.display(), why = %error, "an old rejection cannot be removed")
        }
    }
}
