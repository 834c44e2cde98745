//! The operator's settings against what the plugin's manifest says: missing, of the wrong kind, unknown, all told together.

use std::collections::BTreeMap;

use crate::bindings::cosell::mapping::types as wit;
use crate::convert::{is_label, is_logical_name};
use crate::limits::DECLARED_MAX;

/// The manifest's own mistakes: names and defaults that cannot be.
pub(crate) fn mistakes_of(specs: &[wit::SettingSpec]) -> Vec<String> {
    let mut mistakes = Vec::new();
    if specs.len() > DECLARED_MAX {
        return vec![format!(
            "has {} settings, more than {DECLARED_MAX}",
            specs.len()
        )];
    }
    let mut names = std::collections::BTreeSet::new();
    for spec in specs {
        if !is_label(&spec.name) {
            mistakes.push(format!(
                "the setting name {:?} is not [a-z0-9-]{{1,64}}",
                spec.name
            ));
        }
        if !names.insert(&spec.name) {
            mistakes.push(format!("two settings are named {:?}", spec.name));
        }
        if let Some(default) = &spec.default_value
            && let Err(why) = fits(&spec.kind, default)
        {
            mistakes.push(format!("the default of the setting {:?} {why}", spec.name));
        }
    }
    mistakes
}

/// Every setting that has a value, in the manifest's order.
pub(crate) fn settle(
    specs: &[wit::SettingSpec],
    said: &BTreeMap<String, toml::Value>,
) -> Result<Vec<wit::Setting>, Vec<String>> {
    let mut mistakes = Vec::new();
    let mut settings = Vec::new();
    for spec in specs {
        match said.get(&spec.name).map(|value| read(&spec.kind, value)) {
            Some(Ok(value)) => settings.push((spec.name.clone(), value)),
            Some(Err(why)) => mistakes.push(format!("setting `{}` {why}", spec.name)),
            None => match &spec.default_value {
                Some(default) => settings.push((spec.name.clone(), default.clone())),
                None if spec.required => mistakes.push(format!(
                    "setting `{}` is missing: {}",
                    spec.name,
                    spec.doc.trim()
                )),
                None => {}
            },
        }
    }
    for name in said
        .keys()
        .filter(|name| specs.iter().all(|spec| spec.name != **name))
    {
        let known: Vec<_> = specs.iter().map(|spec| spec.name.as_str()).collect();
        mistakes.push(if known.is_empty() {
            format!("setting `{name}` is unknown: this plugin has no settings")
        } else {
            format!(
                "setting `{name}` is unknown: this plugin has {}",
                known.join(", ")
            )
        });
    }
    if mistakes.is_empty() {
        Ok(settings)
    } else {
        Err(mistakes)
    }
}

fn read(kind: &wit::SettingType, value: &toml::Value) -> Result<wit::SettingValue, String> {
    use toml::Value as Toml;
    use wit::{SettingType as Kind, SettingValue as Value};
    let read = match (kind, value) {
        (Kind::Text | Kind::OneOf(_) | Kind::Column(_), Toml::String(text)) => {
            Value::Text(text.clone())
        }
        (Kind::Integer, Toml::Integer(number)) => {
            Value::Integer(i32::try_from(*number).map_err(|_| {
                format!(
                    "is {number}; whole numbers are between {} and {}",
                    i32::MIN,
                    i32::MAX
                )
            })?)
        }
        (Kind::Decimal, Toml::String(text)) => Value::Decimal(text.clone()),
        (Kind::Decimal, Toml::Integer(number)) => Value::Decimal(number.to_string()),
        (Kind::Boolean, Toml::Boolean(flag)) => Value::Boolean(*flag),
        (Kind::Texts, Toml::Array(list)) => Value::Texts(
            list.iter()
                .map(|one| {
                    one.as_str()
                        .map(str::to_owned)
                        .ok_or("is a list of something else than texts")
                })
                .collect::<Result<_, _>>()?,
        ),
        (Kind::Pairs, Toml::Table(table)) => {
            let mut pairs = table
                .iter()
                .map(|(key, one)| {
                    Ok((
                        key.clone(),
                        one.as_str()
                            .ok_or("has a value that is no text")?
                            .to_owned(),
                    ))
                })
                .collect::<Result<Vec<_>, &str>>()?;
            // A fixed order, whatever the file's: the same settings are the same bytes for the guest.
            pairs.sort();
            Value::Pairs(pairs)
        }
        _ => return Err(format!("is {}; write {}", value.type_str(), wanted(kind))),
    };
    fits(kind, &read)?;
    Ok(read)
}

