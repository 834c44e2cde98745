//! Asking the golden examples, as the host does when it loads the plugin.

use std::collections::BTreeSet;

use super::question::{Question, Said};
use super::{Asked, default_settings};
use crate::types::{
    Change, Example, Expected, Fact, Need, Query, Resolution, SettingSpec, Stop, Value, Verdict,
};
use crate::{Examples, Plugin, Settings};

/// Asks every golden example twice, checks the manifest, and that nothing undeclared is set or asked for.
///
/// # Panics
/// With everything that is wrong, one line each.
pub fn check_examples<P: Plugin + Examples + Asked>() {
    let failures = failures::<P>();
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

/// The same, as a list of sentences.
#[must_use]
pub fn failures<P: Plugin + Examples + Asked>() -> Vec<String> {
    let manifest = P::manifest();
    let mut failures = Vec::new();
    if manifest != P::manifest() {
        failures.push("manifest() answers differently the second time".to_owned());
    }
    for name in std::iter::once(&manifest.id).chain(manifest.settings.iter().map(|s| &s.name)) {
        if !is_name(name) {
            failures.push(format!("\"{name}\" is no name: use [a-z0-9-]{{1,64}}"));
        }
    }
    if P::cases().is_empty() {
        failures.push("there are no golden examples".to_owned());
    }
    for example in P::cases() {
        for failure in failures_of::<P>(&example, &manifest.settings) {
            failures.push(format!("{} ({}): {failure}", example.title, example.asks));
        }
    }
    failures
}

fn failures_of<P: Plugin + Asked>(example: &Example, specs: &[SettingSpec]) -> Vec<String> {
    let question = Question::of(example, default_settings::<P>());
    let mut failures: Vec<String> = question
        .ctx
        .settings
        .iter()
        .filter(|(name, _)| !specs.iter().any(|spec| spec.name == *name))
        .map(|(name, _)| format!("setting \"{name}\" is not in the manifest"))
        .collect();
    let Some(said) = P::answer(&question) else {
        failures.push("the plugin does not serve this hook".to_owned());
        return failures;
    };
    if P::answer(&question).as_ref() != Some(&said) {
        failures.push("answers differently the second time".to_owned());
    }
    match P::describe(Settings::from(&question.ctx)) {
        Ok(needs) => failures.extend(undeclared(&said, &needs)),
        Err(reasons) => failures.push(format!("describe refuses the settings: {reasons:?}")),
    }
    for expected in &example.expect {
        if !meets(&said, expected) {
            failures.push(format!("expected {expected:?}, the answer is {said:?}"));
        }
    }
    failures
}

fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

/// Columns that are set, keyed by or asked for without being declared. For children the table is not known here.
fn undeclared(said: &Said, needs: &[Need]) -> Vec<String> {
    let mut writable = BTreeSet::new();
    let mut askable = BTreeSet::new();
    for need in needs {
        match need {
            Need::Writes(writes) => writable.extend(writes.columns.iter().map(String::as_str)),
            Need::Asks(asks) => askable.extend(
                asks.columns
                    .iter()
                    .map(|column| (asks.table.as_str(), column.as_str())),
            ),
            _ => {}
        }
    }
    let mut undeclared = Vec::new();
    let mut ask = |query: &Query| {
        let tested = query.conditions.iter().map(|condition| &condition.column);
        for column in query.columns.iter().chain(tested) {
            if !askable.contains(&(query.table.as_str(), column.as_str())) {
                undeclared.push(format!(
                    "asks for {}.{column} without declaring it",
                    query.table
                ));
            }
        }
    };
    match said {
        Said::Searches(Some(searches)) => searches.iter().for_each(|search| ask(&search.query)),
        Said::Stopped(Stop::Ask(queries)) => queries.iter().for_each(ask),
        Said::Changes(changes) => {
            let cells = changes.iter().flat_map(|change| match change {
                Change::Set(cell) => std::slice::from_ref(cell).iter().collect::<Vec<_>>(),
                Change::Children(children) => {
                    children.rows.iter().flat_map(|row| &row.cells).collect()
                }
                _ => Vec::new(),
            });
            for (column, value) in cells {
                if !writable.contains(column.as_str()) {
                    undeclared.push(format!("sets {column} without declaring it"));
                }
                if let Value::RowWhere(key) = value {
                    for (part, _) in &key.parts {
                        if !askable.contains(&(key.table.as_str(), part.as_str())) {
                            undeclared.push(format!(
                                "looks for a row by {}.{part} without declaring that it asks",
                                key.table
                            ));
                        }
                    }
                }
            }
        }
        _ => {}
    }
    undeclared
}

fn meets(said: &Said, expected: &Expected) -> bool {
    match (expected, said) {
        (Expected::Sets((column, value)), Said::Changes(changes)) => changes.iter().any(
            |change| matches!(change, Change::Set((set, to)) if set == column && same(to, value)),
        ),
        (Expected::Withdraws(column), Said::Changes(changes)) => changes
            .iter()
            .any(|change| matches!(change, Change::Withdraw(withdrawn) if withdrawn == column)),
        (Expected::Children(children), Said::Changes(changes)) => changes
            .iter()
            .any(|change| matches!(change, Change::Children(named) if named == children)),
        (Expected::States(fact), Said::Facts(facts)) => facts.contains(fact),
        (Expected::Answers(text), Said::Text(answer)) => answer.as_ref() == Some(text),
        (Expected::State(state), Said::State(answer)) => answer.as_ref() == Some(state),
        (Expected::RowState(state), Said::RowState(answer)) => answer.as_ref().is_some_and(|row| {
            row.statecode == state.statecode
                && row.statuscode == state.statuscode
                && state.closing.iter().all(|cell| row.closing.contains(cell))
        }),
        (
            Expected::Verdict(Verdict::Skip(expected)),
            Said::Verdict(Some(Verdict::Skip(reason))),
        ) => expected.code == reason.code,
        (Expected::Verdict(verdict), Said::Verdict(answer)) => answer.as_ref() == Some(verdict),
        (Expected::Resolution(expected), Said::Resolution(Some(answer))) => {
            match (expected, answer) {
                (Resolution::UseExisting(a), Resolution::UseExisting(b)) => a.id == b.id,
                (Resolution::CreateNew(a), Resolution::CreateNew(b)) => a == b,
                (Resolution::Review(a), Resolution::Review(b)) => {
                    a.iter().map(|one| &one.id).eq(b.iter().map(|one| &one.id))
                }
                _ => false,
            }
        }
        (Expected::Asks(label), Said::Searches(Some(searches))) => {
            searches.iter().any(|search| search.query.label == *label)
        }
        (Expected::Asks(label), Said::Stopped(Stop::Ask(queries))) => {
            queries.iter().any(|query| query.label == *label)
        }
        (Expected::Refuses(code), Said::Stopped(Stop::Refuse(reasons))) => {
            reasons.iter().any(|reason| reason.code == *code)
        }
        (Expected::Refuses(code), Said::Changes(changes)) => changes.iter().any(
            |change| matches!(change, Change::Refuse(refusal) if refusal.reason.code == *code),
        ),
        (Expected::Refuses(code), Said::Facts(facts)) => facts
            .iter()
            .any(|fact| matches!(fact, Fact::Refuse(refusal) if refusal.reason.code == *code)),
        (Expected::Later, Said::Stopped(Stop::Later(_))) => true,
        (Expected::Passes, said) => passes(said),
        // A later version's word: what is not known cannot be missed.
        (Expected::More(_), _) => true,
        _ => false,
    }
}

fn passes(said: &Said) -> bool {
    match said {
        Said::Facts(facts) => facts.is_empty(),
        Said::Changes(changes) => changes.is_empty(),
        Said::Text(answer) => answer.is_none(),
        Said::State(answer) => answer.is_none(),
        Said::RowState(answer) => answer.is_none(),
        Said::Verdict(answer) => answer.is_none(),
        Said::Searches(answer) => answer.is_none(),
        Said::Resolution(answer) => answer.is_none(),
        Said::Stopped(_) => false,
    }
}

/// Labels and names are for people.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Choice(a), Value::Choice(b)) => a.code == b.code,
        (Value::Reference(a), Value::Reference(b)) => {
            a.table == b.table && a.id.eq_ignore_ascii_case(&b.id)
        }
        _ => a == b,
    }
}
