//! `$filter` text to tokens.

use rust_decimal::Decimal;
use uuid::Uuid;

use super::{QueryError, Scalar};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Word(String),
    Literal(Scalar),
    Alias(String),
    Punctuation(char),
}

impl Token {
    pub(super) fn name(&self) -> String {
        match self {
            Self::Word(word) => format!("'{word}'"),
            Self::Literal(_) => "a literal".to_owned(),
            Self::Alias(name) => format!("'@{name}'"),
            Self::Punctuation(sign) => format!("'{sign}'"),
        }
    }
}

pub(super) fn lex(text: &str) -> Result<Vec<Token>, QueryError> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let start = chars[at];
        if start.is_whitespace() {
            at += 1;
        } else if start == '\'' {
            let mut value = String::new();
            at += 1;
            loop {
                match chars.get(at) {
                    None => {
                        return Err(QueryError::new(format!(
                            "There is an unterminated string literal in '{text}'."
                        )));
                    }
                    Some('\'') if chars.get(at + 1) == Some(&'\'') => {
                        value.push('\'');
                        at += 2;
                    }
                    Some('\'') => {
                        at += 1;
                        break;
                    }
                    Some(other) => {
                        value.push(*other);
                        at += 1;
                    }
                }
            }
            tokens.push(Token::Literal(Scalar::Text(value)));
        } else if let Some(guid) = guid_at(&chars, at) {
            tokens.push(Token::Literal(Scalar::Guid(guid)));
            at += 36;
        } else if start.is_ascii_digit()
            || (start == '-' && chars.get(at + 1).is_some_and(char::is_ascii_digit))
        {
            let end = run(&chars, at + 1, |c| {
                c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '-' | '+')
            });
            let literal: String = chars[at..end].iter().collect();
            tokens.push(Token::Literal(literal_of(&literal).ok_or_else(|| {
                QueryError::new(format!("Unrecognized '{literal}' literal in '{text}'."))
            })?));
            at = end;
        } else if start == '@' {
            let end = run(&chars, at + 1, |c| c.is_alphanumeric() || c == '_');
            tokens.push(Token::Alias(chars[at + 1..end].iter().collect()));
            at = end;
        } else if start.is_alphabetic() || start == '_' || start == '$' {
            let end = run(&chars, at + 1, |c| {
                c.is_alphanumeric() || matches!(c, '_' | '.' | '@')
            });
            let word: String = chars[at..end].iter().collect();
            at = end;
            // `Namespace.Type'Member'` is a literal of an enumeration: it is compared by its member.
            if !(word.contains('.') && chars.get(at) == Some(&'\'')) {
                tokens.push(Token::Word(word));
            }
        } else if matches!(start, '(' | ')' | ',' | '/' | ':' | '=' | '[' | ']') {
            tokens.push(Token::Punctuation(start));
            at += 1;
        } else {
            return Err(QueryError::new(format!(
                "Syntax error: character '{start}' is not valid at position {at} in '{text}'."
            )));
        }
    }
    Ok(tokens)
}

fn run(chars: &[char], from: usize, belongs: impl Fn(char) -> bool) -> usize {
    let mut end = from;
    while chars.get(end).is_some_and(|c| belongs(*c)) {
        end += 1;
    }
    end
}

fn guid_at(chars: &[char], at: usize) -> Option<Uuid> {
    let text: String = chars.get(at..at + 36)?.iter().collect();
    let follows = chars
        .get(at + 36)
        .is_some_and(|c| c.is_alphanumeric() || *c == '-');
    if follows || text.matches('-').count() != 4 {
        None
    } else {
        Uuid::try_parse(&text).ok()
    }
}

/// A number, date or point in time.
pub(crate) fn literal_of(text: &str) -> Option<Scalar> {
    if let Ok(number) = text.parse::<Decimal>() {
        return Some(Scalar::Number(number));
    }
    if text.len() == 10
        && let Ok(date) = text.parse()
    {
        return Some(Scalar::Date(date));
    }
    if text.contains('T')
        && let Ok(time) = text.parse()
    {
        return Some(Scalar::Time(time));
    }
    Decimal::from_scientific(text).ok().map(Scalar::Number)
}
