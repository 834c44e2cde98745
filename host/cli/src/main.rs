//! `cosell`: keeps co-sell deals in Microsoft Partner Center and Dynamics 365 in step. Composes; owns no logic.
#![forbid(unsafe_code)]

mod author;
mod cards;
mod check;
mod compiler;
mod deals;
mod demo;
mod explain;
mod order;
mod person;
mod plan;
mod plugin_diff;
mod plugin_replay;
mod plugin_set;
mod reconcile;
mod run;
mod screen;
mod sign_in;
mod simulator;
mod status;
mod store;

use std::ffi::OsString;
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
  cosell config example > my.toml        every key explained, to fill in
  cosell config check --config my.toml   every mistake at once, with what to do
  cosell sign-in contoso                 the user in whose name Partner Center is called, once
  cosell plugin new acme --language script   a plugin of your own; then `plugin build`, `test`, `run`
  cosell plugin check my.wasm            what the host would say if you dropped it into the folder
  cosell plugin diff my.wasm --all       what it would make of your real deals; writes nothing
  cosell plan --config my.toml --all     what it would do with your real records; writes nothing
  cosell run --config my.toml            keep deals in step

Day by day (COSELL_CONFIG=my.toml saves the --config):
  cosell status                          what is in step, what waits, and what to type next
  cosell deals, cosell deal 17           which deals there are, and everything about one
  cosell explain 17 value                why a value is there: bell, rule, plugin, person
  cosell cards, cosell holds             what waits for a person
  cosell reconcile                       is every referral linked, or known why not?
  cosell plugin list                     which plugins serve, which are judged first, which were refused

Exit codes: 0 done; 1 it could not be done, or something needs a person; 2 the command line was not understood.";

#[derive(Subcommand)]
enum Command {
    /// Keep deals in step until stopped.
    ///
    /// Receives webhooks, sweeps both sides for what was missed, and loads plugins from the folder while it runs; SIGHUP makes it look there at once. On
    /// Ctrl-C or SIGTERM it takes no more work, lets running deals end, and exits; nothing is lost if it is killed instead.
    Run {
        /// The configuration file; `cosell config example` prints one with every key explained.
        #[arg(long, short, value_name = "FILE", env = "COSELL_CONFIG")]
        config: PathBuf,
    },
    /// See it work: a local Partner Center, a local Dynamics 365 and the real host, telling what happens line by line.
    Demo(demo::Args),
    /// A local Partner Center, Dynamics 365 and Entra to try a configuration against.
    ///
    /// Speaks the real protocols over TLS with a certificate authority of its own, and writes a ready-made configuration for `cosell run`. Runs until
    /// stopped; what it holds is gone then, unless it was saved. The commands below speak to one that runs.
    Simulator(Box<simulator::Args>),
    /// Write, try and look into plugins.
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Look into a configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// What is in step, what waits, and why.
    ///
    /// Reads the store of a configuration; the host may be running beside it. Exits with 1 when a deal is parked or orphaned. Says which command
    /// shows more.
    Status {
        #[command(flatten)]
        on: screen::On,
    },
    /// List deals, the latest first: where each stands, and why.
    ///
    /// Reads the store; calls neither side. Without --state it lists what is linked or on its way; rows and referrals that nobody keeps in step are
    /// `paused` and only listed when that is asked for.
    Deals(deals::DealsArgs),
    /// Everything about one deal: both sides as they are now, what they agreed on, open questions, history.
    ///
    /// Reads the store and both sides; if a side cannot be read, it says so and shows the rest.
    Deal(deals::DealArgs),
    /// What would be done, with every value before and after. Writes nothing.
    ///
    /// Looks at real records on both sides, asks the plugins of the folder, and stops before the first write: nothing is written to Partner Center, to
    /// the CRM or to the store. What then runs is the same. Of a deal that takes several rounds (a birth does), the writes of the first round are
    /// shown, and in words what follows. Exits with 1 when something could not be looked at.
    Plan(plan::Args),
    /// Why is this value here? Which bell, rule, plugin, version and person.
    ///
    /// Reads the audit of the deal in the store; calls neither side.
    Explain(explain::Args),
    /// List the questions that wait for a person, with their choices.
    Cards(cards::ListArgs),
    /// Answer a question.
    #[command(subcommand)]
    Card(cards::CardCommand),
    /// List the writes that wait for time or a person.
    Holds(cards::ListArgs),
    /// Release or cancel a write that waits.
    #[command(subcommand)]
    Hold(cards::HoldCommand),
    /// Try deals again now, also parked ones whose cause nothing has told of.
    ///
    /// A parked deal wakes by itself when its records, the plugins or the configuration change; this is for causes that do not show there.
    Retry(order::RetryArgs),
    /// Is every referral linked, or is it known why not?
    ///
    /// Compares Partner Center's list of your referrals and the CRM's rows whose sync is on with what the host has written down. Writes nothing. Exits
    /// with 1 when something is unexplained.
    Reconcile(reconcile::Args),
    /// Let the user sign in, in whose name Partner Center is called.
    ///
    /// Microsoft lets nobody read or write referrals but a user who has signed in with MFA and has the role "Referrals admin". This shows a page and a
    /// code; the user opens the page on any machine and types the code. What the host needs afterwards is kept in the file that `refresh_token` names. Once,
    /// and again when Microsoft ends it: a changed password or MFA, or ninety days without use. The application needs "Allow public client flows".
    SignIn(sign_in::Args),
    /// Bind a connection to the CRM organisation that is at its address now.
    ///
    /// When an environment was copied or restored, the host finds another organisation there and writes nothing more. Only order this when the new one
    /// is the right one: from then on it is written to.
    Rebind(order::RebindArgs),
    /// Compiles a component from standard input to standard output; the host starts it for itself.
    #[command(hide = true)]
    CompilePlugin {
        /// Bytes of memory and seconds of processor time.
        #[arg(value_name = "LIMIT", num_args = 2, required = true)]
        limits: Vec<OsString>,
    },
    /// What the host has written down about a person.
    #[command(subcommand)]
    Person(person::PersonCommand),
    /// Look after the store as a whole: verify it, back it up, move it to PostgreSQL or back.
    #[command(subcommand)]
    Store(store::StoreCommand),
}

