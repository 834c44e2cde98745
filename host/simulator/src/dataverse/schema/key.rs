//! Alternate keys, and how far the index behind one has come. (dataverse 2.5)

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Name;

/// The platform builds a key's index in the background: for a moment it waits, for a while it is built.
const WAITS: SignedDuration = SignedDuration::from_secs(1);
const IS_READY_AFTER: SignedDuration = SignedDuration::from_secs(3);

/// An alternate key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct AlternateKey {
    pub(crate) schema_name: String,
    pub(crate) columns: Vec<Name>,
    /// What people read, when it is not the schema name.
    pub(crate) display: Option<String>,
    /// When its index was ordered; none for a key that was always there.
    pub(crate) ordered: Option<Timestamp>,
    /// There were duplicates when the index was ordered.
    pub(crate) failed: bool,
}

/// `EntityKeyIndexStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyStatus {
    Pending,
    InProgress,
    Active,
    Failed,
}

impl KeyStatus {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::InProgress => "InProgress",
            Self::Active => "Active",
            Self::Failed => "Failed",
        }
    }
}

impl AlternateKey {
    /// A key of the configuration: it has always been active.
    pub(super) fn standing(columns: Vec<Name>) -> Self {
        Self {
            schema_name: format!("{}_key", columns.join("_")),
            columns,
            display: None,
            ordered: None,
            failed: false,
        }
    }

    pub(crate) fn logical_name(&self) -> String {
        self.schema_name.to_lowercase()
    }

    /// What people read in the message of a violation.
    pub(crate) fn display(&self) -> &str {
        self.display.as_deref().unwrap_or(&self.schema_name)
    }

    pub(crate) fn status(&self, now: Timestamp) -> KeyStatus {
        let Some(ordered) = self.ordered else {
            return KeyStatus::Active;
        };
        let age = now.duration_since(ordered);
        match age {
            _ if age < WAITS => KeyStatus::Pending,
            _ if age < IS_READY_AFTER => KeyStatus::InProgress,
            _ if self.failed => KeyStatus::Failed,
            _ => KeyStatus::Active,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_waits_is_built_and_then_active_or_failed() {
        let mut key = AlternateKey::standing(vec!["a".into()]);
        let at = |seconds: i64| Timestamp::from_second(1_000 + seconds).unwrap();
        assert_eq!(key.status(at(0)), KeyStatus::Active);
        key.ordered = Some(at(0));
        assert_eq!(key.status(at(0)), KeyStatus::Pending);
        assert_eq!(key.status(at(2)), KeyStatus::InProgress);
        assert_eq!(key.status(at(3)), KeyStatus::Active);
        key.failed = true;
        assert_eq!(key.status(at(3)), KeyStatus::Failed);
    }
}
