//! How an application proves to Entra who it is: by a secret, by an assertion that it signs with the key of a registered certificate, or by one that
//! somebody else has signed whom it trusts (a federated credential): the issuer of a token in a file, or the managed identity of this machine.
//!
//! What stands in a file is read for every token, which is once an hour: a secret that was replaced is used without a restart.

use std::fmt;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PSS_SHA256, RsaKeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use tracing::warn;

use super::claims::Claims;
use super::keeper::{Stamp, stamp_of};
use super::managed::ManagedIdentity;
use crate::http::fresh_id;

/// A secret has 40 characters, a key with its chain some KB.
const FILE_BYTES_MAX: u64 = 64 * 1024;
/// Microsoft's advice is five to ten minutes.
const ASSERTION_S: u64 = 600;
/// A clock that is a little ahead of Entra's must not make an assertion of the future.
const AHEAD_S: u64 = 120;
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How the application proves itself. Cheap to clone; clones share what they have read.
#[derive(Clone)]
pub struct Proof(Arc<Inner>);

struct Inner {
    how: How,
    /// Where it is read again; None: what was given is all.
    file: Option<ProofFile>,
    /// What was read last: it serves when the file cannot be read just now.
    last: Mutex<SecretString>,
}

#[derive(Debug, Clone)]
enum How {
    Nothing,
    Secret,
    Certificate,
    TokenFile,
    Managed(ManagedIdentity),
}

/// Where a secret or a certificate with its key is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofFile {
    /// The file.
    pub path: PathBuf,
    /// Somebody else guards it (systemd its credentials), so its mode is not ours to judge.
    pub is_guarded: bool,
}

/// Why something proves nothing: a text is no certificate with a key, a file holds no token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoProof(String);

impl Proof {
    /// A public client, which has nothing to prove itself with.
    #[must_use]
    pub fn nothing() -> Self {
        Self::new(How::Nothing, SecretString::from(""), None)
    }

    /// A secret: as it is now, and the file in which it may be replaced.
    #[must_use]
    pub fn secret(now: SecretString, file: Option<ProofFile>) -> Self {
        Self::new(How::Secret, now, file)
    }

    /// A certificate with its private key (PEM; RSA), and the file in which they may be replaced.
    ///
    /// # Errors
    /// [`NoProof`] says what is missing.
    pub fn certificate(pem: SecretString, file: Option<ProofFile>) -> Result<Self, NoProof> {
        Signer::read(pem.expose_secret())?;
        Ok(Self::new(How::Certificate, pem, file))
    }

    /// A token that an OIDC issuer renews in this file, and that the application trusts as a federated credential.
    ///
    /// # Errors
    /// [`NoProof`] when there is none in it now.
    pub fn token_file(path: PathBuf) -> Result<Self, NoProof> {
        let file = ProofFile {
            path,
            // Whoever renews it guards it: Kubernetes lets a pod's group read its token, and it is good for minutes.
            is_guarded: true,
        };
        file.token()?;
        Ok(Self::new(
            How::TokenFile,
            SecretString::from(""),
            Some(file),
        ))
    }

    /// The managed identity of the machine or app on which we run, which the application trusts as a federated credential.
    #[must_use]
    pub fn managed_identity(identity: ManagedIdentity) -> Self {
        Self::new(How::Managed(identity), SecretString::from(""), None)
    }

    fn new(how: How, last: SecretString, file: Option<ProofFile>) -> Self {
        Self(Arc::new(Inner {
            how,
            file,
            last: Mutex::new(last),
        }))
    }

    /// Whether there is anything to prove with.
    #[must_use]
    pub fn is_something(&self) -> bool {
        !matches!(self.0.how, How::Nothing)
    }

    /// What it is, for people: `a secret`.
    #[must_use]
    pub fn in_words(&self) -> String {
        match (&self.0.how, &self.0.file) {
            (How::Nothing, _) => "nothing, as public clients do".to_owned(),
            (How::Secret, _) => "a secret".to_owned(),
            (How::Certificate, _) => "a certificate".to_owned(),
            (How::TokenFile, file) => {
                let path = file.as_ref().map(|file| file.path.display().to_string());
                format!(
                    "the token in {}, which its issuer renews",
                    path.unwrap_or_default()
                )
            }
            (How::Managed(identity), _) => identity.to_string(),
        }
    }

