//! The routes, and the line that every request walks: method, size, headers, body, proof, JSON, accept.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tokio::sync::Semaphore;

use crate::bell::{Accept, AcceptError, AcceptOutcome, Source, VerifiedBell};
use crate::caller::{Caller, Failures};
use crate::count::Counters;
use crate::dataverse::{self, DataverseSettings};
use crate::partner_center::{self, PartnerCenterSettings};
use crate::refusal::{QuietLog, Reason, Refusal};

/// Where Partner Center posts; the last part is the connection's id.
pub const PARTNER_CENTER_PATH: &str = "/webhooks/partner-center/{connection}";
/// Where Dataverse posts; the last part is the connection's id.
pub const DATAVERSE_PATH: &str = "/webhooks/dataverse/{connection}";

/// How long the store may take. Dataverse waits 60 s, Partner Center is said to wait 5 s or more.
const ACCEPT_TIME_MAX: Duration = Duration::from_secs(20);

/// Of the proofs that are worked on at once, callers that failed too often get one of so many.
const DOUBTFUL_PART: usize = 16;

/// What a caller who has proved nothing may take of our time. The defaults are for every host; tests are less patient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DoorLimits {
    /// For a body to arrive: it comes at once, or it is an attempt to hold a socket. Default: 10 s.
    pub body_time: Duration,
    /// For a certificate to be fetched, as a whole: the sender of the event waits meanwhile, and is said to give up after about as long. Default: 5 s.
    pub fetch_time: Duration,
    /// Proofs worked on at once. A proof takes 50 µs, or [`DoorLimits::fetch_time`] when a certificate has to be fetched; more only queue for two cores.
    /// Default: 256.
    pub proofs: usize,
    /// How long a request waits for its turn to be proven before it hears 429. Default: 2 s.
    pub proof_wait: Duration,
    /// Failed proofs of one caller within a minute; after so many it hears 429 instead of what is wrong, and only few of its proofs are worked on at
    /// once. A sender whose secret has just changed fails at each event, and is to be told why for a while. Default: 60.
    pub failures_a_minute: u32,
}

impl Default for DoorLimits {
    fn default() -> Self {
        Self {
            body_time: Duration::from_secs(10),
            fetch_time: Duration::from_secs(5),
            proofs: 256,
            proof_wait: Duration::from_secs(2),
            failures_a_minute: 60,
        }
    }
}

/// What a connection listens to.
#[derive(Debug, Clone)]
pub struct ConnectionSettings {
    /// The last part of its addresses.
    pub id: String,
    /// None: Partner Center events are refused.
    pub partner_center: Option<PartnerCenterSettings>,
    /// None: Dataverse events are refused.
    pub dataverse: Option<DataverseSettings>,
}

/// Settings with which no door can be built.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// Two connections of one id.
    #[error("connection \"{connection}\" is there twice")]
    Twice {
        /// Its id.
        connection: String,
    },
    /// Roots, TLS roots or client.
    #[error("connection \"{connection}\" cannot check Partner Center's signatures: {problem}")]
    PartnerCenter {
        /// Its id.
        connection: String,
        /// What is wrong.
        problem: String,
    },
    /// A secret.
    #[error("connection \"{connection}\" cannot check Dataverse's secret: {problem}")]
    Dataverse {
        /// Its id.
        connection: String,
        /// What is wrong.
        problem: String,
    },
}

/// Everything that stands behind the routes.
pub struct Door {
    connections: BTreeMap<String, Listening>,
    accept: Arc<dyn Accept>,
    counters: Counters,
    log: QuietLog,
    proofs: Semaphore,
    failures: Failures,
    /// Proofs of callers that failed too often.
    doubtful: Semaphore,
    limits: DoorLimits,
    /// The store was full, and is asked again after this.
    full_until: Mutex<Option<SystemTime>>,
    clock: Arc<dyn Fn() -> SystemTime + Send + Sync>,
}

struct Listening {
    partner_center: Option<partner_center::Listener>,
    dataverse: Option<dataverse::Listener>,
}

/// What the caller hears after a 200.
#[derive(Debug, Clone, Copy)]
enum Answer {
    Taken(AcceptOutcome),
    Test,
}

/// The routes of the door. Anything but POST hears 405.
pub fn router(door: Arc<Door>) -> Router {
    Router::new()
        .route(PARTNER_CENTER_PATH, post(partner_center).fallback(not_post))
        .route(DATAVERSE_PATH, post(dataverse).fallback(not_post))
        .with_state(door)
}

impl Door {
    /// Builds the door. Reads certificates, opens no connection.
    ///
    /// # Errors
    /// [`DoorError`] names the connection and what is wrong with it.
    pub fn new(
        connections: Vec<ConnectionSettings>,
        accept: Arc<dyn Accept>,
    ) -> Result<Self, DoorError> {
        let limits = DoorLimits::default();
        Self::with_clock(connections, accept, limits, Arc::new(SystemTime::now))
    }

