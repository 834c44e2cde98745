//! The one HTTP layer: headers, limits, request ids, and what a status means.
//!
//! No redirects (a token must not follow one), no cookies (they pin us to one web server of a CRM), no compression (a body limit that
//! counts compressed bytes limits nothing), no retries (only the worker retries).

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use tracing::field::Empty;
use tracing::{Instrument as _, Span, trace_span};
use url::Url;

use crate::auth::Tokens;
use crate::error::{Class, RemoteError, Service};
use crate::http::carrier::Network;
use crate::http::told::{Told, request_ids};
use crate::json;
use crate::meter::Meter;

pub use carrier::{Broken, Carrier, Cause, Parcel};
pub use endpoint::{Endpoint, SetupError};
pub(crate) use endpoint::{encode, fresh_id, guid, query_text};
pub(crate) use told::{readable, retry_after};

mod carrier;
mod endpoint;
#[cfg(test)]
mod hostile;
mod told;

/// Largest answer to a data call. A page of referrals or rows is below 5 MB; more is not ours.
pub(crate) const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How calls are made.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// From connecting to the last byte of the body.
    pub timeout: Duration,
    /// Of that, for TCP and TLS.
    pub connect_timeout: Duration,
    /// Private certificate authorities, as PEM text; each may hold several certificates. The machine's own stay trusted.
    pub extra_roots_pem: Vec<String>,
    /// Past every proxy that the environment names: what is asked stands on this machine.
    pub direct: bool,
}

impl Default for HttpSettings {
    /// 60 s, as the CRM itself allows its callers; 10 s to connect.
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(10),
            extra_roots_pem: Vec::new(),
            direct: false,
        }
    }
}

/// What carries our requests, cheap to clone.
#[derive(Debug, Clone)]
pub struct Http {
    carrier: Arc<dyn Carrier>,
}

impl Http {
    /// A pool of connections. Makes ring the process's TLS provider when none was chosen before.
    ///
    /// # Errors
    /// [`SetupError`] names the setting that is wrong.
    pub fn new(settings: &HttpSettings) -> Result<Self, SetupError> {
        Ok(Self::over(Arc::new(Network::new(settings)?)))
    }

    /// Another way than the network.
    #[must_use]
    pub fn over(carrier: Arc<dyn Carrier>) -> Self {
        Self { carrier }
    }

    /// Sends what is no call to Microsoft.
    pub(crate) async fn carry(&self, parcel: Parcel) -> Result<http::Response<Bytes>, Broken> {
        self.carrier.carry(parcel).await
    }

    /// The clock by which tokens and what is known about an organisation grow old.
    pub(crate) fn now(&self) -> Instant {
        self.carrier.now()
    }

    /// From 0 up to 1.
    pub(crate) fn chance(&self) -> f64 {
        self.carrier.chance()
    }

    /// Sends once and reads the whole answer, whatever its status.
    pub(crate) async fn send(
        &self,
        call: &Call,
        bearer: Option<&SecretString>,
    ) -> Result<Answer, RemoteError> {
        if let Some(name) = call.spoilt {
            let message = format!(
                "the value for the header {name} holds characters that no header can carry"
            );
            return Err(call.refused(&message));
        }
        let mut headers = call.headers.clone();
        if let Some(bearer) = bearer {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", bearer.expose_secret()))
                .map_err(|error| {
                    call.refused("the token holds characters that no header can carry")
                        .with_source(error)
                })?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let parcel = Parcel {
            method: call.method.clone(),
            url: call.url.clone(),
            headers,
            body: call.body.clone(),
            answer_bytes_max: call.body_bytes_max,
        };
        let started = Instant::now();
        let span = call.span();
        let answer = self.carrier.carry(parcel).instrument(span.clone()).await;
        told::note(&span, &call.headers, answer.as_ref().ok());
        let status = match &answer {
            Ok(answer) => answer.status().as_str().to_owned(),
            Err(_) => "none".to_owned(),
        };
        metrics::histogram!(
            "cosell_remote_request_seconds",
            "service" => call.service.to_string(), "method" => call.method.to_string(), "status" => status
        )
        .record(started.elapsed());
        let (head, body) = answer.map_err(|broken| call.broken(broken))?.into_parts();
        tracing::debug!(
            http.service = %call.service, http.method = %call.method, http.path = call.url.path(), http.status = head.status.as_u16(),
            http.bytes = body.len(), http.ms = started.elapsed().as_millis() as u64, "called {}", call.service
        );
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body,
        })
    }
}

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) service: Service,
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Bytes>,
    /// May change something there: decides between "again later" and "look first".
    pub(crate) writes: bool,
    /// Read after "to" in the error.
    pub(crate) doing: String,
    pub(crate) body_bytes_max: usize,
    /// Name of a header that could not be set.
    spoilt: Option<&'static str>,
}

