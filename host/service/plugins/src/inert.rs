//! Inert WASI: what a guest gets of a system when its operator lets it ask for one, and that is nothing of this machine.
//!
//! A toolchain whose standard library cannot do without a system (Rust's `wasm32-wasip2`, TinyGo, Python without stubs) makes components that import
//! WASI 0.2. `wasi = "inert"` in the operator file beside such a component links it to what stands here: no environment, no arguments, no current
//! directory, no open directory, no socket; standard input is at its end; what is printed goes into the plugin's log, line by line, under the log's
//! caps; both clocks stand still at the question's `now`; chance rolls the same numbers in every call; whoever sleeps or polls is awake at once; and
//! whoever exits has failed. So a call stays a function of its arguments. Before the first question (coming up, `manifest`, `describe`) there is no
//! `now`, and it is the beginning of 1970.
//!
//! These are our own answers and not `wasmtime-wasi`: that one opens real files and real clocks and then takes them away, and brings an async runtime
//! along. Here is nothing that could be opened. Each component is linked by itself, so one that imports no WASI meets none.
//!
//! Guests of 0.2.0 and of any later 0.2 link: wasmtime takes names of one semver range for each other, and a function that a later 0.2 adds, or one that
//! needs what no guest holds (reading from a directory, sending on a socket), ends the call that asks for it.

mod answers;
mod bindings;

use cosell_sync::deal::Timestamp;
use serde::Deserialize;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, HasSelf, Linker};

use crate::author::dice::Dice;
use crate::bindings::cosell::mapping::types::Level;
use crate::convert::as_told;
use crate::instance::{GuestState, LogBook};
use crate::limits::LOG_LINE_BYTES;
use crate::offer::{engine_file, operator_file};
use crate::rejection::{Phase, Rejection, RejectionKind};

/// What a plugin gets of a system.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Wasi {
    /// None: a component that imports one is refused.
    #[default]
    None,
    /// One that answers nothing.
    Inert,
}

/// As the operator file says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Said {
    Inert,
}

impl From<Option<Said>> for Wasi {
    fn from(said: Option<Said>) -> Self {
        match said {
            None => Self::None,
            Some(Said::Inert) => Self::Inert,
        }
    }
}

/// The interfaces that are answered, by package.
const ANSWERED: [(&str, &[&str]); 6] = [
    (
        "wasi:cli",
        &[
            "environment",
            "exit",
            "stderr",
            "stdin",
            "stdout",
            "terminal-input",
            "terminal-output",
            "terminal-stderr",
            "terminal-stdin",
            "terminal-stdout",
        ],
    ),
    ("wasi:clocks", &["monotonic-clock", "wall-clock"]),
    ("wasi:filesystem", &["preopens", "types"]),
    ("wasi:io", &["error", "poll", "streams"]),
    ("wasi:random", &["insecure", "insecure-seed", "random"]),
    (
        "wasi:sockets",
        &[
            "instance-network",
            "ip-name-lookup",
            "network",
            "tcp",
            "tcp-create-socket",
            "udp",
            "udp-create-socket",
        ],
    ),
];

/// Major and minor of it.
pub(crate) const VERSION: (u64, u64) = (0, 2);
/// Under which our bindings are linked.
const LINKED_AS: &str = "0.2.12";

/// What the key gives, for whoever reads a refusal.
pub(crate) const GIVES: &str = "nothing of this machine: no files, network, environment or input; the clock stands at the question's `now`; chance rolls the \
     same numbers in every call; what it prints goes into its log; nothing sleeps";

pub(crate) fn is_answered(package: &str, interface: &str) -> bool {
    ANSWERED
        .iter()
        .any(|(known, interfaces)| *known == package && interfaces.contains(&interface))
}

/// `wasi:cli/environment@0.2.6` → `wasi:cli`. None: it is no import of a system.
pub(crate) fn package_of(import: &str) -> Option<&str> {
    let (package, _) = import.split_once('/')?;
    package.starts_with("wasi:").then_some(package)
}

/// The parts of a system that these imports name, each once; empty: none.
pub(crate) fn packages_of(imports: &[String]) -> Vec<String> {
    let mut packages: Vec<String> = imports
        .iter()
        .filter_map(|import| package_of(import))
        .map(str::to_owned)
        .collect();
    packages.sort_unstable();
    packages.dedup();
    packages
}

/// What of a system this file gets. What runs scripts and tables needs none, and nobody may think that a script got one.
pub(crate) fn given_to(file: &str, said: Wasi) -> Result<Wasi, Rejection> {
    match (engine_file(file), said) {
        (Some(engine), Wasi::Inert) => Err(Rejection::new(
            Phase::Operator,
            RejectionKind::Settings,
            format!("`wasi` is for components, and this file is run by {engine}, which asks for no system"),
        )
        .with_hint(format!("remove the key from {}", operator_file(file)))),
        (_, said) => Ok(said),
    }
}

