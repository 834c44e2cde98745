//! The choice "How can Microsoft help?".
//!
//! The option values of the connector's own column are not documented, so they are a setting; the defaults are what its publisher
//! prefix gives to six options in the order of the form.

use cosell_guest_sdk::prelude::*;

const SETTING: &str = "help-choices";

/// Option value, the word in the setting, the label on the form.
const DEFAULTS: [(&str, &str, &str); 6] = [
    (
        "299600000",
        "workload-value-proposition",
        "Workload Specific Value Proposition",
    ),
    (
        "299600001",
        "technical-architecture",
        "Customer Technical Architecture",
    ),
    (
        "299600002",
        "proof-of-concept-or-demo",
        "Proof Of Concept or Demo",
    ),
    ("299600003", "quotes-or-licensing", "Quotes or Licensing"),
    (
        "299600004",
        "post-sales-success",
        "Post Sales Customer Success",
    ),
    ("299600005", "general-or-other", "General or Other"),
];

pub(crate) fn setting() -> SettingSpec {
    SettingSpec::pairs(
        SETTING,
        DEFAULTS.map(|(code, word, _)| (code, word)),
        "Option values of the help column and what each asks from Microsoft.",
    )
}

/// The options, for set-up.
pub(crate) fn choices() -> Vec<Choice> {
    DEFAULTS
        .into_iter()
        .map(|(code, _, label)| Choice {
            code: code.parse().expect("the defaults are numbers"),
            label: Some(label.to_owned()),
        })
        .collect()
}

/// Every pair of the setting must be a number and a known word.
pub(crate) fn check(settings: Settings<'_>) -> Result<(), Vec<Reason>> {
    let wrong: Vec<Reason> = settings
        .pairs(SETTING)
        .iter()
        .filter(|(code, word)| code.parse::<i32>().is_err() || named(word).is_none())
        .map(|(code, word)| {
            let words: Vec<_> = DEFAULTS.iter().map(|(_, word, _)| *word).collect();
            Reason::new(
                "help-choice-unknown",
                format!("\"{code}\" = \"{word}\" is no option value with a kind of help"),
            )
            .about_setting(SETTING)
            .hint(format!(
                "write the option's number and one of: {}",
                words.join(", ")
            ))
        })
        .collect();
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

/// What this option asks from Microsoft.
pub(crate) fn of_code(ctx: &Context, code: i32) -> Option<Help> {
    ctx.setting_pairs(SETTING)
        .iter()
        .find(|(known, _)| known.parse() == Ok(code))
        .and_then(|(_, word)| named(word))
}

/// The option that asks for this.
pub(crate) fn code_of(ctx: &Context, help: &Help) -> Option<i32> {
    ctx.setting_pairs(SETTING)
        .iter()
        .find(|(_, word)| named(word).as_ref() == Some(help))
        .and_then(|(code, _)| code.parse().ok())
}

fn named(word: &str) -> Option<Help> {
    Some(match word {
        "workload-value-proposition" => Help::WorkloadValueProposition,
        "technical-architecture" => Help::TechnicalArchitecture,
        "proof-of-concept-or-demo" => Help::ProofOfConceptOrDemo,
        "quotes-or-licensing" => Help::QuotesOrLicensing,
        "post-sales-success" => Help::PostSalesSuccess,
        "general-or-other" => Help::GeneralOrOther,
        _ => return None,
    })
}
