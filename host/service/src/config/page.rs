//! Reading a TOML file by asking for keys. What was asked for is what is known; what is left over is refused. Mistakes are collected, and
//! reading goes on, so that a person hears of all of them at once.

mod places;
mod spelling;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

pub(super) use spelling::nearest;

use super::{ConfigErrors, Mistake};

/// What was found is repeated only so far.
const FOUND_CHARS_MAX: usize = 60;

/// The file.
pub(super) struct Page<'a> {
    file: &'a Path,
    text: &'a str,
    pub(super) environment: &'a dyn Fn(&str) -> Option<String>,
    /// Refresh tokens need not be there yet: somebody is about to sign in.
    pub(super) tokens_to_come: bool,
    mistakes: RefCell<Vec<Mistake>>,
    /// Every key that was asked for, as `section.key`.
    asked: RefCell<BTreeSet<String>>,
}

/// A table of the file, or the table that should be there.
pub(super) struct Section<'a> {
    pub(super) page: &'a Page<'a>,
    /// `connection.policy`
    path: String,
    table: Option<&'a DeTable<'a>>,
    line: Option<usize>,
    known: RefCell<BTreeSet<&'static str>>,
}

impl<'a> Page<'a> {
    pub(super) fn new(
        file: &'a Path,
        text: &'a str,
        environment: &'a dyn Fn(&str) -> Option<String>,
    ) -> Self {
        Self {
            file,
            text,
            environment,
            tokens_to_come: false,
            mistakes: RefCell::default(),
            asked: RefCell::default(),
        }
    }

    /// Parses, and hands the root to `read`.
    pub(super) fn root<T>(&self, read: impl FnOnce(&Section<'_>) -> Option<T>) -> Option<T> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in &errors {
            let line = error.span().map(|span| self.line(span.start));
            self.mistake(
                line,
                String::new(),
                format!("this is not TOML: {}", error.message()),
                "compare the line with what `cosell config example` prints",
            );
        }
        let root = Section {
            page: self,
            path: String::new(),
            table: Some(table.get_ref()),
            line: None,
            known: RefCell::default(),
        };
        let value = read(&root);
        root.refuse_the_rest();
        if !errors.is_empty() {
            // What stands behind a syntax error may be there and unread: do not call it missing.
            self.mistakes
                .borrow_mut()
                .retain(|mistake| mistake.problem != MISSING);
        }
        value
    }

    /// The value, or all mistakes in the order of the file.
    pub(super) fn close<T>(self, value: Option<T>) -> Result<T, ConfigErrors> {
        let mut mistakes = self.mistakes.into_inner();
        match value {
            Some(value) if mistakes.is_empty() => Ok(value),
            _ => {
                mistakes.sort_by_key(|mistake| mistake.line.unwrap_or(usize::MAX));
                mistakes.dedup();
                Err(ConfigErrors {
                    file: self.file.to_owned(),
                    mistakes,
                })
            }
        }
    }

    #[cfg(test)]
    pub(super) fn asked(&self) -> BTreeSet<String> {
        self.asked.borrow().clone()
    }

    fn line(&self, at: usize) -> usize {
        self.text
            .as_bytes()
            .iter()
            .take(at)
            .filter(|byte| **byte == b'\n')
            .count()
            + 1
    }

    fn mistake(&self, line: Option<usize>, key: String, problem: String, hint: &str) {
        self.mistakes.borrow_mut().push(Mistake {
            line,
            key,
            problem,
            hint: hint.to_owned(),
        });
    }

    /// Relative paths are relative to the file in which they stand.
    fn resolve(&self, path: &str) -> PathBuf {
        self.file.parent().unwrap_or(Path::new(".")).join(path)
    }
}

const MISSING: &str = "it is missing";

