//! Partner Center's webhooks: the registration API, and the signed notifications. (partner-center 5)

mod notice;
mod validation;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::Method;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::COLLECTION;
use crate::assumptions::Readings;
use crate::clock::Clock;
use crate::deliveries::{Deliveries, Delivery, Retry};
use crate::entra::{Audience, Entra, Identity};
use crate::faults::Service;
use crate::ids::{Ids, Traces};
use crate::ledger::{Entry, Ledger};
use crate::signing::WebhookSigner;
use crate::wire::{Reply, Request};
use crate::world::Shared;
use notice::{EVENTS, Notice, named, spelled};
use validation::Validation;

/// Path of the registration.
const REGISTRATION: &str = "/webhooks/v1/registration";
/// The stream of ids that name requests.
const TRACES: u64 = 0x5F;
/// Attempts before an event is given up. (partner-center 5.5)
const ATTEMPTS_MAX: u32 = 10;
/// One tenant's registration: there is only ever one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Registration {
    subscriber_id: String,
    url: String,
    events: Vec<String>,
    token_in_ms_header: bool,
    modified: Timestamp,
}

/// Who is registered, and the validation events of late.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Books {
    ids: Ids,
    by_tenant: BTreeMap<String, Registration>,
    validations: BTreeMap<String, Validation>,
}

/// All of it as it is written down, with the stream of ids that name requests.
#[derive(Serialize, Deserialize)]
pub(crate) struct Saved {
    books: Books,
    traces: Ids,
}

/// What a receiver gets to see of a notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    /// Names and values; the signature is among them.
    pub headers: Vec<(String, String)>,
    /// The bytes that are signed.
    pub body: Vec<u8>,
}

/// The registration API and the sender behind it.
pub(crate) struct Registrations {
    pub(crate) clock: Arc<Clock>,
    pub(crate) entra: Arc<Entra>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) deliveries: Deliveries,
    pub(crate) signer: Arc<WebhookSigner>,
    pub(crate) assumptions: Readings,
    pub(crate) certificate_url: String,
    pub(crate) retry_ms: u64,
    traces: Traces,
    books: Mutex<Books>,
}

impl Registrations {
    pub(crate) fn new(
        shared: &Shared,
        signer: Arc<WebhookSigner>,
        certificate_url: String,
        retry_ms: u64,
    ) -> Arc<Self> {
        let ids = Ids::new(shared.seed, 0x5E);
        let books = Books {
            ids,
            by_tenant: BTreeMap::new(),
            validations: BTreeMap::new(),
        };
        Arc::new(Self {
            clock: Arc::clone(&shared.clock),
            entra: Arc::clone(&shared.entra),
            ledger: Arc::clone(&shared.ledger),
            deliveries: shared.deliveries.clone(),
            signer,
            assumptions: shared.assumptions.clone(),
            certificate_url,
            retry_ms,
            traces: Traces::new(shared.seed, TRACES),
            books: Mutex::new(books),
        })
    }

    /// Someone else in the tenant registers another address for the same events; false when nothing is registered.
    pub(crate) fn take(&self, tenant: &str, url: &str) -> bool {
        let mut books = self.books();
        let Some(held) = books.by_tenant.get_mut(tenant) else {
            return false;
        };
        url.clone_into(&mut held.url);
        true
    }

    pub(crate) fn saved(&self) -> Saved {
        let books = self.books();
        Saved {
            books: books.clone(),
            traces: self.traces.saved(),
        }
    }

    pub(crate) fn restore(&self, saved: Saved) {
        self.traces.restore(saved.traces);
        *self.books() = saved.books;
    }

    /// The same registrations in another world.
    pub(crate) fn copied(&self, shared: &Shared) -> Arc<Self> {
        let books = self.books();
        let books = Books {
            ids: Ids::new(shared.seed, 0x5E),
            by_tenant: books.by_tenant.clone(),
            validations: books.validations.clone(),
        };
        Arc::new(Self {
            clock: Arc::clone(&shared.clock),
            entra: Arc::clone(&shared.entra),
            ledger: Arc::clone(&shared.ledger),
            deliveries: shared.deliveries.clone(),
            signer: Arc::clone(&self.signer),
            assumptions: shared.assumptions.clone(),
            certificate_url: self.certificate_url.clone(),
            retry_ms: self.retry_ms,
            traces: Traces::new(shared.seed, TRACES),
            books: Mutex::new(books),
        })
    }

