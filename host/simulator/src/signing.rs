//! Keys and certificates: the TLS authority of the listeners, and the chain behind Partner Center's webhook signatures.

use base64::Engine as _;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_RSA_SHA256, SigningKey as _,
};
use rsa::pkcs8::EncodePrivateKey as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// Size of the webhook key: the sample signature in the public documents has 256 bytes.
const WEBHOOK_KEY_BITS: usize = 2048;
/// Subject of the leaf that signs Partner Center's notifications.
const WEBHOOK_SUBJECT: &str = "pcnotifications-dispatch.microsoft.com";
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
        leaf.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = leaf.signed_by(&key, &issuer)?;
        Ok(Self {
            ca_pem: ca_cert.pem(),
            ca_der: ca_cert.der().clone(),
            chain: vec![certificate.der().clone()],
            key: PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        })
    }
}

/// Root, intermediate and leaf behind Partner Center's signatures.
pub(crate) struct WebhookSigner {
    root_pem: String,
    pub(crate) leaf_der: Vec<u8>,
    pub(crate) leaf_pem: String,
    pub(crate) intermediate_pem: String,
    key: KeyPair,
}

impl WebhookSigner {
    /// A fresh chain. The leaf is RSA-2048; the authorities above it are elliptic, which is quicker to make.
    pub(crate) fn generate() -> Result<Self, KeyError> {
        let usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let root_key = KeyPair::generate()?;
        let mut root = CertificateParams::default();
        root.distinguished_name =
            name("Simulated Partner Center Root", WEBHOOK_ISSUER_ORGANIZATION);
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        root.key_usages.clone_from(&usages);
        let root_cert = root.self_signed(&root_key)?;
        let root_issuer = Issuer::new(root, root_key);

        let middle_key = KeyPair::generate()?;
        let mut middle = CertificateParams::default();
        middle.distinguished_name = name(
            "Simulated Partner Center Issuing CA",
            WEBHOOK_ISSUER_ORGANIZATION,
        );
        middle.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        middle.use_authority_key_identifier_extension = true;
        middle.key_usages = usages;
        let middle_cert = middle.signed_by(&middle_key, &root_issuer)?;
        let middle_issuer = Issuer::new(middle, middle_key);

        let private = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, WEBHOOK_KEY_BITS)?;
        let encoded = private.to_pkcs8_der()?;
        let key = KeyPair::from_pkcs8_der_and_sign_algo(
            &PrivatePkcs8KeyDer::from(encoded.as_bytes().to_vec()),
            &PKCS_RSA_SHA256,
        )?;
        let mut leaf = CertificateParams::new(vec![WEBHOOK_SUBJECT.to_owned()])?;
        leaf.distinguished_name = name(WEBHOOK_SUBJECT, WEBHOOK_ISSUER_ORGANIZATION);
        leaf.use_authority_key_identifier_extension = true;
        leaf.key_usages = vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::KeyEncipherment,
        ];
        leaf.extended_key_usages = vec![
            rcgen::ExtendedKeyUsagePurpose::ServerAuth,
            rcgen::ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let leaf_cert = leaf.signed_by(&key, &middle_issuer)?;
        Ok(Self {
            root_pem: root_cert.pem(),
            leaf_der: leaf_cert.der().to_vec(),
            leaf_pem: leaf_cert.pem(),
            intermediate_pem: middle_cert.pem(),
            key,
        })
    }

    /// What a receiver pins: root and intermediate.
    pub(crate) fn anchors_pem(&self) -> String {
        format!("{}{}", self.root_pem, self.intermediate_pem)
    }

    /// Base64 of the RSA PKCS#1 v1.5 signature over SHA-256 of `body`. Nothing but the body is signed.
    pub(crate) fn sign(&self, body: &[u8]) -> Result<String, KeyError> {
        Ok(base64::engine::general_purpose::STANDARD.encode(self.key.sign(body)?))
    }
}

fn name(common: &str, organization: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CountryName, "US");
    name.push(DnType::OrganizationName, organization);
    name.push(DnType::CommonName, common);
    name
}
