//! The whole line under load: change on one side → accepted write on the other, at ten changes a second with an API that takes 20 ms a call, and
//! with one that takes 100 ms. Ends with an error when one of the budgets is missed.
//!
//! `cargo bench -p cosell-tests --bench line` prints the latencies next to their floor in the same run: what the calls alone would take that no
//! design can save (one look at each side and one write).
#![allow(
    clippy::print_stdout,
    missing_docs,
    reason = "a bench talks to the person before it"
)]

use std::time::Duration;

use cosell_simulator::SimulatorConfig;
use cosell_tests::{World, amount, text};
use serde_json::json;

/// The simulator's answer times: a service next door, and the real ones on a bad day.
const API_MS: [u64; 2] = [20, 100];
/// 95 of 100 changes arrive within this time, whichever of them it is.
const P95_MAX_MS: i64 = 1_000;
/// Deals that change in turn.
const DEALS: usize = 20;
/// Changes a second.
const RATE: u32 = 10;
/// Changes in all: half a minute.
const CHANGES: usize = 300;
/// Calls in a row that a change needs: both sides are read (at the same time, at best) and one is written.
const CALLS_MIN: u64 = 2;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    for api_ms in API_MS {
        under_load(api_ms).await?;
    }
    Ok(())
}

async fn under_load(api_ms: u64) -> anyhow::Result<()> {
    let world = World::with(
        SimulatorConfig {
            latency_ms: api_ms,
            ..SimulatorConfig::demo()
        },
        &[],
    )
    .await?;
    let account = world.account("Contoso Kft.", "HU")?;
    let mut deals = Vec::new();
    for number in 0..DEALS {
        let row = world.opportunity(&account, &json!({ "name": format!("Deal {number}") }))?;
        let referral = text(&world.referral_of(&row).await?, "id");
        world.row_of(&referral).await?;
        deals.push((row, referral));
    }
    world.quiet().await?;
    println!("{CHANGES} changes on {DEALS} deals, {RATE}/s, {api_ms} ms a call");

    let mut tick = tokio::time::interval(Duration::from_secs(1) / RATE);
    let mut pending: Vec<(usize, f64, i64)> = Vec::new();
    let mut taken = Vec::new();
    for number in 0..CHANGES {
        tick.tick().await;
        let (row, referral) = &deals[number % DEALS];
        #[allow(clippy::cast_precision_loss, reason = "small whole numbers")]
        let value = (500_000 + number) as f64;
        let act = if (number / DEALS).is_multiple_of(2) {
            world.control().seller_updates(
                "opportunity",
                row,
                &json!({ "estimatedvalue": value }),
            )?
        } else {
            world.control().partner_user_patches(
                referral,
                &json!([{ "op": "replace", "path": "/details/dealValue", "value": value }]),
            )?
        };
        pending.push((number, value, act.time_ms));
        settle(&world, &deals, &mut pending, &mut taken);
    }
    world
        .until("the last changes", |_| {
            settle(&world, &deals, &mut pending, &mut taken);
            pending.is_empty().then_some(())
        })
        .await?;
    taken.sort_unstable();
    let at = |percent: usize| taken[(taken.len() * percent).div_ceil(100) - 1];
    let floor = CALLS_MIN * api_ms;
    println!(
        "  arrival       p50 {:>5} ms   p95 {:>5} ms   max {:>5} ms",
        at(50),
        at(95),
        at(100)
    );
    println!("  floor               {floor:>5} ms   (calls that nothing can save)");
    #[allow(clippy::cast_precision_loss, reason = "shown with one digit")]
    let ratio = at(95) as f64 / floor as f64;
    println!(
        "  p95 / floor         {ratio:>5.1}      p95 / 1 s budget {:.2}",
        at(95) as f64 / 1_000.0
    );
    anyhow::ensure!(
        at(95) <= P95_MAX_MS,
        "p95 is {} ms, and {P95_MAX_MS} ms are allowed",
        at(95)
    );
    world.end().await
}

/// Takes out of `pending` what has arrived on both sides, with how long it took by the ledger.
fn settle(
    world: &World,
    deals: &[(String, String)],
    pending: &mut Vec<(usize, f64, i64)>,
    taken: &mut Vec<i64>,
) {
    let ledger = world.control().ledger(0);
    pending.retain(|(number, value, since)| {
        let (row, referral) = &deals[number % DEALS];
        let there = world
            .control()
            .referral(referral)
            .and_then(|one| amount(&one["details"]["dealValue"]));
        let here = world
            .control()
            .row("opportunity", row)
            .and_then(|one| amount(&one["estimatedvalue"]));
        if there != Some(*value) || here != Some(*value) {
            return true;
        }
        let record = if (number / DEALS).is_multiple_of(2) {
            referral
        } else {
            row
        };
        if let Some(entry) = ledger
            .iter()
            .rev()
            .find(|entry| entry.record.contains(record.as_str()) && entry.time_ms >= *since)
        {
            taken.push(entry.time_ms - since);
        }
        false
    });
}