impl Call {
    pub(crate) fn new(
        service: Service,
        method: Method,
        url: Url,
        doing: impl Into<String>,
    ) -> Self {
        let writes = !matches!(method, Method::GET | Method::HEAD);
        Self {
            service,
            method,
            url,
            headers: HeaderMap::new(),
            body: None,
            writes,
            doing: doing.into(),
            body_bytes_max: BODY_BYTES_MAX,
            spoilt: None,
        }
    }

    /// A value that no header can carry spoils the call: sent without it, a conditional write would be a blind one.
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        match HeaderValue::from_str(value) {
            Ok(value) => drop(self.headers.insert(HeaderName::from_static(name), value)),
            Err(_) => self.spoilt = Some(name),
        }
        self
    }

    /// The same for a value that opens something: it is shown nowhere.
    pub(crate) fn secret_header(mut self, name: &'static str, value: &SecretString) -> Self {
        match HeaderValue::from_str(value.expose_secret()) {
            Ok(mut value) => {
                value.set_sensitive(true);
                self.headers.insert(HeaderName::from_static(name), value);
            }
            Err(_) => self.spoilt = Some(name),
        }
        self
    }

    pub(crate) fn body(self, content_type: &str, body: impl Into<Bytes>) -> Self {
        let mut call = self.header("content-type", content_type);
        call.body = Some(body.into());
        call
    }

    pub(crate) fn json(self, body: &json::Body) -> Self {
        self.body("application/json", body.as_str().to_owned())
    }

    /// For traces: where, which way and how, without any id or value; the ids under which the other side knows the call are noted with its answer.
    fn span(&self) -> Span {
        let template = told::template(self.url.path());
        trace_span!(
            target: "cosell_trace",
            "call",
            otel.name = %format!("{} {template}", self.method),
            otel.kind = "client",
            otel.status_code = Empty,
            peer.service = %self.service,
            http.request.method = %self.method,
            http.response.status_code = Empty,
            server.address = self.url.host_str().unwrap_or_default(),
            url.template = %template,
            "client-request-id" = Empty,
            "x-ms-client-request-id" = Empty,
            "ms-correlationid" = Empty,
            "request-id" = Empty,
            "x-ms-service-request-id" = Empty,
            "req_id" = Empty,
            "ms-requestid" = Empty,
            "x-ms-request-id" = Empty,
            "x-ms-correlation-id" = Empty,
        )
    }

    fn refused(&self, message: &str) -> RemoteError {
        RemoteError::refused(self.service, &*self.doing, message)
    }

    /// Our own budget is used up; nothing was sent.
    fn not_yet(&self, wait: Duration) -> RemoteError {
        let class = Class::Transient {
            retry_after: Some(wait),
            throttled: false,
        };
        let message = format!(
            "all that it allows us for a while is used, and there is room again in {} s",
            wait.as_secs() + 1
        );
        RemoteError::new(class, self.service, &*self.doing, message)
    }

    /// No whole answer arrived.
    fn broken(&self, broken: Broken) -> RemoteError {
        let (never_sent, cause) = match broken {
            Broken::NeverSent(cause) => (true, cause),
            Broken::Cut(cause) => (false, cause),
            Broken::TooLarge => return self.too_large(),
        };
        let class = if self.writes && !never_sent {
            Class::UnknownOutcome
        } else {
            Class::Transient {
                retry_after: None,
                throttled: false,
            }
        };
        let host = self.url.host_str().unwrap_or_default();
        let message = if cause.timed_out {
            format!("{host} did not answer in time")
        } else if never_sent {
            format!("no connection to {host}")
        } else {
            format!("the connection to {host} broke before the whole answer had arrived")
        };
        let mut error = RemoteError::new(class, self.service, &*self.doing, message);
        error.source = cause.source;
        error
    }

    fn too_large(&self) -> RemoteError {
        let message = format!("the answer is larger than {} bytes", self.body_bytes_max);
        let class = if self.writes {
            Class::UnknownOutcome
        } else {
            Class::Refused
        };
        RemoteError::new(class, self.service, &*self.doing, message)
    }
}

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(crate) fn text(&self, call: &Call) -> Result<&str, RemoteError> {
        std::str::from_utf8(&self.body).map_err(|error| {
            self.unreadable(call, "the answer is not UTF-8")
                .with_source(error)
        })
    }

    /// A 2xx whose body makes no sense. When the call wrote, it has written.
    pub(crate) fn unreadable(&self, call: &Call, message: impl Into<String>) -> RemoteError {
        let class = if call.writes {
            Class::UnknownOutcome
        } else {
            Class::Transient {
                retry_after: None,
                throttled: false,
            }
        };
        let mut error = RemoteError::new(class, call.service, &*call.doing, message);
        error.status = Some(self.status.as_u16());
        error.about.request_ids = request_ids(&call.headers, &self.headers);
        error
    }

    /// What a status that is no success means, with whatever the body says.
    pub(crate) fn failure(&self, call: &Call) -> RemoteError {
        let told = Told::read(&String::from_utf8_lossy(&self.body));
        let retry_after = retry_after(&self.headers);
        let mut error = RemoteError::new(
            class_of(self.status, call.writes, retry_after),
            call.service,
            &*call.doing,
            told.message,
        );
        error.status = Some(self.status.as_u16());
        error.about.code = told.code;
        error.about.retry_after = retry_after;
        error.about.request_ids = request_ids(&call.headers, &self.headers);
        if self.status.is_redirection() {
            let to = self.header("location").map(readable).unwrap_or_default();
            error.about.message =
                format!("redirected to \"{to}\", and a token never follows a redirect");
            error.about.advice = Some("check the base address in the configuration".to_owned());
        }
        error
    }
}

