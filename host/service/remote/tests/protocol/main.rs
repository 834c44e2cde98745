//! The clients against small fakes on loopback: what goes over the wire, and what every answer means.

mod auth;
mod dataverse;
mod fake;
mod organisation;
mod partner_center;
