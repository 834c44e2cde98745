//! Every row of what Microsoft's connector is known to do, or to fail at, answered by the real host against the simulator.
//!
//! Few hosts run and many rows are looked at, because a host costs more than a look; each row has its own verdict all the same, so that a
//! failure names the row. What the rows answered stands in `SCENARIOS.md`, and this fails when that is not what they answer now.
//! `cargo test -p cosell-tests --test scenarios value.out` runs what belongs to rows of that name; `cargo xtask scenarios` writes the
//! document anew.
#![allow(
    clippy::print_stdout,
    reason = "it stands in the place of the test harness"
)]

mod document;
mod log;
mod people;
mod play;
mod rows;
mod rules;
mod sheet;
mod stages;

use std::collections::BTreeMap;
use std::process::ExitCode;

use cosell_tests::page::Asked;

use crate::play::play;
use crate::rows::rows;

fn main() -> ExitCode {
    let asked = Asked::of_this_process();
    let rows = rows();
    if let Err(why) = asked.check(rows.iter().map(|row| row.id.as_str())) {
        println!("{why}");
        return ExitCode::FAILURE;
    }
    let wanted: Vec<_> = rows.iter().filter(|row| asked.wants(&row.id)).collect();
    if asked.list {
        for row in wanted {
            println!("{}: test", row.id);
        }
        return ExitCode::SUCCESS;
    }
    println!("\nrunning {} rows", wanted.len());
    let ids: Vec<&str> = wanted.iter().map(|row| row.id.as_str()).collect();
    let played = play(&ids);
    let mut broken = played.broken.clone();
    let mut failed = Vec::new();
    let mut answers = BTreeMap::new();
    for id in &ids {
        let seen = played.verdict(id);
        match &seen {
            Ok(answer) => println!("row {id} ... ok: {answer}"),
            Err(_) => println!("row {id} ... FAILED"),
        }
        match seen {
            Ok(answer) => drop(answers.insert((*id).to_owned(), answer)),
            Err(why) => failed.push(format!("row {id}: {why}")),
        }
    }
    for id in played.strangers(&rows) {
        broken.push(format!("a scenario answers for \"{id}\", which is no row"));
    }
    if asked.is_for_all() && failed.is_empty() && broken.is_empty() {
        broken.extend(document(&rows, &answers).err());
    }
    let all = failed.len() + broken.len();
    if all > 0 {
        println!("\nfailures:\n");
        for why in failed.iter().chain(&broken) {
            println!("    {why}\n");
        }
    }
    let result = if all == 0 { "ok" } else { "FAILED" };
    println!(
        "\nrows result: {result}. {} answered; {} failed; finished in {:.2}s\n",
        answers.len(),
        failed.len(),
        played.took.as_secs_f32()
    );
    if all == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn document(rows: &[rows::Row], answers: &BTreeMap<String, String>) -> Result<(), String> {
    let rules = rules::rules()?;
    let text = document::render(rows, answers, &rules);
    document::PAGE.keep(&text).map_err(|why| format!("{why:#}"))
}