fn class_of(status: StatusCode, writes: bool, retry_after: Option<Duration>) -> Class {
    let transient = Class::Transient {
        retry_after,
        throttled: false,
    };
    match status.as_u16() {
        401 => Class::Unauthorised,
        403 => Class::Forbidden,
        404 | 410 => Class::NotFound,
        412 => Class::Conflict,
        // Refused at the door for being too many: nothing was done, and it concerns every call of this credential.
        429 | 509 => Class::Transient {
            retry_after,
            throttled: true,
        },
        423 => transient,
        408 | 500..=599 if writes => Class::UnknownOutcome,
        503 => Class::Transient {
            retry_after,
            throttled: retry_after.is_some(),
        },
        408 | 500..=599 => transient,
        _ => Class::Refused,
    }
}

/// One service, with the credential that opens it.
#[derive(Debug, Clone)]
pub(crate) struct Channel {
    pub(crate) service: Service,
    pub(crate) endpoint: Endpoint,
    pub(crate) tokens: Tokens,
    pub(crate) http: Http,
    /// What the credential may ask of the service; None: nobody counts.
    pub(crate) meter: Option<Meter>,
}

impl Channel {
    /// Gets hold of a token, so that a call that follows at once waits for nobody but the service.
    pub(crate) async fn ready(&self) -> Result<(), RemoteError> {
        self.bearer().await.map(drop)
    }

    /// Sends with a token; a 401 costs the token and one more try. Whatever the status, the answer is returned.
    ///
    /// Boxed: an async body is compiled once more in every crate that polls it, and every call comes down to this one.
    #[inline(never)]
    pub(crate) fn send<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Answer, RemoteError>> {
        Box::pin(self.with_a_token(call))
    }

    async fn with_a_token(&self, call: &Call) -> Result<Answer, RemoteError> {
        let bearer = self.bearer().await?;
        let answer = self.once(call, &bearer).await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        self.tokens.invalidate(&self.endpoint.audience, &bearer);
        let bearer = self.bearer().await?;
        self.once(call, &bearer).await
    }

    /// A token for the service. Who is refused one was refused it by another service, which does not know what for.
    async fn bearer(&self) -> Result<SecretString, RemoteError> {
        let token = self.tokens.bearer(&self.endpoint.audience).await;
        token.map_err(|mut error| {
            error.opens = Some(self.service);
            error
        })
    }

    /// One call, in its turn.
    async fn once(&self, call: &Call, bearer: &SecretString) -> Result<Answer, RemoteError> {
        let Some(meter) = &self.meter else {
            return self.http.send(call, Some(bearer)).await;
        };
        let under_way = meter.call().await.map_err(|wait| call.not_yet(wait))?;
        let answer = self.http.send(call, Some(bearer)).await;
        under_way.ended(answer.as_ref().ok());
        answer
    }
}
