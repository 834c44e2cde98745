//! Whether plugins keep the laws of the contract, for `cosell plugin test`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cosell_sync::deal::Deal;
use cosell_sync::row::Seen;
use serde::Serialize;
use serde_json::Value;

use crate::engine::Engine;
use crate::examples::{QUESTIONS, answer, undeclared};
use crate::folder::scan;
use crate::load::load;
use crate::offer::Offer;
use crate::operator::Operator;
use crate::plugin::Plugin;
use crate::rejection::{Phase, Rejection, RejectionKind};
use crate::set::PluginSet;
use crate::standard::Question;
use crate::trial::Trial;

use super::{laws, total};

/// What is tried.
#[derive(Debug, Clone)]
pub struct Exam {
    /// Of the strange deals: the same seed makes the same ones, on every machine.
    pub seed: u64,
    /// Strange deals for each question.
    pub cases: u32,
    /// Folders in which the engines of scripts and tables are looked for, when none lies beside the file.
    pub engines: Vec<PathBuf>,
}

/// One law, of one plugin or of all of them together.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// The file; a chain as the folder's path.
    pub file: String,
    /// `loads`, `standard-deal`, `total`, `round-trip`, `recorded`.
    pub law: &'static str,
    /// How it came out.
    pub verdict: Verdict,
    /// What was found, notes included.
    pub findings: Vec<Finding>,
}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Nothing was found, or only notes.
    Holds,
    /// Something was.
    Fails,
    /// Could not be tried, because an earlier one failed.
    Untried,
}

/// One thing that was found.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// The question, or what was done.
    pub about: String,
    /// One sentence.
    pub told: String,
    /// Worth knowing, and no failure.
    pub is_note: bool,
    /// The smallest deal that shows it, for `cosell plugin run --input`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
}

/// What came of it.
#[derive(Debug, Clone, Serialize)]
pub struct ExamReport {
    /// Of the strange deals.
    pub seed: u64,
    /// Strange deals for each question.
    pub cases: u32,
    /// In the order in which they were tried.
    pub checks: Vec<Check>,
}

impl ExamReport {
    /// Every law holds, and was tried.
    #[must_use]
    pub fn is_passed(&self) -> bool {
        let holds = |check: &Check| check.verdict == Verdict::Holds;
        self.checks.iter().all(holds) && !self.checks.is_empty()
    }
}

const LAWS: [&str; 4] = ["loads", "standard-deal", "total", "round-trip"];
/// Tried for each recording that somebody brings.
const RECORDED: &str = "recorded";

/// A real deal, to be asked about.
pub struct Recorded<'a> {
    /// Where it was recorded, for people: a file.
    pub from: String,
    /// As Partner Center showed it, else as the CRM's row read.
    pub deal: &'a Deal,
    /// The row, with what the joins brought; None: there was none.
    pub seen: Option<&'a Seen>,
    /// Whether a question, `opportunity.to-row`, would be asked about it.
    pub is_asked: &'a dyn Fn(&str) -> bool,
}

impl Exam {
    /// Tries one file. Blocks; takes seconds for the largest guests.
    pub async fn file(&self, engine: &Engine, path: &Path) -> ExamReport {
        let mut report = self.report();
        let file = name(path);
        match self.take(engine, path) {
            Ok(taken) => {
                self.alone(&file, &taken, &mut report.checks);
                let set = PluginSet::new(engine.clone(), 0, vec![taken.plugin], None);
                report
                    .checks
                    .push(check(&file, LAWS[3], laws::findings(&set, None).await));
            }
            Err(rejection) => refused(&file, &rejection, &mut report.checks),
        }
        report
    }

    /// Tries every plugin of a folder, and then all of them as the chain in which they serve.
    ///
    /// # Errors
    /// The folder cannot be read, or no plugin lies in it.
    pub async fn folder(&self, engine: &Engine, folder: &Path) -> Result<ExamReport, Rejection> {
        let unusable = |why: String| {
            Rejection::new(
                Phase::Read,
                RejectionKind::NotAFile,
                format!("{} is no folder of plugins: {why}", folder.display()),
            )
        };
        let found = scan(folder).map_err(|error| unusable(error.to_string()))?;
        if found.is_empty() {
            return Err(unusable("nothing in it is a plugin".to_owned()));
        }
        let mut report = self.report();
        let mut chain: Vec<Arc<Plugin>> = Vec::new();
        for file in found.keys() {
            let path = folder.join(file);
            match self.take(engine, &path) {
                // It is asked nothing in the folder, and so is no part of the chain.
                Ok(Taken { is_off: true, .. }) => {
                    report
                        .checks
                        .push(check(file, LAWS[0], vec![switched_off()]));
                }
                Ok(taken) => {
                    self.alone(file, &taken, &mut report.checks);
                    chain.push(taken.plugin);
                }
                Err(rejection) => refused(file, &rejection, &mut report.checks),
            }
        }
        let together = folder.display().to_string();
        let set = PluginSet::new(engine.clone(), 0, chain, None);
        report
            .checks
            .push(check(&together, LAWS[3], laws::findings(&set, None).await));
        Ok(report)
    }

