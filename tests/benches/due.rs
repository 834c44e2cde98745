//! How soon a deal that is due is worked on: from the moment that its bell is durable to the first request that the other side sees of it. Ends with
//! an error when the budget is missed.
//!
//! `cargo bench --workspace --bench due` prints it idle and while ten deals a second change, next to the floor in the same run: what a call of the
//! same client takes to arrive there when nothing is decided before it.
#![allow(
    clippy::print_stdout,
    missing_docs,
    reason = "a bench talks to the person before it"
)]

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use cosell_host::desk::Desk;
use cosell_store::{Accepted, AcceptedEvent, RecordKey};
use cosell_tests::{PATIENCE, World, text};
use serde_json::json;

/// 99 of 100 deals are begun within this time.
const P99_MAX: Duration = Duration::from_millis(20);
/// Deals that ring in turn, and as many others that change meanwhile.
const DEALS: usize = 20;
/// Rings in all.
const RINGS: usize = 500;
/// Rings a second.
const RATE: u32 = 25;
/// Changes of other deals, a second.
const EDITS: u32 = 10;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let world = World::start().await?;
    let account = world.account("Contoso Kft.", "HU")?;
    let mut deals = Vec::new();
    for number in 0..2 * DEALS {
        let row = world.opportunity(&account, &json!({ "name": format!("Deal {number}") }))?;
        let referral = text(&world.referral_of(&row).await?, "id");
        world.row_of(&referral).await?;
        deals.push((row, referral));
    }
    world.quiet().await?;
    let (rung, edited) = deals.split_at(DEALS);
    println!("{RINGS} deals become due, {RATE}/s");
    let floor = Shown::of(calls(&world, rung).await?);
    println!("  a call alone       {floor}");
    let idle = Shown::of(due(&world, rung).await?);
    println!(
        "  nothing else       {idle}   {:.1} x a call alone",
        idle.times(&floor)
    );
    let busy = {
        let edits = edit(&world, edited);
        tokio::select! {
            taken = due(&world, rung) => Shown::of(taken?),
            ended = edits => return Err(ended.err().context("edits do not end")?),
        }
    };
    println!(
        "  {EDITS} edits/s beside   {busy}   {:.1} x a call alone",
        busy.times(&floor)
    );
    println!(
        "  p99 / budget       {:.2}",
        busy.p99.as_secs_f64() / P99_MAX.as_secs_f64()
    );
    ensure!(
        busy.p99 <= P99_MAX && idle.p99 <= P99_MAX,
        "p99 is {:?} and {:?}, and {P99_MAX:?} are allowed",
        idle.p99,
        busy.p99
    );
    world.quiet().await?;
    world.end().await
}

/// From a bell that is durable to the first request that names one of the deal's records.
async fn due(world: &World, deals: &[(String, String)]) -> anyhow::Result<Vec<Duration>> {
    let desk = world.desk()?;
    let mut tick = tokio::time::interval(Duration::from_secs(1) / RATE);
    let mut taken = Vec::new();
    for number in 0..RINGS {
        tick.tick().await;
        let deal = &deals[number % deals.len()];
        ring(desk, &deal.0).await?;
        let since = Instant::now();
        // As what rings does: whoever waits for work hears of it.
        desk.rope.notify_one();
        taken.push(seen(world, deal, since).await?);
    }
    Ok(taken)
}

async fn ring(desk: &Desk, row: &str) -> anyhow::Result<()> {
    let event = AcceptedEvent {
        connection: "simulated".into(),
        record: RecordKey {
            side: "crm".into(),
            kind: "opportunity".into(),
            id: row.into(),
        },
        cause: "Update".into(),
        dedupe: None,
        lane: None,
    };
    let accepted = desk.store.accept(vec![event], None).await?;
    ensure!(matches!(accepted[..], [Accepted::Rung(_)]), "{accepted:?}");
    Ok(())
}

/// A call of the same client, without a run around it.
async fn calls(world: &World, deals: &[(String, String)]) -> anyhow::Result<Vec<Duration>> {
    let connection = &world.desk()?.connections["simulated"];
    let mut taken = Vec::new();
    for number in 0..RINGS {
        let deal = &deals[number % deals.len()];
        let since = Instant::now();
        connection.partner_center.get(&deal.1).await?;
        taken.push(seen(world, deal, since).await?);
    }
    Ok(taken)
}

/// The first request that names the deal.
async fn seen(
    world: &World,
    (row, referral): &(String, String),
    since: Instant,
) -> anyhow::Result<Duration> {
    loop {
        let requests = world.control().requests(since);
        let ours = requests.iter().find(|one| {
            one.target.contains(row.as_str()) || one.target.contains(referral.as_str())
        });
        if let Some(first) = ours {
            return Ok(first.at - since);
        }
        ensure!(since.elapsed() < PATIENCE, "nobody asked for {row}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Changes other deals for ever.
async fn edit(world: &World, deals: &[(String, String)]) -> anyhow::Result<()> {
    let mut tick = tokio::time::interval(Duration::from_secs(1) / EDITS);
    for number in 0_u32.. {
        tick.tick().await;
        let (row, _) = &deals[number as usize % deals.len()];
        let value = json!({ "estimatedvalue": 200_000 + number });
        world.control().seller_updates("opportunity", row, &value)?;
    }
    Ok(())
}

struct Shown {
    p50: Duration,
    p99: Duration,
    max: Duration,
}

impl Shown {
    fn of(mut taken: Vec<Duration>) -> Self {
        taken.sort_unstable();
        let at = |percent: usize| taken[(taken.len() * percent).div_ceil(100) - 1];
        Self {
            p50: at(50),
            p99: at(99),
            max: at(100),
        }
    }

    fn times(&self, floor: &Self) -> f64 {
        self.p99.as_secs_f64() / floor.p99.as_secs_f64()
    }
}

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ms = |time: Duration| time.as_secs_f64() * 1_000.0;
        write!(
            f,
            "p50 {:>6.2} ms   p99 {:>6.2} ms   max {:>6.2} ms",
            ms(self.p50),
            ms(self.p99),
            ms(self.max)
        )
    }
}
