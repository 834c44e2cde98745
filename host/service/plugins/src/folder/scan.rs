//! What lies in the folder, without trusting it: regular files only, read once.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::Path;
use std::time::SystemTime;

use crate::limits::{FILE_BYTES_MAX, OPERATOR_FILE_BYTES_MAX, SOURCE_BYTES_MAX};
use crate::load::too_big;
use crate::offer::{engine_file, is_offered, operator_file};
use crate::rejection::{Phase, Rejection, RejectionKind};
use crate::signature::signature_file;

/// Tells one state of a file from another without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    len: u64,
    modified: Option<SystemTime>,
    /// Rights change, and nothing else does.
    changed: (i64, i64),
    inode: (u64, u64),
    is_file: bool,
}

/// A file and what stands beside it: the operator file, the engine that runs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Print {
    file: Stamp,
    operator: Option<Stamp>,
    engine: Option<Stamp>,
    /// Of the file, and of the engine.
    signatures: [Option<Stamp>; 2],
}

/// By file name.
pub(crate) type Scan = BTreeMap<String, Print>;

pub(crate) fn scan(dir: &Path) -> io::Result<Scan> {
    let mut found = Scan::new();
    for entry in fs::read_dir(dir)? {
        let Ok(name) = entry?.file_name().into_string() else {
            continue;
        };
        if !is_offered(&name) {
            continue;
        }
        // It may be gone again between the two calls.
        let Some(file) = stamp(&dir.join(&name)) else {
            continue;
        };
        let engine = engine_file(&name).map(|engine| dir.join(engine));
        let print = Print {
            file,
            operator: stamp(&dir.join(operator_file(&name))),
            engine: engine.as_deref().and_then(stamp),
            signatures: [Some(dir.join(&name)), engine]
                .map(|path| path.and_then(|path| stamp(&signature_file(&path)))),
        };
        found.insert(name, print);
    }
    Ok(found)
}

fn stamp(path: &Path) -> Option<Stamp> {
    fs::symlink_metadata(path).ok().as_ref().map(Stamp::of)
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            len: metadata.len(),
            modified: metadata.modified().ok(),
            changed: changed(metadata),
            inode: inode(metadata),
            is_file: metadata.is_file(),
        }
    }
}

#[cfg(unix)]
fn inode(metadata: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
fn inode(_: &Metadata) -> (u64, u64) {
    (0, 0)
}

/// Seconds and nanoseconds.
#[cfg(unix)]
fn changed(metadata: &Metadata) -> (i64, i64) {
    use std::os::unix::fs::MetadataExt;
    (metadata.ctime(), metadata.ctime_nsec())
}

#[cfg(not(unix))]
fn changed(_: &Metadata) -> (i64, i64) {
    (0, 0)
}

/// The component's bytes.
pub(crate) fn read_component(path: &Path) -> Result<Vec<u8>, Rejection> {
    read(path, FILE_BYTES_MAX).map_err(|trouble| match trouble {
        Trouble::TooBig => too_big(),
        trouble => trouble.told(Phase::Read, "the file"),
    })
}

/// A script's or a table's text.
pub(crate) fn read_text(path: &Path) -> Result<String, Rejection> {
    let bytes = read(path, SOURCE_BYTES_MAX).map_err(|trouble| match trouble {
        Trouble::TooBig => Rejection::new(
            Phase::Read,
            RejectionKind::TooBig,
            format!("the file is larger than {} KiB", SOURCE_BYTES_MAX >> 10),
        )
        .with_hint("leave out libraries that it does not need: it is read anew by every instance"),
        trouble => trouble.told(Phase::Read, "the file"),
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Rejection::new(
            Phase::Read,
            RejectionKind::Source,
            format!("the file is not UTF-8 text (byte {at})"),
        )
        .with_hint("save it as UTF-8")
    })
}

/// The operator file's text; none, no file.
pub(crate) fn read_operator(component: &Path) -> Result<Option<String>, Rejection> {
    let name = component
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let path = component.with_file_name(operator_file(name));
    match read(&path, OPERATOR_FILE_BYTES_MAX) {
        Ok(bytes) => String::from_utf8(bytes).map(Some).map_err(|_| {
            Rejection::new(
                Phase::Operator,
                RejectionKind::Settings,
                "the operator file beside it is not UTF-8 text",
            )
        }),
        Err(Trouble::Io(error)) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(trouble) => Err(trouble.told(Phase::Operator, "the operator file beside it")),
    }
}

enum Trouble {
    NotRegular(&'static str),
    Moving,
    TooBig,
    Io(io::Error),
}

/// What lies beside a plugin and is small: a signature, a verdict. As carefully as the plugin itself, because anybody who may write there may have put
/// it there.
pub(crate) fn read_beside(path: &Path, max: u64) -> io::Result<Vec<u8>> {
    read(path, max).map_err(|trouble| match trouble {
        Trouble::Io(error) => error,
        Trouble::NotRegular(what) => io::Error::other(format!("it is {what}")),
        Trouble::Moving => io::Error::other("it was changed while it was read"),
        Trouble::TooBig => io::Error::other(format!("it has more than {max} bytes")),
    })
}

/// Nobody is followed and nobody is waited for, should a link or a pipe have come into the file's place since it was looked at.
fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        let careful = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        options.custom_flags(careful.bits().cast_signed());
    }
    options.open(path)
}

