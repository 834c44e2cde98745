//! Why a question has no answer, and who is speaking.

use std::fmt;

use cosell_sync::row::{Query, Reason};

/// The plugin whose word something is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Speaker {
    /// Id of the plugin, the same through all versions.
    pub plugin: String,
    /// Its version, semver.
    pub version: String,
    /// As [`short_hash`] cuts the component's.
    pub hash: String,
}

/// Hex digits of a hash that people see.
const SHORT_HASH: usize = 12;

/// The beginning of a SHA-256 in hex: what people see of a component or a set, and call it by.
#[must_use]
pub fn short_hash(sha256: &str) -> &str {
    sha256.get(..SHORT_HASH).unwrap_or(sha256)
}

impl fmt::Display for Speaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({})", self.plugin, self.version, self.hash)
    }
}

/// An answer, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the doc")]
pub struct Spoken<T> {
    pub value: T,
    pub by: Speaker,
}

/// No answer: it ends the deal's turn.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("plugin \"{}\" {} asked {hook}: {kind}", plugin.plugin, plugin.version)]
pub struct Stop {
    /// Who stopped.
    pub plugin: Speaker,
    /// The question, `opportunity.to-row`.
    pub hook: &'static str,
    /// Why.
    pub kind: StopKind,
}

/// The four ways to have no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopKind {
    /// Fetch these rows and ask again with them in [`Asking::found`](crate::Asking::found), labels unchanged. At most
    /// [`limits::ASK_ROUNDS_MAX`](crate::limits::ASK_ROUNDS_MAX) rounds; the caller counts.
    Ask(Vec<Query>),
    /// Until a person changes something.
    Refuse(Vec<Reason>),
    /// It will pass by itself.
    Later {
        /// What is being waited for, in one sentence.
        message: String,
        /// Ask again after so long. None: the host decides.
        seconds: Option<u32>,
    },
    /// The plugin is broken.
    Fault(Box<PluginFault>),
}

impl fmt::Display for StopKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ask(queries) => {
                f.write_str("needs rows first: ")?;
                comma(f, queries.iter().map(|query| query.label.as_str()))
            }
            Self::Refuse(reasons) => {
                f.write_str("refuses: ")?;
                comma(f, reasons.iter().map(|reason| reason.message.as_str()))
            }
            Self::Later { message, seconds } => match seconds {
                Some(seconds) => write!(f, "not yet, again in {seconds} s: {message}"),
                None => write!(f, "not yet: {message}"),
            },
            Self::Fault(fault) => write!(f, "{fault}"),
        }
    }
}

fn comma<'a>(f: &mut fmt::Formatter<'_>, words: impl Iterator<Item = &'a str>) -> fmt::Result {
    for (at, word) in words.enumerate() {
        if at > 0 {
            f.write_str(", ")?;
        }
        f.write_str(word)?;
    }
    Ok(())
}

/// What kind of bug it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// Worked longer than it may.
    Timeout,
    /// Wanted more memory, tables or instances than it may.
    Memory,
    /// The guest trapped: out of bounds, stack overflow, division by zero.
    Trap,
    /// The guest panicked or aborted.
    Panic,
    /// Answered something that it did not declare, that is malformed, or that is too much.
    Output,
    /// The plugin said so itself (`stop.fault`).
    Fault,
    /// Not the plugin: the host could not run it.
    Host,
}

impl FaultKind {
    /// The spelling in stores, metrics and `--json`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Memory => "memory",
            Self::Trap => "trap",
            Self::Panic => "panic",
            Self::Output => "output",
            Self::Fault => "fault",
            Self::Host => "host",
        }
    }
}

/// A bug in a plugin, in words for its author. The instance that had it is gone; the next call gets a new one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PluginFault {
    /// For counting and breaking.
    pub kind: FaultKind,
    /// One sentence: what happened and what to do.
    pub message: String,
    /// The plugin's own stack, or the last lines that it logged.
    pub trace: Option<String>,
    /// WebAssembly frames, innermost first, demangled.
    pub frames: Vec<String>,
}

impl PluginFault {
    pub(crate) fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            trace: None,
            frames: Vec::new(),
        }
    }
}
