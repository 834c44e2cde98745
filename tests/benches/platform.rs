//! The plugin platform in numbers: how soon a file serves, what a thousand swaps do to the deals that run meanwhile, and whether the host answers
//! while a guest loops on the only processor. Ends with an error when a budget is missed.
//!
//! `cargo bench --workspace --bench platform`, after `cargo build --release --workspace --bins` (what compiles plugins, and the host beside the
//! looping guest, is `target/release/cosell`) and `cargo test --workspace --test toolchains -- --ignored` (builds the Python component).
//!
//! What a file waits for on purpose (`[plugins] settle_ms`) is printed, and is no part of the times.
#![allow(
    clippy::print_stdout,
    missing_docs,
    reason = "a bench talks to the person before it"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use cosell_plugins::{
    Compiler, CompilerProcess, Engine, EngineSettings, FolderSettings, PluginFolder,
};
use cosell_simulator::config::TableColumnConfig;
use cosell_simulator::{ColumnConfig, ColumnKind, SimulatorConfig};
use cosell_tests::ask::ask;
use cosell_tests::fleet::{Fleet, Order};
use cosell_tests::load::{middle, resident};
use cosell_tests::{PATIENCE, Setup, World, amount, components, program, text};
use serde_json::json;

const TRIES: usize = 5;
/// Compiled in a process of its own, checked, written down and swapped in.
const SERVES_MAX: Duration = Duration::from_secs(1);
/// The same bytes, seen before.
const CACHED_MAX: Duration = Duration::from_millis(200);
/// A host starts with a Python component that it has compiled before.
const PYTHON_MAX: Duration = Duration::from_millis(100);

const SWAPS: usize = 1_000;
/// Until here, pools and caches still fill.
const WARM_UP: usize = 200;
/// What the process may grow from there to the end; the simulator's ledger and records are in the same process.
const GROWTH_MAX: u64 = 48 * 1024 * 1024;
/// A seller's edit for every so many swaps.
const SWAPS_PER_EDIT: usize = 4;
const DEALS: usize = 20;

/// Longest answer of `/healthz` while a guest loops and host and guest share one processor.
const HEALTH_MAX: Duration = Duration::from_millis(100);
const HEALTH_ASKED: usize = 100;
/// What the log says of a deal whose plugin was stopped.
const PARKED: &str = "parked: a person is needed";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut over = Vec::new();
    let mut held = |what: &str, took: Duration, allowed: Duration| {
        println!("{what:<58} {took:>9.1?}   of {allowed:.0?} allowed");
        if took > allowed {
            over.push(format!("{what}: {took:.1?} of {allowed:.1?}"));
        }
    };
    let (cold, cached) = serves().await?;
    held(
        "a Rust component serves, after it stood still",
        cold,
        SERVES_MAX,
    );
    held("the same, compiled before", cached, CACHED_MAX);
    let slowest = answers_beside_a_loop().await?;
    held(
        "/healthz beside a guest that loops, one processor, slowest",
        slowest,
        HEALTH_MAX,
    );
    swaps().await?;
    held(
        "a host's folder with a Python component opens",
        python()?,
        PYTHON_MAX,
    );
    ensure!(over.is_empty(), "over budget: {}", over.join("; "));
    Ok(())
}

/// The example with bytes of its own: a component that nobody has compiled.
fn unseen(number: usize) -> anyhow::Result<Vec<u8>> {
    let mut bytes = std::fs::read(components("examples")?.join("50-acme.wasm"))?;
    let salt = format!("{number} {:?}", std::time::SystemTime::now());
    let name = b"bench";
    let length = u8::try_from(1 + name.len() + salt.len())?;
    ensure!(length < 0x80, "a custom section of one length byte");
    bytes.extend([0, length, u8::try_from(name.len())?]);
    bytes.extend(name);
    bytes.extend(salt.as_bytes());
    Ok(bytes)
}

/// As a copying tool that is polite: complete when it has its name.
fn drop_file(folder: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let unfinished = folder.join(".50-acme.wasm.part");
    std::fs::write(&unfinished, bytes)?;
    Ok(std::fs::rename(unfinished, folder.join("50-acme.wasm"))?)
}