/// Looks before it opens (a pipe would block), and again after (somebody may have swapped the file).
fn read(path: &Path, max: u64) -> Result<Vec<u8>, Trouble> {
    let before = fs::symlink_metadata(path).map_err(Trouble::Io)?;
    if !before.is_file() {
        return Err(Trouble::NotRegular(what_is(&before)));
    }
    if before.len() > max {
        return Err(Trouble::TooBig);
    }
    let mut file = open(path).map_err(Trouble::Io)?;
    let opened = Stamp::of(&file.metadata().map_err(Trouble::Io)?);
    if opened != Stamp::of(&before) {
        return Err(Trouble::Moving);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(before.len()).unwrap_or_default());
    Read::by_ref(&mut file)
        .take(max + 1)
        .read_to_end(&mut bytes)
        .map_err(Trouble::Io)?;
    let after = Stamp::of(&file.metadata().map_err(Trouble::Io)?);
    if after != opened || bytes.len() as u64 != opened.len {
        return Err(Trouble::Moving);
    }
    Ok(bytes)
}

fn what_is(metadata: &Metadata) -> &'static str {
    if metadata.is_symlink() {
        "a symbolic link: what it points to could change unseen"
    } else if metadata.is_dir() {
        "a directory"
    } else {
        "a pipe, socket or device"
    }
}

impl Trouble {
    fn told(self, phase: Phase, which: &str) -> Rejection {
        match self {
            Self::NotRegular(what) => {
                Rejection::new(phase, RejectionKind::NotAFile, format!("{which} is {what}"))
                    .with_hint("copy the file itself into the folder")
            }
            Self::Moving => Rejection::new(
                phase,
                RejectionKind::NotAFile,
                format!("{which} changed while it was read"),
            )
            .with_hint(
                "copy under another name and rename; it is tried again when it stands still",
            ),
            Self::TooBig => Rejection::new(
                phase,
                RejectionKind::TooBig,
                format!("{which} is too large"),
            ),
            Self::Io(error) if error.kind() == io::ErrorKind::NotFound => Rejection::new(
                phase,
                RejectionKind::NotAFile,
                format!("{which} cannot be read: there is no such file"),
            )
            .with_hint("check the path"),
            Self::Io(error) => Rejection::new(
                phase,
                RejectionKind::NotAFile,
                format!("{which} cannot be read"),
            )
            .because([error.to_string()])
            .with_hint("give the host's user the right to read it"),
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_file_that_may_be_read_now_is_another_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("50-acme.wasm");
        fs::write(&path, b"x").unwrap();
        let before = scan(dir.path()).unwrap();
        assert_eq!(scan(dir.path()).unwrap(), before);
        let began = Instant::now();
        // The clock of the file system ticks slowly.
        while scan(dir.path()).unwrap() == before {
            assert!(began.elapsed() < Duration::from_secs(60));
            for mode in [0o600, 0o644] {
                fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            }
        }
    }
}
