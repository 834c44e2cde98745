//! `cosell plugin run`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, anyhow, bail};
use cosell_host::verbs::{self, Subject};
use cosell_plugins::Limits;
use cosell_plugins::author::{Case, Measured, Meter};
use cosell_plugins::trial::Trial;
use serde::Serialize;

use super::{Engines, grouped, mebibytes};

/// Arguments of `cosell plugin run`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Without --input and --deal the questions are about the standard deal of the contract. An input file is a recording of a deal
(`cosell plugin record`), or holds one example, or a list of them, in the shape of `examples.cases` in cosell.d.ts:
  {\"asks\": \"country.to-row\", \"given\": [{\"tag\": \"text\", \"val\": \"HU\"}], \"expect\": []}

Exit codes: 0 every question was answered; 1 the plugin broke, the host would not take an answer, or an expectation is not met; 2 the command
line was not understood."
)]
pub(crate) struct Args {
    /// The component, script or table. An operator file beside it is read.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Only this question, `opportunity.to-row`, or those of this hook, `opportunity`.
    #[arg(long, value_name = "HOOK")]
    hook: Option<String>,
    /// What the questions are about: JSON; also the NAME.rejected.json beside a file that was refused for a deal over which it breaks.
    #[arg(long, value_name = "FILE", conflicts_with = "deal")]
    input: Option<PathBuf>,
    /// A real deal, as `cosell deals` names it, or the id of a record. Reads both sides and writes nothing.
    #[arg(long, value_name = "ID", requires = "config")]
    deal: Option<String>,
    /// The configuration file, for --deal.
    #[arg(long, short, value_name = "FILE", env = "COSELL_CONFIG")]
    config: Option<PathBuf>,
    /// Only this connection, for --deal.
    #[arg(long, value_name = "ID")]
    connection: Option<String>,
    /// Do not count steps: the plugin is compiled once less.
    #[arg(long)]
    no_cost: bool,
    /// One JSON object on stdout instead of lines.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    engines: Engines,
}

#[derive(Serialize)]
struct Report {
    plugin: String,
    limits: LimitsTold,
    answers: Vec<Measured>,
}

#[derive(Serialize)]
struct LimitsTold {
    call_ms: u64,
    start_ms: u64,
    memory_bytes: u64,
}

pub(crate) async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let engines = args.engines.folders();
    let trial = Trial::load_with(&super::engine()?, &args.file, &engines).map_err(|refused| {
        anyhow!(
            "the folder would refuse it ({}): {refused}",
            refused.phase.as_str()
        )
    })?;
    let limits = trial.limits();
    let cases = cases(args, &trial).await?;
    let meter = if args.no_cost {
        None
    } else {
        Some(Meter::load(&trial, &args.file, &engines)?)
    };
    let answers = cases
        .iter()
        .map(|case| {
            trial
                .measure(case, meter.as_ref())
                .map_err(|why| anyhow!(why))
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    let is_good = answers.iter().all(Measured::is_good);
    let report = Report {
        plugin: trial.id().to_owned(),
        limits: LimitsTold {
            call_ms: limits.call_ms,
            start_ms: limits.start_ms,
            memory_bytes: limits.memory_bytes as u64,
        },
        answers,
    };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        for answer in &report.answers {
            print(answer, &limits);
        }
    }
    Ok(if is_good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn cases(args: &Args, trial: &Trial) -> anyhow::Result<Vec<Case>> {
    let served: Vec<&str> = trial.questions().collect();
    let is_asked = |name: &str| {
        args.hook
            .as_deref()
            .is_none_or(|hook| name == hook || name.split('.').next() == Some(hook))
    };
    let asked: Vec<&str> = served
        .iter()
        .copied()
        .filter(|name| is_asked(name))
        .collect();
    if asked.is_empty() {
        bail!(
            "\"{}\" is none of its questions; there are {}",
            args.hook.as_deref().unwrap_or_default(),
            served.join(", ")
        );
    }
    if let Some(path) = &args.input {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let input: serde_json::Value = serde_json::from_str(&text)
            .with_context(|| format!("{} is not JSON", path.display()))?;
        if input.get(cosell_host::recording::KIND).is_some() {
            let subject = verbs::subject_of(&crate::plugin_replay::read(path)?)?;
            return about(&subject, trial, asked);
        }
        let only = args.hook.as_deref().filter(|hook| hook.contains('.'));
        return trial
            .cases_of(&input, only)
            .map_err(|why| anyhow!("{}: {why}", path.display()));
    }
    if let (Some(deal), Some(config)) = (&args.deal, &args.config) {
        let config = crate::compiler::load(config)?;
        let (desk, candidate) = cosell_host::app::desk_and_candidate(&config, &args.file)?;
        let subject = verbs::subject(desk, candidate, args.connection.as_deref(), deal).await?;
        return about(&subject, trial, asked);
    }
    Ok(asked
        .into_iter()
        .map(|name| trial.standard_case(name))
        .collect())
}

/// The questions that would be asked about this deal.
fn about(subject: &Subject, trial: &Trial, asked: Vec<&str>) -> anyhow::Result<Vec<Case>> {
    let cases = asked
        .into_iter()
        .filter(|name| subject.is_asked(name))
        .map(|name| trial.case_about(name, &subject.deal, subject.seen.as_ref()))
        .collect::<Vec<_>>();
    anyhow::ensure!(
        !cases.is_empty(),
        "nothing that this plugin is asked concerns a deal that is {} in the CRM",
        subject.kind.table()
    );
    Ok(cases)
}

fn print(measured: &Measured, limits: &Limits) {
    match &measured.title {
        Some(title) => println!("{}  \"{title}\"", measured.question),
        None => println!("{}", measured.question),
    }
    match &measured.fault {
        Some(fault) => {
            println!("  broke     {}: {}", fault.kind, fault.message);
            for line in fault.trace.iter().flat_map(|trace| trace.lines()) {
                println!("            {line}");
            }
            for frame in &fault.frames {
                println!("            in {frame}");
            }
        }
        None => println!("  says      {}", measured.says),
    }
    if let Some(why) = &measured.not_accepted {
        println!("  refused   the host would not take it: {why}");
    }
    for unmet in &measured.unmet {
        println!("  unmet     expected {unmet}");
    }
    for line in &measured.log {
        println!("  logged    {line}");
    }
    if measured.log_dropped > 0 {
        println!("  logged    and {} lines too many", measured.log_dropped);
    }
    let warm = measured
        .warm_us
        .map_or_else(String::new, |warm| format!("{} µs warm, ", grouped(warm)));
    println!(
        "  time      {warm}{} µs first, {} µs to come up    (limits: {} ms a call, {} ms to come up)",
        grouped(measured.first_us),
        grouped(measured.start_us),
        limits.call_ms,
        limits.start_ms
    );
    println!(
        "  memory    {}    (limit: {})",
        mebibytes(measured.memory_bytes),
        mebibytes(limits.memory_bytes as u64)
    );
    if let Some(cost) = measured.cost {
        println!(
            "  cost      {} steps, the same on every machine",
            grouped(cost)
        );
    }
}
