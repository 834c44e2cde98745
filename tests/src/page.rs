//! Tests that stand in the place of the harness and keep a page: what they were asked to play, and whether the page is what was played.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};

/// Options of the usual harness that come with a value of their own; `cargo test` hands everything to every test, these too.
const WITH_VALUE: [&str; 6] = [
    "--color",
    "--format",
    "--logfile",
    "--shuffle-seed",
    "--skip",
    "--test-threads",
];

/// What was asked for on the command line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// Parts of names; none: everything.
    pub filters: Vec<String>,
    /// Only the names.
    pub list: bool,
}

impl Asked {
    /// Of this process.
    #[must_use]
    pub fn of_this_process() -> Self {
        Self::read(std::env::args().skip(1))
    }

    /// Reads arguments as the usual harness does.
    #[must_use]
    pub fn read(arguments: impl IntoIterator<Item = String>) -> Self {
        let mut asked = Self::default();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            if argument == "--list" {
                asked.list = true;
            } else if WITH_VALUE.contains(&argument.as_str()) {
                drop(arguments.next());
            } else if !argument.starts_with('-') {
                asked.filters.push(argument);
            }
        }
        asked
    }

    /// Whether all of it is played, so that the page can be judged.
    #[must_use]
    pub fn is_for_all(&self) -> bool {
        self.filters.is_empty()
    }

    /// Whether this one is asked for.
    #[must_use]
    pub fn wants(&self, name: &str) -> bool {
        self.is_for_all() || self.filters.iter().any(|part| name.contains(part))
    }

    /// Filters to which nothing answers are most likely misspelt, and a run of nothing looks like a success.
    ///
    /// # Errors
    /// Names the first such filter.
    pub fn check<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> anyhow::Result<()> {
        let names: Vec<&str> = names.into_iter().collect();
        for filter in &self.filters {
            ensure!(
                names.iter().any(|name| name.contains(filter)),
                "nothing here is called \"{filter}\"; --list shows what there is"
            );
        }
        Ok(())
    }
}

/// A page of the top level that a test keeps.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// `SCENARIOS.md`
    pub file: &'static str,
    /// The variable that has it written instead of compared.
    pub write: &'static str,
    /// What a person types for that.
    pub command: &'static str,
}

impl Page {
    /// Compares the page with what it should be, or writes it.
    ///
    /// # Errors
    /// The first line that differs, or that it cannot be written.
    pub fn keep(&self, text: &str) -> anyhow::Result<()> {
        let path = root().join(self.file);
        if std::env::var_os(self.write).is_some() {
            return std::fs::write(&path, text).with_context(|| path.display().to_string());
        }
        let there = std::fs::read_to_string(&path).unwrap_or_default();
        let Some((old, new)) = difference(&there, text) else {
            return Ok(());
        };
        let (file, command) = (self.file, self.command);
        bail!(
            "{file} is not what was played; `{command}` writes it anew. It says:\n    {old}\nPlayed was:\n    {new}"
        )
    }
}

/// The first line that is another one.
fn difference(old: &str, new: &str) -> Option<(String, String)> {
    if old == new {
        return None;
    }
    let line = |text: &str, at: usize| text.lines().nth(at).unwrap_or("(nothing)").to_owned();
    let longest = old.lines().count().max(new.lines().count());
    let lines = (0..=longest).map(|at| (line(old, at), line(new, at)));
    lines
        .into_iter()
        .find(|(old, new)| old != new)
        .or_else(|| Some(("(another end)".to_owned(), "(another end)".to_owned())))
}

/// A cell of a table.
#[must_use]
pub fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// The top of the repository.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new("."))
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(line: &str) -> Asked {
        Asked::read(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn the_value_of_an_option_is_no_filter() {
        let read = asked("--test-threads 2 value.out --skip other --nocapture --format=terse");
        assert_eq!(read.filters, ["value.out"]);
        assert!(!read.list && asked("--list").list);
        assert!(read.wants("field.value.out") && !read.wants("field.value.in"));
        assert!(asked("--color always").is_for_all());
    }

    #[test]
    fn a_filter_that_matches_nothing_is_told() {
        let names = ["field.value.out", "state.won"];
        asked("value won").check(names).unwrap();
        asked("").check(names).unwrap();
        let told = asked("value vlaue").check(names).unwrap_err().to_string();
        assert!(told.contains("\"vlaue\""), "{told}");
    }

    #[test]
    fn the_first_line_that_differs_is_told() {
        assert_eq!(difference("a\nb\n", "a\nb\n"), None);
        let told = difference("a\nb\n", "a\nc\n");
        assert_eq!(told, Some(("b".to_owned(), "c".to_owned())));
        let told = difference("a\n", "a\nc\n");
        assert_eq!(told, Some(("(nothing)".to_owned(), "c".to_owned())));
        assert!(difference("a\n", "a").is_some());
    }
}
