//! The other half of the keeper: from what the folder holds to the next generation, and from the newest generation to what serves here.

use super::*;
use crate::folder::served::NotLoaded;

impl Keeper {
    /// Makes the next generation of what is news in the folder, if anything is.
    pub(super) fn propose(&mut self) -> Result<(), LedgerError> {
        for _ in 0..OVERTAKEN_MAX {
            // It takes seconds to compile a file and to try it, and people quarantine meanwhile.
            self.judge_quarantines()?;
            let current = self.ledger.history(1)?.into_iter().next();
            let said = self.ledger.said()?;
            let proposal = self.proposal(current.as_ref(), said.as_deref());
            self.clash(&proposal);
            let Some(members) = proposal.members else {
                if said.as_ref() != Some(&proposal.said) {
                    self.ledger.say(proposal.said)?;
                }
                self.say_unheard(&proposal.unheard);
                self.is_heard = true;
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
                self.is_heard = true;
                return Ok(());
            }
        }
        Err(LedgerError(
            "others change the set of plugins faster than this folder can propose; it is proposed again soon".to_owned(),
        ))
    }

    fn proposal(&self, current: Option<&Generation>, said: Option<&[Said]>) -> Proposal {
        propose(
            current,
            said,
            &self.holds(),
            Entry {
                shadow_first: self.settings.shadow_first,
                ask_for_more: self.settings.ask_for_more,
            },
        )
    }

    /// The folder's files, as a proposal sees them.
    pub(super) fn holds(&self) -> BTreeMap<&str, (Option<Said>, Holding<'_>)> {
        self.files
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
            .collect()
    }

    /// Good files whose id is taken, and those whose id is free now.
    fn clash(&mut self, proposal: &Proposal) {
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
    }

    pub(super) fn show_refused(&self) {
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
        if !self.is_heard {
            // The ledger was away when the folder spoke: what passed is proposed with the next look, and has to stay what it is until then.
            return Ok(());
        }
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

    /// What the newest generation says serves here, if it can be loaded.
    pub(super) fn load_newest(&mut self) -> Result<(), LedgerError> {
        let newest = self.ledger.newest()?;
        let serves = self.shared.current.load().set.generation();
        let is_behind = self.behind().is_some();
        if self.has_begun && !is_behind && newest == serves {
            return Ok(());
        }
        self.load_generation()
    }

    fn load_generation(&mut self) -> Result<(), LedgerError> {
        let Some(generation) = self.ledger.history(1)?.into_iter().next() else {
            if !self.has_begun {
                self.swap(Serving::nothing(&self.engine));
            }
            return Ok(());
        };
        let mut plugins = BTreeMap::new();
        let mut unloaded = BTreeMap::new();
        for member in &generation.members {
            let key = Key::of(member);
            let plugin = match self.at_hand(&key, member) {
                Some(plugin) => plugin,
                None => match self.load_kept(member) {
                    Ok(plugin) => plugin,
                    Err(NotLoaded::Ledger(error)) => return Err(error),
                    // It writes nothing, so no deal has to wait for it.
                    Err(NotLoaded::Refused(why)) if member.detail.mode == Mode::Shadow => {
                        let why = why.to_string();
                        self.do_without(member, &key, &why);
                        unloaded.insert(key, why);
                        continue;
                    }
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
        self.unloaded = unloaded;
        self.catch_up();
        self.swap(serving);
        Ok(())
    }

    /// What was in the way of a shadow may be gone: a signature has come, say.
    pub(super) fn try_shadows_again(&mut self) -> Result<(), LedgerError> {
        if self.unloaded.is_empty() || self.behind().is_some() {
            return Ok(());
        }
        let serving = self.shared.current.load_full();
        let members = serving.generation.iter().flat_map(|one| &one.members);
        let mut is_any = false;
        for member in members {
            let key = Key::of(member);
            if self.unloaded.contains_key(&key)
                && let Ok(plugin) = self.load_kept(member)
            {
                self.loaded.insert(key, plugin);
                is_any = true;
            }
        }
        if is_any {
            self.load_generation()?;
        }
        Ok(())
    }

    /// Told once, and not in the journal: where a host is to be mended is that host's own affair.
    fn do_without(&self, member: &Member, key: &Key, why: &str) {
        if self.unloaded.get(key).is_some_and(|told| told == why) {
            return;
        }
        let (file, plugin, version) = (&member.file, &member.detail.plugin, &member.detail.version);
        let message = format!(
            "{file}: plugin \"{plugin}\" {version}, a shadow, cannot be loaded here and is not judged by this host: {why}"
        );
        self.announce(&[PluginEvent::of(member, What::Refused, message)]);
    }

    /// Loaded already: it serves, or has just passed.
    pub(super) fn at_hand(&self, key: &Key, member: &Member) -> Option<Kept> {
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
        // Who is not vouched for says by itself what to do.
        let remedy = match why.kind {
            RejectionKind::Unsigned => "",
            _ => {
                ": install the cosell that the others run, or go back with `cosell plugin rollback`"
            }
        };
        let message = format!(
            "{}; this host takes up no deal until it can{remedy}",
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
