//! `cosell simulator seed`, `deals`, `act`, `clock`, `fault`, `ledger`, `audit`, `save` and `load`.
#![allow(clippy::print_stdout, reason = "the command line may")]

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use cosell::simulated::{CA_FILE, private};
use cosell_simulator::{Order, RemoteControl, SeedOrder};
use serde_json::{Value, json};

use super::{CONTROL_FILE, fault, tell};

/// Which simulator is spoken to, and for whom the answer is.
#[derive(Debug, clap::Args)]
pub(super) struct At {
    /// The folder of the running simulator.
    #[arg(long, value_name = "DIR", default_value = "simulated")]
    dir: PathBuf,
    /// One JSON value on stdout instead of a table.
    #[arg(long)]
    json: bool,
}

impl At {
    fn control(&self) -> anyhow::Result<RemoteControl> {
        let read = |name: &str| {
            let path = self.dir.join(name);
            std::fs::read_to_string(&path).with_context(|| {
                format!("cannot read {}; a running `cosell simulator` writes it, and --dir names its folder", path.display())
            })
        };
        Ok(RemoteControl::new(
            read(CONTROL_FILE)?.trim(),
            &read(CA_FILE)?,
        )?)
    }

    /// Orders it, and says the answer to whom it is for.
    async fn order(&self, order: &Order, to_people: impl FnOnce(&Value)) -> anyhow::Result<Value> {
        let answer = self.control()?.order(order).await?;
        if self.json {
            println!("{}", serde_json::to_string_pretty(&answer)?);
        } else {
            to_people(&answer);
        }
        Ok(answer)
    }
}

