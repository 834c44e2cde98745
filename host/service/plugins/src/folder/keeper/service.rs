//! The other half of the keeper: from what the folder holds to the next generation, and from the newest generation to what serves here.

use super::*;
use crate::folder::served::{NotLoaded, load_member};
use crate::generation::without_version;
use crate::health::PROVEN_ANSWERS;

/// A version that has been in the set for so long has proven itself, whatever this process has seen of it.
const YOUNG_MS: i64 = 24 * 60 * 60 * 1_000;
/// Generations that are looked through for a better version.
const HISTORY: usize = 50;

impl Keeper {
    /// Makes the next generation of what is news in the folder, if anything is.
    pub(super) fn propose(&mut self) -> Result<(), LedgerError> {
        for _ in 0..OVERTAKEN_MAX {
            let current = self.ledger.history(1)?.into_iter().next();
            let said = self.ledger.said()?;
            let proposal = self.proposal(current.as_ref(), said.as_deref());
            self.clash(&proposal)?;
            let Some(members) = proposal.members else {
                if said.as_ref() != Some(&proposal.said) {
                    self.ledger.say(proposal.said)?;
                }
                self.say_unheard(&proposal.unheard);
                return Ok(());
            };
            let by = self.ledger.name().to_owned();
            let step = Step {
                base: current.as_ref().map_or(0, |generation| generation.number),
                note: note(current.as_ref(), &members),
                bytes: self.bytes_of(&members),
                members,
                by,
                said: Some(proposal.said),
                quarantine: None,
                events: proposal.events.clone(),
            };
            if self.ledger.step(step)?.is_some() {
                self.announce(&proposal.events);
                return Ok(());
            }
        }
        Err(LedgerError(
            "others change the set of plugins faster than this folder can propose; it is proposed again soon".to_owned(),
        ))
    }

    fn proposal(&self, current: Option<&Generation>, said: Option<&[Said]>) -> Proposal {
        let holds = self
            .files
            .iter()
            .map(|(file, held)| {
                let state = match &held.state {
                    State::Old => Holding::Old,
                    State::Off => Holding::Off,
                    State::Good(version) => Holding::Good(&version.member),
                    State::Refused(_) => Holding::Refused,
                };
                (file.as_str(), (self.content(file), state))
            })
            .collect();
        propose(
            current,
            said,
            &holds,
            Entry {
                shadow_first: self.settings.shadow_first,
                ask_for_more: self.settings.ask_for_more,
            },
        )
    }

    /// Good files whose id is taken, and those whose id is free now.
    fn clash(&mut self, proposal: &Proposal) -> Result<(), LedgerError> {
        let mut news = Vec::new();
        for (file, held) in &mut self.files {
            let State::Good(version) = &mut held.state else {
                continue;
            };
            let clash = proposal.clashes.iter().find(|one| one.file == *file);
            match (clash, &version.clash) {
                (Some(clash), None) => {
                    held.is_told = rejected::write(&self.dir, clash);
                    news.push(PluginEvent::refused(clash));
                }
                (None, Some(_)) => {
                    rejected::remove(&self.dir, file);
                    let message = format!("{file}: its id is free now");
                    news.push(PluginEvent::of(&version.member, What::Loaded, message));
                }
                _ => {}
            }
            version.clash = clash.cloned();
        }
        if !news.is_empty() {
            self.tell(&news);
        }
        self.show_refused();
        Ok(())
    }

    fn show_refused(&self) {
        let refused = self.files.values().filter_map(|held| match &held.state {
            State::Refused(rejection) => Some(rejection.clone()),
            State::Good(version) => version.clash.clone(),
            State::Old | State::Off => None,
        });
        *self
            .shared
            .refused
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = refused.collect();
    }

    fn bytes_of(&self, members: &[Member]) -> BTreeMap<String, Vec<u8>> {
        let good = self.files.values().filter_map(|held| match &held.state {
            State::Good(version) => Some(version),
            _ => None,
        });
        good.filter(|version| members.iter().any(|one| one.is_version(&version.member)))
            .flat_map(|version| version.bytes.clone())
            .collect()
    }

    fn say_unheard(&self, unheard: &[String]) {
        if !unheard.is_empty() {
            tracing::warn!(
                dir = %self.dir.display(),
                files = %unheard.join(", "),
                "this folder is new to the store and differs from the set that serves there: the store's set serves; a file counts when it changes while the host runs, or with `cosell plugin propose`"
            );
        }
    }

