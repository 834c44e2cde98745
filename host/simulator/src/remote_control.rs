//! Control of a simulator that runs in another process: orders in words, sent to its control listener.

mod deeds;
mod time;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

pub use deeds::{DEEDS, Deed, Says};
pub use time::{milliseconds, moment};

/// A world may be large; who waits longer than this waits for nothing.
const PATIENCE: Duration = Duration::from_secs(600);

/// Why an order did not come to pass.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// Nobody answers.
    #[error("no simulator answers at {url}; `cosell simulator` starts one")]
    Unreachable {
        /// Where it was looked for.
        url: String,
        /// What the network said.
        source: reqwest::Error,
    },
    /// The simulator says no, in its own words.
    #[error("{reason}")]
    Refused {
        /// Its words.
        reason: String,
    },
    /// The order was not understood here already.
    #[error("{reason}")]
    Order {
        /// What is wrong with it, and what is known.
        reason: String,
    },
    /// The authority's certificate cannot be read.
    #[error("the certificate authority of the simulator cannot be read")]
    Authority {
        /// What the library said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// A request to control.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// `GET`, `POST`, `PATCH`, `PUT` or `DELETE`.
    pub method: &'static str,
    /// Path and query.
    pub path: String,
    /// What is sent with it.
    pub body: Option<Value>,
}

impl Order {
    /// Asks for something.
    pub fn get(path: &str) -> Self {
        Self {
            method: "GET",
            path: path.to_owned(),
            body: None,
        }
    }

    /// Asks for both sides of every deal in whose name, customer or ids `find` stands.
    pub fn deals(find: &str) -> Self {
        Self::get(&format!("/deals?find={}", crate::wire::encode(find)))
    }

    /// Orders something.
    pub fn post(path: &str, body: Value) -> Self {
        Self {
            method: "POST",
            path: path.to_owned(),
            body: Some(body),
        }
    }

    /// What a person said: who, what, of which record, then `NAME=VALUE` pairs; `body` is laid under the pairs.
    ///
    /// Values that are JSON numbers, lists, objects, `true`, `false` or `null` are those; every other value is text. Slashes in names lead inwards.
    ///
    /// # Errors
    /// [`RemoteError::Order`] says what is missing, and what is known.
    pub fn act(words: &[String], body: Option<Value>) -> Result<Self, RemoteError> {
        deeds::read(words, body).map_err(|reason| RemoteError::Order { reason })
    }
}

/// The hands on a simulator in another process.
#[derive(Clone, Debug)]
pub struct RemoteControl {
    client: reqwest::Client,
    root: String,
}

impl RemoteControl {
    /// Control at `root`, such as `https://127.0.0.1:7605`, trusting nothing but the authority in `ca_pem`.
    ///
    /// # Errors
    /// [`RemoteError::Authority`].
    pub fn new(root: &str, ca_pem: &str) -> Result<Self, RemoteError> {
        use rustls::pki_types::{CertificateDer, pem::PemObject as _};
        let authority =
            |source: Box<dyn std::error::Error + Send + Sync>| RemoteError::Authority { source };
        let mut roots = rustls::RootCertStore::empty();
        for root in CertificateDer::pem_slice_iter(ca_pem.as_bytes()) {
            let root = root.map_err(|error| authority(Box::new(error)))?;
            roots
                .add(root)
                .map_err(|error| authority(Box::new(error)))?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| authority(Box::new(error)))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            .build()
            .map_err(|error| authority(Box::new(error)))?;
        Ok(Self {
            client,
            root: root.trim_end_matches('/').to_owned(),
        })
    }

    /// Sends an order; the answer is control's JSON.
    ///
    /// # Errors
    /// [`RemoteError::Unreachable`] and [`RemoteError::Refused`].
    pub async fn order(&self, order: &Order) -> Result<Value, RemoteError> {
        let body = order
            .body
            .as_ref()
            .map(|body| body.to_string().into_bytes());
        let answer = self.send(order.method, &order.path, body).await?;
        Ok(serde_json::from_slice(&answer).unwrap_or(Value::Null))
    }

    /// The whole world, as [`Control::save`](crate::Control::save) writes it.
    ///
    /// # Errors
    /// As [`RemoteControl::order`].
    pub async fn save(&self) -> Result<Vec<u8>, RemoteError> {
        self.send("GET", "/world", None).await
    }

    /// The simulator becomes the world of a file.
    ///
    /// # Errors
    /// As [`RemoteControl::order`].
    pub async fn load(&self, file: Vec<u8>) -> Result<(), RemoteError> {
        self.send("PUT", "/world", Some(file)).await.map(drop)
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<Vec<u8>, RemoteError> {
        let unreachable = |source| RemoteError::Unreachable {
            url: self.root.clone(),
            source,
        };
        let method = method.parse().unwrap_or_default();
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.root))
            .header("accept", "application/json");
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body);
        }
        let answer = request.send().await.map_err(unreachable)?;
        let good = answer.status().is_success();
        let text = answer.bytes().await.map_err(unreachable)?;
        if good {
            return Ok(text.to_vec());
        }
        let said: Value = serde_json::from_slice(&text).unwrap_or_else(|_| json!({}));
        let reason = said["error"]
            .as_str()
            .unwrap_or("the simulator refused and said nothing");
        Err(RemoteError::Refused {
            reason: reason.to_owned(),
        })
    }
}
