//! One live guest: its store, its budgets, and the hooks that were asked for so far.

use std::time::{Duration, Instant};

use cosell_sync::deal::Timestamp;
use wasmtime::component::{Instance as WasmInstance, InstancePre};
use wasmtime::{ResourceLimiter, Store, Trap, UpdateDeadline, WasmBacktrace};

use crate::bindings::cosell::mapping::{log, types as wit};
use crate::bindings::exports::cosell::mapping as hooks;
use crate::inert::{BEFORE_ANY_QUESTION, Ended, Surroundings};
use crate::limits::{
    Allowance, CARRIED_BYTES_MAX, HANDLES_MAX, INSTANCES_MAX, LOG_CALL_BYTES, LOG_LINE_BYTES,
    Limits, MEMORIES_MAX, TABLE_ELEMENTS_MAX, TABLES_MAX, WALL_FACTOR,
};
use crate::stop::{FaultKind, PluginFault};

/// Frames shown to an author.
const FRAMES_MAX: usize = 20;
/// So many frames of one function on top of the stack are a recursion.
const RECURSION_FRAMES: usize = 8;
/// Last lines of the log that stand beside a fault.
const TRACE_LINES: usize = 5;

/// What the host keeps beside a guest.
pub(crate) struct GuestState {
    memory: Memory,
    pub(crate) log: LogBook,
    budget: Budget,
    pub(crate) surroundings: Surroundings,
}

impl GuestState {
    fn new(memory_bytes: usize, allowance: Allowance) -> Self {
        Self {
            memory: Memory::new(memory_bytes),
            log: LogBook::default(),
            budget: Budget::of(allowance),
            surroundings: Surroundings::at(BEFORE_ANY_QUESTION),
        }
    }

    /// What was printed belongs to the call that is over.
    fn end_lines(&mut self) {
        self.surroundings.end_lines(&mut self.log);
    }
}

/// Where the exports of a component are, found once.
pub(crate) struct Places {
    pub(crate) plugin: hooks::plugin::GuestIndices,
    pub(crate) examples: Option<hooks::examples::GuestIndices>,
    pub(crate) should_sync: Option<hooks::should_sync::GuestIndices>,
    pub(crate) opportunity: Option<hooks::opportunity::GuestIndices>,
    pub(crate) lead: Option<hooks::lead::GuestIndices>,
    pub(crate) country: Option<hooks::country::GuestIndices>,
    pub(crate) status: Option<hooks::status::GuestIndices>,
    pub(crate) account: Option<hooks::account::GuestIndices>,
    pub(crate) contact: Option<hooks::contact::GuestIndices>,
    pub(crate) decorate: Option<hooks::decorate::GuestIndices>,
}

/// The text that an engine runs.
pub(crate) struct Source {
    pub(crate) place: hooks::source::GuestIndices,
    /// Name in the folder, for messages.
    pub(crate) file: String,
    pub(crate) text: String,
}

/// A live guest.
pub(crate) struct Instance {
    store: Store<GuestState>,
    instance: WasmInstance,
    calls: u32,
    plugin: Option<hooks::plugin::Guest>,
    examples: Option<hooks::examples::Guest>,
    should_sync: Option<hooks::should_sync::Guest>,
    opportunity: Option<hooks::opportunity::Guest>,
    lead: Option<hooks::lead::Guest>,
    country: Option<hooks::country::Guest>,
    status: Option<hooks::status::Guest>,
    account: Option<hooks::account::Guest>,
    contact: Option<hooks::contact::Guest>,
    decorate: Option<hooks::decorate::Guest>,
}

/// A hook's functions are looked up when they are first asked: types are compared at every lookup, and most questions need one hook.
macro_rules! hook_getters {
    ($($hook:ident),*) => {
        /// Looks up the hooks that another instance of the same guest was asked for: the next questions will be about the same ones.
        pub(crate) fn prepare_as(&mut self, other: &Self, places: &Places) {
            $(
                // A hook that cannot be looked up is told by the question that needs it.
                if other.$hook.is_some() {
                    let _ = self.$hook(places);
                }
            )*
        }
    $(
        pub(crate) fn $hook(&mut self, places: &Places) -> wasmtime::Result<(&hooks::$hook::Guest, &mut Store<GuestState>)> {
            if self.$hook.is_none() {
                let place = places.$hook.as_ref().ok_or_else(|| wasmtime::format_err!("the plugin does not export this hook"))?;
                self.$hook = Some(place.load(&mut self.store, &self.instance)?);
            }
            match &self.$hook {
                Some(guest) => Ok((guest, &mut self.store)),
                None => Err(wasmtime::format_err!("the hook was not loaded")),
            }
        }
    )*
    };
}

