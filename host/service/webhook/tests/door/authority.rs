//! A root, an intermediate of Microsoft's name, and every kind of certificate that could be presented.

use std::collections::HashMap;
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SanType,
    SignatureAlgorithm, date_time_ymd,
};
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rsa::pkcs8::EncodePrivateKey as _;
use rsa::traits::PublicKeyParts as _;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};

const SUBJECT: &str = "pcnotifications-dispatch.microsoft.com";

/// Keys and certificates. RSA keys take long, so they are made once for the whole binary.
pub(crate) struct Authority {
    root: CertifiedIssuer<'static, KeyPair>,
    intermediate: CertifiedIssuer<'static, KeyPair>,
    signer: RsaKeyPair,
    other_key: KeyPair,
    other_signer: RsaKeyPair,
    pub(crate) files: HashMap<&'static str, Vec<u8>>,
}

pub(crate) fn authority() -> &'static Authority {
    static AUTHORITY: OnceLock<Authority> = OnceLock::new();
    AUTHORITY.get_or_init(Authority::new)
}

fn rsa_key() -> (KeyPair, RsaKeyPair) {
    let key = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).unwrap();
    let pkcs8 = key.to_pkcs8_der().unwrap();
    let pair = KeyPair::from_pkcs8_der_and_sign_algo(
        &PrivatePkcs8KeyDer::from(pkcs8.as_bytes()),
        &rcgen::PKCS_RSA_SHA256,
    )
    .unwrap();
    (pair, RsaKeyPair::from_pkcs8(pkcs8.as_bytes()).unwrap())
}

pub(crate) fn ca(organization: &str, name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::OrganizationName, organization);
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn leaf(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// A key of 1024 bits, which no library here would sign with.
struct ShortKey(Vec<u8>);

impl PublicKeyData for ShortKey {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }
    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_RSA_SHA256
    }
}

/// PKCS#1 of a public key, by hand: two positive integers in a sequence.
fn short_key() -> ShortKey {
    let key = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 1024).unwrap();
    let integer = |mut bytes: Vec<u8>| {
        if bytes.first().is_some_and(|first| first & 0x80 != 0) {
            bytes.insert(0, 0);
        }
        der(0x02, bytes)
    };
    ShortKey(der(
        0x30,
        [
            integer(key.n().to_bytes_be()),
            integer(key.e().to_bytes_be()),
        ]
        .concat(),
    ))
}

fn der(tag: u8, content: Vec<u8>) -> Vec<u8> {
    let length = content.len();
    let head = if length < 128 {
        vec![tag, length as u8]
    } else {
        vec![tag, 0x81, u8::try_from(length).unwrap()]
    };
    [head, content].concat()
}

impl Authority {
    fn new() -> Self {
        let root =
            CertifiedIssuer::self_signed(ca("Test Roots", "Root"), KeyPair::generate().unwrap())
                .unwrap();
        let intermediate = CertifiedIssuer::signed_by(
            ca("Microsoft Corporation", "Issuing CA"),
            KeyPair::generate().unwrap(),
            &root,
        )
        .unwrap();
        let stranger_root =
            CertifiedIssuer::self_signed(ca("Test Roots", "Root"), KeyPair::generate().unwrap())
                .unwrap();
        let stranger = CertifiedIssuer::signed_by(
            ca("Microsoft Corporation", "Issuing CA"),
            KeyPair::generate().unwrap(),
            &stranger_root,
        )
        .unwrap();
        let other_issuer = CertifiedIssuer::signed_by(
            ca("Microsoft Corporation Ltd", "Issuing CA"),
            KeyPair::generate().unwrap(),
            &root,
        )
        .unwrap();
        let (key, signer) = rsa_key();
        let (other_key, other_signer) = rsa_key();

        let issue = |params: &CertificateParams, key: &dyn Keyed, issuer: &Issuer<'_, KeyPair>| {
            key.issue(params, issuer)
        };
        let good = issue(&leaf(SUBJECT), &key, &intermediate);
        let pem = |der: &CertificateDer<'_>| pem_text(der);
        let chain = |leaf: &CertificateDer<'_>, issuer: &CertifiedIssuer<'_, KeyPair>| {
            (pem(leaf) + &issuer.pem()).into_bytes()
        };

        let mut named = leaf("something else");
        named.subject_alt_names = vec![SanType::DnsName(SUBJECT.try_into().unwrap())];
        let mut expired = leaf(SUBJECT);
        expired.not_after = date_time_ymd(2020, 1, 1);
        let mut future = leaf(SUBJECT);
        future.not_before = date_time_ymd(3000, 1, 1);
        let mut code_signing = leaf(SUBJECT);
        code_signing.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
        let elliptic = KeyPair::generate().unwrap();
        let not_a_ca = CertifiedIssuer::signed_by(
            {
                let mut params = ca("Microsoft Corporation", "No CA");
                params.is_ca = IsCa::ExplicitNoCa;
                params
            },
            KeyPair::generate().unwrap(),
            &intermediate,
        )
        .unwrap();