    /// Whether somebody else proves it, whom the application trusts: then there is nothing here that ends.
    #[must_use]
    pub fn is_federated(&self) -> bool {
        matches!(self.0.how, How::TokenFile | How::Managed(_))
    }

    /// The identity that has to be asked over the network.
    pub(super) fn managed(&self) -> Option<&ManagedIdentity> {
        match &self.0.how {
            How::Managed(identity) => Some(identity),
            _ => None,
        }
    }

    /// Until when the certificate is valid, as it is in the file now. None for secrets, which do not say so, and for what its issuer renews.
    #[must_use]
    pub fn not_after(&self) -> Option<Timestamp> {
        if !matches!(self.0.how, How::Certificate) {
            return None;
        }
        let pem = self.current();
        let signer = Signer::read(pem.expose_secret()).ok()?;
        let (_, certificate) = x509_parser::parse_x509_certificate(&signer.certificate).ok()?;
        Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()
    }

    /// What tells one content of the file from another, without reading it.
    pub(super) fn stamp(&self) -> Option<Stamp> {
        stamp_of(&self.0.file.as_ref()?.path)
    }

    /// The fields of a token request that prove the application, as far as they are on this machine: an assertion of a managed identity is asked for
    /// over the network. `endpoint` is the address that the request goes to. Blocks for a small file.
    ///
    /// # Errors
    /// One sentence: the certificate cannot sign, or the file holds no token.
    pub fn fields(
        &self,
        client_id: &str,
        endpoint: &str,
    ) -> Result<Vec<(&'static str, SecretString)>, NoProof> {
        match (&self.0.how, &self.0.file) {
            (How::Nothing | How::Managed(_), _) => Ok(Vec::new()),
            (How::Secret, _) => Ok(vec![("client_secret", self.current())]),
            (How::Certificate, _) => {
                let signer = Signer::read(self.current().expose_secret());
                let assertion = signer.and_then(|signer| signer.assert(client_id, endpoint));
                let assertion = assertion.map_err(|NoProof(why)| {
                    NoProof(format!(
                        "the certificate of the application cannot be used: {why}"
                    ))
                })?;
                Ok(asserted(SecretString::from(assertion)))
            }
            // Read each time, and the one before is never used in its place: it ends within the hour.
            (How::TokenFile, Some(file)) => Ok(asserted(file.token()?)),
            (How::TokenFile, None) => Err(NoProof("no file names the token".to_owned())),
        }
    }

    /// As it is in the file now, or as it was when it could be read.
    fn current(&self) -> SecretString {
        let mut last = self.0.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = &self.0.file {
            match file.read() {
                Ok(text) => *last = SecretString::from(text),
                Err(why) => {
                    warn!(file = %file.path.display(), why = %why, "a secret cannot be read again; the one that was read before is used");
                }
            }
        }
        last.clone()
    }
}

impl fmt::Debug for Proof {
    /// Says of what kind, never what.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Proof").field(&self.0.how).finish()
    }
}

/// The fields of a token request that show an assertion, whoever has signed it. (dataverse 1.1)
pub(super) fn asserted(assertion: SecretString) -> Vec<(&'static str, SecretString)> {
    vec![
        ("client_assertion_type", SecretString::from(ASSERTION_TYPE)),
        ("client_assertion", assertion),
    ]
}

impl From<SecretString> for Proof {
    fn from(secret: SecretString) -> Self {
        Self::secret(secret, None)
    }
}

impl ProofFile {
    /// The token of an issuer that is in it now.
    fn token(&self) -> Result<SecretString, NoProof> {
        let path = self.path.display();
        let text = self
            .read()
            .map_err(|why| NoProof(format!("the token in {path} cannot be read: {why}")))?;
        if Claims::read(&text).is_none() {
            return Err(NoProof(format!(
                "what is in {path} is no token (a JWT, three parts with dots between them)"
            )));
        }
        Ok(SecretString::from(text))
    }