/// The linker for this component: what every guest gets, and the interfaces of a system that this one imports.
pub(crate) fn linker(
    usual: &Linker<GuestState>,
    component: &Component,
) -> wasmtime::Result<Linker<GuestState>> {
    let mut linker = usual.clone();
    let engine = linker.engine().clone();
    // First every function that it names ends the call; then what we answer takes its place.
    linker.allow_shadowing(true);
    for (import, item) in component.component_type().imports(&engine) {
        let (Some(_), ComponentItem::ComponentInstance(interface)) = (package_of(import), item.ty)
        else {
            continue;
        };
        let path = import.split('@').next().unwrap_or(import);
        let mut place = linker.instance(&format!("{path}@{LINKED_AS}"))?;
        for (function, item) in interface.exports(&engine) {
            if matches!(item.ty, ComponentItem::ComponentFunc(_)) {
                let beyond = Ended(format!(
                    "called `{path}#{function}`, which inert WASI does not answer: there is nothing that it could be about"
                ));
                place.func_new(function, move |_, _, _, _| Err(beyond.clone().into()))?;
            }
        }
    }
    bindings::Inert::add_to_linker::<_, HasSelf<GuestState>>(&mut linker, |state| state)?;
    linker.allow_shadowing(false);
    Ok(linker)
}

/// A guest did what ends its call.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Ended(pub(crate) String);

/// The moment of everything that is no question about a deal.
pub(crate) const BEFORE_ANY_QUESTION: Timestamp = Timestamp::UNIX_EPOCH;

/// What a guest meets of a system during one call. Every guest has them, and only one that is linked to WASI can tell.
pub(crate) struct Surroundings {
    now: Timestamp,
    dice: Dice,
    out: Line,
    err: Line,
}

impl Surroundings {
    /// At this moment, whatever was before.
    pub(crate) fn at(now: Timestamp) -> Self {
        Self {
            now,
            // Nobody's secret, and the same in every call: an answer that depends on chance does not change from one look at a deal to the next.
            dice: Dice::of(0, "wasi", 0),
            out: Line::default(),
            err: Line::default(),
        }
    }

    /// As the question tells it, so that a clock knows no more; nothing was before 1970.
    fn now(&self) -> Timestamp {
        as_told(self.now).max(Timestamp::UNIX_EPOCH)
    }

    /// What was printed without an end of line.
    pub(crate) fn end_lines(&mut self, log: &mut LogBook) {
        self.out.end_if_begun(Level::Info, log);
        self.err.end_if_begun(Level::Warn, log);
    }
}

/// A line that is being printed.
#[derive(Default)]
struct Line(Vec<u8>);

impl Line {
    fn print(&mut self, text: &[u8], level: Level, log: &mut LogBook) {
        for piece in text.split_inclusive(|byte| *byte == b'\n') {
            let (piece, has_ended) = match piece.strip_suffix(b"\n") {
                Some(piece) => (piece.strip_suffix(b"\r").unwrap_or(piece), true),
                None => (piece, false),
            };
            // One byte more than the log takes: it then cuts the line as any other.
            let room = (LOG_LINE_BYTES + 1).saturating_sub(self.0.len());
            self.0.extend_from_slice(&piece[..piece.len().min(room)]);
            if has_ended {
                self.end(level, log);
            }
        }
    }

    fn end(&mut self, level: Level, log: &mut LogBook) {
        log.write(level, &String::from_utf8_lossy(&self.0));
        self.0.clear();
    }

    fn end_if_begun(&mut self, level: Level, log: &mut LogBook) {
        if !self.0.is_empty() {
            self.end(level, log);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::LOG_CALL_BYTES;

    fn printed(pieces: &[&[u8]]) -> Vec<String> {
        let (mut log, mut surroundings) =
            (LogBook::default(), Surroundings::at(BEFORE_ANY_QUESTION));
        for piece in pieces {
            surroundings.out.print(piece, Level::Info, &mut log);
        }
        surroundings.end_lines(&mut log);
        log.lines.into_iter().map(|(_, line)| line).collect()
    }

    #[test]
    fn what_is_printed_becomes_lines_of_the_log() {
        assert_eq!(
            printed(&[b"one\ntw", b"o\r\n\nthree"]),
            ["one", "two", "", "three"]
        );
        assert_eq!(
            printed(&[b"\x1b[2Jnot \xff text"]),
            ["\\u{1b}[2Jnot \u{fffd} text"]
        );
        assert!(printed(&[]).is_empty());
    }

    #[test]
    fn a_line_without_an_end_is_kept_as_far_as_the_log_takes_it() {
        let mut log = LogBook::default();
        let mut line = Line::default();
        for _ in 0..10_000 {
            line.print(&[b'x'; 1_000], Level::Info, &mut log);
        }
        assert_eq!(line.0.len(), LOG_LINE_BYTES + 1);
        line.end(Level::Info, &mut log);
        assert!(
            log.lines[0].1.ends_with('…'),
            "it does not say that it was cut"
        );
        for _ in 0..LOG_CALL_BYTES {
            line.print(b"\n", Level::Info, &mut log);
        }
        assert!(log.dropped > 0, "the log has no end");
    }

    #[test]
    fn imports_of_a_system_are_told_by_their_packages() {
        let imports = [
            "cosell:mapping/log@1.0.0",
            "wasi:io/streams@0.2.6",
            "wasi:cli/exit@0.2.0",
            "wasi:io/poll@0.2.0",
        ];
        let imports = imports.map(str::to_owned);
        assert_eq!(packages_of(&imports), ["wasi:cli", "wasi:io"]);
        assert!(is_answered("wasi:io", "streams") && !is_answered("wasi:io", "exit"));
    }

    #[test]
    fn each_call_rolls_the_same_numbers() {
        let mut rolls = [1, 2].map(|_| {
            let mut one = Surroundings::at(BEFORE_ANY_QUESTION);
            [one.dice.roll(), one.dice.roll()]
        });
        assert_eq!(rolls[0], rolls[1]);
        rolls[1].sort_unstable();
        assert_ne!(rolls[0][0], rolls[0][1]);
    }
}
