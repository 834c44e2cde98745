//! `cosell deals` and `cosell deal`.
#![allow(clippy::print_stdout, reason = "the command line may")]

use std::process::ExitCode;

use cosell_host::verbs::{
    self, Archive, Asked, DealKey, DealLine, DealView, Deals, Pair, STATES, Shown, UnitLine,
};

use crate::cards::{print_card, print_hold};
use crate::screen::{On, Table, id, named, short};

/// Arguments of `cosell deals`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cosell deals                          the latest deals, and where each stands
  cosell deals --state parked,held      what needs a person
  cosell deals --state paused           rows and referrals that are left alone, too
  cosell deals --json | jq '.deals[] | select(.failures > 0)'")]
pub(crate) struct DealsArgs {
    #[command(flatten)]
    on: On,
    /// Only deals in these states.
    #[arg(long, value_name = "STATE,…", value_delimiter = ',', value_parser = clap::builder::PossibleValuesParser::new(STATES))]
    state: Vec<String>,
    /// Only deals of this connection.
    #[arg(long, value_name = "ID")]
    connection: Option<String>,
    /// At most so many.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Go on after this lane, the last of the page before.
    #[arg(long, value_name = "LANE")]
    after: Option<String>,
}

pub(crate) async fn deals(args: DealsArgs) -> anyhow::Result<ExitCode> {
    let archive = Archive::to_look(&args.on.config()?, args.connection.as_deref())?;
    let after = match &args.after {
        Some(after) => Some(verbs::find(&archive, after).await?),
        None => None,
    };
    let asked = Asked {
        states: args.state.clone(),
        after,
        limit: usize::try_from(args.limit).unwrap_or(usize::MAX),
    };
    let found = verbs::deals(&archive, &asked).await?;
    let several = archive.connections.len() > 1;
    args.on.say(&found, |found| print_deals(found, several))?;
    Ok(ExitCode::SUCCESS)
}

fn print_deals(found: &Deals, several: bool) {
    if found.deals.is_empty() {
        println!(
            "no deals; rows and referrals that are left alone are listed by `cosell deals --state paused`"
        );
        return;
    }
    let mut table = Table::new(&[
        "lane", "state", "name", "referral", "row", "last run", "why",
    ]);
    for deal in &found.deals {
        table.row([
            lane(&deal.key(), several),
            deal.state.clone(),
            short(deal.name.as_deref().unwrap_or("–"), 36),
            id(deal.referral.as_deref()),
            row(deal),
            deal.ran
                .map_or_else(|| "–".to_owned(), |ran| ran.to_string()),
            short(deal.reason.as_deref().unwrap_or_default(), 70),
        ]);
    }
    println!("{table}");
    if let Some(after) = &found.more_after {
        println!("more: add --after {}", lane(after, several));
    }
}

fn row(deal: &DealLine) -> String {
    match (&deal.crm_table, &deal.crm_row) {
        (Some(table), Some(row)) => format!("{table} {}", id(Some(row))),
        _ => "–".to_owned(),
    }
}

/// Lanes are numbered within a connection.
pub(crate) fn lane(key: &DealKey, several: bool) -> String {
    if several {
        key.to_string()
    } else {
        key.lane.to_string()
    }
}

/// Arguments of `cosell deal`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cosell deal 17                        by lane number
  cosell deal 7f3c12ab                  by the beginning of a referral's or row's id
  cosell deal 17 --offline              only what the host has written down
  cosell explain 17 value               why that value is there")]
pub(crate) struct DealArgs {
    #[command(flatten)]
    on: On,
    /// Lane number, referral id, row id, or a unique beginning of an id.
    #[arg(value_name = "ID")]
    deal: String,
    /// Do not read the two sides now.
    #[arg(long)]
    offline: bool,
    /// Which connection, when several have such a lane.
    #[arg(long, value_name = "ID")]
    connection: Option<String>,
}

