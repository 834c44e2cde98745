//! `cosell explain`.
#![allow(clippy::print_stdout, reason = "the command line may")]

use std::process::ExitCode;

use cosell_host::verbs::{self, Archive, Event, Explanation, Pair, UnitExplained};

use crate::cards::{print_card, print_hold};
use crate::deals::print_line;
use crate::screen::{On, short};

/// Arguments of `cosell explain`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cosell explain 17                  what last happened to each part of the deal
  cosell explain 17 value            everything that happened to its value, the latest first
  cosell explain 7f3c12ab --json     for a program: bells, rule, plugin, version, hash, person")]
pub(crate) struct Args {
    #[command(flatten)]
    on: On,
    /// Lane number, referral id, row id, or a unique beginning of an id.
    #[arg(value_name = "DEAL")]
    deal: String,
    /// A part of the deal, such as value, close-date, state or contacts.
    #[arg(value_name = "UNIT")]
    unit: Option<String>,
    /// Which connection, when several have such a lane.
    #[arg(long, value_name = "ID")]
    connection: Option<String>,
}

pub(crate) async fn explain(args: Args) -> anyhow::Result<ExitCode> {
    let archive = Archive::open(&args.on.config()?, args.connection.as_deref())?;
    let key = verbs::find(&archive, &args.deal).await?;
    let why = verbs::explain(&archive, &key, args.unit.as_deref()).await?;
    let whole = args.unit.is_some();
    args.on.say(&why, |why| print(why, whole))?;
    Ok(ExitCode::SUCCESS)
}

fn print(why: &Explanation, whole: bool) {
    print_line(&why.deal);
    match &why.birth {
        Some(birth) => println!("  began        {}  {}", birth.at, birth.message),
        None => println!("  began        nothing was created or linked yet"),
    }
    for unit in &why.units {
        println!("\n{:<20} {}", unit.unit, stands(&unit.in_step));
        print_unit(unit, whole);
    }
}

fn print_unit(unit: &UnitExplained, whole: bool) {
    for event in &unit.since {
        print_event(event);
    }
    match &unit.written {
        Some(written) => print_event(written),
        None if unit.since.is_empty() => {
            println!("  as it was when the two records were created or linked");
        }
        None => {}
    }
    if whole {
        unit.before.iter().for_each(print_event);
    } else if let Some(decided) = &unit.decided {
        print_event(decided);
    }
    unit.cards.iter().for_each(print_card);
    unit.holds.iter().for_each(print_hold);
}

fn stands(pair: &Pair) -> String {
    match (&pair.partner_center, &pair.crm) {
        (Some(one), Some(other)) if one.parts == other.parts => {
            format!("{} on both sides", one.words)
        }
        (Some(one), Some(other)) => {
            format!(
                "{} in Partner Center, {} in the CRM",
                one.words, other.words
            )
        }
        (Some(one), None) => format!("{} in Partner Center, not known of the CRM", one.words),
        (None, Some(other)) => format!("{} in the CRM, not known of Partner Center", other.words),
        (None, None) => "not known of either side yet".to_owned(),
    }
}

fn print_event(event: &Event) {
    println!("  {}  {}", event.at, short(&event.message, 160));
    let say = |what: &str, text: &str| println!("    {what:<9} {text}");
    match (&event.rule, &event.rule_means) {
        (Some(rule), Some(means)) => say("rule", &format!("{rule}: {means}")),
        (Some(rule), None) => say("rule", rule),
        _ => {}
    }
    if !event.bells.is_empty() {
        say("rung by", &event.bells.join(", "));
    }
    for word in &event.by {
        if word.columns.is_empty() {
            say("read by", &word.speaker);
        } else {
            say(
                "word of",
                &format!("{} for {}", word.speaker, word.columns.join(", ")),
            );
        }
    }
    if let Some(person) = &event.person {
        say("person", person);
    }
}
