//! Signed webhooks against a whole host in a process of its own: how many it accepts durably, beside what the bare store does with as many bytes on
//! the same disk, and how long a caller waits. Ends with an error when an event is lost or a budget is missed.
//!
//! `cargo bench --workspace --bench webhooks`, after `cargo build --release --workspace --bins` (the host is `target/release/cosell`). Every
//! event is real: its own body with its own RSA signature, made before the clock runs. The referrals that they name do not exist, and
//! the services ask to be left alone, so that the host's time is the accepting's.
//!
//! The generator shares the processors with the host. Its own processor time is taken out of the ratio, and both are printed.
#![allow(
    clippy::print_stdout,
    missing_docs,
    reason = "a bench talks to the person before it"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use cosell_simulator::{Control, Fault, FaultKind, Service};
use cosell_store::{AcceptedEvent, RecordKey, SqliteStore, Store, system_clock};
use cosell_tests::fleet::{Fleet, Order};
use cosell_tests::load::{Crowd, Loaded, load, middle, processor_time};
use cosell_tests::program;
use tokio::task::JoinSet;

/// Deals that ring, again and again.
const DEALS: usize = 1_000;
/// Sockets that bring webhooks, and callers of the bare store.
const SOCKETS: usize = 64;
/// Events of the race for throughput.
const RACE: usize = 60_000;

/// An everyday rate far above everyday's, for so many seconds.
const STEADY_PER_SECOND: u32 = 500;
const STEADY_S: u32 = 10;
const STEADY_P99_MAX: Duration = Duration::from_millis(50);
/// A burst: somebody edits ten thousand deals at once.
const BURST_PER_SECOND: u32 = 5_000;
const BURST_S: u32 = 10;
/// Sockets that say nothing, and as many that say one byte at a time.
const CROWD: usize = 1_000;
/// What the crowd may add to p99: a fifth, or this much where a fifth is less than the noise of a machine.
const CROWD_SHARE_MAX: f64 = 0.2;
const CROWD_NOISE: Duration = Duration::from_millis(2);
/// p99 is the middle of so many runs.
const RUNS: usize = 3;

const PATH: &str = "/webhooks/partner-center/simulated";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cosell = program("cosell")?;
    let bare = bare_store().await?;
    let fleet = Fleet::start(Order::of(&cosell)).await?;
    let control = fleet.control().clone();
    for service in [Service::Referrals, Service::Dataverse] {
        control.fault(Fault {
            service,
            method: None,
            path_prefix: String::new(),
            skip: 0,
            count: None,
            kind: FaultKind::Answer {
                status: 429,
                code: None,
                retry_after_s: Some(3_600),
            },
        });
    }
    let host = &fleet.hosts[0];
    let pid = host.id().context("the host has ended")?;
    let events = async || anyhow::Ok(fleet.store.census().await?.events);
    let before = events().await?;
    let mut sent = 0;

    let race = signed(&control, RACE).await?;
    let cores = std::thread::available_parallelism()?.get();
    let (own, hosts) = (processor_time(None)?, processor_time(Some(pid))?);
    let raced = load(host.address, race, None, SOCKETS).await?;
    let (own, hosts) = (
        processor_time(None)? - own,
        processor_time(Some(pid))? - hosts,
    );
    sent += RACE;
    whole("the race", &raced)?;
    #[allow(clippy::cast_precision_loss, reason = "a handful")]
    let net = RACE as f64 / (raced.took.as_secs_f64() - own.as_secs_f64() / cores as f64);
    println!("durable accept, {SOCKETS} at once, {cores} processors");
    println!("  bare store           {bare:>8.0}/s");
    println!(
        "  signed webhooks      {:>8.0}/s   p50 {:.1?}   p99 {:.1?}",
        raced.rate(),
        raced.within(500),
        raced.within(990)
    );
    println!(
        "  of the bare store    {:>8.2}     {:.2} net of the generator ({own:.1?} of its processor time, {hosts:.1?} of the host's)",
        raced.rate() / bare,
        net / bare
    );

    let steady_events = (STEADY_PER_SECOND * STEADY_S) as usize;
    let mut alone = Vec::new();
    let mut crowded = Vec::new();
    for _ in 0..RUNS {
        let requests = signed(&control, steady_events).await?;
        let run = load(host.address, requests, Some(STEADY_PER_SECOND), SOCKETS).await?;
        whole("the steady rate", &run)?;
        alone.push(run.within(990));
        let crowd = Crowd::gather(host.address, CROWD, CROWD, PATH).await?;
        let requests = signed(&control, steady_events).await?;
        let run = load(host.address, requests, Some(STEADY_PER_SECOND), SOCKETS).await?;
        drop(crowd);
        whole("the steady rate in a crowd", &run)?;
        crowded.push(run.within(990));
        sent += 2 * steady_events;
    }
    let (alone, crowded) = (middle(alone), middle(crowded));
    println!("{STEADY_PER_SECOND}/s for {STEADY_S} s");
    println!("  p99                  {alone:>8.1?}   of {STEADY_P99_MAX:.1?} allowed");
    println!(
        "  p99 in a crowd       {crowded:>8.1?}   {CROWD} sockets that say nothing, {CROWD} that say one byte at a time"
    );

    let burst_events = (BURST_PER_SECOND * BURST_S) as usize;
    let requests = signed(&control, burst_events).await?;
    let burst = load(host.address, requests, Some(BURST_PER_SECOND), 4 * SOCKETS).await?;
    whole("the burst", &burst)?;
    sent += burst_events;
    println!(
        "{BURST_PER_SECOND}/s for {BURST_S} s\n  accepted             {:>8}     in {:.1?}   p99 {:.1?}",
        burst.latencies.len(),
        burst.took,
        burst.within(990)
    );

    let stored = events().await? - before;
    println!("events answered with success {sent}, stored {stored}");
    ensure!(
        usize::try_from(stored)? >= sent,
        "{sent} events were answered with success, and {stored} are stored"
    );
    ensure!(
        alone <= STEADY_P99_MAX,
        "p99 at {STEADY_PER_SECOND}/s is {alone:.1?}, and {STEADY_P99_MAX:.1?} are allowed"
    );
    ensure!(
        crowded
            <= alone
                .mul_f64(1.0 + CROWD_SHARE_MAX)
                .max(alone + CROWD_NOISE),
        "idle and slow sockets change p99 from {alone:.1?} to {crowded:.1?}"
    );
    Ok(())
}

