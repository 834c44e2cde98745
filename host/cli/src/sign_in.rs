//! `cosell sign-in`.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the command line may"
)]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use cosell_host::app::to_sign_in;
use cosell_host::config::Config;
use cosell_host::verbs::VerbError;
use cosell_remote::Class;
use cosell_remote::auth::Polled;
use serde_json::json;

use crate::screen::On;

/// What Entra wants to be added to the interval when it is asked too often (RFC 8628, 3.5).
const SLOWER_S: u64 = 5;

/// Arguments of `cosell sign-in`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  cosell sign-in contoso             shows a page and a code; the referrals admin opens the page in any browser and types the code")]
pub(crate) struct Args {
    #[command(flatten)]
    on: On,
    /// The connection's id.
    #[arg(value_name = "CONNECTION")]
    connection: String,
}

pub(crate) async fn sign_in(args: Args) -> anyhow::Result<ExitCode> {
    let config = Config::load_to_sign_in(args.on.path())?;
    let id = args.connection;
    let Some(settings) = config.connections.iter().find(|one| one.id == id) else {
        let known = config.connections.iter().map(|one| one.id.clone());
        bail!(VerbError::UnknownConnection {
            connection: id,
            known: known.collect(),
        });
    };
    let partner_center = to_sign_in(&config, settings)?;
    let begun = partner_center.begin_sign_in().await?;
    // Not part of the answer: with --json a program reads that.
    eprintln!("{}", begun.message);
    let over = Instant::now() + Duration::from_secs(begun.expires_in);
    let mut interval = begun.interval;
    loop {
        if Instant::now() >= over {
            bail!(
                "nobody has signed in within {} minutes; begin again",
                begun.expires_in / 60
            );
        }
        tokio::time::sleep(Duration::from_secs(interval)).await;
        match partner_center.poll_sign_in(&begun).await {
            Ok(Polled::Pending) => {}
            Ok(Polled::TooOften) => interval += SLOWER_S,
            Ok(Polled::Done) => break,
            // The person is typing meanwhile: a network that fails for a moment must not cost that.
            Err(error) if matches!(error.class, Class::Transient { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    // A token that cannot be renewed is found out now, and not in an hour.
    partner_center
        .ready()
        .await
        .context("the refresh token is kept, and cannot be used")?;
    let file = settings.partner_center.refresh_token.display().to_string();
    let told = json!({ "connection": id, "refresh_token": file });
    args.on.say(&told, |_| {
        println!(
            "signed in; the refresh token of \"{id}\" lies in {file}, and a host that runs takes it from there"
        );
    })?;
    Ok(ExitCode::SUCCESS)
}
