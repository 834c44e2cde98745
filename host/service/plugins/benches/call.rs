//! What a question costs: every question of every stock plugin, about the standard deal of the contract with a full row and all that hangs from
//! it, on a warm instance and on one of its own.
//!
//! Printed beside the floors of the same run: a bare call into WebAssembly, and for each question what wasmtime alone takes to carry the same
//! values there and back, on an instance that nobody limits, watches or shares. Ends with a failure when a call takes more than twice that, or
//! one on a fresh instance, from bringing it up to taking it down, is over its budget. `COSELL_BENCH_PLUGINS` names another folder than
//! `target/plugins`.
//!
//! The example script and the example table come after them, where their engines are built; of a script the warm call has a budget, because a
//! fresh instance has to read it first.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench talks to the person before it"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use cosell_plugins::trial::Trial;
use cosell_plugins::{Candidate, Engine, EngineSettings};
use cosell_sync::deal::Money;
use cosell_sync::row::{Cell, Choice, Needs, Related, Row, Seen};

/// What a question on an instance of its own may take.
const BUDGET: Duration = Duration::from_micros(100);
/// What a question on a warm instance may take.
const WARM_BUDGET: Duration = Duration::from_micros(20);
/// And of what the same question takes wasmtime alone.
const BARE_FACTOR: f64 = 2.0;
/// What a question to a script may take on a warm instance.
const SCRIPT_BUDGET: Duration = Duration::from_micros(60);
/// Calls over which a median is taken.
const CALLS: usize = 2_000;
/// Calls before them: the processor has to have seen the code.
const WARM_UP: usize = 200;
/// A shared machine is slow now and then: the best of so many medians counts.
const TRIES: usize = 5;

fn main() -> ExitCode {
    let bare = bare_call();
    println!("a bare call into WebAssembly {:>23} ns", bare.as_nanos());
    let mut plugins = components();
    if plugins.is_empty() {
        eprintln!("no component to measure: `cargo xtask plugins` builds the stock plugins");
        return ExitCode::FAILURE;
    }
    let engine = Engine::new(EngineSettings::default()).expect("this machine runs WebAssembly");
    let texts = tempfile::tempdir().expect("a folder for engines and examples");
    plugins.extend(run_by_engines(texts.path()));
    println!(
        "{:<36} {:>7} {:>11} {:>7} {:>11} {:>11}",
        "question", "cells", "bare", "factor", "warm", "fresh"
    );
    let mut over = 0;
    for path in plugins {
        let trial = match Trial::load(&engine, &path) {
            Ok(trial) => trial,
            Err(refused) => {
                eprintln!("{}: {refused}", path.display());
                return ExitCode::FAILURE;
            }
        };
        for name in trial.questions() {
            let subject = Subject::of(&trial.needs(), name);
            let put = trial.put(name, subject.seen.as_ref(), &subject.candidates);
            let (warm, fresh) = (median(|| put.ask()), median(|| put.ask_fresh()));
            let is_component = path.extension().is_some_and(|ending| ending == "wasm");
            let bare = is_component.then(|| {
                let bytes = std::fs::read(&path).expect("it was loaded from there");
                let bare = put.bare(&bytes).expect("it was brought up before");
                median(|| bare.ask())
            });
            let factor = bare.map(|bare| warm.as_secs_f64() / bare.as_secs_f64());
            let is_over = if is_component {
                fresh > BUDGET
                    || warm > WARM_BUDGET
                    || factor.is_some_and(|factor| factor > BARE_FACTOR)
            } else {
                warm > SCRIPT_BUDGET
            };
            let verdict = if is_over { "over" } else { "" };
            over += usize::from(is_over);
            let question = format!("{} {name}", trial.id());
            println!(
                "{question:<36} {:>7} {:>11} {:>7} {:>8.1} µs {:>8.1} µs  {verdict}",
                subject.cells(),
                bare.map_or_else(String::new, |bare| format!("{:.1} µs", micros(bare))),
                factor.map_or_else(String::new, |factor| format!("{factor:.2}")),
                micros(warm),
                micros(fresh)
            );
        }
    }
    if over > 0 {
        eprintln!(
            "{over} questions take more than {} µs on a fresh instance, {} µs or {BARE_FACTOR} times the bare call on a warm one, or of a script or table {} µs",
            BUDGET.as_micros(),
            WARM_BUDGET.as_micros(),
            SCRIPT_BUDGET.as_micros()
        );
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn components() -> Vec<PathBuf> {
    let target = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../target/plugins");
    let folder = std::env::var_os("COSELL_BENCH_PLUGINS").map_or(target, PathBuf::from);
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "wasm"))
        .collect();
    files.sort();
    files
}

/// The examples whose engine is built, each beside its engine.
fn run_by_engines(folder: &Path) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let examples = [
        ("script.engine.wasm", "script/50-acme.js"),
        ("table.engine.wasm", "table/50-acme.table.toml"),
    ];
    let copied = examples.into_iter().filter_map(|(engine, example)| {
        let from = root.join("examples").join(example);
        let to = folder.join(from.file_name()?);
        std::fs::copy(
            root.join("target/engines").join(engine),
            folder.join(engine),
        )
        .ok()?;
        std::fs::copy(from, &to).ok()?;
        Some(to)
    });
    copied.collect()
}

fn median(ask: impl Fn() -> Result<(), String>) -> Duration {
    for _ in 0..WARM_UP {
        ask().expect("a stock plugin answers");
    }
    let one = || {
        let mut took: Vec<_> = (0..CALLS)
            .map(|_| {
                let began = Instant::now();
                black_box(ask()).expect("it has answered before");
                began.elapsed()
            })
            .collect();
        took.sort_unstable();
        took[took.len() / 2]
    };
    (0..TRIES).map(|_| one()).min().unwrap_or_default()
}

