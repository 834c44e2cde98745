//! What a plugin may cost. Limits that an operator may move for one plugin are in [`Limits`]; the others are constants.

use std::time::Duration;

/// Budgets of one plugin. An operator moves them in `NAME.toml` under `[limits]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Working time of one call, in milliseconds.
    pub call_ms: u64,
    /// Working time to come up (instantiate, `manifest`, `describe`), in milliseconds.
    pub start_ms: u64,
    /// Linear memory of one instance, all memories together, in bytes.
    pub memory_bytes: usize,
    /// A new instance for every call: nothing can stay behind between deals.
    pub fresh_per_call: bool,
}

/// A compiled mapping answers in microseconds, a scripted one in one millisecond; 50 ms is a loop.
pub const CALL_MS: u64 = 50;
/// CPython inside a component needs a millisecond; half a second is generous on a busy machine.
pub const START_MS: u64 = 500;
/// A Python guest with its library needs about 20 MiB, a JavaScript engine 30.
pub const MEMORY_BYTES: usize = 64 << 20;

/// One of the two working times, and its name in the operator file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allowance {
    pub(crate) ms: u64,
    pub(crate) name: &'static str,
}

impl Limits {
    pub(crate) const fn call(&self) -> Allowance {
        Allowance {
            ms: self.call_ms,
            name: "call_ms",
        }
    }

    pub(crate) const fn start(&self) -> Allowance {
        Allowance {
            ms: self.start_ms,
            name: "start_ms",
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            call_ms: CALL_MS,
            start_ms: START_MS,
            memory_bytes: MEMORY_BYTES,
            fresh_per_call: false,
        }
    }
}

/// Working time is measured per thread; a machine so busy that the wall clock runs this many times longer is told as a timeout too.
pub(crate) const WALL_FACTOR: u32 = 20;
/// How often a running guest is looked at: fine enough for a 50 ms budget, coarse enough to cost nothing.
pub(crate) const TICK_MS: u64 = 2;
/// Of the guest's WebAssembly stack. A mapping recurses little; a JavaScript engine wants some hundred KiB.
pub(crate) const WASM_STACK_BYTES: usize = 512 << 10;
/// Native stack of a guest thread: the WebAssembly stack and, below it, what lifting and lowering need.
pub(crate) const THREAD_STACK_BYTES: usize = 2 << 20;
/// Dynamic linking in Python components needs more than twenty core instances, and more with each library.
pub(crate) const INSTANCES_MAX: usize = 50;
/// One per core instance.
pub(crate) const TABLES_MAX: usize = 50;
/// A guest has one; adapters bring one more each.
pub(crate) const MEMORIES_MAX: usize = 8;
/// Function tables of the largest known guests (SpiderMonkey) stay below 15 000.
pub(crate) const TABLE_ELEMENTS_MAX: usize = 20_000;
/// The contract has no resources; this leaves room for what toolchains make of it, and for the streams of inert WASI.
pub(crate) const HANDLES_MAX: usize = 1_000;
/// Bytes that one call may carry across, in or out: a deal is about 10 KiB, the longest memo column 1 MiB.
pub(crate) const CARRIED_BYTES_MAX: usize = 4 << 20;
/// An instance is renewed after so many calls, so that a leak in a guest stays small.
pub(crate) const REUSE_MAX: u32 = 1_000;

/// A line longer than this is cut: a log line is a sentence.
pub(crate) const LOG_LINE_BYTES: usize = 1 << 10;
/// What one call may log; the rest is counted.
pub(crate) const LOG_CALL_BYTES: usize = 16 << 10;

/// Lines of one plugin that a minute takes, of all deals together: ten for each second are more than anybody reads.
pub(crate) const LOG_LINES_PER_MINUTE: usize = 600;

/// A warm instance that nobody has asked for so long is dropped: most of its memory is a guest's own.
pub(crate) const IDLE_MAX: Duration = Duration::from_secs(5 * 60);

/// What a guest with inert WASI may print at once.
pub(crate) const PRINTED_BYTES_MAX: usize = 64 << 10;
/// Random bytes that a guest with inert WASI gets at once: a generator's seed is 2.5 KB.
pub(crate) const RANDOM_BYTES_MAX: u64 = 64 << 10;

/// A Python guest is 18 MB, some JavaScript guests 17.
pub const FILE_BYTES_MAX: u64 = 32 << 20;
/// Compiled code is two to three times as large as the component.
pub(crate) const COMPILED_BYTES_MAX: u64 = 128 << 20;
/// A script or a table: a few hundred lines. It is carried into every instance, and read there.
pub const SOURCE_BYTES_MAX: u64 = 256 << 10;
/// Compiled engines kept in memory: one runs every script, and a second one comes when it is replaced.
pub(crate) const ENGINES_KEPT_MAX: usize = 4;
/// `NAME.toml` is settings, not data.
pub const OPERATOR_FILE_BYTES_MAX: u64 = 64 << 10;
/// CPython as a component has about 12 000 functions; 600 000 tiny ones took 33 s and 3 GB to compile.
pub(crate) const FUNCTIONS_MAX: u32 = 100_000;
/// Locals times code bytes of one function: compile time grows with the product (2 000 locals x 650 KB took 20 s).
pub(crate) const FUNCTION_WEIGHT_MAX: u64 = 600_000_000;
/// Levels of components within components; toolchains make two or three.
pub(crate) const NESTING_MAX: u32 = 10;

/// Rounds of `ask` within one question.
pub const ASK_ROUNDS_MAX: usize = 4;
/// Queries of one round.
pub const QUERIES_MAX: usize = 10;
/// Rows of one query.
pub const QUERY_ROWS_MAX: u16 = 500;
/// A deal has 18 units and a short tail.
pub(crate) const FACTS_MAX: usize = 200;
/// The widest Dynamics table has about a thousand columns.
pub(crate) const CHANGES_MAX: usize = 1_000;
/// People, solutions, ids or child rows in one list.
pub(crate) const LIST_MAX: usize = 500;
/// More reasons than this, nobody reads.
pub(crate) const REASONS_MAX: usize = 50;
/// Longest text of a reason, in characters; longer ones are cut.
pub(crate) const REASON_CHARS: usize = 2_000;
/// Longest text that a CRM column or a unit can hold (a memo column's maximum).
pub(crate) const TEXT_CHARS: usize = 1_048_576;
/// A mark is a sign before the name.
pub(crate) const MARK_CHARS: usize = 16;
/// Needs, settings and examples of one plugin.
pub(crate) const DECLARED_MAX: usize = 1_000;
/// Golden examples: each runs twice on a fresh instance at every load.
pub(crate) const EXAMPLES_MAX: usize = 200;
/// Warm instances per plugin are as many as guest threads; compiled components in the cache are kept until there are this many.
pub(crate) const CACHED_FILES_MAX: usize = 64;
