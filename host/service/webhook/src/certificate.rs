//! The certificate behind a Partner Center signature. Where it lies is said by the caller, so the location is attacker input until
//! the last check here has passed.
//!
//! location (is this url one we would ever fetch?) → fetch (bounded, no redirects, no internal addresses) → chain (pinned roots, time,
//! issuer, name, key) → shelf (kept until it expires, one fetch at a time).

mod chain;
mod fetch;
mod location;
mod shelf;

pub(crate) use chain::Trust;
pub(crate) use fetch::Fetcher;
pub(crate) use location::Location;
pub use location::{HostRule, HostRuleError};
pub(crate) use shelf::Shelf;

use crate::refusal::{Reason, Refusal};

/// A certificate that cannot be used, and why. Clone, because everybody who waited for the same fetch hears the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{}", .reason.message(), .detail.as_deref().map(|detail| format!(": {detail}")).unwrap_or_default())]
pub(crate) struct Fault {
    pub(crate) reason: Reason,
    /// For the log.
    pub(crate) detail: Option<String>,
}

impl Fault {
    pub(crate) fn told(reason: Reason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: Some(detail.into()),
        }
    }
}

impl From<Reason> for Fault {
    fn from(reason: Reason) -> Self {
        Self {
            reason,
            detail: None,
        }
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self {
            reason: fault.reason,
            retry_after_s: None,
            detail: fault.detail,
        }
    }
}