    /// The same with limits and a clock of the caller's, for tests that turn it by hand.
    ///
    /// # Errors
    /// As [`Door::new`].
    pub fn with_clock(
        connections: Vec<ConnectionSettings>,
        accept: Arc<dyn Accept>,
        limits: DoorLimits,
        clock: Arc<dyn Fn() -> SystemTime + Send + Sync>,
    ) -> Result<Self, DoorError> {
        let mut listening = BTreeMap::new();
        for ConnectionSettings {
            id,
            partner_center,
            dataverse,
        } in connections
        {
            let partner_center = partner_center
                .map(|settings| partner_center::Listener::new(settings, limits.fetch_time))
                .transpose()
                .map_err(|problem| DoorError::PartnerCenter {
                    connection: id.clone(),
                    problem,
                })?;
            let dataverse = dataverse
                .as_ref()
                .map(dataverse::Listener::new)
                .transpose()
                .map_err(|problem| DoorError::Dataverse {
                    connection: id.clone(),
                    problem,
                })?;
            if listening
                .insert(
                    id.clone(),
                    Listening {
                        partner_center,
                        dataverse,
                    },
                )
                .is_some()
            {
                return Err(DoorError::Twice { connection: id });
            }
        }
        Ok(Self {
            connections: listening,
            accept,
            counters: Counters::default(),
            log: QuietLog::default(),
            proofs: Semaphore::new(limits.proofs),
            failures: Failures::default(),
            doubtful: Semaphore::new((limits.proofs / DOUBTFUL_PART).max(1)),
            limits,
            full_until: Mutex::default(),
            clock,
        })
    }

    /// What came through so far.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    async fn hear_partner_center(
        &self,
        id: &str,
        caller: Option<Caller>,
        request: Request,
    ) -> Result<Answer, Refusal> {
        let listener = self
            .connections
            .get(id)
            .and_then(|listening| listening.partner_center.as_ref())
            .ok_or(Reason::ConnectionUnknown)?;
        let (Parts { headers, .. }, body) = request.into_parts();
        check_size(&headers, partner_center::BODY_BYTES_MAX)?;
        let claim = listener.claim(&headers)?;
        let body = self.collect(body, partner_center::BODY_BYTES_MAX).await?;
        {
            let _turn = self.turn(caller).await?;
            listener.prove(&claim, &body, (self.clock)()).await?;
        }
        match listener.read(id, &body, (self.clock)())? {
            partner_center::Event::Bell(bell) => self.ring(*bell).await,
            partner_center::Event::Unknown(event) => {
                Ok(self.unknown(id, Source::PartnerCenter, &event))
            }
            partner_center::Event::Test => {
                self.counters.test();
                tracing::info!(
                    webhook.connection = id,
                    webhook.source = Source::PartnerCenter.as_str(),
                    "Partner Center's test event arrived: the signature is checked and good"
                );
                Ok(Answer::Test)
            }
        }
    }

    async fn hear_dataverse(&self, id: &str, request: Request) -> Result<Answer, Refusal> {
        let listener = self
            .connections
            .get(id)
            .and_then(|listening| listening.dataverse.as_ref())
            .ok_or(Reason::ConnectionUnknown)?;
        let (Parts { headers, uri, .. }, body) = request.into_parts();
        check_size(&headers, dataverse::BODY_BYTES_MAX)?;
        listener.prove(&headers, &uri)?;
        let body = self.collect(body, dataverse::BODY_BYTES_MAX).await?;
        match dataverse::Listener::read(id, &body, (self.clock)())? {
            dataverse::Event::Bell(bell) => self.ring(*bell).await,
            dataverse::Event::Nothing(message) => Ok(self.unknown(id, Source::Dataverse, &message)),
        }
    }

    /// A place among those who are proven. Callers that failed too often share a few of their own, and wait for none.
    async fn turn(
        &self,
        caller: Option<Caller>,
    ) -> Result<tokio::sync::SemaphorePermit<'_>, Refusal> {
        if self.is_doubtful(caller) {
            let permit = self.doubtful.try_acquire();
            return permit.map_err(|_| Reason::CallerFailed.into());
        }
        match tokio::time::timeout(self.limits.proof_wait, self.proofs.acquire()).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(Reason::Busy.into()),
        }
    }

    fn is_doubtful(&self, caller: Option<Caller>) -> bool {
        caller.is_some_and(|caller| {
            self.failures.of(caller, (self.clock)()) >= self.limits.failures_a_minute
        })
    }

    async fn collect(&self, body: Body, bytes_max: usize) -> Result<Bytes, Refusal> {
        let whole = Limited::new(body, bytes_max).collect();
        match tokio::time::timeout(self.limits.body_time, whole).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Reason::BodyTooLarge.into()),
            Ok(Err(_)) => Err(Reason::BodyBroken.into()),
            Err(_) => Err(Reason::BodySlow.into()),
        }
    }

    /// Hands a bell over. Only when that has returned does the sender hear 2xx.
    async fn ring(&self, bell: VerifiedBell) -> Result<Answer, Refusal> {
        let (id, source, kind) = (
            bell.connection.clone(),
            bell.source,
            format!("{} {}", bell.event, bell.kind),
        );
        match tokio::time::timeout(ACCEPT_TIME_MAX, self.accept.accept(bell)).await {
            Ok(Ok(AcceptOutcome::Unknown)) => Ok(self.unknown(&id, source, &kind)),
            Ok(Ok(outcome)) => {
                *self.full_until() = None;
                self.counters.outcome(outcome);
                Ok(Answer::Taken(outcome))
            }
            Ok(Err(AcceptError::Full {
                what,
                retry_after_s,
            })) => Err(self.full(retry_after_s, what)),
            Ok(Err(AcceptError::Broken { source })) => {
                Err(Refusal::told(Reason::StoreBroken, source.to_string()))
            }
            Err(_) => Err(Refusal::told(
                Reason::StoreBroken,
                format!("no answer within {} s", ACCEPT_TIME_MAX.as_secs()),
            )),
        }
    }

    fn full(&self, retry_after_s: u32, what: String) -> Refusal {
        let until = (self.clock)() + Duration::from_secs(retry_after_s.into());
        *self.full_until() = Some(until);
        Refusal {
            reason: Reason::StoreFull,
            retry_after_s: Some(retry_after_s),
            detail: Some(what),
        }
    }

    fn full_until(&self) -> MutexGuard<'_, Option<SystemTime>> {
        self.full_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// What a caller hears whose proof failed. One that failed too often does not hear why; and while the store is full, only those who have proven
    /// themselves are told so.
    fn unproven(&self, caller: Option<Caller>, refusal: Refusal) -> Refusal {
        let now = (self.clock)();
        if refusal.reason.status() != StatusCode::UNAUTHORIZED {
            return refusal;
        }
        let is_doubtful = self.is_doubtful(caller);
        if let Some(caller) = caller {
            self.failures.add(caller, now);
        }
        if is_doubtful {
            Refusal {
                reason: Reason::CallerFailed,
                ..refusal
            }
        } else if self.full_until().is_some_and(|until| now < until) {
            Reason::Busy.into()
        } else {
            refusal
        }
    }

    /// Acknowledged, because the sender would only repeat it; counted, and told once.
    fn unknown(&self, id: &str, source: Source, kind: &str) -> Answer {
        self.counters.outcome(AcceptOutcome::Unknown);
        if self
            .counters
            .first_of_kind(&format!("{} {kind}", source.as_str()))
        {
            tracing::info!(
                webhook.connection = id,
                webhook.source = source.as_str(),
                webhook.event = kind,
                "an event of a kind that nobody here listens to; acknowledged, and told only this once"
            );
        }
        Answer::Taken(AcceptOutcome::Unknown)
    }

    fn answer(
        &self,
        source: Source,
        id: &str,
        caller: Option<Caller>,
        result: Result<Answer, Refusal>,
    ) -> Response {
        match result {
            Ok(answer) => {
                let outcome = match answer {
                    Answer::Taken(AcceptOutcome::Rung) => r#"{"outcome":"accepted"}"#,
                    Answer::Taken(AcceptOutcome::Duplicate) => r#"{"outcome":"duplicate"}"#,
                    Answer::Taken(AcceptOutcome::Unknown) => r#"{"outcome":"unknown"}"#,
                    Answer::Test => r#"{"outcome":"test"}"#,
                };
                (
                    StatusCode::OK,
                    [(header::CONTENT_TYPE, "application/json")],
                    outcome,
                )
                    .into_response()
            }
            Err(refusal) => {
                let refusal = self.unproven(caller, refusal);
                self.counters.refused(refusal.reason);
                let known = self
                    .connections
                    .get_key_value(id)
                    .map(|(id, _)| id.as_str());
                self.log
                    .write(Some(source), known, &refusal, (self.clock)());
                refusal.into_response()
            }
        }
    }
}

