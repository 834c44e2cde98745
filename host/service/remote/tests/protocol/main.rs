//! The clients against small fakes on loopback: what goes over the wire, and what every answer means.
#![allow(
    clippy::unwrap_used,
    reason = "clippy knows test functions, but not the helpers of an integration test"
)]

mod auth;
mod carrier;
mod dataverse;
mod fake;
mod federated;
mod lists_of_referrals;
mod organisation;
mod partner_center;
mod strangers;
mod tls;