        let files = HashMap::from([
            ("leaf.cer", good.to_vec()),
            ("chain.pem", chain(&good, &intermediate)),
            (
                "reversed.pem",
                (intermediate.pem() + &pem(&good)).into_bytes(),
            ),
            ("base64.cer", STANDARD.encode(&good).into_bytes()),
            (
                "code-signing.pem",
                chain(&issue(&code_signing, &key, &intermediate), &intermediate),
            ),
            (
                "by-san.pem",
                chain(&issue(&named, &key, &intermediate), &intermediate),
            ),
            (
                "issuer.pem",
                chain(&issue(&leaf(SUBJECT), &key, &other_issuer), &other_issuer),
            ),
            (
                "subject.pem",
                chain(
                    &issue(&leaf("mail.microsoft.com"), &key, &intermediate),
                    &intermediate,
                ),
            ),
            (
                "expired.pem",
                chain(&issue(&expired, &key, &intermediate), &intermediate),
            ),
            (
                "future.pem",
                chain(&issue(&future, &key, &intermediate), &intermediate),
            ),
            (
                "stranger.pem",
                chain(&issue(&leaf(SUBJECT), &key, &stranger), &stranger),
            ),
            (
                "self-signed.cer",
                leaf(SUBJECT).self_signed(&key).unwrap().der().to_vec(),
            ),
            (
                "under-a-leaf.pem",
                (pem(&issue(&leaf(SUBJECT), &key, &not_a_ca)) + &not_a_ca.pem()).into_bytes(),
            ),
            (
                "elliptic.pem",
                chain(
                    &issue(&leaf(SUBJECT), &elliptic, &intermediate),
                    &intermediate,
                ),
            ),
            (
                "short.pem",
                chain(
                    &issue(&leaf(SUBJECT), &short_key(), &intermediate),
                    &intermediate,
                ),
            ),
            (
                "other.pem",
                chain(
                    &issue(&leaf(SUBJECT), &other_key, &intermediate),
                    &intermediate,
                ),
            ),
            ("ca-only.pem", intermediate.pem().into_bytes()),
            ("empty.pem", Vec::new()),
            ("junk.cer", b"\x30\x82\x01\x00junk".to_vec()),
            ("page.html", b"<html>sign in</html>".to_vec()),
            ("many.pem", intermediate.pem().repeat(9).into_bytes()),
            ("huge.pem", vec![b'A'; 64 * 1024 + 1]),
        ]);
        Self {
            root,
            intermediate,
            signer,
            other_key,
            other_signer,
            files,
        }
    }

    /// The documented header's value, without the word in front.
    pub(crate) fn sign(&self, body: &[u8]) -> String {
        sign(&self.signer, body)
    }

    /// Signed with the key of `other.pem`.
    pub(crate) fn sign_other(&self, body: &[u8]) -> String {
        sign(&self.other_signer, body)
    }

    pub(crate) fn root_pem(&self) -> String {
        self.root.pem()
    }

    pub(crate) fn intermediate_pem(&self) -> String {
        self.intermediate.pem()
    }

    /// A good leaf of the second key that ends at this year.
    pub(crate) fn chain_until(&self, year: i32) -> Vec<u8> {
        let mut params = leaf(SUBJECT);
        params.not_after = date_time_ymd(year, 1, 1);
        let der = self.other_key.issue(&params, &self.intermediate);
        (pem_text(&der) + &self.intermediate.pem()).into_bytes()
    }
}

fn sign(key: &RsaKeyPair, body: &[u8]) -> String {
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(
        &RSA_PKCS1_SHA256,
        &ring::rand::SystemRandom::new(),
        body,
        &mut signature,
    )
    .unwrap();
    STANDARD.encode(signature)
}

fn pem_text(der: &CertificateDer<'_>) -> String {
    format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        STANDARD.encode(der)
    )
}

trait Keyed {
    fn issue(
        &self,
        params: &CertificateParams,
        issuer: &Issuer<'_, KeyPair>,
    ) -> CertificateDer<'static>;
}

impl<K: PublicKeyData> Keyed for K {
    fn issue(
        &self,
        params: &CertificateParams,
        issuer: &Issuer<'_, KeyPair>,
    ) -> CertificateDer<'static> {
        params.signed_by(self, issuer).unwrap().der().clone()
    }
}
