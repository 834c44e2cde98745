//! A person's verbs, over a real host and both sides. Orders come from a second handle on the store, as they do from the command line.
#![allow(missing_docs, reason = "tests are read by their names")]

mod comparing;
mod looking;
mod ordering;
mod planning;
mod recalling;
mod reconciling;
mod trying;

use cosell_host::app;
use cosell_host::config::Config;
use cosell_host::desk::Desk;
use cosell_host::verbs::{Archive, DealKey, find};
use cosell_tests::World;
use serde_json::json;

type Told = anyhow::Result<()>;

const VISIBLE: &str = "msft_microsoftpartnercenterreferralvisible";
const AUDIT: &str = "msft_microsoftpartnercenterreferralsyncaudit";
const GATE: &str = "msft_microsoftpartnercenterreferralsync";

/// What the host has written down, read beside it.
fn archive(world: &World) -> anyhow::Result<Archive> {
    Ok(Archive::open(&Config::load(&world.config)?, None)?)
}

/// What a command works with that looks at both sides.
fn desk(world: &World) -> anyhow::Result<Desk> {
    Ok(app::desk(&Config::load(&world.config)?)?)
}

/// The deal that has this record.
async fn deal_of(world: &World, record: &str) -> anyhow::Result<DealKey> {
    Ok(find(&archive(world)?, record).await?)
}

/// A deal in step: its row and its referral.
async fn linked(world: &World, name: &str) -> anyhow::Result<(String, String)> {
    world.linked(&json!({ "name": name })).await
}

/// One operation of a patch.
fn replace(path: &str, value: &str) -> serde_json::Value {
    json!([{ "op": "replace", "path": path, "value": value }])
}
