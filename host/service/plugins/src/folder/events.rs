//! What happens to files, told once.

use cosell_sync::deal::Timestamp;

use crate::generation::Member;
use crate::plugin::Plugin;
use crate::rejection::Rejection;

/// A transition of one file, or of the whole set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginEvent {
    /// When.
    pub at: Timestamp,
    /// Name in the folder; empty for [`What::Swapped`].
    pub file: String,
    /// The plugin's id, if known.
    pub id: Option<String>,
    /// Its version, if known.
    pub version: Option<String>,
    /// SHA-256 of the component, hex, or of the set for [`What::Swapped`].
    pub hash: Option<String>,
    /// Which transition.
    pub what: What,
    /// One sentence for people.
    pub message: String,
}

/// The transitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Passed every check; it serves with the next swap.
    Loaded,
    /// The file got worse; the version before it goes on serving.
    Kept,
    /// It failed over one deal after the other: the set from before its file came serves again, and these bytes are quarantined.
    RolledBack,
    /// It fails over one deal after the other, and there is nothing better: it stays, and deals that need it are parked.
    Failing,
    /// Its calls come near their limit; it goes on serving.
    Slow,
    /// They do not any more.
    InTime,
    /// Not put into service; `NAME.rejected.json` says why.
    Refused,
    /// The file is gone or switched off.
    Retired,
    /// It passed every check and does not serve: it is judged, or tried on some deals.
    Candidate,
    /// A version that was judged or tried serves from now on.
    Promoted,
    /// A person has taken its bytes out.
    Quarantined,
    /// What serves by the store cannot be loaded here: this host takes up no deal.
    Behind,
    /// A quarantined version may come back.
    Released,
    /// Another set is in service.
    Swapped {
        /// Of the new set.
        generation: u64,
    },
}

impl What {
    /// The spelling in journals and `--json`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Loaded => "loaded",
            Self::Kept => "kept",
            Self::RolledBack => "rolled-back",
            Self::Failing => "failing",
            Self::Slow => "slow",
            Self::InTime => "in-time",
            Self::Refused => "refused",
            Self::Retired => "retired",
            Self::Candidate => "candidate",
            Self::Promoted => "promoted",
            Self::Quarantined => "quarantined",
            Self::Behind => "behind",
            Self::Released => "released",
            Self::Swapped { .. } => "swapped",
        }
    }
}

impl PluginEvent {
    pub(super) fn about(plugin: &Plugin, what: What, message: String) -> Self {
        Self {
            at: Timestamp::now(),
            file: plugin.file.clone(),
            id: Some(plugin.id().to_owned()),
            version: Some(plugin.speaker.version.clone()),
            hash: Some(plugin.sha256.clone()),
            what,
            message,
        }
    }

    pub(super) fn refused(rejection: &Rejection) -> Self {
        Self {
            at: Timestamp::now(),
            file: rejection.file.clone(),
            id: rejection.plugin.clone(),
            version: None,
            hash: rejection.hash.clone(),
            what: What::Refused,
            message: format!("{} is refused: {rejection}", rejection.file),
        }
    }

    pub(super) fn of(member: &Member, what: What, message: String) -> Self {
        Self {
            at: Timestamp::now(),
            file: member.file.clone(),
            id: Some(member.detail.plugin.clone()),
            version: Some(member.detail.version.clone()),
            hash: Some(member.sha256.clone()),
            what,
            message,
        }
    }

    pub(super) fn nameless(file: &str, what: What, message: String) -> Self {
        Self {
            at: Timestamp::now(),
            file: file.to_owned(),
            id: None,
            version: None,
            hash: None,
            what,
            message,
        }
    }

    /// One line in the log, however many listen.
    pub(super) fn log(&self) {
        let (file, what) = (self.file.as_str(), self.what.as_str());
        let (plugin, version) = (self.id.as_deref(), self.version.as_deref());
        let hash = self.hash.as_deref();
        match self.what {
            What::RolledBack | What::Failing | What::Behind => {
                tracing::error!(file, what, plugin, version, hash, "{}", self.message)
            }
            What::Refused | What::Kept | What::Slow => {
                tracing::warn!(file, what, plugin, version, hash, "{}", self.message)
            }
            What::Loaded
            | What::Candidate
            | What::Promoted
            | What::InTime
            | What::Quarantined
            | What::Released
            | What::Retired
            | What::Swapped { .. } => {
                tracing::info!(file, what, plugin, version, hash, "{}", self.message)
            }
        }
    }
}
