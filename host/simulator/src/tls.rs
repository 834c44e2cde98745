//! TLS on both ends: what the listeners show, and whom the sender of webhooks trusts.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use tokio_rustls::TlsAcceptor;

use crate::config::SimulatorConfig;
use crate::running::SimulatorError;
use crate::signing::TlsIdentity;

/// A failure of the key library.
pub(crate) fn keys_failed(error: impl std::error::Error + Send + Sync + 'static) -> SimulatorError {
    SimulatorError::Keys {
        source: Box::new(error),
    }
}

/// What a listener accepts TLS connections with.
pub(crate) fn acceptor(identity: &TlsIdentity) -> Result<TlsAcceptor, SimulatorError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(keys_failed)?
        .with_no_client_auth()
        .with_single_cert(identity.chain.clone(), identity.key.clone_key())
        .map_err(keys_failed)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// The client that delivers webhooks: no redirects, own roots only.
pub(crate) fn webhook_client(
    config: &SimulatorConfig,
    own: &CertificateDer<'static>,
) -> Result<reqwest::Client, SimulatorError> {
    use rustls::pki_types::pem::PemObject as _;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(own.clone()).map_err(keys_failed)?;
    for root in CertificateDer::pem_slice_iter(
        config
            .trusted_roots_pem
            .as_deref()
            .unwrap_or_default()
            .as_bytes(),
    ) {
        roots.add(root.map_err(keys_failed)?).map_err(keys_failed)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(keys_failed)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(keys_failed)
}