    /// Loads the newest generation, if it is not what serves here.
    pub(super) fn follow(&mut self) -> Result<(), LedgerError> {
        self.load_newest()?;
        for held in self.files.values_mut() {
            if let State::Good(version) = &held.state
                && version.clash.is_none()
            {
                // The ledger has it, or another version in its place.
                held.state = State::Old;
            }
        }
        Ok(())
    }

    fn load_newest(&mut self) -> Result<(), LedgerError> {
        let newest = self.ledger.newest()?;
        let serves = self.shared.current.load().set.generation();
        let is_behind = self.behind().is_some();
        if self.has_begun && !is_behind && newest == serves {
            return Ok(());
        }
        let Some(generation) = self.ledger.history(1)?.into_iter().next() else {
            if !self.has_begun {
                self.swap(Serving::nothing(&self.engine));
            }
            return Ok(());
        };
        let mut plugins = BTreeMap::new();
        for member in &generation.members {
            let key = Key::of(member);
            let plugin = match self.at_hand(&key, member) {
                Some(plugin) => plugin,
                None => match load_member(&self.engine, &*self.ledger, member) {
                    Ok(plugin) => plugin,
                    Err(NotLoaded::Ledger(error)) => return Err(error),
                    Err(NotLoaded::Refused(why)) => {
                        self.fall_behind(&generation, member, &why);
                        return Ok(());
                    }
                },
            };
            plugins.insert(key, plugin);
        }
        let serving = Serving::new(&self.engine, generation, &plugins, Some(&self.alarm));
        self.loaded = plugins;
        self.catch_up();
        self.swap(serving);
        Ok(())
    }

    /// Loaded already: it serves, or has just passed.
    fn at_hand(&self, key: &Key, member: &Member) -> Option<Kept> {
        let passed = || {
            self.files.values().find_map(|held| match &held.state {
                State::Good(version) if version.member.is_version(member) => {
                    Some(version.plugin.clone())
                }
                _ => None,
            })
        };
        self.loaded.get(key).cloned().or_else(passed)
    }

