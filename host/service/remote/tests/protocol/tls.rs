//! Private certificate authorities: trusted when configured, and only then.

use std::sync::Arc;

use cosell_remote::{Class, Http, HttpSettings, SetupError, Tokens};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;

use crate::fake::credential;

/// Address of a token endpoint behind TLS, and the PEM of who vouches for it.
async fn entra() -> (String, String) {
    let signed = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(signed.signing_key.serialize_der()));
    let chain = vec![CertificateDer::from(signed.cert.der().to_vec())];
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!(
        "https://localhost:{}",
        listener.local_addr().unwrap().port()
    );
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            // A caller who does not trust us hangs up here.
            let Ok(mut socket) = acceptor.accept(socket).await else {
                continue;
            };
            let mut request = [0; 16 * 1024];
            let _read = socket.read(&mut request).await.unwrap();
            let body = r#"{"expires_in":3599,"access_token":"a"}"#;
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            socket.write_all(answer.as_bytes()).await.unwrap();
            socket.shutdown().await.unwrap();
        }
    });
    (address, signed.cert.pem())
}

#[tokio::test]
async fn a_private_authority_is_trusted_when_it_is_configured() {
    let (address, pem) = entra().await;
    let settings = HttpSettings {
        extra_roots_pem: vec![pem],
        ..HttpSettings::default()
    };
    let tokens = Tokens::new(&address, credential(), Http::new(&settings).unwrap()).unwrap();
    tokens.bearer("https://org.example").await.unwrap();
}

#[tokio::test]
async fn a_stranger_is_not_trusted_and_never_gets_the_secret() {
    let (address, _) = entra().await;
    let (_, other_pem) = entra().await;
    let settings = HttpSettings {
        extra_roots_pem: vec![other_pem],
        ..HttpSettings::default()
    };
    let tokens = Tokens::new(&address, credential(), Http::new(&settings).unwrap()).unwrap();
    let error = tokens.bearer("https://org.example").await.unwrap_err();
    assert!(matches!(
        error.class,
        Class::Transient {
            throttled: false,
            ..
        }
    ));
    assert!(
        error.to_string().contains("no connection to localhost"),
        "{error}"
    );
}

#[test]
fn roots_that_are_none_are_a_mistake_of_the_configuration() {
    for pem in [
        "",
        "hello",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        let settings = HttpSettings {
            extra_roots_pem: vec![pem.to_owned()],
            ..HttpSettings::default()
        };
        let error = Http::new(&settings).unwrap_err();
        assert!(
            matches!(
                error,
                SetupError::Roots { number: 1, .. } | SetupError::Client { .. }
            ),
            "{error}"
        );
    }
}
