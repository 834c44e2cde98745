//! Compiled components, kept between starts so that a restart is ready in milliseconds.
//!
//! Compiled code is machine code: whoever can put a file here runs in the host. So the directory is private (0700), a file's name and
//! contents are authenticated with a key that only this directory holds, and nothing is ever deserialised from anywhere else, least of all
//! from the plugin folder.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use hmac::{Hmac, Mac};
use rand::TryRngCore;
use sha2::{Digest, Sha256};
use wasmtime::component::Component;

use crate::limits::CACHED_FILES_MAX;

/// Bytes of the host key: as long as the hash that it keys.
const KEY_BYTES: usize = 32;
/// Bytes of the tag in front of the compiled code.
const TAG_BYTES: usize = 32;
/// Drawn once for every host: whoever has it is this host.
pub const KEY_FILE: &str = "host.key";

/// Of what passed the self-test.
const NOTE_ENDING: &str = "passed";
/// Each is empty: one for a file, and one for a set.
const NOTES_MAX: usize = 1_024;

/// Why the directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// Reading or writing failed.
    #[error("cannot use {}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Others can read or write it: code from there could be anybody's.
    #[error("{} is open to other users (mode {mode:o}): make it private (chmod {should:o}) or name another directory", path.display())]
    NotPrivate {
        /// The file or directory.
        path: PathBuf,
        /// As it is.
        mode: u32,
        /// As it should be.
        should: u32,
    },
    /// The key is not one that we wrote.
    #[error("{} is not a host key: remove the directory, it is only a cache", path.display())]
    BadKey {
        /// The file.
        path: PathBuf,
    },
    /// The operating system gave no random bytes.
    #[error("the operating system gives no random bytes: {why}")]
    NoRandom {
        /// Its words.
        why: String,
    },
}

/// The directory, its key, and what the engine's compiled code depends on.
pub(crate) struct Cache {
    dir: PathBuf,
    key: [u8; KEY_BYTES],
    engine: [u8; 32],
}

impl Cache {
    pub(crate) fn open(dir: PathBuf, engine: &wasmtime::Engine) -> Result<Self, CacheError> {
        make_private_dir(&dir)?;
        let key = host_key(&dir.join(KEY_FILE))?;
        let mut state = Fingerprint(Sha256::new());
        engine.precompile_compatibility_hash().hash(&mut state);
        Ok(Self {
            dir,
            key,
            engine: state.0.finalize().into(),
        })
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The compiled component of this source, if this very host compiled it for this very engine.
    pub(crate) fn load(
        &self,
        engine: &wasmtime::Engine,
        wasm_sha256: &[u8; 32],
    ) -> Option<Component> {
        let path = self.path(wasm_sha256);
        let mut bytes = Vec::new();
        let mut file = File::open(&path).ok()?;
        file.read_to_end(&mut bytes).ok()?;
        // What is in use is young, however long ago it was compiled. Best effort: it costs a compilation when it is pruned.
        let _ = file.set_modified(SystemTime::now());
        let component = self.trusted(engine, wasm_sha256, &bytes);
        if component.is_none() {
            tracing::warn!(file = %path.display(), "a compiled plugin in the cache is not ours or is damaged: it is compiled anew");
            // Best effort: the next store replaces the file anyway.
            let _ = fs::remove_file(&path);
        }
        component
    }

    #[allow(
        unsafe_code,
        reason = "deserialising compiled code is wasmtime's own unsafe contract: the bytes must come from `serialize`. The tag, made with a \
                  key that never leaves this private directory, proves that this host wrote them"
    )]
    fn trusted(
        &self,
        engine: &wasmtime::Engine,
        wasm_sha256: &[u8; 32],
        bytes: &[u8],
    ) -> Option<Component> {
        let (tag, code) = bytes.split_at_checked(TAG_BYTES)?;
        self.mac(b"code", wasm_sha256)
            .chain_update(code)
            .verify_slice(tag)
            .ok()?;
        // SAFETY: see the reason above.
        unsafe { Component::deserialize(engine, code) }.ok()
    }

    /// Keeps compiled code. A failure is logged and costs only time at the next start.
    pub(crate) fn store(&self, code: &[u8], wasm_sha256: &[u8; 32]) {
        match self.write(code, wasm_sha256) {
            Ok(()) => self.prune(false),
            Err(why) => {
                tracing::warn!(%why, dir = %self.dir.display(), "a compiled plugin cannot be kept: the next start compiles it again")
            }
        }
    }

    /// Whether this very host has noted that what is called so has passed its self-test.
    pub(crate) fn has_passed(&self, name: &[u8; 32]) -> bool {
        self.note(name).exists()
    }

    /// Notes that it has. A failure costs only time at the next start.
    pub(crate) fn passed(&self, name: &[u8; 32]) {
        if let Err(why) = private_file(&self.note(name), false) {
            tracing::debug!(%why, dir = %self.dir.display(), "a passed self-test cannot be noted");
        }
        self.prune(true);
    }

    /// Only who has the key can name it, so the name says it all.
    fn note(&self, name: &[u8; 32]) -> PathBuf {
        let tag = self.mac(b"passed", name).finalize().into_bytes();
        self.dir.join(hex::encode(tag)).with_extension(NOTE_ENDING)
    }

    fn write(&self, code: &[u8], wasm_sha256: &[u8; 32]) -> io::Result<()> {
        let tag = self
            .mac(b"code", wasm_sha256)
            .chain_update(code)
            .finalize()
            .into_bytes();
        let path = self.path(wasm_sha256);
        let unfinished = path.with_extension(format!("{}.part", std::process::id()));
        let mut file = private_file(&unfinished, false)?;
        file.write_all(&tag)?;
        file.write_all(code)?;
        file.sync_all()?;
        fs::rename(&unfinished, &path)
    }

    /// What was used longest ago first; a set of plugins is a dozen files. Notes are files of their own kind, so that they push no compiled code out.
    fn prune(&self, notes: bool) {
        let Ok(entries) = fs::read_dir(&self.dir) else {
            return;
        };
        let mut files: Vec<_> = entries
            .flatten()
            .filter(|entry| entry.file_name() != KEY_FILE)
            .filter(|entry| {
                let ending = entry.path();
                (ending.extension() == Some(NOTE_ENDING.as_ref())) == notes
            })
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
            .collect();
        files.sort();
        let most = if notes { NOTES_MAX } else { CACHED_FILES_MAX };
        let surplus = files.len().saturating_sub(most);
        for (_, path) in files.iter().take(surplus) {
            // Somebody else removed it: fine.
            let _ = fs::remove_file(path);
        }
    }

    fn path(&self, wasm_sha256: &[u8; 32]) -> PathBuf {
        self.dir.join(hex::encode(
            self.mac(b"name", wasm_sha256).finalize().into_bytes(),
        ))
    }

    fn mac(&self, purpose: &[u8], wasm_sha256: &[u8; 32]) -> Hmac<Sha256> {
        Hmac::<Sha256>::new_from_slice(&self.key)
            .expect("HMAC takes keys of any length")
            .chain_update(purpose)
            .chain_update(wasm_sha256)
            .chain_update(self.engine)
    }
}

