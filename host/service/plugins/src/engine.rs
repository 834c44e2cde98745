//! The engine: wasmtime as we want it, the ticker, the guest threads and the cache of compiled components.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime::{Config, OptLevel, Strategy};

use crate::bindings::cosell::mapping::log;
use crate::cache::{Cache, CacheError};
use crate::compiler::Compiler;
use crate::instance::GuestState;
use crate::limits::{ENGINES_KEPT_MAX, Limits, WASM_STACK_BYTES};
use crate::signature::Trust;
use crate::threads::{GuestThreads, Lost};
use crate::ticker::{Passing, Ticker};

/// What an engine is built from.
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// Where compiled components are kept, private to this host. None: compile at every start.
    pub cache_dir: Option<PathBuf>,
    /// Budgets of plugins whose operator file says nothing else.
    pub limits: Limits,
    /// Threads on which guests run; as many as cores is right. 0: on the caller's own thread, which then needs a stack of 2 MiB and stands
    /// still meanwhile. That is for tests in which the order of everything has to repeat, never for a host that answers others.
    pub threads: usize,
    /// Where plugins are compiled.
    pub compiler: Compiler,
    /// Whose signatures count for files of a folder.
    pub trust: Trust,
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self {
            cache_dir: None,
            limits: Limits::default(),
            threads: std::thread::available_parallelism().map_or(2, std::num::NonZero::get),
            compiler: Compiler::Here,
            trust: Trust::default(),
        }
    }
}

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// This machine cannot run it.
    #[error("wasmtime cannot run on this machine: {why}")]
    Wasmtime {
        /// The whole chain.
        why: String,
    },
    /// The operating system gave no thread.
    #[error("cannot start the plugin threads")]
    Threads(#[source] std::io::Error),
    /// The directory of compiled plugins cannot be trusted or used.
    #[error("the directory of compiled plugins cannot be used")]
    Cache(#[source] CacheError),
}

/// Compiles and runs guests. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    wasm: wasmtime::Engine,
    linker: Linker<GuestState>,
    ticker: Ticker,
    threads: GuestThreads,
    thread_count: usize,
    cache: Option<Cache>,
    limits: Limits,
    compiler: Compiler,
    trust: Trust,
    /// Compiled engines of scripts and tables, the latest last.
    engines: Mutex<Vec<([u8; 32], Component)>>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("limits", &self.inner.limits)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// Builds the engine and starts its threads.
    ///
    /// # Errors
    /// The machine cannot run WebAssembly, threads do not start, or the cache directory belongs to somebody else.
    pub fn new(settings: EngineSettings) -> Result<Self, EngineError> {
        Self::build(settings, bare_engine())
    }

    /// An engine that counts what its guests do, on the caller's own thread: for authors, who want a price that no machine changes. It compiles here,
    /// without limits, and is slower than the others.
    ///
    /// # Errors
    /// As [`Engine::new`].
    pub fn metered(limits: Limits, cache_dir: Option<PathBuf>) -> Result<Self, EngineError> {
        let settings = EngineSettings {
            cache_dir,
            limits,
            threads: 0,
            compiler: Compiler::Here,
            ..EngineSettings::default()
        };
        Self::build(settings, wasmtime::Engine::new(config().consume_fuel(true)))
    }

    fn build(
        settings: EngineSettings,
        wasm: wasmtime::Result<wasmtime::Engine>,
    ) -> Result<Self, EngineError> {
        let wasm = wasm.map_err(told)?;
        let mut linker = Linker::new(&wasm);
        log::add_to_linker::<_, HasSelf<GuestState>>(&mut linker, |state| state).map_err(told)?;
        let cache = settings
            .cache_dir
            .map(|dir| Cache::open(dir, &wasm))
            .transpose()
            .map_err(EngineError::Cache)?;
        let thread_count = match settings.threads {
            0 => std::thread::available_parallelism().map_or(2, std::num::NonZero::get),
            threads => threads,
        };
        Ok(Self {
            inner: Arc::new(Inner {
                ticker: Ticker::start(&wasm).map_err(EngineError::Threads)?,
                threads: GuestThreads::start(settings.threads).map_err(EngineError::Threads)?,
                thread_count,
                wasm,
                linker,
                cache,
                limits: settings.limits,
                compiler: settings.compiler,
                trust: settings.trust,
                engines: Mutex::default(),
            }),
        })
    }

    /// Whose signatures count.
    pub(crate) fn trust(&self) -> &Trust {
        &self.inner.trust
    }

    /// Budgets of plugins whose operator file says nothing else.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.inner.limits
    }

    /// The engine of scripts or tables with this hash, if it is compiled.
    pub(crate) fn running(&self, sha256: &[u8; 32]) -> Option<Component> {
        let engines = self.inner.engines.lock();
        let engines = engines.unwrap_or_else(PoisonError::into_inner);
        let found = engines.iter().find(|(known, _)| known == sha256);
        found.map(|(_, component)| component.clone())
    }

    pub(crate) fn keep_running(&self, sha256: [u8; 32], component: Component) {
        let engines = self.inner.engines.lock();
        let mut engines = engines.unwrap_or_else(PoisonError::into_inner);
        if engines.len() >= ENGINES_KEPT_MAX {
            engines.remove(0);
        }
        engines.push((sha256, component));
    }

    pub(crate) fn compiler(&self) -> &Compiler {
        &self.inner.compiler
    }

    pub(crate) fn wasm(&self) -> &wasmtime::Engine {
        &self.inner.wasm
    }

    pub(crate) fn linker(&self) -> &Linker<GuestState> {
        &self.inner.linker
    }

    pub(crate) fn cache(&self) -> Option<&Cache> {
        self.inner.cache.as_ref()
    }

    /// Where compiled components are kept.
    pub(crate) fn cache_dir(&self) -> Option<PathBuf> {
        self.cache().map(|cache| cache.dir().to_owned())
    }

    pub(crate) fn thread_count(&self) -> usize {
        self.inner.thread_count
    }

    pub(crate) fn pass_time(&self) -> Passing {
        self.inner.ticker.pass()
    }

    pub(crate) async fn run<R: Send + 'static>(
        &self,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, Lost> {
        self.inner.threads.run(work).await
    }
}

/// The engine alone: whoever compiles for a host has to configure it as the host does.
pub(crate) fn bare_engine() -> wasmtime::Result<wasmtime::Engine> {
    wasmtime::Engine::new(&config())
}

fn config() -> Config {
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .cranelift_opt_level(OptLevel::Speed)
        // Guests answer questions one after the other; without the machinery for concurrent guests a call costs a third.
        .concurrency_support(false)
        // Epochs and not fuel: a tenth of the cost, and a loop ends by the clock either way.
        .epoch_interruption(true)
        .max_wasm_stack(WASM_STACK_BYTES)
        // What no guest of this contract needs, no guest gets: less surface. Threads, exceptions and function references are not
        // even compiled into our wasmtime.
        .wasm_gc(false)
        .wasm_memory64(false)
        .wasm_relaxed_simd(false)
        .wasm_stack_switching(false)
        .wasm_custom_page_sizes(false)
        .wasm_wide_arithmetic(false);
    config
}

fn told(error: wasmtime::Error) -> EngineError {
    EngineError::Wasmtime {
        why: format!("{error:#}"),
    }
}
