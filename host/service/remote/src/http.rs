//! The one HTTP layer: headers, limits, request ids, and what a status means.
//!
//! No redirects (a token must not follow one), no cookies (they pin us to one web server of a CRM), no compression (a body limit that
//! counts compressed bytes limits nothing), no retries (only the worker retries).

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::auth::Tokens;
use crate::error::{Class, RemoteError, Service};
use crate::http::told::{Told, read_retry_after, request_ids};
use crate::json;

pub use endpoint::{Endpoint, SetupError};
pub(crate) use endpoint::{encode, fresh_id, guid, query_text};
pub(crate) use told::readable;

mod endpoint;
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
}

impl Default for HttpSettings {
    /// 60 s, as the CRM itself allows its callers; 10 s to connect.
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(10),
            extra_roots_pem: Vec::new(),
        }
    }
}

/// A pool of connections, cheap to clone.
#[derive(Debug, Clone)]
pub struct Http {
    client: reqwest::Client,
}

impl Http {
    /// Builds the pool. Makes ring the process's TLS provider when none was chosen before.
    ///
    /// # Errors
    /// [`SetupError`] names the setting that is wrong.
    pub fn new(settings: &HttpSettings) -> Result<Self, SetupError> {
        // Err means that someone has chosen already, which is as good.
        let _chosen_before = rustls::crypto::ring::default_provider().install_default();
        let mut roots = Vec::new();
        for (number, pem) in (1..).zip(&settings.extra_roots_pem) {
            let certificates =
                reqwest::Certificate::from_pem_bundle(pem.as_bytes()).map_err(|source| {
                    SetupError::Roots {
                        number,
                        source: Some(source),
                    }
                })?;
            if certificates.is_empty() {
                return Err(SetupError::Roots {
                    number,
                    source: None,
                });
            }
            roots.extend(certificates);
        }
        let client = reqwest::Client::builder()
            .user_agent(concat!("cosell/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .timeout(settings.timeout)
            .connect_timeout(settings.connect_timeout)
            .tls_certs_merge(roots)
            .build()
            .map_err(|source| SetupError::Client { source })?;
        Ok(Self { client })
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
        let mut request = reqwest::Request::new(call.method.clone(), call.url.clone());
        *request.headers_mut() = call.headers.clone();
        if let Some(bearer) = bearer {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", bearer.expose_secret()))
                .map_err(|error| {
                    call.refused("the token holds characters that no header can carry")
                        .with_source(error)
                })?;
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        if let Some(body) = &call.body {
            *request.body_mut() = Some(body.clone().into());
        }
        let started = Instant::now();
        let answer = self
            .client
            .execute(request)
            .await
            .map_err(|error| call.broken(error))?;
        let status = answer.status();
        let headers = answer.headers().clone();
        let body = read_body(answer, call).await?;
        tracing::debug!(
            http.service = %call.service, http.method = %call.method, http.path = call.url.path(), http.status = status.as_u16(),
            http.bytes = body.len(), http.ms = started.elapsed().as_millis() as u64, "called {}", call.service
        );
        Ok(Answer {
            status,
            headers,
            body,
        })
    }
}

async fn read_body(mut answer: reqwest::Response, call: &Call) -> Result<Bytes, RemoteError> {
    let mut body = BytesMut::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| call.broken(error))? {
        if body.len() + chunk.len() > call.body_bytes_max {
            let message = format!("the answer is larger than {} bytes", call.body_bytes_max);
            let class = if call.writes {
                Class::UnknownOutcome
            } else {
                Class::Refused
            };
            return Err(RemoteError::new(class, call.service, &*call.doing, message));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
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

    pub(crate) fn body(self, content_type: &str, body: impl Into<Bytes>) -> Self {
        let mut call = self.header("content-type", content_type);
        call.body = Some(body.into());
        call
    }

    pub(crate) fn json(self, body: &json::Body) -> Self {
        self.body("application/json", body.as_str().to_owned())
    }

    fn refused(&self, message: &str) -> RemoteError {
        RemoteError::refused(self.service, &*self.doing, message)
    }

    /// No whole answer arrived.
    fn broken(&self, error: reqwest::Error) -> RemoteError {
        let error = error.without_url();
        // Until a connection stands, nothing was sent.
        let never_sent = error.is_connect() || error.is_builder();
        let class = if self.writes && !never_sent {
            Class::UnknownOutcome
        } else {
            Class::Transient {
                retry_after: None,
                throttled: false,
            }
        };
        let host = self.url.host_str().unwrap_or_default();
        let message = if error.is_timeout() {
            format!("{host} did not answer in time")
        } else if never_sent {
            format!("no connection to {host}")
        } else {
            format!("the connection to {host} broke before the whole answer had arrived")
        };
        RemoteError::new(class, self.service, &*self.doing, message).with_source(error)
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
        let retry_after = self
            .headers
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .and_then(read_retry_after);
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
    pub(crate) endpoint: Endpoint,
    pub(crate) tokens: Tokens,
    pub(crate) http: Http,
}

impl Channel {
    /// Sends with a token; a 401 costs the token and one more try. Whatever the status, the answer is returned.
    pub(crate) async fn send(&self, call: &Call) -> Result<Answer, RemoteError> {
        let bearer = self.tokens.bearer(&self.endpoint.audience).await?;
        let answer = self.http.send(call, Some(&bearer)).await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        self.tokens.invalidate(&self.endpoint.audience, &bearer);
        let bearer = self.tokens.bearer(&self.endpoint.audience).await?;
        self.http.send(call, Some(&bearer)).await
    }
}