/// What a running simulator is told.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make deals, opportunities and leads, as many as you like.
    ///
    /// Plausible data drawn from the simulator's seed: the same seed and the same orders make the same data. Webhooks tell of it as of any work of people.
    #[command(after_help = "Examples:
  cosell simulator seed --opportunities 200 --referrals 50 --inbound 10
  cosell simulator seed --opportunities 100000")]
    Seed {
        #[command(flatten)]
        at: At,
        /// Opportunities, with an account and a contact for every three.
        #[arg(long, value_name = "N", default_value_t = 0)]
        opportunities: usize,
        /// Leads.
        #[arg(long, value_name = "N", default_value_t = 0)]
        leads: usize,
        /// Deals of the partner at Partner Center.
        #[arg(long, value_name = "N", default_value_t = 0)]
        referrals: usize,
        /// Referrals that arrive from Microsoft.
        #[arg(long, value_name = "N", default_value_t = 0)]
        inbound: usize,
    },
    /// List both sides of every deal: the referral, Microsoft's part, and the row in the CRM.
    Deals {
        #[command(flatten)]
        at: At,
        /// Only deals in whose name, customer or ids this stands.
        #[arg(value_name = "TEXT")]
        find: Option<String>,
    },
    /// Do what a person does: a partner's user, Microsoft, a seller, or a user who signs in.
    ///
    /// WHO VERB, then the record, then what is said with it as NAME=VALUE; slashes in names lead inwards. The rules of the sides hold: what they refuse is
    /// refused here in the same words.
    #[command(after_help = tell::deeds())]
    Act {
        #[command(flatten)]
        at: At,
        /// WHO VERB [RECORD…] [NAME=VALUE…]
        #[arg(value_name = "WORD", required = true)]
        words: Vec<String>,
        /// A JSON file that the pairs are laid over; `-` reads standard input.
        #[arg(long, value_name = "FILE")]
        body: Option<PathBuf>,
    },
    /// Show the simulated clock, or move it.
    ///
    /// Tokens run out and unanswered referrals expire by it.
    #[command(after_help = "Examples:
  cosell simulator clock                      what time is it there?
  cosell simulator clock --advance 14d        what was not answered by then has expired
  cosell simulator clock --set 2026-01-31T10:20:30Z")]
    Clock {
        #[command(flatten)]
        at: At,
        /// By how much, such as 14d, 2h 30m or -90s.
        #[arg(long, value_name = "SPAN", value_parser = cosell_simulator::milliseconds, allow_hyphen_values = true, conflicts_with = "set")]
        advance: Option<i64>,
        /// To when.
        #[arg(long, value_name = "TIME", value_parser = cosell_simulator::moment)]
        set: Option<super::Moment>,
    },
    /// Let something go wrong between a client and a service, or on a webhook's way.
    #[command(after_help = fault::EXAMPLES)]
    Fault {
        #[command(flatten)]
        at: At,
        #[command(flatten)]
        what: fault::What,
    },
    /// List the writes that the APIs accepted: who, what, and under which precondition.
    Ledger {
        #[command(flatten)]
        at: At,
        /// Only those after this number.
        #[arg(long, value_name = "N", default_value_t = 0)]
        after: u64,
    },
    /// Judge what came of it: duplicates, lost updates, one-sided links, blind writes, writes to frozen deals.
    ///
    /// Exits with 1 when something is wrong.
    Audit {
        #[command(flatten)]
        at: At,
    },
    /// Write the whole world into one file, keys and secrets included.
    ///
    /// `cosell simulator --load FILE` goes on with it, and so does the host that worked with it. Webhooks under way and injected faults are not in it.
    Save {
        #[command(flatten)]
        at: At,
        /// The file; only you can read it.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Put the running simulator back to what a file holds.
    ///
    /// The file must be of this simulator, or of one with the same seed and organisations; `cosell simulator --load FILE` takes any.
    Load {
        #[command(flatten)]
        at: At,
        /// The file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

pub(super) async fn carry_out(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Seed {
            at,
            opportunities,
            leads,
            referrals,
            inbound,
        } => {
            let order = SeedOrder {
                referrals,
                inbound,
                opportunities,
                leads,
            };
            let order = Order::post("/seed", serde_json::to_value(order)?);
            at.order(&order, tell::seeded).await?;
        }
        Command::Deals { at, find } => {
            at.order(&Order::deals(&find.unwrap_or_default()), tell::deals)
                .await?;
        }
        Command::Act { at, words, body } => {
            let body = body.map(|file| read_json(&file)).transpose()?;
            at.order(&Order::act(&words, body)?, tell::act).await?;
        }
        Command::Clock { at, advance, set } => {
            let order = match (advance, set) {
                (Some(ms), _) => Order::post("/clock", json!({ "advance_ms": ms })),
                (None, Some(now)) => Order::post("/clock", json!({ "now": now.to_string() })),
                (None, None) => Order::get("/clock"),
            };
            at.order(&order, |answer| println!("{}", tell::text(answer, "now")))
                .await?;
        }
        Command::Fault { at, what } => {
            let said = what.said();
            at.order(&what.order()?, |_| println!("{said}")).await?;
        }
        Command::Ledger { at, after } => {
            let order = Order::get(&format!("/ledger?after={after}"));
            at.order(&order, tell::ledger).await?;
        }
        Command::Audit { at } => {
            let audit = at.order(&Order::get("/audit"), tell::audit).await?;
            let lists = audit.as_object().into_iter().flatten();
            let clean = lists
                .map(|(_, list)| list)
                .all(|list| list.as_array().is_some_and(Vec::is_empty));
            return Ok(if clean {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            });
        }
        Command::Save { at, file } => {
            let world = at.control()?.save().await?;
            private(&file, &String::from_utf8(world)?)?;
            said(&at, &format!("saved in {}", file.display()), &file)?;
        }
        Command::Load { at, file } => {
            let world =
                std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            at.control()?.load(world).await?;
            said(
                &at,
                &format!("the simulator is what {} holds", file.display()),
                &file,
            )?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn said(at: &At, words: &str, file: &Path) -> anyhow::Result<()> {
    if at.json {
        println!(
            "{}",
            serde_json::to_string_pretty(&json!({ "file": file }))?
        );
    } else {
        println!("{words}");
    }
    Ok(())
}

pub(super) fn read_json(file: &Path) -> anyhow::Result<Value> {
    let text = if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .context("standard input cannot be read")?;
        text
    } else {
        std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?
    };
    serde_json::from_str(&text).with_context(|| format!("{} holds no JSON", file.display()))
}
