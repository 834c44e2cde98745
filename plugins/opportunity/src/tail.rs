//! Sales stage, campaign, and the newer fields of Partner Center: partner role, solution area and play, marketplace intent.
//!
//! Which of them an organisation keeps, and how, differs everywhere, and the words change with every fiscal year: so they are data. Each is
//! kept nowhere until its setting names a column; then as text, as a choice, or as a lookup to a table of words.

use cosell_guest_sdk::parts::Codes;
use cosell_guest_sdk::prelude::*;

use crate::columns::TABLE;

const SALES_STAGE: &str = "sales-stage";
const CAMPAIGN: &str = "campaign";
/// Settings begin with these; the four last are also the names under `more`.
const FIELDS: [(&str, &str); 6] = [
    (SALES_STAGE, "the sales stage"),
    (CAMPAIGN, "the campaign's id"),
    ("partner-role", "the partner's role"),
    ("solution-area", "the solution area"),
    ("solution-play", "the solution play"),
    (
        "marketplace-intent",
        "whether the customer wants to buy in the marketplace",
    ),
];

/// A field, and where this CRM keeps it.
struct Kept<'a> {
    name: &'static str,
    column: &'a str,
    how: How<'a>,
}

enum How<'a> {
    Text,
    Choice(Codes<'a>),
    /// A lookup to a table of words.
    Words {
        table: &'a str,
        word: &'a str,
    },
}

fn setting(field: &str, what: &str) -> String {
    format!("{field}-{what}")
}

/// The manifest with four settings for each field.
pub(crate) fn settings(manifest: PluginManifest) -> PluginManifest {
    FIELDS.into_iter().fold(manifest, |manifest, (name, what)| {
        manifest
            .setting(SettingSpec::column(
                setting(name, "column"),
                TABLE,
                format!("Column with {what}. Empty: it is not kept in this CRM."),
            ))
            .setting(SettingSpec::new(
                setting(name, "choices"),
                SettingType::Pairs,
                format!("Where that column is a choice: its option values and Partner Center's words for {what}. Further spellings after a bar."),
            ))
            .setting(SettingSpec::text(
                setting(name, "table"),
                "Where that column is a lookup: the table that it points to.",
            ))
            .setting(SettingSpec::text(
                setting(name, "word-column"),
                "Column of that table with Partner Center's word.",
            ))
    })
}

/// Settings of one field that do not go together.
pub(crate) fn mistakes(settings: Settings<'_>) -> Vec<Reason> {
    let mut mistakes = Vec::new();
    for (name, _) in FIELDS {
        let [column, choices, table, word] =
            ["column", "choices", "table", "word-column"].map(|what| setting(name, what));
        let codes = Codes::of(settings, &choices);
        mistakes.extend(codes.mistakes(&choices, "option-unknown"));
        let has = |setting: &str| settings.text(setting).is_some();
        let mut wrong = |setting: &str, message: String, hint: String| {
            mistakes.push(
                Reason::new("settings-contradict", message)
                    .about_setting(setting)
                    .hint(hint),
            );
        };
        if has(&table) != has(&word) {
            let (there, missing) = if has(&table) {
                (&table, &word)
            } else {
                (&word, &table)
            };
            wrong(
                missing,
                format!("{there} is set and {missing} is not"),
                format!("set {missing} too: a lookup is written by the word in its table"),
            );
        }
        if has(&table) && !codes.is_empty() {
            wrong(
                &choices,
                format!("{choices} and {table} are both set"),
                "a column is a choice or a lookup; take one of them out".to_owned(),
            );
        }
        if !has(&column) && (has(&table) || has(&word) || !codes.is_empty()) {
            wrong(
                &column,
                format!("it is said how {name} is kept, and not in which column"),
                format!("set {column}, or take the others out"),
            );
        }
    }
    mistakes
}

fn kept<'a>(settings: impl Into<Settings<'a>>) -> Vec<Kept<'a>> {
    let settings = settings.into();
    let one = |name: &'static str| {
        let text = |what| settings.text(&setting(name, what));
        let column = text("column")?;
        let codes = Codes::of(settings, &setting(name, "choices"));
        Some(Kept {
            name,
            column,
            how: match (text("table"), text("word-column")) {
                (Some(table), Some(word)) => How::Words { table, word },
                _ if !codes.is_empty() => How::Choice(codes),
                _ => How::Text,
            },
        })
    };
    FIELDS.iter().filter_map(|(name, _)| one(name)).collect()
}

