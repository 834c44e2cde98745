//! Who vouches for a file: detached signatures as [minisign](https://jedisct1.github.io/minisign/) makes them, `FILE.minisig` beside the file.
//!
//! A signature is over the file's bytes, so that of another plugin, or of another version, vouches for nothing. An engine is a file like any
//! other, and vouched for by itself.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use minisign_verify::{PublicKey, Signature};

use crate::folder::read_beside;
use crate::rejection::{Phase, Rejection, RejectionKind};

/// What becomes of a file that nobody who is trusted has signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// Signatures are not looked at.
    #[default]
    Off,
    /// It serves, and a warning says so.
    Warn,
    /// It does not serve.
    Require,
}

/// A public key, in the one line of base64 that stands in `minisign.pub`.
#[derive(Clone)]
pub struct TrustedKey {
    key: PublicKey,
    text: String,
}

impl FromStr for TrustedKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        match PublicKey::from_base64(text) {
            Ok(key) => Ok(Self {
                key,
                text: text.to_owned(),
            }),
            Err(_) => Err(format!(
                "\"{text}\" is no public key of minisign: it is the second line of minisign.pub and begins with RW"
            )),
        }
    }
}

impl fmt::Debug for TrustedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for TrustedKey {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for TrustedKey {}

/// Whose signatures count, and what becomes of files without one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trust {
    /// What becomes of a file that none of the keys has signed.
    pub policy: Policy,
    /// Any of them will do.
    pub keys: Vec<TrustedKey>,
}

impl Trust {
    /// Whether this key, as it is written, is one of them.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.keys.iter().any(|one| one.text == key)
    }
}

/// What is known about who vouches for a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Vouched {
    /// The key, in base64.
    pub(crate) by: Option<String>,
    /// The key that vouches for the engine, where one runs it.
    pub(crate) engine_by: Option<String>,
    /// Why nobody does; only under [`Policy::Warn`].
    pub(crate) warning: Option<String>,
}

/// A signature has four short lines.
const SIGNATURE_BYTES_MAX: u64 = 4 << 10;

/// `50-acme.wasm` → `50-acme.wasm.minisig`
pub(crate) fn signature_file(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".minisig");
    path.with_file_name(name)
}

/// Looks who vouches for these bytes of the file at `path`.
pub(crate) fn vouched(trust: &Trust, path: &Path, bytes: &[u8]) -> Result<Vouched, Rejection> {
    if trust.policy == Policy::Off {
        return Ok(Vouched::default());
    }
    match signer(trust, path, bytes) {
        Ok(key) => Ok(Vouched {
            by: Some(key.text.clone()),
            engine_by: None,
            warning: None,
        }),
        Err(why) if trust.policy == Policy::Warn => Ok(Vouched {
            by: None,
            engine_by: None,
            warning: Some(why),
        }),
        Err(why) => {
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            Err(Rejection::new(Phase::Read, RejectionKind::Unsigned, why).with_hint(format!(
                "whoever is trusted signs it (`minisign -Sm {file}`) and {file}.minisig is copied beside it, the signature first; keys that are trusted stand in [plugins] trusted_keys"
            )))
        }
    }
}

