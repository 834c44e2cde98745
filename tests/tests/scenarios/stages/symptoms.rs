//! What went wrong with Microsoft's connector, brought about here, and how it is answered.

pub(super) mod access;
pub(super) mod crm;
pub(super) mod deals;
pub(super) mod plugins;
pub(super) mod registration;

use std::time::Duration;

use serde_json::Value;

use crate::log::Log;
use crate::people::{AUDIT, IDENTIFIER};
use crate::sheet::{Seen, Sight, only_if, plain};

/// A failure is shown by a cross and told in the row, in the log and in the deal's history, by one sentence: deal, field, rule, remedy.
fn answered(sight: &Sight<'_>, log: &Log, row: &str, topic: &str, words: &[&str]) -> Seen {
    let shown = sight.opportunity(row);
    let name = shown["name"].as_str().unwrap_or_default();
    only_if(name.starts_with('✖'), "", || format!("no cross: {name}"))?;
    let line = told_in_row(&shown);
    let deal = format!("\"{topic}\" is not in step");
    let all = [deal.as_str()].into_iter().chain(words.iter().copied());
    let lacking = all.into_iter().find(|word| !line.contains(word));
    if let Some(word) = lacking {
        return Err(format!("the row does not say \"{word}\": {line}"));
    }
    // What a record says is quoted, and a log quotes nobody: it names deal, field and rule.
    let is_quoted = |word: &str| line.contains(&format!("\"{word}\""));
    let in_log: Vec<&str> = [row, "parked"]
        .into_iter()
        .chain(words.iter().copied().filter(|word| !is_quoted(word)))
        .collect();
    log.line(&in_log)?;
    let history = &sight.lane(row)?.history;
    let in_history = history
        .iter()
        .any(|(kind, line)| kind == "park" && words.iter().all(|word| line.contains(word)));
    let shows = history
        .iter()
        .any(|(kind, line)| kind == "write" && line == "showed the failure in the row");
    only_if(shows, "", || {
        format!("the history does not say that the row was told: {history:?}")
    })?;
    only_if(
        in_history,
        format!(
            "row, log and history: {}",
            plain(line.trim_end_matches('.'))
        ),
        || format!("the history does not say it: {history:?}"),
    )
}

/// The youngest line of the audit column, without its date.
fn told_in_row(shown: &Value) -> String {
    let text = shown[AUDIT].as_str().unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    line.split_once(" - ")
        .map_or(line, |(_, line)| line)
        .to_owned()
}

/// In step: a check mark, and a line.
fn in_step(sight: &Sight<'_>, row: &str) -> Seen {
    let shown = sight.opportunity(row);
    let name = shown["name"].as_str().unwrap_or_default();
    let so = name.starts_with('✔') && shown[IDENTIFIER].is_string();
    only_if(so, "then in step", || {
        format!("{name}: {}", told_in_row(&shown))
    })
}

/// Longer than a credential rests that was not accepted.
const A_REST: Duration = Duration::from_secs(61);
