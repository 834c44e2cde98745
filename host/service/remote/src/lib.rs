//! Clients for Entra, Partner Center and Dataverse.
//!
//! All wire names of the two vendors live here and nowhere else. No mapped CRM column does: which columns hold a deal is the business of
//! plugins, and everything else about a column comes from the CRM's own metadata.
//!
//! Nothing here retries: a call is made once (twice after a 401, with a fresh token), and its [`Class`] tells the worker what comes next.
#![forbid(unsafe_code)]

pub mod auth;
pub mod dataverse;
mod error;
mod http;
mod json;
mod meter;
pub mod notice;
pub mod partner_center;

#[cfg(test)]
mod hostile;

pub use crate::auth::{Credential, Tokens};
pub use crate::dataverse::Dataverse;
pub use crate::error::{About, Class, RemoteError, Service};
pub use crate::http::{Broken, Carrier, Cause, Endpoint, Http, HttpSettings, Parcel, SetupError};
pub use crate::json::Body;
pub use crate::meter::{Meter, Permit, Tally};
pub use crate::partner_center::PartnerCenter;
