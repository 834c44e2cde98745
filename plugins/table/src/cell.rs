//! Between a part of a deal and a column's value.

use std::collections::BTreeMap;

use cosell_guest_sdk::types::{IfMissing, Money, RowKey, Value};
use serde::Deserialize;

use crate::source::{Nature, Spoken};

/// What a column is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the types of CRM columns")]
pub enum Kind {
    Text,
    Integer,
    Decimal,
    Money,
    Boolean,
    Date,
    /// With `words`.
    Choice,
    /// With `lookup`.
    Lookup,
}

/// What is done to a text before it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transform {
    /// Without spaces at its ends.
    Trim,
    /// In capitals.
    Upper,
    /// In small letters.
    Lower,
    /// Its digits alone.
    Digits,
    /// Its first line alone.
    FirstLine,
}

/// The rows that a lookup column points to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Lookup {
    /// Their table.
    pub table: String,
    /// The column in which the word stands.
    pub by: String,
    /// When no row has the word.
    #[serde(default)]
    pub missing: Missing,
}

/// What becomes of a word that no row has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Missing {
    /// The write stops, with a reason.
    #[default]
    Refuse,
    /// The column is left alone.
    LeaveOut,
}

/// A column's type, with what it takes to fill it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// Its type.
    pub kind: Kind,
    /// A choice's options by word.
    pub words: BTreeMap<String, i32>,
    /// Where a lookup leads.
    pub lookup: Option<Lookup>,
    /// Before writing.
    pub transform: Vec<Transform>,
}

/// Which columns can hold what. A lookup or a choice holds one of many words, so only texts go there.
#[must_use]
pub const fn fits(nature: Nature, kind: Kind) -> bool {
    match nature {
        Nature::Text => matches!(
            kind,
            Kind::Text | Kind::Integer | Kind::Decimal | Kind::Choice | Kind::Lookup
        ),
        Nature::Money => matches!(kind, Kind::Money),
        Nature::Day => matches!(kind, Kind::Date),
        Nature::Flag => matches!(kind, Kind::Boolean),
    }
}

impl Shape {
    /// The value to write.
    ///
    /// # Errors
    /// Why the column cannot hold it, for a seller.
    pub fn write(&self, spoken: Spoken) -> Result<Value, String> {
        let text = match spoken {
            Spoken::Money(money) => return Ok(Value::Money(money)),
            Spoken::Day(day) => return Ok(Value::Date(day)),
            Spoken::Flag(flag) => return Ok(Value::Boolean(flag)),
            Spoken::Text(text) => self
                .transform
                .iter()
                .fold(text, |text, one| one.apply(&text)),
        };
        if text.is_empty() {
            return Ok(Value::Empty);
        }
        match self.kind {
            Kind::Integer => match text.trim().parse() {
                Ok(number) => Ok(Value::Integer(number)),
                Err(_) => Err(format!("\"{text}\" is no whole number")),
            },
            Kind::Decimal if is_decimal(text.trim()) => Ok(Value::decimal(text.trim())),
            Kind::Decimal => Err(format!("\"{text}\" is no number")),
            Kind::Choice => match self.code_of(&text) {
                Some(code) => Ok(Value::choice(code)),
                None => Err(format!("there is no option for \"{text}\"")),
            },
            Kind::Lookup => match &self.lookup {
                Some(lookup) => Ok(Value::RowWhere(lookup.key(text))),
                None => Err("the lookup leads nowhere".to_owned()),
            },
            _ => Ok(Value::Text(text)),
        }
    }

    /// What a column's value says. None: it is empty.
    ///
    /// # Errors
    /// Why it says nothing that can be told, for a seller.
    pub fn read(&self, value: Option<&Value>) -> Result<Option<Spoken>, String> {
        Ok(match value {
            None | Some(Value::Empty) => None,
            Some(Value::Text(text)) => Some(Spoken::Text(text.clone())),
            Some(Value::Integer(number)) => Some(Spoken::Text(number.to_string())),
            Some(Value::Decimal(number)) => Some(Spoken::Text(number.clone())),
            Some(Value::Money(Money { amount, currency })) => {
                Some(Spoken::Money(Money::new(amount, currency)))
            }
            Some(Value::Boolean(flag)) => Some(Spoken::Flag(*flag)),
            Some(Value::Date(day)) => Some(Spoken::Day(day.clone())),
            Some(Value::Choice(choice)) => {
                let word = self.words.iter().find(|(_, code)| **code == choice.code);
                match word {
                    Some((word, _)) => Some(Spoken::Text(word.clone())),
                    None => {
                        return Err(format!("the table has no word for option {}", choice.code));
                    }
                }
            }
            Some(_) => return Err("the column holds something else than the table says".to_owned()),
        })
    }

    fn code_of(&self, word: &str) -> Option<i32> {
        let mut words = self.words.iter();
        words
            .find(|(known, _)| known.eq_ignore_ascii_case(word))
            .map(|(_, code)| *code)
    }
}

impl Lookup {
    /// The row with this word.
    #[must_use]
    pub fn key(&self, word: String) -> RowKey {
        RowKey {
            table: self.table.clone(),
            parts: vec![(self.by.clone(), word)],
            if_missing: match self.missing {
                Missing::Refuse => IfMissing::Refuse,
                Missing::LeaveOut => IfMissing::LeaveOut,
            },
        }
    }
}

impl Transform {
    fn apply(self, text: &str) -> String {
        match self {
            Self::Trim => text.trim().to_owned(),
            Self::Upper => text.to_uppercase(),
            Self::Lower => text.to_lowercase(),
            Self::Digits => text.chars().filter(char::is_ascii_digit).collect(),
            Self::FirstLine => text.lines().next().unwrap_or_default().to_owned(),
        }
    }
}

/// `-?[0-9]+(\.[0-9]+)?`
fn is_decimal(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let text = text.strip_prefix('-').unwrap_or(text);
    match text.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(text),
    }
}
