//! Whether a certificate speaks for Partner Center, and whether a signature is its.
//!
//! webpki builds the path and checks time and signatures; x509-parser reads the names. The extended key usage is *not* looked at: which
//! one Microsoft's leaf carries is documented nowhere and Microsoft's own sample does not ask, while name, issuer and pinned root are asked here.
//! Revocation is not checked either: a pinned root, a cap of a day on the shelf and a bell that is only a bell make that bearable.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, Error, ExtendedKeyUsageValidator, KeyPurposeIdIter};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};
use x509_parser::public_key::PublicKey;

use super::Fault;
use crate::refusal::Reason;

/// Certificates in one file: a leaf and its intermediates. More only make path building slow.
const CERTIFICATES_MAX: usize = 8;
/// Smallest RSA key. ring refuses less as well; asked first so that the log says why.
const RSA_BITS_MIN: usize = 2048;

/// How certificates of the chain may be signed. No SHA-1.
static CHAIN_ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] = &[
    webpki::ring::RSA_PKCS1_2048_8192_SHA256,
    webpki::ring::RSA_PKCS1_2048_8192_SHA384,
    webpki::ring::RSA_PKCS1_2048_8192_SHA512,
    webpki::ring::ECDSA_P256_SHA256,
    webpki::ring::ECDSA_P384_SHA384,
];

/// Whom we believe.
#[derive(Debug)]
pub(crate) struct Trust {
    anchors: Vec<TrustAnchor<'static>>,
    intermediates: Vec<CertificateDer<'static>>,
    organization: String,
    subject: String,
}

/// A certificate that passed every check.
#[derive(Debug)]
pub(crate) struct SigningCertificate {
    der: CertificateDer<'static>,
    pub(crate) not_after: SystemTime,
}