    /// Sends an event about a referral to the tenant, if its registration asks for it.
    pub(crate) fn announce(
        self: &Arc<Self>,
        tenant: &str,
        event: &str,
        referral: &str,
        at: Timestamp,
    ) {
        let registration = {
            let books = self.books();
            books
                .by_tenant
                .get(tenant)
                .filter(|held| held.events.iter().any(|name| name == event))
                .cloned()
        };
        if let Some(registration) = registration {
            let uri = self.uri(referral);
            self.send(
                &registration,
                Notice::of_referral(event, &uri, referral, at),
            );
        }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a notification calls a referral.
    fn uri(&self, referral: &str) -> String {
        if self.assumptions.resource_uri_is_real_address() {
            format!("https://api.partner.microsoft.com{COLLECTION}/{referral}")
        } else {
            format!("https://api.partnercenter.microsoft.com/engagements/v1/referrals/{referral}")
        }
    }

    /// A notification as it would be posted to whoever is registered, with its headers: for who posts by himself, as many and as fast as he likes.
    pub(crate) fn signed(
        &self,
        tenant: &str,
        event: &str,
        referral: &str,
        at: Timestamp,
    ) -> Option<Posted> {
        let registration = self.books().by_tenant.get(tenant).cloned()?;
        let uri = self.uri(referral);
        let notice = Notice::of_referral(event, &uri, referral, at);
        let body = notice.body(&self.assumptions).into_bytes();
        let signature = self.signer.sign(&body).ok()?;
        Some(Posted {
            headers: self.headers(&registration, &STANDARD.encode(signature)),
            body,
        })
    }

    fn headers(&self, registration: &Registration, signature: &str) -> Vec<(String, String)> {
        let token_header = if registration.token_in_ms_header {
            "x-ms-signature"
        } else {
            "authorization"
        };
        [
            ("content-type", "application/json"),
            ("accept-encoding", "gzip, deflate"),
            (token_header, &format!("Signature {signature}")),
            ("x-ms-certificate-url", &self.certificate_url),
            ("x-ms-signature-algorithm", "rsa-sha256"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }

    fn send(self: &Arc<Self>, registration: &Registration, notice: Notice<'_>) {
        let body = notice.body(&self.assumptions).into_bytes();
        let Notice {
            event,
            record,
            validation,
            ..
        } = notice;
        let signature = if self.deliveries.are_posted() {
            match self.signer.sign(&body) {
                Ok(signature) => STANDARD.encode(signature),
                Err(error) => {
                    tracing::error!(%error, "a notification could not be signed");
                    return;
                }
            }
        } else {
            String::new()
        };
        let delivery = Delivery {
            service: Service::PartnerCenter,
            event: event.to_owned(),
            record: record.to_owned(),
            url: registration.url.clone(),
            headers: self.headers(registration, &signature),
            body,
            attempts_max: ATTEMPTS_MAX,
            retry: Retry::Always {
                first_wait_ms: self.retry_ms,
                assumptions: self.assumptions.clone(),
            },
        };
        let this = Arc::clone(self);
        self.deliveries.send(delivery, move |record| {
            let Some(id) = validation else { return };
            let now = crate::clock::fraction(this.clock.now());
            let results = record.attempts.iter().map(|status| json!({
                "responseCode": status.map_or("NoResponse".to_owned(), |s| if s == 200 { "OK".to_owned() } else { s.to_string() }),
                "responseMessage": "", "systemError": status.is_none(), "dateTimeUtc": now,
            }));
            let results = results.collect();
            let mut books = this.books();
            if let Some(held) = books.validations.get_mut(&id) {
                held.results = Some(results);
            }
        });
    }

    /// Answers a request to the Partner Center host.
    pub(crate) fn handle(self: &Arc<Self>, request: &Request) -> Reply {
        let mut reply = self.route(request).unwrap_or_else(|refusal| refusal);
        for name in ["ms-correlationid", "ms-requestid"] {
            let id = request
                .header(name)
                .map_or_else(|| self.traces.guid_text(), str::to_owned);
            reply = reply.with(name, id);
        }
        let locale = request.header("x-locale").unwrap_or("en-US").to_owned();
        reply.with("x-locale", locale)
    }

    fn route(self: &Arc<Self>, request: &Request) -> Result<Reply, Reply> {
        let Some(rest) = request
            .path
            .trim_end_matches('/')
            .strip_prefix(REGISTRATION)
        else {
            return Err(error(404, "2000", "The resource was not found."));
        };
        let identity = self
            .entra
            .check(request.bearer(), Audience::PartnerCenter)
            .map_err(|_| {
                error(
                    401,
                    "900000",
                    "The access token is missing, expired or for another audience.",
                )
            })?;
        match (rest, &request.method) {
            ("/events", &Method::GET) => {
                let names: Vec<String> = EVENTS
                    .iter()
                    .map(|event| spelled(event, &self.assumptions))
                    .collect();
                Ok(Reply::json(200, &json!(names)))
            }
            ("", &Method::GET) => {
                let books = self.books();
                let held = books.by_tenant.get(&identity.tenant);
                held.map(|held| Reply::json(200, &self.shown(held)))
                    .ok_or_else(|| error(404, "600033", "There is no registration."))
            }
            ("", &Method::POST) => self.register(request, &identity, false),
            ("", &Method::PUT) => self.register(request, &identity, true),
            ("/validationEvents", &Method::POST) => self.validate(&identity),
            (path, &Method::GET) if path.starts_with("/validationEvents/") => {
                self.validation(path.trim_start_matches("/validationEvents/"), &identity)
            }
            _ => Err(error(405, "2001", "The method is not supported here.")),
        }
    }

    fn register(
        &self,
        request: &Request,
        identity: &Identity,
        replace: bool,
    ) -> Result<Reply, Reply> {
        let body = request
            .json()
            .map_err(|_| error(400, "600001", "The body is not valid JSON."))?;
        let field = |name: &str| {
            body.as_object()?
                .iter()
                .find(|(held, _)| held.eq_ignore_ascii_case(name))
                .map(|(_, value)| value)
        };
        let url = field("WebhookUrl")
            .and_then(Value::as_str)
            .and_then(|text| url::Url::parse(text).ok());
        let url = url.ok_or_else(|| error(400, "600002", "WebhookUrl is not an absolute URL."))?;
        let events: Option<Vec<String>> = field("WebhookEvents")
            .and_then(Value::as_array)
            .and_then(|list| {
                list.iter()
                    .map(|name| name.as_str().map(str::to_owned))
                    .collect()
            });
        let events = events
            .filter(|list| !list.is_empty())
            .ok_or_else(|| error(400, "600003", "WebhookEvents is not a list of names."))?;
        let events = events
            .iter()
            .map(|name| {
                let known = named(name, &self.assumptions).map(str::to_owned);
                known.ok_or_else(|| error(400, "600004", &format!("There is no event '{name}'.")))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let token_in_ms_header = field("SignatureTokenToMsSignatureHeader")
            .and_then(Value::as_bool)
            .unwrap_or(false);
        let mut books = self.books();
        let held = books.by_tenant.get(&identity.tenant).cloned();
        match (&held, replace) {
            (Some(_), false) => {
                return Err(error(
                    409,
                    "600032",
                    "A registration exists already: use PUT.",
                ));
            }
            (None, true) => return Err(error(404, "600033", "There is no registration.")),
            _ => {}
        }
        let subscriber_id = held.map_or_else(|| books.ids.guid_text(), |held| held.subscriber_id);
        let registration = Registration {
            subscriber_id,
            url: url.to_string(),
            events,
            token_in_ms_header,
            modified: self.clock.now(),
        };
        let reply = Reply::json(200, &self.shown(&registration));
        books
            .by_tenant
            .insert(identity.tenant.clone(), registration);
        drop(books);
        self.ledger.enter(Entry {
            sequence: 0,
            time_ms: 0,
            service: Service::PartnerCenter,
            caller: identity.caller(),
            method: request.method.to_string(),
            url: request.target(),
            precondition: request.precondition(),
            operation: "register".to_owned(),
            kind: "registration".to_owned(),
            record: identity.tenant.clone(),
            changed: vec!["WebhookUrl".to_owned(), "WebhookEvents".to_owned()],
            tag: None,
            overwrote: Vec::new(),
            merged_away: false,
        });
        Ok(reply)
    }

    fn shown(&self, registration: &Registration) -> Value {
        let Registration {
            subscriber_id,
            url,
            token_in_ms_header,
            modified,
            ..
        } = registration;
        let events: Vec<String> = registration
            .events
            .iter()
            .map(|event| spelled(event, &self.assumptions))
            .collect();
        if self.assumptions.registration_shows_full_model() {
            return json!({"subscriberId": subscriber_id, "webhookUrl": url, "webhookEvents": events,
                "signatureTokenToMsSignatureHeader": token_in_ms_header, "properties": {},
                "lastModifiedTimestamp": crate::clock::fraction(*modified)});
        }
        json!({"SubscriberId": subscriber_id, "WebhookUrl": url, "WebhookEvents": events})
    }
}

/// The error shape of this host. (partner-center 5.6)
fn error(status: u16, code: &str, description: &str) -> Reply {
    Reply::json(
        status,
        &json!({"code": code, "description": description, "data": [], "source": "PartnerFD"}),
    )
}
