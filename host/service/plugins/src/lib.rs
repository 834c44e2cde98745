//! The plugin engine: wasmtime lives here and nowhere else.
//!
//! A [`PluginFolder`] watches a directory of components and proposes what it finds; what serves is written down in a [`Ledger`], which hosts may
//! share. It keeps an immutable [`PluginSet`] of that ready; a run takes the set once and uses it to its end, so a reload is a swap and no deal
//! ever meets two versions. The set's hooks are the questions of the contract
//! (`wit/`), asked of every plugin that serves them, in file-name order, the last word winning. Questions and answers are the domain's words;
//! what `bindgen!` generates stays inside.
//!
//! A guest is not trusted: it gets no clock, file, network or environment (one whose toolchain cannot do without WASI gets an inert one, `inert`); every call has a budget of time, memory and output
//! ([`limits`]), and every answer is checked against what the plugin declared before anybody acts on it.
//!
//! Reading order: [`question`] (what is asked), [`stop`] (why there may be no answer), [`set`] and `hooks` (the chain), [`generation`] and
//! [`ledger`] (what serves, and who says so), [`folder`] and `load` (how a file becomes a plugin), `plugin`, `instance`, `engine` (how a guest is run).

#![allow(
    clippy::result_large_err,
    reason = "a rejection is made once for a refused file, and tells everything; boxing it would only hide that"
)]

pub mod question;
pub mod stop;

mod hooks;
pub mod set;

pub mod author;

mod examples;
pub mod folder;
pub mod generation;
mod health;
mod inert;
pub mod ledger;
mod load;
mod offer;
pub mod operator;
mod pace;
mod prescan;
pub mod rejection;
pub mod report;
mod self_test;
mod settings;
pub mod signature;
mod stamp;
mod standard;
pub mod trial;
mod twice;

mod cache;
mod chatter;
mod compile;
pub mod compiler;
mod declared;
mod engine;
mod instance;
pub mod limits;
mod plugin;
mod threads;
mod ticker;

#[cfg(test)]
mod hostile;

mod bindings;
mod convert;

pub use cache::KEY_FILE;
pub use compiler::{Compiler, CompilerProcess};
pub use engine::{Engine, EngineError, EngineSettings};
pub use folder::{
    Behind, FolderError, FolderSettings, Judged, PluginEvent, PluginFolder, Serving, Stranger,
    What, needs_a_signature, serving, strangers, unvouched, with_candidate,
};
pub use generation::{Generation, Member, Mode, Promote};
pub use ledger::{Ledger, LedgerError, Slate};
pub use limits::Limits;
pub use pace::Slow;
pub use plugin::Hook;
pub use question::{
    Arrival, Asking, Candidate, ContactQuestion, Draft, Likeness, Order, Outcome, Reading, Report,
    Resolution, Search, Strength, Verdict,
};
pub use rejection::{Phase, Rejection, RejectionKind};
pub use report::{AskedSystem, CheckReport, check_file, check_file_with};
pub use set::{Followed, PluginInfo, PluginSet};
pub use stop::{FaultKind, PluginFault, Speaker, Spoken, Stop, StopKind, short_hash};
