//! The organisation as it is written down and read again.

use std::sync::PoisonError;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Dataverse;
use super::store::SavedDb;
use crate::standing::CrmAccount;

/// Everything of the CRM.
#[derive(Serialize, Deserialize)]
pub(crate) struct SavedDataverse {
    organization: Uuid,
    account: CrmAccount,
    db: SavedDb,
}

impl Dataverse {
    pub(crate) fn saved(&self) -> SavedDataverse {
        SavedDataverse {
            organization: self.organization(),
            account: *self.account.lock().unwrap_or_else(PoisonError::into_inner),
            db: self.db().saved(),
        }
    }

    pub(crate) fn restore(&self, saved: SavedDataverse) {
        let organization = self.organization.lock();
        *organization.unwrap_or_else(PoisonError::into_inner) = saved.organization;
        self.set_account(saved.account);
        self.db().restore(saved.db);
    }
}
