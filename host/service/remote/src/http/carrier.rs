//! How a request travels: over the network, or to a service that stands in the same process.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use http::header::HeaderMap;
use http::{Method, Response};
use url::Url;

use super::{HttpSettings, SetupError};

/// A whole request, its token among the headers.
#[derive(Debug, Clone)]
pub struct Parcel {
    /// HTTP method.
    pub method: Method,
    /// With its query, encoded.
    pub url: Url,
    /// All but those that a connection adds by itself.
    pub headers: HeaderMap,
    /// None: no body, which is not the same as an empty one.
    pub body: Option<Bytes>,
    /// A larger answer is not wanted.
    pub answer_bytes_max: usize,
}

/// Why no whole answer came. What it means for a write is decided by the caller, from whether it had left.
#[derive(Debug, Clone)]
pub enum Broken {
    /// No connection stood: nothing was sent.
    NeverSent(Cause),
    /// It was sent, and whether the other side has acted on it is unknown.
    Cut(Cause),
    /// The answer is larger than was wanted.
    TooLarge,
}

/// What lay beneath.
#[derive(Debug, Clone, Default)]
pub struct Cause {
    /// The time was up.
    pub timed_out: bool,
    /// A socket, a TLS handshake.
    pub source: Option<Arc<dyn Error + Send + Sync>>,
}

/// Carries requests, once each.
///
/// A trait because two real things carry: the network, and the door of a simulated world in this process, where thousands of histories
/// are played without a socket.
pub trait Carrier: fmt::Debug + Send + Sync + 'static {
    /// Sends once and reads the whole answer, whatever its status.
    fn carry(&self, parcel: Parcel) -> BoxFuture<'_, Result<Response<Bytes>, Broken>>;

    /// The clock by which tokens and what is known about an organisation grow old.
    fn now(&self) -> Instant {
        Instant::now()
    }

    /// From 0 up to 1: keeps many hosts from asking for a token in the same second.
    fn chance(&self) -> f64 {
        rand::random()
    }
}

/// The network.
#[derive(Debug)]
pub(super) struct Network {
    client: reqwest::Client,
}

impl Network {
    pub(super) fn new(settings: &HttpSettings) -> Result<Self, SetupError> {
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
        let client = reqwest::Client::builder();
        let client = if settings.direct {
            client.no_proxy()
        } else {
            client
        };
        let client = client
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

    async fn send(&self, parcel: Parcel) -> Result<Response<Bytes>, Broken> {
        let mut request = reqwest::Request::new(parcel.method, parcel.url);
        *request.headers_mut() = parcel.headers;
        *request.body_mut() = parcel.body.map(Into::into);
        let mut answer = self.client.execute(request).await.map_err(broken)?;
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = answer.status();
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        let mut body = BytesMut::new();
        while let Some(chunk) = answer.chunk().await.map_err(broken)? {
            if body.len() + chunk.len() > parcel.answer_bytes_max {
                return Err(Broken::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        *response.body_mut() = body.freeze();
        Ok(response)
    }
}

impl Carrier for Network {
    fn carry(&self, parcel: Parcel) -> BoxFuture<'_, Result<Response<Bytes>, Broken>> {
        Box::pin(self.send(parcel))
    }
}

fn broken(error: reqwest::Error) -> Broken {
    let error = error.without_url();
    // Until a connection stands, nothing was sent.
    let never_sent = error.is_connect() || error.is_builder();
    let cause = Cause {
        timed_out: error.is_timeout(),
        source: Some(Arc::new(error)),
    };
    if never_sent {
        Broken::NeverSent(cause)
    } else {
        Broken::Cut(cause)
    }
}
