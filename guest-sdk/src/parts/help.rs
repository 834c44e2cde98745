//! The choice "How can Microsoft help?".
//!
//! The option values of the connector's own column are not documented, so they are a setting; the defaults are what its publisher
//! prefix gives to six options in the order of the form.

use super::Codes;
use super::connector::HELP;
use crate::Settings;
use crate::types::{
    Change, Choice, Context, Deal, Fact, Help, Reason, Row, SettingSpec, Unit, Value,
};

/// Name of the setting.
pub const SETTING: &str = "help-choices";
const UNKNOWN: &str = "help-choice-unknown";

/// Option value, the word in the setting, the label on the form.
const DEFAULTS: [(i32, &str, &str, Help); 6] = [
    (
        299_600_000,
        "workload-value-proposition",
        "Workload Specific Value Proposition",
        Help::WorkloadValueProposition,
    ),
    (
        299_600_001,
        "technical-architecture",
        "Customer Technical Architecture",
        Help::TechnicalArchitecture,
    ),
    (
        299_600_002,
        "proof-of-concept-or-demo",
        "Proof Of Concept or Demo",
        Help::ProofOfConceptOrDemo,
    ),
    (
        299_600_003,
        "quotes-or-licensing",
        "Quotes or Licensing",
        Help::QuotesOrLicensing,
    ),
    (
        299_600_004,
        "post-sales-success",
        "Post Sales Customer Success",
        Help::PostSalesSuccess,
    ),
    (
        299_600_005,
        "general-or-other",
        "General or Other",
        Help::GeneralOrOther,
    ),
];

/// The setting, with the connector's options.
#[must_use]
pub fn setting() -> SettingSpec {
    let codes = DEFAULTS.map(|(code, ..)| code.to_string());
    SettingSpec::pairs(
        SETTING,
        codes
            .iter()
            .zip(&DEFAULTS)
            .map(|(code, (_, word, ..))| (code.as_str(), *word)),
        "Option values of the help column and what each asks from Microsoft.",
    )
}

/// The options, for set-up.
#[must_use]
pub fn choices() -> Vec<Choice> {
    DEFAULTS
        .iter()
        .map(|(code, _, label, _)| Choice {
            code: *code,
            label: Some((*label).to_owned()),
        })
        .collect()
}

/// Every pair of the setting must be a number and a known word.
#[must_use]
pub fn mistakes(settings: Settings<'_>) -> Vec<Reason> {
    let codes = Codes::of(settings, SETTING);
    let mut mistakes = codes.mistakes(SETTING, UNKNOWN);
    let unknown = settings
        .pairs(SETTING)
        .iter()
        .filter(|(_, word)| !word.trim().is_empty() && named(word).is_none());
    mistakes.extend(unknown.map(|(code, word)| {
        let words: Vec<_> = DEFAULTS.iter().map(|(_, word, ..)| *word).collect();
        Reason::new(
            UNKNOWN,
            format!("\"{code}\" = \"{word}\": \"{word}\" is no kind of help"),
        )
        .about_setting(SETTING)
        .hint(format!("write one of: {}", words.join(", ")))
    }));
    mistakes
}

/// What the row asks from Microsoft. A column that was not read says nothing.
#[must_use]
pub fn fact(ctx: &Context, row: &Row) -> Option<Fact> {
    row.cell(HELP)?;
    let Some(code) = row.choice(HELP) else {
        return Some(Fact::Help(None));
    };
    let asked = Codes::of(ctx, SETTING).word_of(code).and_then(named);
    Some(match asked {
        Some(asked) => Fact::Help(Some(asked)),
        None => Fact::refuse(
            Unit::Help,
            Reason::new(
                UNKNOWN,
                format!("the option {code} of \"How can Microsoft help?\" has no meaning yet"),
            )
            .about_column(row.table.as_str(), HELP)
            .hint("add it to the setting help-choices"),
        ),
    })
}

/// The option that asks for this. A kind of help that the form has no option for stays in Partner Center, and that is said.
#[must_use]
pub fn change(ctx: &Context, table: &str, deal: &Deal) -> Change {
    let Some(asked) = &deal.help else {
        return Change::set(HELP, Value::Empty);
    };
    let code = Codes::of(ctx, SETTING)
        .options()
        .find(|(_, word)| named(word).as_ref() == Some(asked))
        .map(|(code, _)| code);
    match code {
        Some(code) => Change::set(HELP, Value::choice(code)),
        None => Change::refuse(
            Unit::Help,
            Reason::new(
                UNKNOWN,
                "\"How can Microsoft help?\" has no option for the help that was asked for",
            )
            .about_column(table, HELP)
            .hint("add the option to the setting help-choices"),
        ),
    }
}

fn named(word: &str) -> Option<Help> {
    let word = word.trim();
    DEFAULTS
        .iter()
        .find(|(_, known, ..)| *known == word)
        .map(|(.., help)| help.clone())
}
