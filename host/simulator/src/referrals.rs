//! Partner Center's referrals API: `/v1.0/engagements/referrals`. (partner-center 1 to 4)
//!
//! A referral is one organisation's view of a deal, and referrals that share an `engagementId` are the same deal. All
//! rules live in the modules below; this one knows the routes, the caller and the envelope.

mod book;
mod by_hand;
mod calls;
mod create;
mod deal_registration;
mod dialect;
mod list;
mod outward;
mod patch;
pub(crate) mod registration;
mod shape;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::Method;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::assumptions::Readings;
use crate::clock::Clock;
use crate::entra::{Audience, Denied, Entra, Identity};
use crate::faults::Service;
use crate::ids::{Ids, Traces};
use crate::ledger::{Ledger, RefusedWrite};
use crate::standing::Role;
use crate::wire::{Reply, Request};
use crate::world::Shared;
pub(crate) use book::Book;
use book::Change;
use registration::Registrations;

/// Organisation id of Microsoft's side.
pub(crate) const MICROSOFT: &str = "msft";
/// Longest message of an error. (partner-center 3.7)
const MESSAGE_CHARS_MAX: usize = 1024;
/// Inner errors that say that the deal does not stand where it would have to.
const STATE_CONFLICTS: [&str; 2] = ["referralClosed", "invalidTransition"];
/// The stream of ids that name requests.
const TRACES: u64 = 0x9D;
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

/// Who calls, for whom, in which role.
#[derive(Clone, Debug)]
pub(crate) struct Viewer<'a> {
    pub(crate) identity: Identity,
    pub(crate) organization: &'a Organization,
    role: Role,
}

impl Viewer<'_> {
    /// A Referrals user reads only the deals whose team names him. (partner-center 1.2)
    pub(crate) fn reads(&self, referral: &Value) -> bool {
        let mail = self.identity.user.as_deref().unwrap_or_default();
        let named = |member: &Value| {
            member["email"]
                .as_str()
                .is_some_and(|held| held.eq_ignore_ascii_case(mail))
        };
        self.role == Role::ReferralsAdmin
            || referral["team"]
                .as_array()
                .is_some_and(|team| team.iter().any(named))
    }

    fn may_write(&self, assumptions: &Readings) -> Result<(), Refusal> {
        if self.role == Role::ReferralsAdmin || assumptions.referrals_users_may_write() {
            return Ok(());
        }
        Err(Refusal::denied(
            "A Referrals user may not change referrals: the role Referrals admin is needed.",
        ))
    }
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

    /// The refusal with the status that this world gives it.
    fn assumed(self, assumptions: &Readings) -> Self {
        let status = match self.inner {
            inner if STATE_CONFLICTS.contains(&inner) && assumptions.state_conflicts_are_409() => {
                409
            }
            _ => self.status,
        };
        Self { status, ..self }
    }

    fn reply(&self, assumptions: &Readings) -> Reply {
        let message: String = self.message.chars().take(MESSAGE_CHARS_MAX).collect();
        let (inner, code) = match (assumptions.inner_error_is_lower_case(), self.code) {
            (true, "unauthenticated") => ("innererror", "unAuthorized"),
            (true, code) => ("innererror", code),
            (false, code) => ("innerError", code),
        };
        Reply::json(
            self.status,
            &json!({"error": {"code": code, "message": message, "target": "referral",
            inner: {"code": self.inner, "message": message}}}),
        )
    }
}

/// All referrals, and who may do what, as they are written down.
#[derive(Serialize, Deserialize)]
pub(crate) struct SavedReferrals {
    book: Book,
    traces: Ids,
    roles: BTreeMap<String, Role>,
}

