//! Keys and certificates: the TLS authority of the listeners, and the chain behind Partner Center's webhook signatures.

use std::sync::{OnceLock, PoisonError, RwLock, RwLockReadGuard};

use base64::Engine as _;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_RSA_SHA256, SanType, SigningKey as _, string::Ia5String,
};
use rsa::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _};
use rsa::traits::PublicKeyParts as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde::{Deserialize, Serialize};

/// Size of the webhook key: the sample signature in the public documents has 256 bytes.
const WEBHOOK_KEY_BITS: usize = 2048;
/// Subject of the leaf that signs Partner Center's notifications.
const WEBHOOK_SUBJECT: &str = "pcnotifications-dispatch.microsoft.com";
/// Another one: that the file's name is also the subject's is written nowhere. (partner-center 5.4)
const OTHER_SUBJECT: &str = "notifications.partner.microsoft.com";
/// What a receiver looks for in the issuer.
const WEBHOOK_ISSUER_ORGANIZATION: &str = "Microsoft Corporation";

/// Why keys could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    #[error("certificate could not be made")]
    Certificate(#[from] rcgen::Error),
    #[error("RSA key could not be made")]
    Rsa(#[from] rsa::Error),
    #[error("RSA key could not be written down")]
    Encoding(#[from] rsa::pkcs8::Error),
}

/// A TLS identity as it is written down.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct SavedIdentity {
    ca_pem: String,
    ca_der: Vec<u8>,
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl SavedIdentity {
    /// The authority that a client has to trust.
    pub(crate) fn ca_pem(&self) -> &str {
        &self.ca_pem
    }
}

/// The listeners' certificate and the authority that a client has to trust.
pub(crate) struct TlsIdentity {
    pub(crate) ca_pem: String,
    pub(crate) ca_der: CertificateDer<'static>,
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
}

impl TlsIdentity {
    /// A fresh authority and one certificate for `localhost` and `127.0.0.1`.
    pub(crate) fn generate() -> Result<Self, KeyError> {
        let ca_key = KeyPair::generate()?;
        let mut ca = CertificateParams::default();
        ca.distinguished_name = name("cosell simulator TLS root", "cosell simulator");
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let ca_cert = ca.self_signed(&ca_key)?;
        let issuer = Issuer::new(ca, ca_key);

        let key = KeyPair::generate()?;
        let mut leaf =
            CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])?;
        leaf.distinguished_name = name("localhost", "cosell simulator");
        leaf.use_authority_key_identifier_extension = true;
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = leaf.signed_by(&key, &issuer)?;
        Ok(Self {
            ca_pem: ca_cert.pem(),
            ca_der: ca_cert.der().clone(),
            chain: vec![certificate.der().clone()],
            key: PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        })
    }
}

impl TlsIdentity {
    /// Keys and certificates, to be written down.
    pub(crate) fn saved(&self) -> SavedIdentity {
        SavedIdentity {
            ca_pem: self.ca_pem.clone(),
            ca_der: self.ca_der.to_vec(),
            certificate: self
                .chain
                .first()
                .map(|held| held.to_vec())
                .unwrap_or_default(),
            key: self.key.secret_der().to_vec(),
        }
    }

    /// The identity that was written down.
    pub(crate) fn read(saved: SavedIdentity) -> Self {
        Self {
            ca_pem: saved.ca_pem,
            ca_der: CertificateDer::from(saved.ca_der),
            chain: vec![CertificateDer::from(saved.certificate)],
            key: PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(saved.key)),
        }
    }
}

/// Root, intermediate and leaf behind Partner Center's signatures.
pub(crate) struct WebhookSigner {
    root_pem: String,
    pub(crate) intermediate_pem: String,
    issuer: Issuer<'static, KeyPair>,
    leaf: RwLock<Signing>,
}

/// The key of now, and the certificate that notifications name, as DER.
struct Signing {
    key: KeyPair,
    certificate: Vec<u8>,
}