    /// Tries one file on a deal that was recorded: every question about it is answered, and the host would take the answer. Blocks.
    #[must_use]
    pub fn recorded(&self, engine: &Engine, path: &Path, recorded: &Recorded<'_>) -> Check {
        let file = name(path);
        match Trial::load_with(engine, path, &self.engines) {
            Ok(trial) => about_recorded(&file, &trial, recorded),
            // The law `loads` says why.
            Err(_) => untried(&file, RECORDED),
        }
    }

    fn report(&self) -> ExamReport {
        ExamReport {
            seed: self.seed,
            cases: self.cases,
            checks: Vec::new(),
        }
    }

    fn take(&self, engine: &Engine, path: &Path) -> Result<Taken, Rejection> {
        let operator = Operator::beside(path)?;
        let offer = Offer::read_from(path, &self.engines)?;
        load(engine, &offer, &operator).map(|loaded| Taken {
            plugin: loaded.plugin,
            examples: loaded.examples,
            is_off: !operator.enabled,
        })
    }

    fn alone(&self, file: &str, taken: &Taken, checks: &mut Vec<Check>) {
        let plugin = &taken.plugin;
        let examples = match taken.examples {
            0 => "it brings no golden examples: they show what a change breaks".to_owned(),
            passed => format!("{passed} golden examples, each twice"),
        };
        let mut notes = vec![Finding {
            about: "examples".to_owned(),
            told: examples,
            is_note: true,
            input: None,
        }];
        notes.extend(taken.is_off.then(switched_off));
        checks.push(check(file, LAWS[0], notes));
        checks.push(check(file, LAWS[1], standard_deal(plugin)));
        checks.push(check(
            file,
            LAWS[2],
            total::findings(plugin, self.seed, self.cases),
        ));
    }
}

/// A file that loads.
struct Taken {
    plugin: Arc<Plugin>,
    examples: usize,
    is_off: bool,
}

fn switched_off() -> Finding {
    Finding {
        about: "operator file".to_owned(),
        told: "it is switched off (enabled = false): in the folder nobody asks it".to_owned(),
        is_note: true,
        input: None,
    }
}

fn name(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

fn check(file: &str, law: &'static str, findings: Vec<Finding>) -> Check {
    let holds = findings.iter().all(|finding| finding.is_note);
    Check {
        file: file.to_owned(),
        law,
        verdict: if holds {
            Verdict::Holds
        } else {
            Verdict::Fails
        },
        findings,
    }
}

/// What the folder refuses is not tried further.
fn refused(file: &str, rejection: &Rejection, checks: &mut Vec<Check>) {
    checks.push(check(
        file,
        LAWS[0],
        vec![Finding {
            about: rejection.phase.as_str().to_owned(),
            told: rejection.to_string(),
            is_note: false,
            input: None,
        }],
    ));
    checks.extend(LAWS[1..].iter().map(|law| untried(file, law)));
}

fn untried(file: &str, law: &'static str) -> Check {
    Check {
        file: file.to_owned(),
        law,
        verdict: Verdict::Untried,
        findings: Vec::new(),
    }
}

fn about_recorded(file: &str, trial: &Trial, recorded: &Recorded<'_>) -> Check {
    let finding = |about: &str, told: &str, is_note: bool| Finding {
        about: about.to_owned(),
        told: format!("{told} ({})", recorded.from),
        is_note,
        input: None,
    };
    let asked: Vec<&str> = trial
        .questions()
        .filter(|question| (recorded.is_asked)(question))
        .collect();
    if asked.is_empty() {
        let told = "nothing that it is asked concerns this deal";
        return Check {
            findings: vec![finding("recording", told, true)],
            ..untried(file, RECORDED)
        };
    }
    let wrong = asked.into_iter().filter_map(|question| {
        let case = trial.case_about(question, recorded.deal, recorded.seen);
        let told = match trial.measure(&case, None) {
            Ok(measured) => {
                let broke = measured.fault.map(|fault| fault.message);
                broke.or(measured.not_accepted)?
            }
            Err(why) => why,
        };
        Some(finding(question, &told, false))
    });
    check(file, RECORDED, wrong.collect())
}

/// Answers about the standard deal, in columns that were declared.
pub(crate) fn standard_deal(plugin: &Plugin) -> Vec<Finding> {
    let served = QUESTIONS
        .into_iter()
        .filter(|(hook, _)| plugin.hooks.contains(hook));
    let wrong = served.filter_map(|(_, name)| {
        let question =
            Question::new(name, plugin.settings.clone()).about_a_blank_row(&plugin.declared);
        let told = match answer(plugin, &question) {
            Ok(Ok(said)) => undeclared(&plugin.declared, plugin.id(), &question, &said)?,
            Ok(Err(fault)) => fault.to_string(),
            Err(why) => why,
        };
        Some(Finding {
            about: name.to_owned(),
            told,
            is_note: false,
            input: None,
        })
    });
    wrong.collect()
}
