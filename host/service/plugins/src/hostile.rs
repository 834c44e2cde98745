//! Hostile input: what an operator writes beside a plugin, and what a plugin answers, is read or refused with a word, and never a panic. `fuzz-corpus/`
//! keeps inputs, one a file; answers are written there in JavaScript's shape, as authors write examples.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cosell_contract_shape::hear;
use cosell_fuzz::{bounded, survives, told};
use cosell_sync::row::Cell;
use serde_json::json;

use crate::bindings::cosell::mapping::types as wit;
use crate::convert::units::{Statement, statement};
use crate::convert::{given, heard};
use crate::declared::Declared;
use crate::operator::Operator;
use crate::settings;
use crate::stop::StopKind;

/// Words of answers.
const WORDS: [&str; 20] = [
    "{\"tag\":\"set\",\"val\":[\"name\",",
    "{\"tag\":\"text\",\"val\":",
    "{\"tag\":\"money\",\"val\":{\"amount\":\"1\",\"currency\":\"EUR\"}}",
    "{\"tag\":\"choices\",\"val\":[",
    "{\"tag\":\"row-where\",\"val\":",
    "{\"tag\":\"empty\"}",
    "\"children\"",
    "\"refuse\"",
    "\"withdraw\"",
    "\"decimal\"",
    "\"timestamp\"",
    "\"date\"",
    "\"reference\"",
    "2026-09-30T14:05:00Z",
    "2026-09-30",
    "125000.00",
    "79228162514264337593543950335",
    "\\u202e",
    "\\u2028",
    "opportunity",
];

fn folder(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz-corpus")
        .join(kind)
}

/// A plugin that declared what the inputs are about.
fn declared() -> Declared {
    let needs = json!([
        {"tag": "writes", "val": {"table": "opportunity", "columns": ["name", "new_x", "new_y", "estimatedvalue"]}},
        {"tag": "writes", "val": {"table": "new_line", "columns": ["new_x", "name"]}},
        {"tag": "asks", "val": {"table": "new_country", "columns": ["new_iso2", "new_name"], "steady": true}},
        {"tag": "joins", "val": {
            "label": "lines", "above": "opportunity", "table": "new_line", "via": {"tag": "child", "val": "new_opportunityid"}, "columns": ["new_x"],
        }},
    ]);
    let needs: Vec<wit::Need> = hear::read(Some(&needs)).unwrap();
    Declared::read(&needs).unwrap()
}

/// A value of an author's file. None: it is none, and its author was told so.
fn read<T: serde::de::DeserializeOwned>(input: &[u8]) -> Result<Option<T>, String> {
    let Ok(json) = serde_json::from_slice(input) else {
        return Ok(None);
    };
    match hear::read::<T>(Some(&json)) {
        Ok(value) => Ok(Some(value)),
        Err(mistake) => told(input, &mistake.to_string()).map(|()| None),
    }
}

/// A cell that was heard is the same when it has been shown to a guest and is heard again.
fn is_heard_again(declared: &Declared, cell: &Cell) -> Result<(), String> {
    let shown = given::value(cell);
    match heard::cell(declared, "again", &shown) {
        Ok(again) if again == *cell => Ok(()),
        other => Err(format!(
            "{cell:?} is shown as {shown:?} and heard as {other:?}"
        )),
    }
}

#[test]
fn a_value_that_a_plugin_answers_is_heard_or_refused() {
    let declared = declared();
    survives(&folder("cell"), &WORDS, 2_500, |input| {
        let Some(value) = read::<wit::Value>(input)? else {
            return Ok(());
        };
        match heard::cell(&declared, "opportunity.new_x", &value) {
            Ok(cell) => {
                bounded(input, format!("{cell:?}").len())?;
                is_heard_again(&declared, &cell)
            }
            Err(bad) => told(input, &bad.0),
        }
    });
}

