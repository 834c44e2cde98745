//! What a notification says, and how its names are spelled. (partner-center 5.1, 5.2)

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::assumptions::Readings;

/// What `GET …/events` lists: ours, and a few of the neighbours that share the registration.
pub(super) const EVENTS: [&str; 9] = [
    "referral-created",
    "referral-updated",
    "related-referral-created",
    "related-referral-updated",
    "test-created",
    "subscription-updated",
    "usagerecords-thresholdExceeded",
    "invoice-ready",
    "azure-fraud-event-detected",
];

/// One event, before it is written down.
pub(super) struct Notice<'a> {
    pub(super) event: &'a str,
    pub(super) resource: &'a str,
    pub(super) uri: &'a str,
    pub(super) record: &'a str,
    pub(super) at: Timestamp,
    /// The validation event whose result this delivery is.
    pub(super) validation: Option<String>,
}

impl<'a> Notice<'a> {
    pub(super) const fn of_referral(
        event: &'a str,
        uri: &'a str,
        referral: &'a str,
        at: Timestamp,
    ) -> Self {
        Self {
            event,
            resource: "referral",
            uri,
            record: referral,
            at,
            validation: None,
        }
    }

    /// The body: receivers verify its bytes. Compact, PascalCase, in the order of the samples, unless the world assumes otherwise.
    pub(super) fn body(&self, assumptions: &Readings) -> String {
        let at = self.at.strftime("%Y-%m-%dT%H:%M:%S%.7f+00:00").to_string();
        let members = [
            ("EventName", json!(spelled(self.event, assumptions))),
            ("ResourceUri", json!(self.uri)),
            ("ResourceName", json!(self.resource)),
            ("AuditUri", Value::Null),
            ("ResourceChangeUtcDate", json!(at)),
        ];
        let camel = assumptions.event_keys_are_camel_case();
        let key = |name: &str| {
            if camel {
                format!("{}{}", name[..1].to_lowercase(), &name[1..])
            } else {
                name.to_owned()
            }
        };
        let body: Value = members
            .into_iter()
            .map(|(name, value)| (key(name), value))
            .collect();
        if assumptions.events_are_pretty_printed() {
            format!("{body:#}")
        } else {
            body.to_string()
        }
    }
}

/// The name of an event as it is registered and posted in this world.
pub(super) fn spelled(event: &str, assumptions: &Readings) -> String {
    if !assumptions.event_names_are_pascal_case() {
        return event.to_owned();
    }
    let capital = |word: &str| {
        let mut letters = word.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    };
    event.split('-').map(capital).collect::<Vec<_>>().join("-")
}

/// The event of this name, as the documents spell it. Where they are spelled otherwise, both are taken.
pub(super) fn named(name: &str, assumptions: &Readings) -> Option<&'static str> {
    let event = EVENTS.iter().find(|event| event.eq_ignore_ascii_case(name));
    event
        .copied()
        .filter(|event| *event == name || assumptions.event_names_are_pascal_case())
}
