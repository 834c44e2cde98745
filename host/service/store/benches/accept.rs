//! How fast events are accepted durably, and how much of the disk that is.
//!
//! A number of accepts per second says something about the disk first. So the bare disk is measured in the same run: as many bytes as one
//! accept adds to the log, one sync each; once appended to a growing file, as the log is written before its first checkpoint, and once over
//! a file that has its length, as afterwards. Many callers share a sync and should leave both behind. Ratios mean something on a quiet
//! machine only: a sync waits for what others write, too.
#![allow(missing_docs, reason = "the macros of criterion make public items")]
#![allow(
    clippy::print_stderr,
    reason = "a bench is a command, and the ratio is its answer"
)]

use std::cell::RefCell;
use std::fs::{File, metadata};
use std::io::{Seek, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cosell_local_postgres::{LocalPostgres, Wanted};
use cosell_store::{
    AcceptedEvent, Change, Next, RecordKey, SqliteStore, Store, StoreUrl, system_clock,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// Callers at once: a lone webhook, a busy hour, a burst.
const CALLERS: [u64; 3] = [1, 16, 64];

/// Deals that the events are about: each rings again and again, as in a burst of edits.
const DEALS: u64 = 1_000;

/// Writes after which the bare disk starts over in place: some megabytes, like the log.
const CIRCLE: u64 = 200;

const GROWING: &str = "bare disk, growing file";
const IN_PLACE: &str = "bare disk, in place";

static NEXT: AtomicU64 = AtomicU64::new(0);

fn event() -> AcceptedEvent {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    AcceptedEvent {
        connection: "6f1f2f0e-2b0c-4d0e-9f57-6a4f0a9b3c11".into(),
        record: RecordKey {
            side: "crm".into(),
            kind: "opportunity".into(),
            id: format!("7f3c0000-0000-4000-8000-{:012x}", number % DEALS),
        },
        cause: "Update".into(),
        // Spread like the hashes that webhooks bring: each lands on another page of the index.
        dedupe: Some(format!(
            "{:064x}",
            number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
        )),
        lane: None,
    }
}

fn open(folder: &Path) -> Arc<dyn Store> {
    Arc::new(SqliteStore::open(folder.join("cosell.db"), system_clock()).expect("a new store"))
}

fn accept(criterion: &mut Criterion) {
    let folder = tempfile::tempdir_in(".")
        .expect("a folder on the disk that holds the build, not in memory");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let store = open(folder.path());
    let appended = runtime.block_on(bytes_per_accept(store.as_ref(), folder.path()));
    let rates = RefCell::new(Vec::<(String, f64)>::new());
    let note = |name: &str, count: u64, took: Duration| {
        let rate = count as f64 / took.as_secs_f64();
        let mut rates = rates.borrow_mut();
        rates.retain(|(known, _)| known != name);
        rates.push((name.to_owned(), rate));
    };

    let mut group = criterion.benchmark_group("durable");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(3))
        .throughput(Throughput::Elements(1));
    for (name, growing) in [(GROWING, true), (IN_PLACE, false)] {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|count| {
                let took = write_and_sync(folder.path(), appended, growing, count);
                note(name, count, took);
                took
            });
        });
    }
    for callers in CALLERS {
        let name = format!("accept, {callers} callers");
        group.bench_function(&name, |bencher| {
            bencher.iter_custom(|count| {
                let took = runtime.block_on(accept_all(&store, callers, count));
                note(&name, count, took);
                took
            });
        });
    }
    group.bench_function("claim, open and end a run", |bencher| {
        bencher.iter_custom(|count| runtime.block_on(run_all(store.as_ref(), count)));
    });
    // A server of its own that syncs every commit, beside the file.
    let server = LocalPostgres::start(&Wanted {
        durable: true,
        ..Wanted::default()
    })
    .unwrap_or_else(|error| panic!("{error}"));
    let address: StoreUrl = server.url("").parse().expect("an address");
    let shared = runtime
        .block_on(cosell_store::open(&address, None))
        .expect("an empty database")
        .store;
    for callers in CALLERS {
        let name = format!("PostgreSQL, accept, {callers} callers");
        group.bench_function(&name, |bencher| {
            bencher.iter_custom(|count| {
                let took = runtime.block_on(accept_all(&shared, callers, count));
                note(&name, count, took);
                took
            });
        });
    }
    group.bench_function("PostgreSQL, claim, open and end a run", |bencher| {
        bencher.iter_custom(|count| runtime.block_on(run_all(shared.as_ref(), count)));
    });
    group.finish();

    let rates = rates.into_inner();
    let rate_of = |wanted: &str| {
        rates
            .iter()
            .find(|(name, _)| name == wanted)
            .map(|(_, rate)| *rate)
    };
    let Some(disk) = rate_of(IN_PLACE) else {
        return;
    };
    eprintln!(
        "\none accept adds {appended} bytes to the log; {IN_PLACE}: {disk:.0} syncs/s of as many"
    );
    for (name, rate) in rates.iter().filter(|(name, _)| name != IN_PLACE) {
        eprintln!("{name}: {rate:.0}/s, {:.2} x", rate / disk);
    }
}

