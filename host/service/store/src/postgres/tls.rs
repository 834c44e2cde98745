//! TLS to the database. A connection that asks for it verifies the certificate and the name in it; there is no half of that.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Why there can be no TLS.
#[derive(Debug, thiserror::Error)]
pub(super) enum TlsError {
    #[error("the certificates in {path} cannot be read: {why}; name a PEM file in sslrootcert")]
    Roots { path: String, why: String },
    #[error(
        "this machine trusts no certificate authority; install ca-certificates, or name a PEM file in sslrootcert"
    )]
    NoRoots,
    #[error(transparent)]
    Rustls(#[from] rustls::Error),
}

/// Trusts the certificates in the file, or the system's.
pub(super) fn connector(roots: Option<&Path>) -> Result<MakeRustlsConnect, TlsError> {
    let mut trusted = RootCertStore::empty();
    match roots {
        Some(path) => {
            let unreadable = |why: String| TlsError::Roots {
                path: path.display().to_string(),
                why,
            };
            let found = CertificateDer::pem_file_iter(path)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .map_err(|error| unreadable(error.to_string()))?;
            if found.is_empty() {
                return Err(unreadable("there is none in it".into()));
            }
            for certificate in found {
                trusted
                    .add(certificate)
                    .map_err(|error| unreadable(error.to_string()))?;
            }
        }
        None => {
            // What the system has in odd formats is left away, as every client does.
            trusted.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if trusted.is_empty() {
                return Err(TlsError::NoRoots);
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(trusted)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}