#[derive(Subcommand)]
enum PluginCommand {
    /// Say what the host would say if this file were dropped into the plugin folder.
    ///
    /// Checks imports and exports, asks the plugin who it is and what it needs, and runs its golden examples. An operator file
    /// `NAME.toml` beside it is read, as in the folder. Exits with 0 when it is good; with 1 when the folder would refuse it, and also when the folder
    /// would take it and the deals that it is asked about would stop (the warnings).
    Check {
        /// The plugin: a component `NAME.wasm`, a script `NAME.js` or a table `NAME.table.toml`.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        engines: author::Engines,
    },
    /// Show what a plugin would make of your real deals, before you drop it into the folder.
    ///
    /// Plans every deal twice, with the set that serves and with this file in it, and shows deal by deal what would be read, written, held or refused
    /// otherwise. Writes nothing anywhere. Exits with 1 when more deals differ than --budget allows, or one could not be judged.
    Diff(plugin_diff::Args),
    /// Ask again what was asked of plugins in a deal's last run, with the very records of then: what served, or a version that is to come.
    ///
    /// Shows every answer, where it is another one than then, and what would be written. A plugin that broke breaks again, in the same place. Calls
    /// neither side and writes nothing. Needs [recordings] in the configuration, or a file.
    Replay(plugin_replay::ReplayArgs),
    /// Write what a deal's last run saw into a file for the author of a plugin: names, mails, phones, texts and ids are stand-ins.
    ///
    /// Codes, choices, numbers and dates stay, and the same word has the same stand-in everywhere, so that a mapping behaves as it did. Needs
    /// [recordings] in the configuration.
    Record(plugin_replay::RecordArgs),
    /// What serves, since when and by whom; what is judged or tried; what was refused or taken out, and why.
    List(plugin_set::ListArgs),
    /// Let a candidate serve all deals.
    Promote(plugin_set::PromoteArgs),
    /// Go back to an older set.
    Rollback(plugin_set::RollbackArgs),
    /// Take a version out of service by its bytes, or let it in again.
    Quarantine(plugin_set::QuarantineArgs),
    /// Propose everything in the plugin folder, as if it had just been dropped: for a folder that is new to a store, and for pipelines.
    Propose(plugin_set::ProposeArgs),
    /// Start a plugin: a folder that builds and tests as it is, in the language of your choice.
    New(author::new::Args),
    /// Build a project into files that can be dropped into a plugin folder.
    ///
    /// Rust needs cargo and nothing else: the component is made here. JavaScript and Python need their toolchain, and the one line to install it is
    /// said when it is missing. A script or a table is checked and laid beside the engine that runs it.
    Build(author::build::Args),
    /// Ask a plugin one question, or all of them: the answer, and what it costs beside the limits of production.
    Run(author::run::Args),
    /// Try a plugin against the laws of the contract, with strange deals and round trips: for a pipeline.
    Test(author::test::Args),
    /// Tell everything about a file: what it says about itself, what it answers, sizes, hash and limits.
    Inspect(author::inspect::Args),
    /// Write the contract in TypeScript with the tables and columns of your own CRM, so that an editor completes and checks them.
    Types(author::types::Args),
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Print a configuration with every key, its default and what it is for: the manual.
    ///
    /// Save it, fill in your own tenants and addresses, and let `cosell config check` tell what is missing.
    Example,
    /// Read a configuration as `run` would, and tell every mistake at once.
    ///
    /// Calls nobody: addresses and secrets are read, not tried. Exits with 1 when there is a mistake.
    Check {
        /// The configuration file.
        #[arg(long, short, value_name = "FILE", env = "COSELL_CONFIG")]
        config: PathBuf,
    },
}

