//! What rests sealed: recordings, raw records behind bases, the refresh token. Whoever has the store or the file and not the key reads nothing, and
//! whoever changes a byte, or puts a sealed value into another place, is found out.
//!
//! Keys are 32 random bytes each. The first seals, all of them open: a new key goes before the old one, and the old one leaves when nothing is sealed
//! with it any more.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Salt};
use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};
use secrecy::{ExposeSecret as _, SecretString};

/// Before everything that is sealed; the number is of the scheme.
const MARK: &str = "cosell-sealed-1:";
/// Bytes of a key.
const KEY_BYTES: usize = 32;
/// Bytes of its name: enough to tell an operator's few keys apart, and says nothing about the key.
const NAME_BYTES: usize = 6;

/// What a sealed value is, and where it belongs: it opens nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The connection.
    pub connection: &'a str,
    /// What it is.
    pub purpose: Purpose,
    /// Which one of them: `17/HASH` of a deal's, empty where there is one for each connection.
    pub name: &'a str,
}

/// What is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the doc")]
pub enum Purpose {
    Recording,
    Raw,
    RefreshToken,
}

impl Purpose {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Recording => "recording",
            Self::Raw => "raw record",
            Self::RefreshToken => "refresh token",
        }
    }
}

/// The keys of this host. Without any, nothing is sealed and nothing sealed can be opened.
#[derive(Default)]
pub struct Seal {
    keys: Vec<Key>,
}

struct Key {
    /// Hex.
    name: String,
    aead: LessSafeKey,
    naming: hmac::Key,
}

/// Why a sealed value was not opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Sealed by a key that is not in the configuration.
    #[error(
        "the {what} is sealed with key {key}, and the configuration has {}: add that key to [store] keys, behind the one that seals; nothing was overwritten",
        if .known.is_empty() { "no key".to_owned() } else { format!("only {}", .known.join(", ")) }
    )]
    NoKey {
        /// What was to be opened.
        what: &'static str,
        /// Name of the key.
        key: String,
        /// Names of those that there are.
        known: Vec<String>,
    },
    /// Changed, cut, or moved from another place.
    #[error(
        "the {what} is damaged, or was put where it does not belong: restore it from a backup; nothing was overwritten"
    )]
    Broken {
        /// What was to be opened.
        what: &'static str,
    },
}

/// Why a text is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a key is 32 random bytes, as 64 hex digits or as base64: `openssl rand -hex 32` makes one"
)]
pub struct NoKey;

impl Seal {
    /// Of these keys, in this order.
    ///
    /// # Errors
    /// [`NoKey`] for a text that is none.
    pub fn new(keys: &[SecretString]) -> Result<Self, NoKey> {
        let keys = keys.iter().map(Key::parse);
        Ok(Self {
            keys: keys.collect::<Result<_, _>>()?,
        })
    }

    /// Whether there is a key.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Whether this text was sealed, by whatever key.
    #[must_use]
    pub fn is_sealed(text: &str) -> bool {
        text.starts_with(MARK)
    }

    /// Seals, by the first key. None: there is no key.
    #[must_use]
    pub fn seal(&self, place: Place<'_>, plain: &[u8]) -> Option<String> {
        let key = self.keys.first()?;
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).ok()?;
        let mut sealed = plain.to_vec();
        let aad = Aad::from(bound(place, &key.name));
        key.aead
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut sealed)
            .ok()?;
        let bytes = [&nonce[..], &sealed].concat();
        Some(format!("{MARK}{}:{}", key.name, STANDARD.encode(bytes)))
    }

    /// Opens what was sealed at this place.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn open(&self, place: Place<'_>, sealed: &str) -> Result<Vec<u8>, SealError> {
        let what = place.purpose.as_str();
        let broken = SealError::Broken { what };
        let (name, bytes) = sealed
            .strip_prefix(MARK)
            .and_then(|rest| rest.split_once(':'))
            .ok_or_else(|| broken.clone())?;
        let Some(key) = self.keys.iter().find(|key| key.name == name) else {
            return Err(SealError::NoKey {
                what,
                key: name.chars().take(2 * NAME_BYTES).collect(),
                known: self.keys.iter().map(|key| key.name.clone()).collect(),
            });
        };
        let mut bytes = STANDARD.decode(bytes).map_err(|_| broken.clone())?;
        if bytes.len() < NONCE_LEN {
            return Err(broken);
        }
        let rest = bytes.split_off(NONCE_LEN);
        let nonce = Nonce::try_assume_unique_for_key(&bytes).map_err(|_| broken.clone())?;
        let mut opened = rest;
        let aad = Aad::from(bound(place, name));
        let length = key
            .aead
            .open_in_place(nonce, aad, &mut opened)
            .map_err(|_| broken)?
            .len();
        opened.truncate(length);
        Ok(opened)
    }

    /// A name of this content that says nothing about it to whoever has not the key. None: there is no key.
    #[must_use]
    pub fn name_of(&self, content: &[u8]) -> Option<String> {
        let tag = hmac::sign(&self.keys.first()?.naming, content);
        Some(hex::encode(tag))
    }
}

