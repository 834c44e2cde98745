//! `cosell simulator`: starts one, and with a word behind it speaks to the one that runs.
#![allow(clippy::print_stdout, reason = "the command line may")]

mod fault;
mod orders;
mod tell;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use cosell::simulated::{CA_FILE, Paths, must_be_ours, private, write_configuration};
use cosell_simulator::{Running, Simulator, SimulatorConfig, SimulatorError};

/// Where the address of control is written, for the commands that speak to a running simulator.
pub(crate) const CONTROL_FILE: &str = "control-url";

/// Arguments of `cosell simulator`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    order: Option<orders::Command>,
    #[command(flatten)]
    start: Start,
}

/// How one is started.
#[derive(Debug, clap::Args)]
struct Start {
    /// First of seven consecutive ports.
    #[arg(long, value_name = "PORT", default_value_t = 7600)]
    port: u16,
    /// Where the configuration for `cosell run`, its secrets and the certificate authority are written.
    #[arg(long, value_name = "DIR", default_value = "simulated")]
    dir: PathBuf,
    /// The plugin folder that the configuration names.
    #[arg(long, value_name = "DIR", default_value = "target/plugins")]
    plugins: PathBuf,
    /// Where the host of that configuration listens.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Milliseconds that every API call takes.
    #[arg(long, value_name = "MS", default_value_t = 20)]
    latency_ms: u64,
    /// Same seed, same ids.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the clock stands until `cosell simulator clock` moves it, such as 2026-01-31T10:20:30Z; then the same orders give the same ledger. A
    /// host keeps real time, so this is for scripts that play both sides themselves.
    #[arg(long, value_name = "TIME", value_parser = cosell_simulator::moment)]
    clock_stands_at: Option<Moment>,
    /// Go on with the world of a file that `cosell simulator save` wrote: its records, keys and secrets, and the store of its host.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seed", "clock_stands_at"])]
    load: Option<PathBuf>,
}

/// A point in time, as the simulator reads it.
type Moment = cosell_simulator::Timestamp;

pub(crate) async fn simulator(args: Args) -> anyhow::Result<ExitCode> {
    match args.order {
        Some(order) => orders::carry_out(order).await,
        None => start(args.start).await,
    }
}

async fn start(args: Start) -> anyhow::Result<ExitCode> {
    std::fs::create_dir_all(&args.dir)
        .with_context(|| format!("cannot make {}", args.dir.display()))?;
    must_be_ours(&args.dir)?;
    // Whoever cannot start removes nothing: the simulation before may still be running, and its host with it.
    let running = running(&args).await?;
    std::net::TcpListener::bind(args.listen).with_context(|| {
        format!(
            "the host of this simulation is to listen on {}, and something does already: stop it, or choose another address with --listen",
            args.listen
        )
    })?;
    if args.load.is_none() {
        forget_store(&args.dir)?;
    }
    let dir = args
        .dir
        .canonicalize()
        .with_context(|| format!("cannot find {}", args.dir.display()))?;
    let plugins = args.plugins.canonicalize().unwrap_or(args.plugins);
    let config = write_configuration(
        &running,
        &Paths {
            dir: dir.clone(),
            plugins,
            cache: None,
            listen: args.listen,
        },
        &[("quiet_period_s", "0"), ("grace_minutes", "0")],
    )?;
    private(&dir.join(CONTROL_FILE), &running.urls.control)?;
    announce(&running, &dir, &config);
    tokio::signal::ctrl_c()
        .await
        .context("Ctrl-C cannot be received")?;
    running.shutdown();
    Ok(ExitCode::SUCCESS)
}

async fn running(args: &Start) -> anyhow::Result<Running> {
    let place = |settings: &mut SimulatorConfig| {
        settings.base_port = Some(args.port);
        settings.latency_ms = args.latency_ms;
    };
    let started = match &args.load {
        Some(file) => {
            let world =
                std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
            Simulator::resume(&world, place).await
        }
        None => {
            let mut settings = SimulatorConfig {
                seed: args.seed,
                clock_stands_at: args.clock_stands_at,
                ..SimulatorConfig::demo()
            };
            place(&mut settings);
            Simulator::start(settings).await
        }
    };
    started.map_err(|error| match error {
        SimulatorError::Bind { port, .. } => anyhow::Error::from(error).context(format!(
            "seven ports in a row are needed from {}, and port {port} is taken, perhaps by another simulator: choose others with --port",
            args.port
        )),
        other => other.into(),
    })
}

/// Where everything is, and the line that makes a shell's clients trust it, ready to paste.
fn announce(running: &Running, dir: &Path, config: &Path) {
    let (urls, ca) = (&running.urls, dir.join(CA_FILE));
    let ca = quoted(&ca.display().to_string());
    println!("Entra            {}", urls.entra);
    println!("Partner Center   {}", urls.referrals);
    println!("Dynamics 365     {}", urls.dataverse);
    println!("metadata service {}", urls.metadata);
    println!(
        "pages to look at {}/partner-center and /dynamics",
        urls.control
    );
    println!(
        "trust it         export SSL_CERT_FILE={ca} CURL_CA_BUNDLE={ca} REQUESTS_CA_BUNDLE={ca} NODE_EXTRA_CA_CERTS={ca}"
    );
    println!(
        "play both sides  cosell simulator act --help; curl --cacert {ca} {}/",
        urls.control
    );
    println!(
        "run a host       cosell run --config {}",
        quoted(&config.display().to_string())
    );
    println!(
        "Ctrl-C ends it, and what it holds is gone then, unless `cosell simulator save FILE` wrote it down."
    );
}

/// As a shell takes it as one word.
fn quoted(text: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-+:@%".contains(letter);
    if text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A new world knows nothing of the deals that an earlier one held; a store that remembers them would call them all gone.
fn forget_store(dir: &Path) -> anyhow::Result<()> {
    for left in ["cosell.db", "cosell.db-wal", "cosell.db-shm"] {
        match std::fs::remove_file(dir.join(left)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error)
                    .with_context(|| format!("cannot remove {left} of the simulation before"));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_path_is_pasted_as_one_word() {
        assert_eq!(quoted("/a/b-c.pem"), "/a/b-c.pem");
        assert_eq!(quoted("/a b/it's"), r"'/a b/it'\''s'");
    }
}
