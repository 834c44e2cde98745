//! `cosell plugin replay` and `cosell plugin record`.
#![allow(clippy::print_stdout, reason = "the command line may")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use cosell_host::app;
use cosell_host::recording::{Heard, Recording};
use cosell_host::verbs::{self, Replay, Replayed};
use cosell_plugins::short_hash;
use serde_json::{Value, json};

use crate::plan::print_write;
use crate::screen::{On, count, short};

/// Letters of a value on one line.
const VALUE_CHARS: usize = 100;

/// Arguments of `cosell plugin replay`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cosell plugin replay 17                           what was asked about deal 17 in its last run, asked of what serves now
  cosell plugin replay 17 --plugin new/50-acme.wasm the same of a version that is to come: is the trap gone?
  cosell plugin replay deal.json --plugin acme.js   a file of `cosell plugin record`, with the policies of this configuration

Exit codes: 0 every answer is the one of then; 1 something differs, or was not recorded; 2 the command line was not understood.")]
pub(crate) struct ReplayArgs {
    #[command(flatten)]
    on: On,
    /// The deal, as `cosell deals` names it; or a file that `cosell plugin record` has written.
    #[arg(value_name = "DEAL|FILE")]
    what: String,
    /// Ask the set in which this file takes the place of the one of its name. Without it: what serves.
    #[arg(long, value_name = "FILE")]
    plugin: Option<PathBuf>,
    /// Which connection, when several have such a deal.
    #[arg(long, value_name = "ID")]
    connection: Option<String>,
}

/// Arguments of `cosell plugin record`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cosell plugin record 17 --out deal.json           for the author of a plugin; then, without any configuration:
  cosell plugin run 50-acme.wasm --input deal.json  what his plugin makes of it
  cosell plugin test 50-acme.wasm --recording deal.json

The same word has the same stand-in in every file of one host: look through the file before you give it away, and give it only to whom you would also
tell how your deals are made up.")]
pub(crate) struct RecordArgs {
    #[command(flatten)]
    on: On,
    /// The deal, as `cosell deals` names it.
    #[arg(value_name = "DEAL")]
    deal: String,
    /// The new file.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Which connection, when several have such a deal.
    #[arg(long, value_name = "ID")]
    connection: Option<String>,
}

pub(crate) async fn replay(args: ReplayArgs) -> anyhow::Result<ExitCode> {
    let config = args.on.config()?;
    let (desk, candidate) = match &args.plugin {
        Some(file) => {
            let (desk, set) = app::desk_and_candidate(&config, file)?;
            (desk, Some(set))
        }
        None => (app::desk(&config)?, None),
    };
    let file = Path::new(&args.what);
    let recording = if file.is_file() {
        read(file)?
    } else {
        verbs::recorded(&desk, args.connection.as_deref(), &args.what).await?
    };
    let replay = verbs::replay(&desk, candidate, &recording).await?;
    args.on.say(&replay, print)?;
    Ok(if replay.is_same() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

pub(crate) async fn record(args: RecordArgs) -> anyhow::Result<ExitCode> {
    ensure!(
        !args.out.exists(),
        "{} is there already; name a new file",
        args.out.display()
    );
    let desk = app::desk(&args.on.config()?)?;
    let recording = verbs::record(&desk, args.connection.as_deref(), &args.deal).await?;
    let text = serde_json::to_string_pretty(&recording)?;
    std::fs::write(&args.out, format!("{text}\n"))
        .with_context(|| format!("cannot write {}", args.out.display()))?;
    let told = json!({
        "file": args.out.display().to_string(), "lane": recording.lane, "reads": recording.reads.len(),
        "answers": recording.answers.len(), "pseudonymised": recording.pseudonymised,
    });
    args.on.say(&told, |_| {
        println!(
            "{}: {} and {} of deal {}, names and ids are stand-ins",
            args.out.display(),
            count(recording.reads.len(), "record"),
            count(recording.answers.len(), "answer"),
            recording.lane
        );
    })?;
    Ok(ExitCode::SUCCESS)
}

/// A file of `cosell plugin record`.
pub(crate) fn read(file: &Path) -> anyhow::Result<Recording> {
    verbs::read_recording(file).with_context(|| file.display().to_string())
}

fn print(replay: &Replay) {
    println!(
        "{}/{}, as it was at {} (set {})",
        replay.connection,
        replay.lane,
        replay.recorded,
        short_hash(&replay.set_then)
    );
    if replay.set_now == replay.set_then {
        println!("the same set is asked again");
    } else {
        println!("set {} is asked now", short_hash(&replay.set_now));
    }
    for answer in &replay.answers {
        print_answer(answer);
    }
    for gone in &replay.no_longer_asked {
        println!(
            "\n{}  is not asked any more; then: {}",
            gone.asked,
            said(gone)
        );
    }
    if let Some(unrecorded) = &replay.unrecorded {
        println!("\n! {unrecorded}; `cosell plugin diff` looks afresh");
    }
    println!("\nthe run ended then as {}", replay.ended_then);
    match (&replay.would.state, &replay.would.reason) {
        (Some(state), Some(reason)) => println!("now it would end as {state}: {reason}"),
        (Some(state), None) => println!("now it would end as {state}"),
        (None, _) => println!("now it would write"),
    }
    for write in &replay.would.writes {
        print_write(write);
    }
    println!(
        "{}; nothing was called and nothing was written",
        if replay.is_same() {
            "every answer is the one of then"
        } else {
            "not every answer is the one of then"
        }
    );
}

fn print_answer(answer: &Replayed) {
    let note = match (answer.was_asked, answer.differs.is_empty()) {
        (false, _) => "was not asked then",
        (true, true) => "as then",
        (true, false) => "DIFFERS",
    };
    println!("\n{}  {note}", answer.now.asked);
    println!("  says      {}", said(&answer.now));
    for frame in answer.now.stop["fault"]["frames"]
        .as_array()
        .into_iter()
        .flatten()
    {
        println!("            in {}", frame.as_str().unwrap_or_default());
    }
    for one in &answer.differs {
        println!("  {}", one.place);
        println!("    then    {}", value(&one.then));
        println!("    now     {}", value(&one.now));
    }
}

/// An answer in one line; a stop in its words.
fn said(heard: &Heard) -> String {
    let stop = &heard.stop;
    if stop.is_null() {
        return value(&heard.answer);
    }
    let by = stop["by"].as_str().unwrap_or_default();
    let what = stop.get("fault").map_or_else(
        || value(stop),
        |fault| {
            format!(
                "{}: {}",
                fault["kind"].as_str().unwrap_or_default(),
                fault["message"].as_str().unwrap_or_default()
            )
        },
    );
    format!("{by} stopped, {what}")
}

fn value(value: &Value) -> String {
    if value.is_null() {
        return "nothing".to_owned();
    }
    short(&value.to_string(), VALUE_CHARS)
}
