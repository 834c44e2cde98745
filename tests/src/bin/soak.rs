//! `cargo xtask soak`: a real host under steady load and faults, for as long as one likes. Memory and the store's log have to stay, and in the end
//! the ledger of the simulator judges.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line talks to the person before it"
)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use clap::Parser;
use cosell_simulator::{Control, Fault, FaultKind, Service};
use cosell_tests::fleet::people::People;
use cosell_tests::fleet::{Fleet, Order};
use cosell_tests::load::{processor_time, resident};

/// Between two looks at the host's memory and its log.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// The share of a run in which pools and caches fill; the slope is that of the rest.
const WARM_UP: f64 = 0.25;
/// Memory may change by so much of itself over a run, or by this many bytes where that is more: an allocator breathes.
const DRIFT_MAX: f64 = 0.05;
const BREATH: f64 = 8.0 * 1024.0 * 1024.0;
/// The write-ahead log never gets larger than this, bytes.
const LOG_MAX: u64 = 64 * 1024 * 1024;

/// Has people act on both sides at a steady rate while services fail, and looks whether the host's memory and the store's log stay as they are;
/// then whether anything was lost, doubled or left unexplained.
#[derive(Parser)]
struct Arguments {
    /// How long people act.
    #[arg(long, default_value_t = 20.0)]
    minutes: f64,
    /// What they do in a second.
    #[arg(long, default_value_t = 50)]
    per_second: u32,
    /// Requests that fail, of a hundred: refused, throttled, cut off before and after they were carried out.
    #[arg(long, default_value_t = 10.0)]
    faults_percent: f64,
    /// Deals that people begin at most. One takes some thirty requests until it stands on both sides, and Dataverse allows 6,000 in five minutes: with
    /// more than 150 the first minutes are those of a queue, and few edits are made.
    #[arg(long, default_value_t = 150)]
    deals: usize,
    /// What is drawn from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The program; beside this one unless given.
    #[arg(long, value_name = "FILE")]
    cosell: Option<PathBuf>,
}

/// One look.
struct Sample {
    at: Duration,
    memory: u64,
    log: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("soak: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let cosell = match &arguments.cosell {
        Some(given) => given.clone(),
        None => std::env::current_exe()?.with_file_name("cosell"),
    };
    let mut fleet = Fleet::start(Order::of(&cosell)).await?;
    let pid = fleet.hosts[0].id().context("the host has ended")?;
    let log = PathBuf::from(format!("{}-wal", fleet.address));
    let mut people = People::new(fleet.control(), arguments.seed)?;
    fail(fleet.control(), arguments.faults_percent / 100.0);
    let time = Duration::from_secs_f64(arguments.minutes * 60.0);
    let (began, used) = (Instant::now(), processor_time(Some(pid))?);
    let mut tick = tokio::time::interval(Duration::from_secs(1) / arguments.per_second.max(1));
    let mut samples: Vec<Sample> = Vec::new();
    while began.elapsed() < time {
        tick.tick().await;
        people.act(arguments.deals)?;
        let at = began.elapsed();
        if samples.last().is_none_or(|last| at - last.at >= LOOK_EVERY) {
            let sample = Sample {
                at,
                memory: resident(pid)
                    .with_context(|| format!("the host has ended:\n{}", fleet.logs()))?,
                log: std::fs::metadata(&log).map_or(0, |held| held.len()),
            };
            if samples.len().is_multiple_of(12) {
                println!(
                    "{:>5.0} s: {} deals, {} of them not linked yet, {} things said, {:.1} MiB resident, {:.1} MiB of log",
                    at.as_secs_f64(),
                    people.deals.len(),
                    people.waiting(),
                    people.said(),
                    mib(sample.memory),
                    mib(sample.log)
                );
            }
            samples.push(sample);
        }
    }
    let used = processor_time(Some(pid))? - used;
    fleet.control().clear_faults();
    let verdict = fleet.judged(&people).await?;
    let found = fleet.store.check().await?;
    ensure!(found.is_empty(), "the store's invariants: {found:?}");
    let longest = samples.iter().map(|sample| sample.log).max().unwrap_or(0);
    let (drift, mean) = drift(&samples).context("too short to see a slope: give it a minute")?;
    #[allow(clippy::cast_precision_loss, reason = "some hundreds of thousands")]
    let each = used.as_secs_f64() * 1_000.0 / verdict.said.max(1) as f64;
    println!(
        "{} deals, {} things said in {:.0} s, {} writes: 0 lost, 0 doubled, 0 unexplained; {each:.1} ms of processor time for each thing said",
        verdict.deals,
        verdict.said,
        time.as_secs_f64(),
        verdict.writes
    );
    println!(
        "memory {:.1} MiB, {:+.1} MiB over the run; log at most {:.1} MiB of {:.0} allowed",
        mean / 1024.0 / 1024.0,
        drift / 1024.0 / 1024.0,
        mib(longest),
        mib(LOG_MAX)
    );
    ensure!(
        drift <= (mean * DRIFT_MAX).max(BREATH),
        "memory grows: {:+.1} MiB over the run",
        drift / 1024.0 / 1024.0
    );
    ensure!(
        longest <= LOG_MAX,
        "the log grew to {:.1} MiB",
        mib(longest)
    );
    fleet.stop().await
}

