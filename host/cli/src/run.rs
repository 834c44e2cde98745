//! `cosell run`.

use std::io::IsTerminal as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use cosell_host::app::Host;
use cosell_host::config::{Log, LogFormat};
use tokio::signal::unix::{SignalKind, signal};
use tracing::info;
use tracing_subscriber::EnvFilter;

pub(crate) async fn run(path: &Path) -> anyhow::Result<ExitCode> {
    let config = crate::compiler::load(path)?;
    start_log(&config.log);
    // Listened for from here on: who is told to end while it is still coming up gives back what it has taken, too.
    let mut terminate = signal(SignalKind::terminate()).context("signals cannot be received")?;
    let host = Host::start(&config).await?;
    let signal = tokio::select! {
        _ = tokio::signal::ctrl_c() => "Ctrl-C",
        _ = terminate.recv() => "SIGTERM",
    };
    info!(signal, "stopping: no more work is taken, running deals end");
    host.stop(config.limits.drain).await;
    info!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// Log lines go to stderr, so that stdout stays free for answers.
fn start_log(log: &Log) {
    let filter = EnvFilter::try_new(&log.level).unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match log.format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
}