impl<'a> Section<'a> {
    /// A table below. It need not be there: then its required keys are what is missing.
    pub(super) fn section<T>(
        &self,
        key: &'static str,
        read: impl FnOnce(&Section<'_>) -> Option<T>,
    ) -> Option<T> {
        let value = self.get(key);
        let table = match value.map(|value| (value, value.get_ref().as_table())) {
            Some((value, None)) => {
                self.wrong(key, value, &format!("a table, [{}]", self.key(key)), "");
                return None;
            }
            Some((_, table)) => table,
            None => None,
        };
        self.below(
            key,
            table,
            value.map(|value| self.page.line(value.span().start)),
            read,
        )
    }

    /// Every table of an array of tables; at least one.
    pub(super) fn each<T>(
        &self,
        key: &'static str,
        mut read: impl FnMut(&Section<'_>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Some(value) = self.get(key) else {
            self.missing(
                key,
                &format!("add a [[{key}]] section; `cosell config example` shows one"),
            );
            // Read an empty one, so that its required keys are told at once.
            return self
                .below(key, None, None, |section| read(section))
                .map(|one| vec![one]);
        };
        let tables = value
            .get_ref()
            .as_array()
            .filter(|tables| !tables.is_empty());
        let Some(tables) = tables else {
            self.wrong(
                key,
                value,
                &format!("a table in double brackets, [[{key}]]"),
                "",
            );
            return None;
        };
        let mut all = Some(Vec::new());
        for item in tables {
            let Some(table) = item.get_ref().as_table() else {
                self.wrong(
                    key,
                    item,
                    &format!("a table in double brackets, [[{key}]]"),
                    "",
                );
                all = None;
                continue;
            };
            let one = self.below(
                key,
                Some(table),
                Some(self.page.line(item.span().start)),
                |section| read(section),
            );
            all = all.zip(one).map(|(mut all, one)| {
                all.push(one);
                all
            });
        }
        all
    }

    /// Every entry of a table of texts, in the order of its keys; none when the table is not there.
    pub(super) fn entries(&self, key: &'static str) -> Vec<(String, &'a Spanned<DeValue<'a>>)> {
        let Some(value) = self.get(key) else {
            return Vec::new();
        };
        let Some(table) = value.get_ref().as_table() else {
            self.wrong(key, value, &format!("a table, [{}]", self.key(key)), "");
            return Vec::new();
        };
        table
            .iter()
            .map(|(name, value)| (name.get_ref().to_string(), value))
            .collect()
    }

    fn below<'b, T>(
        &'b self,
        key: &str,
        table: Option<&'b DeTable<'b>>,
        line: Option<usize>,
        read: impl FnOnce(&Section<'_>) -> Option<T>,
    ) -> Option<T> {
        let section = Section {
            page: self.page,
            path: self.key(key),
            table,
            line,
            known: RefCell::default(),
        };
        let value = read(&section);
        section.refuse_the_rest();
        value
    }

    /// The value of a key, which is a known one from now on.
    pub(super) fn get(&self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.known.borrow_mut().insert(key);
        self.page.asked.borrow_mut().insert(self.key(key));
        self.table?.get(key)
    }

    pub(super) fn key(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    pub(super) fn missing(&self, key: &str, hint: &str) {
        self.page
            .mistake(self.line, self.key(key), MISSING.to_owned(), hint);
    }

    /// "expected this, found that".
    pub(super) fn wrong(
        &self,
        key: &str,
        found: &Spanned<DeValue<'_>>,
        expected: &str,
        hint: &str,
    ) {
        let what = match found.get_ref() {
            DeValue::String(text) => format!(
                "{:?}",
                text.chars().take(FOUND_CHARS_MAX).collect::<String>()
            ),
            DeValue::Integer(number) => number.to_string(),
            DeValue::Boolean(flag) => flag.to_string(),
            other => format!("a TOML {}", other.type_str()),
        };
        self.broken(
            key,
            found,
            format!("expected {expected}, found {what}"),
            hint,
        );
    }

    pub(super) fn broken(&self, key: &str, at: &Spanned<DeValue<'_>>, problem: String, hint: &str) {
        self.page.mistake(
            Some(self.page.line(at.span().start)),
            self.key(key),
            problem,
            hint,
        );
    }

    /// A text that is there.
    fn text(
        &self,
        key: &'static str,
        expected: &str,
    ) -> Option<(&'a Spanned<DeValue<'a>>, &'a str)> {
        let value = self.get(key)?;
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.wrong(key, value, expected, "write it in quotes");
        }
        text.map(|text| (value, text))
    }

    /// A text with a form. Without a default it must be there.
    pub(super) fn parsed<T>(
        &self,
        key: &'static str,
        default: Option<&str>,
        expected: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        if self.get(key).is_none() {
            if default.is_none() {
                self.missing(key, &format!("add {key} = ..., {expected}"));
            }
            return default.and_then(read);
        }
        let (value, text) = self.text(key, expected)?;
        let parsed = read(text);
        if parsed.is_none() {
            self.wrong(key, value, expected, "");
        }
        parsed
    }

    /// The same for a key that may be left out.
    pub(super) fn optional<T>(
        &self,
        key: &'static str,
        expected: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Option<Option<T>> {
        match self.get(key) {
            None => Some(None),
            Some(_) => self.parsed(key, None, expected, read).map(Some),
        }
    }

    pub(super) fn one_of<T: Copy>(
        &self,
        key: &'static str,
        default: &str,
        words: &[(&str, T)],
    ) -> Option<T> {
        let expected = words
            .iter()
            .map(|(word, _)| format!("\"{word}\""))
            .collect::<Vec<_>>()
            .join(" or ");
        self.parsed(key, Some(default), &expected, |text| {
            words
                .iter()
                .find(|(word, _)| *word == text)
                .map(|(_, value)| *value)
        })
    }

    pub(super) fn flag(&self, key: &'static str, default: bool) -> Option<bool> {
        let Some(value) = self.get(key) else {
            return Some(default);
        };
        match value.get_ref() {
            DeValue::Boolean(flag) => Some(*flag),
            _ => {
                self.wrong(key, value, "true or false", "write it without quotes");
                None
            }
        }
    }

    pub(super) fn number(
        &self,
        key: &'static str,
        range: RangeInclusive<u64>,
        default: u64,
    ) -> Option<u64> {
        let Some(value) = self.get(key) else {
            return Some(default);
        };
        let number = value
            .get_ref()
            .as_integer()
            .and_then(|number| u64::from_str_radix(number.as_str(), number.radix()).ok());
        if let Some(number) = number.filter(|number| range.contains(number)) {
            return Some(number);
        }
        self.wrong(
            key,
            value,
            &format!("a whole number from {} to {}", range.start(), range.end()),
            "",
        );
        None
    }

    pub(super) fn seconds(
        &self,
        key: &'static str,
        range: RangeInclusive<u64>,
        default: u64,
    ) -> Option<Duration> {
        self.number(key, range, default).map(Duration::from_secs)
    }

    /// A list of texts with a form.
    pub(super) fn list<T>(
        &self,
        key: &'static str,
        default: &[&str],
        expected: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Some(value) = self.get(key) else {
            return default.iter().map(|text| read(text)).collect();
        };
        let Some(items) = value.get_ref().as_array() else {
            self.wrong(
                key,
                value,
                &format!("a list, each {expected}"),
                "write it in square brackets",
            );
            return None;
        };
        let mut all = Some(Vec::new());
        for item in items {
            let parsed = item.get_ref().as_str().and_then(&read);
            if parsed.is_none() {
                self.wrong(key, item, expected, "");
            }
            all = all.zip(parsed).map(|(mut all, one)| {
                all.push(one);
                all
            });
        }
        all
    }

    /// A mistake at the place of a key that is there.
    fn at(&self, key: &'static str, problem: String, hint: &str) {
        match self.get(key) {
            Some(value) => self.broken(key, value, problem, hint),
            None => self.page.mistake(self.line, self.key(key), problem, hint),
        }
    }

    fn refuse_the_rest(&self) {
        let known = self.known.borrow();
        for (name, value) in self.table.into_iter().flat_map(|table| table.iter()) {
            let written = name.get_ref().as_ref();
            if known.contains(written) {
                continue;
            }
            let hint = match nearest(written, &known) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!(
                    "known here: {}",
                    known.iter().copied().collect::<Vec<_>>().join(", ")
                ),
            };
            let line = Some(self.page.line(name.span().start.min(value.span().start)));
            self.page.mistake(
                line,
                self.key(written),
                "there is no such key".to_owned(),
                &hint,
            );
        }
    }
}
