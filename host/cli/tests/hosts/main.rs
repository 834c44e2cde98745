//! `cosell run` as processes: what is promised when they end, freeze, share a database or lose it.
#![allow(clippy::unwrap_used, reason = "helpers of tests, too")]
#![allow(missing_docs, reason = "tests are read by their names")]

mod alerts;
mod crashes;
mod endings;
mod many;
mod one;
mod room;
mod secrets;
mod stores;
mod traces;

use std::path::Path;

use cosell_local_postgres::{LocalPostgres, Wanted};
use cosell_tests::fleet::Order;

type Told = anyhow::Result<()>;

/// The binary under test, one host, a file.
fn order() -> Order<'static> {
    Order::of(Path::new(env!("CARGO_BIN_EXE_cosell")))
}

/// A database server of the test's own, and the address in it.
fn database() -> anyhow::Result<(LocalPostgres, String)> {
    let server = LocalPostgres::start(&Wanted::default())?;
    let url = server.url("");
    Ok((server, url))
}
