//! Validation events: a test notification on order, and what became of it. (partner-center 5.6)

use std::sync::{Arc, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Notice, REGISTRATION, Registrations, error};
use crate::entra::Identity;
use crate::wire::Reply;

/// Validation events in a minute.
const VALIDATIONS_A_MINUTE: usize = 2;
/// How long the results of a validation event can be read.
const VALIDATIONS_KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);
/// One that was ordered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Validation {
    pub(super) tenant: String,
    pub(super) at: Timestamp,
    pub(super) callback: String,
    pub(super) results: Option<Vec<Value>>,
}

impl Registrations {
    pub(super) fn validate(self: &Arc<Self>, identity: &Identity) -> Result<Reply, Reply> {
        let now = self.clock.now();
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        let registration = books
            .by_tenant
            .get(&identity.tenant)
            .filter(|held| held.events.iter().any(|name| name == "test-created"));
        let Some(registration) = registration.cloned() else {
            return Err(error(404, "600034", "Register for 'test-created' first."));
        };
        let recent = books.validations.values().filter(|held| {
            held.tenant == identity.tenant && now.duration_since(held.at).as_secs() < 60
        });
        if recent.count() >= VALIDATIONS_A_MINUTE {
            let body = json!({"statusCode": 429, "message": "Rate limit is exceeded. Try again in 60 seconds."});
            return Err(Reply::json(429, &body).with("retry-after", "60"));
        }
        let id = books.ids.guid_text();
        let validation = Validation {
            tenant: identity.tenant.clone(),
            at: now,
            callback: registration.url.clone(),
            results: None,
        };
        books.validations.insert(id.clone(), validation);
        drop(books);
        // The documented address of a test event is `http:`.
        let uri =
            format!("http://api.partnercenter.microsoft.com{REGISTRATION}/validationEvents/{id}");
        let validation = Some(id.clone());
        self.send(
            &registration,
            Notice {
                event: "test-created",
                resource: "test",
                uri: &uri,
                record: &id,
                at: now,
                validation,
            },
        );
        let answer = if self.assumptions.validation_answers_plain_text() {
            json!(id)
        } else {
            json!({ "correlationId": id })
        };
        Ok(Reply::json(200, &answer))
    }

    pub(super) fn validation(&self, id: &str, identity: &Identity) -> Result<Reply, Reply> {
        let books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        let held = books
            .validations
            .get(id)
            .filter(|held| held.tenant == identity.tenant)
            .filter(|held| self.clock.now().duration_since(held.at) < VALIDATIONS_KEPT);
        let held =
            held.ok_or_else(|| error(404, "600035", "There is no such validation event."))?;
        Ok(Reply::json(
            200,
            &json!({
                "correlationId": id,
                "partnerId": identity.tenant,
                "status": if held.results.is_some() { "completed" } else { "pending" },
                "callbackUrl": held.callback,
                "results": held.results.clone().unwrap_or_default(),
            }),
        ))
    }
}
