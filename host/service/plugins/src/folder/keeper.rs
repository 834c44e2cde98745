//! The one thread that knows which file is good, proposes what follows from it, and loads what the ledger says.

mod laws;
mod out;
mod service;
mod trust;
mod turns;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use arc_swap::ArcSwap;
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;

use super::caught::{caught, our_fault};
use super::events::{PluginEvent, What};
use super::propose::{Entry, Held as Holding, Proposal, propose};
use super::scan::{Print, Scan, read_operator};
use super::served::{Behind, Key, Loaded as Kept, Serving};
use super::{FolderSettings, rejected};
use crate::engine::Engine;
use crate::generation::{Approved, Detail, Generation, Member, Mode};
use crate::health::Failing;
use crate::ledger::{Ledger, LedgerError, Quarantine, Said, Step};
use crate::load::{Loaded, load};
use crate::offer::Offer;
use crate::operator::{Laws, Operator};
use crate::plugin::Plugin;
use crate::rejection::{Phase, Rejection, RejectionKind};
use crate::set::{Alarm, Concern};
use crate::signature::Vouched;

/// How often a proposal is made anew because another one was faster.
const OVERTAKEN_MAX: usize = 16;

/// What the folder's owner and the keeper share.
pub(super) struct Shared {
    pub(super) current: ArcSwap<Serving>,
    pub(super) refused: Mutex<Vec<Rejection>>,
    pub(super) behind: Mutex<Option<Behind>>,
}

/// Why the keeper should look.
pub(super) enum Wake {
    Changed,
    /// Something else may serve.
    Follow,
    /// A plugin in service fails, or is slow.
    Concern(Concern),
    Reload(oneshot::Sender<()>),
    Stop,
}

pub(super) struct Keeper {
    engine: Engine,
    dir: PathBuf,
    settings: FolderSettings,
    ledger: Arc<dyn Ledger>,
    shared: Arc<Shared>,
    alarm: Alarm,
    on_event: Box<dyn Fn(&PluginEvent) + Send + Sync>,
    files: BTreeMap<String, Held>,
    /// Versions that are loaded: those of the generation that serves.
    loaded: BTreeMap<Key, Kept>,
    /// Shadows of that generation that cannot be loaded here, and why: they serve nobody, so nothing waits for them.
    unloaded: BTreeMap<Key, String>,
    /// Something serves, be it nothing.
    has_begun: bool,
    /// The folder was looked at since the start.
    has_looked: bool,
    /// When that was last.
    looked: Instant,
    /// What the folder held at the last look is written down, with whatever follows from it.
    is_heard: bool,
    /// Versions that fail, and that nothing was done about yet: the ledger may be away just then.
    failing: Vec<Failing>,
}

/// One file, as it was when last tried.
struct Held {
    /// None: it moved while it was read, try again whatever it looks like.
    print: Option<Print>,
    /// Which version it was, and the text of the operator file: the same content is not tried twice.
    content: Option<([u8; 32], Option<String>)>,
    state: State,
    /// A verdict lies beside it.
    is_told: bool,
}

impl Held {
    fn is_refused(&self) -> bool {
        match &self.state {
            State::Refused(_) => true,
            State::Good(version) => version.clash.is_some(),
            State::Old | State::Off => false,
        }
    }
}

enum State {
    /// As it was when the folder was last heard.
    Old,
    Off,
    Good(Box<Version>),
    Refused(Rejection),
}

/// A version that passed every check here.
struct Version {
    member: Member,
    plugin: Kept,
    /// Its bytes, until they are written down.
    bytes: BTreeMap<String, Vec<u8>>,
    /// Good by itself, and its id is taken by another file.
    clash: Option<Rejection>,
    /// Together with all others it keeps the laws, or need not.
    is_judged: bool,
}

/// A file that passed, and what is to be told of it.
struct Passed {
    loaded: Loaded,
    vouched: Vouched,
    /// A law that it does not keep, where its operator file lets it in all the same.
    unlawful: Option<Rejection>,
}

impl Keeper {
    pub(super) fn new(
        engine: Engine,
        dir: PathBuf,
        settings: FolderSettings,
        ledger: Arc<dyn Ledger>,
        shared: Arc<Shared>,
        alarm: Alarm,
        on_event: Box<dyn Fn(&PluginEvent) + Send + Sync>,
    ) -> Self {
        Self {
            engine,
            dir,
            settings,
            ledger,
            shared,
            alarm,
            on_event,
            files: BTreeMap::new(),
            loaded: BTreeMap::new(),
            unloaded: BTreeMap::new(),
            has_begun: false,
            has_looked: false,
            looked: Instant::now(),
            is_heard: false,
            failing: Vec::new(),
        }
    }