fn whole(what: &str, loaded: &Loaded) -> anyhow::Result<()> {
    ensure!(
        loaded.refused.is_empty(),
        "{what}: {} of {} were refused, the first with {}",
        loaded.refused.len(),
        loaded.latencies.len(),
        loaded.refused[0]
    );
    Ok(())
}

fn deal(number: usize) -> String {
    format!("7f3c0000-0000-4000-8000-{:012x}", number % DEALS)
}

/// So many requests, each with a body and a signature of its own.
async fn signed(control: &Control, count: usize) -> anyhow::Result<Arc<Vec<Bytes>>> {
    let shares = std::thread::available_parallelism()?.get();
    let mut makers = JoinSet::new();
    for share in 0..shares {
        let control = control.clone();
        makers.spawn_blocking(move || {
            let numbers = (0..count).filter(|number| number % shares == share);
            numbers
                .map(|number| {
                    let posted = control.notification(&deal(number))?;
                    let mut request = format!(
                        "POST {PATH} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n",
                        posted.body.len()
                    );
                    for (name, value) in &posted.headers {
                        request.push_str(&format!("{name}: {value}\r\n"));
                    }
                    request.push_str("\r\n");
                    let mut request = request.into_bytes();
                    request.extend(posted.body);
                    anyhow::Ok(Bytes::from(request))
                })
                .collect::<Result<Vec<_>, _>>()
        });
    }
    let mut requests = Vec::with_capacity(count);
    while let Some(made) = makers.join_next().await {
        requests.extend(made??);
    }
    Ok(Arc::new(requests))
}

/// Accepts a second of the same events by the store alone, in this process, as many callers at once as the host has sockets.
async fn bare_store() -> anyhow::Result<f64> {
    let folder = tempfile::tempdir()?;
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(
        folder.path().join("cosell.db"),
        system_clock(),
    )?);
    let began = Instant::now();
    let mut callers = JoinSet::new();
    for caller in 0..SOCKETS {
        let store = Arc::clone(&store);
        callers.spawn(async move {
            for number in (0..RACE).filter(|number| number % SOCKETS == caller) {
                let event = AcceptedEvent {
                    connection: "simulated".into(),
                    record: RecordKey {
                        side: "partner-center".into(),
                        kind: "referral".into(),
                        id: deal(number),
                    },
                    cause: "referral-updated".into(),
                    dedupe: Some(format!(
                        "{:064x}",
                        number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
                    )),
                    lane: None,
                };
                store.accept(vec![event], None).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = callers.join_next().await {
        ended??;
    }
    #[allow(clippy::cast_precision_loss, reason = "shown without digits")]
    Ok(RACE as f64 / began.elapsed().as_secs_f64())
}
