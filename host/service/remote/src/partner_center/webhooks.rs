//! Registration of the one webhook that a partner tenant has. Member names are read in any case: the vendor's own papers disagree.

use http::{Method, StatusCode};
use serde::Serialize;

use crate::error::{RemoteError, Service};
use crate::http::{Answer, BODY_BYTES_MAX, Call, fresh_id, guid};
use crate::json::{self, Body, Raw};
use crate::partner_center::client::PartnerCenter;

/// Who is told about what. A tenant has one; registering another product's address takes ours away, and the other way round.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Registration {
    /// Where events are posted.
    pub url: String,
    /// Event names: `referral-created`.
    pub events: Vec<String>,
    /// The signature also comes as `x-ms-signature`, for gateways that eat `Authorization`.
    pub signature_header: bool,
}

/// How a test event was delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestResult {
    /// `completed` once it is over; other words are not documented.
    pub status: String,
    /// One answer of our receiver for each attempt: `OK`.
    pub responses: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Order<'a> {
    webhook_url: &'a str,
    webhook_events: &'a [String],
    #[serde(skip_serializing_if = "is_false")]
    signature_token_to_ms_signature_header: bool,
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands out references"
)]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl PartnerCenter {
    /// The registration, if there is one.
    ///
    /// # Errors
    /// [`RemoteError`]; "none" is not one.
    pub async fn registration(&self) -> Result<Option<Registration>, RemoteError> {
        let call = self.hook_call(
            Method::GET,
            "/registration",
            "read the webhook registration",
        );
        let answer = self.webhooks.send(&call).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let answer = succeeded(&call, answer)?;
        read(&call, &answer).map(Some)
    }

    /// Registers where nothing is registered yet.
    ///
    /// # Errors
    /// Status 409 when there is one: read it, ask, and [`PartnerCenter::replace_registration`].
    pub async fn create_registration(
        &self,
        wanted: &Registration,
    ) -> Result<Registration, RemoteError> {
        self.register(Method::POST, "create the webhook registration", wanted)
            .await
    }

    /// Puts another in the place of the one that is there.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub async fn replace_registration(
        &self,
        wanted: &Registration,
    ) -> Result<Registration, RemoteError> {
        self.register(Method::PUT, "replace the webhook registration", wanted)
            .await
    }

    /// Names of all events that can be registered.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub async fn registrable_events(&self) -> Result<Vec<String>, RemoteError> {
        let call = self.hook_call(
            Method::GET,
            "/registration/events",
            "list the webhook events",
        );
        let answer = succeeded(&call, self.webhooks.send(&call).await?)?;
        serde_json::from_slice(&answer.body).map_err(|error| {
            answer
                .unreadable(&call, "the answer is no list of names")
                .with_source(error)
        })
    }

    /// Lets Partner Center send `test-created`, which must be registered. Two a minute. Returns the id of the test.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub async fn send_test_event(&self) -> Result<String, RemoteError> {
        let call = self
            .hook_call(
                Method::POST,
                "/registration/validationEvents",
                "send a test event",
            )
            .body("application/json", "");
        let answer = succeeded(&call, self.webhooks.send(&call).await?)?;
        test_id(answer.text(&call)?)
            .ok_or_else(|| answer.unreadable(&call, "the answer holds no id of the test"))
    }

    /// How that went.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub async fn test_event(&self, id: &str) -> Result<TestResult, RemoteError> {
        let Some(id) = guid(id) else {
            return Err(RemoteError::refused(
                Service::PartnerCenterWebhooks,
                "read a test event",
                "the id of the test is no GUID",
            ));
        };
        let call = self.hook_call(
            Method::GET,
            &format!("/registration/validationEvents/{id}"),
            "read a test event",
        );
        let answer = succeeded(&call, self.webhooks.send(&call).await?)?;
        TestResult::parse(answer.text(&call)?)
            .ok_or_else(|| answer.unreadable(&call, "the answer is no object"))
    }

    async fn register(
        &self,
        method: Method,
        doing: &str,
        wanted: &Registration,
    ) -> Result<Registration, RemoteError> {
        let order = Order {
            webhook_url: &wanted.url,
            webhook_events: &wanted.events,
            signature_token_to_ms_signature_header: wanted.signature_header,
        };
        let call = self
            .hook_call(method, "/registration", doing)
            .json(&Body::of(&order));
        let answer = succeeded(&call, self.webhooks.send(&call).await?)?;
        read(&call, &answer)
    }

    fn hook_call(&self, method: Method, path: &str, doing: &str) -> Call {
        let mut call = Call::new(
            Service::PartnerCenterWebhooks,
            method,
            self.webhooks.endpoint.url(path, None),
            doing,
        )
        .header("accept", "application/json")
        .header("ms-requestid", &fresh_id())
        .header("ms-correlationid", &fresh_id())
        .header("ms-contract-version", "v1");
        call.body_bytes_max = BODY_BYTES_MAX;
        call
    }
}

fn succeeded(call: &Call, answer: Answer) -> Result<Answer, RemoteError> {
    if answer.status.is_success() {
        Ok(answer)
    } else {
        Err(answer.failure(call))
    }
}

fn read(call: &Call, answer: &Answer) -> Result<Registration, RemoteError> {
    Registration::parse(answer.text(call)?).map_err(|problem| answer.unreadable(call, problem))
}

impl Registration {
    /// What is registered, as the vendor says it; else what is wrong with it.
    pub(super) fn parse(document: &str) -> Result<Self, &'static str> {
        let members = json::object_any_case(document).ok_or("the answer is no registration")?;
        let text = |name: &str| members.get(name).and_then(|raw| json::filled(raw));
        Ok(Self {
            url: text("webhookurl").ok_or("the registration has no address")?,
            events: members
                .get("webhookevents")
                .and_then(|events| json::parse(events))
                .unwrap_or_default(),
            signature_header: text("signaturetokentomssignatureheader")
                .is_some_and(|flag| flag.eq_ignore_ascii_case("true")),
        })
    }
}

impl TestResult {
    /// How a test event went, as the vendor says it. None: it is no object.
    pub(super) fn parse(document: &str) -> Option<Self> {
        let members = json::object_any_case(document)?;
        let results: Vec<Raw> = members
            .get("results")
            .and_then(|results| json::parse(results))
            .unwrap_or_default();
        let response = |result: &Raw| {
            json::object_any_case(result.get())?
                .get("responsecode")
                .and_then(|code| json::filled(code))
        };
        Some(Self {
            status: members
                .get("status")
                .and_then(|status| json::filled(status))
                .unwrap_or_default(),
            responses: results.iter().filter_map(response).collect(),
        })
    }
}

/// The id of a test event that was asked for: an object says the samples, a plain string says the schema.
pub(super) fn test_id(document: &str) -> Option<String> {
    let id = match json::object_any_case(document) {
        Some(members) => members.get("correlationid").and_then(|id| json::filled(id)),
        None => serde_json::from_str::<String>(document).ok(),
    };
    id.and_then(|id| guid(&id))
}
