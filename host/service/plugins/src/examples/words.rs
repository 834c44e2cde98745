//! Answers and expectations as a plugin's author reads them.

use cosell_sync::deal::UnitValue;

use super::asking::Said;
use crate::bindings::cosell::mapping::types as wit;
use crate::convert::units::{Statement, state_heard, statement};

/// Longest answer that is quoted whole.
const QUOTED_CHARS: usize = 1_500;

/// To be read after "expected".
pub(crate) fn expected(expected: &wit::Expected) -> String {
    use wit::Expected;
    cut(match expected {
        Expected::Sets(cell) => sets(cell),
        Expected::Withdraws(column) => format!("to take {column} back"),
        Expected::Children(named) => children(named),
        Expected::States(stated) => fact(stated),
        Expected::Answers(text) => format!("the answer {text:?}"),
        Expected::State(wanted) => format!("the state {}", state(wanted)),
        Expected::RowState(wanted) => row_state(wanted),
        Expected::Verdict(wanted) => verdict(wanted),
        Expected::Resolution(wanted) => resolution(wanted),
        Expected::Asks(label) => format!("a query with the label {label:?}"),
        Expected::Refuses(code) => format!("a refusal with the code {code:?}"),
        Expected::Later => "to be told to come back later".to_owned(),
        Expected::Passes => NOTHING.to_owned(),
        Expected::More((name, _)) => format!("{name:?}, which this host does not know"),
    })
}

/// To be read after "and the answer is".
pub(crate) fn said(said: &Said) -> String {
    let or_nothing = |text: Option<String>| text.unwrap_or_else(|| NOTHING.to_owned());
    cut(match said {
        Said::Facts(facts) => all(facts.iter().map(fact)),
        Said::Changes(changes) => all(changes.iter().map(change)),
        Said::Text(text) => or_nothing(text.as_ref().map(|text| format!("{text:?}"))),
        Said::State(answer) => or_nothing(answer.as_ref().map(state)),
        Said::RowState(answer) => or_nothing(answer.as_ref().map(row_state)),
        Said::Verdict(answer) => or_nothing(answer.as_ref().map(verdict)),
        Said::Searches(answer) => or_nothing(
            answer
                .as_ref()
                .map(|searches| queries(searches.iter().map(|search| &search.query))),
        ),
        Said::Resolution(answer) => or_nothing(answer.as_ref().map(resolution)),
        Said::Stopped(stopped) => stop(stopped),
    })
}

const NOTHING: &str = "nothing to say";

fn all(statements: impl Iterator<Item = String>) -> String {
    let all: Vec<String> = statements.collect();
    if all.is_empty() {
        NOTHING.to_owned()
    } else {
        all.join("; ")
    }
}

