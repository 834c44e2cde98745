//! A plugin alone, asked as often as somebody wants to measure it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use cosell_sync::row::{Needs, Seen};
use wasmtime::component::{Component, HasSelf, Linker};

use crate::bindings::cosell::mapping::{log, types as wit};
use crate::convert::given;
use crate::engine::Engine;
use crate::examples::{self, QUESTIONS, answer, answer_warm};
use crate::inert::Wasi;
use crate::instance::{GuestState, Instance, Places};
use crate::limits::Limits;
use crate::load::{load, places};
use crate::offer::Offer;
use crate::operator::Operator;
use crate::plugin::Plugin;
use crate::prescan::prescan;
use crate::question::Candidate;
use crate::rejection::Rejection;
use crate::stamp;
use crate::standard::Question;
use crate::stop::{FaultKind, PluginFault};

/// A plugin that was loaded as the folder loads it, and serves nobody.
pub struct Trial {
    plugin: Arc<Plugin>,
    manifest: wit::PluginManifest,
}

/// One of its questions, about the standard deal of the contract.
pub struct Put<'a> {
    plugin: &'a Plugin,
    question: Question,
}

impl Trial {
    /// Loads a component, a script or a table, with the operator file beside it.
    ///
    /// # Errors
    /// What the folder would say.
    pub fn load(engine: &Engine, path: &Path) -> Result<Self, Rejection> {
        Self::load_with(engine, path, &[])
    }

    /// The same, with folders in which the engine of a script or a table is looked for when none lies beside it.
    ///
    /// # Errors
    /// What the folder would say.
    pub fn load_with(engine: &Engine, path: &Path, engines: &[PathBuf]) -> Result<Self, Rejection> {
        let operator = Operator::beside(path)?;
        let loaded = load(engine, &Offer::read_from(path, engines)?, &operator)?;
        Ok(Self {
            plugin: loaded.plugin,
            manifest: loaded.manifest,
        })
    }

    pub(crate) fn plugin(&self) -> &Plugin {
        &self.plugin
    }

    pub(crate) const fn manifest(&self) -> &wit::PluginManifest {
        &self.manifest
    }

    /// Limits under which it was loaded.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.plugin.guest.limits
    }

    /// Its manifest as JSON in JavaScript's shape: what is stamped into a component, in the section [`Trial::STAMP`].
    #[must_use]
    pub fn manifest_json(&self) -> serde_json::Value {
        stamp::manifest_json(&self.manifest)
    }

    /// Name of the custom section that holds the manifest.
    pub const STAMP: &'static str = stamp::SECTION;

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        self.plugin.id()
    }

    /// What it declares.
    #[must_use]
    pub fn needs(&self) -> Needs {
        let mut needs = Needs::default();
        self.plugin.declared.add_to(self.id(), &mut needs);
        needs
    }

    /// The questions that it serves: `opportunity.to-row`.
    pub fn questions(&self) -> impl Iterator<Item = &'static str> {
        let asked = QUESTIONS
            .into_iter()
            .filter(|(hook, _)| self.plugin.hooks.contains(hook));
        asked.map(|(_, name)| name)
    }

    /// Makes one of its questions ready: about the standard deal, this record and these hits of its searches, with the columns that the plugin
    /// may see.
    #[must_use]
    pub fn put(&self, name: &str, seen: Option<&Seen>, candidates: &[Candidate]) -> Put<'_> {
        let mut question = Question::new(name, self.plugin.settings.clone());
        if let Some(seen) = seen {
            let shown = self.plugin.seen(seen);
            let row = given::row(&seen.row, |column| {
                self.plugin.may_see(&seen.row.table, column)
            });
            question.give(wit::Given::Row(row));
            for related in shown.related {
                question.give(wit::Given::Related(related));
            }
        }
        for candidate in candidates {
            let shown = given::candidate(candidate, |table, column| {
                self.plugin.may_see(table, column)
            });
            question.give(wit::Given::Candidate(shown));
        }
        Put {
            plugin: &self.plugin,
            question,
        }
    }
}

impl Put<'_> {
    /// Asks on a warm instance, as deals are asked unless an operator wants it otherwise.
    ///
    /// # Errors
    /// In words: it is none of the plugin's questions, or the plugin broke over it.
    pub fn ask(&self) -> Result<(), String> {
        said(answer_warm(self.plugin, &self.question))
    }

    /// Asks on an instance of its own, from bringing it up to taking it down.
    ///
    /// # Errors
    /// As [`Put::ask`].
    pub fn ask_fresh(&self) -> Result<(), String> {
        said(answer(self.plugin, &self.question))
    }

    /// The same question as wasmtime alone carries it: the same bytes, compiled as its defaults say, on one instance that nobody watches, limits,
    /// counts or shares. What a call costs beyond that is ours.
    ///
    /// # Errors
    /// In words: these are not the bytes of a component that can be brought up.
    pub fn bare(&self, component: &[u8]) -> Result<Bare<'_>, String> {
        let told = |error: wasmtime::Error| format!("{error:#}");
        let outline = prescan(component, Wasi::None).map_err(|refused| refused.to_string())?;
        let wasm = wasmtime::Engine::default();
        let mut linker = Linker::new(&wasm);
        log::add_to_linker::<_, HasSelf<GuestState>>(&mut linker, |state| state).map_err(told)?;
        let compiled = Component::from_binary(&wasm, component).map_err(told)?;
        let pre = linker.instantiate_pre(&compiled).map_err(told)?;
        let places = places(&pre, &outline).map_err(|refused| refused.to_string())?;
        let instance = Instance::start_bare(&pre).map_err(told)?;
        Ok(Bare {
            put: self,
            places,
            instance: Mutex::new(instance),
        })
    }
}

/// A question on an instance that nobody watches.
pub struct Bare<'a> {
    put: &'a Put<'a>,
    places: Places,
    instance: Mutex<Instance>,
}

impl Bare<'_> {
    /// Asks.
    ///
    /// # Errors
    /// As [`Put::ask`].
    pub fn ask(&self) -> Result<(), String> {
        let mut instance = self.instance.lock().unwrap_or_else(PoisonError::into_inner);
        said(examples::put(self.put.plugin, &self.put.question, |call| {
            call(&mut instance, &self.places)
                .map_err(|error| PluginFault::new(FaultKind::Fault, format!("{error:#}")))
        }))
    }
}

fn said<S, F: std::fmt::Display>(answer: Result<Result<S, F>, String>) -> Result<(), String> {
    answer?.map(drop).map_err(|fault| fault.to_string())
}
