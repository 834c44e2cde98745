//! The one HTTP layer: headers, limits, request ids, and what a status means.
//!
//! No redirects (a token must not follow one), no cookies (they pin us to one web server of a CRM), no compression (a body limit that
//! counts compressed bytes limits nothing), no retries (only the worker retries).

use std::fmt;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::auth::Tokens;
use crate::error::{Class, RemoteError, Service};
use crate::json;

/// Longest wait that we accept from a `Retry-After`: an hour is far beyond what either vendor sends, and a broken date must not stop a credential for a year.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// Longest message of the other side that is kept: Partner Center's own limit for `error.message`.
const MESSAGE_CHARS_MAX: usize = 1024;

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

/// Why no client could be built. All of these are mistakes of the configuration.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A PEM text holds no certificate, or a broken one.
    #[error(
        "extra root certificates, text {number}: no readable certificate; expected PEM, \"-----BEGIN CERTIFICATE-----\""
    )]
    Roots {
        /// Counted from 1.
        number: usize,
        /// From the parser.
        source: Option<reqwest::Error>,
    },
    /// TLS could not be set up.
    #[error("the HTTPS client could not be set up")]
    Client {
        /// From the library.
        source: reqwest::Error,
    },
    /// An address that cannot be called.
    #[error("\"{address}\" is no address to call: {problem}")]
    Address {
        /// As configured.
        address: String,
        /// One sentence.
        problem: String,
    },
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
        }
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        // Values come from us or were read from a header; anything else is dropped rather than sent in a changed form.
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(HeaderName::from_static(name), value);
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

/// Seconds, or a date.
fn read_retry_after(text: &str) -> Option<Duration> {
    let text = text.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date = jiff::fmt::rfc2822::DateTimeParser::new()
                .parse_timestamp(text)
                .ok()?;
            let now = std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .ok()?;
            Duration::from_secs(u64::try_from(date.as_second()).ok()?).saturating_sub(now)
        }
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

/// Request ids that either side put on the exchange.
fn request_ids(sent: &HeaderMap, received: &HeaderMap) -> Vec<(String, String)> {
    const SENT: [&str; 3] = [
        "client-request-id",
        "x-ms-client-request-id",
        "ms-correlationid",
    ];
    const RECEIVED: [&str; 5] = [
        "request-id",
        "x-ms-service-request-id",
        "req_id",
        "ms-requestid",
        "x-ms-request-id",
    ];
    let pick = |headers: &HeaderMap, name: &str| {
        Some((name.to_owned(), readable(headers.get(name)?.to_str().ok()?)))
    };
    SENT.iter()
        .filter_map(|name| pick(sent, name))
        .chain(RECEIVED.iter().filter_map(|name| pick(received, name)))
        .collect()
}

/// Code and words of an error body, in any of the shapes that the two vendors and their gateways use.
struct Told {
    code: Option<String>,
    message: String,
}

impl Told {
    /// `{"error":{"code","message","innerError":{…}}}`, `{"code","description"}`, `{"statusCode","message"}`,
    /// `{"error":"…","error_description":"…"}`, or no JSON at all. Names in any case.
    fn read(body: &str) -> Self {
        let Some(members) = json::object_any_case(body) else {
            return Self {
                code: None,
                message: readable(&without_tags(body)),
            };
        };
        let text = |members: &json::Object, name: &str| {
            members.get(name).and_then(|raw| json::filled(raw))
        };
        match members
            .get("error")
            .and_then(|raw| json::object_any_case(raw.get()))
        {
            Some(mut error) => {
                let mut code = text(&error, "code");
                let mut message = text(&error, "message").unwrap_or_default();
                // The deeper, the more precise. A server that nests without end is not followed without end.
                for _ in 0..8 {
                    let Some(inner) = error
                        .get("innererror")
                        .and_then(|raw| json::object_any_case(raw.get()))
                    else {
                        break;
                    };
                    code = text(&inner, "code").or(code);
                    match text(&inner, "message") {
                        Some(more) if !message.contains(&more) => {
                            message = format!("{message} ({more})")
                        }
                        _ => {}
                    }
                    error = inner;
                }
                Self {
                    code,
                    message: readable(&message),
                }
            }
            None => {
                let code = text(&members, "code").or_else(|| text(&members, "error"));
                let words = ["description", "error_description", "message"];
                let message = words
                    .iter()
                    .find_map(|name| text(&members, name))
                    .unwrap_or_default();
                Self {
                    code,
                    message: readable(&message),
                }
            }
        }
    }
}

/// Gateways answer in HTML; only its words are worth keeping.
fn without_tags(body: &str) -> String {
    let mut words = String::new();
    let mut inside = false;
    for character in body.chars().take(4 * MESSAGE_CHARS_MAX) {
        match character {
            '<' => inside = true,
            '>' if inside => {
                inside = false;
                words.push(' ');
            }
            _ if inside => {}
            other => words.push(other),
        }
    }
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Fit for a log line: short, one line, no control characters.
pub(crate) fn readable(text: &str) -> String {
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MESSAGE_CHARS_MAX)
        .collect();
    line.trim().to_owned()
}

/// Where a service is, and for whom its tokens are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub(crate) base: Url,
    pub(crate) audience: String,
}