/// What can go wrong, at both services, and how much of it each kind is. Being throttled is rare: one answer of that kind rests the whole credential
/// for a second, and if it came as often as the others nothing else would be tried.
fn fail(control: &Control, chance: f64) {
    let answer = |status, retry_after_s| FaultKind::Answer {
        status,
        code: None,
        retry_after_s,
    };
    let kinds = [
        (answer(503, None), 0.33),
        (FaultKind::DropBefore, 0.33),
        (FaultKind::DropAfter, 0.33),
        (answer(429, Some(1)), 0.01),
    ];
    for service in [Service::Referrals, Service::Dataverse] {
        for (kind, part) in &kinds {
            let fault = Fault {
                service,
                method: None,
                path_prefix: String::new(),
                skip: 0,
                count: None,
                kind: kind.clone(),
            };
            control.fault_by_chance(fault, chance * part);
        }
    }
}

/// What memory changes by over the whole run, by the line that fits the samples after the warm-up best, and its mean; bytes.
#[allow(clippy::cast_precision_loss, reason = "bytes of memory")]
fn drift(samples: &[Sample]) -> Option<(f64, f64)> {
    let whole = samples.last()?.at.as_secs_f64();
    let points: Vec<(f64, f64)> = samples
        .iter()
        .map(|sample| (sample.at.as_secs_f64(), sample.memory as f64))
        .filter(|(at, _)| *at >= whole * WARM_UP)
        .collect();
    if points.len() < 4 {
        return None;
    }
    let count = points.len() as f64;
    let mean_at = points.iter().map(|(at, _)| at).sum::<f64>() / count;
    let mean = points.iter().map(|(_, memory)| memory).sum::<f64>() / count;
    let (mut above, mut below) = (0.0, 0.0);
    for (at, memory) in &points {
        above += (at - mean_at) * (memory - mean);
        below += (at - mean_at).powi(2);
    }
    Some((above / below * whole, mean))
}

#[allow(clippy::cast_precision_loss, reason = "shown with one digit")]
fn mib(bytes: u64) -> f64 {
    bytes as f64 / 1024.0 / 1024.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(memory: impl Fn(u64) -> u64) -> Vec<Sample> {
        (0..40)
            .map(|number| Sample {
                at: Duration::from_secs(number * 5),
                memory: memory(number),
                log: 0,
            })
            .collect()
    }

    #[test]
    fn a_leak_shows_and_a_warm_up_does_not() {
        let (leaking, _) = drift(&samples(|number| 100_000_000 + number * 1_000_000)).unwrap();
        assert!(
            leaking > 38_000_000.0 && leaking < 40_000_000.0,
            "{leaking}"
        );
        let warm = |number: u64| 100_000_000 + number.min(9) * 5_000_000;
        let (warming, mean) = drift(&samples(warm)).unwrap();
        assert!(
            warming.abs() < 1_000_000.0 && mean > 140_000_000.0,
            "{warming}"
        );
        assert!(drift(&samples(warm)[..3]).is_none());
    }
}
