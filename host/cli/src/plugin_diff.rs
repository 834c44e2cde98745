//! `cosell plugin diff`.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the command line may"
)]

use std::path::PathBuf;
use std::process::ExitCode;

use cosell_host::verbs::{self, DealDiff, Scope, SetDiff};

use crate::plan::{print_write, progress, word};
use crate::screen::{On, count, named};

/// Arguments of `cosell plugin diff`.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("scope").required(true)), after_help = "Examples:
  cosell plugin diff 50-acme.wasm --all             every deal, with the set that serves and with this file in it
  cosell plugin diff new/50-acme.wasm --since 7d    only deals of the last week
  cosell plugin diff 50-acme.wasm --all --budget 5  a gate for a pipeline: fails when more than five deals would differ")]
pub(crate) struct Args {
    #[command(flatten)]
    on: On,
    /// The component. It takes the place of the plugin of the same file name in the set that serves; an operator file beside it is read.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// One deal, also one that the host has never heard of.
    #[arg(long, value_name = "ID", group = "scope")]
    deal: Option<String>,
    /// Deals and records that changed at this moment or later.
    #[arg(long, value_name = "WHEN", group = "scope")]
    since: Option<String>,
    /// The deal of a file of `cosell plugin record`, as it was then. Calls neither side.
    #[arg(long, value_name = "FILE", group = "scope")]
    recording: Option<PathBuf>,
    /// Every deal, and every record that could become one.
    #[arg(long, group = "scope")]
    all: bool,
    /// Only this connection.
    #[arg(long, value_name = "ID")]
    connection: Option<String>,
    /// So many deals may differ before the exit code is 1.
    #[arg(long, value_name = "DEALS", default_value_t = 0)]
    budget: usize,
}

pub(crate) async fn diff(args: Args) -> anyhow::Result<ExitCode> {
    let (desk, candidate) = cosell_host::app::desk_and_candidate(&args.on.config()?, &args.file)?;
    if let Some(file) = &args.recording {
        let recording = crate::plugin_replay::read(file)?;
        let serving = desk.plugins.current();
        let diff = verbs::diff_recording(&desk, &serving, &candidate, &recording).await?;
        return ended(&args, &diff);
    }
    let scope = match (&args.deal, &args.since) {
        (Some(deal), _) => Scope::Deal(deal.clone()),
        (None, Some(when)) => Scope::Since(verbs::since(when, desk.now())?),
        (None, None) => Scope::All,
    };
    let connection = args.connection.as_deref();
    let diff = verbs::diff(desk, candidate, connection, &scope, &progress()).await?;
    ended(&args, &diff)
}

fn ended(args: &Args, diff: &SetDiff) -> anyhow::Result<ExitCode> {
    args.on.say(diff, print)?;
    let is_fine = diff.deals.len() <= args.budget && diff.unjudged.is_empty();
    Ok(if is_fine {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn print(diff: &SetDiff) {
    for deal in &diff.deals {
        print_deal(deal);
        println!();
    }
    for one in &diff.unjudged {
        println!("! not judged: {one}");
    }
    for notice in &diff.notices {
        println!("! {notice}");
    }
    println!(
        "{} would be planned otherwise, {} the same",
        count(diff.deals.len(), "deal"),
        diff.same
    );
    println!("nothing was written: both plans are previews");
}

fn print_deal(deal: &DealDiff) {
    let lane = deal
        .lane
        .map_or_else(|| "new".to_owned(), |lane| format!("lane {lane}"));
    let becomes = if deal.now == deal.then {
        word(deal.now).to_owned()
    } else {
        format!("{} → {}", word(deal.now), word(deal.then))
    };
    println!("{} · {lane} · {becomes}", named(deal.name.as_deref()));
    if let Some(reason) = &deal.reason {
        println!("  {reason}");
    }
    for line in &deal.tells {
        println!("  {line}");
    }
    for (title, writes) in [
        ("no longer", &deal.no_longer),
        ("with the candidate", &deal.only_then),
    ] {
        for write in writes {
            println!("  {title}:");
            print_write(write);
        }
    }
}
