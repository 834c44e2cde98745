//! The one thread that knows which file is good, proposes what follows from it, and loads what the ledger says.

mod examine;
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
    /// The newest generation at its end.
    looked_beside: u64,
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

    /// Something about the file has changed, and its content has not: what was in its way may lie outside of it, such as a signature, or memory to
    /// compile it. Quarantined bytes stay out until a person lets them in.
    fn may_pass_now(&self) -> bool {
        matches!(&self.state, State::Refused(why) if why.kind != RejectionKind::Quarantined)
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
            looked_beside: 0,
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
        let is_any_gone = !gone.is_empty();
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
        // Beside other plugins it may keep the laws.
        let serves_another = self.ledger.newest()? != self.looked_beside;
        if is_any_gone || serves_another || found.iter().any(is_news) {
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
        self.judge_together(said.as_deref().unwrap_or_default())?;
        self.propose()?;
        self.looked_beside = self.ledger.newest()?;
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
