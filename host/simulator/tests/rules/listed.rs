//! `RULES.md`: every rule that the simulator keeps, file by file. Each line is a test of this binary, and its name is the rule.
//!
//! `cargo xtask rules` writes the page anew.

use std::fmt::Write as _;
use std::path::Path;

/// Set by `cargo xtask rules`: the page is written and not compared.
const WRITE: &str = "COSELL_WRITE_RULES";
/// An attribute stands at most so many lines above its function.
const ABOVE: usize = 4;

/// A file of rules: what it says that it is about, and its tests in their order.
struct File {
    name: String,
    about: String,
    rules: Vec<String>,
}

fn read(path: &Path) -> File {
    let text = std::fs::read_to_string(path).unwrap();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    // The first paragraph.
    let about: Vec<&str> = lines
        .iter()
        .map_while(|line| line.strip_prefix("//! "))
        .collect();
    let is_test = |at: usize| {
        lines[at.saturating_sub(ABOVE)..at]
            .iter()
            .any(|above| above.starts_with("#[test]") || above.starts_with("#[tokio::test"))
    };
    let rules = lines.iter().enumerate().filter_map(|(at, line)| {
        let function = line.strip_prefix("async ").unwrap_or(line);
        let name = function.strip_prefix("fn ")?.split('(').next()?;
        is_test(at).then(|| name.replace('_', " "))
    });
    File {
        name: path.file_stem().unwrap().to_string_lossy().into_owned(),
        about: about.join(" "),
        rules: rules.collect(),
    }
}

fn files() -> Vec<File> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let files = paths.iter().map(|path| read(path));
    files.filter(|file| !file.rules.is_empty()).collect()
}

fn page(files: &[File]) -> String {
    let count: usize = files.iter().map(|file| file.rules.len()).sum();
    let mut text = format!(
        "# Rules of the simulator\n\nWhat the stand-ins for Entra, Partner Center and Dataverse do as the real ones are documented to, or are said to where \
         documents are silent: {count} rules. Each line is the name of a test in `tests/rules`, over real HTTP; sections in brackets are of the protocol references. \
         What nobody knows for sure is a switch with both readings (`src/assumptions.rs`). Written by `cargo xtask rules`; a test fails when it is not what is \
         tested.\n"
    );
    for file in files {
        write!(text, "\n## `{}`\n\n{}\n\n", file.name, file.about).unwrap();
        for rule in &file.rules {
            writeln!(text, "* {rule}").unwrap();
        }
    }
    text
}

#[test]
fn the_page_of_rules_is_what_is_tested() {
    let files = files();
    for file in &files {
        assert!(
            !file.about.is_empty(),
            "{}.rs does not say what it is about",
            file.name
        );
    }
    let text = page(&files);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../RULES.md");
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(path, text).unwrap();
        return;
    }
    let there = std::fs::read_to_string(path).unwrap_or_default();
    let missing = text
        .lines()
        .find(|line| !there.lines().any(|old| old == *line));
    assert_eq!(missing, None, "RULES.md lacks this: `cargo xtask rules`");
    assert!(
        there == text,
        "RULES.md has more than is tested, or in another order: `cargo xtask rules`"
    );
}