pub(crate) async fn deal(args: DealArgs) -> anyhow::Result<ExitCode> {
    let config = args.on.config()?;
    let archive = Archive::to_look(&config, args.connection.as_deref())?;
    let key = verbs::find(&archive, &args.deal).await?;
    let desk = if args.offline {
        None
    } else {
        Some(cosell_host::app::desk(&config)?)
    };
    let view = verbs::deal(&archive, &key, desk.as_ref()).await?;
    args.on.say(&view, print_deal)?;
    Ok(ExitCode::SUCCESS)
}

fn print_deal(view: &DealView) {
    print_line(&view.line);
    if let Some(link) = &view.referral_link {
        println!("  page         {link}");
    }
    for remark in &view.remarks {
        println!("  now          {remark}");
    }
    if let Some(why) = &view.unreadable {
        println!("  now          the two sides could not be read: {why}");
    }
    if let Some(write) = &view.open_write {
        println!("  under way    {write}");
    }
    if !view.units.is_empty() {
        println!("\n{}", units(&view.units));
    }
    if !view.cards.is_empty() || !view.holds.is_empty() {
        println!();
        view.cards.iter().for_each(print_card);
        view.holds.iter().for_each(print_hold);
    }
    if !view.history.is_empty() {
        println!("\nhistory");
        let mut table = Table::under(2);
        for line in &view.history {
            table.row([
                line.at.to_string(),
                line.kind.clone(),
                short(&line.message, 150),
            ]);
        }
        println!("{table}");
    }
    if !view.writes.is_empty() {
        println!("\nwrites");
        let mut table = Table::under(2);
        for write in &view.writes {
            table.row([
                write.at.to_string(),
                write.kind.clone(),
                format!("{} {}", write.record_kind, id(Some(&write.record))),
                format!("{} {}", write.outcome, short(&write.detail, 90)),
            ]);
        }
        println!("{table}");
    }
}

/// Who the deal is, and where it stands.
pub(crate) fn print_line(line: &DealLine) {
    println!(
        "{} · lane {} of {} · {}",
        named(line.name.as_deref()),
        line.lane,
        line.connection,
        line.state
    );
    if let Some(reason) = &line.reason {
        println!("  because      {reason}");
    }
    if let Some(referral) = &line.referral {
        println!("  referral     {referral}");
    }
    if let Some(referral) = &line.microsoft_referral {
        println!("  Microsoft's  {referral}");
    }
    if let (Some(table), Some(row)) = (&line.crm_table, &line.crm_row) {
        println!("  {table:<11}  {row}");
    }
    let ran = line
        .ran
        .map_or_else(|| "never".to_owned(), |at| at.to_string());
    match line.next_at {
        Some(next) => println!("  last run     {ran}, next {next}"),
        None => println!("  last run     {ran}"),
    }
}

fn units(units: &[UnitLine]) -> Table {
    let was_read = units.iter().any(|unit| unit.now.is_some());
    let mut table = if was_read {
        Table::new(&[
            "",
            "",
            "Partner Center now",
            "the CRM now",
            "when last in step",
        ])
    } else {
        Table::new(&["", "Partner Center", "the CRM, when both were last in step"])
    };
    for unit in units {
        let words = |shown: &Option<Shown>| {
            let words = shown.as_ref().map_or("–", |shown| shown.words.as_str());
            short(words, 44)
        };
        match &unit.now {
            Some(now) => table.row([
                unit.unit.clone(),
                if unit.differs { "≠" } else { "" }.to_owned(),
                words(&now.partner_center),
                words(&now.crm),
                last(unit, now),
            ]),
            None => table.row([
                unit.unit.clone(),
                words(&unit.in_step.partner_center),
                words(&unit.in_step.crm),
            ]),
        }
    }
    table
}

/// What both showed when they were last in step, as far as it is not what they show now.
fn last(unit: &UnitLine, now: &Pair) -> String {
    let then = &unit.in_step;
    match (&then.partner_center, &then.crm) {
        (None, None) => "not known".to_owned(),
        _ if then == now => "as now".to_owned(),
        (Some(one), Some(other)) if one.parts == other.parts => short(&one.words, 44),
        (one, other) => {
            let words = |shown: &Option<Shown>| {
                short(shown.as_ref().map_or("–", |shown| shown.words.as_str()), 30)
            };
            format!("{} | {}", words(one), words(other))
        }
    }
}