    fn look(&mut self, found: &Scan, moving: &BTreeSet<String>) -> Result<(), LedgerError> {
        let gone: Vec<_> = self
            .files
            .keys()
            .filter(|file| !found.contains_key(*file))
            .cloned()
            .collect();
        self.is_heard = false;
        for file in gone {
            rejected::remove(&self.dir, &file);
            let held = self.files.remove(&file);
            if held.is_some_and(|held| held.is_refused()) {
                self.refused_no_more(&file, "is gone");
            }
        }
        let said = self.ledger.said()?;
        self.judge_quarantines()?;
        // A folder that was never heard has nothing to say where something serves: its files are known by their content alone.
        let is_stranger = said.is_none()
            && self
                .newest_members()?
                .is_some_and(|members| !members.is_empty());
        let is_news = |(file, print): (&String, &Print)| {
            let known = self.files.get(file).and_then(|held| held.print);
            known != Some(*print) && !moving.contains(file)
        };
        if found.iter().any(is_news) {
            self.try_contradictions_again();
        }
        for (file, print) in found {
            let known = self
                .files
                .get(file)
                .is_some_and(|held| held.print == Some(*print));
            if known || moving.contains(file) {
                continue;
            }
            if let Err(error) = self.try_file(file, *print, said.as_deref(), is_stranger) {
                // It was not tried to its end, so the next look begins with it anew.
                let held = self.held(file);
                held.print = None;
                held.content = None;
                return Err(error);
            }
        }
        self.judge_together()?;
        self.propose()?;
        self.follow()?;
        self.try_shadows_again()
    }

    fn newest_members(&self) -> Result<Option<Vec<Member>>, LedgerError> {
        Ok(self
            .ledger
            .history(1)?
            .into_iter()
            .next()
            .map(|generation| generation.members))
    }

    /// A bug in the compiler or in us must not end the watching, nor keep the other files from being tried.
    fn try_file(
        &mut self,
        file: &str,
        print: Print,
        said: Option<&[Said]>,
        is_stranger: bool,
    ) -> Result<(), LedgerError> {
        caught(|| self.examine(file, print, said, is_stranger)).unwrap_or_else(|words| {
            // As it is, it is not tried again.
            self.held(file).print = Some(print);
            self.refuse(file, our_fault(file, words))
        })
    }