/// A genuine answer among the inputs.
fn kept<T: serde::de::DeserializeOwned>(name: &str) -> T {
    let input = std::fs::read(folder("answer").join(name)).unwrap();
    let json = serde_json::from_slice(&input).unwrap();
    hear::read(Some(&json)).unwrap_or_else(|mistake| panic!("{name}: {mistake}"))
}

#[test]
fn genuine_answers_among_the_inputs_are_heard() {
    let declared = declared();
    for name in ["sets", "children"] {
        for change in &kept::<Vec<wit::Change>>(name) {
            changed(b"", &declared, change).unwrap();
        }
    }
    let children = kept::<Vec<wit::Change>>("children");
    let [wit::Change::Children(children)] = &children[..] else {
        panic!("{children:?}")
    };
    assert!(heard::children(&declared, "acme", children).is_ok());
    for name in ["facts", "solutions", "contacts"] {
        let facts = kept::<Vec<wit::Fact>>(name);
        assert!(facts.iter().all(|fact| statement(fact).is_ok()), "{name}");
    }
    assert!(heard::row_state(&declared, &kept("row-state")).is_ok());
    let asks = heard::stop(&declared, "acme", kept("stop-ask"));
    assert!(matches!(asks, StopKind::Ask(_)), "{asks:?}");
    assert!(Declared::read(&kept::<Vec<wit::Need>>("needs")).is_ok());
}

#[test]
fn changes_that_a_plugin_answers_are_heard_or_refused() {
    let declared = declared();
    survives(&folder("answer"), &WORDS, 2_500, |input| {
        // An answer of each kind: the same text is read as all of them.
        if let Some(changes) = read::<Vec<wit::Change>>(input)? {
            for change in &changes {
                changed(input, &declared, change)?;
            }
        }
        if let Some(facts) = read::<Vec<wit::Fact>>(input)? {
            for fact in &facts {
                match statement(fact) {
                    Ok(Statement::States(unit, value)) => {
                        bounded(input, format!("{unit:?} {value:?}").len())?;
                    }
                    Ok(_) => {}
                    Err(bad) => told(input, &bad.0)?,
                }
            }
        }
        if let Some(state) = read::<wit::RowState>(input)? {
            match heard::row_state(&declared, &state) {
                Ok(state) => bounded(input, format!("{state:?}").len())?,
                Err(bad) => told(input, &bad.0)?,
            }
        }
        if let Some(stop) = read::<wit::Stop>(input)? {
            let stop = heard::stop(&declared, "acme", stop);
            bounded(input, format!("{stop:?}").len())?;
        }
        if let Some(needs) = read::<Vec<wit::Need>>(input)? {
            match Declared::read(&needs) {
                Ok(declared) => bounded(input, format!("{declared:?}").len())?,
                Err(mistakes) => {
                    for mistake in &mistakes {
                        told(input, mistake)?;
                    }
                }
            }
        }
        Ok(())
    });
}

fn changed(input: &[u8], declared: &Declared, change: &wit::Change) -> Result<(), String> {
    let refused = |bad: &heard::Bad| told(input, &bad.0);
    match change {
        wit::Change::Set((column, value)) => {
            if let Err(bad) = heard::settable(declared, "opportunity", column) {
                return refused(&bad);
            }
            match heard::cell(declared, column, value) {
                Ok(cell) => is_heard_again(declared, &cell),
                Err(bad) => refused(&bad),
            }
        }
        wit::Change::Children(children) => match heard::children(declared, "acme", children) {
            Ok(children) => bounded(input, format!("{children:?}").len()),
            Err(bad) => refused(&bad),
        },
        wit::Change::Refuse(refusal) => {
            let reason = heard::reason(&refusal.reason);
            if reason.message.chars().any(char::is_control) {
                return Err(format!("{:?} steers a terminal", reason.message));
            }
            bounded(input, format!("{reason:?}").len())
        }
        wit::Change::Withdraw(_) | wit::Change::More(_) => Ok(()),
    }
}