/// Which certificate of the signing key is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaf {
    Good,
    /// Good, but for another subject.
    Renamed,
    /// Run out long ago.
    Expired,
    /// Issued by someone who is not Microsoft.
    Foreign,
}

/// Keys and certificates as they are written down.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct SavedSigner {
    root_pem: String,
    intermediate_pem: String,
    issuer_key: Vec<u8>,
    key: Vec<u8>,
    certificate: Vec<u8>,
}

impl WebhookSigner {
    /// A fresh chain. The leaf is RSA-2048; the authorities above it are elliptic, which is quicker to make.
    pub(crate) fn generate() -> Result<Self, KeyError> {
        let root_key = KeyPair::generate()?;
        let root = authority(
            "Simulated Partner Center Root",
            BasicConstraints::Unconstrained,
        );
        let root_cert = root.self_signed(&root_key)?;
        let root_issuer = Issuer::new(root, root_key);
        let middle_key = KeyPair::generate()?;
        let middle_cert = issuing().signed_by(&middle_key, &root_issuer)?;
        let issuer = Issuer::new(issuing(), middle_key);
        Ok(Self {
            root_pem: root_cert.pem(),
            intermediate_pem: middle_cert.pem(),
            leaf: RwLock::new(Signing::of(first_key()?, &issuer)?),
            issuer,
        })
    }

    /// Keys and certificates, to be written down.
    pub(crate) fn saved(&self) -> SavedSigner {
        let leaf = self.leaf();
        SavedSigner {
            root_pem: self.root_pem.clone(),
            intermediate_pem: self.intermediate_pem.clone(),
            issuer_key: self.issuer.key().serialize_der(),
            key: leaf.key.serialize_der(),
            certificate: leaf.certificate.clone(),
        }
    }

    /// The chain that was written down.
    pub(crate) fn read(saved: SavedSigner) -> Result<Self, KeyError> {
        let issuer_key = KeyPair::try_from(saved.issuer_key)?;
        Ok(Self {
            root_pem: saved.root_pem,
            intermediate_pem: saved.intermediate_pem,
            issuer: Issuer::new(issuing(), issuer_key),
            leaf: RwLock::new(Signing {
                key: rsa_key(&saved.key)?,
                certificate: saved.certificate,
            }),
        })
    }

