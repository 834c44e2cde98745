//! `cosell explain`: why is this value here? From the deal's audit: which bell, which plugin and version, which rule, which person.

use std::collections::BTreeMap;

use cosell_store::{AuditEntry, LaneState};
use cosell_sync::deal::{Unit, UnitValue};
use cosell_sync::side::Side;
use serde::Serialize;
use serde_json::Value;

use super::cards::{CardView, view as card_view};
use super::deal::{Pair, Shown};
use super::deals::line;
use super::holds::{HoldView, view as hold_view};
use super::{Archive, DealKey, DealLine, Moment, VerbError, meaning};
use crate::link;

/// Why each part of a deal is as it is.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    /// The deal.
    pub deal: DealLine,
    /// How it came into being, or was linked.
    pub birth: Option<Event>,
    /// In the order in which people read a deal.
    pub units: Vec<UnitExplained>,
}

/// Why one part is as it is.
#[derive(Debug, Clone, Serialize)]
pub struct UnitExplained {
    /// `close-date`
    pub unit: String,
    /// What both sides showed when they were last in step.
    pub in_step: Pair,
    /// What last wrote it; none: it is as it was when the deal was created or linked.
    pub written: Option<Event>,
    /// The person's word that let it be written: an answer, a release.
    pub decided: Option<Event>,
    /// What was said about it since: a difference that stays, a question, a hold, an answer. Latest first.
    pub since: Vec<Event>,
    /// Earlier events, latest first.
    pub before: Vec<Event>,
    /// Open questions about it.
    pub cards: Vec<CardView>,
    /// Writes of it that wait.
    pub holds: Vec<HoldView>,
}

/// Something that happened to a part of the deal.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    /// When.
    pub at: Moment,
    /// `write`, `conflict`, `explained`, `hold`, `question`, `answered`, `mapping-delta`, `person`, `link`.
    pub kind: String,
    /// The whole in one sentence.
    pub message: String,
    /// Which side was written to.
    pub to: Option<String>,
    /// What stood there.
    pub before: Option<Shown>,
    /// What was written.
    pub after: Option<Shown>,
    /// `S5`
    pub rule: Option<String>,
    /// What the rule means.
    pub rule_means: Option<String>,
    /// What rang: the record, and what was said to have happened to it.
    pub bells: Vec<String>,
    /// Whose word it is: plugin, version and hash.
    pub by: Vec<Word>,
    /// The set of plugins of that run.
    pub set: Option<String>,
    /// Who decided.
    pub person: Option<String>,
}

/// Whose word something is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Word {
    /// Plugin, version and hash.
    pub speaker: String,
    /// Columns that it filled in that write; none when it read the value.
    pub columns: Vec<String>,
}

/// Why each part of the deal, or the one that is asked for, is as it is.
///
/// # Errors
/// [`VerbError::NoUnit`] when nothing is known about such a part; [`VerbError::NoDeal`]; [`VerbError::Store`].
pub async fn explain(
    archive: &Archive,
    key: &DealKey,
    unit: Option<&str>,
) -> Result<Explanation, VerbError> {
    let summary = archive.store.lane(&key.connection, key.id()).await?;
    let state = archive.store.peek(&key.connection, key.id()).await?;
    let (Some(summary), Some(state)) = (summary, state) else {
        return Err(VerbError::NoDeal {
            asked: key.to_string(),
        });
    };
    let deal = line(summary, Some(&state));
    let entries = archive.store.audit(&key.connection, key.id()).await?;
    let mut events: BTreeMap<Unit, Vec<Event>> = BTreeMap::new();
    let mut birth = None;
    for entry in &entries {
        let (about, event) = event(entry);
        match about {
            Some(unit) => events.entry(unit).or_default().push(event),
            None if birth.is_none() && is_birth(&event) => birth = Some(event),
            None => {}
        }
    }
    let bases = link::bases(&state.link.clone().unwrap_or_default());
    let mut known: Vec<Unit> = Unit::NAMED.to_vec();
    known.extend(
        bases
            .keys()
            .chain(events.keys())
            .filter(|unit| matches!(unit, Unit::More(_)))
            .cloned(),
    );
    known.sort();
    known.dedup();
    let mut units = Vec::new();
    for one in known {
        let told = events.remove(&one).unwrap_or_default();
        let base = bases.get(&one);
        let explained = explained(&one, told, base, &state, deal.name.as_ref());
        if base.is_some() || explained.is_worth_a_word() {
            units.push(explained);
        }
    }
    if let Some(asked) = unit {
        let all: Vec<String> = units.iter().map(|one| one.unit.clone()).collect();
        units.retain(|one| one.unit.eq_ignore_ascii_case(asked));
        if units.is_empty() {
            return Err(VerbError::NoUnit {
                asked: asked.to_owned(),
                known: all,
            });
        }
    }
    Ok(Explanation { deal, birth, units })
}

impl UnitExplained {
    fn is_worth_a_word(&self) -> bool {
        let quiet = self.since.is_empty() && self.cards.is_empty() && self.holds.is_empty();
        self.written.is_some() || !quiet
    }
}

