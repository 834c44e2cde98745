//! `cosell person`: what the host has written down about a person.
#![allow(clippy::print_stdout, reason = "the command line may")]

use std::process::ExitCode;

use cosell_host::personal::Person;
use cosell_host::verbs::{self, Erasure};

use crate::screen::{On, count, person};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum PersonCommand {
    /// Erase a person from everything that the host has written down: history, values that both sides agreed on, questions, recordings.
    ///
    /// Without --yes it only says what it would erase. The history still verifies (`cosell store check`), says that somebody was erased and not whom,
    /// and keeps who decided what. What both sides agreed on is unknown then, and not empty: the next run of a deal reads it again and blanks nothing.
    /// Hosts may run meanwhile. Exits with 1 when something is left.
    #[command(after_help = "Examples:
  cosell person erase --mail anna@contoso.com --name \"Anna Kovács\" --phone \"+36 1 555 0147\"
                                     what there is of her: nothing is changed
  cosell person erase --mail anna@contoso.com --name \"Anna Kovács\" --by grace --yes

Erase the person in Partner Center and in the CRM first: as long as the data stands there, the next look of a host brings it back.")]
    Erase(EraseArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct EraseArgs {
    #[command(flatten)]
    on: On,
    /// A mail address of the person; may be given several times. What stands beside it in the person's record goes with it.
    #[arg(long, value_name = "ADDRESS")]
    mail: Vec<String>,
    /// First and last name; may be given several times. Found in either order, and as fields of one record.
    #[arg(long, value_name = "NAME")]
    name: Vec<String>,
    /// A phone number, however it is written; may be given several times.
    #[arg(long, value_name = "NUMBER")]
    phone: Vec<String>,
    /// Who ordered it; it is written down. Without it, who is logged in.
    #[arg(long, value_name = "WHO")]
    by: Option<String>,
    /// Do it. Without it nothing is changed.
    #[arg(long)]
    yes: bool,
}

pub(crate) async fn run(command: PersonCommand) -> anyhow::Result<ExitCode> {
    let PersonCommand::Erase(args) = command;
    let whom = Person {
        mails: args.mail,
        names: args.name,
        phones: args.phone,
    };
    whom.check()?;
    let by = if args.yes {
        Some(person(args.by)?)
    } else {
        None
    };
    let erasure = verbs::erase(&args.on.config()?, &whom, by.as_deref()).await?;
    args.on.say(&erasure, print)?;
    let is_left = !erasure.under_way.is_empty() || erasure.coming_in;
    Ok(if is_left {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn print(erasure: &Erasure) {
    for (table, rows) in &erasure.rows {
        println!("  {table:<14} {rows}");
    }
    let rows: u64 = erasure.rows.values().sum();
    let rows = count(usize::try_from(rows).unwrap_or(usize::MAX), "row");
    let deals = count(erasure.deals.len(), "deal");
    if erasure.done {
        println!("erased from {rows} of {deals}; each deal's history says so, and not whom");
    } else {
        println!("{rows} of {deals} speak of the person; nothing was changed: --yes erases");
    }
    for lane in &erasure.under_way {
        println!(
            "! {lane} is left: a write that speaks of the person is under way; erase again when it is over"
        );
    }
    if erasure.coming_in {
        println!(
            "! a host has read the person again meanwhile: erase on both sides first, then here again"
        );
    }
    println!("\nnot reached by this:");
    for what in &erasure.not_reached {
        println!("  - {what}");
    }
}
