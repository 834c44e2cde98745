//! Dataverse: unsigned events with a shared secret. The secret travels in a header, so it is checked before the body is read.

use std::time::SystemTime;

use http::{HeaderMap, Uri};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};
use url::form_urlencoded;

use crate::bell::{Source, VerifiedBell};
use crate::event::{dedupe_key, guid, is_nil, name};
use crate::refusal::{Reason, Refusal};

/// The header in which the secret travels unless configured otherwise.
pub const SECRET_HEADER: &str = "x-cosell-key";
/// Shortest secret, characters: what a password generator makes, not what a person remembers.
pub const SECRET_LENGTH_MIN: usize = 16;

/// Largest body. Dataverse itself cuts at 256 KiB; twice that leaves room for its escaping.
pub(crate) const BODY_BYTES_MAX: usize = 512 * 1024;
/// The secret as a query parameter, for endpoints registered with a webhook key (authtype 4).
const SECRET_PARAMETER: &str = "code";
/// Contexts within contexts that are searched for tags. Dataverse itself stops at a depth of 8.
const PARENTS_MAX: usize = 16;
/// Tags that are passed on; ours is one.
const TAGS_MAX: usize = 16;

/// How the events of one connection prove themselves.
#[derive(Debug, Clone)]
pub struct DataverseSettings {
    /// The secret, at least [`SECRET_LENGTH_MIN`] characters.
    pub secret: SecretString,
    /// The secret before, while endpoints are being registered with the new one.
    pub secret_previous: Option<SecretString>,
    /// The header in which it travels; empty when it travels as `?code=` alone. Default: [`SECRET_HEADER`].
    pub secret_header: String,
}

impl DataverseSettings {
    /// The defaults, with this secret.
    #[must_use]
    pub fn with_secret(secret: SecretString) -> Self {
        Self {
            secret,
            secret_previous: None,
            secret_header: SECRET_HEADER.to_owned(),
        }
    }
}

/// What a proven body says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Bell(Box<VerifiedBell>),
    /// A message about no record.
    Nothing(String),
}

/// The listening side of one connection. Keeps hashes, so that neither the length nor the text of a secret lies about.
pub(crate) struct Listener {
    secret: [u8; 32],
    previous: [u8; 32],
    header: String,
}

impl Listener {
    pub(crate) fn new(settings: &DataverseSettings) -> Result<Self, String> {
        let hash = |secret: &SecretString| match secret.expose_secret() {
            text if text.chars().count() < SECRET_LENGTH_MIN => Err(format!(
                "a webhook secret has fewer than {SECRET_LENGTH_MIN} characters"
            )),
            text => Ok(Sha256::digest(text.as_bytes()).into()),
        };
        let secret = hash(&settings.secret)?;
        Ok(Self {
            secret,
            // Without a previous secret both comparisons are with the same one: the same work, no second way in.
            previous: settings
                .secret_previous
                .as_ref()
                .map(hash)
                .transpose()?
                .unwrap_or(secret),
            header: settings.secret_header.to_ascii_lowercase(),
        })
    }

    /// Whether the caller knows the secret. Constant time in everything but the caller's own length.
    pub(crate) fn prove(&self, headers: &HeaderMap, uri: &Uri) -> Result<(), Refusal> {
        let header = headers
            .get(&self.header)
            .map(|value| value.as_bytes().to_vec());
        let parameter = || {
            let query = uri.query().unwrap_or_default();
            form_urlencoded::parse(query.as_bytes())
                .find(|(key, _)| key == SECRET_PARAMETER)
                .map(|(_, value)| value.into_owned().into_bytes())
        };
        let shown = header
            .or_else(parameter)
            .filter(|shown| !shown.is_empty())
            .ok_or(Reason::SecretMissing)?;
        let shown: [u8; 32] = Sha256::digest(&shown).into();
        let same: Choice = self.secret.ct_eq(&shown) | self.previous.ct_eq(&shown);
        if bool::from(same) {
            Ok(())
        } else {
            Err(Reason::SecretWrong.into())
        }
    }

