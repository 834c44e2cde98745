//! Whether an answer is what an example expects, and whether it says only what may be said.

use super::asking::Said;
use crate::bindings::cosell::mapping::types as wit;
use crate::convert::asked;
use crate::convert::heard::{self, Bad};
use crate::convert::units::{state_heard, statement};
use crate::declared::Declared;
use crate::standard::Question;
use crate::stop::StopKind;

/// What the host would not accept of this answer.
pub(crate) fn undeclared(
    declared: &Declared,
    plugin: &str,
    question: &Question,
    said: &Said,
) -> Option<String> {
    let checked: Result<(), Bad> = match said {
        Said::Facts(facts) => facts
            .iter()
            .try_for_each(|fact| statement(fact).map(|_| ())),
        Said::Changes(changes) => {
            let table = table_of(question);
            changes.iter().try_for_each(|change| match change {
                wit::Change::Set((column, value)) => heard::settable(declared, &table, column)
                    .and_then(|()| {
                        heard::cell(declared, &format!("{table}.{column}"), value).map(|_| ())
                    }),
                wit::Change::Children(children) => {
                    heard::children(declared, plugin, children).map(|_| ())
                }
                _ => Ok(()),
            })
        }
        Said::Text(Some(text)) if question.asks == "country.to-deal" => {
            heard::country_code(text).map(|_| ())
        }
        Said::Text(Some(text)) => heard::mark(text).map(|_| ()),
        Said::State(Some(state)) => state_heard(state).map(|_| ()),
        Said::RowState(Some(state)) => heard::row_state(declared, state).map(|_| ()),
        Said::Searches(Some(list)) => asked::searches(declared, &[], &[], list).map(|_| ()),
        Said::Resolution(Some(resolution)) => asked::resolution(
            &table_of(question),
            &question.candidates,
            &question.context.found,
            resolution,
        )
        .map(|_| ()),
        Said::Stopped(stop) => {
            return match heard::stop(declared, plugin, stop.clone()) {
                StopKind::Fault(fault) => Some(fault.to_string()),
                _ => None,
            };
        }
        Said::Text(None)
        | Said::State(None)
        | Said::RowState(None)
        | Said::Verdict(_)
        | Said::Searches(None)
        | Said::Resolution(None) => Ok(()),
    };
    checked.err().map(|Bad(message)| message)
}

fn table_of(question: &Question) -> String {
    match question.asks.as_str() {
        "country.to-row" => question.country().table,
        name => name.split('.').next().unwrap_or_default().to_owned(),
    }
}

/// Other things may be in the answer too.
pub(crate) fn meets(said: &Said, expected: &wit::Expected) -> bool {
    use wit::{Change, Expected, Resolution, Stop, Verdict};
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
        (Expected::RowState(state), Said::RowState(Some(answer))) => {
            answer.statecode == state.statecode
                && answer.statuscode == state.statuscode
                && state
                    .closing
                    .iter()
                    .all(|cell| answer.closing.contains(cell))
        }
        // The words of a reason may change; its code may not.
        (
            Expected::Verdict(Verdict::Skip(expected)),
            Said::Verdict(Some(Verdict::Skip(reason))),
        ) => expected.code == reason.code,
        (Expected::Verdict(verdict), Said::Verdict(answer)) => answer.as_ref() == Some(verdict),
        (Expected::Resolution(expected), Said::Resolution(Some(answer))) => {
            match (expected, answer) {
                (Resolution::UseExisting(a), Resolution::UseExisting(b)) => {
                    a.id.eq_ignore_ascii_case(&b.id)
                }
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
            .any(|fact| matches!(fact, wit::Fact::Refuse(refusal) if refusal.reason.code == *code)),
        (Expected::Later, Said::Stopped(Stop::Later(_))) => true,
        (Expected::Passes, said) => passes(said),
        // A word of a later contract: what is not known cannot be missed.
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
fn same(a: &wit::Value, b: &wit::Value) -> bool {
    match (a, b) {
        (wit::Value::Choice(a), wit::Value::Choice(b)) => a.code == b.code,
        (wit::Value::Reference(a), wit::Value::Reference(b)) => {
            a.table == b.table && a.id.eq_ignore_ascii_case(&b.id)
        }
        _ => a == b,
    }
}
