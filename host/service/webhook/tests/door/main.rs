//! The door from outside: real HTTP, real TLS, real certificates, and everybody who should not come in.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set its world up has failed; clippy spares #[test] functions only, not their helpers"
)]

mod authority;
mod certificate_host;
mod certificates;
mod dataverse;
mod partner_center;
mod patience;
mod server;
mod signature;
mod world;
