//! `cargo xtask crash`: real hosts, ended by force while people act and webhooks are lost. The ledger of the simulator judges.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line talks to the person before it"
)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use cosell_local_postgres::{LocalPostgres, Wanted};
use cosell_tests::fleet::crash::{self, Rounds};
use cosell_tests::fleet::gate::Manners;
use cosell_tests::fleet::{Fleet, Order};

/// Of how many rounds one is told.
const TOLD_EVERY: u32 = 25;

/// Ends hosts by force at random moments, in rounds, while people act on both sides and webhooks are lost; then looks whether anything was lost,
/// doubled or left unexplained.
#[derive(Parser)]
struct Arguments {
    /// How often a host is ended.
    #[arg(long, default_value_t = 100)]
    rounds: u32,
    /// How many hosts; more than one share a database.
    #[arg(long, default_value_t = 1)]
    hosts: usize,
    /// On a PostgreSQL server of its own; several hosts always are.
    #[arg(long)]
    postgres: bool,
    /// Deals that people begin at most.
    #[arg(long, default_value_t = 40)]
    deals: usize,
    /// Webhooks that are lost, of a hundred.
    #[arg(long, default_value_t = 5.0)]
    lost_percent: f64,
    /// What is drawn from. When a host dies is drawn, where it is then is not.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Instead of rounds: every cell of the crash matrix, on both stores.
    #[arg(long)]
    matrix: bool,
    /// The program; beside this one unless given.
    #[arg(long, value_name = "FILE")]
    cosell: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("crash: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let cosell = match &arguments.cosell {
        Some(given) => given.clone(),
        None => std::env::current_exe()?.with_file_name("cosell"),
    };
    let began = Instant::now();
    if arguments.matrix {
        return matrix(&cosell, began).await;
    }
    let shared = arguments.postgres || arguments.hosts > 1;
    let server = shared
        .then(|| LocalPostgres::start(&Wanted::default()))
        .transpose()?;
    let mut fleet = Fleet::start(Order {
        postgres: server.as_ref().map(|server| server.url("")),
        hosts: arguments.hosts,
        manners: Manners {
            lost: arguments.lost_percent / 100.0,
            times: 1..=3,
            late: Duration::from_millis(50),
            seed: arguments.seed,
        },
        ..Order::of(&cosell)
    })
    .await?;
    let rounds = Rounds {
        count: arguments.rounds,
        deals_max: arguments.deals,
        seed: arguments.seed,
    };
    let verdict = crash::play(&mut fleet, rounds, |round, people| {
        if round % TOLD_EVERY == 0 {
            println!(
                "round {round}: {} deals, {} things said",
                people.deals.len(),
                people.said()
            );
        }
    })
    .await?;
    let (handed, lost) = fleet.gate.counts();
    println!(
        "{} rounds in {:.0} s: {} deals ({} with Microsoft, {} ended), {} things said, {handed} webhooks handed over and {lost} lost, {} writes: 0 lost, 0 doubled, 0 unexplained",
        rounds.count,
        began.elapsed().as_secs_f64(),
        verdict.deals,
        verdict.invited,
        verdict.ended,
        verdict.said,
        verdict.writes
    );
    fleet.stop().await
}

#[cfg(debug_assertions)]
async fn matrix(cosell: &std::path::Path, began: Instant) -> anyhow::Result<()> {
    use anyhow::Context as _;
    use cosell_tests::fleet::matrix;
    use cosell_tests::fleet::people::People;

    let server = LocalPostgres::start(&Wanted::default())?;
    for (store, postgres) in [("a file", None), ("PostgreSQL", Some(server.url("")))] {
        let mut fleet = Fleet::start(Order {
            postgres,
            ..Order::of(cosell)
        })
        .await?;
        let mut people = People::new(fleet.control(), 1)?;
        let cases = matrix::cases();
        for case in &cases {
            matrix::play(&mut fleet, &mut people, *case)
                .await
                .with_context(|| format!("on {store}"))?;
        }
        println!(
            "{} cells on {store}, {:.0} s: each was finished by the next host",
            cases.len(),
            began.elapsed().as_secs_f64()
        );
        fleet.stop().await?;
    }
    Ok(())
}

#[cfg(not(debug_assertions))]
async fn matrix(_: &std::path::Path, _: Instant) -> anyhow::Result<()> {
    anyhow::bail!("a release has no failpoints: use a debug build")
}