fn signer<'t>(trust: &'t Trust, path: &Path, bytes: &[u8]) -> Result<&'t TrustedKey, String> {
    let beside = signature_file(path);
    let name = beside.file_name().unwrap_or_default().to_string_lossy();
    let text = read_beside(&beside, SIGNATURE_BYTES_MAX).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => format!("it is not signed: there is no {name}"),
        io::ErrorKind::Other => {
            format!("{name} is no signature, which is a small text file: {error}")
        }
        _ => format!("{name} cannot be read: {error}"),
    })?;
    let text = String::from_utf8_lossy(&text);
    let signature = Signature::decode(text.trim_end())
        .map_err(|error| format!("{name} is no signature of minisign: {error}"))?;
    // Hashed first, as minisign does since 2019; files signed the old way have to be read at once, as ours are.
    let verifies = |key: &&TrustedKey| key.key.verify(bytes, &signature, true).is_ok();
    trust.keys.iter().find(verifies).ok_or_else(|| {
        format!("{name} does not vouch for it: it is of another file, another version, or a key that is not trusted")
    })
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    struct Person(minisign::KeyPair);

    impl Person {
        fn new() -> Self {
            Self(minisign::KeyPair::generate_unencrypted_keypair().unwrap())
        }

        fn key(&self) -> TrustedKey {
            self.0.pk.to_base64().parse().unwrap()
        }

        fn sign(&self, path: &Path) {
            let bytes = std::fs::read(path).unwrap();
            let signature =
                minisign::sign(None, &self.0.sk, Cursor::new(bytes), None, None).unwrap();
            std::fs::write(signature_file(path), signature.to_string()).unwrap();
        }
    }

    fn look(policy: Policy, keys: &[&Person], path: &Path) -> Result<Vouched, String> {
        let trust = Trust {
            policy,
            keys: keys.iter().map(|person| person.key()).collect(),
        };
        let bytes = std::fs::read(path).unwrap();
        vouched(&trust, path, &bytes).map_err(|rejection| rejection.to_string())
    }

    #[test]
    fn a_signature_of_a_trusted_key_over_these_very_bytes_vouches() {
        let dir = tempfile::tempdir().unwrap();
        let (acme, stranger) = (Person::new(), Person::new());
        let file = dir.path().join("50-acme.wasm");
        std::fs::write(&file, b"version one").unwrap();
        let refused = look(Policy::Require, &[&acme], &file).unwrap_err();
        assert!(
            refused.contains("there is no 50-acme.wasm.minisig")
                && refused.contains("minisign -Sm 50-acme.wasm"),
            "{refused}"
        );
        acme.sign(&file);
        let vouched = look(Policy::Require, &[&stranger, &acme], &file).unwrap();
        assert_eq!(vouched.by, Some(acme.0.pk.to_base64()));
        // Another key, another version, another plugin's signature.
        let refused = look(Policy::Require, &[&stranger], &file).unwrap_err();
        assert!(refused.contains("a key that is not trusted"), "{refused}");
        std::fs::write(&file, b"version two").unwrap();
        look(Policy::Require, &[&acme], &file).unwrap_err();
        let other = dir.path().join("60-other.wasm");
        std::fs::write(&other, b"another plugin").unwrap();
        std::fs::copy(signature_file(&file), signature_file(&other)).unwrap();
        look(Policy::Require, &[&acme], &other).unwrap_err();
    }

    #[test]
    fn what_is_not_required_is_warned_about_or_not_looked_at() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("50-acme.wasm");
        std::fs::write(&file, b"bytes").unwrap();
        let warned = look(Policy::Warn, &[], &file).unwrap();
        assert!(warned.warning.is_some() && warned.by.is_none());
        assert_eq!(look(Policy::Off, &[], &file).unwrap(), Vouched::default());
    }

    #[test]
    fn a_signature_file_is_not_trusted_either() {
        let dir = tempfile::tempdir().unwrap();
        let acme = Person::new();
        let file = dir.path().join("50-acme.wasm");
        std::fs::write(&file, b"bytes").unwrap();
        for nonsense in [
            Vec::new(),
            b"RW\n\n\n\n".to_vec(),
            vec![b'x'; 1 << 20],
            vec![0xff; 100],
        ] {
            std::fs::write(signature_file(&file), nonsense).unwrap();
            look(Policy::Require, &[&acme], &file).unwrap_err();
        }
        std::fs::remove_file(signature_file(&file)).unwrap();
        std::fs::create_dir(signature_file(&file)).unwrap();
        look(Policy::Require, &[&acme], &file).unwrap_err();
    }

    #[test]
    fn a_key_that_is_none_is_told() {
        let error = "not a key".parse::<TrustedKey>().unwrap_err();
        assert!(error.contains("begins with RW"), "{error}");
    }
}
