//! The stages: each a simulator, a host and a course of events in which many rows are answered.

mod inward;
mod outward;

use std::pin::Pin;

use crate::log::Log;
use crate::sheet::Sheet;

type Playing<'a> = Pin<Box<dyn Future<Output = anyhow::Result<()>> + 'a>>;

/// A stage.
pub(crate) struct Stage {
    pub(crate) name: &'static str,
    /// How the names of its rows begin, or what they hold.
    rows: &'static [&'static str],
    pub(crate) play: for<'a> fn(&'a mut Sheet, &'a Log) -> Playing<'a>,
}

impl Stage {
    /// Whether it has something to say about a row.
    pub(crate) fn answers_for(&self, row: &str) -> bool {
        self.rows.iter().any(|part| row.contains(part))
    }
}

/// All of them, the longest first.
pub(crate) const STAGES: &[Stage] = &[
    Stage {
        name: "outward",
        rows: &[".out.", "name.told-once", "format.", "swap."],
        play: |sheet, _| Box::pin(outward::play(sheet)),
    },
    Stage {
        name: "inward",
        rows: &[".in.", "format."],
        play: |sheet, _| Box::pin(inward::play(sheet)),
    },
];
