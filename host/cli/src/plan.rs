//! `cosell plan`.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the command line may"
)]

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use cosell_host::pipeline::{PreviewedField, PreviewedWrite};
use cosell_host::verbs::{self, Plan, Planned, Scope, Summary, Would};

use crate::screen::{On, Table, id, named, short};

/// More deals than this, and a person at a terminal is told how far it is.
const MANY: usize = 20;

/// How an empty cell is told.
const NOTHING: &str = "nothing";

/// Arguments of `cosell plan`.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("scope").required(true)), after_help = "Examples:
  cosell plan --all                  before the first `cosell run`, too: what it would create, update, hold and ask
  cosell plan --since 24h            what has changed in a day: 90m, 24h, 7d, 2w, 2026-01-31, 2026-01-31T08:00:00Z
  cosell plan --deal 7f3c12ab        one deal, by lane number, referral id or row id
  cosell plan --all --json > plan.json")]
pub(crate) struct Args {
    #[command(flatten)]
    on: On,
    /// One deal, also one that the host has never heard of.
    #[arg(long, value_name = "ID", group = "scope")]
    deal: Option<String>,
    /// Deals and records that changed at this moment or later.
    #[arg(long, value_name = "WHEN", group = "scope")]
    since: Option<String>,
    /// Every deal, and every record that could become one.
    #[arg(long, group = "scope")]
    all: bool,
    /// Only this connection.
    #[arg(long, value_name = "ID")]
    connection: Option<String>,
}

