//! What shows before anything runs.

use super::{Compiling, File, Part, own, refused};
use crate::{bytes, plays};

pub(super) fn files() -> Part {
    use File::{Component, Odd};
    const ONCE: &str = "regular files only; looked at before and after opening; read once, and only those bytes are used";
    Part {
        title: "Files",
        about: "What lies in the folder need not be what it seems.",
        compiling: Compiling::Usual,
        attacks: vec![
            refused(
                "file.garbage",
                "text with the ending of a component",
                "the first bytes are looked at",
                Component(|| Ok(b"not WebAssembly at all".to_vec())),
                "not-a-component",
                "not WebAssembly",
            ),
            refused(
                "file.module",
                "a core module",
                "only components have types that can be checked",
                Component(|| Ok(b"\0asm\x01\0\0\0".to_vec())),
                "not-a-component",
                "core module",
            ),
            refused(
                "file.machine-code",
                "compiled code (`.cwasm`), which would run outside the sandbox",
                "compiled code is never taken from the folder; the host's own cache is sealed with its key",
                Component(|| Ok(b"\x7fELF\x02\x01\x01".to_vec())),
                "not-a-component",
                "machine code",
            ),
            own(
                "file.half",
                "half a file, and the rest later",
                "a file must stand still, is read whole and parsed whole; the rest is a new file",
                plays::half_then_whole,
            ),
            refused(
                "file.link",
                "a symbolic link, whose target can change unseen",
                ONCE,
                Odd(plays::link),
                "not-a-file",
                "symbolic link",
            ),
            refused(
                "file.directory",
                "a directory",
                ONCE,
                Odd(plays::directory),
                "not-a-file",
                "directory",
            ),
            refused(
                "file.pipe",
                "a named pipe: opening it would wait for ever",
                ONCE,
                Odd(plays::pipe),
                "not-a-file",
                "pipe",
            ),
            refused(
                "file.huge",
                "33 MiB of nothing",
                "the size is looked at before a byte is read",
                Odd(plays::huge),
                "too-big",
                "larger than",
            ),
            own(
                "file.swap",
                "another content under the same name once it has passed its checks",
                "the folder is never mapped or read again: what was checked is what serves",
                plays::swapped_after_its_checks,
            ),
            own(
                "file.hidden",
                "hidden, temporary and other files",
                "only plain names with a known ending are looked at",
                plays::hidden_files,
            ),
        ],
    }
}

pub(super) fn components() -> Part {
    use File::{Component, Module};
    const IMPORTS: &str = "imports are an allow-list of one: the log";
    Part {
        title: "Components",
        about: "What can be told without running it.",
        compiling: Compiling::Usual,
        attacks: vec![
            refused(
                "component.damaged",
                "a section that is longer than the file",
                "parsed from end to end before anything else",
                Component(bytes::lying_about_a_length),
                "not-a-component",
                "damaged",
            ),
            refused(
                "component.imports",
                "an import of system interfaces: randomness, and with it clocks, files, network",
                IMPORTS,
                Component(|| bytes::guest("imports-another")),
                "import",
                "wasi:random/random",
            ),
            refused(
                "component.module-imports",
                "an import of an inner module that nobody gives",
                "linking is checked as a whole before anything is instantiated",
                Module(bytes::importing, 1),
                "compile",
                "`env`",
            ),
            refused(
                "component.no-hook",
                "no hook at all",
                "exports are looked at by name",
                Component(|| bytes::guest("exports-nothing")),
                "export",
                "no hook",
            ),
            refused(
                "component.types",
                "a hook under our name with other types",
                "types are compared before it serves, and the difference is told",
                Component(|| bytes::guest("deceives")),
                "incompatible",
                "country",
            ),
            refused(
                "component.impersonates",
                "the id of another plugin, to take its place",
                "of two with one id the earlier file serves",
                Component(bytes::impostor),
                "duplicate",
                "stock-country",
            ),
            refused(
                "component.path",
                "a path for an id",
                "ids are small letters, digits and hyphens",
                Component(|| bytes::calling_itself("../boot")),
                "output",
                "id",
            ),
            refused(
                "component.escape",
                "an id that steers a terminal",
                "ids are small letters, digits and hyphens",
                Component(|| bytes::calling_itself("\u{1b}[31mxx")),
                "output",
                "id",
            ),
            own(
                "component.names",
                "a megabyte of names that are no text, twice",
                "custom sections that the contract does not need are not read",
                plays::false_names,
            ),
            refused(
                "component.example",
                "a promise (golden example) that it does not keep",
                "each example runs twice on fresh instances before it serves",
                Component(|| bytes::guest("fails-its-example")),
                "example",
                "names go into the CRM in capitals",
            ),
        ],
    }
}