/// The service.
pub(crate) struct Referrals {
    pub(crate) clock: Arc<Clock>,
    pub(crate) entra: Arc<Entra>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) registrations: Arc<Registrations>,
    pub(crate) assumptions: Readings,
    pub(crate) organizations: Vec<Organization>,
    pub(crate) page_size: usize,
    traces: Traces,
    /// By the user's mail; who is not here is an admin.
    roles: Mutex<BTreeMap<String, Role>>,
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
            traces: Traces::new(shared.seed, TRACES),
            roles: Mutex::default(),
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
            traces: Traces::new(shared.seed, TRACES),
            roles: Mutex::new(
                self.roles
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .clone(),
            ),
            book: Mutex::new(book.copied(Ids::new(shared.seed, 0x9C))),
        }
    }

    pub(crate) fn saved(&self) -> SavedReferrals {
        let roles = self.roles.lock().unwrap_or_else(PoisonError::into_inner);
        SavedReferrals {
            book: self.book().clone(),
            traces: self.traces.saved(),
            roles: roles.clone(),
        }
    }

    pub(crate) fn restore(&self, saved: SavedReferrals) {
        self.traces.restore(saved.traces);
        *self.roles.lock().unwrap_or_else(PoisonError::into_inner) = saved.roles;
        *self.book.lock().unwrap_or_else(PoisonError::into_inner) = saved.book;
    }

    /// The book, after expiring what the clock has overtaken.
    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        for change in book.expire(self.clock.now()) {
            self.notify(&book, &change, None);
        }
        book
    }

    /// Tells the organisations of an engagement what changed; `caller` is the one whose API call did it.
    pub(crate) fn notify(&self, book: &Book, change: &Change, caller: Option<&Organization>) {
        let now = self.clock.now();
        for organization in &self.organizations {
            let did_it = caller.is_some_and(|caller| caller.id == organization.id);
            if book.hidden.contains_key(&change.id) {
                continue;
            }
            let own = change.owner == organization.id;
            let Some(mine) = (if own {
                Some(change.id.as_str())
            } else {
                book.in_engagement(&change.engagement, &organization.id)
            }) else {
                continue;
            };
            if did_it && self.assumptions.own_calls_raise_no_events() {
                continue;
            }
            let name = match (own, change.created) {
                (true, true) => "referral-created",
                (true, false) => "referral-updated",
                (false, true) => "related-referral-created",
                (false, false) => "related-referral-updated",
            };
            let id = if own || self.assumptions.related_event_carries_own_id() {
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
            let refusal = refusal.assumed(&self.assumptions);
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
            refusal.reply(&self.assumptions)
        });
        let reply = reply
            .with("request-id", self.traces.guid_text())
            .with("timestamp", self.moment(self.clock.now()));
        match request.header("client-request-id") {
            Some(id) => reply.with("client-request-id", id.to_owned()),
            None => reply,
        }
    }

    /// A moment as this world writes it.
    fn moment(&self, at: Timestamp) -> String {
        let text = crate::clock::fraction(at);
        if self.assumptions.timestamps_have_seven_digits() {
            outward::padded(&text)
        } else {
            text
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
        let viewer = self.caller(request)?;
        if request.header("client-request-id").is_none()
            && self.assumptions.client_request_id_is_required()
        {
            return Err(Refusal::invalid(
                "clientRequestIdRequired",
                "The header 'client-request-id' is required.",
            ));
        }
        match (rest.strip_prefix('/'), &request.method) {
            (None, &Method::GET) => self.list(request, &viewer),
            (None, &Method::POST) => self.create(request, &viewer),
            (Some(id), &Method::GET) if !id.contains('/') => self.get(request, id, &viewer),
            (Some(id), &Method::PATCH | &Method::PUT) if !id.contains('/') => {
                self.change(request, id, &viewer)
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
    fn caller(&self, request: &Request) -> Result<Viewer<'_>, Refusal> {
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
        let Some(user) = &identity.user else {
            return Err(if self.assumptions.app_only_is_401() {
                unauthenticated("App-only tokens are not supported.")
            } else {
                Refusal::denied(
                    "App-only tokens are not supported: a user with the role Referrals admin is needed.",
                )
            });
        };
        let role = self.role(user);
        if role == Role::None {
            return Err(Refusal::denied(format!(
                "The user '{user}' has none of the roles Referrals admin and Referrals user."
            )));
        }
        let organization = self
            .organizations
            .iter()
            .find(|organization| organization.tenant == identity.tenant);
        let organization = organization.ok_or_else(|| {
            Refusal::denied("The caller's organisation has no Partner Center account.")
        })?;
        Ok(Viewer {
            identity,
            organization,
            role,
        })
    }
}
