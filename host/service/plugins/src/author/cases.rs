//! One question as an author writes it down: the JSON of an example, in JavaScript's shape.

use std::collections::BTreeMap;

use cosell_contract_shape::{hear, speak};
use cosell_sync::deal::Deal;
use cosell_sync::row::Seen;
use serde_json::Value;

use crate::bindings::cosell::mapping::types as wit;
use crate::convert::given;
use crate::settings;
use crate::standard::Question;
use crate::trial::Trial;

/// A question that can be put, and what is expected of the answer.
pub struct Case {
    pub(super) question: Question,
    pub(super) expect: Vec<wit::Expected>,
    title: String,
}

impl Case {
    /// `opportunity.to-row`
    #[must_use]
    pub fn asks(&self) -> &str {
        &self.question.asks
    }

    /// What it is called, if it came from a file.
    #[must_use]
    pub fn title(&self) -> Option<&str> {
        Some(self.title.as_str()).filter(|title| !title.is_empty())
    }
}

impl Trial {
    /// A question about the standard deal of the contract.
    #[must_use]
    pub fn standard_case(&self, asks: &str) -> Case {
        Case {
            question: Question::new(asks, self.plugin().settings.clone())
                .about_a_blank_row(&self.plugin().declared),
            expect: Vec::new(),
            title: String::new(),
        }
    }

    /// A question about a real deal and the row that shows it, with the columns that the plugin declared.
    #[must_use]
    pub fn case_about(&self, asks: &str, deal: &Deal, seen: Option<&Seen>) -> Case {
        let mut case = self.standard_case(asks);
        case.question.deal = given::deal(deal);
        if let Some(seen) = seen {
            let shown = self.plugin().seen(seen);
            case.question.give(wit::Given::Row(shown.row));
            for related in shown.related {
                case.question.give(wit::Given::Related(related));
            }
        }
        case
    }

    /// Reads what `--input` names: the reason beside a refused file, an example as `examples.cases` answers it, or a list of them. `asks` may be left out where `hook` says it.
    ///
    /// # Errors
    /// In words: where it is not an example, or gives a setting that the plugin does not have.
    pub fn cases_of(&self, input: &Value, hook: Option<&str>) -> Result<Vec<Case>, String> {
        // A reason beside a refused file has the deal that shows it.
        let input = match input.get("input") {
            Some(deal) if input.get("law").is_some() => deal,
            _ => input,
        };
        match input {
            Value::Array(list) => list.iter().map(|one| self.case_of(one, hook)).collect(),
            one => Ok(vec![self.case_of(one, hook)?]),
        }
    }

    fn case_of(&self, input: &Value, hook: Option<&str>) -> Result<Case, String> {
        let mut input = input.clone();
        if let Value::Object(members) = &mut input {
            members.entry("title").or_insert_with(|| "".into());
            if let Some(hook) = hook {
                members.insert("asks".to_owned(), hook.into());
            }
        }
        let example: wit::Example =
            hear::read(Some(&input)).map_err(|mistake| mistake.to_string())?;
        let mut question = Question::new(&example.asks, self.settings_over(&example.given)?);
        for given in example.given {
            question.give(given);
        }
        Ok(Case {
            question,
            expect: example.expect,
            title: example.title,
        })
    }

    /// The settings under which it was loaded, with those that are given here.
    fn settings_over(&self, givens: &[wit::Given]) -> Result<Vec<wit::Setting>, String> {
        let plugin = self.plugin();
        let mut values: BTreeMap<&str, &wit::SettingValue> = plugin
            .settings
            .iter()
            .map(|(name, value)| (name.as_str(), value))
            .collect();
        let specs = &self.manifest().settings;
        for given in givens {
            let wit::Given::Setting((name, value)) = given else {
                continue;
            };
            let spec = specs.iter().find(|spec| spec.name == *name);
            let spec = spec.ok_or_else(|| {
                format!("the setting {name:?} is given, which is not in the manifest")
            })?;
            settings::fits(&spec.kind, value)
                .map_err(|why| format!("the setting {name:?} is given, which {why}"))?;
            values.insert(name, value);
        }
        Ok(specs
            .iter()
            .filter_map(|spec| {
                let value = values.get(spec.name.as_str())?;
                Some((spec.name.clone(), (*value).clone()))
            })
            .collect())
    }
}

/// An example as JSON, to be read again by [`Trial::cases_of`].
pub(super) fn example_json(asks: &str, givens: &[wit::Given], title: &str) -> Value {
    let example = wit::Example {
        title: title.to_owned(),
        asks: asks.to_owned(),
        given: givens.to_vec(),
        expect: Vec::new(),
    };
    speak::json(&example)
        .and_then(|json| serde_json::from_str(&json).ok())
        .unwrap_or_default()
}
