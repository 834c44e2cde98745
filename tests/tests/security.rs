//! `SECURITY.md` is true as far as a program can tell: every row names what attacks it, and that is there.
#![allow(missing_docs, reason = "tests are read by their names")]

use cosell_tests::page::root;

/// Attacks that are no test of the usual harness: a page of plays, and a step of `cargo verify`.
const OTHERWISE: [&str; 2] = [
    "tests/tests/hostile/main.rs::main",
    "host/xtask/src/verify.rs::no_failpoints",
];
/// An attribute stands at most so many lines above its function.
const ABOVE: usize = 6;

/// Rows of the page: attack, defence, attacks by name.
fn rows(page: &str) -> Vec<(String, Vec<String>)> {
    let rows = page.lines().filter(|line| line.starts_with("| "));
    rows.filter_map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [attack, _, tests] = cells[..] else {
            panic!("a row has three cells: {line}")
        };
        let tests = tests.split('`').skip(1).step_by(2).map(str::to_owned);
        (attack != "attack").then(|| (attack.to_owned(), tests.collect()))
    })
    .collect()
}

/// What is wrong with the name of a test.
fn complaint(test: &str) -> Option<String> {
    let Some((file, name)) = test.split_once("::") else {
        return Some(format!("{test} is not of the form path::name"));
    };
    let Ok(text) = std::fs::read_to_string(root().join(file)) else {
        return Some(format!("there is no {file}"));
    };
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let starts = [format!("fn {name}("), format!("async fn {name}(")];
    let Some(at) = lines
        .iter()
        .position(|line| starts.iter().any(|start| line.starts_with(start.as_str())))
    else {
        return Some(format!("{file} has no {name}"));
    };
    let is_test = lines[at.saturating_sub(ABOVE)..at]
        .iter()
        .any(|above| above.starts_with("#[test]") || above.starts_with("#[tokio::test"));
    let is_there = is_test || OTHERWISE.contains(&test);
    (!is_there).then(|| format!("{test} is no test"))
}

#[test]
fn every_row_of_the_page_names_what_attacks_it() {
    let page = std::fs::read_to_string(root().join("SECURITY.md")).unwrap();
    let rows = rows(&page);
    assert!(rows.len() > 30, "{} rows are few", rows.len());
    let mut wrong = Vec::new();
    for (attack, tests) in &rows {
        if tests.is_empty() {
            wrong.push(format!("nothing plays \"{attack}\""));
        }
        wrong.extend(tests.iter().filter_map(|test| complaint(test)));
    }
    assert!(wrong.is_empty(), "SECURITY.md:\n{}", wrong.join("\n"));
}

#[test]
fn a_test_that_is_gone_renamed_or_none_is_found_out() {
    let here = "tests/tests/security.rs";
    assert_eq!(
        complaint(&format!(
            "{here}::every_row_of_the_page_names_what_attacks_it"
        )),
        None
    );
    for (test, told) in [
        ("a_test", "is not of the form"),
        ("tests/tests/nowhere.rs::a_test", "there is no"),
        (&format!("{here}::a_test_that_was_renamed"), "has no"),
        (&format!("{here}::complaint"), "is no test"),
    ] {
        assert!(
            complaint(test).is_some_and(|said| said.contains(told)),
            "{test}"
        );
    }
}
