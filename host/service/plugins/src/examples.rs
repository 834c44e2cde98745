//! The golden examples of a plugin, run before anybody relies on it: each twice, each time on a fresh instance, the plugin alone with an
//! empty draft. One that fails keeps the plugin out.

mod asking;
mod judging;
pub(crate) mod words;

use std::collections::BTreeMap;

use crate::bindings::cosell::mapping::types as wit;
use crate::declared::Declared;
use crate::inert::BEFORE_ANY_QUESTION;
use crate::limits::EXAMPLES_MAX;
use crate::load::{describe, rejected};
use crate::plugin::Plugin;
use crate::rejection::{Phase, Rejection, RejectionKind};
use crate::settings;
use crate::standard::Question;

pub(crate) use asking::{QUESTIONS, Said, answer, answer_warm, put};
pub(crate) use judging::{meets, undeclared};

/// Runs all; answers how many there were.
pub(crate) fn run(plugin: &Plugin, manifest: &wit::PluginManifest) -> Result<usize, Rejection> {
    let guest = &plugin.guest;
    let cases = guest
        .call_fresh(
            guest.limits.start(),
            BEFORE_ANY_QUESTION,
            |instance, places| {
                let (examples, store) = instance.examples(places)?;
                examples.call_cases(store)
            },
        )
        .map_err(|fault| rejected(Phase::Examples, "cannot say its examples", fault))?;
    if cases.len() > EXAMPLES_MAX {
        let many = format!(
            "it brings {} examples, more than {EXAMPLES_MAX}",
            cases.len()
        );
        return Err(Rejection::new(Phase::Examples, RejectionKind::Output, many));
    }
    let mut failures = Vec::new();
    for case in &cases {
        let told = |why: String| format!("\"{}\" ({}): {why}", case.title, case.asks);
        failures.extend(failures_of(plugin, manifest, case)?.into_iter().map(told));
    }
    if failures.is_empty() {
        return Ok(cases.len());
    }
    Err(Rejection::new(
        Phase::Examples,
        RejectionKind::Example,
        "its own examples fail",
    )
    .because(failures)
    .with_hint("an example is a promise of the plugin: correct the plugin, or the example"))
}

fn failures_of(
    plugin: &Plugin,
    manifest: &wit::PluginManifest,
    case: &wit::Example,
) -> Result<Vec<String>, Rejection> {
    let settings = match settings_of(plugin, manifest, case) {
        Ok(settings) => settings,
        Err(mistakes) => return Ok(mistakes),
    };
    let other;
    let declared: &Declared = if settings == plugin.settings {
        &plugin.declared
    } else {
        other = describe(&plugin.guest, &settings)?;
        &other
    };
    let mut question = Question::new(&case.asks, settings);
    for given in &case.given {
        question.give(given.clone());
    }
    let ask = || match answer(plugin, &question) {
        Ok(answered) => answered.map_err(|fault| {
            rejected(
                Phase::Examples,
                &format!("its example \"{}\" cannot be asked", case.title),
                fault,
            )
        }),
        Err(unasked) => Err(Rejection::new(
            Phase::Examples,
            RejectionKind::Example,
            "an example cannot be asked",
        )
        .because([format!("\"{}\": {unasked}", case.title)])),
    };
    let said = ask()?;
    let mut failures = Vec::new();
    if said != ask()? {
        failures.push("answers differently the second time; an answer may depend on nothing but its arguments".to_owned());
    }
    failures.extend(undeclared(declared, plugin.id(), &question, &said));
    failures.extend(
        case.expect
            .iter()
            .filter(|expected| !meets(&said, expected))
            .map(|expected| {
                format!(
                    "expected {}, and the answer is {}",
                    words::expected(expected),
                    words::said(&said)
                )
            }),
    );
    Ok(failures)
}

/// Defaults, and over them what the example is given; the operator's word only where the plugin has no default, so that an example means the
/// same everywhere.
fn settings_of(
    plugin: &Plugin,
    manifest: &wit::PluginManifest,
    case: &wit::Example,
) -> Result<Vec<wit::Setting>, Vec<String>> {
    let given: BTreeMap<&str, &wit::SettingValue> = case
        .given
        .iter()
        .filter_map(|given| match given {
            wit::Given::Setting((name, value)) => Some((name.as_str(), value)),
            _ => None,
        })
        .collect();
    let mut mistakes = Vec::new();
    for (name, value) in &given {
        match manifest.settings.iter().find(|spec| spec.name == *name) {
            None => mistakes.push(format!(
                "is given the setting {name:?}, which is not in the manifest"
            )),
            Some(spec) => {
                if let Err(why) = settings::fits(&spec.kind, value) {
                    mistakes.push(format!("is given the setting {name:?}, which {why}"));
                }
            }
        }
    }
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    let operators = |name: &str| {
        plugin
            .settings
            .iter()
            .find(|(set, _)| set == name)
            .map(|(_, value)| value)
    };
    Ok(manifest
        .settings
        .iter()
        .filter_map(|spec| {
            let value = given
                .get(spec.name.as_str())
                .copied()
                .or(spec.default_value.as_ref())
                .or_else(|| spec.required.then(|| operators(&spec.name)).flatten())?;
            Some((spec.name.clone(), value.clone()))
        })
        .collect())
}
