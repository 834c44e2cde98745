//! `cosell plugin inspect`.

use std::path::PathBuf;
use std::process::ExitCode;

use cosell_plugins::author::{Inspection, inspect as look};

use super::{Engines, grouped, mebibytes};

/// Arguments of `cosell plugin inspect`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The component, script or table. An operator file beside it is read.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// One JSON object on stdout instead of lines: what the file says without being run.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    engines: Engines,
}

pub(crate) fn inspect(args: &Args) -> anyhow::Result<ExitCode> {
    let inspection = look(&super::engine()?, &args.file, &args.engines.folders());
    if args.json {
        println!("{}", serde_json::to_string_pretty(&inspection)?);
    } else {
        print(&inspection);
    }
    Ok(if inspection.report.verdict.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn print(inspection: &Inspection) {
    println!("{}", inspection.report);
    println!("without running it");
    println!("  sha256    {}", inspection.sha256);
    println!("  contract  this host speaks {}", inspection.contract);
    match inspection.stamps.title() {
        Some(title) => println!("  stamped   {title}"),
        None if !inspection.file.ends_with(".wasm") => {
            println!("  stamped   nothing: a script or a table is read, and says who it is itself");
        }
        None => println!("  stamped   no manifest: `cosell plugin build` stamps one in"),
    }
    for (name, text) in &inspection.stamps.metadata {
        println!("  {name:<9} {text}");
    }
    for producer in &inspection.stamps.producers {
        println!("  made by   {producer}");
    }
    for (name, bytes) in &inspection.sections {
        println!("  {name:<9} {} bytes", grouped(*bytes));
    }
    let limits = &inspection.limits;
    println!("limits");
    println!(
        "  time      {} ms of work a call, {} ms to come up",
        limits.call_ms, limits.start_ms
    );
    println!(
        "  memory    {}, stack {} KiB, {} core instances",
        mebibytes(limits.memory_bytes),
        limits.stack_bytes >> 10,
        limits.core_instances_max
    );
    println!(
        "  file      {} KiB, an answer {} KiB, a call's log {} KiB",
        grouped(limits.file_bytes_max >> 10),
        grouped(limits.answer_bytes_max >> 10),
        limits.log_bytes_per_call >> 10
    );
    if limits.fresh_per_call {
        println!("  instance  a new one for every call");
    }
}
