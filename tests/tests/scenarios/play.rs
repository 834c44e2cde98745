//! Plays the stages that the wanted rows need: each on threads of its own, with a log of its own, a few at once.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::log::Log;
use crate::rows::Row;
use crate::sheet::{Seen, Sheet};
use crate::stages::{STAGES, Stage};

/// A stage waits most of its time, for the network and for its host.
const AT_ONCE: usize = 3;

/// Lines of its log that a stage shows when it breaks off.
const LOUD_SHOWN: usize = 8;

/// What came of it.
pub(crate) struct Played {
    sheets: Vec<Sheet>,
    /// Stages that broke off, and why.
    pub(crate) broken: Vec<String>,
    pub(crate) took: Duration,
}

impl Played {
    /// What a row has shown.
    pub(crate) fn verdict(&self, row: &str) -> Seen {
        let mut said = Vec::new();
        for seen in self.sheets.iter().filter_map(|sheet| sheet.verdict(row)) {
            said.push(seen?);
        }
        if said.is_empty() {
            return Err("no scenario came to it".to_owned());
        }
        Ok(said.join("; "))
    }

    /// Names that scenarios answer for, and that are no rows.
    pub(crate) fn strangers(&self, rows: &[Row]) -> Vec<String> {
        let answered: BTreeSet<String> = self.sheets.iter().flat_map(Sheet::rows).collect();
        answered
            .into_iter()
            .filter(|id| !rows.iter().any(|row| row.id == *id))
            .collect()
    }
}

/// Plays what is needed for these rows.
pub(crate) fn play(rows: &[&str]) -> Played {
    let began = Instant::now();
    let needed = STAGES
        .iter()
        .filter(|stage| rows.iter().any(|row| stage.answers_for(row)));
    let waiting = Mutex::new(needed.rev().collect::<Vec<_>>());
    let played = Mutex::new((Vec::new(), Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).pop();
                    let Some(stage) = next else { return };
                    let (sheet, ended) = one(stage);
                    let mut played = played.lock().unwrap_or_else(PoisonError::into_inner);
                    played.0.push(sheet);
                    played.1.extend(
                        ended
                            .err()
                            .map(|why| format!("stage {}: {why}", stage.name)),
                    );
                }
            });
        }
    });
    let (sheets, broken) = played.into_inner().unwrap_or_else(PoisonError::into_inner);
    Played {
        sheets,
        broken,
        took: began.elapsed(),
    }
}

fn one(stage: &Stage) -> (Sheet, Result<(), String>) {
    let log = Log::default();
    let mut sheet = Sheet::default();
    let dispatch = log.dispatch();
    let of_threads = dispatch.clone();
    // A subscriber belongs to a thread: so every thread of this stage, and no other, writes into this log.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .on_thread_start(move || {
            std::mem::forget(tracing::dispatcher::set_default(&of_threads));
        })
        .build();
    let ended = match runtime {
        Ok(runtime) => catch_unwind(AssertUnwindSafe(|| {
            tracing::dispatcher::with_default(&dispatch, || {
                runtime.block_on((stage.play)(&mut sheet, &log))
            })
        })),
        Err(error) => Ok(Err(error.into())),
    };
    let ended = match ended {
        Ok(ended) => ended.map_err(|error| format!("{error:#}")),
        Err(panic) => Err(panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .unwrap_or_else(|| "it panicked".to_owned())),
    };
    // What the host complained of is half of the answer.
    let ended = ended.map_err(|why| {
        let lines = log.lines();
        let loud = lines
            .iter()
            .filter(|line| line.contains("WARN") || line.contains("ERROR"));
        let loud: Vec<&str> = loud.map(String::as_str).collect();
        let last = loud.len().saturating_sub(LOUD_SHOWN);
        format!("{why}\n{}", loud[last..].join("\n"))
    });
    (sheet, ended)
}