/// What the fields read, join, write and ask for.
pub(crate) fn needs(settings: Settings<'_>) -> Vec<Need> {
    let mut needs = Vec::new();
    for field in kept(settings) {
        needs.push(Need::reads(TABLE, [field.column]));
        needs.push(Need::writes(TABLE, [field.column]));
        if let How::Words { table, word } = field.how {
            needs.push(Join::lookup(field.name, TABLE, field.column, table, [word]).into());
            needs.push(Need::asks_steady(table, [word]));
        }
    }
    needs
}

/// The fields of a row. A column that was not read says nothing.
pub(crate) fn facts(ctx: &Context, seen: &Seen) -> Vec<Fact> {
    kept(ctx)
        .iter()
        .filter_map(|field| fact(field, seen))
        .collect()
}

fn fact(field: &Kept<'_>, seen: &Seen) -> Option<Fact> {
    let word = match (&field.how, seen.row.cell(field.column)?) {
        (_, Value::Empty) => None,
        (How::Text, Value::Text(text)) => Some(text.trim()).filter(|text| !text.is_empty()),
        (How::Choice(codes), Value::Choice(choice)) => match codes.word_of(choice.code) {
            Some(word) => Some(word),
            None => {
                return Some(unreadable(
                    field,
                    format!(
                        "the option {} of {} has no word yet",
                        choice.code, field.column
                    ),
                    "choices",
                ));
            }
        },
        (How::Words { word, .. }, Value::Reference(_)) => seen.joined(field.name)?.text(word),
        _ => {
            return Some(unreadable(
                field,
                format!(
                    "{} holds another kind of value than its settings say",
                    field.column
                ),
                "column",
            ));
        }
    };
    let word = word.map(str::to_owned);
    Some(match field.name {
        SALES_STAGE => Fact::SalesStage(word),
        CAMPAIGN => Fact::Campaign(word),
        name => Fact::More((name.to_owned(), word.into())),
    })
}

fn unreadable(field: &Kept<'_>, message: String, what: &str) -> Fact {
    Fact::refuse(
        unit(field.name),
        Reason::new("option-unknown", message)
            .about_column(TABLE, field.column)
            .hint(format!("correct the setting {}", setting(field.name, what))),
    )
}

fn unit(name: &str) -> Unit {
    match name {
        SALES_STAGE => Unit::SalesStage,
        CAMPAIGN => Unit::Campaign,
        name => Unit::More(name.to_owned()),
    }
}

/// The columns of the fields. What a deal says nothing about is left alone.
pub(crate) fn changes(ctx: &Context, deal: &Deal) -> Vec<Change> {
    kept(ctx)
        .iter()
        .filter_map(|field| {
            let word = match field.name {
                SALES_STAGE => deal.sales_stage.as_deref(),
                CAMPAIGN => deal.campaign.as_deref(),
                name => match deal.more.iter().find(|(known, _)| known == name)? {
                    (_, Value::Text(word)) => Some(word.as_str()),
                    _ => None,
                },
            };
            Some(change(
                field,
                word.map(str::trim).filter(|word| !word.is_empty()),
            ))
        })
        .collect()
}

fn change(field: &Kept<'_>, word: Option<&str>) -> Change {
    let Some(word) = word else {
        return Change::set(field.column, Value::Empty);
    };
    match &field.how {
        How::Text => Change::set(field.column, word),
        How::Words { table, word: by } => {
            Change::set(field.column, RowKey::new(*table, *by, word).or_leave_out())
        }
        How::Choice(codes) => match codes.code_of(word) {
            Some(code) => Change::set(field.column, Value::choice(code)),
            None => Change::refuse(
                unit(field.name),
                Reason::new(
                    "option-unknown",
                    format!("{} has no option for \"{word}\"", field.column),
                )
                .about_column(TABLE, field.column)
                .hint(format!(
                    "add the option and its word to the setting {}",
                    setting(field.name, "choices")
                )),
            ),
        },
    }
}
