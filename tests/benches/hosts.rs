//! One host against three on one PostgreSQL, with an API that takes 100 ms a call: how much sooner a heap of edits is carried. Ends with an error when
//! the third host brings too little.
//!
//! `cargo bench --workspace --bench hosts`, after `cargo build --release --workspace --bins`. Each host works on few deals at once, so that the
//! waiting for the API is what is shared out, and not the processors of this machine.
#![allow(
    clippy::print_stdout,
    missing_docs,
    reason = "a bench talks to the person before it"
)]

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;
use cosell_local_postgres::{LocalPostgres, Wanted};
use cosell_simulator::SimulatorConfig;
use cosell_tests::fleet::people::People;
use cosell_tests::fleet::{Fleet, Order};
use cosell_tests::program;

/// Deals, and edits of each.
const DEALS: usize = 60;
const ROUNDS: usize = 3;
/// What a call takes.
const API_MS: u64 = 100;
/// Deals that a host works on at once.
const AT_ONCE: usize = 4;
/// So many times faster are three hosts, at least.
const GAIN_MIN: f64 = 2.2;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cosell = program("cosell")?;
    let one = carried(&cosell, 1).await?;
    let three = carried(&cosell, 3).await?;
    #[allow(clippy::cast_precision_loss, reason = "some hundreds")]
    let rate = |took: Duration| (DEALS * ROUNDS) as f64 / took.as_secs_f64();
    let gain = rate(three) / rate(one);
    println!(
        "{DEALS} deals edited at once, {ROUNDS} times, {API_MS} ms a call, {AT_ONCE} deals at once per host, one PostgreSQL"
    );
    println!("  one host      {:>7.1} edits/s", rate(one));
    println!(
        "  three hosts   {:>7.1} edits/s   {gain:.2} x of 3 at best",
        rate(three)
    );
    ensure!(
        gain >= GAIN_MIN,
        "three hosts are {gain:.2} times as fast as one, and {GAIN_MIN} are demanded"
    );
    Ok(())
}

/// How long it takes until everything that people said stands on both sides.
async fn carried(cosell: &Path, hosts: usize) -> anyhow::Result<Duration> {
    let server = LocalPostgres::start(&Wanted::default())?;
    let mut fleet = Fleet::start(Order {
        postgres: Some(server.url("")),
        hosts,
        simulator: SimulatorConfig::demo(),
        ..Order::of(cosell)
    })
    .await?;
    for host in &mut fleet.hosts {
        let config = std::fs::read_to_string(&host.config)?;
        std::fs::write(
            &host.config,
            config.replace(
                "[limits]\n",
                &format!("[limits]\ndeals_at_once = {AT_ONCE}\n"),
            ),
        )?;
        host.stop().await?;
        host.start().await?;
    }
    let mut people = People::new(fleet.control(), 1)?;
    for _ in 0..DEALS {
        people.seller_begins()?;
    }
    fleet.in_step(&people).await?;
    fleet.control().set_latency_ms(API_MS);
    let mut took = Duration::ZERO;
    for round in 0..ROUNDS {
        let began = Instant::now();
        for deal in 0..DEALS {
            let edited = if round % 2 == 0 {
                people.seller_edits(deal)?
            } else {
                people.portal_edits(deal)?
            };
            ensure!(edited, "deal {deal} is not linked");
        }
        fleet.in_step(&people).await?;
        took += began.elapsed();
    }
    fleet.judged(&people).await?;
    fleet.stop().await?;
    Ok(took)
}