#[allow(clippy::cast_precision_loss, reason = "shown with one digit")]
fn micros(duration: Duration) -> f64 {
    duration.as_nanos() as f64 / 1_000.0
}

/// The record that a question is about, with a value in every column that the plugin reads.
struct Subject {
    seen: Option<Seen>,
    candidates: Vec<Candidate>,
}

impl Subject {
    fn of(needs: &Needs, question: &str) -> Self {
        let table = match question.split('.').next().unwrap_or_default() {
            "lead" => "lead",
            "account" => "account",
            "contact" => "contact",
            "country" if question.ends_with("to-row") => "account",
            _ if !needs.reads.contains_key("opportunity") && needs.reads.contains_key("lead") => {
                "lead"
            }
            _ => "opportunity",
        };
        let row = row(table, 1, columns(needs, table));
        let candidates = if question.ends_with(".choose") {
            // Two hits: one to be preferred, one to be passed over.
            let found_by = ["domain", "name", "mail", "duns"]
                .map(str::to_owned)
                .to_vec();
            let again = self::row(table, 2, columns(needs, table));
            [row, again]
                .map(|row| Candidate {
                    row,
                    found_by: found_by.clone(),
                })
                .to_vec()
        } else {
            let related = needs.joins.iter().map(|join| Related {
                label: join.label.clone(),
                rows: vec![self::row(
                    &join.table,
                    3,
                    join.columns.iter().cloned().collect(),
                )],
            });
            let seen = Seen {
                related: related.collect(),
                row,
            };
            return Self {
                seen: Some(seen),
                candidates: Vec::new(),
            };
        };
        Self {
            seen: None,
            candidates,
        }
    }

    fn cells(&self) -> usize {
        let seen = self.seen.iter().flat_map(|seen| {
            std::iter::once(&seen.row).chain(seen.related.iter().flat_map(|related| &related.rows))
        });
        let found = self.candidates.iter().map(|candidate| &candidate.row);
        seen.chain(found).map(|row| row.cells.len()).sum()
    }
}

/// All columns of the table that the plugin may read.
fn columns(needs: &Needs, table: &str) -> BTreeSet<String> {
    let own = needs.brings.iter().filter(|own| own.table == table);
    let read = [&needs.reads, &needs.asks]
        .into_iter()
        .filter_map(|columns| columns.get(table));
    read.flatten()
        .cloned()
        .chain(own.map(|own| own.column.clone()))
        .collect()
}

fn row(table: &str, number: u8, columns: BTreeSet<String>) -> Row {
    let cells: BTreeMap<_, _> = columns
        .into_iter()
        .map(|column| {
            let cell = cell(&column);
            (column, cell)
        })
        .collect();
    Row {
        table: table.to_owned(),
        id: format!("0c0c0c0c-0000-4000-8000-{number:012}"),
        cells,
    }
}

/// A value such as the column holds in an organisation of everyday.
fn cell(column: &str) -> Cell {
    match column {
        "estimatedvalue" | "estimatedamount" | "budgetamount" => Cell::Money(Money {
            amount: "125000.00".parse().expect("a number"),
            currency: "EUR".to_owned(),
        }),
        "numberofemployees" => Cell::Integer(120),
        "msft_microsoftpartnercenterhelp" => choice(299_600_005),
        "msft_microsoftpartnercenterreferralsync"
        | "msft_microsoftpartnercenterreferralvisible" => Cell::Bool(true),
        "isrevenuesystemcalculated" => Cell::Bool(false),
        "statecode" => choice(0),
        "statuscode" => choice(1),
        "description" => Cell::Text("Wants to move its data warehouse before the year ends, and asks who has done that before. ".repeat(4)),
        "emailaddress1" => Cell::Text("anna.kovacs@contoso.example".to_owned()),
        "websiteurl" => Cell::Text("https://www.contoso.example/".to_owned()),
        "address1_country" => Cell::Text("Hungary".to_owned()),
        "address1_postalcode" => Cell::Text("1051".to_owned()),
        "isocurrencycode" => Cell::Text("EUR".to_owned()),
        day if day.ends_with("date") => Cell::Date("2026-12-15".parse().expect("a day")),
        _ => Cell::Text("Data platform".to_owned()),
    }
}

fn choice(code: i32) -> Cell {
    Cell::Choice(Choice { code, label: None })
}

/// The floor: a core function of one argument, called from the host.
fn bare_call() -> Duration {
    let module = {
        use wasm_encoder::{
            CodeSection, ExportKind, ExportSection, Function, FunctionSection, Module, TypeSection,
            ValType,
        };
        let (mut types, mut functions, mut exports, mut code) = (
            TypeSection::new(),
            FunctionSection::new(),
            ExportSection::new(),
            CodeSection::new(),
        );
        types.ty().function([ValType::I32], [ValType::I32]);
        functions.function(0);
        exports.export("same", ExportKind::Func, 0);
        let mut body = Function::new([]);
        body.instructions().local_get(0).end();
        code.function(&body);
        let mut module = Module::new();
        module
            .section(&types)
            .section(&functions)
            .section(&exports)
            .section(&code);
        module.finish()
    };
    let engine = wasmtime::Engine::default();
    let module = wasmtime::Module::from_binary(&engine, &module).expect("the module is valid");
    let mut store = wasmtime::Store::new(&engine, ());
    let instance = wasmtime::Instance::new(&mut store, &module, &[]).expect("it imports nothing");
    let same = instance
        .get_typed_func::<i32, i32>(&mut store, "same")
        .expect("it was exported");
    let calls = 1_000_000_u32;
    let began = Instant::now();
    for _ in 0..calls {
        same.call(&mut store, black_box(7)).expect("it cannot trap");
    }
    began.elapsed() / calls
}
