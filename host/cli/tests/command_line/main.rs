//! The binary as a person or a script meets it: what it prints, where, and how it exits.
#![allow(clippy::unwrap_used, reason = "helpers of tests, too")]
#![allow(missing_docs, reason = "tests are read by their names")]

mod author;
mod compiling;
mod errors;
mod help;
mod people;
mod sets;
mod simulator;
mod verbs;

use std::process::{Command, Output};

/// Where a user keeps what can be made anew: among what cargo builds, not in the home of who runs the tests.
const CACHE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/cache");

/// The binary under test.
fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cosell"));
    command
        .env_remove("COSELL_CONFIG")
        .env("XDG_CACHE_HOME", CACHE);
    command
}

/// Runs it to its end.
fn cosell<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Output {
    binary().args(arguments).output().expect("the binary runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("text")
}