    fn behind(&self) -> Option<Behind> {
        self.shared
            .behind
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Tried again whenever the keeper looks, and told once.
    fn fall_behind(&mut self, generation: &Generation, member: &Member, why: &Rejection) {
        let (plugin, version) = (&member.detail.plugin, &member.detail.version);
        let behind = Behind {
            generation: generation.number,
            why: format!(
                "generation {} of the set has plugin \"{plugin}\" {version} ({}), which cannot be loaded here: {why}",
                generation.number, member.file
            ),
        };
        if self.behind().as_ref() == Some(&behind) {
            return;
        }
        let message = format!(
            "{}; this host takes up no deal until it can: install the cosell that the others run, or go back with `cosell plugin rollback`",
            behind.why
        );
        *self
            .shared
            .behind
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(behind);
        self.has_begun = true;
        self.tell(&[PluginEvent::of(member, What::Behind, message)]);
    }

    fn catch_up(&mut self) {
        let behind = self
            .shared
            .behind
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if behind.is_some() {
            tracing::info!("the set of the store is loaded: deals are taken up again");
        }
    }

    fn swap(&mut self, serving: Serving) {
        let before = self.shared.current.load_full();
        let set = Arc::clone(&serving.set);
        // Candidates come and go without a change of what serves.
        let is_same = live(&before) == live(&serving);
        self.shared.current.store(Arc::new(serving));
        if is_same && self.has_begun && before.set.generation() > 0 {
            let generation = set.generation();
            let message = format!(
                "the candidates beside what serves are those of generation {generation} now"
            );
            self.announce(&[PluginEvent::nameless("", What::Candidate, message)]);
            return;
        }
        self.has_begun = true;
        let names: Vec<_> = set
            .plugins()
            .iter()
            .map(|plugin| format!("{} {}", plugin.id, plugin.version))
            .collect();
        let names = match names.as_slice() {
            [] => "no plugins".to_owned(),
            names => names.join(", "),
        };
        let generation = set.generation();
        let message = format!("set {generation} is in service: {names}");
        let mut event = PluginEvent::nameless("", What::Swapped { generation }, message);
        event.hash = Some(set.hash().to_owned());
        // Each host swaps for itself; the generation is in the ledger already.
        self.announce(&[event]);
    }

    /// The plugin fails over one deal after the other. A version that is young goes, what served before it serves again, and its bytes are
    /// quarantined. One that has proven itself, or before which nothing is known, stays: without it deals would be mapped otherwise than their owner
    /// wants, and with it they are parked and say why.
    pub(super) fn roll_back(&mut self, failing: &Failing) {
        for _ in 0..OVERTAKEN_MAX {
            match self.try_roll_back(failing) {
                Ok(true) => {
                    let followed = self.follow();
                    return self.say_if_lost(followed);
                }
                Ok(false) => {}
                Err(error) => return self.say_if_lost(Err(error)),
            }
        }
    }

    /// False: another generation came in between.
    fn try_roll_back(&mut self, failing: &Failing) -> Result<bool, LedgerError> {
        let Failing {
            file,
            sha256,
            question,
            faults,
            deals,
            answers,
            last,
        } = failing;
        let history = self.ledger.history(HISTORY)?;
        let is_it = |one: &&Member| one.file == *file && one.sha256 == *sha256;
        let newest = history.first();
        let Some(out) = newest.and_then(|newest| newest.members.iter().find(is_it)) else {
            // Told of a version that has been replaced meanwhile.
            return Ok(true);
        };
        let (id, version) = (&out.detail.plugin, &out.detail.version);
        let story =
            format!("it failed {faults} times in a row at {question}, over {deals} deals: {last}");
        let banned: BTreeSet<String> = self
            .ledger
            .quarantines()?
            .into_iter()
            .filter(|one| !one.is_released)
            .map(|one| one.sha256)
            .collect();
        let is_young =
            *answers < PROVEN_ANSWERS && self.ledger.now_ms() - out.detail.since_ms < YOUNG_MS;
        let rest = without_version(&history, out, |hash| banned.contains(hash))
            .filter(|_| is_young || out.is_candidate());
        let Some((members, before)) = rest else {
            let message = format!(
                "{file}: plugin \"{id}\" {version} is failing: {story}; no version is known that would do better, so the deals that need it are parked until another one is dropped"
            );
            self.tell(&[PluginEvent::of(out, What::Failing, message)]);
            return Ok(true);
        };
        let instead = match &before {
            Some(before) => format!("version {} serves again", before.detail.version),
            None if out.is_candidate() => "what serves goes on serving all deals".to_owned(),
            None => "the set from before it came serves again".to_owned(),
        };
        let message = format!(
            "{file}: plugin \"{id}\" {version} is taken out of service: {story}; {instead}"
        );
        let event = PluginEvent::of(out, What::RolledBack, message.clone());
        let step = Step {
            base: newest.map_or(0, |newest| newest.number),
            members,
            by: self.ledger.name().to_owned(),
            note: message,
            quarantine: Some(Quarantine {
                sha256: sha256.clone(),
                file: file.clone(),
                plugin: id.clone(),
                why: story,
                is_released: false,
            }),
            events: vec![event.clone()],
            ..Step::default()
        };
        if self.ledger.step(step)?.is_none() {
            return Ok(false);
        }
        self.announce(&[event]);
        // The file, if it is this folder's, is refused from now on.
        self.judge_quarantines()?;
        self.show_refused();
        Ok(true)
    }
}

/// Versions that serve, with what their operators say.
fn live(serving: &Serving) -> Vec<(&str, &str, &str)> {
    let members = serving.generation.iter().flat_map(|one| &one.members);
    members
        .filter(|member| !member.is_candidate())
        .map(|one| {
            (
                one.file.as_str(),
                one.sha256.as_str(),
                one.operator.as_str(),
            )
        })
        .collect()
}

/// What is different, for people.
fn note(current: Option<&Generation>, members: &[Member]) -> String {
    let before: &[Member] = current.map_or(&[], |generation| &generation.members);
    let name = |one: &Member| format!("{} {}", one.detail.plugin, one.detail.version);
    let came = members
        .iter()
        .filter(|one| !before.contains(one))
        .map(|one| match one.detail.mode {
            Mode::Live => name(one),
            mode => format!("{} ({})", name(one), mode.as_str()),
        });
    let went = before
        .iter()
        .filter(|one| !members.iter().any(|other| other.file == one.file))
        .map(|one| format!("without {}", one.detail.plugin));
    came.chain(went).collect::<Vec<_>>().join(", ")
}