async fn partner_center(
    State(door): State<Arc<Door>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let caller = caller(&request);
    let result = door.hear_partner_center(&id, caller, request).await;
    door.answer(Source::PartnerCenter, &id, caller, result)
}

async fn dataverse(
    State(door): State<Arc<Door>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let caller = caller(&request);
    let result = door.hear_dataverse(&id, request).await;
    door.answer(Source::Dataverse, &id, caller, result)
}

async fn not_post(State(door): State<Arc<Door>>) -> Response {
    let refusal = Refusal::from(Reason::MethodNotAllowed);
    door.counters.refused(refusal.reason);
    door.log.write(None, None, &refusal, (door.clock)());
    refusal.into_response()
}

/// Who sent it, where the server says so.
fn caller(request: &Request) -> Option<Caller> {
    request.extensions().get().copied()
}

/// What the headers say about the body, before anything of it is read.
fn check_size(headers: &HeaderMap, bytes_max: usize) -> Result<(), Refusal> {
    // No number, or several: the server has refused the request already.
    let length = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse::<u64>().ok());
    if length.is_some_and(|length| length > bytes_max as u64) {
        return Err(Reason::BodyTooLarge.into());
    }
    match headers.get(header::CONTENT_ENCODING) {
        Some(encoding) if !encoding.as_bytes().eq_ignore_ascii_case(b"identity") => {
            Err(Reason::BodyEncoded.into())
        }
        _ => Ok(()),
    }
}