fn wanted(kind: &wit::SettingType) -> String {
    match kind {
        wit::SettingType::Text => "a text in quotes".to_owned(),
        wit::SettingType::Integer => "a whole number".to_owned(),
        wit::SettingType::Decimal => {
            "a number in quotes, \"12.50\": a floating point number would not be exact".to_owned()
        }
        wit::SettingType::Boolean => "true or false".to_owned(),
        wit::SettingType::OneOf(choices) => format!("one of {}", quoted(choices)),
        wit::SettingType::Texts => "a list of texts, [\"a\", \"b\"]".to_owned(),
        wit::SettingType::Pairs => "a table of texts, { \"a\" = \"b\" }".to_owned(),
        wit::SettingType::Column(table) => {
            format!("the logical name of a column of {table}, in quotes")
        }
    }
}

fn quoted(choices: &[String]) -> String {
    choices
        .iter()
        .map(|choice| format!("\"{choice}\""))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Whether a value is one of this kind.
pub(crate) fn fits(kind: &wit::SettingType, value: &wit::SettingValue) -> Result<(), String> {
    use wit::{SettingType as Kind, SettingValue as Value};
    match (kind, value) {
        (Kind::Text, Value::Text(_))
        | (Kind::Integer, Value::Integer(_))
        | (Kind::Boolean, Value::Boolean(_))
        | (Kind::Texts, Value::Texts(_))
        | (Kind::Pairs, Value::Pairs(_)) => Ok(()),
        (Kind::Decimal, Value::Decimal(text)) if text.parse::<rust_decimal::Decimal>().is_ok() => {
            Ok(())
        }
        (Kind::Decimal, Value::Decimal(text)) => Err(format!("is {text:?}, which is no number")),
        (Kind::OneOf(choices), Value::Text(text)) if choices.contains(text) => Ok(()),
        (Kind::OneOf(choices), Value::Text(text)) => {
            Err(format!("is {text:?}; it is one of {}", quoted(choices)))
        }
        (Kind::Column(_), Value::Text(text)) if is_logical_name(text) => Ok(()),
        (Kind::Column(_), Value::Text(text)) => {
            Err(format!("is {text:?}, which is no logical name of a column"))
        }
        _ => Err(format!("is of another kind; it is {}", wanted(kind))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(
        name: &str,
        kind: wit::SettingType,
        required: bool,
        default_value: Option<wit::SettingValue>,
    ) -> wit::SettingSpec {
        wit::SettingSpec {
            name: name.into(),
            doc: "What it does.".into(),
            kind,
            required,
            default_value,
        }
    }

    fn said(text: &str) -> BTreeMap<String, toml::Value> {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn missing_wrong_and_unknown_are_told_together() {
        let specs = [
            spec(
                "column",
                wit::SettingType::Column("opportunity".into()),
                true,
                None,
            ),
            spec("rate", wit::SettingType::Decimal, false, None),
            spec(
                "mark",
                wit::SettingType::OneOf(vec!["on".into(), "off".into()]),
                false,
                None,
            ),
        ];
        let mistakes =
            settle(&specs, &said("rate = 1.5\nmark = \"maybe\"\ncolour = 3")).unwrap_err();
        assert_eq!(
            mistakes,
            [
                "setting `column` is missing: What it does.",
                "setting `rate` is float; write a number in quotes, \"12.50\": a floating point number would not be exact",
                "setting `mark` is \"maybe\"; it is one of \"on\", \"off\"",
                "setting `colour` is unknown: this plugin has column, rate, mark",
            ]
        );
    }

    #[test]
    fn defaults_are_filled_in_and_the_operator_wins() {
        let specs = [
            spec(
                "a",
                wit::SettingType::Integer,
                false,
                Some(wit::SettingValue::Integer(1)),
            ),
            spec(
                "b",
                wit::SettingType::Integer,
                false,
                Some(wit::SettingValue::Integer(2)),
            ),
            spec("c", wit::SettingType::Integer, false, None),
        ];
        let settings = settle(&specs, &said("b = 5")).unwrap();
        assert_eq!(
            settings,
            [
                ("a".to_owned(), wit::SettingValue::Integer(1)),
                ("b".to_owned(), wit::SettingValue::Integer(5))
            ]
        );
    }

    #[test]
    fn a_manifest_with_impossible_settings_is_told_so() {
        let specs = [
            spec("Bad Name", wit::SettingType::Text, false, None),
            spec(
                "x",
                wit::SettingType::Boolean,
                false,
                Some(wit::SettingValue::Text("yes".into())),
            ),
            spec("x", wit::SettingType::Boolean, false, None),
        ];
        assert_eq!(mistakes_of(&specs).len(), 3);
    }
}
