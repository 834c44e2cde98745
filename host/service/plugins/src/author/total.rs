//! Whatever the deal holds, a plugin answers, refuses or asks: it never breaks, never writes what it did not declare, and never says two things.

use std::time::{Duration, Instant};

use crate::bindings::cosell::mapping::types as wit;
use crate::examples::{QUESTIONS, Said, answer, answer_warm, undeclared, words};
use crate::limits::ASK_ROUNDS_MAX;
use crate::plugin::Plugin;
use crate::standard::Question;

use super::cases::example_json;
use super::dice::Dice;
use super::exam::Finding;
use super::subjects::{found, subject};

/// What is wrong, apart from which case shows it: a smaller case has to show the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrong {
    Breaks,
    Undeclared,
    Differs,
    AsksForEver,
}

/// How long somebody waits.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Patience {
    /// No case is begun after this.
    pub(crate) until: Option<Instant>,
    /// A deal that shows something is made smaller for so long.
    pub(crate) smaller: Option<Duration>,
}

/// The first that is wrong, if anything is: every question has met a case before one meets the next, so that none is left out when the time is over.
pub(crate) fn first(plugin: &Plugin, seed: u64, cases: u32, patience: Patience) -> Option<Finding> {
    let served = || {
        QUESTIONS
            .iter()
            .filter(|(hook, _)| plugin.hooks.contains(hook))
    };
    (0..cases)
        .flat_map(|case| served().map(move |(_, name)| (case, *name)))
        .take_while(|_| patience.until.is_none_or(|until| Instant::now() < until))
        .find_map(|(case, name)| one(plugin, name, seed, case, patience))
}

/// Puts `cases` strange deals to every question of the plugin; of each question the first broken one is told, made as small as it gets.
pub(super) fn findings(plugin: &Plugin, seed: u64, cases: u32) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (hook, name) in QUESTIONS {
        if plugin.hooks.contains(&hook) {
            findings.extend(
                (0..cases).find_map(|case| one(plugin, name, seed, case, Patience::default())),
            );
        }
    }
    findings
}

fn one(plugin: &Plugin, name: &str, seed: u64, case: u32, patience: Patience) -> Option<Finding> {
    let origin = format!("seed {seed}, case {case}");
    let mut dice = Dice::of(seed, name, case);
    let mut givens = subject(&plugin.declared, name, &mut dice);
    for _ in 0..=ASK_ROUNDS_MAX {
        match look(plugin, name, &givens) {
            Ok(Said::Stopped(wit::Stop::Ask(queries))) => {
                let rows = queries.iter().map(|query| found(query, &mut dice));
                givens.extend(rows.map(wit::Given::Found));
            }
            Ok(_) => return None,
            Err((wrong, _)) => return Some(told(plugin, name, givens, wrong, &origin, patience)),
        }
    }
    Some(told(
        plugin,
        name,
        givens,
        Wrong::AsksForEver,
        &origin,
        patience,
    ))
}

/// The answer, if nothing is wrong with it.
fn look(plugin: &Plugin, name: &str, givens: &[wit::Given]) -> Result<Said, (Wrong, String)> {
    let mut question = Question::new(name, plugin.settings.clone());
    for given in givens {
        question.give(given.clone());
    }
    let first = match answer(plugin, &question) {
        Ok(Ok(said)) => said,
        Ok(Err(fault)) => {
            let trace = fault.trace.map(|trace| format!("; it logged: {trace}"));
            let frames = fault.frames.first().map(|frame| format!("; in {frame}"));
            return Err((
                Wrong::Breaks,
                format!(
                    "{}{}{}",
                    fault.message,
                    trace.unwrap_or_default(),
                    frames.unwrap_or_default()
                ),
            ));
        }
        // A deal without a contact has nobody to ask about.
        Err(_) => return Ok(Said::Text(None)),
    };
    if let Some(why) = undeclared(&plugin.declared, plugin.id(), &question, &first) {
        return Err((Wrong::Undeclared, why));
    }
    match answer_warm(plugin, &question) {
        Ok(Ok(second)) if second == first => Ok(first),
        Ok(Ok(second)) => Err((
            Wrong::Differs,
            format!(
                "a new instance answers {}, and a used one {}",
                words::said(&first),
                words::said(&second)
            ),
        )),
        Ok(Err(fault)) => Err((
            Wrong::Breaks,
            format!("on a used instance: {}", fault.message),
        )),
        Err(why) => Err((Wrong::Breaks, why)),
    }
}

fn told(
    plugin: &Plugin,
    name: &str,
    givens: Vec<wit::Given>,
    wrong: Wrong,
    origin: &str,
    patience: Patience,
) -> Finding {
    let (givens, why) = if wrong == Wrong::AsksForEver {
        let why = format!("asks for rows again and again, and may do so {ASK_ROUNDS_MAX} times");
        (givens, why)
    } else {
        smallest(plugin, name, givens, wrong, patience)
    };
    Finding {
        about: name.to_owned(),
        told: why,
        is_note: false,
        input: Some(example_json(name, &givens, origin)),
    }
}

/// Leaves out what can be left out while the same is wrong.
fn smallest(
    plugin: &Plugin,
    name: &str,
    mut givens: Vec<wit::Given>,
    wrong: Wrong,
    patience: Patience,
) -> (Vec<wit::Given>, String) {
    let mut why = String::new();
    let mut at = 0;
    if let Err((_, told)) = look(plugin, name, &givens) {
        why = told;
    }
    let until = patience.smaller.map(|smaller| Instant::now() + smaller);
    while at < givens.len() && until.is_none_or(|until| Instant::now() < until) {
        let left_out = givens.remove(at);
        match look(plugin, name, &givens) {
            Err((still, told)) if still == wrong => why = told,
            _ => {
                givens.insert(at, left_out);
                at += 1;
            }
        }
    }
    (givens, why)
}