pub(crate) async fn plan(args: Args) -> anyhow::Result<ExitCode> {
    let desk = cosell_host::app::desk(&args.on.config()?)?;
    let scope = match (&args.deal, &args.since) {
        (Some(deal), _) => Scope::Deal(deal.clone()),
        (None, Some(when)) => Scope::Since(verbs::since(when, desk.now())?),
        (None, None) => Scope::All,
    };
    let plan = verbs::plan(&desk, args.connection.as_deref(), &scope, &progress()).await?;
    let one = args.deal.is_some();
    args.on.say(&plan, |plan| print(plan, one))?;
    Ok(if plan.summary.unjudged > 0 || !plan.notices.is_empty() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Tells a person at a terminal how far it is, when it takes long.
pub(crate) fn progress() -> impl Fn(usize, usize) + Sync {
    let is_watched = std::io::stderr().is_terminal();
    move |done, all| {
        if is_watched && all > MANY {
            eprint!("\r{done} of {all} deals looked at");
            if done == all {
                eprintln!();
            }
            // A progress that cannot be shown is no failure.
            let _ = std::io::stderr().flush();
        }
    }
}

fn print(plan: &Plan, one: bool) {
    let is_quiet =
        |deal: &&Planned| matches!(deal.would, Would::InStep | Would::Skip) && deal.asks.is_empty();
    for deal in plan.deals.iter().filter(|deal| one || !is_quiet(deal)) {
        print_deal(deal);
        println!();
    }
    let skipped: Vec<&Planned> = plan
        .deals
        .iter()
        .filter(|deal| !one && deal.would == Would::Skip)
        .collect();
    if !skipped.is_empty() {
        println!("left alone");
        let mut table = Table::under(2);
        for deal in skipped {
            table.row([
                lane(deal),
                named(deal.name.as_deref()),
                short(deal.preview.reason.as_deref().unwrap_or_default(), 90),
            ]);
        }
        println!("{table}\n");
    }
    for notice in &plan.notices {
        println!("! {notice}");
    }
    println!("{}", in_words(&plan.summary));
    println!("nothing was written: this is a preview");
}

fn in_words(summary: &Summary) -> String {
    let Summary {
        create,
        update,
        hold,
        ask,
        skip,
        refuse,
        wait,
        in_step,
        unjudged,
    } = summary;
    let mut text =
        format!("would create {create}, update {update}, hold {hold}, ask {ask}, skip {skip}");
    for (number, what) in [(refuse, "refuse"), (wait, "wait")] {
        if *number > 0 {
            text.push_str(&format!(", {what} {number}"));
        }
    }
    if *in_step > 0 {
        text.push_str(&format!("; {in_step} in step"));
    }
    if *unjudged > 0 {
        text.push_str(&format!("; {unjudged} could not be judged"));
    }
    text
}

fn lane(deal: &Planned) -> String {
    deal.lane
        .map_or_else(|| "new".to_owned(), |lane| format!("lane {lane}"))
}

pub(crate) const fn word(would: Would) -> &'static str {
    match would {
        Would::Create => "create",
        Would::Update => "update",
        Would::Hold => "hold",
        Would::Ask => "ask",
        Would::Skip => "skip",
        Would::Refuse => "refuse",
        Would::Wait => "wait",
        Would::InStep => "in step",
        Would::Unjudged => "not judged",
    }
}

fn print_deal(deal: &Planned) {
    let preview = &deal.preview;
    let records = match (&preview.referral, &preview.crm_row) {
        (Some(referral), Some(row)) => format!(
            "referral {} ↔ {} {}",
            id(Some(referral)),
            preview.crm_table,
            id(Some(row))
        ),
        (Some(referral), None) => format!("referral {}", id(Some(referral))),
        (None, Some(row)) => format!("{} {}", preview.crm_table, id(Some(row))),
        (None, None) => "no record on either side".to_owned(),
    };
    println!(
        "{}   {} · {} · {records}",
        word(deal.would),
        named(deal.name.as_deref()),
        lane(deal)
    );
    for write in &preview.writes {
        print_write(write);
    }
    for line in &preview.then {
        println!("  {line}");
    }
    for hold in &deal.holds {
        let change = match (&hold.before, &hold.after) {
            (Some(before), Some(after)) => format!(": {before} → {after}"),
            _ => String::new(),
        };
        let until = match hold.until {
            Some(until) => format!("until {until}, or a person decides"),
            None => "until a person releases it".to_owned(),
        };
        println!(
            "  holds {}{change} {until}: it {}",
            hold.subject, hold.consequence
        );
    }
    for ask in &deal.asks {
        let choices: Vec<&str> = ask.choices.iter().map(|one| one.choice.as_str()).collect();
        println!("  asks {} ({})", ask.question, choices.join(", "));
    }
    if let (Some(reason), true) = (
        &preview.reason,
        deal.asks.is_empty() && deal.holds.is_empty(),
    ) {
        println!("  {reason}");
    }
    let told_above = |note: &&String| {
        let held = deal
            .holds
            .iter()
            .any(|hold| note.starts_with(&hold.subject));
        let asked = deal.asks.iter().any(|ask| **note == ask.question);
        !held && !asked
    };
    for note in preview.notes.iter().filter(told_above) {
        println!("  note: {note}");
    }
}

pub(crate) fn print_write(write: &PreviewedWrite) {
    let record = write.record.as_ref().map_or_else(
        || format!("a new {}", write.record_kind),
        |id| format!("{} {id}", write.record_kind),
    );
    let mut ends = String::new();
    if let Some(version) = write
        .precondition
        .as_deref()
        .filter(|one| *one != "none-match")
    {
        ends.push_str(&format!(", only if it is still version {version}"));
    }
    if !write.irreversible.is_empty() {
        ends.push_str(&format!(
            ", cannot be taken back ({})",
            write.irreversible.join(", ")
        ));
    }
    println!("  {} {record}{ends}", write.kind);
    let mut units = Table::under(4);
    for unit in &write.units {
        if write.kind.starts_with("create") {
            units.row([unit.unit.clone(), format!("→ {}", short(&unit.after, 100))]);
        } else {
            units.row([
                unit.unit.clone(),
                format!("{} → {}", short(&unit.before, 50), short(&unit.after, 50)),
                unit.why.clone(),
            ]);
        }
    }
    if !write.units.is_empty() {
        println!("{units}");
    }
    let mut fields = Table::under(6);
    // A new record is empty where nobody fills it.
    let says_something =
        |field: &&PreviewedField| !(write.kind.starts_with("create") && field.after == NOTHING);
    for field in write.fields.iter().filter(says_something) {
        let change = match &field.before {
            Some(before) => format!("{} → {}", short(before, 32), short(&field.after, 32)),
            None => format!("→ {}", short(&field.after, 64)),
        };
        let by = field.by.as_deref().map_or("", speaker);
        fields.row([field.field.clone(), change, by.to_owned()]);
    }
    if !write.fields.is_empty() {
        println!("{fields}");
    }
}

/// Plugin and version; the hash is for programs.
fn speaker(by: &str) -> &str {
    by.split(" (").next().unwrap_or(by)
}
