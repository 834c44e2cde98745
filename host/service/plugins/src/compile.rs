//! From bytes to a component: out of the cache, or compiled here or in a process of its own.

use std::time::{Duration, Instant};

use wasmtime::component::Component;

use crate::compiler::{CompileError, Compiler};
use crate::engine::Engine;
use crate::offer::Offer;
use crate::rejection::{Phase, Rejection, RejectionKind};

/// A component, and what it cost.
pub(crate) struct Compiled {
    pub(crate) component: Component,
    pub(crate) took: Duration,
    pub(crate) from_cache: bool,
}

/// Compiles bytes that the pre-scan has let through, or takes what this host compiled from the same bytes before. One compiled engine runs every
/// script, so a script serves as soon as it is read.
pub(crate) fn compile(engine: &Engine, offer: &Offer) -> Result<Compiled, Rejection> {
    let sha256 = offer.wasm_digest();
    if offer.text.is_none() {
        return fetch(engine, &offer.wasm, &sha256);
    }
    let start = Instant::now();
    if let Some(component) = engine.running(&sha256) {
        return Ok(Compiled {
            component,
            took: start.elapsed(),
            from_cache: true,
        });
    }
    let compiled = fetch(engine, &offer.wasm, &sha256)?;
    engine.keep_running(sha256, compiled.component.clone());
    Ok(compiled)
}

fn fetch(engine: &Engine, wasm: &[u8], sha256: &[u8; 32]) -> Result<Compiled, Rejection> {
    let start = Instant::now();
    if let Some(component) = engine
        .cache()
        .and_then(|cache| cache.load(engine.wasm(), sha256))
    {
        return Ok(Compiled {
            component,
            took: start.elapsed(),
            from_cache: true,
        });
    }
    let invalid = |error: wasmtime::Error| CompileError::Invalid(crate::load::causes(&error));
    let code = match engine.compiler() {
        Compiler::Here => engine.wasm().precompile_component(wasm).map_err(invalid),
        Compiler::Process(process) => process.compile(wasm),
    };
    let code = code.map_err(rejection)?;
    let component = load_own(engine, &code).map_err(|error| rejection(invalid(error)))?;
    let took = start.elapsed();
    if let Some(cache) = engine.cache() {
        cache.store(&code, sha256);
    }
    Ok(Compiled {
        component,
        took,
        from_cache: false,
    })
}

#[allow(
    unsafe_code,
    reason = "deserialising compiled code is wasmtime's own unsafe contract: the bytes must come from its compiler. They come from the one in this \
              process, or over a pipe from the same program that was started for nothing else"
)]
fn load_own(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: see the reason above.
    unsafe { Component::deserialize(engine.wasm(), code) }
}

fn rejection(error: CompileError) -> Rejection {
    match error {
        CompileError::Invalid(causes) => Rejection::new(
            Phase::Compile,
            RejectionKind::Compile,
            "the component is not valid or uses what this host does not offer",
        )
        .because(causes)
        .with_hint("check it with `wasm-tools validate`; threads, 64-bit memories, exceptions and garbage collection are off"),
        CompileError::Time(time) => Rejection::new(
            Phase::Compile,
            RejectionKind::Timeout,
            format!("it was not compiled within {} s", time.as_secs_f32()),
        )
        .with_hint(TOO_MUCH),
        CompileError::Memory(bytes, said) => Rejection::new(
            Phase::Compile,
            RejectionKind::Memory,
            format!("compiling it takes more than {} MiB of memory", bytes >> 20),
        )
        .because((!said.is_empty()).then_some(said))
        .with_hint(TOO_MUCH),
        CompileError::Process(why) => Rejection::new(
            Phase::Compile,
            RejectionKind::Compile,
            "the process that compiles plugins did not do its work",
        )
        .because([why])
        .with_hint("the file may be good: look whether this machine has memory left and lets the host start itself; then copy the file once more"),
    }
}

const TOO_MUCH: &str = "no toolchain makes such a component by itself: build it in release mode, without generated tables of code, and split huge functions";