/// Turns a `Hash` into SHA-256, so that the fingerprint is the same in every process.
struct Fingerprint(Sha256);

impl Hasher for Fingerprint {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

fn make_private_dir(dir: &Path) -> Result<(), CacheError> {
    let failed = |source| CacheError::Io {
        path: dir.to_owned(),
        source,
    };
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).map_err(failed)?;
    private(dir, 0o700)
}

fn random<const N: usize>() -> Result<[u8; N], CacheError> {
    let mut bytes = [0; N];
    rand::rngs::OsRng
        .try_fill_bytes(&mut bytes)
        .map_err(|error| CacheError::NoRandom {
            why: error.to_string(),
        })?;
    Ok(bytes)
}

fn host_key(path: &Path) -> Result<[u8; KEY_BYTES], CacheError> {
    let failed = |source| CacheError::Io {
        path: path.to_owned(),
        source,
    };
    if !path.exists() {
        // Whole or not at all: another host, or another thread, may look for it at this moment, and the first one counts.
        let key: [u8; KEY_BYTES] = random()?;
        let name: [u8; 8] = random()?;
        let unfinished = path.with_extension(format!("{}.part", hex::encode(name)));
        let written = private_file(&unfinished, true)
            .and_then(|mut file| {
                file.write_all(&key)?;
                file.sync_all()
            })
            .and_then(|()| match fs::hard_link(&unfinished, path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
                linked => linked,
            });
        // Best effort: it is private, and nobody reads it.
        let _ = fs::remove_file(&unfinished);
        written.map_err(failed)?;
    }
    private(path, 0o600)?;
    let bytes = fs::read(path).map_err(failed)?;
    bytes.try_into().map_err(|_| CacheError::BadKey {
        path: path.to_owned(),
    })
}

fn private_file(path: &Path, must_be_new: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true);
    if must_be_new {
        options.create_new(true);
    } else {
        options.create(true).truncate(true);
    }
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(unix)]
fn private(path: &Path, should: u32) -> Result<(), CacheError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::symlink_metadata(path)
        .map_err(|source| CacheError::Io {
            path: path.to_owned(),
            source,
        })?
        .permissions()
        .mode()
        & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(CacheError::NotPrivate {
        path: path.to_owned(),
        mode,
        should,
    })
}

#[cfg(not(unix))]
fn private(_path: &Path, _should: u32) -> Result<(), CacheError> {
    // Elsewhere the user's own data directory is private by inheritance.
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::engine::bare_engine;

    /// The smallest component that there is.
    const NOTHING: &[u8] = b"\0asm\x0d\0\x01\0";

    #[test]
    fn what_is_in_use_is_not_pushed_out_by_what_was_compiled_later() {
        let dir = tempfile::tempdir().unwrap();
        let engine = bare_engine().unwrap();
        let cache = Cache::open(dir.path().join("compiled"), &engine).unwrap();
        let code = engine.precompile_component(NOTHING).unwrap();
        let name = |number: usize| {
            let mut name = [0; 32];
            name[..8].copy_from_slice(&number.to_le_bytes());
            name
        };
        // Used long ago, the first of all longest ago.
        for number in 0..CACHED_FILES_MAX {
            cache.store(&code, &name(number));
            let seconds = u64::try_from(number).unwrap();
            File::options()
                .write(true)
                .open(cache.path(&name(number)))
                .and_then(|file| {
                    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
                })
                .unwrap();
        }
        assert!(cache.load(&engine, &name(0)).is_some());
        cache.store(&code, &name(CACHED_FILES_MAX));
        assert!(cache.path(&name(0)).exists(), "it was used just now");
        assert!(!cache.path(&name(1)).exists(), "somebody has to go");
        assert!(cache.path(&name(2)).exists());
    }
}
