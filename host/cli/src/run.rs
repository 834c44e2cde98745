//! `cosell run`.

use std::io::IsTerminal as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use cosell_host::app::Host;
use cosell_host::config::{Config, LogFormat};
use cosell_host::traces::{self, Traces};
use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, info};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, fmt, registry};

/// SIGXFSZ, on every Linux that cosell runs on.
const FILE_TOO_LARGE: i32 = 25;

pub(crate) async fn run(path: &Path) -> anyhow::Result<ExitCode> {
    let config = crate::compiler::load(path)?;
    let traces = start_log(&config)?;
    // Listened for from here on: a host that is told to end while it is still coming up has taken nothing yet, and just ends.
    let mut terminate = signal(SignalKind::terminate()).context("signals cannot be received")?;
    // As daemons have it: look at what may have changed.
    let mut hang_up = signal(SignalKind::hangup()).context("signals cannot be received")?;
    // A limit on the size of files is a full disk like any other: the write fails, and the host lives.
    let _file_too_large = signal(SignalKind::from_raw(FILE_TOO_LARGE));
    let started = tokio::select! {
        started = Host::start(&config) => Some(started?),
        _ = tokio::signal::ctrl_c() => None,
        _ = terminate.recv() => None,
    };
    let Some(mut host) = started else {
        info!("stopped before it was up");
        return Ok(ExitCode::SUCCESS);
    };
    let (why, broken) = loop {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => break ("Ctrl-C".to_owned(), false),
            _ = terminate.recv() => break ("SIGTERM".to_owned(), false),
            _ = hang_up.recv() => host.reload().await,
            why = host.broke() => break (why, true),
        }
    };
    if broken {
        error!(
            why,
            "a part of the host has ended by a mistake of its own: stopping, so that it is started anew; please report this"
        );
    } else {
        info!(
            signal = why,
            "stopping: no more work is taken, running deals end"
        );
    }
    host.stop(config.limits.drain).await;
    if let Some(traces) = traces {
        traces.end().await;
    }
    info!("stopped");
    Ok(if broken {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Log lines go to stderr, so that stdout stays free for answers; traces to a collector, if there is one.
fn start_log(config: &Config) -> anyhow::Result<Option<Traces>> {
    let filter = EnvFilter::try_new(&config.log.level).unwrap_or_else(|_| EnvFilter::new("info"));
    let (traces, spans) = match traces::start(config)? {
        Some((traces, spans)) => (Some(traces), Some(spans)),
        None => (None, None),
    };
    // A log on a full disk is a log that is not written, and nothing worse.
    let lines = fmt::layer()
        .log_internal_errors(false)
        .with_writer(std::io::stderr);
    let lines = match config.log.format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    registry()
        .with(spans)
        .with(lines.with_filter(filter))
        .init();
    Ok(traces)
}