/// Threads that may block: for four readers of the store, and files that are looked at now and then. Each thread keeps what it
/// frees in a part of the allocator of its own: with the runtime's 512 a host's memory grows for hours, though it holds eleven MiB.
const BLOCKING_THREADS_MAX: usize = 8;

fn main() -> ExitCode {
    let cli = Cli::try_parse().unwrap_or_else(|error| misunderstood(&error));
    if let Command::CompilePlugin { limits } = &cli.command {
        // Without a runtime: its threads would count against the limits.
        return compiler::compile(limits);
    }
    leave_quietly_when_nobody_reads_on();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            return fail(&anyhow::Error::from(error).context("the runtime could not be started"));
        }
    };
    let done = runtime.block_on(async {
        match cli.command {
            Command::Run { config } => run::run(&config).await,
            Command::Demo(args) => demo::demo(args).await,
            Command::Simulator(args) => simulator::simulator(*args).await,
            Command::Plugin(PluginCommand::Check { file, engines }) => {
                check::plugin(&file, &engines)
            }
            Command::Plugin(PluginCommand::Diff(args)) => plugin_diff::diff(args).await,
            Command::Plugin(PluginCommand::Replay(args)) => plugin_replay::replay(args).await,
            Command::Plugin(PluginCommand::Record(args)) => plugin_replay::record(args).await,
            Command::Plugin(PluginCommand::List(args)) => plugin_set::list(args).await,
            Command::Plugin(PluginCommand::Promote(args)) => plugin_set::promote(args).await,
            Command::Plugin(PluginCommand::Rollback(args)) => plugin_set::rollback(args).await,
            Command::Plugin(PluginCommand::Quarantine(args)) => plugin_set::quarantine(args).await,
            Command::Plugin(PluginCommand::Propose(args)) => plugin_set::propose(args).await,
            Command::Plugin(PluginCommand::New(args)) => author::new::new(&args),
            Command::Plugin(PluginCommand::Build(args)) => author::build::build(&args),
            Command::Plugin(PluginCommand::Run(args)) => author::run::run(&args).await,
            Command::Plugin(PluginCommand::Test(args)) => author::test::test(&args).await,
            Command::Plugin(PluginCommand::Inspect(args)) => author::inspect::inspect(&args),
            Command::Plugin(PluginCommand::Types(args)) => author::types::types(&args).await,
            Command::Config(ConfigCommand::Example) => Ok(check::example()),
            Command::Config(ConfigCommand::Check { config }) => check::config(&config),
            Command::Status { on } => status::status(&on).await,
            Command::Deals(args) => deals::deals(args).await,
            Command::Deal(args) => deals::deal(args).await,
            Command::Plan(args) => plan::plan(args).await,
            Command::Explain(args) => explain::explain(args).await,
            Command::Cards(args) => cards::cards(args).await,
            Command::Card(command) => cards::card(command).await,
            Command::Holds(args) => cards::holds(args).await,
            Command::Hold(command) => cards::hold(command).await,
            Command::Retry(args) => order::retry(args).await,
            Command::Reconcile(args) => reconcile::reconcile(args).await,
            Command::SignIn(args) => sign_in::sign_in(args).await,
            Command::Rebind(args) => order::rebind(args).await,
            Command::CompilePlugin { .. } => unreachable!("answered before the runtime started"),
            Command::Person(command) => person::run(command).await,
            Command::Store(command) => store::store(command).await,
        }
    });
    done.unwrap_or_else(|error| fail(&error))
}

/// What clap says, and where it says what is missing and not where that comes from, that too.
#[allow(clippy::print_stderr, reason = "the command line may")]
fn misunderstood(error: &clap::Error) -> ! {
    use clap::error::{ContextKind, ContextValue, ErrorKind};
    let missing = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::Strings(names))
            if error.kind() == ErrorKind::MissingRequiredArgument =>
        {
            names.as_slice()
        }
        _ => &[],
    };
    if missing.iter().any(|name| name.starts_with("--config")) {
        // Nobody reads on where this cannot be written.
        let _ = error.print();
        eprintln!(
            "\nName it once for all commands: export COSELL_CONFIG=my.toml. If there is none yet: cosell config example > my.toml"
        );
        std::process::exit(2);
    }
    error.exit()
}

/// `cosell deals | head` has what it wanted: a pipe that is closed is no mistake of ours. Everything else panics as ever.
fn leave_quietly_when_nobody_reads_on() {
    let as_ever = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let said = panic.payload().downcast_ref::<String>();
        let nobody_reads = said.is_some_and(|said| {
            said.starts_with("failed printing to stdout") && said.contains("Broken pipe")
        });
        if nobody_reads {
            std::process::exit(0);
        }
        as_ever(panic);
    }));
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