    fn read(&self) -> Result<String, String> {
        let file = std::fs::File::open(&self.path).map_err(|error| error.to_string())?;
        #[cfg(unix)]
        if !self.is_guarded {
            use std::os::unix::fs::PermissionsExt as _;
            let metadata = file.metadata().map_err(|error| error.to_string())?;
            let mode = metadata.permissions().mode() & 0o777;
            if mode & 0o077 != 0 {
                return Err(format!(
                    "it can be read by others (mode {mode:04o}): chmod 0600 it"
                ));
            }
        }
        let mut text = String::new();
        file.take(FILE_BYTES_MAX)
            .read_to_string(&mut text)
            .map_err(|error| error.to_string())?;
        match text.trim() {
            "" => Err("it is empty".to_owned()),
            text => Ok(text.to_owned()),
        }
    }
}

/// A certificate and its key.
struct Signer {
    certificate: CertificateDer<'static>,
    key: RsaKeyPair,
}

impl Signer {
    fn read(pem: &str) -> Result<Self, NoProof> {
        let no = |what: &str| NoProof(what.to_owned());
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| no("it holds no certificate (\"-----BEGIN CERTIFICATE-----\")"))?;
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| no("it holds no private key (\"-----BEGIN PRIVATE KEY-----\")"))?;
        let key = match &key {
            PrivateKeyDer::Pkcs8(key) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()),
            _ => return Err(no("its key is not RSA, and Entra takes no other")),
        };
        let key = key.map_err(|error| {
            NoProof(format!(
                "its key is no RSA key of 2048 bits or more: {error}"
            ))
        })?;
        Ok(Self { certificate, key })
    }

    /// A JWT that says for ten minutes who we are, to this address only. (dataverse 1.1)
    fn assert(&self, client_id: &str, endpoint: &str) -> Result<String, NoProof> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        let thumbprint = ring::digest::digest(&ring::digest::SHA256, &self.certificate);
        let header =
            json!({ "alg": "PS256", "typ": "JWT", "x5t#S256": URL_SAFE_NO_PAD.encode(thumbprint) });
        let claims = json!({
            "aud": endpoint, "iss": client_id, "sub": client_id, "jti": fresh_id(),
            "iat": now, "nbf": now.saturating_sub(AHEAD_S), "exp": now + ASSERTION_S,
        });
        let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(
                &RSA_PSS_SHA256,
                &SystemRandom::new(),
                signed.as_bytes(),
                &mut signature,
            )
            .map_err(|_| NoProof("its key cannot sign".to_owned()))?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    use super::*;

    fn put(path: &Path, text: &str, mode: u32) {
        std::fs::write(path, text).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    fn shown(proof: &Proof) -> String {
        let fields = proof.fields("app", "https://login.example/token").unwrap();
        fields[0].1.expose_secret().to_owned()
    }

    #[test]
    fn a_secret_that_was_replaced_is_used_and_one_that_others_can_read_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        put(&path, "first\n", 0o600);
        let file = ProofFile {
            path: path.clone(),
            is_guarded: false,
        };
        let proof = Proof::secret(SecretString::from("first"), Some(file));
        assert_eq!(shown(&proof), "first");
        put(&path, "second\n", 0o600);
        assert_eq!(shown(&proof), "second");
        put(&path, "third\n", 0o644);
        assert_eq!(shown(&proof), "second");
        std::fs::remove_file(&path).unwrap();
        assert_eq!(shown(&proof), "second");
        assert!(!format!("{proof:?}").contains("second"));
    }

    #[test]
    fn what_is_no_certificate_with_a_key_is_refused_with_what_is_missing() {
        let missing = |pem: &str| {
            Proof::certificate(SecretString::from(pem), None)
                .unwrap_err()
                .to_string()
        };
        assert!(missing("nothing").contains("no certificate"));
        let own = rcgen::generate_simple_self_signed(vec!["app".into()]).unwrap();
        assert!(missing(&own.cert.pem()).contains("no private key"));
        let both = format!("{}{}", own.cert.pem(), own.signing_key.serialize_pem());
        assert!(missing(&both).contains("RSA"), "an elliptic key");
    }
}