fn cut(text: String) -> String {
    match text.char_indices().nth(QUOTED_CHARS) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

fn fact(stated: &wit::Fact) -> String {
    match (statement(stated), stated) {
        (Ok(Statement::Refuses(unit)), wit::Fact::Refuse(refusal)) => {
            format!("{unit} is refused, {}", reason(&refusal.reason))
        }
        (Ok(Statement::States(unit, value)), _) => format!("{unit} is {}", shown(&value)),
        (Ok(Statement::Withdraws(unit) | Statement::Refuses(unit)), _) => {
            format!("{unit} is taken back")
        }
        (Err(bad), _) => format!("a fact that {}", bad.0),
    }
}

/// Whole: what is wrong with a person may be one letter of the mail address.
fn shown(value: &UnitValue) -> String {
    match value {
        UnitValue::Text(Some(text)) => format!("{text:?}"),
        UnitValue::Ids(_)
        | UnitValue::Address(_)
        | UnitValue::People(_)
        | UnitValue::Solutions(_)
            if !value.is_empty() =>
        {
            let parts = value.to_parts();
            let parts = parts.iter().map(|(path, text)| format!("{path} {text:?}"));
            format!("[{}]", parts.collect::<Vec<_>>().join(", "))
        }
        value => value.in_words(),
    }
}

fn change(change: &wit::Change) -> String {
    match change {
        wit::Change::Set(cell) => sets(cell),
        wit::Change::Withdraw(column) => format!("to take {column} back"),
        wit::Change::Children(named) => children(named),
        wit::Change::More((name, _)) => format!("{name:?}, which this host does not know"),
        wit::Change::Refuse(refusal) => {
            let fact = wit::Fact::Refuse(refusal.clone());
            self::fact(&fact)
        }
    }
}

fn sets((column, value): &wit::Cell) -> String {
    match value {
        wit::Value::Empty => format!("to empty {column}"),
        value => format!("to set {column} to {}", self::value(value)),
    }
}

fn value(value: &wit::Value) -> String {
    use wit::Value;
    match value {
        Value::Empty => "nothing".to_owned(),
        Value::Text(text) => format!("{text:?}"),
        Value::Integer(number) => number.to_string(),
        Value::Decimal(number) => number.clone(),
        Value::Money(money) => format!("{} {}", money.amount, money.currency),
        Value::Boolean(true) => "yes".to_owned(),
        Value::Boolean(false) => "no".to_owned(),
        Value::Date(moment) | Value::Timestamp(moment) => moment.clone(),
        Value::Choice(choice) => format!("option {}", choice.code),
        Value::Choices(choices) => {
            let codes: Vec<_> = choices
                .iter()
                .map(|choice| choice.code.to_string())
                .collect();
            format!("options {}", codes.join(", "))
        }
        Value::Reference(reference) => format!("{} {}", reference.table, reference.id),
        Value::RowWhere(key) => {
            let parts: Vec<_> = key
                .parts
                .iter()
                .map(|(column, text)| format!("{column} is {text:?}"))
                .collect();
            let missing = match key.if_missing {
                wit::IfMissing::Refuse => "",
                wit::IfMissing::LeaveOut => ", if there is one",
            };
            format!("the {} whose {}{missing}", key.table, parts.join(" and "))
        }
    }
}

fn children(named: &wit::Children) -> String {
    let rows: Vec<String> = named
        .rows
        .iter()
        .map(|row| format!("{} ({})", row.key, all(row.cells.iter().map(sets))))
        .collect();
    let others = match named.surplus {
        wit::Surplus::Keep => "keep the others",
        wit::Surplus::Remove => "remove the others",
    };
    format!(
        "under {:?} the rows {}; {others}",
        named.label,
        rows.join(", ")
    )
}

fn state(wanted: &wit::DealState) -> String {
    match state_heard(wanted) {
        Ok(state) => UnitValue::State(state).in_words(),
        Err(bad) => format!("one that {}", bad.0),
    }
}

fn row_state(state: &wit::RowState) -> String {
    let closing = state.closing.iter().map(sets);
    let rest = if state.closing.is_empty() {
        String::new()
    } else {
        format!(", closing {}", all(closing))
    };
    format!(
        "state {}, status {}{rest}",
        state.statecode, state.statuscode
    )
}

fn verdict(verdict: &wit::Verdict) -> String {
    match verdict {
        wit::Verdict::Sync(wit::RecordKind::Opportunity) => "to sync as opportunity".to_owned(),
        wit::Verdict::Sync(wit::RecordKind::Lead) => "to sync as lead".to_owned(),
        wit::Verdict::Skip(why) => format!("to skip, {}", reason(why)),
    }
}

fn resolution(resolution: &wit::Resolution) -> String {
    use wit::Resolution;
    match resolution {
        Resolution::UseExisting(found) => format!("to use row {}", found.id),
        Resolution::CreateNew(identity) => format!("to create a row for {identity:?}"),
        Resolution::Review(found) => {
            let ids: Vec<_> = found.iter().map(|one| one.id.as_str()).collect();
            format!("to let a person choose among {}", ids.join(", "))
        }
    }
}

fn queries<'a>(queries: impl Iterator<Item = &'a wit::Query>) -> String {
    all(queries.map(|query| format!("a query {:?} of {}", query.label, query.table)))
}

fn stop(stop: &wit::Stop) -> String {
    match stop {
        wit::Stop::Ask(asked) => queries(asked.iter()),
        wit::Stop::Refuse(reasons) => {
            format!("a refusal, {}", all(reasons.iter().map(reason)))
        }
        wit::Stop::Later(postponed) => format!("to come back later: {}", postponed.message),
        wit::Stop::Fault(fault) => format!("a fault of its own: {}", fault.message),
    }
}

fn reason(reason: &wit::Reason) -> String {
    format!("{:?}: {}", reason.code, reason.message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expectations_and_answers_read_as_sentences() {
        let cell = |text: &str| ("name".to_owned(), wit::Value::Text(text.to_owned()));
        let wanted = wit::Expected::Sets(cell("CONTOSO"));
        assert_eq!(expected(&wanted), "to set name to \"CONTOSO\"");
        let price = wit::Value::Money(wit::Money {
            amount: "125000.00".to_owned(),
            currency: "EUR".to_owned(),
        });
        let answer = Said::Changes(vec![
            wit::Change::Set(cell("Contoso")),
            wit::Change::Set(("estimatedvalue".to_owned(), price)),
            wit::Change::Withdraw("ownerid".to_owned()),
        ]);
        assert_eq!(
            said(&answer),
            "to set name to \"Contoso\"; to set estimatedvalue to 125000.00 EUR; to take ownerid back"
        );
        assert_eq!(said(&Said::Facts(Vec::new())), "nothing to say");
        let visible = wit::Fact::Visibility(true);
        assert_eq!(
            expected(&wit::Expected::States(visible)),
            "visibility is yes"
        );
        let anna = wit::Person {
            first_name: None,
            last_name: Some("Kovács".to_owned()),
            email: Some("anna@contoso.example".to_owned()),
            phone: None,
            title: None,
            more: Vec::new(),
        };
        let told = said(&Said::Facts(vec![wit::Fact::Contacts(vec![anna])]));
        assert!(
            told.contains("Kovács") && told.contains("anna@contoso.example"),
            "{told}"
        );
    }

    #[test]
    fn a_long_answer_is_cut() {
        let long = Said::Text(Some("x".repeat(5_000)));
        assert_eq!(said(&long).chars().count(), QUOTED_CHARS + 1);
    }
}