impl Instance {
    /// Brings a guest up within its starting budget, an engine with the text that it is to run.
    pub(crate) fn start(
        pre: &InstancePre<GuestState>,
        limits: &Limits,
        source: Option<&Source>,
    ) -> Result<Self, PluginFault> {
        let mut instance = Self::start_empty(pre, limits)?;
        if let Some(source) = source {
            // It was taken when the plugin was loaded, by an instance just like this one.
            instance
                .take(source, limits.start())?
                .map_err(|mistakes| PluginFault {
                    kind: FaultKind::Fault,
                    message: mistakes.join("; "),
                    trace: None,
                    frames: Vec::new(),
                })?;
        }
        Ok(instance)
    }

    /// Hands an engine its text. Answers the interfaces that the text serves, or every mistake in it.
    pub(crate) fn take(
        &mut self,
        source: &Source,
        allowance: Allowance,
    ) -> Result<Result<Vec<String>, Vec<String>>, PluginFault> {
        let answer = self.ask(allowance, BEFORE_ANY_QUESTION, |instance| {
            let engine = source.place.load(&mut instance.store, &instance.instance)?;
            engine.call_load(&mut instance.store, &source.file, &source.text)
        });
        // Coming up is no question.
        self.calls = 0;
        answer
    }

    /// Brings a guest up, an engine without a text.
    pub(crate) fn start_empty(
        pre: &InstancePre<GuestState>,
        limits: &Limits,
    ) -> Result<Self, PluginFault> {
        let state = GuestState::new(limits.memory_bytes, limits.start());
        let mut store = Store::new(pre.engine(), state);
        // Only an author's engine counts; the others say no, and that is all.
        let _ = store.set_fuel(u64::MAX);
        store.limiter(|state| &mut state.memory);
        store.set_hostcall_fuel(CARRIED_BYTES_MAX);
        store.set_max_component_handles(HANDLES_MAX);
        store.epoch_deadline_callback(|mut context| context.data_mut().budget.look());
        store.set_epoch_deadline(1);
        match pre.instantiate(&mut store) {
            Ok(instance) => Ok(Self::of(store, instance)),
            Err(error) => {
                store.data_mut().end_lines();
                Err(fault(&error, store.data(), limits.start()))
            }
        }
    }

    /// Brings a guest up without limits and without anybody who watches it: what wasmtime does by itself, for whoever measures what the rest costs.
    pub(crate) fn start_bare(pre: &InstancePre<GuestState>) -> wasmtime::Result<Self> {
        let state = GuestState::new(usize::MAX, Limits::default().start());
        let mut store = Store::new(pre.engine(), state);
        let instance = pre.instantiate(&mut store)?;
        Ok(Self::of(store, instance))
    }

    fn of(store: Store<GuestState>, instance: WasmInstance) -> Self {
        Self {
            store,
            instance,
            calls: 0,
            plugin: None,
            examples: None,
            should_sync: None,
            opportunity: None,
            lead: None,
            country: None,
            status: None,
            account: None,
            contact: None,
            decorate: None,
        }
    }

    /// Asks, within this much work. After a fault the instance is spent. A guest that may ask for the time is told this.
    pub(crate) fn ask<R>(
        &mut self,
        allowance: Allowance,
        now: Timestamp,
        question: impl FnOnce(&mut Self) -> wasmtime::Result<R>,
    ) -> Result<R, PluginFault> {
        self.calls += 1;
        let state = self.store.data_mut();
        state.budget = Budget::of(allowance);
        state.log = LogBook::default();
        state.surroundings = Surroundings::at(now);
        // Looked at with every tick: whether the budget is used up is decided by `Budget`.
        self.store.set_epoch_deadline(1);
        let answer = question(self);
        self.store.data_mut().end_lines();
        answer.map_err(|error| fault(&error, self.store.data(), allowance))
    }

    /// Work of the last call: none for one that was over before anybody looked, which is a few milliseconds at most.
    pub(crate) fn worked(&self) -> Duration {
        self.store.data().budget.worked()
    }

    pub(crate) fn calls(&self) -> u32 {
        self.calls
    }

    /// What is left of the steps that a counting engine gave it; None: nobody counts.
    pub(crate) fn steps_left(&self) -> Option<u64> {
        self.store.get_fuel().ok()
    }

    /// Bytes of linear memory, all memories together.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.store.data().memory.used
    }

    pub(crate) fn take_log(&mut self) -> LogBook {
        std::mem::take(&mut self.store.data_mut().log)
    }

    pub(crate) fn plugin(
        &mut self,
        places: &Places,
    ) -> wasmtime::Result<(&hooks::plugin::Guest, &mut Store<GuestState>)> {
        if self.plugin.is_none() {
            self.plugin = Some(places.plugin.load(&mut self.store, &self.instance)?);
        }
        match &self.plugin {
            Some(guest) => Ok((guest, &mut self.store)),
            None => Err(wasmtime::format_err!("the hook was not loaded")),
        }
    }

    hook_getters!(
        examples,
        should_sync,
        opportunity,
        lead,
        country,
        status,
        account,
        contact,
        decorate
    );
}

