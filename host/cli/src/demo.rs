//! `cosell demo`: the main job on real input. The real host, as a process of its own, talks real HTTPS with real tokens and signed webhooks to
//! a local Partner Center and a local Dynamics 365, and every mapping is done by components from a folder.

mod host;
mod judge;
mod people;
mod scenes;
mod stage;
mod tell;
mod traffic;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use serde::Serialize;

use host::HostFigures;
use judge::LedgerFigures;
use scenes::{Latencies, SCENES};
use stage::Stage;
use tell::Teller;

/// Arguments of `cosell demo`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Play the scenes, let the ledger judge, and end: exit 0 only if both sides and the store agree on every deal.
    #[arg(long)]
    once: bool,
    /// One JSON object on stdout; the story and the logs go to stderr. Only with --once.
    #[arg(long, requires = "once")]
    json: bool,
    /// The stock plugins (`cargo xtask plugins` builds them).
    #[arg(long, value_name = "DIR", default_value = "target/plugins")]
    plugins: PathBuf,
    /// A partner's plugins, to be dropped in while deals flow.
    #[arg(long, value_name = "DIR", default_value = "target/examples")]
    examples: PathBuf,
    /// Where the demo keeps its files, in a new folder of each run; a temporary one unless given.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report {
    ok: bool,
    scenarios: Vec<Scenario>,
    ledger: LedgerFigures,
    latency_ms: Latencies,
    host: HostFigures,
    disagreements: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Scenario {
    name: &'static str,
    ok: bool,
    ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// What `--json` prints when there is nothing to report on.
#[derive(Debug, Serialize)]
struct Failure {
    ok: bool,
    error: String,
}

pub(crate) async fn demo(args: Args) -> anyhow::Result<ExitCode> {
    let played = play(&args).await;
    // A program that waits for one object gets one, whatever went wrong.
    if let (true, Err(error)) = (args.json, &played) {
        let failure = Failure {
            ok: false,
            error: format!("{error:#}"),
        };
        tell::print(&serde_json::to_string_pretty(&failure)?);
    }
    played
}

async fn play(args: &Args) -> anyhow::Result<ExitCode> {
    let teller = Teller {
        to_stderr: args.json,
    };
    teller.title("cosell demo");
    let mut stage = Stage::set(args, teller).await?;
    let mut scenarios = Vec::new();
    let mut latencies = scenes::Samples::default();
    for (name, scene) in SCENES {
        teller.scene(name);
        let began = Instant::now();
        let played = scene(&mut stage, &mut latencies).await;
        let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let error = played.err().map(|error| format!("{error:#}"));
        if let Some(error) = &error {
            teller.wrong(error);
        }
        let ok = error.is_none();
        scenarios.push(Scenario {
            name,
            ok,
            ms,
            error,
        });
        // The scenes after a broken one would only tell its consequences.
        if !ok {
            break;
        }
    }
    teller.scene("what the ledger says");
    let mut verdict = judge::judge(&stage)
        .await
        .context("the judge could not read both sides")?;
    for disagreement in &verdict.disagreements {
        teller.wrong(disagreement);
    }
    let figures = stage
        .restart_host()
        .await
        .context("the second start failed")?;
    for over in figures.over_budget() {
        teller.wrong(&over);
        verdict.disagreements.push(over);
    }
    let report = Report {
        ok: scenarios.iter().all(|scenario| scenario.ok)
            && scenarios.len() == SCENES.len()
            && verdict.disagreements.is_empty(),
        scenarios,
        ledger: verdict.ledger,
        latency_ms: latencies.figures(),
        host: figures,
        disagreements: verdict.disagreements,
    };
    teller.figures(&report);
    if args.json {
        tell::print(&serde_json::to_string_pretty(&report)?);
    }
    if !args.once {
        stage.stay_up().await?;
    }
    stage.strike().await;
    Ok(if report.ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
