//! `cargo xtask simulate`: histories by the thousand, or one by name.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line talks to the person before it"
)]

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use clap::{Parser, ValueEnum as _};
use cosell_model::draw::Scope;
use cosell_model::history::{Order, kit, play_many, watch};
use cosell_model::kit::Kit;
use cosell_model::op;
use cosell_model::tell::tell;
use cosell_model::wire::Spoil;

/// A quarter of a history is allocating; this allocator takes half of that away.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Plays random histories against the real host and the simulator, and judges them.
#[derive(Parser)]
struct Arguments {
    /// How many histories.
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The first seed; with --ops, or without --seeds, the only one.
    #[arg(long)]
    seed: Option<u64>,
    /// One history, as a failure prints it.
    #[arg(long)]
    ops: Option<String>,
    /// With --ops: says everything that the judge sees.
    #[arg(long)]
    tell: bool,
    /// With --ops: what the host logs, at this level: info, debug, or cosell_host=trace,cosell_remote=debug.
    #[arg(long)]
    log: Option<String>,
    /// A network that makes the host look bad, to see whether the judge sees it.
    #[arg(long)]
    spoil: Option<Spoil>,
    /// The same with one mistake of the protocol, in histories that show such mistakes.
    #[arg(long, conflicts_with = "spoil")]
    mutant: Option<Spoil>,
    /// Every mistake of the protocol, one after the other: which seed shows it. Fails when one is not shown within --seeds histories.
    #[arg(long)]
    mutants: bool,
    /// Ops of a history at most: a night may play longer ones.
    #[arg(long, default_value_t = Scope::default().ops_max)]
    length: usize,
    /// Ends after so many failures.
    #[arg(long, default_value_t = 5)]
    failures: usize,
    /// Histories at a time.
    #[arg(long, default_value_t = std::thread::available_parallelism().map_or(2, std::num::NonZero::get))]
    threads: usize,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("simulate: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<bool> {
    let kit = kit()?;
    if let Some(level) = &arguments.log {
        tracing_subscriber::fmt()
            .with_env_filter(level)
            .without_time()
            .with_writer(std::io::stderr)
            .init();
    }
    if let Some(line) = &arguments.ops {
        let ops = op::parse(line)
            .map_err(anyhow::Error::msg)
            .context("--ops")?;
        let broken = watch(
            &kit,
            arguments.seed.unwrap_or(0),
            &ops,
            arguments.spoil.or(arguments.mutant),
            &mut |evidence| {
                if arguments.tell {
                    println!("{}", tell(evidence));
                }
            },
        );
        match &broken {
            Some(broken) => println!("broken: {}\n   how: {}", broken.promise, broken.how),
            None => println!("every promise holds"),
        }
        return Ok(broken.is_none());
    }
    if arguments.mutants {
        return Ok(hunt(&kit, arguments));
    }
    let first = arguments.seed.unwrap_or(1);
    let began = Instant::now();
    let order = Order {
        first,
        count: arguments.seeds,
        threads: arguments.threads,
        failures_max: arguments.failures,
        scope: Scope {
            always_rough: arguments.mutant.is_some(),
            ops_max: arguments.length,
            ..Scope::default()
        },
        spoil: arguments.spoil.or(arguments.mutant),
    };
    let report = play_many(&kit, order);
    for failure in &report.failures {
        println!("{failure}\n");
    }
    for (what, count) in &report.known {
        println!("known, {count} times: {what}");
    }
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{} histories in {seconds:.1} s ({:.0} a second), {} broke a promise",
        report.played,
        report.played as f64 / seconds,
        report.failures.len()
    );
    Ok(report.failures.is_empty())
}

/// Plays each mutant until a history shows it. True: none has survived.
fn hunt(kit: &Kit, arguments: &Arguments) -> bool {
    let began = Instant::now();
    let mut survivors = Vec::new();
    for mutant in Spoil::MUTANTS {
        let name = mutant
            .to_possible_value()
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default();
        let report = play_many(
            kit,
            Order {
                first: arguments.seed.unwrap_or(1),
                count: arguments.seeds,
                threads: arguments.threads,
                failures_max: 1,
                scope: Scope {
                    always_rough: true,
                    ops_max: arguments.length,
                    ..Scope::default()
                },
                spoil: Some(mutant),
            },
        );
        match report.failures.first() {
            Some(failure) => println!(
                "caught   {name:<20} seed {:>5} of {:>5}: {}\n         {}",
                failure.seed,
                report.played,
                failure.broken.promise,
                op::line(&failure.ops)
            ),
            None => {
                println!("SURVIVED {name:<20} {} histories", report.played);
                survivors.push(name);
            }
        }
    }
    println!(
        "{} mutants in {:.0} s, {} survived",
        Spoil::MUTANTS.len(),
        began.elapsed().as_secs_f64(),
        survivors.len()
    );
    survivors.is_empty()
}
