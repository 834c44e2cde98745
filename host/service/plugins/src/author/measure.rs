//! One question, its answer and its price: time and memory as they were, and a cost that is the same on every machine.
//!
//! In production a guest is limited by time, because counting its steps would make every call slower by a third. An author wants a number that
//! does not depend on what else the machine does: a second engine counts (`fuel`, about one for each instruction), and only here.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cosell_contract_shape::speak;
use serde::Serialize;
use serde_json::Value;

use crate::bindings::cosell::mapping::types as wit;
use crate::engine::{Engine, EngineError};
use crate::examples::{Said, answer_warm, meets, put, undeclared, words};
use crate::limits::Limits;
use crate::rejection::Rejection;
use crate::stop::{FaultKind, PluginFault};
use crate::trial::Trial;

use super::cases::Case;

/// Calls over which the time of a warm one is taken.
const WARM_CALLS: u32 = 20;

/// An answer and its price.
#[derive(Debug, Clone, Serialize)]
pub struct Measured {
    /// `opportunity.to-row`
    pub question: String,
    /// What the case is called, if it came from a file.
    pub title: Option<String>,
    /// The answer in words, or why there is none.
    pub says: String,
    /// The answer in JavaScript's shape; a stop as `{"stop": …}`. None: the plugin broke.
    pub answer: Option<Value>,
    /// What broke, if it broke.
    pub fault: Option<FaultTold>,
    /// Why the host would not accept the answer.
    pub not_accepted: Option<String>,
    /// What the case expects and the answer does not say.
    pub unmet: Vec<String>,
    /// What it logged, each line with its level.
    pub log: Vec<String>,
    /// Lines that were one too many.
    pub log_dropped: u32,
    /// To bring an instance up, in microseconds.
    pub start_us: u64,
    /// The first question on it.
    pub first_us: u64,
    /// One on a warm instance, as deals are asked; None where it breaks.
    pub warm_us: Option<u64>,
    /// Linear memory of the instance.
    pub memory_bytes: u64,
    /// Steps, the same on every machine; None: they were not counted.
    pub cost: Option<u64>,
}

/// A bug, for screens and programs.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs, reason = "the names are the doc")]
pub struct FaultTold {
    pub kind: &'static str,
    pub message: String,
    pub trace: Option<String>,
    pub frames: Vec<String>,
}

impl FaultTold {
    pub(super) fn of(fault: &PluginFault) -> Self {
        Self {
            kind: fault.kind.as_str(),
            message: fault.message.clone(),
            trace: fault.trace.clone(),
            frames: fault.frames.clone(),
        }
    }
}

impl Measured {
    /// It answered, and the host would take the answer, and it is what was expected.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.fault.is_none() && self.not_accepted.is_none() && self.unmet.is_empty()
    }
}

/// The same plugin on an engine that counts its steps.
pub struct Meter(Trial);

/// Why there is no meter.
#[derive(Debug, thiserror::Error)]
pub enum MeterError {
    /// The machine cannot run it.
    #[error("{0}")]
    Engine(#[from] EngineError),
    /// The folder would refuse the plugin.
    #[error("{0}")]
    Refused(Box<Rejection>),
}

impl Meter {
    /// Loads the file of a plugin that is tried once more, under the same limits. Blocks while it compiles.
    ///
    /// # Errors
    /// [`MeterError`].
    pub fn load(tried: &Trial, path: &Path, engines: &[PathBuf]) -> Result<Self, MeterError> {
        let limits = tried.limits();
        // Counting is slower, and must not be what stops it.
        let engine = Engine::metered(
            Limits {
                call_ms: limits.call_ms * 4,
                start_ms: limits.start_ms * 4,
                ..limits
            },
            tried.plugin().guest.engine.cache_dir(),
        )?;
        Trial::load_with(&engine, path, engines)
            .map(Self)
            .map_err(|refused| MeterError::Refused(Box::new(refused)))
    }

