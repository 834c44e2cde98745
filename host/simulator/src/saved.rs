//! A whole world in one file, and back.
//!
//! What is under way is not in it: webhooks that wait for their next attempt, injected faults, open connections. A world that ran by real time
//! goes on by real time; the time that it was put forward or back by is kept.

use serde::{Deserialize, Serialize};

use crate::clock::Reading;
use crate::config::SimulatorConfig;
use crate::dataverse::SavedDataverse;
use crate::entra;
use crate::ledger::Pages;
use crate::referrals::SavedReferrals;
use crate::referrals::registration;
use crate::signing::{SavedIdentity, SavedSigner};
use crate::world::World;

/// What the file says first, so that another file is told from one of ours.
const FORMAT: &str = "cosell-simulator world 2";

/// Why a file is not taken.
#[derive(Debug, thiserror::Error)]
pub enum SavedError {
    /// It is no file of ours, or a broken one.
    #[error("this is no saved world that can be read")]
    Unreadable {
        /// Where it ends to make sense.
        source: serde_json::Error,
    },
    /// It was written by another version.
    #[error("the file says that it is '{found}', and '{FORMAT}' is what can be read here")]
    Format {
        /// What it says that it is.
        found: String,
    },
    /// The running world has other organisations, apps and secrets than the saved one.
    #[error(
        "the saved world began with seed {saved} and {organizations} organisations, this one with seed {running}: start a simulator from the file instead"
    )]
    Stranger {
        /// Seed of the file.
        saved: u64,
        /// Organisations of the file.
        organizations: usize,
        /// Seed of the running world.
        running: u64,
    },
}

/// Everything that a world holds.
#[derive(Serialize, Deserialize)]
pub(crate) struct SavedWorld {
    format: String,
    pub(crate) config: SimulatorConfig,
    pub(crate) signer: SavedSigner,
    /// Of the listeners; none of a world that has none.
    pub(crate) identity: Option<SavedIdentity>,
    clock: Reading,
    entra: entra::Books,
    referrals: SavedReferrals,
    registrations: registration::Saved,
    dataverse: SavedDataverse,
    ledger: Pages,
}

impl SavedWorld {
    /// Reads a file.
    pub(crate) fn read(file: &[u8]) -> Result<Self, SavedError> {
        // The first word is looked at by itself: of another version nothing else may fit.
        #[derive(Deserialize)]
        struct First {
            format: String,
        }
        let unreadable = |source| SavedError::Unreadable { source };
        let First { format } = serde_json::from_slice(file).map_err(unreadable)?;
        if format != FORMAT {
            return Err(SavedError::Format { found: format });
        }
        serde_json::from_slice(file).map_err(unreadable)
    }
}

impl World {
    /// Everything that is final, as JSON.
    pub(crate) fn save(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&SavedWorld {
            format: FORMAT.to_owned(),
            config: self.config.clone(),
            signer: self.signer.saved(),
            identity: self.identity.clone(),
            clock: self.clock.reading(),
            entra: self.entra.books().clone(),
            referrals: self.referrals.saved(),
            registrations: self.registrations.saved(),
            dataverse: self.dataverse.saved(),
            ledger: self.ledger.pages(),
        })
    }

    /// Becomes the saved world, as far as it is the same one: keys and addresses stay those of this one.
    pub(crate) fn load(&self, saved: SavedWorld) -> Result<(), SavedError> {
        let (theirs, ours) = (&saved.config, &self.config);
        if theirs.seed != ours.seed || theirs.organizations != ours.organizations {
            return Err(SavedError::Stranger {
                saved: theirs.seed,
                organizations: theirs.organizations.len().max(1),
                running: ours.seed,
            });
        }
        self.clock.read(saved.clock);
        *self.entra.books() = saved.entra;
        self.registrations.restore(saved.registrations);
        self.dataverse.restore(saved.dataverse);
        self.ledger.restore(saved.ledger);
        self.referrals.restore(saved.referrals);
        Ok(())
    }
}