/// What a sealed value is bound to; each part is preceded by its length.
fn bound(place: Place<'_>, key: &str) -> Vec<u8> {
    let mut bound = Vec::new();
    for part in [place.connection, place.purpose.as_str(), place.name, key] {
        bound.extend((part.len() as u64).to_be_bytes());
        bound.extend(part.as_bytes());
    }
    bound
}

/// So many bytes are derived.
struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

impl Key {
    fn parse(text: &SecretString) -> Result<Self, NoKey> {
        let text = text.expose_secret().trim();
        let bytes = hex::decode(text)
            .ok()
            .or_else(|| STANDARD.decode(text).ok())
            .filter(|bytes| bytes.len() == KEY_BYTES)
            .ok_or(NoKey)?;
        let derived = |what: &[u8], length: usize| -> Result<Vec<u8>, NoKey> {
            let salt = Salt::new(HKDF_SHA256, b"cosell");
            let mut out = vec![0; length];
            salt.extract(&bytes)
                .expand(&[what], Length(length))
                .and_then(|okm| okm.fill(&mut out))
                .map_err(|_| NoKey)?;
            Ok(out)
        };
        let sealing = UnboundKey::new(&AES_256_GCM, &derived(b"seal", KEY_BYTES)?);
        Ok(Self {
            name: hex::encode(derived(b"name of the key", NAME_BYTES)?),
            aead: LessSafeKey::new(sealing.map_err(|_| NoKey)?),
            naming: hmac::Key::new(
                hmac::HMAC_SHA256,
                &derived(b"names of contents", KEY_BYTES)?,
            ),
        })
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.keys.iter().map(|key| &key.name);
        f.debug_list().entries(names).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(digits: &[char]) -> Seal {
        let text = |digit: &char| SecretString::from(digit.to_string().repeat(64));
        Seal::new(&digits.iter().map(text).collect::<Vec<_>>()).unwrap()
    }

    const HERE: Place<'_> = Place {
        connection: "contoso",
        purpose: Purpose::Raw,
        name: "17/h1",
    };

    #[test]
    fn what_is_sealed_opens_at_its_place_and_nowhere_else() {
        let seal = keys(&['a']);
        let sealed = seal.seal(HERE, b"Zsofia").unwrap();
        assert!(!sealed.contains("Zsofia"));
        assert_ne!(sealed, seal.seal(HERE, b"Zsofia").unwrap(), "a new nonce");
        assert_eq!(seal.open(HERE, &sealed).unwrap(), b"Zsofia");
        let broken = SealError::Broken { what: "raw record" };
        for moved in [
            Place {
                connection: "fabrikam",
                ..HERE
            },
            Place {
                name: "18/h1",
                ..HERE
            },
        ] {
            assert_eq!(seal.open(moved, &sealed), Err(broken.clone()));
        }
        let other = Place {
            purpose: Purpose::Recording,
            ..HERE
        };
        assert!(seal.open(other, &sealed).is_err());
    }

    #[test]
    fn every_changed_byte_is_found() {
        let seal = keys(&['a']);
        let sealed = seal.seal(HERE, b"value").unwrap();
        for place in MARK.len()..sealed.len() {
            let mut bytes = sealed.clone().into_bytes();
            bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
            let spoilt = String::from_utf8(bytes).unwrap();
            assert!(seal.open(HERE, &spoilt).is_err(), "byte {place}");
        }
        assert!(seal.open(HERE, &sealed[..sealed.len() - 4]).is_err());
        assert!(seal.open(HERE, "value").is_err());
    }

    #[test]
    fn a_new_key_seals_and_the_old_one_still_opens() {
        let (old, both, new) = (keys(&['a']), keys(&['b', 'a']), keys(&['b']));
        let sealed = old.seal(HERE, b"x").unwrap();
        assert_eq!(both.open(HERE, &sealed).unwrap(), b"x");
        let again = both.seal(HERE, b"x").unwrap();
        assert_eq!(new.open(HERE, &again).unwrap(), b"x");
        let refused = new.open(HERE, &sealed).unwrap_err().to_string();
        assert!(
            refused.contains("add that key to [store] keys"),
            "{refused}"
        );
        let refused = Seal::default().open(HERE, &sealed).unwrap_err().to_string();
        assert!(refused.contains("has no key"), "{refused}");
        assert_eq!(Seal::default().seal(HERE, b"x"), None);
    }

    #[test]
    fn a_text_that_is_no_key_is_refused() {
        for text in ["", "secret", &"a".repeat(63), &"a".repeat(66)] {
            assert_eq!(Seal::new(&[SecretString::from(text)]).err(), Some(NoKey));
        }
        let base64 = STANDARD.encode([7; KEY_BYTES]);
        assert!(Seal::new(&[SecretString::from(base64)]).unwrap().is_on());
        assert!(!format!("{:?}", keys(&['a'])).contains("aaaa"));
    }

    #[test]
    fn a_contents_name_is_the_same_again_and_another_ones_by_another_key() {
        let seal = keys(&['a']);
        assert_eq!(seal.name_of(b"x"), seal.name_of(b"x"));
        assert_ne!(seal.name_of(b"x"), seal.name_of(b"y"));
        assert_ne!(seal.name_of(b"x"), keys(&['b']).name_of(b"x"));
    }
}
