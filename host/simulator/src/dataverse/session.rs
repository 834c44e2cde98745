//! Who asks, when, and in which change set.

use std::collections::BTreeMap;

use jiff::Timestamp;
use uuid::Uuid;

use crate::assumptions::Readings;

/// One request's circumstances.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// systemuserid of the caller, or of the user it acts for.
    pub(crate) user: Uuid,
    /// systemuserid of the app when it acts for a user.
    pub(crate) behalf: Option<Uuid>,
    pub(crate) client_id: String,
    pub(crate) now: Timestamp,
    pub(crate) origin: String,
    /// Rows made earlier in the same change set, by Content-ID.
    pub(crate) content_ids: BTreeMap<String, String>,
    pub(crate) organization: Uuid,
    pub(crate) business_unit: Uuid,
    pub(crate) assumptions: Readings,
}

impl Session {
    /// A person at the keyboard: control acts for one, no app called.
    pub(crate) fn is_person(&self) -> bool {
        self.client_id.is_empty()
    }
}