    fn count(&self, case: &Case) -> Option<u64> {
        once(&self.0, case).ok()?.cost
    }
}

impl Trial {
    /// Puts the question: on an instance of its own, then on a warm one, then on the meter's.
    ///
    /// # Errors
    /// In words: it is none of the plugin's questions.
    pub fn measure(&self, case: &Case, meter: Option<&Meter>) -> Result<Measured, String> {
        let once = once(self, case)?;
        let plugin = self.plugin();
        let mut measured = Measured {
            question: case.asks().to_owned(),
            title: case.title().map(str::to_owned),
            says: String::new(),
            answer: None,
            fault: None,
            not_accepted: None,
            unmet: Vec::new(),
            log: once.log,
            log_dropped: once.dropped,
            start_us: micros(once.start),
            first_us: micros(once.first),
            warm_us: None,
            memory_bytes: once.memory as u64,
            cost: None,
        };
        match &once.said {
            // It says itself that it is broken.
            Ok(Said::Stopped(wit::Stop::Fault(fault))) => {
                measured.says = fault.message.clone();
                measured.fault = Some(FaultTold {
                    kind: FaultKind::Fault.as_str(),
                    message: fault.message.clone(),
                    trace: fault.trace.clone(),
                    frames: Vec::new(),
                });
            }
            Ok(said) => {
                measured.says = words::said(said);
                measured.answer = Some(json(said));
                measured.not_accepted =
                    undeclared(&plugin.declared, plugin.id(), &case.question, said);
                let unmet = case.expect.iter().filter(|wanted| !meets(said, wanted));
                measured.unmet = unmet.map(words::expected).collect();
                measured.warm_us = warm(self, case);
                measured.cost = meter.and_then(|meter| meter.count(case));
            }
            Err(fault) => {
                measured.says = fault.message.clone();
                measured.fault = Some(FaultTold::of(fault));
            }
        }
        Ok(measured)
    }
}

/// One call on an instance of its own, and everything that can be read off it.
pub(super) struct Once {
    pub(super) said: Result<Said, PluginFault>,
    start: Duration,
    first: Duration,
    memory: usize,
    cost: Option<u64>,
    log: Vec<String>,
    dropped: u32,
}

pub(super) fn once(trial: &Trial, case: &Case) -> Result<Once, String> {
    let guest = &trial.plugin().guest;
    let mut start = Duration::ZERO;
    let mut first = Duration::ZERO;
    let (mut memory, mut cost) = (0, None);
    let mut book = crate::instance::LogBook::default();
    let said = put(trial.plugin(), &case.question, |call| {
        let _passing = guest.engine.pass_time();
        let began = Instant::now();
        let mut instance = guest.start()?;
        start = began.elapsed();
        let before = instance.steps_left();
        let began = Instant::now();
        let now = trial.plugin().moment_of(&case.question.context);
        let answer = instance.ask(guest.limits.call(), now, |instance| {
            call(instance, &guest.places)
        });
        first = began.elapsed();
        cost = before
            .zip(instance.steps_left())
            .map(|(before, after)| before.saturating_sub(after));
        memory = instance.memory_bytes();
        book = instance.take_log();
        answer
    })?;
    let level = |level: &wit::Level| match level {
        wit::Level::Debug => "debug",
        wit::Level::Info => "info",
        wit::Level::Warn => "warn",
        wit::Level::Error => "error",
    };
    let lines = book.lines.iter();
    Ok(Once {
        said,
        start,
        first,
        memory,
        cost,
        log: lines
            .map(|(loud, line)| format!("{}: {line}", level(loud)))
            .collect(),
        dropped: book.dropped,
    })
}

fn warm(trial: &Trial, case: &Case) -> Option<u64> {
    let ask = || matches!(answer_warm(trial.plugin(), &case.question), Ok(Ok(_)));
    // The first one brings an instance up.
    if !ask() {
        return None;
    }
    let began = Instant::now();
    (0..WARM_CALLS)
        .all(|_| ask())
        .then(|| micros(began.elapsed() / WARM_CALLS))
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// The answer as a script would have written it.
fn json(said: &Said) -> Value {
    let text = match said {
        Said::Facts(facts) => speak::json(facts),
        Said::Changes(changes) => speak::json(changes),
        Said::Text(text) => speak::json(text),
        Said::State(state) => speak::json(state),
        Said::RowState(state) => speak::json(state),
        Said::Verdict(verdict) => speak::json(verdict),
        Said::Searches(searches) => speak::json(searches),
        Said::Resolution(resolution) => speak::json(resolution),
        Said::Stopped(stop) => {
            let stop = speak::json(stop).and_then(|text| serde_json::from_str(&text).ok());
            return serde_json::json!({ "stop": stop.unwrap_or(Value::Null) });
        }
    };
    text.and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default()
}
