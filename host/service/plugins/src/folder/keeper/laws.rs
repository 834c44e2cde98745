//! Whether what is new keeps the laws of the contract: alone, and together with all that would serve.

use super::*;
use crate::folder::propose::retiring;
use crate::folder::served::NotLoaded;
use crate::self_test::{alone, together};

impl Keeper {
    /// The file by itself. Some: it does not keep a law, and its operator file lets it in all the same.
    pub(super) fn self_test(
        &self,
        plugin: &Arc<Plugin>,
        operator: &Operator,
    ) -> Result<Option<Rejection>, Rejection> {
        if !self.settings.self_test {
            return Ok(None);
        }
        match (alone(plugin), operator.laws) {
            (Ok(()), _) => Ok(None),
            (Err(why), Laws::Warn) => Ok(Some(why)),
            (Err(why), Laws::Refuse) => Err(why),
        }
    }

    /// What passed alone since the last look, with what serves and with each other. What this look takes away is no company for what it brings.
    pub(super) fn judge_together(&mut self, said: &[Said]) -> Result<(), LedgerError> {
        let new: Vec<Arc<Plugin>> = self
            .files
            .values()
            .filter_map(|held| match &held.state {
                State::Good(version) if !version.is_judged => Some(Arc::clone(&version.plugin.0)),
                _ => None,
            })
            .collect();
        if new.is_empty() || !self.settings.self_test {
            return Ok(());
        }
        let serving = self.plugins_that_stay(said)?;
        for (file, why) in together(&self.engine, &serving, &new) {
            self.refuse(&file, why)?;
        }
        for held in self.files.values_mut() {
            if let State::Good(version) = &mut held.state {
                version.is_judged = true;
            }
        }
        Ok(())
    }

    /// Two files that only go together may come one after the other: what contradicted the others is tried again with whatever is new.
    pub(super) fn try_contradictions_again(&mut self) {
        for held in self.files.values_mut() {
            let is_one = matches!(&held.state, State::Refused(why) if why.phase == Phase::Set && why.kind == RejectionKind::Law);
            if is_one {
                held.print = None;
                held.content = None;
            }
        }
    }

    /// Those of the newest generation, without those that retire; one that cannot be loaded here is told elsewhere, and left out.
    fn plugins_that_stay(&mut self, said: &[Said]) -> Result<Vec<Arc<Plugin>>, LedgerError> {
        let retiring: BTreeSet<String> = retiring(said, &self.holds())
            .into_iter()
            .map(|(file, _)| file.to_owned())
            .collect();
        let mut serving = Vec::new();
        for member in self.newest_members()?.unwrap_or_default() {
            if member.is_candidate() || retiring.contains(&member.file) {
                continue;
            }
            let key = Key::of(&member);
            let plugin = match self.at_hand(&key, &member) {
                Some(plugin) => plugin,
                None => match self.load_kept(&member) {
                    Ok(plugin) => plugin,
                    Err(NotLoaded::Ledger(error)) => return Err(error),
                    Err(NotLoaded::Refused(_)) => continue,
                },
            };
            serving.push(Arc::clone(&plugin.0));
            // It is about to be followed.
            self.loaded.insert(key, plugin);
        }
        Ok(serving)
    }
}