/// The working time of one call. Time on the processor counts, so that a busy machine does not turn a good plugin into a slow one; the
/// wall clock is the backstop.
struct Budget {
    working: Duration,
    started: Instant,
    processor_at_first_look: Option<Duration>,
    looks: u32,
}

impl Budget {
    fn of(allowance: Allowance) -> Self {
        Self {
            working: Duration::from_millis(allowance.ms),
            started: Instant::now(),
            processor_at_first_look: None,
            looks: 0,
        }
    }

    fn worked(&self) -> Duration {
        match (self.looks, self.processor_at_first_look) {
            (0, _) => Duration::ZERO,
            (_, Some(first)) => processor_time().unwrap_or(first).saturating_sub(first),
            (_, None) => self.started.elapsed(),
        }
    }

    fn look(&mut self) -> wasmtime::Result<UpdateDeadline> {
        self.looks += 1;
        let by_the_wall = self.started.elapsed();
        let worked = match (processor_time(), self.processor_at_first_look) {
            (Some(now), Some(first)) => now.saturating_sub(first),
            (Some(now), None) => {
                self.processor_at_first_look = Some(now);
                Duration::ZERO
            }
            (None, _) => by_the_wall,
        };
        if worked >= self.working || by_the_wall >= self.working * WALL_FACTOR {
            return Err(Trap::Interrupt.into());
        }
        Ok(UpdateDeadline::Continue(1))
    }
}

/// Time that this thread has spent on a processor, as Linux tells it. Elsewhere the wall clock has to do.
fn processor_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds = text.split_ascii_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

/// Counts what all memories and tables of a guest take together: a limit for each alone would be no limit.
struct Memory {
    used: usize,
    max: usize,
    elements: usize,
}

/// A guest wanted more than it may have.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
struct TooMuch {
    what: String,
}

impl Memory {
    const fn new(max: usize) -> Self {
        Self {
            used: 0,
            max,
            elements: 0,
        }
    }
}

impl ResourceLimiter for Memory {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let wanted = self.used.saturating_sub(current).saturating_add(desired);
        if wanted > self.max {
            // A trap and not a quiet "no": a script engine would go on collecting garbage until its time is up.
            return Err(TooMuch {
                what: format!(
                    "wanted {} MiB of memory and may have {} MiB",
                    wanted.div_ceil(1 << 20),
                    self.max >> 20
                ),
            }
            .into());
        }
        self.used = wanted;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let wanted = self
            .elements
            .saturating_sub(current)
            .saturating_add(desired);
        if wanted > TABLE_ELEMENTS_MAX {
            return Err(TooMuch {
                what: format!(
                    "wanted tables of {wanted} elements and may have {TABLE_ELEMENTS_MAX}"
                ),
            }
            .into());
        }
        self.elements = wanted;
        Ok(true)
    }

    fn instances(&self) -> usize {
        INSTANCES_MAX
    }

    fn tables(&self) -> usize {
        TABLES_MAX
    }

    fn memories(&self) -> usize {
        MEMORIES_MAX
    }
}

/// What a guest logged during one call.
#[derive(Debug, Default)]
pub(crate) struct LogBook {
    pub(crate) lines: Vec<(wit::Level, String)>,
    pub(crate) dropped: u32,
    bytes: usize,
}

impl log::Host for GuestState {
    fn write(&mut self, level: wit::Level, message: String) {
        self.log.write(level, &message);
    }
}

