//! Where the refresh token is kept: the crown jewel, because it opens everything for ninety days.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use secrecy::{ExposeSecret, SecretString};

/// A refresh token is one or two KB; a larger file is something else.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// Keeps the refresh token between uses. It may block. There are two: a file, and the store.
pub trait RefreshTokenKeeper: Send + Sync {
    /// The newest token.
    ///
    /// # Errors
    /// [`KeepError`] when there is none, or it cannot be read safely.
    fn load(&self) -> Result<SecretString, KeepError>;

    /// Replaces it. When this returns, the new token survives a power cut; when it fails, the old one is still there.
    ///
    /// # Errors
    /// [`KeepError`] when it could not be written.
    fn keep(&self, token: &SecretString) -> Result<(), KeepError>;

    /// What tells one token from the next without reading it, where there is such a thing: a token that was refused is not asked with again until
    /// this changes, or a while has passed.
    fn stamp(&self) -> Option<Stamp> {
        None
    }
}

/// When a file was written, and how long it is.
pub type Stamp = (SystemTime, u64);

/// The stamp of a file that is there.
pub(super) fn stamp_of(path: &Path) -> Option<Stamp> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

/// Why a refresh token could not be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// Someone else than the owner can read it.
    #[error(
        "the refresh token file {path} can be read by others (mode {mode:o}): chmod 600 it, and replace the token if anyone may have seen it"
    )]
    Exposed {
        /// The file.
        path: String,
        /// Its permission bits.
        mode: u32,
    },
    /// There is no token.
    #[error("no refresh token in {place}: sign in once with `cosell sign-in CONNECTION`")]
    Missing {
        /// The file, or the store.
        place: String,
    },
    /// It could not be read or written.
    #[error("the refresh token in {place} could not be {what}")]
    Io {
        /// The file, or the store.
        place: String,
        /// `read` or `kept`.
        what: &'static str,
        /// From the system.
        source: io::Error,
    },
}

/// How the name of a token ends that is not whole yet.
const NEW: &str = ".new";
/// Nobody takes so long to write one.
const UNFINISHED: Duration = Duration::from_secs(600);

/// A file of mode 0600 that holds the token and nothing else. It is replaced by renaming, never written in place.
#[derive(Debug, Clone)]
pub struct FileKeeper {
    path: PathBuf,
}

impl FileKeeper {
    /// The file need not be there yet; its folder must be.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    fn place(&self) -> String {
        self.path.display().to_string()
    }

    fn folder(&self) -> &Path {
        match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        }
    }

    fn replace(&self, token: &SecretString) -> io::Result<()> {
        // A name that nobody else draws: hosts that share the file are each the first process of a container of their own.
        let mut name = self.path.file_name().unwrap_or_default().to_os_string();
        let ending = format!(".{:016x}{NEW}", rand::random::<u64>());
        name.push(&ending);
        let beside = self.path.with_file_name(&name);
        self.forget_unfinished();
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&beside)?;
        file.write_all(token.expose_secret().as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&beside, &self.path)?;
        // The new name is only as durable as its folder.
        File::open(self.folder())?.sync_all()
    }

    /// What a crash between creating and renaming has left; what is younger may be somebody's who is just about to rename it.
    fn forget_unfinished(&self) {
        let own = self.path.file_name().unwrap_or_default().to_string_lossy();
        for entry in std::fs::read_dir(self.folder())
            .into_iter()
            .flatten()
            .flatten()
        {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let is_ours = name
                .strip_prefix(&*own)
                .is_some_and(|rest| rest.starts_with('.') && rest.ends_with(NEW));
            let age = entry.metadata().and_then(|file| file.modified());
            let age = age.ok().and_then(|at| at.elapsed().ok());
            if is_ours && age.is_some_and(|age| age > UNFINISHED) {
                // Whoever cannot delete it can keep a token all the same.
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }
}

impl RefreshTokenKeeper for FileKeeper {
    fn load(&self) -> Result<SecretString, KeepError> {
        let unreadable = |source| KeepError::Io {
            place: self.place(),
            what: "read",
            source,
        };
        let mut file = File::open(&self.path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => KeepError::Missing {
                place: self.place(),
            },
            _ => unreadable(source),
        })?;
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::PermissionsExt::mode(
                &file.metadata().map_err(unreadable)?.permissions(),
            ) & 0o777;
            if mode & 0o077 != 0 {
                return Err(KeepError::Exposed {
                    path: self.place(),
                    mode,
                });
            }
        }
        let mut text = String::new();
        Read::take(&mut file, FILE_BYTES_MAX)
            .read_to_string(&mut text)
            .map_err(unreadable)?;
        match text.trim() {
            "" => Err(KeepError::Missing {
                place: self.place(),
            }),
            token => Ok(SecretString::from(token)),
        }
    }

    fn keep(&self, token: &SecretString) -> Result<(), KeepError> {
        self.replace(token).map_err(|source| KeepError::Io {
            place: self.place(),
            what: "kept",
            source,
        })
    }

    fn stamp(&self) -> Option<Stamp> {
        stamp_of(&self.path)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_token_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("refresh-token");
        std::fs::write(&path, "secret\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let error = FileKeeper::new(&path).load().unwrap_err();
        assert!(
            matches!(error, KeepError::Exposed { mode: 0o640, .. }),
            "{error}"
        );
        assert!(!error.to_string().contains("secret\n"));
    }

    #[test]
    fn a_kept_token_is_private_whole_and_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("refresh-token");
        let keeper = FileKeeper::new(&path);
        assert!(matches!(keeper.load(), Err(KeepError::Missing { .. })));
        for token in ["first", "second"] {
            keeper.keep(&SecretString::from(token)).unwrap();
            assert_eq!(keeper.load().unwrap().expose_secret(), token);
        }
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    /// Hosts of one database share the file, and renew it in the same minute.
    #[test]
    fn hosts_that_renew_at_once_leave_a_whole_token_at_every_moment() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("refresh-token");
        FileKeeper::new(&path)
            .keep(&SecretString::from("token-0"))
            .unwrap();
        std::thread::scope(|scope| {
            for host in 1..4 {
                let keeper = FileKeeper::new(&path);
                scope.spawn(move || {
                    for _ in 0..100 {
                        keeper
                            .keep(&SecretString::from(format!("token-{host}")))
                            .unwrap();
                        let kept = keeper.load().unwrap();
                        assert!(kept.expose_secret().starts_with("token-"));
                    }
                });
            }
        });
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_a_crash_has_left_is_cleared_away_and_what_is_being_written_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("refresh-token");
        let beside = |name: &str| folder.path().join(name);
        for name in [
            "refresh-token.old.new",
            "refresh-token.young.new",
            "other.new",
        ] {
            std::fs::write(beside(name), "half").unwrap();
        }
        let long_ago = SystemTime::now() - 2 * UNFINISHED;
        for name in ["refresh-token.old.new", "other.new"] {
            let file = OpenOptions::new().write(true).open(beside(name)).unwrap();
            file.set_modified(long_ago).unwrap();
        }
        FileKeeper::new(&path)
            .keep(&SecretString::from("token"))
            .unwrap();
        let is_there = |name: &str| beside(name).exists();
        assert!(!is_there("refresh-token.old.new"));
        assert!(is_there("refresh-token.young.new") && is_there("other.new"));
    }
}
