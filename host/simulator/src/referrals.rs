//! Partner Center's referrals API: `/v1.0/engagements/referrals`. (partner-center 1 to 4)
//!
//! A referral is one organisation's view of a deal, and referrals that share an `engagementId` are the same deal. All
//! rules live in the modules below; this one knows the routes, the caller and the envelope.

mod book;
mod create;
mod list;
mod patch;
pub(crate) mod registration;
mod shape;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::Method;
use serde_json::{Value, json};

use crate::assumptions::Assumptions;
use crate::clock::Clock;
use crate::entra::{Audience, Denied, Entra, Identity};
use crate::faults::Service;
use crate::ids::Ids;
use crate::ledger::{Entry, Ledger, RefusedWrite};
use crate::wire::{Reply, Request};
use crate::world::Shared;
pub(crate) use book::Book;
use book::Change;
use registration::Registrations;

/// Organisation id of Microsoft's side.
pub(crate) const MICROSOFT: &str = "msft";
/// Path of the collection.
const COLLECTION: &str = "/v1.0/engagements/referrals";

/// An organisation with an account at Partner Center.
#[derive(Clone, Debug)]
pub(crate) struct Organization {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) tenant: String,
    pub(crate) mpn_id: String,
}

/// Why a call is refused: status, the envelope's code, and the inner error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) inner: &'static str,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn invalid(inner: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: 400,
            code: "invalidRequest",
            inner,
            message: message.into(),
        }
    }

    fn missing(message: impl Into<String>) -> Self {
        Self {
            status: 404,
            code: "itemNotFound",
            inner: "referralNotFound",
            message: message.into(),
        }
    }

    fn denied(message: impl Into<String>) -> Self {
        Self {
            status: 403,
            code: "accessDenied",
            inner: "forbidden",
            message: message.into(),
        }
    }

    fn reply(&self) -> Reply {
        Reply::json(
            self.status,
            &json!({"error": {"code": self.code, "message": self.message, "target": "referral",
            "innerError": {"code": self.inner, "message": self.message}}}),
        )
    }
}

/// The service.
pub(crate) struct Referrals {
    pub(crate) clock: Arc<Clock>,
    pub(crate) entra: Arc<Entra>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) registrations: Arc<Registrations>,
    pub(crate) assumptions: Assumptions,
    pub(crate) organizations: Vec<Organization>,
    pub(crate) page_size: usize,
    book: Mutex<Book>,
}

impl Referrals {
    pub(crate) fn new(
        shared: &Shared,
        registrations: Arc<Registrations>,
        organizations: Vec<Organization>,
        page_size: usize,
    ) -> Self {
        Self {
            clock: Arc::clone(&shared.clock),
            entra: Arc::clone(&shared.entra),
            ledger: Arc::clone(&shared.ledger),
            registrations,
            assumptions: shared.assumptions.clone(),
            organizations,
            page_size,
            book: Mutex::new(Book::new(Ids::new(shared.seed, 0x9C))),
        }
    }

    /// The same referrals in another world.
    pub(crate) fn copied(&self, shared: &Shared, registrations: Arc<Registrations>) -> Self {
        let book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        Self {
            clock: Arc::clone(&shared.clock),
            entra: Arc::clone(&shared.entra),
            ledger: Arc::clone(&shared.ledger),
            registrations,
            assumptions: shared.assumptions.clone(),
            organizations: self.organizations.clone(),
            page_size: self.page_size,
            book: Mutex::new(book.copied(Ids::new(shared.seed, 0x9C))),
        }
    }

