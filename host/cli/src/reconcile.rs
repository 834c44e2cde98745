//! `cosell reconcile`.
#![allow(clippy::print_stdout, reason = "the command line may")]

use std::process::ExitCode;

use cosell_host::verbs::{self, Exception, Reconciliation};

use crate::screen::{On, count, id, named};

/// Arguments of `cosell reconcile`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cosell reconcile                   12 referrals, 11 linked, 0 unexplained, and why the twelfth is not
  cosell reconcile --json | jq '.[].exceptions[] | select(.explained | not)'")]
pub(crate) struct Args {
    #[command(flatten)]
    on: On,
    /// Only this connection.
    #[arg(long, value_name = "ID")]
    connection: Option<String>,
}

pub(crate) async fn reconcile(args: Args) -> anyhow::Result<ExitCode> {
    let desk = cosell_host::app::desk(&args.on.config()?)?;
    let books = verbs::reconcile(&desk, args.connection.as_deref()).await?;
    args.on.say(&books, |books| {
        let several = books.len() > 1;
        books.iter().for_each(|one| print(one, several));
    })?;
    Ok(if books.iter().any(|one| one.unexplained > 0) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn print(books: &Reconciliation, several: bool) {
    if several {
        println!("connection {}", books.connection);
    }
    for exception in &books.exceptions {
        print_exception(exception);
    }
    println!(
        "{}, {} linked, {} unexplained",
        count(books.referrals, "referral"),
        books.linked,
        books.unexplained
    );
}

fn print_exception(exception: &Exception) {
    let mut records = Vec::new();
    if let Some(referral) = &exception.referral {
        records.push(format!("referral {}", id(Some(referral))));
    }
    if let (Some(table), Some(row)) = (&exception.crm_table, &exception.crm_row) {
        records.push(format!("{table} {}", id(Some(row))));
    }
    if let Some(lane) = exception.lane {
        records.push(format!("lane {lane}"));
    }
    let sign = if exception.explained { " " } else { "!" };
    println!(
        "{sign} {} · {} · {}",
        exception.what.in_words(),
        named(exception.name.as_deref()),
        records.join(" · ")
    );
    println!("    {}", exception.reason);
    if let Some(remedy) = &exception.remedy {
        println!("    {remedy}");
    }
}
