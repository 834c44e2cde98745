//! Playing a history, judging it, and making a failing one short.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::draw::{self, Scope};
use super::judge::{self, Broken, Evidence};
use super::kit::Kit;
use super::known::KNOWN;
use super::op::{self, Op};
use super::stage::Stage;
use super::wire::{Spoil, lock};

/// What a thread needs that runs guests on its own stack, and the futures of a run above them.
const STACK_BYTES: usize = 8 << 20;

/// A history takes some milliseconds: one that takes so long stands still, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A history that broke a promise, as short as it could be made.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Its seed.
    pub seed: u64,
    /// What is left of it.
    pub ops: Vec<Op>,
    /// How many ops it had.
    pub drawn: usize,
    /// Which promise, and how.
    pub broken: Broken,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            seed,
            ops,
            drawn,
            broken,
        } = self;
        writeln!(f, "broken: {}", broken.promise)?;
        writeln!(f, "   how: {}", broken.how)?;
        writeln!(f, "        {} of {drawn} ops are left", ops.len())?;
        write!(
            f,
            "repeat: cargo xtask simulate --seed {seed} --ops \"{}\"",
            op::line(ops)
        )
    }
}

/// Plays one history in a world of its own, and judges it. None: every promise holds.
#[must_use]
pub fn play(kit: &Kit, seed: u64, ops: &[Op]) -> Option<Broken> {
    watch(kit, seed, ops, None, &mut |_| {})
}

/// The same; `look` sees the evidence before the judge does, and the network may be spoilt. Nothing here is generic: the whole host would be compiled
/// once more in every crate that plays a history.
#[must_use]
pub fn watch(
    kit: &Kit,
    seed: u64,
    ops: &[Op],
    spoil: Option<Spoil>,
    look: &mut dyn FnMut(&Evidence),
) -> Option<Broken> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime without sockets needs nothing from the system");
    runtime.block_on(async {
        let judged =
            tokio::time::timeout(PATIENCE, Box::pin(judged(kit, seed, ops, spoil, look))).await;
        let how = match judged {
            Ok(Ok(broken)) => return broken,
            Ok(Err(error)) => format!("{error:#}"),
            Err(_) => format!(
                "nothing has happened for {} s of real time",
                PATIENCE.as_secs()
            ),
        };
        Some(Broken {
            promise: "a history comes to its end",
            how,
        })
    })
}

async fn judged(
    kit: &Kit,
    seed: u64,
    ops: &[Op],
    spoil: Option<Spoil>,
    look: &mut dyn FnMut(&Evidence),
) -> anyhow::Result<Option<Broken>> {
    let mut stage = Stage::new(kit, seed, spoil).await?;
    for op in ops {
        stage.play(op).await?;
    }
    let mut settled = stage.settle().await;
    let seen_again = lock(&stage.people)
        .deals()
        .iter()
        .any(|(_, known)| known.was_hidden && !known.hidden);
    if seen_again {
        // What could not be seen for some time is looked at again when a person says so (S18).
        settled = settled.and(stage.ring_all().await);
    }
    stage.layer.has_kept_all().await?;
    let evidence = Evidence::gather(&stage).await?;
    look(&evidence);
    settled?;
    if let Some(broken) = evidence.judge() {
        return Ok(Some(broken));
    }
    let before = judge::writes(&stage).len();
    stage.ring_all().await?;
    let more = judge::writes(&stage).split_off(before);
    if let Some(write) = more.first() {
        let how = format!(
            "{} writes when every lane looked once more, the first: {} {} {:?}",
            more.len(),
            write.operation,
            write.kind,
            write.changed
        );
        return Ok(Some(Broken {
            promise: "planning again makes no write",
            how,
        }));
    }
    Ok(Evidence::gather(&stage).await?.judge())
}

