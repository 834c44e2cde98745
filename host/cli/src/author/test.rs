//! `cosell plugin test`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use cosell_author::build;
use cosell_author::project::Project;
use cosell_host::verbs;
use cosell_plugins::author::{Exam, ExamReport, Recorded, Verdict};

use super::Engines;

/// Arguments of `cosell plugin test`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Laws:
  loads          what the folder checks: imports, exports, manifest, settings, golden examples, the same answer twice
  standard-deal  every question about the contract's standard deal is answered, in declared columns
  total          strange deals: nothing breaks, nothing undeclared is written, the same question has one answer
  round-trip     what is written is read back, and a second trip changes nothing; of a folder, the whole chain
  recorded       with --recording: every question about the recorded deal is answered, and the host would take the answer

The plugin folder of a host tries the same when a file is new, with the first 25 of the strange deals of seed 1.

Exit codes: 0 every law holds; 1 one does not, or could not be tried; 2 the command line was not understood.")]
pub(crate) struct Args {
    /// A component, a script or a table; a folder of them, asked as the chain that they are; or a project, which is built first.
    #[arg(value_name = "FILE|DIR")]
    what: PathBuf,
    /// Of the strange deals: the same seed makes the same ones, on every machine.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// Strange deals for each question.
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    cases: u32,
    /// Also ask about the deal of this file of `cosell plugin record`; may be given several times, for one plugin.
    #[arg(long, value_name = "FILE")]
    recording: Vec<PathBuf>,
    /// Where a deal that shows a failure is written, for `cosell plugin run --input`.
    #[arg(long, value_name = "DIR", default_value = ".")]
    failures: PathBuf,
    /// One JSON object on stdout instead of lines.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    engines: Engines,
}

pub(crate) async fn test(args: &Args) -> anyhow::Result<ExitCode> {
    let engine = super::engine()?;
    let engines = args.engines.folders();
    let exam = Exam {
        seed: args.seed,
        cases: args.cases,
        engines: engines.clone(),
    };
    let (mut report, folder) = if args.what.is_dir() {
        ensure!(
            args.recording.is_empty(),
            "a recording is for one plugin: name its file"
        );
        let folder = if Project::is_one(&args.what) {
            let out = args.what.join("dist");
            build::build(&Project::find(&args.what)?, &out, &engine, &engines)?;
            out
        } else {
            args.what.clone()
        };
        (exam.folder(&engine, &folder).await?, folder)
    } else {
        let folder = args.what.parent().unwrap_or(Path::new("")).to_owned();
        (exam.file(&engine, &args.what).await, folder)
    };
    for file in &args.recording {
        let subject = verbs::subject_of(&crate::plugin_replay::read(file)?)?;
        let recorded = Recorded {
            from: file.display().to_string(),
            deal: &subject.deal,
            seen: subject.seen.as_ref(),
            is_asked: &|question| subject.is_asked(question),
        };
        let check = exam.recorded(&engine, &args.what, &recorded);
        report.checks.push(check);
    }
    let inputs = write_inputs(args, &report)?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print(&report, &inputs, &folder);
    }
    Ok(if report.is_passed() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Each deal that shows a failure, as a file: in the order of the findings that have one.
fn write_inputs(args: &Args, report: &ExamReport) -> anyhow::Result<Vec<PathBuf>> {
    let mut inputs = Vec::new();
    for check in &report.checks {
        for finding in &check.findings {
            let Some(input) = &finding.input else {
                continue;
            };
            std::fs::create_dir_all(&args.failures)
                .with_context(|| format!("cannot make {}", args.failures.display()))?;
            let stem = check.file.split('.').next().unwrap_or_default();
            let path = args
                .failures
                .join(format!("{stem}.{}.failed.json", finding.about));
            std::fs::write(&path, format!("{input:#}\n"))
                .with_context(|| format!("cannot write {}", path.display()))?;
            inputs.push(path);
        }
    }
    Ok(inputs)
}

fn print(report: &ExamReport, inputs: &[PathBuf], folder: &Path) {
    let mut inputs = inputs.iter();
    let mut file = "";
    for check in &report.checks {
        if check.file != file {
            file = &check.file;
            println!("{file}");
        }
        let word = match check.verdict {
            Verdict::Holds => "holds",
            Verdict::Fails => "FAILS",
            Verdict::Untried => "untried",
        };
        println!("  {:<14} {word}", check.law);
        for finding in &check.findings {
            let note = if finding.is_note { "note: " } else { "" };
            println!("    {note}{}: {}", finding.about, finding.told);
            if finding.input.is_some()
                && let Some(input) = inputs.next()
            {
                println!(
                    "      again: cosell plugin run {} --input {}",
                    folder.join(&check.file).display(),
                    input.display()
                );
            }
        }
    }
    println!(
        "{} (seed {}, {} strange deals for each question)",
        if report.is_passed() {
            "every law holds"
        } else {
            "not every law holds"
        },
        report.seed,
        report.cases
    );
}
