//! The self-test: what a file has to stand before it is proposed.
//!
//! Golden examples and the same answer twice are part of every load (see `load.rs`). Here is the rest of what `cosell plugin test` tries, as far as it
//! fits into the time that somebody waits who has saved a file: the file alone meets the standard deal and strange deals ([`alone`]), and all that
//! would serve with it has to read back what it writes ([`together`]). What a file broke is told with its law, the deal that shows it and the command
//! that shows it again.
//!
//! It is bounded: [`CASES`] strange deals for each question within [`ALONE`], one round trip of the standard deal within [`TOGETHER`], and only where
//! that fails one more for what served before and for each file that is new. Where the time runs out, what was tried until then counts. Strange deals are those with
//! which `cosell plugin test` begins, so nothing is refused here that an author was not told there.
//!
//! What has passed is remembered beside the compiled components, by versions, settings, limits and this host's own version: neither a restart nor a
//! command beside the host tries it again.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

use crate::author::exam::{Finding, standard_deal};
use crate::author::{laws, total};
use crate::engine::Engine;
use crate::plugin::Plugin;
use crate::rejection::{Broken, Phase, Rejection, RejectionKind};
use crate::set::PluginSet;

/// Of the strange deals; the default of `cosell plugin test`.
const SEED: u64 = 1;
/// Strange deals for each question: a compiled mapping answers them in 50 ms, a script in 300.
const CASES: u32 = 25;
/// For strange deals. A Python guest meets half of them in it.
const ALONE: Duration = Duration::from_millis(500);
/// For making a strange deal that shows something small.
const SMALLER: Duration = Duration::from_millis(500);
/// For one round trip of the whole chain: the stock plugins need 20 ms.
const TOGETHER: Duration = Duration::from_secs(1);

/// The plugin by itself: it answers about the standard deal, in columns that it declared; and whatever a deal holds, it does not break, writes
/// nothing undeclared, and says one thing.
///
/// # Errors
/// The rejection, with the law and the deal that shows it.
pub(crate) fn alone(plugin: &Arc<Plugin>) -> Result<(), Rejection> {
    let engine = &plugin.guest.engine;
    let set = PluginSet::new(engine.clone(), 0, vec![Arc::clone(plugin)], None);
    let name = name("alone", set.terms());
    if has_passed(engine, &name) {
        return Ok(());
    }
    let patience = total::Patience {
        until: Some(Instant::now() + ALONE),
        smaller: Some(SMALLER),
    };
    let broken = standard_deal(plugin)
        .into_iter()
        .next()
        .map(|finding| ("standard-deal", finding))
        .or_else(|| Some(("total", total::first(plugin, SEED, CASES, patience)?)));
    // They were brought up for this alone, and belong to no connection.
    plugin.guest.drop_warm();
    match broken {
        None => {
            passed(engine, &name);
            Ok(())
        }
        Some((law, finding)) => Err(rejection(plugin, Phase::Laws, law, vec![finding])),
    }
}

/// What would serve, all together: it reads back what it writes. `new` are the versions that come, in file-name order; each takes the place of what
/// serves by its file or its id. Answers those that break it, each with its file: what was broken before is not theirs, and of two that contradict
/// each other the later one is told.
pub(crate) fn together(
    engine: &Engine,
    serving: &[Arc<Plugin>],
    new: &[Arc<Plugin>],
) -> Vec<(String, Rejection)> {
    // On a thread of its own: it waits for guests, and whoever asks from within a runtime would wait for ever there. A bug in us is no fault of a file.
    let judged =
        std::thread::scope(|scope| scope.spawn(|| contradicting(engine, serving, new)).join());
    let blamed = judged.unwrap_or_else(|_| {
        tracing::error!("the round trip of all plugins together could not be tried: the host itself failed over it; please report it");
        Vec::new()
    });
    for plugin in new {
        plugin.health.begin();
        plugin.pace.begin();
    }
    blamed
}