impl Endpoint {
    /// `base` with its path, without a query. Tokens are asked for its origin unless [`Endpoint::for_audience`] says otherwise.
    ///
    /// # Errors
    /// [`SetupError::Address`] when it is no address, or not `https` and not on this machine: a token sent in clear text is a lost token.
    pub fn new(base: &str) -> Result<Self, SetupError> {
        let wrong = |problem: &str| SetupError::Address {
            address: base.to_owned(),
            problem: problem.to_owned(),
        };
        let mut url = Url::parse(base).map_err(|error| wrong(&error.to_string()))?;
        let on_this_machine = match url.host() {
            Some(url::Host::Domain(name)) => name == "localhost",
            Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
            None => return Err(wrong("it has no host")),
        };
        match url.scheme() {
            "https" => {}
            "http" if on_this_machine => {}
            _ => return Err(wrong("it must begin with https://")),
        }
        if url.query().is_some()
            || url.fragment().is_some()
            || !url.username().is_empty()
            || url.password().is_some()
        {
            return Err(wrong("only scheme, host, port and path belong here"));
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        let audience = url.origin().ascii_serialization();
        Ok(Self {
            base: url,
            audience,
        })
    }

    /// Tokens are for this audience, when it differs from the base's origin.
    #[must_use]
    pub fn for_audience(mut self, audience: &str) -> Self {
        audience
            .trim_end_matches('/')
            .clone_into(&mut self.audience);
        self
    }

    /// An address below the base. `path` begins with a slash; `query` is encoded already.
    pub(crate) fn url(&self, path: &str, query: Option<&str>) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        url.set_query(query);
        url
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.base)
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

/// Percent-encodes one value of a query. A space is `%20`, never `+`, because OData servers disagree about `+`.
pub(crate) fn encode(value: &str) -> String {
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z'
            | b'a'..=b'z'
            | b'0'..=b'9'
            | b'-'
            | b'.'
            | b'_'
            | b'~'
            | b'('
            | b')'
            | b','
            | b'/'
            | b':'
            | b'$'
            | b'='
            | b';'
            | b'@'
            | b'*' => encoded.push(char::from(byte)),
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

/// `name=value&name=value`, values encoded, names as they are.
pub(crate) fn query_text(pairs: &[(&str, String)]) -> String {
    pairs
        .iter()
        .map(|(name, value)| format!("{name}={}", encode(value)))
        .collect::<Vec<_>>()
        .join("&")
}

/// A GUID in lower case and with hyphens, or nothing.
pub(crate) fn guid(text: &str) -> Option<String> {
    let trimmed = text.trim().trim_start_matches('{').trim_end_matches('}');
    (trimmed.len() == 36)
        .then(|| uuid::Uuid::parse_str(trimmed).ok())
        .flatten()
        .map(|id| id.to_string())
}

/// A fresh id for one request.
pub(crate) fn fresh_id() -> String {
    uuid::Builder::from_random_bytes(rand::random())
        .into_uuid()
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date_and_never_a_year() {
        assert_eq!(read_retry_after("57"), Some(Duration::from_secs(57)));
        assert_eq!(
            read_retry_after("Sun, 06 Nov 1994 08:49:37 GMT"),
            Some(Duration::ZERO)
        );
        assert_eq!(
            read_retry_after("Sun, 06 Nov 2994 08:49:37 GMT"),
            Some(RETRY_AFTER_MAX)
        );
        assert_eq!(read_retry_after("soon"), None);
    }

    #[test]
    fn every_error_shape_gives_its_code_and_words() {
        let shapes = [
            (
                r#"{"error":{"code":"invalidRequest","message":"Bad.","innererror":{"Code":"badStage","message":"No such stage."}}}"#,
                Some("badStage"),
                "Bad. (No such stage.)",
            ),
            (
                r#"{"Code":"2000","Description":"Already there.","data":[]}"#,
                Some("2000"),
                "Already there.",
            ),
            (
                r#"{ "statusCode": 429, "message": "Rate limit is exceeded. Try again in 57 seconds." }"#,
                None,
                "Rate limit is exceeded. Try again in 57 seconds.",
            ),
            (
                "<html><body><h1>502</h1>\n<p>Bad\tGateway</p></body></html>",
                None,
                "502 Bad Gateway",
            ),
            (r#"{"error":{"code":"","message":"m"}}"#, None, "m"),
            ("", None, ""),
        ];
        for (body, code, message) in shapes {
            let told = Told::read(body);
            assert_eq!(
                (told.code.as_deref(), told.message.as_str()),
                (code, message)
            );
        }
    }

    #[test]
    fn a_token_is_never_sent_in_clear_text_beyond_this_machine() {
        assert!(Endpoint::new("http://api.partner.example/v1.0").is_err());
        assert!(Endpoint::new("ftp://localhost/").is_err());
        assert!(Endpoint::new("https://user@org.example/").is_err());
        assert!(Endpoint::new("http://127.0.0.1:8080/v1.0").is_ok());
        let endpoint =
            Endpoint::new("https://api.partner.microsoft.com/v1.0/engagements/").unwrap();
        assert_eq!(endpoint.audience, "https://api.partner.microsoft.com");
        assert_eq!(
            endpoint.url("/referrals", Some("$top=1")).as_str(),
            "https://api.partner.microsoft.com/v1.0/engagements/referrals?$top=1"
        );
    }
}
