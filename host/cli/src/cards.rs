//! `cosell cards`, `cosell card answer`, `cosell holds`, `cosell hold release` and `cosell hold cancel`.
#![allow(clippy::print_stdout, reason = "the command line may")]

use std::process::ExitCode;

use clap::Subcommand;
use cosell_host::verbs::{self, Answered, Archive, CardView, Choice, HoldView, Settled, Side};

use crate::screen::{On, count, named, person};

/// Cards and holds on one screen.
const LIMIT: u32 = 200;

/// Arguments of `cosell cards` and `cosell holds`.
#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    on: On,
    /// Also those that are closed.
    #[arg(long)]
    all: bool,
    /// Only those of this connection.
    #[arg(long, value_name = "ID")]
    connection: Option<String>,
    /// At most so many, the latest first.
    #[arg(long, value_name = "N", default_value_t = LIMIT)]
    limit: u32,
}

/// `cosell card …`
#[derive(Debug, Subcommand)]
pub(crate) enum CardCommand {
    /// Answer a question with one of its choices.
    ///
    /// The answer is written down with your name; a running host carries it out within seconds, a stopped one when it starts. Until then it may be
    /// changed.
    #[command(after_help = "Examples:
  cosell cards                       which questions are open, and what may be answered
  cosell card answer 3 crm           both sides get what the CRM says
  cosell card answer 3 keep --by anna.kovacs")]
    Answer {
        #[command(flatten)]
        on: On,
        /// The card's number.
        number: i64,
        /// One of the choices that the card lists.
        choice: String,
        /// Who decides; the name of the logged-in user unless given.
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
        /// Which connection, when several have such a number.
        #[arg(long, value_name = "ID")]
        connection: Option<String>,
    },
}

/// `cosell hold …`
#[derive(Debug, Subcommand)]
pub(crate) enum HoldCommand {
    /// Let a held write go now.
    ///
    /// What is held cannot be taken back once it is written: look at it first with `cosell holds`. A running host writes it within seconds.
    #[command(after_help = "Examples:
  cosell hold release 4              this one write may go
  cosell hold release --mass crm     a mass change in the CRM was meant: all that it held goes on, and counting starts anew")]
    #[command(group(clap::ArgGroup::new("which").required(true)))]
    Release {
        #[command(flatten)]
        on: On,
        /// The hold's number.
        #[arg(group = "which")]
        number: Option<i64>,
        /// Release everything that the brake on mass changes holds on this side, and start counting anew.
        #[arg(long, value_name = "SIDE", group = "which", value_parser = clap::builder::PossibleValuesParser::new(["partner-center", "crm"]))]
        mass: Option<String>,
        /// Who decides; the name of the logged-in user unless given.
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
        /// Which connection, when several have such a number.
        #[arg(long, value_name = "ID")]
        connection: Option<String>,
    },
    /// Decide that a held write shall not be made.
    ///
    /// The difference stays and is explained; the deal's other parts go on. Another value is another write, and held anew.
    Cancel {
        #[command(flatten)]
        on: On,
        /// The hold's number.
        number: i64,
        /// Who decides; the name of the logged-in user unless given.
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
        /// Which connection, when several have such a number.
        #[arg(long, value_name = "ID")]
        connection: Option<String>,
    },
}

