//! One thread that makes time pass for guests: it moves the engine's epoch while a guest runs, and sleeps when none does.
//!
//! An own thread, because an async timer would starve exactly when a guest loops on every core.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use wasmtime::{Engine, EngineWeak};

use crate::limits::TICK_MS;

/// Owns the thread; dropping it ends the thread.
pub(crate) struct Ticker {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    woken: Condvar,
}

#[derive(Default)]
struct State {
    running: usize,
    over: bool,
}

/// While this lives, time passes.
pub(crate) struct Passing {
    shared: Arc<Shared>,
}

impl Ticker {
    pub(crate) fn start(engine: &Engine) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (ticks, engine) = (Arc::clone(&shared), engine.weak());
        std::thread::Builder::new()
            .name("plugin-ticker".to_owned())
            .spawn(move || tick(&ticks, &engine))?;
        Ok(Self { shared })
    }

    /// Call before entering a guest.
    pub(crate) fn pass(&self) -> Passing {
        let mut state = self
            .shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        state.running += 1;
        if state.running == 1 {
            self.shared.woken.notify_one();
        }
        drop(state);
        Passing {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .running -= 1;
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .over = true;
        self.shared.woken.notify_one();
    }
}

fn tick(shared: &Shared, engine: &EngineWeak) {
    loop {
        let state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = shared
            .woken
            .wait_while(state, |state| state.running == 0 && !state.over)
            .unwrap_or_else(PoisonError::into_inner);
        if state.over {
            return;
        }
        drop(state);
        std::thread::sleep(Duration::from_millis(TICK_MS));
        match engine.upgrade() {
            Some(engine) => engine.increment_epoch(),
            None => return,
        }
    }
}
