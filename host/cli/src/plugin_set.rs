//! `cosell plugin list`, `promote`, `rollback`, `quarantine`, `propose`.
#![allow(clippy::print_stdout, reason = "the command line may")]

use std::process::ExitCode;

use anyhow::ensure;
use cosell_host::verbs::{
    self, Archive, CandidateView, NO_PLUGIN, PluginList, SetChanged, ShadowView, UnvouchedView,
};
use cosell_plugins::{short_hash, strangers};
use serde_json::{Value, json};

use crate::screen::{On, Table, count, person, short};

/// When hosts that run have seen it.
const SOON: &str = "hosts that run follow within seconds";

/// Arguments of `cosell plugin list`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cosell plugin list                     what serves, what is judged or tried, what was refused or taken out
  cosell plugin list --deals             with every deal that a shadow would plan otherwise, value by value in --json")]
pub(crate) struct ListArgs {
    #[command(flatten)]
    on: On,
    /// Show each deal that would be planned otherwise.
    #[arg(long)]
    deals: bool,
}

/// Arguments of `cosell plugin promote`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  cosell plugin promote 50-acme --by ada          the candidate of this file serves all deals from now on")]
pub(crate) struct PromoteArgs {
    #[command(flatten)]
    on: On,
    /// The candidate: its file, with or without the ending, its plugin id, or the beginning of its hash.
    #[arg(value_name = "NAME")]
    name: String,
    /// Who decides; it is written down. Without it, who is logged in.
    #[arg(long, value_name = "WHO")]
    by: Option<String>,
}

/// Arguments of `cosell plugin rollback`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cosell plugin rollback --by ada                 the set before the last change serves again
  cosell plugin rollback --to 7 --by ada          the set of generation 7 serves again")]
pub(crate) struct RollbackArgs {
    #[command(flatten)]
    on: On,
    /// The generation; without it, the newest in which something else served.
    #[arg(long, value_name = "GENERATION")]
    to: Option<u64>,
    /// Who decides; it is written down. Without it, who is logged in.
    #[arg(long, value_name = "WHO")]
    by: Option<String>,
}

/// Arguments of `cosell plugin quarantine`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cosell plugin quarantine 50-acme --why \"doubles discounts\" --by ada    what served before it serves again
  cosell plugin quarantine --release 50-acme --by ada                    these bytes may come back")]
pub(crate) struct QuarantineArgs {
    #[command(flatten)]
    on: On,
    /// The version: its file, with or without the ending, its plugin id, or the beginning of its hash; the whole hash for one that is not in the set.
    #[arg(value_name = "NAME")]
    name: String,
    /// Let it in again.
    #[arg(long, conflicts_with = "why")]
    release: bool,
    /// Why; it is written down, and stands beside the file.
    #[arg(long, value_name = "TEXT", required_unless_present = "release")]
    why: Option<String>,
    /// Who decides; it is written down. Without it, who is logged in.
    #[arg(long, value_name = "WHO")]
    by: Option<String>,
}

/// Arguments of `cosell plugin propose`.
#[derive(Debug, clap::Args)]
pub(crate) struct ProposeArgs {
    #[command(flatten)]
    on: On,
}

