//! Fields of a form as data: where each value lives in the record, and how it is asked for.

use serde_json::{Value, json};

use super::{Sent, plain};
use crate::html::escape;

/// How a value is asked for.
pub(super) enum Ask {
    Text,
    Long,
    Number,
    Date,
    Mail,
    Tick,
    /// Values and labels; an empty value is none.
    Choice(&'static [(&'static str, &'static str)]),
}

/// A field.
pub(super) struct Field {
    /// JSON pointer into the record, or a column.
    pub(super) place: &'static str,
    pub(super) label: &'static str,
    pub(super) ask: Ask,
}

impl Field {
    pub(super) const fn new(place: &'static str, label: &'static str, ask: Ask) -> Self {
        Self { place, label, ask }
    }

    /// Name in the form: no slash, so that it can be an id too.
    fn name(&self) -> String {
        self.place.trim_start_matches('/').replace('/', "-")
    }

    /// What the record has here, as a form shows it.
    pub(super) fn held(&self, record: &Value) -> String {
        let value = if self.place.starts_with('/') {
            record.pointer(self.place)
        } else {
            record.get(self.place)
        };
        let text = value.map(plain).unwrap_or_default();
        match self.ask {
            Ask::Date => text.get(..10).unwrap_or_default().to_owned(),
            _ => text,
        }
    }

    /// What was sent for it; a box that is not ticked is not sent.
    fn sent(&self, sent: &Sent) -> Option<String> {
        let name = self.name();
        match self.ask {
            Ask::Tick => Some(sent.has(&name).to_string()),
            _ => sent
                .has(&name)
                .then(|| sent.get(&name).replace("\r\n", "\n")),
        }
    }

    /// The sent text as JSON: numbers as numbers where they are, so that the service and not the page says what is wrong with others.
    fn value(&self, text: &str) -> Value {
        match self.ask {
            Ask::Tick => json!(text == "true"),
            _ if text.is_empty() => Value::Null,
            Ask::Number => serde_json::from_str(text)
                .ok()
                .filter(Value::is_number)
                .unwrap_or_else(|| json!(text)),
            Ask::Choice(_) => text
                .parse::<i64>()
                .map_or_else(|_| json!(text), |number| json!(number)),
            _ => json!(text),
        }
    }

    /// Label and control, with this value in it.
    pub(super) fn html(&self, value: &str) -> String {
        let (name, label, shown) = (self.name(), escape(self.label), escape(value));
        let input = |kind: &str| {
            format!("<input id=\"{name}\" name=\"{name}\" type=\"{kind}\" value=\"{shown}\">")
        };
        let inside = match &self.ask {
            Ask::Text => input("text"),
            Ask::Date => input("date"),
            Ask::Mail => input("email"),
            // Not `number`: what is no number is the API's to refuse, and a decimal comma is seen.
            Ask::Number => format!(
                "<input id=\"{name}\" name=\"{name}\" inputmode=\"decimal\" value=\"{shown}\">"
            ),
            Ask::Long => {
                return format!(
                    "<div class=\"long\"><label for=\"{name}\">{label}</label><textarea id=\"{name}\" name=\"{name}\">\n{shown}</textarea></div>\n"
                );
            }
            Ask::Tick => {
                let ticked = if value == "true" { " checked" } else { "" };
                return format!(
                    "<div class=\"tick\"><input type=\"checkbox\" id=\"{name}\" name=\"{name}\" value=\"true\"{ticked}><label for=\"{name}\">{label}</label></div>\n"
                );
            }
            Ask::Choice(options) => {
                let known = options.iter().any(|(held, _)| *held == value);
                let other = if known { None } else { Some((value, value)) };
                let options = options.iter().copied().chain(other).map(|(held, label)| {
                    let chosen = if held == value { " selected" } else { "" };
                    format!(
                        "<option value=\"{}\"{chosen}>{}</option>",
                        escape(held),
                        escape(label)
                    )
                });
                format!(
                    "<select id=\"{name}\" name=\"{name}\">{}</select>",
                    options.collect::<String>()
                )
            }
        };
        format!("<div><label for=\"{name}\">{label}</label>{inside}</div>\n")
    }
}

/// All fields, with what was sent where something was, and what the record has elsewhere.
pub(super) fn html(fields: &[Field], record: &Value, sent: Option<&Sent>) -> String {
    let one = |field: &Field| {
        let typed = sent.and_then(|sent| field.sent(sent));
        field.html(&typed.unwrap_or_else(|| field.held(record)))
    };
    fields.iter().map(one).collect()
}

/// The fields whose sent value is another than the record's: place and value.
pub(super) fn changed(fields: &[Field], record: &Value, sent: &Sent) -> Vec<(&'static str, Value)> {
    let mut changed = Vec::new();
    for field in fields {
        let Some(text) = field.sent(sent) else {
            continue;
        };
        let held = field.held(record);
        let same =
            text == held || (matches!(field.ask, Ask::Tick) && held.is_empty() && text == "false");
        if !same {
            changed.push((field.place, field.value(&text)));
        }
    }
    changed
}