fn contradicting(
    engine: &Engine,
    serving: &[Arc<Plugin>],
    new: &[Arc<Plugin>],
) -> Vec<(String, Rejection)> {
    let all = chain(engine, serving, new);
    let whole = name("together", all.terms());
    if new.is_empty() || has_passed(engine, &whole) {
        return Vec::new();
    }
    let mut found = trip(&all);
    if !found.is_empty() {
        let before = trip(&chain(engine, serving, &[]));
        found.retain(|one| !has(&before, one));
    }
    if found.is_empty() {
        passed(engine, &whole);
        return Vec::new();
    }
    let mut kept: Vec<Arc<Plugin>> = Vec::new();
    let mut blamed: Vec<(String, Rejection)> = Vec::new();
    for plugin in new {
        kept.push(Arc::clone(plugin));
        let told = trip(&chain(engine, serving, &kept));
        let told: Vec<Finding> = told.into_iter().filter(|one| has(&found, one)).collect();
        if !told.is_empty() {
            kept.pop();
            let why = rejection(plugin, Phase::Set, "round-trip", told);
            blamed.push((plugin.file.clone(), why));
        }
    }
    blamed
}

/// What serves with these in it.
fn chain(engine: &Engine, serving: &[Arc<Plugin>], new: &[Arc<Plugin>]) -> PluginSet {
    let mut plugins = serving.to_vec();
    for plugin in new {
        plugins.retain(|other| other.file != plugin.file && other.id() != plugin.id());
        plugins.push(Arc::clone(plugin));
    }
    plugins.sort_by(|a, b| a.file.cmp(&b.file));
    PluginSet::new(engine.clone(), 0, plugins, None)
}

/// What fails of one round trip.
fn trip(set: &PluginSet) -> Vec<Finding> {
    let found = wait(laws::findings(set, Some(Instant::now() + TOGETHER)));
    for plugin in &set.chain.plugins {
        plugin.guest.drop_connection("");
    }
    found.into_iter().filter(|one| !one.is_note).collect()
}

fn has(found: &[Finding], one: &Finding) -> bool {
    let is_it = |other: &Finding| (&other.about, &other.told) == (&one.about, &one.told);
    found.iter().any(is_it)
}

fn rejection(
    plugin: &Plugin,
    phase: Phase,
    law: &'static str,
    findings: Vec<Finding>,
) -> Rejection {
    let what = match law {
        "standard-deal" => "it does not answer about the standard deal of the contract",
        "total" => "there are deals over which it breaks",
        _ => "what is written with it is not read back",
    };
    let input = findings.iter().find_map(|one| one.input.clone());
    let told = findings
        .into_iter()
        .map(|one| format!("{}: {}", one.about, one.told));
    Rejection {
        file: plugin.file.clone(),
        plugin: Some(plugin.id().to_owned()),
        hash: Some(plugin.sha256.clone()),
        broken: Some(Box::new(Broken { law, input })),
        ..Rejection::new(phase, RejectionKind::Law, what)
    }
    .because(told)
    .with_hint(format!(
        "mend it; `cosell plugin test` tries this law (\"{law}\") and all others with more deals. To let it serve all the same, write laws = \"warn\" into its operator file"
    ))
}

/// Names what passed: another host version may try other deals.
fn name(what: &str, terms: &str) -> [u8; 32] {
    let version = env!("CARGO_PKG_VERSION");
    Sha256::digest(format!("{what} {terms} {version} {SEED} {CASES}")).into()
}

fn has_passed(engine: &Engine, name: &[u8; 32]) -> bool {
    engine.cache().is_some_and(|cache| cache.has_passed(name))
}

fn passed(engine: &Engine, name: &[u8; 32]) {
    if let Some(cache) = engine.cache() {
        cache.passed(name);
    }
}

/// Waits on this thread, which must not be one that a runtime works on: there, tokio lets nobody go on who does not give way. Guests answer on threads of
/// their own.
fn wait<T>(work: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut work = pin!(work);
    loop {
        if let Poll::Ready(done) = work.as_mut().poll(&mut context) {
            return done;
        }
        std::thread::park();
    }
}