pub(crate) async fn list(args: ListArgs) -> anyhow::Result<ExitCode> {
    let config = args.on.config()?;
    let archive = Archive::to_look(&config, None)?;
    let list = verbs::plugin_list(&archive, &config.plugins).await?;
    args.on.say(&list, |list| print(list, args.deals))?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn promote(args: PromoteArgs) -> anyhow::Result<ExitCode> {
    let archive = Archive::open(&args.on.config()?, None)?;
    let changed = verbs::promote_plugin(&archive, &args.name, &person(args.by)?).await?;
    changed_to(&args.on, &changed)
}

pub(crate) async fn rollback(args: RollbackArgs) -> anyhow::Result<ExitCode> {
    let archive = Archive::open(&args.on.config()?, None)?;
    let changed = verbs::roll_back_plugins(&archive, args.to, &person(args.by)?).await?;
    changed_to(&args.on, &changed)
}

pub(crate) async fn quarantine(args: QuarantineArgs) -> anyhow::Result<ExitCode> {
    let archive = Archive::open(&args.on.config()?, None)?;
    let by = person(args.by)?;
    let changed = match &args.why {
        Some(why) => {
            ensure!(
                !why.trim().is_empty(),
                "say why: it is what others find beside the file"
            );
            verbs::quarantine_plugin(&archive, &args.name, why, &by).await?
        }
        None => verbs::release_plugin(&archive, &args.name, &by).await?,
    };
    changed_to(&args.on, &changed)
}

pub(crate) async fn propose(args: ProposeArgs) -> anyhow::Result<ExitCode> {
    let config = args.on.config()?;
    let (generation, refused) = cosell_host::app::propose_folder(&config).await?;
    let unread = strangers(&config.plugins.folder).unwrap_or_default();
    let told = json!({
        "generation": generation,
        "unread": unread.iter().map(|one| json!({ "file": one.file, "why": one.why })).collect::<Vec<_>>(),
        "refused": refused.iter().map(|one| json!({ "file": one.file, "why": one.to_string() })).collect::<Vec<_>>(),
    });
    args.on.say(&told, |_| {
        if generation == 0 {
            println!("{NO_PLUGIN} ({})", config.plugins.folder.display());
        } else {
            println!("generation {generation} serves; {SOON}");
        }
        for one in &refused {
            println!("! {} is refused: {one}", one.file);
        }
        for one in &unread {
            println!("! {} {}", one.file, one.why);
        }
    })?;
    Ok(if refused.is_empty() && generation > 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn changed_to(on: &On, changed: &SetChanged) -> anyhow::Result<ExitCode> {
    on.say(changed, |changed| {
        println!("{}", changed.message);
        println!("generation {} serves; {SOON}", changed.generation);
    })?;
    Ok(ExitCode::SUCCESS)
}

/// What follows from it on a host of this configuration.
pub(crate) const fn while_unvouched(one: &UnvouchedView) -> &'static str {
    if one.is_shadow {
        "nobody who is trusted vouches for it, so a host with this configuration does not judge it"
    } else {
        "nobody who is trusted vouches for it, so a host with this configuration takes up no deal"
    }
}

fn print(list: &PluginList, with_deals: bool) {
    match &list.generation {
        Some(now) => println!(
            "generation {} serves since {}, by {}: {}",
            now.generation,
            now.at,
            now.by,
            short(&now.note, 100)
        ),
        None => {
            println!("nothing serves yet: start the host with plugins in its folder (`cosell run`)")
        }
    }
    if !list.plugins.is_empty() {
        println!();
        let mut table = Table::new(&["plugin", "version", "file", "hash", "since", "hooks"]);
        for one in &list.plugins {
            table.row([
                one.plugin.clone(),
                one.version.clone(),
                one.file.clone(),
                short_hash(&one.sha256).to_owned(),
                format!("{} ({})", one.since, one.generation),
                one.hooks.join(", "),
            ]);
        }
        println!("{table}");
    }
    for one in &list.unvouched {
        println!();
        println!("! {} ({}): {}", one.plugin, one.file, while_unvouched(one));
        println!("  {}", one.why);
    }
    for candidate in &list.candidates {
        println!();
        print_candidate(candidate, with_deals);
    }
    for one in &list.refused {
        println!();
        println!("refused: {}, {}, by {}", one.file, one.at, one.by);
        println!("  {}", one.why);
    }
    for one in &list.slow {
        println!();
        println!(
            "slow: {} ({}), {}, by {}",
            one.plugin, one.file, one.at, one.by
        );
        println!("  {}", one.why);
    }
    for one in &list.quarantined {
        println!();
        println!(
            "quarantined: {} {}, {}, by {}",
            one.file,
            short_hash(&one.sha256),
            one.at,
            one.by
        );
        println!("  {}", one.why);
    }
    if !list.history.is_empty() {
        println!("\nbefore (`cosell plugin rollback --to GENERATION`)");
        let mut table = Table::under(2);
        for one in &list.history {
            table.row([
                one.generation.to_string(),
                one.at.to_string(),
                one.by.clone(),
                short(&one.note, 100),
            ]);
        }
        println!("{table}");
    }
}

fn print_candidate(candidate: &CandidateView, with_deals: bool) {
    let line = &candidate.line;
    println!(
        "{}: {} {} ({}, {}) since {}, by {}",
        line.mode,
        line.plugin,
        line.version,
        line.file,
        short_hash(&line.sha256),
        line.since,
        line.by
    );
    if !line.wants.is_empty() {
        println!("  wants more than what serves: {}", line.wants.join(", "));
    }
    if !candidate.deals.is_empty() {
        println!("  is tried on deals {}", candidate.deals.join(", "));
    }
    if let Some(shadow) = &candidate.shadow {
        print_shadow(shadow, with_deals);
    }
    match candidate.budget {
        Some(0) => println!("  serves when every deal was judged and none would be different"),
        Some(most) => println!(
            "  serves when every deal was judged and at most {} would be different",
            count(usize::try_from(most).unwrap_or(usize::MAX), "deal")
        ),
        None => println!(
            "  serves when a person says so: cosell plugin promote {} --by WHO",
            line.file
        ),
    }
}

fn print_shadow(shadow: &ShadowView, with_deals: bool) {
    println!(
        "  {} of {} judged: {} the same, {} otherwise, {} not to be judged",
        shadow.judged,
        count(shadow.deals, "deal"),
        shadow.same,
        shadow.differs.len(),
        shadow.unjudged.len()
    );
    for why in &shadow.unjudged {
        println!("  ! {}", short(why, 160));
    }
    if !with_deals {
        return;
    }
    for deal in &shadow.differs {
        print_deal(deal);
    }
}

/// As the store keeps it: a host of another release may have judged it.
fn print_deal(deal: &Value) {
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    println!(
        "  {} · lane {} · {} → {}",
        deal["name"].as_str().unwrap_or("a deal without a name yet"),
        deal["lane"],
        text(&deal["now"]),
        text(&deal["then"])
    );
    // What is only read otherwise writes nothing, and is told all the same (S8).
    let tells = deal["tells"].as_array().into_iter().flatten();
    for line in deal["reason"]
        .as_str()
        .into_iter()
        .chain(tells.filter_map(Value::as_str))
    {
        println!("    {line}");
    }
    for (title, key) in [("no longer", "no_longer"), ("with it", "only_then")] {
        for write in deal[key].as_array().into_iter().flatten() {
            println!(
                "    {title}: {} {}",
                text(&write["kind"]),
                text(&write["record_kind"])
            );
            for unit in write["units"].as_array().into_iter().flatten() {
                println!(
                    "      {}: {} → {}",
                    text(&unit["unit"]),
                    text(&unit["before"]),
                    text(&unit["after"])
                );
            }
            for field in write["fields"].as_array().into_iter().flatten() {
                println!(
                    "      {} → {}",
                    text(&field["field"]),
                    text(&field["after"])
                );
            }
        }
    }
}