    fn examine(
        &mut self,
        file: &str,
        print: Print,
        said: Option<&[Said]>,
        is_stranger: bool,
    ) -> Result<(), LedgerError> {
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
            return Ok(());
        }
        held.content = content;
        let now = self.content(file);
        let is_old = said.is_some_and(|said| now.as_ref().is_some_and(|now| said.contains(now)));
        if is_old || is_stranger {
            if self.held(file).is_refused() {
                rejected::remove(&self.dir, file);
                let message = format!("{file}: the bytes that were refused are gone");
                self.tell(&[PluginEvent::nameless(file, What::Retired, message)]);
            }
            self.held(file).state = State::Old;
            return Ok(());
        }
        let quarantined = self.quarantined(file)?;
        let operator_text = self
            .held(file)
            .content
            .as_ref()
            .and_then(|(_, text)| text.clone())
            .unwrap_or_default();
        let operator = Operator::read(&operator_text);
        // Also where its bytes are quarantined: what is switched off retires.
        if operator.as_ref().is_ok_and(|operator| !operator.enabled) {
            rejected::remove(&self.dir, file);
            let held = self.held(file);
            let was_refused = held.is_refused();
            held.state = State::Off;
            if was_refused {
                self.refused_no_more(file, "is switched off in its operator file");
            }
            return Ok(());
        }
        if let Some(rejection) = quarantined {
            return self.refuse(file, rejection);
        }
        match operator {
            Ok(operator) => match self.load(&offer, &operator) {
                Ok(passed) => {
                    self.accept(file, offer, &operator, passed);
                    Ok(())
                }
                Err(rejection) => {
                    if rejection.kind == RejectionKind::Unsigned {
                        // The same bytes are tried again when a signature comes.
                        self.held(file).content = None;
                    }
                    self.refuse(file, rejection)
                }
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

    fn load(&self, offer: &Offer, operator: &Operator) -> Result<Passed, Rejection> {
        // Nothing of it runs, and nothing of it is compiled, before it is known whose it is.
        let vouched = offer
            .vouched(self.engine.trust(), &self.dir)
            .map_err(|why| Rejection {
                file: offer.file.clone(),
                hash: Some(hex::encode(offer.digest())),
                ..why
            })?;
        let loaded = load(&self.engine, offer, operator)?;
        let unlawful = self.self_test(&loaded.plugin, operator)?;
        Ok(Passed {
            loaded,
            vouched,
            unlawful,
        })
    }

    fn held(&mut self, file: &str) -> &mut Held {
        self.files.entry(file.to_owned()).or_insert(Held {
            print: None,
            content: None,
            state: State::Old,
            is_told: false,
        })
    }

    /// What the file is, in the words of the ledger. None: it could not be read.
    fn content(&self, file: &str) -> Option<Said> {
        let (digest, operator) = self.files.get(file)?.content.as_ref()?;
        Some(Said {
            file: file.to_owned(),
            sha256: hex::encode(digest),
            operator: operator
                .as_ref()
                .map(|text| hex::encode(Sha256::digest(text)))
                .unwrap_or_default(),
        })
    }

    /// It may serve. Whether it does is decided with all others.
    fn accept(&mut self, file: &str, offer: Offer, operator: &Operator, passed: Passed) {
        let Passed {
            loaded,
            vouched,
            unlawful,
        } = passed;
        rejected::remove(&self.dir, file);
        let plugin = &loaded.plugin;
        let how = if loaded.from_cache {
            "taken from the cache"
        } else {
            "compiled"
        };
        let hooks: Vec<_> = plugin.hooks.iter().map(|hook| hook.as_str()).collect();
        let signed = match (&vouched.by, &vouched.warning) {
            (Some(key), _) => format!(", signed by {key}"),
            (None, Some(why)) => {
                tracing::warn!(file, why = %why, "nobody who is trusted vouches for this plugin; it is taken all the same, as [plugins] signatures = \"warn\" says");
                ", not signed".to_owned()
            }
            (None, None) => String::new(),
        };
        let unlawful = match unlawful {
            Some(why) => {
                tracing::warn!(file, why = %why, "it does not keep a law of the contract, and is taken all the same, as its operator file says");
                format!(", and taken although it does not keep a law: {why}")
            }
            None => String::new(),
        };
        let message = format!(
            "{file}: plugin \"{}\" {} passed ({}; {how} in {} ms, {} examples passed{signed}{unlawful})",
            plugin.id(),
            plugin.speaker.version,
            hooks.join(", "),
            loaded.compile.as_millis(),
            loaded.examples
        );
        let event = PluginEvent::about(plugin, What::Loaded, message);
        let member = Member {
            file: file.to_owned(),
            sha256: plugin.sha256.clone(),
            component: hex::encode(offer.wasm_digest()),
            source: offer.text_digest().map(hex::encode),
            operator: operator.text.clone(),
            detail: Detail {
                plugin: plugin.id().to_owned(),
                version: plugin.speaker.version.clone(),
                mode: operator.mode.unwrap_or(Mode::Live),
                deals: operator.deals.clone(),
                promote: operator.promote,
                approved: Approved::of(plugin, &plugin.imports),
                signer: vouched.by,
                ..Detail::default()
            },
        };
        let text = member
            .source
            .clone()
            .zip(offer.text.map(String::into_bytes));
        let bytes = std::iter::once((member.component.clone(), offer.wasm)).chain(text);
        let version = Version {
            bytes: bytes.collect(),
            plugin: Kept(Arc::clone(plugin)),
            member,
            clash: None,
            is_judged: operator.laws == Laws::Warn,
        };
        let held = self.held(file);
        held.state = State::Good(Box::new(version));
        held.is_told = false;
        self.tell(&[event]);
    }

    fn refuse(&mut self, file: &str, rejection: Rejection) -> Result<(), LedgerError> {
        let is_told = rejected::write(&self.dir, &rejection);
        let mut events = vec![PluginEvent::refused(&rejection)];
        let held = self.held(file);
        held.is_told = is_told;
        held.state = State::Refused(rejection);
        let serves = self.newest_members()?.unwrap_or_default();
        if let Some(good) = serves
            .iter()
            .find(|one| one.file == file && !one.is_candidate())
        {
            let message = format!(
                "{file}: plugin \"{}\" {} goes on serving",
                good.detail.plugin, good.detail.version
            );
            events.push(PluginEvent::of(good, What::Kept, message));
        }
        self.tell(&events);
        Ok(())
    }

    /// Where a version serves by the name of the file, that it retires is told with it.
    fn refused_no_more(&self, file: &str, why: &str) {
        let serves = self.newest_members().ok().flatten().unwrap_or_default();
        if serves.iter().all(|member| member.file != file) {
            let message = format!("{file} {why}, and so is not refused any more");
            self.tell(&[PluginEvent::nameless(file, What::Retired, message)]);
        }
    }

    fn tell(&self, events: &[PluginEvent]) {
        self.announce(events);
        let told = self.ledger.tell(events.to_vec());
        if let Err(error) = told {
            tracing::warn!(why = %error, "the journal of plugins misses a line");
        }
    }

    /// Without the journal, which has it already.
    fn announce(&self, events: &[PluginEvent]) {
        for event in events {
            event.log();
            (self.on_event)(event);
        }
    }
}