#[test]
fn words_of_a_plugin_are_one_line_a_mark_is_short_and_a_country_is_a_code() {
    survives(&folder("spelling"), &WORDS, 2_000, |input| {
        let text = String::from_utf8_lossy(input);
        let line = heard::short(&text);
        if line
            .chars()
            .any(|letter| letter.is_control() || letter == '\u{202e}')
        {
            return Err(format!("{line:?} steers a terminal"));
        }
        bounded(input, line.len())?;
        match heard::mark(&text) {
            Ok(mark) if mark == text => {}
            Ok(mark) => return Err(format!("{mark:?} is another mark")),
            Err(bad) => told(input, &bad.0)?,
        }
        match heard::country_code(&text) {
            Ok(code) if code.len() == 2 => Ok(()),
            Ok(code) => Err(format!("{code:?} is no code")),
            Err(bad) => told(input, &bad.0),
        }
    });
}

#[test]
fn an_operator_file_is_read_or_refused_and_written_as_it_is_read() {
    let words = [
        "mode = \"shadow\"\n",
        "promote = { budget = ",
        "deals = [\"17\"]\n",
        "[settings]\n",
        "[limits]\n",
        "memory_mb = 18446744073709551615\n",
        "enabled = false\n",
        "wasi = \"inert\"\n",
        "\"\"\"",
        "0x",
        "nan",
    ];
    survives(&folder("operator"), &words, 1_200, |input| {
        let Ok(text) = std::str::from_utf8(input) else {
            return Ok(());
        };
        let operator = match Operator::read(text) {
            Ok(operator) => operator,
            Err(rejection) if rejection.causes.iter().any(|cause| cause.trim().is_empty()) => {
                return Err(format!("a cause without a word: {rejection:?}"));
            }
            Err(rejection) => return told(input, &rejection.to_string()),
        };
        bounded(input, format!("{operator:?}").len())?;
        settled(input, &operator.settings)?;
        let _ = operator.limits(crate::limits::Limits::default());
        let written = toml::to_string(&BTreeMap::from([("settings", &operator.settings)]))
            .map_err(|why| format!("its settings cannot be written: {why}"))?;
        match Operator::read(&written) {
            Ok(again) if same(&again.settings, &operator.settings) => Ok(()),
            other => Err(format!("written as {written} it is {other:?}")),
        }
    });
}

/// Not a number is the same as itself here.
fn same(one: &BTreeMap<String, toml::Value>, other: &BTreeMap<String, toml::Value>) -> bool {
    format!("{one:?}") == format!("{other:?}")
}

fn settled(input: &[u8], said: &BTreeMap<String, toml::Value>) -> Result<(), String> {
    use wit::SettingType as Kind;
    let spec = |name: &str, kind| wit::SettingSpec {
        name: name.to_owned(),
        doc: "What it does.".to_owned(),
        kind,
        required: name == "needed",
        default_value: None,
    };
    let specs = [
        spec("text", Kind::Text),
        spec("number", Kind::Integer),
        spec("rate", Kind::Decimal),
        spec("flag", Kind::Boolean),
        spec("one", Kind::OneOf(vec!["on".to_owned(), "off".to_owned()])),
        spec("list", Kind::Texts),
        spec("pairs", Kind::Pairs),
        spec("column", Kind::Column("opportunity".to_owned())),
        spec("needed", Kind::Text),
    ];
    match settings::settle(&specs, said) {
        Ok(settings) => {
            for (name, value) in &settings {
                let spec = specs.iter().find(|spec| spec.name == *name);
                if spec.is_none_or(|spec| settings::fits(&spec.kind, value).is_err()) {
                    return Err(format!("the setting {name} is {value:?}"));
                }
            }
            bounded(input, format!("{settings:?}").len())
        }
        Err(mistakes) => {
            let all: usize = mistakes.iter().map(String::len).sum();
            if mistakes.iter().any(|mistake| mistake.trim().is_empty()) {
                return Err("a mistake without a word".to_owned());
            }
            bounded(input, all)
        }
    }
}
