//! `cosell retry` and `cosell rebind`.
#![allow(clippy::print_stdout, reason = "the command line may")]

use std::process::ExitCode;

use cosell_host::verbs::{self, Archive, Rebound};

use crate::cards::SOON;
use crate::screen::{On, Table, count, named, person, short};

/// Arguments of `cosell retry`.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("which").required(true)), after_help = "Examples:
  cosell retry 17 7f3c12ab                  these two, whatever they wait for
  cosell retry --parked                     everything that is parked
  cosell retry --parked --reason country    all like this: whose reason says so")]
pub(crate) struct RetryArgs {
    #[command(flatten)]
    on: On,
    /// Lane numbers, referral ids, row ids, or unique beginnings of ids.
    #[arg(value_name = "DEAL", group = "which")]
    deals: Vec<String>,
    /// Every parked deal.
    #[arg(long, group = "which")]
    parked: bool,
    /// Only parked deals whose reason contains this text.
    #[arg(long, value_name = "TEXT", requires = "parked")]
    reason: Option<String>,
    /// Only deals of this connection.
    #[arg(long, value_name = "ID")]
    connection: Option<String>,
    /// Who orders it; the deal's history says so. Without it, who is logged in.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

pub(crate) async fn retry(args: RetryArgs) -> anyhow::Result<ExitCode> {
    let archive = Archive::open(&args.on.config()?, args.connection.as_deref())?;
    let by = person(args.by)?;
    let woken = if args.parked {
        verbs::retry_parked(&archive, args.reason.as_deref(), &by).await?
    } else {
        let mut keys = Vec::new();
        for deal in &args.deals {
            keys.push(verbs::find(&archive, deal).await?);
        }
        verbs::retry(&archive, &keys, &by).await?
    };
    args.on.say(&woken, |woken| {
        if woken.is_empty() {
            println!(
                "no parked deal has such a reason; `cosell deals --state parked` lists them all"
            );
            return;
        }
        let mut table = Table::new(&["lane", "name", "was", "because"]);
        for one in woken {
            table.row([
                one.lane.to_string(),
                named(one.deal.as_deref()),
                one.was.clone(),
                short(one.reason.as_deref().unwrap_or_default(), 90),
            ]);
        }
        println!("{table}");
        println!("{} due now; {SOON}", count(woken.len(), "deal"));
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Arguments of `cosell rebind`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  cosell rebind contoso              the environment was moved on purpose: go on with the organisation that is there now")]
pub(crate) struct RebindArgs {
    #[command(flatten)]
    on: On,
    /// The connection's id.
    #[arg(value_name = "CONNECTION")]
    connection: String,
    /// Who orders it; the history of every deal says so. Without it, who is logged in.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

pub(crate) async fn rebind(args: RebindArgs) -> anyhow::Result<ExitCode> {
    let archive = Archive::open(&args.on.config()?, None)?;
    let rebound = verbs::rebind(&archive, &args.connection, &person(args.by)?).await?;
    args.on.say(&rebound, |rebound: &Rebound| {
        let connection = &rebound.connection;
        match &rebound.organization {
            Some(organization) => {
                println!(
                    "connection \"{connection}\" is bound to the CRM organisation {organization} from now on"
                );
                println!("{} due now; {SOON}", count(rebound.woken, "lane"));
            }
            None => println!(
                "connection \"{connection}\" stays as it is: the host has found no other CRM organisation at its address"
            ),
        }
    })?;
    Ok(ExitCode::SUCCESS)
}
