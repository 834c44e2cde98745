//! `cosell store`: the store as a whole. Looked after, copied, moved.
#![allow(clippy::print_stdout, reason = "the command line may")]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use cosell_host::seal::Seal;
use cosell_host::verbs::{Unsealed, unseal};
use cosell_store::{Copied, Finding, StoreUrl, copy};
use serde_json::json;

use crate::screen::{On, count};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum StoreCommand {
    /// Bring the tables up to date, as the next start of a host would. One host does it, should several start together.
    Migrate {
        #[command(flatten)]
        on: On,
    },
    /// Verify everything that must hold in a store at any moment. Hosts may go on meanwhile.
    ///
    /// Recomputes the audit's hash chains and looks for lost bells, doubled links, forgotten writes and whatever else no run could have left. Exits
    /// with 1 when something is found.
    Check {
        #[command(flatten)]
        on: On,
    },
    /// Write everything into a new file, of a file or a database, while hosts run.
    ///
    /// The copy is one moment's, and complete: an SQLite store, which `cosell store restore` takes back and `cosell` can also be started on.
    Backup {
        #[command(flatten)]
        on: On,
        /// The new file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Fill the configuration's empty store from a backup. What was written to either side since the backup is found again by the next sweep.
    Restore {
        #[command(flatten)]
        on: On,
        /// The backup.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Write everything that the store holds as lines of JSON: to leave the product with, or for a person who asks what is held.
    ///
    /// One line for each row, `{"table": …, "row": {…}}`, after a first line that says which version of the shape it is. One moment's; hosts may run.
    /// What is sealed is opened by the keys of the configuration; what they do not open is counted, and stays sealed. Bytes of plugins are named and not
    /// shown.
    Export {
        #[command(flatten)]
        on: On,
        /// The new file.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// With the bytes of plugins, in hex.
        #[arg(long)]
        plugins: bool,
    },
    /// Copy everything into another, empty store: from a file to PostgreSQL or back. Stop the hosts first.
    ///
    /// The old store stays as it is. Change the configuration to the new one before the next start; two hosts on two copies would do everything
    /// twice.
    Move {
        #[command(flatten)]
        on: On,
        /// A file, or `postgres://USER@HOST/DATABASE`.
        #[arg(value_name = "STORE")]
        to: StoreUrl,
    },
}

pub(crate) async fn store(command: StoreCommand) -> anyhow::Result<ExitCode> {
    match command {
        StoreCommand::Migrate { on } => migrate(&on).await,
        StoreCommand::Check { on } => check(&on).await,
        StoreCommand::Backup { on, file } => {
            ensure!(
                !file.exists(),
                "{} is there already; name a new file",
                file.display()
            );
            let from = here(&on)?;
            copied(&on, &from, &StoreUrl::Sqlite(file), false).await
        }
        StoreCommand::Restore { on, file } => {
            let to = on.config()?.store;
            copied(&on, &StoreUrl::Sqlite(file), &to, false).await
        }
        StoreCommand::Export { on, out, plugins } => exported(&on, &out, plugins).await,
        StoreCommand::Move { on, to } => {
            let from = here(&on)?;
            copied(&on, &from, &to, true).await
        }
    }
}

/// The configuration's store, which must be there.
fn here(on: &On) -> anyhow::Result<StoreUrl> {
    let url = on.config()?.store;
    ensure!(
        url.file().is_none_or(Path::exists),
        "there is no store at {url} yet: start the host once with `cosell run`"
    );
    Ok(url)
}

async fn exported(on: &On, out: &Path, plugins: bool) -> anyhow::Result<ExitCode> {
    let url = here(on)?;
    let seal = Seal::new(&on.config()?.keys).unwrap_or_default();
    let mut shut = 0_u64;
    let unwritable = || format!("cannot write {}; name a new file", out.display());
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    // It holds names, mails and phones.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = std::io::BufWriter::new(options.open(out).with_context(unwritable)?);
    let rows = cosell_store::export(&url, plugins, |line| {
        let mut line = line.clone();
        if unseal(&seal, &mut line) == Unsealed::Shut {
            shut += 1;
        }
        writeln!(file, "{line}")
    })
    .await
    .with_context(|| format!("the store {url} was not exported"))?;
    file.flush().with_context(unwritable)?;
    let told = json!({ "file": out.display().to_string(), "rows": rows, "sealed": shut, "version": cosell_store::EXPORT_VERSION });
    on.say(&told, |_| {
        println!(
            "{url} → {}: {rows} rows, one line each; it holds names, mails and phones of people",
            out.display()
        );
        if shut > 0 {
            println!(
                "{} sealed with a key that is not in [store] keys, and stayed so: add the old keys, and export again",
                if shut == 1 { "1 row is".to_owned() } else { format!("{shut} rows are") }
            );
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn migrate(on: &On) -> anyhow::Result<ExitCode> {
    let url = here(on)?;
    cosell_store::open(&url, None)
        .await
        .with_context(|| format!("the store {url} cannot be brought up to date"))?;
    on.say(
        &json!({ "store": url.to_string(), "migrated": true }),
        |_| {
            println!("{url} is up to date");
        },
    )?;
    Ok(ExitCode::SUCCESS)
}

async fn check(on: &On) -> anyhow::Result<ExitCode> {
    let url = here(on)?;
    let unreadable = || format!("the store {url} cannot be checked");
    let opened = cosell_store::look(&url, None).with_context(unreadable)?;
    let found = opened.store.check().await.with_context(unreadable)?;
    let told: Vec<_> = found
        .iter()
        .map(|finding| {
            json!({
                "rule": finding.rule, "connection": finding.connection, "subject": finding.subject, "says": finding.says
            })
        })
        .collect();
    on.say(
        &json!({ "store": url.to_string(), "findings": told }),
        |_| {
            print(&found);
        },
    )?;
    Ok(if found.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn print(found: &[Finding]) {
    for finding in found {
        println!("{finding}");
    }
    if found.is_empty() {
        println!(
            "all that a look at a store can show holds: chains, bells, links, leases, writes, questions (what needs two looks, or the other side, is shown by `cosell reconcile` and by the tests)"
        );
    } else {
        println!(
            "{}: stop the hosts, keep a copy of the store as it is, and restore the last backup in which this holds",
            count(found.len(), "finding")
        );
    }
}

async fn copied(
    on: &On,
    from: &StoreUrl,
    to: &StoreUrl,
    at_rest: bool,
) -> anyhow::Result<ExitCode> {
    let Copied { rows, lanes } = copy(from, to, at_rest)
        .await
        .with_context(|| format!("{from} was not copied to {to}"))?;
    let told =
        json!({ "from": from.to_string(), "to": to.to_string(), "rows": rows, "lanes": lanes });
    on.say(&told, |_| {
        println!("{from} → {to}: {rows} rows, {lanes} deals");
        if at_rest {
            println!("now name the new store in the configuration, [store], before a host is started again");
        }
    })?;
    Ok(ExitCode::SUCCESS)
}
