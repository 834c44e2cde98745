//! What a file of the folder is a plugin by: by itself, a component; or through an *engine*, a component that runs what the file says.
//!
//! | file | is | engine |
//! |---|---|---|
//! | `NAME.wasm` | a component | |
//! | `NAME.js` | a script | `script.engine.wasm` |
//! | `NAME.table.toml` | a mapping table | `table.engine.wasm` |
//!
//! Engines lie in the folder as well, so that whoever runs the host chooses their version as that of any plugin; a newer one has every file that
//! it runs checked again. An engine is no plugin, and serves nobody without a file.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use sha2::{Digest, Sha256};

use crate::folder::{read_component, read_text};
use crate::rejection::{Phase, Rejection, RejectionKind};
use crate::signature::{Trust, Vouched, vouched};

/// Files with this ending are engines, and no plugins.
const ENGINE_ENDING: &str = ".engine.wasm";

/// A kind of file, known by how its name ends.
struct Kind {
    ending: &'static str,
    /// The component that runs it.
    engine: Option<&'static str>,
}

const KINDS: &[Kind] = &[
    Kind {
        ending: ".wasm",
        engine: None,
    },
    // Never taken: whoever drops one should hear why.
    Kind {
        ending: ".cwasm",
        engine: None,
    },
    Kind {
        ending: ".js",
        engine: Some("script.engine.wasm"),
    },
    Kind {
        ending: ".table.toml",
        engine: Some("table.engine.wasm"),
    },
];

fn kind(file: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| file.ends_with(kind.ending))
}

/// Whether a file of this name is put forward as a plugin. Hidden and temporary files are nobody's business.
pub(crate) fn is_offered(file: &str) -> bool {
    !file.starts_with('.')
        && !file.starts_with('~')
        && !file.ends_with(ENGINE_ENDING)
        && kind(file).is_some()
}

/// The engine's file in the same folder, if one runs files of this name.
pub(crate) fn engine_file(file: &str) -> Option<&'static str> {
    kind(file)?.engine
}

/// Where the engine of this file is: beside it, or in the first of these folders that has one.
pub(crate) fn engine_beside(path: &Path, engines: &[PathBuf]) -> Option<PathBuf> {
    let engine = engine_file(&path.file_name()?.to_string_lossy())?;
    std::iter::once(path.with_file_name(engine))
        .chain(engines.iter().map(|folder| folder.join(engine)))
        .find(|place| place.is_file())
}

/// `NAME.toml` of `NAME.wasm`, of `NAME.js` and of `NAME.table.toml`.
pub(crate) fn operator_file(file: &str) -> String {
    let name = kind(file).and_then(|kind| file.strip_suffix(kind.ending));
    format!("{}.toml", name.unwrap_or(file))
}

/// All bytes of one version of one plugin, read once.
pub(crate) struct Offer {
    /// Name in the folder.
    pub(crate) file: String,
    /// The component: the file itself, or the engine that runs it.
    pub(crate) wasm: Vec<u8>,
    /// What the engine runs.
    pub(crate) text: Option<String>,
    /// Hash of the component, once somebody has asked: of a big one it is a tenth of what a start waits for.
    wasm_digest: OnceLock<[u8; 32]>,
}

impl Offer {
    /// Reads the file, and the engine beside it.
    pub(crate) fn read(path: &Path) -> Result<Self, Rejection> {
        Self::read_with(path, path)
    }

    /// Reads the file, and the engine beside it or, where none is, the first in these folders: for authors, who keep engines in one place.
    pub(crate) fn read_from(path: &Path, engines: &[PathBuf]) -> Result<Self, Rejection> {
        match engine_beside(path, engines) {
            Some(engine) => Self::read_with(path, &engine),
            None => Self::read(path),
        }
    }

    /// Reads the file, and the engine that lies beside another one.
    pub(crate) fn read_with(path: &Path, beside: &Path) -> Result<Self, Rejection> {
        let file = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        let Some(engine) = engine_file(&file) else {
            return Ok(Self {
                wasm: read_component(path)?,
                text: None,
                file,
                wasm_digest: OnceLock::new(),
            });
        };
        let text = read_text(path)?;
        let wasm = read_component(&beside.with_file_name(engine)).map_err(|rejection| {
            Rejection::new(
                Phase::Read,
                RejectionKind::NoEngine,
                format!("{engine}, which runs files like this one, is not in the folder or cannot be read"),
            )
            .because([rejection.message])
            .with_hint(format!("copy {engine} into the folder, beside the plugins: `cargo xtask plugins` builds it into target/engines"))
        })?;
        Ok(Self {
            file,
            wasm,
            text: Some(text),
            wasm_digest: OnceLock::new(),
        })
    }

