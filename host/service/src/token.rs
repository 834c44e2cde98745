//! The refresh token's file, sealed where there is a key: a plain one is read too, and is sealed with the next token.

use std::path::Path;
use std::sync::Arc;

use cosell_remote::auth::{FileKeeper, KeepError, RefreshTokenKeeper, Stamp};
use secrecy::{ExposeSecret as _, SecretString};

use crate::seal::{Place, Purpose, Seal};

/// Keeps the token of one connection.
pub(crate) struct SealedKeeper {
    file: FileKeeper,
    path: String,
    connection: String,
    seal: Arc<Seal>,
}

impl SealedKeeper {
    pub(crate) fn new(path: &Path, connection: &str, seal: &Arc<Seal>) -> Self {
        Self {
            file: FileKeeper::new(path),
            path: path.display().to_string(),
            connection: connection.to_owned(),
            seal: Arc::clone(seal),
        }
    }

    /// A key is there, and the file is not sealed.
    pub(crate) fn is_plain_although(&self) -> bool {
        let found = self.file.load();
        self.seal.is_on() && found.is_ok_and(|token| !Seal::is_sealed(token.expose_secret()))
    }

    fn place(&self) -> Place<'_> {
        Place {
            connection: &self.connection,
            purpose: Purpose::RefreshToken,
            name: "",
        }
    }

    fn broken(&self, what: &'static str, why: impl std::fmt::Display) -> KeepError {
        KeepError::Io {
            place: self.path.clone(),
            what,
            source: std::io::Error::other(why.to_string()),
        }
    }
}

impl RefreshTokenKeeper for SealedKeeper {
    fn load(&self) -> Result<SecretString, KeepError> {
        let found = self.file.load()?;
        if !Seal::is_sealed(found.expose_secret()) {
            return Ok(found);
        }
        let opened = self
            .seal
            .open(self.place(), found.expose_secret())
            .map_err(|error| self.broken("read", error))?;
        let text = String::from_utf8(opened).map_err(|_| self.broken("read", "it is no text"))?;
        Ok(SecretString::from(text))
    }

    fn keep(&self, token: &SecretString) -> Result<(), KeepError> {
        // What cannot be read was sealed by a key that is missing here, and is not overwritten: it may be the only one.
        if self.file.load().is_ok() {
            drop(self.load()?);
        }
        let token = token.expose_secret();
        let kept = match self.seal.seal(self.place(), token.as_bytes()) {
            Some(sealed) => SecretString::from(sealed),
            None => SecretString::from(token),
        };
        self.file.keep(&kept)
    }

    fn stamp(&self) -> Option<Stamp> {
        self.file.stamp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(digits: &[char]) -> Arc<Seal> {
        let text = |digit: &char| SecretString::from(digit.to_string().repeat(64));
        Arc::new(Seal::new(&digits.iter().map(text).collect::<Vec<_>>()).unwrap())
    }

    #[test]
    fn a_plain_token_is_read_and_sealed_with_the_next_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        FileKeeper::new(&path)
            .keep(&SecretString::from("first"))
            .unwrap();
        let keeper = SealedKeeper::new(&path, "contoso", &keys(&['a']));
        assert!(keeper.is_plain_although());
        assert_eq!(keeper.load().unwrap().expose_secret(), "first");
        keeper.keep(&SecretString::from("second")).unwrap();
        assert!(!keeper.is_plain_although());
        assert_eq!(keeper.load().unwrap().expose_secret(), "second");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(Seal::is_sealed(&text) && !text.contains("second"));
    }

    #[test]
    fn a_token_of_another_key_or_connection_is_neither_used_nor_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let token = SecretString::from("crown jewel");
        SealedKeeper::new(&path, "contoso", &keys(&['a']))
            .keep(&token)
            .unwrap();
        let before = std::fs::read(&path).unwrap();
        for keeper in [
            SealedKeeper::new(&path, "contoso", &keys(&['b'])),
            SealedKeeper::new(&path, "contoso", &Arc::default()),
            SealedKeeper::new(&path, "fabrikam", &keys(&['a'])),
        ] {
            let refused = keeper.load().unwrap_err();
            let why = std::error::Error::source(&refused).unwrap().to_string();
            assert!(why.contains("nothing was overwritten"), "{why}");
            assert!(keeper.keep(&SecretString::from("other")).is_err());
            assert_eq!(std::fs::read(&path).unwrap(), before);
        }
        let rotated = SealedKeeper::new(&path, "contoso", &keys(&['b', 'a']));
        rotated.keep(&SecretString::from("next")).unwrap();
        let alone = SealedKeeper::new(&path, "contoso", &keys(&['b']));
        assert_eq!(alone.load().unwrap().expose_secret(), "next");
    }
}
