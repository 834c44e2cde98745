//! The table of attacks: what is tried, what stands in its way, and what its author must be told.

mod looks;
mod runs;

use std::path::Path;

use wasm_encoder::Module;

use crate::bytes::Bytes;
use crate::plays::Play;

/// One row.
pub(crate) struct Attack {
    /// `start.loop`
    pub(crate) id: &'static str,
    /// What is tried.
    pub(crate) tries: &'static str,
    /// What stands in its way.
    pub(crate) defence: &'static str,
    pub(crate) strike: Strike,
}

/// How it is tried, and what must come of it.
pub(crate) enum Strike {
    /// A file that never serves.
    Refused {
        file: File,
        /// `kind` of the refusal.
        kind: &'static str,
        /// Words that it must contain.
        says: &'static str,
    },
    /// A plugin that is put into service and fails over one deal after the other: taken out again, and the deals that it had met cross.
    TakenOut {
        make: fn() -> Bytes,
        /// The operator file beside it.
        operator: &'static str,
        /// Words that the refusal must contain.
        says: &'static str,
    },
    /// A story of its own, which answers what was told.
    Own(Play),
}

/// What lies in the folder.
pub(crate) enum File {
    /// A component of these bytes.
    Component(fn() -> Bytes),
    /// A healthy component with one more module inside: the module, and how often it is instantiated.
    Module(fn() -> Module, usize),
    /// A script.
    Script(&'static str),
    /// No ordinary file.
    Odd(fn(&Path) -> anyhow::Result<()>),
}

/// Which limits the compiler has: bombs are tried under small ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compiling {
    Usual,
    Scarce,
}

/// Attacks of one kind, and the host that they meet.
pub(crate) struct Part {
    pub(crate) title: &'static str,
    pub(crate) about: &'static str,
    pub(crate) compiling: Compiling,
    pub(crate) attacks: Vec<Attack>,
}

const fn refused(
    id: &'static str,
    tries: &'static str,
    defence: &'static str,
    file: File,
    kind: &'static str,
    says: &'static str,
) -> Attack {
    Attack {
        id,
        tries,
        defence,
        strike: Strike::Refused { file, kind, says },
    }
}

const fn taken_out(
    id: &'static str,
    tries: &'static str,
    defence: &'static str,
    make: fn() -> Bytes,
    operator: &'static str,
    says: &'static str,
) -> Attack {
    Attack {
        id,
        tries,
        defence,
        strike: Strike::TakenOut {
            make,
            operator,
            says,
        },
    }
}

const fn own(id: &'static str, tries: &'static str, defence: &'static str, play: Play) -> Attack {
    Attack {
        id,
        tries,
        defence,
        strike: Strike::Own(play),
    }
}

/// All of them.
pub(crate) fn parts() -> Vec<Part> {
    vec![
        looks::files(),
        looks::components(),
        runs::bombs(),
        runs::starts(),
        runs::laws(),
        runs::calls(),
        runs::systems(),
    ]
}
