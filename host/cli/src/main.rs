//! `cosell`: keeps co-sell deals in Microsoft Partner Center and Dynamics 365 in step. Composes; owns no logic.

mod check;
mod demo;
mod run;
mod simulator;
mod status;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Keeps co-sell deals in Microsoft Partner Center and Dynamics 365 in step, both ways.
///
/// A fixed host does authentication, webhooks and API calls; every mapping is a WebAssembly plugin in a folder. Start with `cosell demo`: it
/// runs everything against local stand-ins for both sides and needs no account.
#[derive(Parser)]
#[command(version, max_term_width = 110, after_help = AFTER)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const AFTER: &str = "From nothing to a running host:
  cosell demo                            see it work, no account needed
  cosell config check --config my.toml   every mistake at once, with what to do
  cosell plugin check my.wasm            what the host would say if you dropped it into the folder
  cosell run --config my.toml            keep deals in step
  cosell status --config my.toml         what is in step, what waits, and why";

#[derive(Subcommand)]
enum Command {
    /// Keep deals in step until stopped.
    ///
    /// Receives webhooks, sweeps both sides for what was missed, and loads plugins from the folder while it runs. On Ctrl-C or SIGTERM it takes no more
    /// work, lets running deals end, and exits; nothing is lost if it is killed instead.
    Run {
        /// The configuration file; `examples/cosell.toml` is its manual.
        #[arg(long, short, value_name = "FILE", env = "COSELL_CONFIG")]
        config: PathBuf,
    },
    /// See it work: a local Partner Center, a local Dynamics 365 and the real host, telling what happens line by line.
    Demo(demo::Args),
    /// A local Partner Center, Dynamics 365 and Entra to try a configuration against.
    ///
    /// Speaks the real protocols over TLS with a certificate authority of its own, and writes a ready-made configuration for `cosell run`. Runs until
    /// stopped; what it holds is gone then.
    Simulator(simulator::Args),
    /// Look into plugins.
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Look into a configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// What is in step, what waits, and why.
    ///
    /// Reads the store of a configuration; the host may be running beside it. Exits with 1 when a deal is parked or orphaned.
    Status {
        /// The configuration file.
        #[arg(long, short, value_name = "FILE", env = "COSELL_CONFIG")]
        config: PathBuf,
        /// One JSON object on stdout instead of a table.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Subcommand)]
enum PluginCommand {
    /// Say what the host would say if this file were dropped into the plugin folder.
    ///
    /// Checks imports and exports, asks the plugin who it is and what it needs, and runs its golden examples. An operator file
    /// `NAME.toml` beside it is read, as in the folder. Exits with 1 when the plugin would be refused.
    Check {
        /// The component, `NAME.wasm`.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Read a configuration as `run` would, and tell every mistake at once.
    ///
    /// Calls nobody: addresses and secrets are read, not tried. Exits with 1 when there is a mistake.
    Check {
        /// The configuration file.
        #[arg(long, short, value_name = "FILE", env = "COSELL_CONFIG")]
        config: PathBuf,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            return fail(&anyhow::Error::from(error).context("the runtime could not be started"));
        }
    };
    let done = runtime.block_on(async {
        match cli.command {
            Command::Run { config } => run::run(&config).await,
            Command::Demo(args) => demo::demo(args).await,
            Command::Simulator(args) => simulator::simulator(args).await,
            Command::Plugin(PluginCommand::Check { file }) => check::plugin(&file),
            Command::Config(ConfigCommand::Check { config }) => check::config(&config),
            Command::Status { config, json } => status::status(&config, json).await,
        }
    });
    done.unwrap_or_else(|error| fail(&error))
}

/// Each cause on its own line: the last one usually says what to do.
#[allow(clippy::print_stderr, reason = "the command line may")]
fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("cosell: {error}");
    for cause in error.chain().skip(1) {
        eprintln!("  because: {cause}");
    }
    ExitCode::FAILURE
}
