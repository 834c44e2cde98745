//! What is in service in this process: the set that serves, and candidates beside it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::caught::{caught, our_fault};
use crate::engine::Engine;
use crate::generation::{Generation, Member, Mode};
use crate::ledger::{Ledger, LedgerError};
use crate::load::load;
use crate::offer::Offer;
use crate::operator::Operator;
use crate::plugin::Plugin;
use crate::rejection::{Phase, Rejection, RejectionKind};
use crate::set::{Alarm, Followed, PluginSet};

/// A generation, loaded. Immutable: a run takes it once.
#[derive(Debug)]
pub struct Serving {
    /// What serves all deals.
    pub set: Arc<PluginSet>,
    /// As it is written down; none before the first.
    pub generation: Option<Generation>,
    candidates: Vec<Candidate>,
    followed: Followed,
}

#[derive(Debug)]
struct Candidate {
    member: Member,
    plugin: Loaded,
    /// The set with it in it, which rings nobody when it fails.
    rehearsal: Arc<PluginSet>,
    /// The same for deals on which it is tried.
    tried: Arc<PluginSet>,
}

/// A shadow, and the set that would serve with it.
#[derive(Debug, Clone)]
pub struct Judged {
    /// The shadow.
    pub member: Member,
    /// Everything that serves, and the shadow.
    pub set: Arc<PluginSet>,
}

/// Why this host cannot do what it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behind {
    /// The generation that should serve.
    pub generation: u64,
    /// What is in the way, with what to do.
    pub why: String,
}

/// Hides what cannot be told in a debug line.
#[derive(Clone)]
pub(super) struct Loaded(pub(super) Arc<Plugin>);

impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.sha256)
    }
}

impl Serving {
    /// Nothing.
    pub(super) fn nothing(engine: &Engine) -> Self {
        let set = PluginSet::new(engine.clone(), 0, Vec::new(), None);
        Self {
            followed: set.followed().clone(),
            set: Arc::new(set),
            generation: None,
            candidates: Vec::new(),
        }
    }

    pub(super) fn new(
        engine: &Engine,
        generation: Generation,
        plugins: &BTreeMap<Key, Loaded>,
        alarm: Option<&Alarm>,
    ) -> Self {
        let of = |member: &Member| plugins.get(&Key::of(member)).cloned();
        let live = generation
            .members
            .iter()
            .filter(|member| !member.is_candidate())
            .filter_map(|member| of(member).map(|loaded| loaded.0))
            .collect();
        let set = PluginSet::new(engine.clone(), generation.number, live, alarm.cloned());
        let candidates: Vec<Candidate> = generation
            .members
            .iter()
            .filter(|member| member.is_candidate())
            .filter_map(|member| {
                let plugin = of(member)?;
                Some(Candidate {
                    rehearsal: Arc::new(set.with(&plugin.0, None)),
                    tried: Arc::new(set.with(&plugin.0, alarm.cloned())),
                    member: member.clone(),
                    plugin,
                })
            })
            .collect();
        let set = Arc::new(set);
        Self {
            followed: Followed::by(sets(&set, &candidates)),
            set,
            generation: Some(generation),
            candidates,
        }
    }

    /// The set for a deal that is known by these names: `CONNECTION/LANE`, ids of its records.
    #[must_use]
    pub fn for_deal<'a>(&self, names: impl IntoIterator<Item = &'a str> + Clone) -> Arc<PluginSet> {
        let mut tried = self.candidates.iter().filter(|candidate| {
            let detail = &candidate.member.detail;
            let mut names = names.clone().into_iter();
            detail.mode == Mode::TryOn
                && names.any(|name| {
                    detail
                        .deals
                        .iter()
                        .any(|deal| deal.eq_ignore_ascii_case(name))
                })
        });
        let Some(first) = tried.next() else {
            return Arc::clone(&self.set);
        };
        let mut set = Arc::clone(&first.tried);
        for more in tried {
            set = Arc::new(set.with(&more.plugin.0, set.alarm.clone()));
        }
        set
    }

    /// The sets that some deal may meet: what serves, and each that is tried.
    pub fn sets(&self) -> impl Iterator<Item = &Arc<PluginSet>> {
        sets(&self.set, &self.candidates)
    }

    /// What is to be heard of, so that no deal misses what it is read with: of what serves, and of what is tried on some deals.
    #[must_use]
    pub const fn followed(&self) -> &Followed {
        &self.followed
    }

    /// Shadows, each with the set that would serve.
    #[must_use]
    pub fn shadows(&self) -> Vec<Judged> {
        self.candidates
            .iter()
            .filter(|candidate| candidate.member.detail.mode == Mode::Shadow)
            .map(|candidate| Judged {
                member: candidate.member.clone(),
                set: Arc::clone(&candidate.rehearsal),
            })
            .collect()
    }
}