    /// The book, after expiring what the clock has overtaken.
    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        for change in book.expire(self.clock.now()) {
            self.notify(&book, &change);
        }
        book
    }

    /// Tells the organisations of an engagement what changed.
    pub(crate) fn notify(&self, book: &Book, change: &Change) {
        let now = self.clock.now();
        for organization in &self.organizations {
            let own = change.owner == organization.id;
            let Some(mine) = (if own {
                Some(change.id.as_str())
            } else {
                book.in_engagement(&change.engagement, &organization.id)
            }) else {
                continue;
            };
            let name = match (own, change.created) {
                (true, true) => "referral-created",
                (true, false) => "referral-updated",
                (false, true) => "related-referral-created",
                (false, false) => "related-referral-updated",
            };
            let id = if self.assumptions.related_event_carries_own_id {
                mine
            } else {
                change.id.as_str()
            };
            self.registrations
                .announce(&organization.tenant, name, id, now);
        }
    }

    /// Answers a request to the referrals host.
    pub(crate) fn handle(&self, request: &Request) -> Reply {
        let reply = self.route(request).unwrap_or_else(|refusal| {
            if request.method != Method::GET {
                self.ledger.refuse(RefusedWrite {
                    time_ms: 0,
                    service: Service::Referrals,
                    method: request.method.to_string(),
                    url: request.target(),
                    status: refusal.status,
                    code: refusal.inner.to_owned(),
                    message: refusal.message.clone(),
                });
            }
            refusal.reply()
        });
        let reply = reply
            .with("request-id", uuid::Uuid::new_v4().to_string())
            .with("timestamp", crate::clock::fraction(self.clock.now()));
        match request.header("client-request-id") {
            Some(id) => reply.with("client-request-id", id.to_owned()),
            None => reply,
        }
    }

    fn route(&self, request: &Request) -> Result<Reply, Refusal> {
        let rest = request
            .path
            .trim_end_matches('/')
            .strip_prefix(COLLECTION)
            .ok_or_else(|| {
                Refusal::missing(format!(
                    "No resource at '{}'. The collection is at '{COLLECTION}'.",
                    request.path
                ))
            })?;
        let (identity, organization) = self.caller(request)?;
        match (rest.strip_prefix('/'), &request.method) {
            (None, &Method::GET) => self.list(request, organization),
            (None, &Method::POST) => self.create(request, &identity, organization),
            (Some(id), &Method::GET) if !id.contains('/') => self.get(request, id, organization),
            (Some(id), &Method::PATCH) if !id.contains('/') => {
                self.patch(request, id, &identity, organization)
            }
            (Some(id), _) if id.contains('/') => Err(Refusal::missing(format!(
                "No resource at '{}'.",
                request.path
            ))),
            _ => Err(Refusal {
                status: 405,
                code: "invalidRequest",
                inner: "methodNotAllowed",
                message: format!("{} is not supported here.", request.method),
            }),
        }
    }

    /// The organisation on whose behalf a user calls. App-only tokens have no role here.
    fn caller(&self, request: &Request) -> Result<(Identity, &Organization), Refusal> {
        let unauthenticated = |message: &str| Refusal {
            status: 401,
            code: "unauthenticated",
            inner: "invalidToken",
            message: message.to_owned(),
        };
        let identity = self
            .entra
            .check(request.bearer(), Audience::Referrals)
            .map_err(|denied| {
                unauthenticated(match denied {
                    Denied::Missing => "The request has no bearer token.",
                    Denied::Unknown => "The access token is not valid.",
                    Denied::Expired => "The access token has expired.",
                    Denied::WrongAudience => "The access token was issued for another audience.",
                })
            })?;
        if identity.user.is_none() {
            return Err(if self.assumptions.app_only_is_401 {
                unauthenticated("App-only tokens are not supported.")
            } else {
                Refusal::denied(
                    "App-only tokens are not supported: a user with the role Referrals admin is needed.",
                )
            });
        }
        let organization = self
            .organizations
            .iter()
            .find(|organization| organization.tenant == identity.tenant);
        let organization = organization.ok_or_else(|| {
            Refusal::denied("The caller's organisation has no Partner Center account.")
        })?;
        Ok((identity, organization))
    }

    fn get(
        &self,
        request: &Request,
        id: &str,
        organization: &Organization,
    ) -> Result<Reply, Refusal> {
        let book = self.book();
        let referral = book.visible(id, organization)?;
        Ok(self.representation(200, referral, request))
    }

    fn create(
        &self,
        request: &Request,
        identity: &Identity,
        organization: &Organization,
    ) -> Result<Reply, Refusal> {
        let body = request.json().map_err(|error| {
            Refusal::invalid(
                "malformedJson",
                format!("The body is not valid JSON: {error}"),
            )
        })?;
        let via = request.header("x-caller-id").map(str::to_owned);
        let mut book = self.book();
        let created = create::create(
            &mut book,
            &body,
            organization,
            &self.assumptions,
            self.clock.now(),
            via,
        )?;
        self.enter(request, identity, "create", &created.id, keys(&body));
        for change in &created.changes {
            self.notify(&book, change);
        }
        let status = if self.assumptions.create_answers_201 {
            201
        } else {
            200
        };
        let referral = book
            .get(&created.id)
            .ok_or_else(|| Refusal::missing("The referral is gone."))?;
        Ok(self.representation(status, referral, request))
    }

    fn patch(
        &self,
        request: &Request,
        id: &str,
        identity: &Identity,
        organization: &Organization,
    ) -> Result<Reply, Refusal> {
        let body = request.json().map_err(|error| {
            Refusal::invalid(
                "malformedJson",
                format!("The body is not valid JSON: {error}"),
            )
        })?;
        let mut book = self.book();
        let referral = book.visible(id, organization)?;
        if referral["organizationId"] != organization.id.as_str() {
            return Err(Refusal::denied(
                "Only the organisation that owns a referral may change it.",
            ));
        }
        if let Some(expected) = request.header("if-match")
            && expected != "*"
            && referral["eTag"] != expected
        {
            return Err(Refusal {
                status: 412,
                code: "preconditionFailed",
                inner: "resourceModified",
                message:
                    "The eTag in If-Match is not that of the referral: it was changed meanwhile."
                        .to_owned(),
            });
        }
        let operations = patch::operations(&body)?;
        let via = request.header("x-caller-id").map(str::to_owned);
        let change = patch::apply(
            &mut book,
            id,
            &operations,
            patch::Actor::Partner,
            self.clock.now(),
            via,
        )?;
        let paths = operations
            .iter()
            .map(|operation| operation.path.clone())
            .collect();
        self.enter(request, identity, "update", id, paths);
        self.notify(&book, &change);
        let prefer = request.header("prefer").unwrap_or_default();
        if !prefer
            .split(',')
            .any(|part| part.trim().eq_ignore_ascii_case("return=representation"))
        {
            return Ok(Reply::empty(204));
        }
        let referral = book
            .get(id)
            .ok_or_else(|| Refusal::missing("The referral is gone."))?;
        Ok(self
            .representation(200, referral, request)
            .with("preference-applied", "return=representation"))
    }

    /// A partner's user creates a deal on the site.
    pub(crate) fn create_by_hand(
        &self,
        organization: &Organization,
        input: &Value,
    ) -> Result<String, Refusal> {
        let mut book = self.book();
        let via = Some("PartnerCenter".to_owned());
        let created = create::create(
            &mut book,
            input,
            organization,
            &self.assumptions,
            self.clock.now(),
            via,
        )?;
        created
            .changes
            .iter()
            .for_each(|change| self.notify(&book, change));
        Ok(created.id)
    }

    /// A referral from Microsoft arrives at `organization`.
    pub(crate) fn inbound(
        &self,
        organization: &Organization,
        input: &Value,
    ) -> Result<String, Refusal> {
        let mut book = self.book();
        let created = create::inbound(&mut book, input, organization, self.clock.now())?;
        created
            .changes
            .iter()
            .for_each(|change| self.notify(&book, change));
        Ok(created.id)
    }

    /// A person changes a referral: the partner's user, or Microsoft's seller.
    pub(crate) fn patch_by_hand(&self, id: &str, body: &Value) -> Result<(), Refusal> {
        let operations = patch::operations(body)?;
        let mut book = self.book();
        let via = Some("PartnerCenter".to_owned());
        let change = patch::apply(
            &mut book,
            id,
            &operations,
            patch::Actor::ByHand,
            self.clock.now(),
            via,
        )?;
        self.notify(&book, &change);
        Ok(())
    }

    /// Microsoft's referral in the engagement of any of its referrals.
    pub(crate) fn microsoft_of(&self, id: &str) -> Result<String, Refusal> {
        let book = self.book();
        let missing = || {
            Refusal::missing(format!(
                "Microsoft has no referral in the engagement of '{id}'."
            ))
        };
        let engagement = book
            .get(&id.to_lowercase())
            .and_then(|held| held["engagementId"].as_str())
            .unwrap_or(id);
        book.in_engagement(engagement, MICROSOFT)
            .map(str::to_owned)
            .ok_or_else(missing)
    }

    fn representation(&self, status: u16, referral: &Value, request: &Request) -> Reply {
        let mut body = shape::outward(referral, &self.assumptions, &request.origin);
        if let Value::Object(fields) = &mut body {
            let context = format!("{}{COLLECTION}/$metadata#Referrals/$entity", request.origin);
            fields.insert("@odata.context".to_owned(), Value::String(context));
        }
        let etag = referral["eTag"].as_str().unwrap_or_default().to_owned();
        Reply::json(status, &body).with("etag", etag)
    }

    fn enter(
        &self,
        request: &Request,
        identity: &Identity,
        operation: &str,
        id: &str,
        changed: Vec<String>,
    ) {
        self.ledger.enter(Entry {
            sequence: 0,
            time_ms: 0,
            service: Service::Referrals,
            caller: identity.caller(),
            method: request.method.to_string(),
            url: request.target(),
            precondition: request.precondition(),
            operation: operation.to_owned(),
            kind: "referral".to_owned(),
            record: id.to_owned(),
            changed,
            tag: None,
        });
    }
}

fn keys(body: &Value) -> Vec<String> {
    body.as_object()
        .map(|fields| fields.keys().cloned().collect())
        .unwrap_or_default()
}
