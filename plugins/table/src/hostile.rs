//! Hostile input: a table is read, or every mistake in it is told with its place; never a panic. `fuzz-corpus/table` keeps tables, one a file.

use std::path::Path;

use cosell_fuzz::{bounded, survives};

use crate::file::Table;

const WORDS: [&str; 16] = [
    "[[opportunity]]\n",
    "[[contact]]\n",
    "[country]\n",
    "source = \"value\"\n",
    "constant = ",
    "column = \"new_x\"\n",
    "kind = \"choice\"\n",
    "kind = \"money\"\n",
    "words = { \"Word\" = 1 }\n",
    "lookup = { table = \"t\", by = \"b\" }\n",
    "direction = \"to-deal\"\n",
    "transform = [\"digits\"]\n",
    "default = ",
    "required = true\n",
    "replaces = \"x\"\n",
    "\"\"\"",
];

/// `x.table.toml:12:10: …`, and there is such a place.
fn has_its_place(text: &str, mistake: &str) -> bool {
    let mut parts = mistake.splitn(4, ':');
    let file = parts.next();
    let mut number = || parts.next()?.parse::<usize>().ok();
    let (line, column) = (number(), number());
    let said = parts.next().unwrap_or_default();
    let lines: Vec<&str> = text.split('\n').collect();
    let is_there = |line: usize, column: usize| {
        lines
            .get(line.wrapping_sub(1))
            .is_some_and(|line| (1..=line.chars().count() + 1).contains(&column))
    };
    file == Some("x.table.toml")
        && !said.trim().is_empty()
        && line
            .zip(column)
            .is_some_and(|(line, column)| is_there(line, column))
}

#[test]
fn a_table_is_read_or_every_mistake_is_told_with_its_place() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz-corpus/table");
    let example = std::fs::read_to_string(folder.join("example")).unwrap();
    assert!(Table::read("x.table.toml", &example).is_ok());
    survives(&folder, &WORDS, 1_000, |input| {
        let Ok(text) = std::str::from_utf8(input) else {
            return Ok(());
        };
        match Table::read("x.table.toml", text) {
            Ok(table) if table.lines.is_empty() && table.country.is_none() => {
                Err("it maps nothing and is taken".to_owned())
            }
            Ok(table) => {
                let lines: usize = table.lines.values().map(Vec::len).sum();
                bounded(input, lines)
            }
            Err(mistakes) if mistakes.is_empty() => Err("it is refused without a word".to_owned()),
            Err(mistakes) => {
                if let Some(lost) = mistakes.iter().find(|one| !has_its_place(text, one)) {
                    return Err(format!("it has no place: {lost}"));
                }
                bounded(input, mistakes.iter().map(String::len).sum())
            }
        }
    });
}