/// What a history breaks. With a mistake built in: what it breaks because of that, so not without it.
fn shows(kit: &Kit, seed: u64, ops: &[Op], spoil: Option<Spoil>) -> Option<Broken> {
    let broken = watch(kit, seed, ops, spoil, &mut |_| {})?;
    let is_the_mistakes = spoil.is_none() || watch(kit, seed, ops, None, &mut |_| {}).is_none();
    is_the_mistakes.then_some(broken)
}

/// Takes away what a failure does not need: ever smaller pieces, as long as the same promise is broken.
#[must_use]
pub fn shorten(
    kit: &Kit,
    seed: u64,
    ops: Vec<Op>,
    broken: Broken,
    spoil: Option<Spoil>,
) -> (Vec<Op>, Broken) {
    let (mut ops, mut broken) = (ops, broken);
    let mut piece = ops.len().div_ceil(2);
    while piece > 0 {
        let mut from = 0;
        let mut shorter = false;
        while from < ops.len() {
            let mut fewer = ops.clone();
            fewer.drain(from..(from + piece).min(ops.len()));
            let same = |other: &Broken| {
                other.promise == broken.promise && !KNOWN.iter().any(|known| (known.shows)(other))
            };
            match shows(kit, seed, &fewer, spoil).filter(same) {
                Some(other) => {
                    (ops, broken) = (fewer, other);
                    shorter = true;
                }
                None => from += piece,
            }
        }
        if !(shorter && piece == 1) {
            piece /= 2;
        }
    }
    (ops, broken)
}

/// What many histories came to.
#[derive(Debug, Default)]
pub struct Report {
    /// Histories that were played.
    pub played: u64,
    /// Those that broke a promise, shortened, in the order in which they were found.
    pub failures: Vec<Failure>,
    /// How often each mistake of [`KNOWN`] was met.
    pub known: std::collections::BTreeMap<&'static str, u64>,
}

/// Which histories are played, and how.
#[derive(Debug, Clone, Copy)]
pub struct Order {
    /// The first seed.
    pub first: u64,
    /// How many seeds.
    pub count: u64,
    /// Histories at a time.
    pub threads: usize,
    /// Ends early after so many failures.
    pub failures_max: usize,
    /// What is drawn from.
    pub scope: Scope,
    /// A network that makes the host look bad.
    pub spoil: Option<Spoil>,
}

/// Plays many histories.
#[must_use]
pub fn play_many(kit: &Kit, order: Order) -> Report {
    let next = AtomicU64::new(0);
    let report = Mutex::new(Report::default());
    let one = || {
        loop {
            let offset = next.fetch_add(1, Ordering::Relaxed);
            if offset >= order.count || lock(&report).failures.len() >= order.failures_max {
                return;
            }
            play_one(kit, order.first + offset, order, &report);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..order.threads {
            std::thread::Builder::new()
                .stack_size(STACK_BYTES)
                .spawn_scoped(scope, one)
                .expect("threads can be started");
        }
    });
    report
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn play_one(kit: &Kit, seed: u64, order: Order, report: &Mutex<Report>) {
    let ops = draw::history(seed, order.scope);
    let drawn = ops.len();
    let broken = shows(kit, seed, &ops, order.spoil);
    lock(report).played += 1;
    let Some(broken) = broken else { return };
    if let Some(known) = KNOWN.iter().find(|known| (known.shows)(&broken)) {
        *lock(report).known.entry(known.what).or_default() += 1;
        return;
    }
    let (ops, broken) = shorten(kit, seed, ops, broken, order.spoil);
    lock(report).failures.push(Failure {
        seed,
        ops,
        drawn,
        broken,
    });
}

/// A runtime to build a [`Kit`] on, on a thread that can run guests.
///
/// # Errors
/// What [`Kit::new`] says.
pub fn kit() -> anyhow::Result<Arc<Kit>> {
    let built = std::thread::Builder::new()
        .stack_size(STACK_BYTES)
        .spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().build()?;
            runtime.block_on(Kit::new())
        })?
        .join();
    let kit = built.map_err(|_| anyhow::anyhow!("the kit could not be built"))??;
    Ok(Arc::new(kit))
}
