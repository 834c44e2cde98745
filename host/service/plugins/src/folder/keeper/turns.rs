//! The keeper's loop: what it begins with, what wakes it, and that nothing ends it but the folder's own end.

use std::io;
use std::sync::mpsc;

use super::*;
use crate::folder::FolderError;
use crate::folder::scan::scan;

/// A file that keeps changing for so many settle periods does not hold up the others any longer.
const SETTLE_ROUNDS_MAX: usize = 20;

impl Keeper {
    /// What the ledger says serves first, and its folder is looked at behind it: a file that takes long to refuse delays no deal. Where the ledger
    /// says nothing, what serves is what lies in the folder, and is waited for.
    pub(in crate::folder) fn begin(&mut self) -> Result<(), FolderError> {
        let found = scan(&self.dir).map_err(|source| FolderError::Unreadable {
            path: self.dir.clone(),
            source,
        })?;
        if self.ledger.newest().map_err(FolderError::Ledger)? > 0 {
            return self.load_newest().map_err(FolderError::Ledger);
        }
        self.first_look(&found).map_err(FolderError::Ledger)
    }

    /// Tries what is there without waiting: at the start nobody is copying, and whoever is rings again.
    fn first_look(&mut self, found: &Scan) -> Result<(), LedgerError> {
        self.has_looked = true;
        self.look(found, &BTreeSet::new())?;
        // Their files went while nobody looked.
        for file in rejected::left_behind(&self.dir, |file| found.contains_key(file)) {
            rejected::remove(&self.dir, &file);
            self.refused_no_more(&file, "is gone");
        }
        Ok(())
    }

    pub(in crate::folder) fn keep(&mut self, woken: &mpsc::Receiver<Wake>) {
        if !self.has_looked
            && let Err(words) = caught(|| self.look_for_the_first_time())
        {
            failed(&words);
        }
        loop {
            let mut waiting = Vec::new();
            match caught(|| self.turn(woken, &mut waiting)) {
                Ok(true) => {}
                Ok(false) => return,
                // What it was about is looked at anew with the next wake-up.
                Err(words) => failed(&words),
            }
            for done in waiting {
                // Whoever asked may have gone.
                let _ = done.send(());
            }
        }
    }

    fn look_for_the_first_time(&mut self) {
        match scan(&self.dir) {
            Ok(found) => {
                let looked = self.first_look(&found);
                self.say_if_lost(looked);
            }
            Err(error) => self.say_unreadable(&error),
        }
    }

    /// Waits for what wakes it, and does what follows. False: stop.
    fn turn(
        &mut self,
        woken: &mpsc::Receiver<Wake>,
        waiting: &mut Vec<oneshot::Sender<()>>,
    ) -> bool {
        // From the last look, and not from whatever woke it last: a host asks for what serves every two seconds.
        let until = self.looked + self.settings.rescan;
        let is_to_look = match woken.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(Wake::Stop) | Err(mpsc::RecvTimeoutError::Disconnected) => return false,
            Ok(Wake::Reload(done)) => {
                waiting.push(done);
                true
            }
            Ok(Wake::Follow) => {
                let followed = self.follow();
                self.say_if_lost(followed);
                false
            }
            Ok(Wake::Concern(concern)) => {
                self.hear(concern);
                false
            }
            Ok(Wake::Changed) | Err(mpsc::RecvTimeoutError::Timeout) => true,
        };
        if is_to_look {
            self.looked = Instant::now();
            match self.settled(woken, waiting) {
                Ok(Some((found, moving))) => {
                    let looked = self.look(&found, &moving);
                    self.say_if_lost(looked);
                }
                Ok(None) => return false,
                Err(error) => self.say_unreadable(&error),
            }
        }
        self.roll_back();
        for plugin in self.loaded.values() {
            plugin.0.guest.drop_old();
        }
        true
    }

    /// The folder is away for a moment (a mount, a redeployment): what serves goes on serving.
    fn say_unreadable(&self, error: &io::Error) {
        tracing::warn!(dir = %self.dir.display(), why = %error, "the plugin folder cannot be read; the set stays as it is");
    }

    /// What serves goes on serving while nobody can be asked.
    pub(super) fn say_if_lost(&self, done: Result<(), LedgerError>) {
        if let Err(error) = done {
            tracing::warn!(why = %error, "it is not known which plugins should serve; the set stays as it is, and is asked for again");
        }
    }

    /// Waits until what is new stands still. None: stop.
    fn settled(
        &mut self,
        woken: &mpsc::Receiver<Wake>,
        waiting: &mut Vec<oneshot::Sender<()>>,
    ) -> io::Result<Option<(Scan, BTreeSet<String>)>> {
        // A hundred files that are copied ring a hundred times and more: one look is for all of them.
        loop {
            match woken.try_recv() {
                Ok(Wake::Stop) | Err(mpsc::TryRecvError::Disconnected) => return Ok(None),
                Ok(Wake::Reload(done)) => waiting.push(done),
                Ok(Wake::Concern(concern)) => self.hear(concern),
                Ok(Wake::Changed | Wake::Follow) => {}
                Err(mpsc::TryRecvError::Empty) => break,
            }
        }
        let mut before = scan(&self.dir)?;
        if self.knows(&before) {
            return Ok(Some((before, BTreeSet::new())));
        }
        for round in 0.. {
            let until = Instant::now() + self.settings.settle;
            loop {
                match woken.recv_timeout(until.saturating_duration_since(Instant::now())) {
                    Ok(Wake::Stop) | Err(mpsc::RecvTimeoutError::Disconnected) => return Ok(None),
                    Ok(Wake::Reload(done)) => waiting.push(done),
                    Ok(Wake::Concern(concern)) => self.hear(concern),
                    Ok(Wake::Changed | Wake::Follow) => {}
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
}

fn failed(words: &str) {
    tracing::error!(why = %words, "the keeper of the plugin folder itself failed, and goes on: the set stays as it is; this is a bug, please report it");
}