impl Trust {
    /// `roots`: PEM. Certificates that issued themselves are anchors, the others help path building, because Microsoft may serve its leaf
    /// without the intermediates; when there are only others, they are the anchors.
    pub(crate) fn new(roots: &str, organization: &str, subject: &str) -> Result<Self, String> {
        let mut selves = Vec::new();
        let mut others = Vec::new();
        for der in CertificateDer::pem_slice_iter(roots.as_bytes()) {
            let der = der.map_err(|error| format!("the PEM text cannot be read: {error}"))?;
            let (_, parsed) = X509Certificate::from_der(&der)
                .map_err(|error| format!("a root certificate cannot be read: {error}"))?;
            let list = if parsed.subject() == parsed.issuer() {
                &mut selves
            } else {
                &mut others
            };
            list.push(der.clone());
        }
        let (anchors, intermediates) = if selves.is_empty() {
            (others, Vec::new())
        } else {
            (selves, others)
        };
        if anchors.is_empty() {
            return Err("there is no certificate in it".to_owned());
        }
        let anchors = anchors
            .iter()
            .map(|der| webpki::anchor_from_trusted_cert(der).map(|anchor| anchor.to_owned()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| format!("a root certificate cannot be used: {error}"))?;
        Ok(Self {
            anchors,
            intermediates,
            organization: organization.to_owned(),
            subject: subject.to_owned(),
        })
    }

    /// Reads a fetched file and checks everything about it but the signature of the event.
    pub(crate) fn check(&self, file: &[u8], now: SystemTime) -> Result<SigningCertificate, Fault> {
        let (leaf, mut intermediates) = read(file)?;
        intermediates.extend(self.intermediates.iter().cloned());
        let (_, parsed) = X509Certificate::from_der(&leaf)
            .map_err(|_| Fault::from(Reason::CertificateUnreadable))?;

        let end_entity = EndEntityCert::try_from(&leaf)
            .map_err(|error| Fault::told(Reason::CertificateUnreadable, error.to_string()))?;
        let since_epoch = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        end_entity
            .verify_for_usage(
                CHAIN_ALGORITHMS,
                &self.anchors,
                &intermediates,
                UnixTime::since_unix_epoch(since_epoch),
                AnyUsage,
                None,
                None,
            )
            .map_err(|error| match error {
                Error::CertExpired { .. } | Error::CertNotValidYet { .. } => {
                    Fault::told(Reason::CertificateExpired, error.to_string())
                }
                other => Fault::told(Reason::CertificateUntrusted, other.to_string()),
            })?;

        if !parsed
            .issuer()
            .iter_organization()
            .any(|name| name.as_str().is_ok_and(|name| name == self.organization))
        {
            return Err(Fault::told(
                Reason::CertificateIssuer,
                parsed.issuer().to_string(),
            ));
        }
        if !names(&parsed).any(|name| name.eq_ignore_ascii_case(&self.subject)) {
            return Err(Fault::told(
                Reason::CertificateSubject,
                parsed.subject().to_string(),
            ));
        }
        match parsed.public_key().parsed() {
            Ok(PublicKey::RSA(key)) if key.key_size() >= RSA_BITS_MIN => {}
            _ => return Err(Reason::CertificateKey.into()),
        }
        let not_after = u64::try_from(parsed.validity().not_after.timestamp()).unwrap_or(0);
        drop(end_entity);
        Ok(SigningCertificate {
            not_after: UNIX_EPOCH + Duration::from_secs(not_after),
            der: leaf.clone(),
        })
    }
}

impl SigningCertificate {
    /// RSA PKCS#1 v1.5 with SHA-256 over the bytes exactly as received.
    pub(crate) fn signed(&self, body: &[u8], signature: &[u8]) -> bool {
        EndEntityCert::try_from(&self.der)
            .and_then(|leaf| {
                leaf.verify_signature(webpki::ring::RSA_PKCS1_2048_8192_SHA256, body, signature)
            })
            .is_ok()
    }
}

/// DER, PEM, or the DER as bare base64 (one of Microsoft's samples reads the file as text first). The leaf is the first that is no CA.
fn read(file: &[u8]) -> Result<(CertificateDer<'static>, Vec<CertificateDer<'static>>), Fault> {
    let unreadable = || Fault::from(Reason::CertificateUnreadable);
    let mut all: Vec<CertificateDer<'static>> = if file.first() == Some(&0x30) {
        der_after_der(file)?
    } else if file.windows(10).any(|window| window == b"-----BEGIN") {
        CertificateDer::pem_slice_iter(file)
            .take(CERTIFICATES_MAX + 1)
            .collect::<Result<_, _>>()
            .map_err(|_| unreadable())?
    } else {
        let text: Vec<u8> = file
            .iter()
            .copied()
            .filter(|byte| !byte.is_ascii_whitespace())
            .collect();
        der_after_der(&STANDARD.decode(text).map_err(|_| unreadable())?)?
    };
    if all.is_empty() || all.len() > CERTIFICATES_MAX {
        return Err(unreadable());
    }
    let is_leaf = |der: &CertificateDer<'_>| {
        X509Certificate::from_der(der)
            .is_ok_and(|(rest, parsed)| rest.is_empty() && !parsed.is_ca())
    };
    let at = all.iter().position(is_leaf).ok_or_else(unreadable)?;
    let leaf = all.remove(at);
    Ok((leaf, all))
}

/// The certificates of a file in DER, each of which says itself where it ends.
fn der_after_der(mut file: &[u8]) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let mut all = Vec::new();
    while !file.is_empty() && all.len() <= CERTIFICATES_MAX {
        let (rest, _) = X509Certificate::from_der(file)
            .map_err(|_| Fault::from(Reason::CertificateUnreadable))?;
        all.push(CertificateDer::from(
            file[..file.len() - rest.len()].to_vec(),
        ));
        file = rest;
    }
    Ok(all)
}

/// Common names and DNS names of the subject.
fn names<'a>(certificate: &'a X509Certificate<'_>) -> impl Iterator<Item = &'a str> {
    let common = certificate
        .subject()
        .iter_common_name()
        .filter_map(|name| name.as_str().ok());
    let alternative = certificate
        .subject_alternative_name()
        .ok()
        .flatten()
        .into_iter()
        .flat_map(|extension| {
            extension
                .value
                .general_names
                .iter()
                .filter_map(|name| match name {
                    GeneralName::DNSName(name) => Some(*name),
                    _ => None,
                })
        });
    common.chain(alternative)
}

/// Any extended key usage, or none; only its encoding is checked.
struct AnyUsage;

impl ExtendedKeyUsageValidator for AnyUsage {
    fn validate(&self, usages: KeyPurposeIdIter<'_, '_>) -> Result<(), Error> {
        for usage in usages {
            usage?;
        }
        Ok(())
    }
}
