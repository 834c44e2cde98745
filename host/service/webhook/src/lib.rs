//! The door: an unverified request becomes a verified bell.
//!
//! It knows HTTP, signatures and secrets. It does not know what a referral or an opportunity is: a bell names a record, and whoever
//! stands behind [`Accept`] decides whether that record is of interest. Nothing of a body but names and ids goes further (a bell is not a letter).
//!
//! The order is the protection: method, declared size, headers, body, proof, and only then JSON. Partner Center proves itself by a signature over the raw
//! bytes, Dataverse by a shared secret in a header, so that an unproven caller of the latter is refused before its body is read.
//!
//! * [`router`] gives the routes, [`Door`] what stands behind them, [`serve`] a server with time limits.
//! * [`Counters`] is what `status` shows; refusals are logged once per reason and pause, so that nobody can fill the disk from outside.
#![forbid(unsafe_code)]

mod bell;
mod caller;
mod door;
mod serve;

mod certificate;
mod count;
mod crowd;
mod dataverse;
mod event;
mod partner_center;
mod refusal;

#[cfg(test)]
mod hostile;

pub use bell::{Accept, AcceptError, AcceptOutcome, Source, VerifiedBell};
pub use caller::Caller;
pub use certificate::{HostRule, HostRuleError};
pub use count::{Counters, Tally};
pub use dataverse::{DataverseSettings, SECRET_HEADER, SECRET_LENGTH_MIN};
pub use door::{
    ConnectionSettings, DATAVERSE_PATH, Door, DoorError, DoorLimits, PARTNER_CENTER_PATH, router,
};
pub use partner_center::{
    CERTIFICATE_HOSTS, CERTIFICATE_SUBJECT, ORGANIZATION, PartnerCenterSettings, WATCHED_EVENTS,
};
pub use refusal::Reason;
pub use serve::{ServerLimits, serve};
