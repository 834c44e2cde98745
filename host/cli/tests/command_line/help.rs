//! Help that teaches, and exit codes that scripts can rely on.

use crate::{cosell, stderr, stdout};

/// The commands that the help lists below "Commands:", with those below `path`.
fn commands(path: &[String]) -> Vec<Vec<String>> {
    let asked = path.iter().map(String::as_str).chain(["--help"]);
    let ended = cosell(asked);
    assert_eq!(ended.status.code(), Some(0), "{path:?}: {}", stderr(&ended));
    let text = stdout(&ended);
    let listed = text
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help");
    let mut all = Vec::new();
    for name in listed {
        let mut below = path.to_vec();
        below.push(name.to_owned());
        all.extend(commands(&below));
        all.push(below);
    }
    all
}

#[test]
fn every_command_says_what_it_does_and_how_it_is_called() {
    let all = commands(&[]);
    for wanted in ["run", "demo", "simulator", "status", "plugin", "config"] {
        assert!(
            all.contains(&vec![wanted.to_owned()]),
            "{wanted} is not in {all:?}"
        );
    }
    for command in &all {
        let asked = command.iter().map(String::as_str).chain(["--help"]);
        let text = stdout(&cosell(asked));
        let first = text.lines().next().unwrap_or_default();
        assert!(
            first.len() > 10 && !first.starts_with("Usage"),
            "{command:?} does not say what it does: {text}"
        );
        assert!(
            text.contains(&format!("Usage: cosell {}", command.join(" "))),
            "{command:?} does not say how it is called: {text}"
        );
    }
}

#[test]
fn the_help_of_plugin_check_says_what_its_exit_codes_mean() {
    let text = stdout(&cosell(["plugin", "check", "--help"]));
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ");
    assert!(
        text.contains("Exits with 0 when it is good; with 1"),
        "{text}"
    );
}

#[test]
fn a_command_line_that_nobody_understands_ends_with_2() {
    for wrong in [
        vec!["dance"],
        vec!["run"],
        vec!["demo", "--json"],
        vec!["plugin", "check"],
        vec!["simulator", "--port", "many"],
    ] {
        let ended = cosell(wrong.iter().copied());
        assert_eq!(ended.status.code(), Some(2), "{wrong:?}");
        assert!(
            stderr(&ended).starts_with("error: ") && stdout(&ended).is_empty(),
            "{wrong:?}: {}",
            stderr(&ended)
        );
    }
}

#[test]
fn a_missing_configuration_says_where_one_comes_from() {
    for wrong in ["run", "status"] {
        let told = stderr(&cosell([wrong]));
        assert!(
            told.contains("--config")
                && told.contains("export COSELL_CONFIG=")
                && told.contains("cosell config example"),
            "{told}"
        );
    }
    let told = stderr(&cosell(["plugin", "check"]));
    assert!(!told.contains("COSELL_CONFIG"), "{told}");
}

#[test]
fn the_manual_of_the_configuration_is_in_the_binary() {
    let ended = cosell(["config", "example"]);
    assert_eq!(ended.status.code(), Some(0));
    assert_eq!(
        stdout(&ended),
        include_str!("../../../../examples/cosell.toml")
    );
}