pub(crate) async fn cards(args: ListArgs) -> anyhow::Result<ExitCode> {
    let archive = Archive::to_look(&args.on.config()?, args.connection.as_deref())?;
    let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let cards = verbs::cards(&archive, args.all, limit).await?;
    args.on.say(&cards, |cards| {
        if cards.is_empty() {
            println!("no question is open");
        }
        cards.iter().for_each(print_card);
    })?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn card(command: CardCommand) -> anyhow::Result<ExitCode> {
    let CardCommand::Answer {
        on,
        number,
        choice,
        by,
        connection,
    } = command;
    let archive = Archive::open(&on.config()?, connection.as_deref())?;
    let answered = verbs::answer(&archive, number, &choice, &person(by)?).await?;
    on.say(&answered, |answered: &Answered| {
        println!(
            "card {number} of {}, lane {}: {} ({})",
            named(answered.card.deal.as_deref()),
            answered.card.lane,
            answered.choice.choice,
            answered.choice.means
        );
        println!("written down as {}'s answer; {SOON}", answered.by);
    })?;
    Ok(ExitCode::SUCCESS)
}

/// What becomes of an order.
pub(crate) const SOON: &str =
    "a running host takes it up within seconds, a stopped one when it starts";

pub(crate) async fn holds(args: ListArgs) -> anyhow::Result<ExitCode> {
    let archive = Archive::to_look(&args.on.config()?, args.connection.as_deref())?;
    let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let holds = verbs::holds(&archive, args.all, limit).await?;
    args.on.say(&holds, |holds| {
        if holds.is_empty() {
            println!("nothing is held");
        }
        holds.iter().for_each(print_hold);
    })?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn hold(command: HoldCommand) -> anyhow::Result<ExitCode> {
    let (on, settled) = match command {
        HoldCommand::Release {
            on,
            number,
            mass,
            by,
            connection,
        } => {
            let archive = Archive::open(&on.config()?, connection.as_deref())?;
            let by = person(by)?;
            let side = mass.as_deref().and_then(Side::parse);
            let settled = match (side, number) {
                (Some(side), _) => verbs::release_mass(&archive, side, &by).await?,
                (None, number) => {
                    verbs::settle(&archive, number.unwrap_or_default(), true, &by).await?
                }
            };
            (on, settled)
        }
        HoldCommand::Cancel {
            on,
            number,
            by,
            connection,
        } => {
            let archive = Archive::open(&on.config()?, connection.as_deref())?;
            let settled = verbs::settle(&archive, number, false, &person(by)?).await?;
            (on, settled)
        }
    };
    on.say(&settled, print_settled)?;
    Ok(ExitCode::SUCCESS)
}

fn print_settled(settled: &Settled) {
    let did = if settled.released {
        "released"
    } else {
        "cancelled"
    };
    match settled.holds.as_slice() {
        [one] => println!(
            "hold {} of {}, lane {}, is {did}: {}",
            one.hold,
            named(one.deal.as_deref()),
            one.lane,
            what(one)
        ),
        all => println!("{} are {did}", count(all.len(), "hold")),
    }
    println!("written down as {}'s decision; {SOON}", settled.by);
}

/// A card, as a person answers it.
pub(crate) fn print_card(card: &CardView) {
    let mut lines = vec![format!(
        "card {}   {} · lane {} of {} · {} · since {}",
        card.card,
        named(card.deal.as_deref()),
        card.lane,
        card.connection,
        card.kind,
        card.opened
    )];
    lines.extend(card_lines(card).into_iter().map(|line| format!("  {line}")));
    println!("{}", lines.join("\n"));
}

/// Question, choices or answer.
pub(crate) fn card_lines(card: &CardView) -> Vec<String> {
    let mut lines = vec![card.question.clone()];
    let saved = &card.last_saved;
    let text = |side: &str, name: &str| saved[side][name].as_str();
    if let Some(at) = text("partner-center", "at") {
        lines.push(format!(
            "Partner Center's record was last saved {}",
            to_the_second(at)
        ));
    }
    if let Some(at) = text("crm", "at") {
        let by = text("crm", "by").map_or_else(String::new, |by| format!(" by {by}"));
        lines.push(format!(
            "the CRM's record was last saved {}{by}",
            to_the_second(at)
        ));
    }
    match (&card.closed, &card.answer, &card.answered_by) {
        (Some(closed), answer, by) => {
            if let (Some(answer), Some(by)) = (answer, by) {
                lines.push(format!("{by} answered: {answer}"));
            }
            lines.push(format!("closed {}: {}", closed.at, closed.why));
        }
        (None, Some(answer), Some(by)) => {
            lines.push(format!(
                "{by} answered: {answer}; the next run carries it out"
            ));
        }
        _ => lines.extend(card.choices.iter().map(|choice| {
            let Choice { choice, means } = choice;
            format!("  cosell card answer {} {choice:<16} {means}", card.card)
        })),
    }
    lines
}

/// An RFC 3339 moment as the other moments on the screen.
fn to_the_second(moment: &str) -> String {
    match moment.get(..19) {
        Some(second) => format!("{}Z", second.replace('T', " ")),
        None => moment.to_owned(),
    }
}

/// A hold, as a person decides about it.
pub(crate) fn print_hold(hold: &HoldView) {
    let mut lines = vec![format!(
        "hold {}   {} · lane {} of {} · {} · since {}",
        hold.hold,
        named(hold.deal.as_deref()),
        hold.lane,
        hold.connection,
        hold.kind,
        hold.opened
    )];
    lines.extend(hold_lines(hold).into_iter().map(|line| format!("  {line}")));
    println!("{}", lines.join("\n"));
}

/// What is held, and until when.
pub(crate) fn hold_lines(hold: &HoldView) -> Vec<String> {
    let mut lines = vec![what(hold)];
    lines.extend(hold.verdict.as_ref().map(said));
    match (&hold.closed, &hold.verdict) {
        (Some(closed), _) => lines.push(format!("closed {}: {}", closed.at, closed.why)),
        (None, Some(_)) => {}
        (None, None) => {
            lines.push(match hold.until {
                Some(until) => format!("it goes by itself at {until}, unless a person cancels it"),
                None => "it goes when a person releases it".to_owned(),
            });
            lines.push(format!("  cosell hold release {}", hold.hold));
            lines.push(format!("  cosell hold cancel {}", hold.hold));
            if hold.kind == cosell_host::pipeline::MASS {
                lines.push(format!(
                    "  cosell hold release --mass {}   all that is held there",
                    hold.subject
                ));
            }
        }
    }
    lines
}

fn said(verdict: &verbs::VerdictView) -> String {
    let did = if verdict.released {
        "released it"
    } else {
        "cancelled it: this write is not made"
    };
    format!("{} {did} at {}", verdict.by, verdict.at)
}

fn what(hold: &HoldView) -> String {
    match (&hold.before, &hold.after) {
        (Some(before), Some(after)) => format!(
            "{}: {before} → {after}, which {}",
            hold.subject, hold.consequence
        ),
        _ => format!("a write to {}, which {}", hold.subject, hold.consequence),
    }
}
