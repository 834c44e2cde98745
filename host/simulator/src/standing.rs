//! How an account stands with a service, and how a record answers that cannot be seen any more.

use serde::{Deserialize, Serialize};

/// The role of a user at Partner Center. (partner-center 1.2)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Sees and changes every referral of the organisation.
    #[default]
    ReferralsAdmin,
    /// Reads the referrals whose team names the user's mail; the others are silently missing. Changes none.
    ReferralsUser,
    /// Every call is refused with 403.
    None,
}

/// The state of the host's application user in the CRM. (dataverse 1.2)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CrmAccount {
    /// As it should be.
    #[default]
    Enabled,
    /// Every call is refused with 403 `0x80040225`.
    Disabled,
    /// Every call is refused with 403 `0x80042f09`.
    WithoutRole,
}

/// How a hidden record answers to the address that still names it. Lists leave it out either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hidden {
    /// 404: as if there were none.
    #[default]
    NotFound,
    /// 403: there is one, and it is none of your business.
    Forbidden,
}
