//! How the host is doing: numbers for Prometheus, and alerts when something changes for the worse or the better.
//!
//! [`vitals`] looks once; [`metrics`] and [`alerts`] tell what was seen. Nothing here decides about deals.

pub(crate) mod alerts;
mod mail;
pub(crate) mod metrics;
mod rests;
pub(crate) mod vitals;