    fn leaf(&self) -> RwLockReadGuard<'_, Signing> {
        self.leaf.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new key and a new certificate of the same authority at the same address, as before the old one runs out.
    pub(crate) fn rotate(&self) -> Result<(), KeyError> {
        let fresh = Signing::of(&fresh_key()?, &self.issuer)?;
        *self.leaf.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// A certificate of the signing key, as DER.
    pub(crate) fn certificate(&self, which: Leaf) -> Result<Vec<u8>, KeyError> {
        let held = self.leaf();
        match which {
            Leaf::Good => Ok(held.certificate.clone()),
            Leaf::Renamed => {
                let renamed = leaf(OTHER_SUBJECT).signed_by(&held.key, &self.issuer)?;
                Ok(renamed.der().to_vec())
            }
            Leaf::Expired => {
                let mut past = leaf(WEBHOOK_SUBJECT);
                past.not_before = rcgen::date_time_ymd(2020, 1, 1);
                past.not_after = rcgen::date_time_ymd(2021, 1, 1);
                Ok(past.signed_by(&held.key, &self.issuer)?.der().to_vec())
            }
            Leaf::Foreign => {
                let mut stranger = CertificateParams::default();
                stranger.distinguished_name = name("Somebody Else", "Somebody Else Ltd");
                stranger.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
                let stranger = Issuer::new(stranger, KeyPair::generate()?);
                Ok(leaf(WEBHOOK_SUBJECT)
                    .signed_by(&held.key, &stranger)?
                    .der()
                    .to_vec())
            }
        }
    }

    /// The intermediate in the form of a DER file.
    pub(crate) fn intermediate_der(&self) -> Vec<u8> {
        use rustls::pki_types::pem::PemObject as _;
        let der = CertificateDer::from_pem_slice(self.intermediate_pem.as_bytes());
        der.map(|der| der.to_vec()).unwrap_or_default()
    }

    /// What a receiver pins: root and intermediate.
    pub(crate) fn anchors_pem(&self) -> String {
        format!("{}{}", self.root_pem, self.intermediate_pem)
    }

    /// RSA PKCS#1 v1.5 signature over SHA-256 of `body`. Nothing but the body is signed.
    pub(crate) fn sign(&self, body: &[u8]) -> Result<Vec<u8>, KeyError> {
        Ok(self.leaf().key.sign(body)?)
    }

    /// Modulus and exponent of the signing key, big-endian.
    pub(crate) fn public_key(&self) -> Result<(Vec<u8>, Vec<u8>), KeyError> {
        let private = rsa::RsaPrivateKey::from_pkcs8_der(&self.leaf().key.serialize_der())?;
        Ok((private.n().to_bytes_be(), private.e().to_bytes_be()))
    }
}

impl Signing {
    /// A key as PKCS#8, and a certificate for it.
    fn of(pkcs8: &[u8], issuer: &Issuer<'static, KeyPair>) -> Result<Self, KeyError> {
        let key = rsa_key(pkcs8)?;
        let certificate = leaf(WEBHOOK_SUBJECT)
            .signed_by(&key, issuer)?
            .der()
            .to_vec();
        Ok(Self { key, certificate })
    }
}

/// A new signing key, as PKCS#8.
fn fresh_key() -> Result<Vec<u8>, KeyError> {
    let private = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, WEBHOOK_KEY_BITS)?;
    Ok(private.to_pkcs8_der()?.as_bytes().to_vec())
}

/// The key that every simulator of this process begins with, as PKCS#8: its primes take a fifth of a second to find, and nobody trusts a simulator's
/// key but by the certificates above it, which are each one's own.
fn first_key() -> Result<&'static [u8], KeyError> {
    static FIRST: OnceLock<Vec<u8>> = OnceLock::new();
    if let Some(key) = FIRST.get() {
        return Ok(key);
    }
    let key = fresh_key()?;
    Ok(FIRST.get_or_init(|| key))
}

/// A certificate file as text.
pub(crate) fn pem(der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .filter_map(|line| std::str::from_utf8(line).ok())
        .collect();
    format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        lines.join("\n")
    )
}

fn rsa_key(pkcs8: &[u8]) -> Result<KeyPair, KeyError> {
    let private = PrivatePkcs8KeyDer::from(pkcs8.to_vec());
    Ok(KeyPair::from_pkcs8_der_and_sign_algo(
        &private,
        &PKCS_RSA_SHA256,
    )?)
}

fn authority(common: &str, constraints: BasicConstraints) -> CertificateParams {
    let mut held = CertificateParams::default();
    held.distinguished_name = name(common, WEBHOOK_ISSUER_ORGANIZATION);
    held.is_ca = IsCa::Ca(constraints);
    held.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    held
}

/// The authority between root and leaf.
fn issuing() -> CertificateParams {
    let mut held = authority(
        "Simulated Partner Center Issuing CA",
        BasicConstraints::Constrained(0),
    );
    held.use_authority_key_identifier_extension = true;
    held
}

fn leaf(subject: &str) -> CertificateParams {
    let mut leaf = CertificateParams::default();
    leaf.subject_alt_names = Ia5String::try_from(subject)
        .map(SanType::DnsName)
        .into_iter()
        .collect();
    leaf.distinguished_name = name(subject, WEBHOOK_ISSUER_ORGANIZATION);
    leaf.use_authority_key_identifier_extension = true;
    leaf.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyEncipherment,
    ];
    leaf.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    leaf
}

fn name(common: &str, organization: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CountryName, "US");
    name.push(DnType::OrganizationName, organization);
    name.push(DnType::CommonName, common);
    name
}
