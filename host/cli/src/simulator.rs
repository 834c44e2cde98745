//! `cosell simulator`.
#![allow(clippy::print_stdout, reason = "the command line may")]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use cosell::simulated::{CA_FILE, Paths, must_be_ours, write_configuration};
use cosell_simulator::{Simulator, SimulatorConfig, SimulatorError};

/// Arguments of `cosell simulator`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// First of six consecutive ports.
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
}

pub(crate) async fn simulator(args: Args) -> anyhow::Result<ExitCode> {
    std::fs::create_dir_all(&args.dir)
        .with_context(|| format!("cannot make {}", args.dir.display()))?;
    must_be_ours(&args.dir)?;
    let settings = SimulatorConfig {
        base_port: Some(args.port),
        latency_ms: args.latency_ms,
        seed: args.seed,
        ..SimulatorConfig::demo()
    };
    // Whoever cannot start removes nothing: the simulation before may still be running, and its host with it.
    let running = Simulator::start(settings)
        .await
        .map_err(|error| match error {
            SimulatorError::Bind { port, .. } => anyhow::Error::from(error).context(format!(
                "six ports in a row are needed from {}, and port {port} is taken, perhaps by another simulator: choose others with --port",
                args.port
            )),
            other => other.into(),
        })?;
    std::net::TcpListener::bind(args.listen).with_context(|| {
        format!(
            "the host of this simulation is to listen on {}, and something does already: stop it, or choose another address with --listen",
            args.listen
        )
    })?;
    forget_store(&args.dir)?;
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
    let (urls, ca) = (&running.urls, dir.join(CA_FILE));
    println!("Entra            {}", urls.entra);
    println!("Partner Center   {}", urls.referrals);
    println!("Dynamics 365     {}", urls.dataverse);
    println!(
        "play both sides  curl --cacert {} {}/",
        ca.display(),
        urls.control
    );
    println!("run a host       cosell run --config {}", config.display());
    println!("Ctrl-C ends it, and what it holds is gone then.");
    tokio::signal::ctrl_c()
        .await
        .context("Ctrl-C cannot be received")?;
    running.shutdown();
    Ok(ExitCode::SUCCESS)
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
