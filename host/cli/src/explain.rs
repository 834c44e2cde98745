//! `cosell explain`.
#![allow(clippy::print_stdout, reason = "the command line may")]

use std::process::ExitCode;

use cosell_host::verbs::{self, Archive, Event, Explanation, Pair, UnitExplained};

use crate::cards::{card_lines, hold_lines};
use crate::deals::print_line;
use crate::screen::{On, Table, short};

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
    let archive = Archive::to_look(&args.on.config()?, args.connection.as_deref())?;
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
    let (told, untouched): (Vec<_>, Vec<_>) =
        why.units.iter().partition(|unit| whole || is_told(unit));
    for unit in told {
        println!("\n{:<20} {}", unit.unit, stands(&unit.in_step));
        print_unit(unit, whole);
    }
    if untouched.is_empty() {
        return;
    }
    println!("\nsince the two records were created or linked, nobody has changed");
    let mut table = Table::under(2);
    for unit in untouched {
        table.row([unit.unit.clone(), stands(&unit.in_step)]);
    }
    println!("{table}");
}

/// Whether anything is to be said about it.
fn is_told(unit: &UnitExplained) -> bool {
    let is_open = !unit.cards.is_empty() || !unit.holds.is_empty();
    unit.written.is_some() || !unit.since.is_empty() || is_open
}

fn print_unit(unit: &UnitExplained, whole: bool) {
    for card in &unit.cards {
        println!("  card {}", card.card);
        for line in card_lines(card) {
            println!("    {line}");
        }
    }
    for hold in &unit.holds {
        println!("  hold {}", hold.hold);
        for line in hold_lines(hold) {
            println!("    {line}");
        }
    }
    // What is open stands above already.
    let is_open = |event: &&Event| match event.kind.as_str() {
        "question" => unit.cards.is_empty(),
        "hold" => unit.holds.is_empty(),
        _ => true,
    };
    unit.since.iter().filter(is_open).for_each(print_event);
    match &unit.written {
        Some(written) => print_event(written),
        None if !is_told(unit) => {
            println!("  as it was when the two records were created or linked");
        }
        None => {}
    }
    if whole {
        unit.before.iter().for_each(print_event);
    } else if let Some(decided) = &unit.decided {
        print_event(decided);
    }
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