impl LogBook {
    pub(crate) fn write(&mut self, level: wit::Level, message: &str) {
        let line = one_line(message);
        // An empty line costs as well, or a million of them would be free.
        let cost = line.len().max(16);
        if self.bytes + cost > LOG_CALL_BYTES {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        self.bytes += cost;
        self.lines.push((level, line));
    }
}

/// Bounded, and without anything that could pass for another line or steer a terminal.
fn one_line(message: &str) -> String {
    let mut line = String::with_capacity(message.len().min(LOG_LINE_BYTES));
    for character in message.chars() {
        if line.len() + 8 > LOG_LINE_BYTES {
            line.push('…');
            break;
        }
        if character.is_control()
            || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        {
            line.extend(character.escape_unicode());
        } else {
            line.push(character);
        }
    }
    line
}

/// A trap in words.
fn fault(error: &wasmtime::Error, state: &GuestState, allowance: Allowance) -> PluginFault {
    let frames = frames(error);
    let (kind, message) = if let Some(too_much) = error.downcast_ref::<TooMuch>() {
        (
            FaultKind::Memory,
            format!(
                "{}; raise `memory_mb` under [limits] in its operator file, or let it keep less",
                too_much.what
            ),
        )
    } else if let Some(ended) = error.downcast_ref::<Ended>() {
        (FaultKind::Trap, ended.to_string())
    } else {
        match error.downcast_ref::<Trap>() {
            Some(trap) => trapped(*trap, &frames, allowance),
            None => untyped(&format!("{error:#}")),
        }
    };
    let said: Vec<_> = state
        .log
        .lines
        .iter()
        .rev()
        .take(TRACE_LINES)
        .map(|(_, line)| line.as_str())
        .collect();
    PluginFault {
        kind,
        message,
        trace: (!said.is_empty()).then(|| said.into_iter().rev().collect::<Vec<_>>().join("\n")),
        frames,
    }
}

fn trapped(trap: Trap, frames: &[String], allowance: Allowance) -> (FaultKind, String) {
    match trap {
        Trap::Interrupt => (
            FaultKind::Timeout,
            format!("did not answer within {} ms of work and was stopped; look for a loop, or raise `{}` in its operator file",
                allowance.ms, allowance.name),
        ),
        Trap::UnreachableCodeReached => (
            FaultKind::Panic,
            "panicked or aborted; the last lines that it logged stand beside this, and its build keeps names if it is not stripped".to_owned(),
        ),
        Trap::StackOverflow => (FaultKind::Trap, "called itself too deeply: the stack ran out".to_owned()),
        Trap::MemoryOutOfBounds if is_recursion(frames) => (
            FaultKind::Trap,
            "called itself too deeply: its own stack ran over (the trap says memory access out of bounds)".to_owned(),
        ),
        Trap::AllocationTooLarge => (FaultKind::Memory, "asked for one allocation that is too large".to_owned()),
        Trap::CannotEnterComponent => (FaultKind::Trap, "was asked again after a trap".to_owned()),
        trap => (FaultKind::Trap, format!("trapped: {trap}")),
    }
}

fn untyped(words: &str) -> (FaultKind, String) {
    if words.contains("too much data is being copied") || words.contains("hostcall fuel") {
        let mib = CARRIED_BYTES_MAX >> 20;
        return (
            FaultKind::Output,
            format!("answered more than {mib} MiB: an answer is a few statements about one deal"),
        );
    }
    if words.contains("limit exceeded")
        || words.contains("count too high")
        || words.contains("handle") && words.contains("limit")
    {
        return (
            FaultKind::Memory,
            format!("wanted more instances, tables, memories or handles than it may have: {words}"),
        );
    }
    (
        FaultKind::Trap,
        format!("answered something that cannot be read: {words}"),
    )
}

fn frames(error: &wasmtime::Error) -> Vec<String> {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else {
        return Vec::new();
    };
    backtrace
        .to_string()
        .lines()
        .map(str::trim)
        .filter(|line| line.contains(" - "))
        .take(FRAMES_MAX)
        .map(|line| {
            line.split_once(" - ")
                .map_or(line, |(_, name)| name)
                .to_owned()
        })
        .collect()
}

fn is_recursion(frames: &[String]) -> bool {
    frames
        .first()
        .is_some_and(|top| frames.iter().filter(|frame| *frame == top).count() >= RECURSION_FRAMES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_line_cannot_forge_another_or_steer_a_terminal() {
        assert_eq!(
            one_line("ok\nERROR all is lost\x1b[2J"),
            "ok\\u{a}ERROR all is lost\\u{1b}[2J"
        );
        assert_eq!(one_line("\u{202e}evil"), "\\u{202e}evil");
    }

    #[test]
    fn a_long_line_is_cut_at_a_character() {
        let line = one_line(&"é".repeat(5_000));
        assert!(line.len() <= LOG_LINE_BYTES + 3, "{}", line.len());
        assert!(line.ends_with('…'));
    }

    #[test]
    fn a_log_flood_is_counted_and_dropped() {
        let mut book = LogBook::default();
        for _ in 0..100_000 {
            book.write(wit::Level::Info, "");
        }
        assert_eq!(book.lines.len(), LOG_CALL_BYTES / 16);
        assert_eq!(book.lines.len() + book.dropped as usize, 100_000);
    }

    #[test]
    fn memories_are_summed() {
        let mut memory = Memory::new(1 << 20);
        assert!(memory.memory_growing(0, 600 << 10, None).unwrap());
        assert!(memory.memory_growing(0, 600 << 10, None).is_err());
        assert!(memory.memory_growing(600 << 10, 1 << 20, None).unwrap());
    }

    #[test]
    fn a_growth_beyond_its_own_maximum_is_a_quiet_no() {
        let mut memory = Memory::new(1 << 20);
        assert!(!memory.memory_growing(0, 128 << 10, Some(64 << 10)).unwrap());
        assert_eq!(memory.used, 0);
    }
}