/// Until the host serves another set, at a finer grain than stories need.
async fn swapped(world: &World, before: &str) -> anyhow::Result<()> {
    let began = Instant::now();
    while world.desk()?.plugins.current().hash() == before {
        ensure!(began.elapsed() < PATIENCE, "the set was never swapped");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

async fn serves() -> anyhow::Result<(Duration, Duration)> {
    let compiler = Compiler::Process(CompilerProcess::new(
        program("cosell")?,
        vec!["compile-plugin".into()],
    ));
    let world = World::set_up(Setup {
        simulator: SimulatorConfig::demo(),
        compiler: Some(compiler),
        ..Setup::default()
    })
    .await?;
    let settle = settle_of(&world)?;
    println!("a dropped file stands still for {settle:.0?} first");
    let (mut cold, mut cached) = (Vec::new(), Vec::new());
    for number in 0..TRIES {
        let bytes = unseen(number)?;
        for times in [&mut cold, &mut cached] {
            let before = world.desk()?.plugins.current().hash().to_owned();
            drop_file(&world.folder, &bytes)?;
            let began = Instant::now();
            swapped(&world, &before).await?;
            times.push(began.elapsed().saturating_sub(settle));
            let before = world.desk()?.plugins.current().hash().to_owned();
            std::fs::remove_file(world.folder.join("50-acme.wasm"))?;
            swapped(&world, &before).await?;
        }
    }
    world.end().await?;
    Ok((middle(cold), middle(cached)))
}

fn settle_of(world: &World) -> anyhow::Result<Duration> {
    let text = std::fs::read_to_string(&world.config)?;
    let settle = text
        .lines()
        .find_map(|line| line.strip_prefix("settle_ms = "))
        .context("the configuration says how long a file has to stand still")?;
    Ok(Duration::from_millis(settle.parse()?))
}

/// A thousand times another set while sellers edit. No deal fails, no run sees two sets, and memory stays.
///
/// The example writes a constant into every opportunity, by a setting that each swap changes. What a changed constant would write to deals that are
/// linked already is not written (`mapping_changes`), unless one run asks two sets: then the two answers that it compares differ in it.
async fn swaps() -> anyhow::Result<()> {
    let mut simulator = SimulatorConfig::demo();
    simulator.columns.push(TableColumnConfig {
        table: "opportunity".to_owned(),
        column: ColumnConfig {
            schema_name: "new_DealType".to_owned(),
            kind: ColumnKind::Text { max_length: 40 },
            required: false,
        },
    });
    let mut world = World::with(simulator, &[]).await?;
    world.stop_host().await;
    let config = std::fs::read_to_string(&world.config)?;
    std::fs::write(
        &world.config,
        config.replace("settle_ms = 100", "settle_ms = 0"),
    )?;
    world.start_host().await?;
    let operator = world.folder.join("50-acme.toml");
    let constant = |number: usize| format!("[settings]\ndeal-type = \"type {}\"\n", number % 2);
    std::fs::write(&operator, constant(0))?;
    drop_file(
        &world.folder,
        &std::fs::read(components("examples")?.join("50-acme.wasm"))?,
    )?;
    world.until_plugins(8).await?;
    let account = world.account("Contoso Kft.", "HU")?;
    let mut deals = Vec::new();
    for number in 0..DEALS {
        let row = world.opportunity(&account, &json!({ "name": format!("Deal {number}") }))?;
        let referral = text(&world.referral_of(&row).await?, "id");
        world.row_of(&referral).await?;
        deals.push((row, referral));
    }
    world.quiet().await?;
    let born = world
        .control()
        .ledger(0)
        .last()
        .map_or(0, |entry| entry.sequence);

    let pid = std::process::id();
    let (mut warm, mut times) = (0, Vec::new());
    let began = Instant::now();
    for swap in 1..=SWAPS {
        if swap % SWAPS_PER_EDIT == 0 {
            // The portal's edits are written to the CRM, so the example is asked.
            let edit = swap / SWAPS_PER_EDIT;
            let patch =
                json!([{ "op": "replace", "path": "/details/dealValue", "value": 20_000 + edit }]);
            world
                .control()
                .partner_user_patches(&deals[edit % DEALS].1, &patch)?;
        }
        let before = world.desk()?.plugins.current().hash().to_owned();
        let unfinished = world.folder.join(".50-acme.toml.part");
        std::fs::write(&unfinished, constant(swap))?;
        let asked = Instant::now();
        std::fs::rename(unfinished, &operator)?;
        swapped(&world, &before).await?;
        times.push(asked.elapsed());
        if swap == WARM_UP {
            warm = resident(pid)?;
        }
    }
    let took = began.elapsed();
    let edits = SWAPS / SWAPS_PER_EDIT;
    for (number, (row, referral)) in deals.iter().enumerate() {
        let last = (1..=edits).rev().find(|edit| edit % DEALS == number);
        let wanted = last.map(|edit| 20_000.0 + f64::from(u32::try_from(edit).unwrap_or(0)));
        world
            .until("the last edit", |control| {
                let there = control.referral(referral)?["details"]["dealValue"].clone();
                let here = control.row("opportunity", row)?["new_dealvalue"].clone();
                let stock = control.row("opportunity", row)?["estimatedvalue"].clone();
                let arrived = [here, stock].iter().any(|value| amount(value) == wanted);
                (amount(&there) == wanted && arrived).then_some(())
            })
            .await?;
    }
    let grown = resident(pid)?.saturating_sub(warm);
    let mixed: BTreeSet<_> = world
        .control()
        .ledger(born)
        .into_iter()
        .filter(|entry| entry.changed.iter().any(|column| column == "new_dealtype"))
        .map(|entry| entry.record)
        .collect();
    println!(
        "{SWAPS} swaps in {took:.1?} under {edits} edits: {:.1?} each in the middle; {} deals failed, {} runs saw two sets, {:.1} MiB grown of {} allowed",
        middle(times),
        world
            .status()
            .await?
            .deals
            .iter()
            .filter(|deal| deal.state == "parked")
            .count(),
        mixed.len(),
        mib(grown),
        GROWTH_MAX / 1024 / 1024
    );
    ensure!(mixed.is_empty(), "runs saw two sets: {mixed:?}");
    ensure!(
        grown <= GROWTH_MAX,
        "the process grew by {:.1} MiB from swap {WARM_UP} to {SWAPS}",
        mib(grown)
    );
    // Nothing parked, nothing doubled.
    world.end().await
}

#[allow(clippy::cast_precision_loss, reason = "shown with one digit")]
fn mib(bytes: u64) -> f64 {
    bytes as f64 / 1024.0 / 1024.0
}

/// The slowest answer of a host on one processor while its guest loops.
async fn answers_beside_a_loop() -> anyhow::Result<Duration> {
    let cosell = program("cosell")?;
    let mut fleet = Fleet::start(Order::of(&cosell)).await?;
    let host = &mut fleet.hosts[0];
    // Long calls, so that somebody loops most of the time.
    let config = std::fs::read_to_string(&host.config)?;
    std::fs::write(
        &host.config,
        config.replace("[limits]\n", "[limits]\nplugin_call_ms = 2000\n"),
    )?;
    host.stop().await?;
    host.start().await?;
    let pid = host.id().context("the host has ended")?;
    let address = host.address;
    let pinned = Command::new("taskset")
        .args(["--all-tasks", "--pid", "--cpu-list", "0"])
        .arg(pid.to_string())
        .output()
        .context("`taskset` pins the host to one processor; it is part of util-linux")?;
    ensure!(
        pinned.status.success(),
        "the host cannot be pinned: {pinned:?}"
    );
    // It breaks a law of the contract, and loops in deals only because its operator lets it in.
    std::fs::write(fleet.dir.join("plugins/60-loops.toml"), "laws = \"warn\"\n")?;
    std::fs::copy(
        components("hostile")?.join("loops.wasm"),
        fleet.dir.join("plugins/60-loops.wasm"),
    )?;
    log_says(&fleet, "loops 0.1.0").await?;
    let mut people = cosell_tests::fleet::people::People::new(fleet.control(), 1)?;
    for _ in 0..DEALS {
        people.portal_begins()?;
    }
    let mut slowest = Duration::ZERO;
    let (began, mut asked) = (Instant::now(), 0);
    // Until a deal was stopped for looping: then somebody has looped all the while.
    while asked < HEALTH_ASKED || !fleet.any_log_says(PARKED) {
        ensure!(
            began.elapsed() < PATIENCE,
            "no guest was ever stopped for looping:\n{}",
            fleet.logs()
        );
        let since = Instant::now();
        let answer = ask(address, "GET /healthz HTTP/1.1", "").await?;
        ensure!(answer.starts_with("HTTP/1.1 200"), "unhealthy: {answer}");
        slowest = slowest.max(since.elapsed());
        asked += 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(slowest)
}

async fn log_says(fleet: &Fleet, words: &str) -> anyhow::Result<()> {
    let began = Instant::now();
    while !fleet.any_log_says(words) {
        ensure!(
            began.elapsed() < PATIENCE,
            "no host ever said \"{words}\":\n{}",
            fleet.logs()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// What a host waits for at a start: its folder, with a component of Python's that it has compiled before.
fn python() -> anyhow::Result<Duration> {
    let built: PathBuf = components("tmp")?.join("toolchain-python/python/dist");
    let component = std::fs::read_dir(&built)
        .ok()
        .and_then(|mut entries| {
            entries.find_map(|entry| {
                let path = entry.ok()?.path();
                path.extension()
                    .is_some_and(|ending| ending == "wasm")
                    .then_some(path)
            })
        })
        .with_context(|| {
            format!(
                "no Python component in {}: `cargo test --workspace --test toolchains -- --ignored` builds one",
                built.display()
            )
        })?;
    let home = tempfile::tempdir()?;
    let folder = home.path().join("plugins");
    std::fs::create_dir(&folder)?;
    std::fs::copy(&component, folder.join("50-python.wasm"))?;
    let mut operator = component.with_extension("toml");
    if !operator.exists() {
        operator =
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/python/50-python.toml");
    }
    if operator.exists() {
        std::fs::copy(operator, folder.join("50-python.toml"))?;
    }
    let open = || -> anyhow::Result<Duration> {
        let engine = Engine::new(EngineSettings {
            cache_dir: Some(home.path().join("cache")),
            ..EngineSettings::default()
        })?;
        let began = Instant::now();
        let opened = PluginFolder::open(engine, &folder, FolderSettings::default(), |_| {})?;
        let took = began.elapsed();
        ensure!(
            opened.current().plugins().len() == 1,
            "the component was refused: {:?}",
            opened.refused()
        );
        Ok(took)
    };
    let first = open()?;
    println!("{} compiles in {first:.1?}", component.display());
    Ok(middle(
        (0..TRIES).map(|_| open()).collect::<Result<_, _>>()?,
    ))
}
