//! From bytes to a component. Bytes in, component out and nothing else: a compiler in a child process can take this place.

use std::time::{Duration, Instant};

use wasmtime::component::Component;

use crate::engine::Engine;

/// A component, and what it cost.
pub(crate) struct Compiled {
    pub(crate) component: Component,
    pub(crate) took: Duration,
    pub(crate) from_cache: bool,
}

/// Compiles bytes that the pre-scan has let through, or takes what this host compiled from the same bytes before.
pub(crate) fn compile(
    engine: &Engine,
    wasm: &[u8],
    sha256: &[u8; 32],
) -> wasmtime::Result<Compiled> {
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
    // `from_binary` and not `new`: text is never a plugin.
    let component = Component::from_binary(engine.wasm(), wasm)?;
    let took = start.elapsed();
    if let Some(cache) = engine.cache() {
        cache.store(&component, sha256);
    }
    Ok(Compiled {
        component,
        took,
        from_cache: false,
    })
}