fn explained(
    unit: &Unit,
    mut told: Vec<Event>,
    base: Option<&cosell_sync::side::Sides<Option<UnitValue>>>,
    state: &LaneState,
    name: Option<&String>,
) -> UnitExplained {
    told.reverse();
    let is_write = |event: &Event| matches!(event.kind.as_str(), "write" | "conflict");
    let (mut written, mut since, mut before) = (None, Vec::new(), Vec::new());
    for event in told {
        match &written {
            None if is_write(&event) => written = Some(event),
            // Told after the write that it led to, and the person's own word comes before it.
            None if event.kind != "answered" => since.push(event),
            _ => before.push(event),
        }
    }
    let decided = before
        .iter()
        .take_while(|event| !is_write(event))
        .find(|event| event.kind == "person")
        .cloned();
    let text = unit.as_text();
    let shown = |side: Side| base.and_then(|base| base[side].as_ref().map(Shown::of));
    UnitExplained {
        in_step: Pair {
            partner_center: shown(Side::PartnerCenter),
            crm: shown(Side::Crm),
        },
        written,
        decided,
        since,
        before,
        cards: state
            .cards
            .iter()
            .filter(|card| card.subject == text)
            .map(|card| card_view(card, name.cloned()))
            .collect(),
        holds: state
            .holds
            .iter()
            .filter(|hold| hold.subject == text)
            .map(|hold| hold_view(hold, name.cloned()))
            .collect(),
        unit: text,
    }
}

/// The first line that tells how the records came to belong together.
fn is_birth(event: &Event) -> bool {
    event.kind == "link" || (event.kind == "write" && event.rule.as_deref() == Some("S14"))
}

/// Which unit a line is about, and what it says.
fn event(entry: &AuditEntry) -> (Option<Unit>, Event) {
    let detail: Value = serde_json::from_str(&entry.line.detail).unwrap_or_default();
    let text = |name: &str| detail[name].as_str().map(str::to_owned);
    let message = &entry.line.message;
    let named = text("unit").or_else(|| text("subject"));
    // A refusal's detail is the reason; its sentence begins with the unit.
    let refused = || {
        let (unit, _) = message.split_once(" is not written to ")?;
        Some(unit.to_owned())
    };
    let unit = named.or_else(refused).and_then(|text| Unit::parse(&text));
    let shown = |name: &str| {
        let parts: Vec<(String, String)> = serde_json::from_value(detail[name].clone()).ok()?;
        let value = UnitValue::from_parts(unit.as_ref()?, &parts).ok()?;
        Some(Shown::of(&value))
    };
    let rule = text("rule");
    let is_persons = matches!(entry.line.kind.as_str(), "person" | "answered");
    let event = Event {
        at: Moment(entry.at),
        kind: entry.line.kind.clone(),
        message: message.clone(),
        to: text("to").or_else(|| text("on")),
        before: shown("before"),
        after: shown("after"),
        rule_means: rule.as_deref().and_then(meaning).map(str::to_owned),
        rule,
        bells: serde_json::from_value(detail["bells"].clone()).unwrap_or_default(),
        by: if is_persons {
            Vec::new()
        } else {
            words(&detail["by"])
        },
        set: text("set"),
        person: text("by").filter(|_| is_persons),
    };
    (unit, event)
}

/// Whose word: one text for a value that was read, column by column for one that was written.
fn words(by: &Value) -> Vec<Word> {
    match by {
        Value::String(speaker) => vec![Word {
            speaker: speaker.clone(),
            columns: Vec::new(),
        }],
        Value::Object(columns) => {
            let mut words: Vec<Word> = Vec::new();
            for (column, speaker) in columns {
                let speaker = speaker.as_str().unwrap_or_default();
                match words.iter_mut().find(|word| word.speaker == speaker) {
                    Some(word) => word.columns.push(column.clone()),
                    None => words.push(Word {
                        speaker: speaker.to_owned(),
                        columns: vec![column.clone()],
                    }),
                }
            }
            words
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use cosell_store::AuditLine;
    use serde_json::json;

    use super::*;

    fn told(kind: &str, message: &str, detail: &Value) -> (Option<Unit>, Event) {
        event(&AuditEntry {
            sequence: 1,
            at: 5,
            line: AuditLine {
                kind: kind.into(),
                message: message.into(),
                detail: detail.to_string(),
            },
            hash: String::new(),
        })
    }

    #[test]
    fn a_write_says_bell_rule_plugin_and_both_values() {
        let detail = json!({
            "unit": "visibility", "to": "partner-center", "before": [["", "false"]], "after": [["", "true"]], "rule": "S5",
            "bells": ["opportunity 7 (Update)"], "by": "10-stock 1.0.0 (ab12)", "set": "f00",
        });
        let (unit, event) = told("write", "visibility in Partner Center: no → yes", &detail);
        assert_eq!(unit, Some(Unit::Visibility));
        assert_eq!(event.after.map(|shown| shown.words), Some("yes".to_owned()));
        assert_eq!(event.by[0].speaker, "10-stock 1.0.0 (ab12)");
        assert_eq!(event.rule_means.as_deref(), meaning("S5"));
        assert_eq!(event.person, None, "a plugin is no person");
    }

    #[test]
    fn a_refusal_and_a_persons_answer_are_about_their_unit() {
        let (unit, _) = told(
            "explained",
            "contacts is not written to Partner Center: no consent",
            &json!({ "code": "consent-missing" }),
        );
        assert_eq!(unit, Some(Unit::Contacts));
        let detail = json!({ "card": 1, "kind": "conflict", "subject": "value", "choice": "crm", "by": "anna" });
        let (unit, event) = told("person", "anna answered card 1", &detail);
        assert_eq!(unit, Some(Unit::Value));
        assert_eq!(event.person.as_deref(), Some("anna"));
        assert_eq!(event.by, [], "a person is no plugin");
    }
}
