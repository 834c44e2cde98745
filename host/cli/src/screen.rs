//! How answers look: tables for people, JSON for programs.
#![allow(clippy::print_stdout, reason = "the command line may")]

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use cosell_host::config::Config;
use serde::Serialize;

/// What every command about deals is told.
#[derive(Debug, clap::Args)]
pub(crate) struct On {
    /// The configuration file.
    #[arg(long, short, value_name = "FILE", env = "COSELL_CONFIG")]
    config: PathBuf,
    /// One JSON value on stdout instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
}

impl On {
    pub(crate) fn config(&self) -> anyhow::Result<Config> {
        crate::compiler::load(&self.config)
    }

    /// Where the configuration is.
    pub(crate) fn path(&self) -> &Path {
        &self.config
    }

    /// Says it to whom it is for.
    pub(crate) fn say<T: Serialize>(
        &self,
        value: &T,
        to_people: impl FnOnce(&T),
    ) -> anyhow::Result<()> {
        if self.json {
            println!("{}", serde_json::to_string_pretty(value)?);
        } else {
            to_people(value);
        }
        Ok(())
    }
}

/// Who orders it: the given name, else the name under which this user is logged in.
pub(crate) fn person(by: Option<String>) -> anyhow::Result<String> {
    by.or_else(|| {
        let names = ["USER", "LOGNAME", "USERNAME"].map(|name| std::env::var(name).ok());
        names.into_iter().flatten().find(|name| !name.is_empty())
    })
    .context("it is written down who decides, and this user has no name: say it with --by NAME")
}

/// Lines of cells under a head. The last column may be as long as it wants.
#[derive(Debug)]
pub(crate) struct Table {
    indent: usize,
    lines: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(head: &[&str]) -> Self {
        Self {
            indent: 0,
            lines: vec![head.iter().map(|cell| (*cell).to_owned()).collect()],
        }
    }

    /// Without a head, under something else.
    pub(crate) const fn under(indent: usize) -> Self {
        Self {
            indent,
            lines: Vec::new(),
        }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.lines.push(cells.into_iter().collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.lines.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.lines.iter().filter_map(|line| line.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for (number, line) in self.lines.iter().enumerate() {
            let mut text = " ".repeat(self.indent);
            for (cell, width) in line.iter().zip(&widths) {
                text.push_str(cell);
                text.push_str(&" ".repeat(width - cell.chars().count() + 2));
            }
            let end = if number + 1 == self.lines.len() {
                ""
            } else {
                "\n"
            };
            write!(f, "{}{end}", text.trim_end())?;
        }
        Ok(())
    }
}

/// At most so many characters, in one line.
pub(crate) fn short(text: &str, most: usize) -> String {
    let one_line = text.replace(['\n', '\r'], " ");
    if one_line.chars().count() <= most {
        return one_line;
    }
    let kept: String = one_line.chars().take(most.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// The beginning of an id: enough for people, and for `cosell deal`.
pub(crate) fn id(id: Option<&str>) -> String {
    id.map_or_else(|| "–".to_owned(), |id| id.chars().take(8).collect())
}

/// A deal's name among other words.
pub(crate) fn named(name: Option<&str>) -> String {
    name.map_or_else(
        || "a deal without a name yet".to_owned(),
        |name| short(name, 60),
    )
}

/// `1 deal`, `2 deals`.
pub(crate) fn count(number: usize, one: &str) -> String {
    if number == 1 {
        format!("1 {one}")
    } else {
        format!("{number} {one}s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(&["lane", "name", "why"]);
        table.row(["1".into(), "Küche".into(), String::new()]);
        table.row(["12".into(), "A".into(), "because".into()]);
        assert_eq!(
            table.to_string(),
            "lane  name   why\n1     Küche\n12    A      because"
        );
    }

    #[test]
    fn long_texts_are_cut_with_a_sign() {
        assert_eq!(short("abc\ndef", 10), "abc def");
        assert_eq!(short("abcdef", 4), "abc…");
    }
}
