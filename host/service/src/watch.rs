//! How the host is doing: numbers for Prometheus, and alerts when something changes for the worse or the better.
//!
//! [`vitals`] looks once; [`metrics`] and [`telling`] tell what was seen, `alerts` says what of it is wrong. Nothing here decides about deals.

pub(crate) mod alerts;
mod mail;
pub(crate) mod metrics;
mod rests;
mod telling;
pub(crate) mod vitals;