    /// Of bytes that are kept elsewhere.
    pub(crate) fn of(file: &str, wasm: Vec<u8>, text: Option<Vec<u8>>) -> Result<Self, Rejection> {
        let text = text.map(String::from_utf8).transpose().map_err(|_| {
            Rejection::new(
                Phase::Read,
                RejectionKind::Source,
                "the kept text is not UTF-8",
            )
        })?;
        Ok(Self {
            file: file.to_owned(),
            wasm,
            text,
            wasm_digest: OnceLock::new(),
        })
    }

    /// Of the text alone.
    pub(crate) fn text_digest(&self) -> Option<[u8; 32]> {
        self.text.as_ref().map(|text| Sha256::digest(text).into())
    }

    /// Who vouches for all of it: for the file, and for the engine that runs it. `dir` is where both lie.
    pub(crate) fn vouched(&self, trust: &Trust, dir: &Path) -> Result<Vouched, Rejection> {
        let of_wasm = |name: &str| vouched(trust, &dir.join(name), &self.wasm);
        match (engine_file(&self.file), &self.text) {
            (Some(engine), Some(text)) => {
                let own = vouched(trust, &dir.join(&self.file), text.as_bytes())?;
                let engines = of_wasm(engine).map_err(|why| self.blame(why))?;
                Ok(Vouched {
                    by: own.by.filter(|_| engines.by.is_some()),
                    engine_by: engines.by,
                    warning: own.warning.or(engines.warning),
                })
            }
            _ => of_wasm(&self.file),
        }
    }

    /// Which version this is: the component's hash, or one of engine and text together.
    pub(crate) fn digest(&self) -> [u8; 32] {
        let wasm = self.wasm_digest();
        let Some(text) = &self.text else { return wasm };
        // The length of the first part is fixed, so no two pairs make the same input.
        let mut both = Sha256::new_with_prefix(wasm);
        both.update(text);
        both.finalize().into()
    }

    /// Of the component alone: what is compiled, and kept compiled.
    pub(crate) fn wasm_digest(&self) -> [u8; 32] {
        let digest = || Sha256::digest(&self.wasm).into();
        *self.wasm_digest.get_or_init(digest)
    }

    /// Bytes of the file itself.
    pub(crate) fn bytes(&self) -> usize {
        self.text.as_ref().map_or(self.wasm.len(), String::len)
    }

    /// Who is meant when the component does not hold: the file, or its engine.
    pub(crate) fn blame(&self, rejection: Rejection) -> Rejection {
        match engine_file(&self.file) {
            Some(engine) => Rejection {
                message: format!("its engine {engine} does not hold: {}", rejection.message),
                ..rejection
            },
            None => rejection,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_its_ending() {
        let told = |file| (is_offered(file), engine_file(file), operator_file(file));
        assert_eq!(
            told("50-acme.wasm"),
            (true, None, "50-acme.toml".to_owned())
        );
        assert_eq!(
            told("50-acme.js"),
            (true, Some("script.engine.wasm"), "50-acme.toml".to_owned())
        );
        assert_eq!(
            told("50-acme.table.toml"),
            (true, Some("table.engine.wasm"), "50-acme.toml".to_owned())
        );
        for nobodys in [
            "50-acme.toml",
            "script.engine.wasm",
            ".50-acme.js",
            "~50-acme.js",
            "50-acme.js~",
            "README.md",
            "50-acme.rejected.json",
        ] {
            assert!(!is_offered(nobodys), "{nobodys}");
        }
    }

    #[test]
    fn engine_and_text_are_one_version() {
        let offer = |wasm: &[u8], text: Option<&str>| Offer {
            file: String::new(),
            wasm: wasm.to_vec(),
            text: text.map(str::to_owned),
            wasm_digest: OnceLock::new(),
        };
        let all = [
            offer(b"a", None),
            offer(b"a", Some("")),
            offer(b"a", Some("x")),
            offer(b"b", Some("x")),
        ]
        .map(|offer| offer.digest());
        for (at, one) in all.iter().enumerate() {
            assert!(!all[..at].contains(one), "{at}");
        }
        let component: [u8; 32] = Sha256::digest(b"a").into();
        assert_eq!(all[0], component, "a component's version is its own hash");
    }
}