/// What one accept adds to the log, once the deals are known.
async fn bytes_per_accept(store: &dyn Store, folder: &Path) -> usize {
    const ACCEPTS: u64 = 50;
    let log = || {
        metadata(folder.join("cosell.db-wal"))
            .expect("the log")
            .len()
    };
    store
        .accept((0..DEALS).map(|_| event()).collect(), None)
        .await
        .expect("accepted");
    let before = log();
    for _ in 0..ACCEPTS {
        store.accept(vec![event()], None).await.expect("accepted");
    }
    usize::try_from((log() - before) / ACCEPTS).expect("some pages")
}

fn write_and_sync(folder: &Path, bytes: usize, growing: bool, count: u64) -> Duration {
    let mut file = File::create(folder.join("bare")).expect("a file beside the store");
    let body = vec![7; bytes];
    if !growing {
        for _ in 0..CIRCLE {
            file.write_all(&body).expect("written");
        }
        file.sync_all().expect("synced");
    }
    let begin = Instant::now();
    for number in 0..count {
        if !growing && number % CIRCLE == 0 {
            file.rewind().expect("back at the beginning");
        }
        file.write_all(&body).expect("written");
        file.sync_all().expect("synced");
    }
    begin.elapsed()
}

async fn accept_all(store: &Arc<dyn Store>, callers: u64, count: u64) -> Duration {
    let begin = Instant::now();
    let left = Arc::new(AtomicU64::new(count));
    let mut tasks = Vec::new();
    for _ in 0..callers {
        let (store, left) = (store.clone(), left.clone());
        tasks.push(tokio::spawn(async move {
            while left
                .try_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                    left.checked_sub(1)
                })
                .is_ok()
            {
                store.accept(vec![event()], None).await.expect("accepted");
            }
        }));
    }
    for task in tasks {
        task.await.expect("no caller panics");
    }
    begin.elapsed()
}

/// One run after the other, each with its own commits: the floor of what a lane costs.
async fn run_all(store: &dyn Store, count: u64) -> Duration {
    let mut took = Duration::ZERO;
    for _ in 0..count {
        let begin = Instant::now();
        let mut leases = store.claim("bench", 60_000, 1).await.expect("claimed");
        took += begin.elapsed();
        if leases.is_empty() {
            store.accept(vec![event()], None).await.expect("accepted");
            leases = store.claim("bench", 60_000, 1).await.expect("claimed");
        }
        let begin = Instant::now();
        let bells = store.open(&leases[0]).await.expect("opened").bells;
        store
            .complete_run(&leases[0], &bells, Change::default(), Next::Settled)
            .await
            .expect("ended");
        took += begin.elapsed();
    }
    took
}

criterion_group!(benches, accept);
criterion_main!(benches);