fn sets<'a>(
    set: &'a Arc<PluginSet>,
    candidates: &'a [Candidate],
) -> impl Iterator<Item = &'a Arc<PluginSet>> {
    let tried = candidates
        .iter()
        .filter(|candidate| candidate.member.detail.mode == Mode::TryOn)
        .map(|candidate| &candidate.tried);
    std::iter::once(set).chain(tried)
}

/// Names a loaded version. One that is promoted is loaded anew: how it did as a candidate says nothing about how it does in service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    file: String,
    sha256: String,
    operator: String,
    is_candidate: bool,
}

impl Key {
    pub(super) fn of(member: &Member) -> Self {
        Self {
            file: member.file.clone(),
            sha256: member.sha256.clone(),
            operator: member.operator.clone(),
            is_candidate: member.is_candidate(),
        }
    }
}

/// Why a version is not loaded.
pub(super) enum NotLoaded {
    /// Nobody can know now.
    Ledger(LedgerError),
    /// It does not pass here.
    Refused(Box<Rejection>),
}

/// Loads a version from the bytes that are kept, if it may: nothing of it runs or is compiled before that is known. A bug of ours over it is told as
/// any other reason.
pub(super) fn load_member(
    engine: &Engine,
    ledger: &dyn Ledger,
    member: &Member,
    may: impl FnOnce(&Offer) -> Result<(), Rejection>,
) -> Result<Loaded, NotLoaded> {
    let refused = |rejection| NotLoaded::Refused(Box::new(rejection));
    let loading = || {
        let offer = kept(ledger, member)?;
        may(&offer).map_err(refused)?;
        let operator = Operator::read(&member.operator).map_err(refused)?;
        load(engine, &offer, &operator)
            .map(|loaded| Loaded(loaded.plugin))
            .map_err(refused)
    };
    caught(loading).unwrap_or_else(|words| Err(refused(our_fault(&member.file, words))))
}

/// What the ledger keeps of a version.
fn kept(ledger: &dyn Ledger, member: &Member) -> Result<Offer, NotLoaded> {
    let refused = |rejection| NotLoaded::Refused(Box::new(rejection));
    let bytes = |hash: &str| {
        ledger.bytes(hash).map_err(NotLoaded::Ledger)?.ok_or_else(|| {
            refused(
                Rejection::new(
                    Phase::Read,
                    RejectionKind::NotAFile,
                    format!("the bytes of {} are not in the store", member.file),
                )
                .with_hint("`cosell store check` says what else is missing; restore a backup, or drop the file again"),
            )
        })
    };
    let wasm = bytes(&member.component)?;
    let text = member.source.as_deref().map(bytes).transpose()?;
    let offer = Offer::of(&member.file, wasm, text).map_err(refused)?;
    if hex::encode(offer.digest()) != member.sha256 {
        return Err(refused(
            Rejection::new(
                Phase::Read,
                RejectionKind::NotAFile,
                format!("the bytes of {} in the store are damaged", member.file),
            )
            .with_hint("`cosell store check` says what else is; restore a backup"),
        ));
    }
    Ok(offer)
}

/// The newest generation of a ledger, loaded: for whoever asks beside the hosts. Serving nothing when there is none. Blocks while it compiles.
///
/// # Errors
/// In words: the ledger did not answer, or a version cannot be loaded here that serves, or is tried on some deals.
pub fn serving(engine: &Engine, ledger: &dyn Ledger) -> Result<Serving, String> {
    let newest = ledger.history(1).map_err(|error| error.to_string())?;
    let Some(generation) = newest.into_iter().next() else {
        return Ok(Serving::nothing(engine));
    };
    let mut plugins = BTreeMap::new();
    for member in &generation.members {
        // Whoever only asks puts nothing into service, so nobody has to vouch for it.
        match load_member(engine, ledger, member, |_| Ok(())) {
            Ok(loaded) => drop(plugins.insert(Key::of(member), loaded)),
            // It serves nobody.
            Err(NotLoaded::Refused(why)) if member.detail.mode == Mode::Shadow => {
                tracing::warn!(file = member.file, why = %why, "this shadow cannot be loaded here, and is left out");
            }
            Err(why) => {
                return Err(format!(
                    "{} of the set cannot be loaded here: {why}",
                    member.file
                ));
            }
        }
    }
    Ok(Serving::new(engine, generation, &plugins, None))
}

impl std::fmt::Display for NotLoaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ledger(error) => error.fmt(f),
            Self::Refused(rejection) => rejection.fmt(f),
        }
    }
}
