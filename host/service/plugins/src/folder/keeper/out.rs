//! What does not serve any more: versions that fail are rolled back, and their bytes stay out until a person lets them in.

use super::*;
use crate::generation::without_version;
use crate::health::PROVEN_ANSWERS;

/// What ends a quarantine.
const UNTIL: &str = "see what it failed over with `cosell plugin replay DEAL` (where recordings are on), mend it and drop the new file over it: these very bytes are not taken again, unless a person releases them (`cosell plugin quarantine --release`, or removes this .rejected.json)";
/// A version that has been in the set for so long has proven itself, whatever this process has seen of it.
const YOUNG_MS: i64 = 24 * 60 * 60 * 1_000;
/// Generations that are looked through for a better version.
const HISTORY: usize = 50;

impl Keeper {
    /// Whether these very bytes were taken out of service: by the ledger, or, where that has never heard of them, by what lies beside the file.
    pub(super) fn quarantined(&mut self, file: &str) -> Result<Option<Rejection>, LedgerError> {
        let Some(content) = self.content(file) else {
            return Ok(None);
        };
        let known = self.ledger.quarantines()?;
        let known = known.into_iter().find(|one| one.sha256 == content.sha256);
        let out = match known {
            Some(released) if released.is_released => {
                rejected::remove(&self.dir, file);
                return Ok(None);
            }
            Some(out) => out,
            None => {
                let beside = rejected::quarantine(&self.dir, file, &content.sha256);
                let Some((plugin, why)) = beside else {
                    return Ok(None);
                };
                let out = Quarantine {
                    sha256: content.sha256,
                    file: file.to_owned(),
                    plugin,
                    why,
                    is_released: false,
                };
                self.ledger.quarantine(out.clone())?;
                out
            }
        };
        Ok(Some(verdict(file, out)))
    }

    /// People quarantine and release elsewhere, and by taking away what lies beside a file.
    pub(super) fn judge_quarantines(&mut self) -> Result<(), LedgerError> {
        let out = self.ledger.quarantines()?;
        let out_now = |sha256: &str| {
            out.iter()
                .find(|one| !one.is_released && one.sha256 == sha256)
        };
        let mut caught = Vec::new();
        let mut freed = Vec::new();
        for (file, held) in &self.files {
            if matches!(held.state, State::Off) {
                continue;
            }
            let Some(sha256) = held.content.as_ref().map(|(digest, _)| hex::encode(digest)) else {
                continue;
            };
            let is_out = matches!(&held.state, State::Refused(why) if why.kind == RejectionKind::Quarantined);
            match (is_out, out_now(&sha256)) {
                (false, Some(why)) => caught.push((file.clone(), verdict(file, why.clone()))),
                (true, None) => freed.push((file.clone(), None)),
                (true, Some(_)) if held.is_told && !rejected::path(&self.dir, file).exists() => {
                    freed.push((file.clone(), Some(sha256)));
                }
                _ => {}
            }
        }
        for (file, rejection) in caught {
            self.refuse(&file, rejection)?;
        }
        for (file, by_hand) in freed {
            // A person has taken the verdict away: the bytes get another chance.
            if let Some(sha256) = by_hand {
                self.ledger.release(&sha256)?;
                let message = format!(
                    "{file}: its verdict was taken away, so the same bytes are tried again"
                );
                self.tell(&[PluginEvent::nameless(&file, What::Released, message)]);
            }
            let held = self.held(&file);
            held.content = None;
            held.print = None;
            held.is_told = false;
        }
        Ok(())
    }

    /// What fails is seen to when the keeper is done with what woke it; what is slow is told.
    pub(super) fn hear(&mut self, concern: Concern) {
        let (file, sha256, slow) = match concern {
            Concern::Failing(failing) => return self.failing.push(failing),
            Concern::Pace { file, sha256, slow } => (file, sha256, slow),
        };
        let serving = self.shared.current.load_full();
        let members = serving.generation.iter().flat_map(|one| &one.members);
        let mut members = members.filter(|one| one.file == file && one.sha256 == sha256);
        // Told of a version that has been replaced meanwhile.
        let Some(member) = members.next() else { return };
        let (id, version) = (&member.detail.plugin, &member.detail.version);
        let event = match slow {
            Some(slow) => {
                let message = format!(
                    "{file}: plugin \"{id}\" {version} is slow: of its last calls one in twenty worked {} ms or longer, and {} ms is where it is cut off; ask its author, or raise `call_ms` under [limits] in its operator file",
                    slow.p95_ms, slow.limit_ms
                );
                PluginEvent::of(member, What::Slow, message)
            }
            None => {
                let message = format!("{file}: plugin \"{id}\" {version} is not slow any more");
                PluginEvent::of(member, What::InTime, message)
            }
        };
        self.tell(&[event]);
    }

    /// The plugin fails over one deal after the other. A version that is young goes, what served before it serves again, and its bytes are
    /// quarantined. One that has proven itself, or before which nothing is known, stays: without it deals would be mapped otherwise than their owner
    /// wants, and with it they are parked and say why.
    ///
    /// A plugin that fails is told once, so what cannot be done about it now is done with the next wake-up.
    pub(super) fn roll_back(&mut self) {
        for failing in std::mem::take(&mut self.failing) {
            let done = (0..OVERTAKEN_MAX)
                .map(|_| self.try_roll_back(&failing))
                .find(|tried| !matches!(tried, Ok(false)));
            match done {
                Some(Ok(_)) => {
                    let followed = self.follow();
                    self.say_if_lost(followed);
                }
                Some(Err(error)) => {
                    self.failing.push(failing);
                    self.say_if_lost(Err(error));
                }
                None => self.failing.push(failing),
            }
        }
    }

    /// False: another generation came in between.
    fn try_roll_back(&mut self, failing: &Failing) -> Result<bool, LedgerError> {
        let Failing {
            file,
            sha256,
            operator,
            question,
            faults,
            deals,
            answers,
            last,
        } = failing;
        let history = self.ledger.history(HISTORY)?;
        let is_it =
            |one: &&Member| one.file == *file && one.sha256 == *sha256 && one.operator == *operator;
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
            Some(before) if before.sha256 == *sha256 => {
                "it serves again with the operator file from before".to_owned()
            }
            Some(before) => format!("version {} serves again", before.detail.version),
            None if out.is_candidate() => "what serves goes on serving all deals".to_owned(),
            None => "the set from before it came serves again".to_owned(),
        };
        let message = format!(
            "{file}: plugin \"{id}\" {version} is taken out of service: {story}; {instead}"
        );
        let event = PluginEvent::of(out, What::RolledBack, message.clone());
        // Bytes that go on serving under another operator file are not what was wrong.
        let serve_on = members.iter().any(|one| one.sha256 == *sha256);
        let step = Step {
            base: newest.map_or(0, |newest| newest.number),
            members,
            by: self.ledger.name().to_owned(),
            note: message,
            quarantine: (!serve_on).then(|| Quarantine {
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

fn verdict(file: &str, out: Quarantine) -> Rejection {
    Rejection {
        file: file.to_owned(),
        plugin: Some(out.plugin),
        hash: Some(out.sha256),
        ..Rejection::new(Phase::Service, RejectionKind::Quarantined, out.why).with_hint(UNTIL)
    }
}
