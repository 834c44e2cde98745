//! The host in the certificate url, with a private CA of its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::{StatusCode, header};
use rcgen::{CertificateParams, CertifiedIssuer, KeyPair, SanType};
use rustls_pki_types::PrivateKeyDer;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::authority::{authority, ca};

/// The host in the certificate url: HTTPS with a private CA, counting what it is asked.
pub(crate) struct CertificateHost {
    pub(crate) port: u16,
    pub(crate) tls_root: String,
    hits: Arc<Mutex<HashMap<String, usize>>>,
    /// Files that tests put there, over those of the authority.
    files: Arc<Mutex<HashMap<String, Vec<u8>>>>,
}

type Served = (
    Arc<Mutex<HashMap<String, usize>>>,
    Arc<Mutex<HashMap<String, Vec<u8>>>>,
);

impl CertificateHost {
    pub(crate) async fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let ca =
            CertifiedIssuer::self_signed(ca("Test TLS", "TLS root"), KeyPair::generate().unwrap())
                .unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params
            .subject_alt_names
            .push(SanType::IpAddress("127.0.0.1".parse().unwrap()));
        let certificate = params.signed_by(&key, &ca).unwrap();
        let config = rustls::ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            )
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        // "localhost" may resolve to either address first.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let hits = Arc::new(Mutex::new(HashMap::new()));
        let files = Arc::new(Mutex::new(HashMap::new()));
        let app = Router::new()
            .route("/{file}", get(file))
            .with_state((Arc::clone(&hits), Arc::clone(&files)));
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (acceptor, app) = (acceptor.clone(), app.clone());
                tokio::spawn(async move {
                    if let Ok(socket) = acceptor.accept(socket).await {
                        let service = hyper_util::service::TowerToHyperService::new(app);
                        let _ = hyper::server::conn::http1::Builder::new()
                            .serve_connection(hyper_util::rt::TokioIo::new(socket), service)
                            .await;
                    }
                });
            }
        });
        Self {
            port,
            tls_root: ca.pem(),
            hits,
            files,
        }
    }

    pub(crate) fn url(&self, file: &str) -> String {
        format!("https://localhost:{}/{file}", self.port)
    }

    pub(crate) fn hits(&self, file: &str) -> usize {
        self.hits.lock().unwrap().get(file).copied().unwrap_or(0)
    }

    pub(crate) fn put(&self, file: &str, content: Vec<u8>) {
        self.files.lock().unwrap().insert(file.to_owned(), content);
    }
}

async fn file(State((hits, files)): State<Served>, Path(file): Path<String>) -> Response {
    *hits.lock().unwrap().entry(file.clone()).or_default() += 1;
    if file == "moved.pem" {
        return (StatusCode::FOUND, [(header::LOCATION, "/chain.pem")]).into_response();
    }
    if file == "silent.pem" {
        return std::future::pending().await;
    }
    if file == "dripping.pem" {
        // A first piece in time, and then nothing more.
        let first = futures_util::stream::iter([Ok::<_, std::io::Error>(
            bytes::Bytes::from_static(b"-----BEGIN CERTIFICATE-----\n"),
        )]);
        let body = futures_util::StreamExt::chain(first, futures_util::stream::pending());
        return axum::body::Body::from_stream(body).into_response();
    }
    if file == "endless.pem" {
        // No Content-Length: the reader has to stop by itself.
        let chunks = std::iter::repeat_with(|| {
            Ok::<_, std::io::Error>(bytes::Bytes::from(vec![b'A'; 4096]))
        })
        .take(64);
        return axum::body::Body::from_stream(futures_util::stream::iter(chunks)).into_response();
    }
    let content = files
        .lock()
        .unwrap()
        .get(&file)
        .cloned()
        .or_else(|| authority().files.get(file.as_str()).cloned());
    content.map_or_else(
        || StatusCode::NOT_FOUND.into_response(),
        |content| content.into_response(),
    )
}