    /// Reads a proven body: generic JSON, as Microsoft advises. Over 256 KiB Dataverse leaves images, parameters and parents out
    /// (`x-ms-dynamics-msg-size-exceeded`); names and ids remain, and more is not read.
    pub(crate) fn read(connection: &str, body: &[u8], now: SystemTime) -> Result<Event, Refusal> {
        let text = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        let context: Value = serde_json::from_slice(text)
            .ok()
            .filter(Value::is_object)
            .ok_or(Reason::BodyMalformed)?;
        let message = text_of(&context, "MessageName")
            .and_then(name)
            .ok_or(Reason::EventIncomplete)?;
        let kind = text_of(&context, "PrimaryEntityName")
            .and_then(name)
            .ok_or(Reason::EventIncomplete)?;
        let record = text_of(&context, "PrimaryEntityId")
            .and_then(guid)
            .ok_or(Reason::RecordMalformed)?;
        if is_nil(&record) {
            return Ok(Event::Nothing(message.to_owned()));
        }
        let id = |key| {
            text_of(&context, key)
                .and_then(guid)
                .filter(|id| !is_nil(id))
        };
        // RequestId is null for asynchronous steps, OperationId is what they have instead.
        let operation = id("OperationId").or_else(|| id("RequestId"));
        let created = text_of(&context, "OperationCreatedOn").unwrap_or_default();
        Ok(Event::Bell(Box::new(VerifiedBell {
            connection: connection.to_owned(),
            source: Source::Dataverse,
            event: message.to_owned(),
            kind: kind.to_ascii_lowercase(),
            dedupe: operation.map(|operation| {
                dedupe_key(&["dataverse", &operation, message, kind, &record, created])
            }),
            record,
            correlation: id("CorrelationId"),
            tags: tags(&context),
            organization: id("OrganizationId"),
            initiator: id("InitiatingUserId"),
            received_at: now,
        })))
    }
}

fn text_of<'a>(context: &'a Value, key: &str) -> Option<&'a str> {
    context.get(key).and_then(Value::as_str)
}

/// `SharedVariables` are a list of key and value. A write's tag may stand only in the wrapper around the operation, so every parent is searched.
fn tags(context: &Value) -> Vec<String> {
    let contexts = std::iter::successors(Some(context), |context| {
        context
            .get("ParentContext")
            .filter(|parent| parent.is_object())
    });
    contexts
        .take(PARENTS_MAX)
        .filter_map(|context| context.get("SharedVariables").and_then(Value::as_array))
        .flatten()
        .filter(|variable| text_of(variable, "key") == Some("tag"))
        .filter_map(|variable| text_of(variable, "value").and_then(name))
        .take(TAGS_MAX)
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn bell(body: &Value) -> VerifiedBell {
        match Listener::read("acme", body.to_string().as_bytes(), SystemTime::UNIX_EPOCH).unwrap() {
            Event::Bell(bell) => *bell,
            Event::Nothing(message) => panic!("{message} is about nothing"),
        }
    }

    fn update() -> Value {
        json!({
            "MessageName": "Update", "PrimaryEntityName": "opportunity", "PrimaryEntityId": "7F3C1A2B-0000-4000-8000-00000000000A",
            "OrganizationId": "aaaaaaaa-0000-4000-8000-000000000001", "CorrelationId": "aaaaaaaa-0000-4000-8000-000000000002",
            "OperationId": "aaaaaaaa-0000-4000-8000-000000000003", "RequestId": null, "InitiatingUserId": "aaaaaaaa-0000-4000-8000-000000000004",
            "OperationCreatedOn": "/Date(1769854830000-0700)/", "SharedVariables": [{"key": "IsAutoTransact", "value": true}],
            "ParentContext": {"SharedVariables": [{"key": "tag", "value": "cosell:1"}], "ParentContext": {"SharedVariables": [{"key": "tag", "value": "other"}], "ParentContext": null}},
        })
    }

    #[test]
    fn the_tag_is_found_in_every_parent() {
        let bell = bell(&update());
        assert_eq!(bell.tags, ["cosell:1", "other"]);
        assert_eq!(bell.record, "7f3c1a2b-0000-4000-8000-00000000000a");
        assert_eq!(
            bell.organization.as_deref(),
            Some("aaaaaaaa-0000-4000-8000-000000000001")
        );
    }

    #[test]
    fn a_repeated_delivery_has_the_same_key_and_another_operation_another() {
        let mut other = update();
        other["OperationId"] = json!("aaaaaaaa-0000-4000-8000-000000000009");
        assert_eq!(bell(&update()).dedupe, bell(&update()).dedupe);
        assert_ne!(bell(&update()).dedupe, bell(&other).dedupe);
    }

    #[test]
    fn an_event_without_operation_is_never_a_duplicate() {
        let mut body = update();
        body["OperationId"] = json!("00000000-0000-0000-0000-000000000000");
        assert_eq!(bell(&body).dedupe, None);
    }

    #[test]
    fn an_event_cut_at_256_kib_is_still_a_bell() {
        let body = json!({"MessageName": "Update", "PrimaryEntityName": "opportunity", "PrimaryEntityId": "7f3c1a2b-0000-4000-8000-00000000000a"});
        assert_eq!(bell(&body).event, "Update");
    }
}
