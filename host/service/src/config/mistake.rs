//! What is wrong with a configuration, for the person who wrote it.

use std::fmt;
use std::path::{Path, PathBuf};

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Counted from 1; None when something is missing that has no place yet.
    pub line: Option<usize>,
    /// `connection.partner_center.client_id`; empty when it is about the file.
    pub key: String,
    /// What is wrong. Never holds a secret.
    pub problem: String,
    /// What to do.
    pub hint: String,
}

/// All mistakes of a configuration, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors {
    /// As it was given.
    pub file: PathBuf,
    /// At least one.
    pub mistakes: Vec<Mistake>,
}

impl ConfigErrors {
    pub(super) fn one(file: &Path, problem: String, hint: &str) -> Self {
        Self {
            file: file.to_owned(),
            mistakes: vec![Mistake {
                line: None,
                key: String::new(),
                problem,
                hint: hint.to_owned(),
            }],
        }
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.mistakes.len();
        write!(
            f,
            "{}: {count} {}",
            self.file.display(),
            if count == 1 { "mistake" } else { "mistakes" }
        )?;
        for mistake in &self.mistakes {
            write!(f, "\n  {mistake}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}, ")?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.problem)?;
        if !self.hint.is_empty() {
            write!(f, "\n      {}", self.hint)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
