//! Why a file is not put into service, in words for whoever dropped it.

use std::fmt;

/// How far the file came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Reading the file.
    Read,
    /// Reading `NAME.toml`.
    Operator,
    /// Looking at it without running it.
    Scan,
    /// What it imports.
    Imports,
    /// What it exports.
    Exports,
    /// Compiling.
    Compile,
    /// Linking and comparing types.
    Link,
    /// Asking `manifest`.
    Manifest,
    /// Comparing the operator's settings with the manifest.
    Settings,
    /// Asking `describe`.
    Describe,
    /// Running the golden examples.
    Examples,
    /// Asking the same twice.
    Laws,
    /// Putting it beside the other plugins.
    Set,
    /// Answering for deals.
    Service,
}

impl Phase {
    /// The spelling in `NAME.rejected.json`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Operator => "operator-file",
            Self::Scan => "scan",
            Self::Imports => "imports",
            Self::Exports => "exports",
            Self::Compile => "compile",
            Self::Link => "link",
            Self::Manifest => "manifest",
            Self::Settings => "settings",
            Self::Describe => "describe",
            Self::Examples => "examples",
            Self::Laws => "laws",
            Self::Set => "set",
            Self::Service => "service",
        }
    }
}

/// What is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RejectionKind {
    /// A link, a pipe, a directory, unreadable.
    NotAFile,
    /// Larger than a limit.
    TooBig,
    /// No component at all.
    NotAComponent,
    /// A script or a table whose engine is not there.
    NoEngine,
    /// Mistakes in a script or a table.
    Source,
    /// Imports what no plugin gets.
    Import,
    /// Exports no hook, or none of this contract.
    Export,
    /// Right names, other types: built against another contract.
    Incompatible,
    /// Valid, and cannot be compiled.
    Compile,
    /// Worked too long.
    Timeout,
    /// Wanted too much memory.
    Memory,
    /// Trapped or panicked.
    Trap,
    /// Answered something impossible.
    Output,
    /// Settings or the operator file are wrong.
    Settings,
    /// A golden example failed.
    Example,
    /// It does not keep a law of the contract.
    Law,
    /// Another plugin has the same id.
    Duplicate,
    /// Nobody who is trusted has signed it.
    Unsigned,
    /// It failed over one deal after the other, and was taken out of service. These very bytes are not taken again.
    Quarantined,
}

impl RejectionKind {
    /// The spelling in `NAME.rejected.json`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotAFile => "not-a-file",
            Self::TooBig => "too-big",
            Self::NotAComponent => "not-a-component",
            Self::NoEngine => "no-engine",
            Self::Source => "source",
            Self::Import => "import",
            Self::Export => "export",
            Self::Incompatible => "incompatible",
            Self::Compile => "compile",
            Self::Timeout => "timeout",
            Self::Memory => "memory",
            Self::Trap => "trap",
            Self::Output => "output",
            Self::Settings => "settings",
            Self::Example => "example",
            Self::Law => "law",
            Self::Duplicate => "duplicate",
            Self::Unsigned => "unsigned",
            Self::Quarantined => "quarantined",
        }
    }
}

/// A refused file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Rejection {
    /// Name of the file in the folder; empty until the folder fills it in.
    pub file: String,
    /// Id of the plugin, if it came far enough to say it.
    pub plugin: Option<String>,
    /// SHA-256 of the component, hex, if it could be read.
    pub hash: Option<String>,
    /// How far it came.
    pub phase: Phase,
    /// What is wrong, for machines.
    pub kind: RejectionKind,
    /// What is wrong, one sentence.
    pub message: String,
    /// Underneath, outermost first.
    pub causes: Vec<String>,
    /// What to do.
    pub hint: Option<String>,
    /// The law that it does not keep, if that is why.
    pub broken: Option<Box<Broken>>,
}

/// A law of the contract that was not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// `standard-deal`, `total`, `round-trip`: as `cosell plugin test` calls them.
    pub law: &'static str,
    /// The deal that shows it, as `cosell plugin run --input` reads it. None: the standard deal of the contract does.
    pub input: Option<serde_json::Value>,
}

/// `50-acme.wasm` → `50-acme.rejected.json`: where it is told why the file is refused.
pub(crate) fn told_beside(file: &str) -> String {
    format!(
        "{}.rejected.json",
        file.strip_suffix(".wasm").unwrap_or(file)
    )
}

impl Rejection {
    pub(crate) fn new(phase: Phase, kind: RejectionKind, message: impl Into<String>) -> Self {
        Self {
            file: String::new(),
            plugin: None,
            hash: None,
            phase,
            kind,
            message: message.into(),
            causes: Vec::new(),
            hint: None,
            broken: None,
        }
    }

    pub(crate) fn because(mut self, causes: impl IntoIterator<Item = String>) -> Self {
        self.causes.extend(causes);
        self
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The command that shows it again to its author, without a running host.
    #[must_use]
    pub fn reproduce(&self) -> String {
        let file = &self.file;
        match (self.phase, self.broken.as_deref()) {
            // What it did over deals, the deals show.
            (Phase::Service, _) => format!("cosell plugin diff {file} --all"),
            // The deal stands in the reason itself.
            (_, Some(Broken { input: Some(_), .. })) => {
                format!("cosell plugin run {file} --input {}", told_beside(file))
            }
            (Phase::Set, Some(_)) => "cosell plugin test .".to_owned(),
            (_, Some(_)) => format!("cosell plugin test {file}"),
            _ => format!("cosell plugin check {file}"),
        }
    }

    /// What is written to `NAME.rejected.json`.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut value = serde_json::json!({
            "plugin": self.plugin,
            "file": self.file,
            "hash": self.hash,
            "phase": self.phase.as_str(),
            "kind": self.kind.as_str(),
            "message": self.message,
            "causes": self.causes,
            "hint": self.hint,
            "reproduce": self.reproduce(),
        });
        if let Some(broken) = &self.broken {
            value["law"] = broken.law.into();
            if let Some(input) = &broken.input {
                value["input"] = input.clone();
            }
        }
        format!("{value:#}\n")
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.message)?;
        for cause in &self.causes {
            write!(f, ": {cause}")?;
        }
        match &self.hint {
            Some(hint) => write!(f, " (hint: {hint})"),
            None => Ok(()),
        }
    }
}
