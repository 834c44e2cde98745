//! What shows when it is compiled, brought up or asked.

use super::{Compiling, File, Part, own, refused, taken_out};
use crate::{bytes, plays};

pub(super) fn bombs() -> Part {
    use File::{Component, Module};
    Part {
        title: "Compile bombs",
        about: "Small files that cost a compiler minutes and gigabytes. Played under small limits for the compiler: one second of work and 2 GiB.",
        compiling: Compiling::Scarce,
        attacks: vec![
            refused(
                "bomb.heavy-function",
                "one function of 40,000 blocks over 2,000 locals",
                "code size times locals has a limit, looked at before compiling",
                Module(|| bytes::one_heavy_function(40_000, 2_000), 0),
                "too-big",
                "locals",
            ),
            refused(
                "bomb.below-the-scan",
                "the same, just below what the scan finds",
                "a process of its own compiles, with limits for memory and time, and is killed",
                Module(|| bytes::one_heavy_function(25_000, 1_200), 0),
                "timeout",
                "not compiled within 1 s",
            ),
            refused(
                "bomb.many-functions",
                "200,000 tiny functions",
                "functions are counted before compiling",
                Module(|| bytes::many_functions(200_000), 0),
                "too-big",
                "functions",
            ),
            refused(
                "bomb.types",
                "two million types",
                "the format's own limits, kept while scanning",
                Module(|| bytes::many_types(2_000_000), 0),
                "compile",
                "types count exceeds limit",
            ),
            refused(
                "bomb.nested",
                "components within components, forty deep",
                "levels are counted",
                Component(|| bytes::nested(40)),
                "too-big",
                "nested",
            ),
            refused(
                "bomb.memory64",
                "memories of 64-bit addresses",
                "features that no mapping needs are off",
                Module(bytes::memory64, 0),
                "compile",
                "memory64",
            ),
            refused(
                "bomb.threads",
                "memory that threads share: a clock, and a way around limits",
                "features that no mapping needs are off",
                Module(bytes::shared_memory, 0),
                "compile",
                "threads",
            ),
        ],
    }
}

pub(super) fn starts() -> Part {
    use File::{Component, Module, Script};
    const START: &str =
        "coming up has a budget of its own: 500 ms of work, and the memory of a call";
    Part {
        title: "Coming up",
        about: "Before a plugin is asked anything it runs already: start functions, `manifest`, `describe`, the top level of a script.",
        compiling: Compiling::Usual,
        attacks: vec![
            refused(
                "start.loop",
                "a start function that never ends",
                START,
                Module(|| bytes::starting(&bytes::loops()), 1),
                "timeout",
                "500 ms",
            ),
            refused(
                "start.manifest-loop",
                "`manifest` never answers",
                START,
                Component(|| bytes::guest("loops-at-load")),
                "timeout",
                "500 ms",
            ),
            refused(
                "start.memory",
                "memory for ever, in a start function",
                "all memories of an instance are counted together",
                Module(|| bytes::starting(&bytes::grows_memory()), 1),
                "memory",
                "64 MiB",
            ),
            refused(
                "start.large",
                "2 GiB of memory from the very start",
                "first memories are counted as well",
                Module(|| bytes::large_from_the_start(32_768), 1),
                "memory",
                "64 MiB",
            ),
            refused(
                "start.many-memories",
                "many memories, each small enough",
                "all memories of an instance are counted together, and their number is limited",
                Module(|| bytes::large_from_the_start(16), 19),
                "memory",
                "memory count",
            ),
            refused(
                "start.table",
                "a table of a million entries",
                "table entries are counted together",
                Module(|| bytes::starting(&bytes::grows_table()), 1),
                "memory",
                "20000",
            ),
            refused(
                "start.instances",
                "five hundred instances of a module",
                "core instances are counted",
                Module(
                    || {
                        bytes::starting(&{
                            let mut body = wasm_encoder::Function::new([]);
                            body.instructions().end();
                            body
                        })
                    },
                    500,
                ),
                "memory",
                "instance",
            ),
            refused(
                "start.recursion",
                "a start function that calls itself for ever",
                "a guest has 512 KiB of stack",
                Module(|| bytes::starting(&bytes::calls_itself()), 1),
                "trap",
                "too deeply",
            ),
            refused(
                "start.script-loop",
                "a script that loops at its top level",
                START,
                Script("for (;;) {}\nexport const plugin = {};\n"),
                "timeout",
                "500 ms",
            ),
            refused(
                "start.script-imports",
                "a script that imports a library of the system",
                "scripts import nothing",
                Script("import fs from 'fs';\nexport const plugin = {};\n"),
                "source",
                "import",
            ),
        ],
    }
}

/// A script that reads and writes columns of the opportunity, and what it does about deals.
macro_rules! mapping {
    ($id:literal, $opportunity:literal) => {
        concat!(
            "export const plugin = {\n  manifest: () => ({ id: \"",
            $id,
            "\", version: \"1.0.0\", summary: \"A mapping.\", settings: [] }),\n",
            "  describe: () => [{ tag: \"reads\", val: { table: \"opportunity\", columns: [\"new_notes\"] } }],\n};\n",
            "export const opportunity = { ",
            $opportunity,
            " };\n"
        )
    };
}

pub(super) fn laws() -> Part {
    use File::{Component, Script};
    const ALONE: &str =
        "a file that is new meets the standard deal and strange deals before it is proposed";
    Part {
        title: "Laws of the contract",
        about: "A plugin that comes up, passes its own examples, and is no mapping all the same. Its author is told the law, the deal that shows it and the command that shows it again.",
        compiling: Compiling::Usual,
        attacks: vec![
            refused(
                "law.standard-deal",
                "breaks over the simplest deal",
                ALONE,
                Component(|| bytes::guest("panics")),
                "law",
                "does not answer about the standard deal",
            ),
            refused(
                "law.strange-deal",
                "breaks over deals that no example has",
                ALONE,
                Script(mapping!(
                    "fragile",
                    "toRow: (ctx, order) => order.deal.company.address.postalCode.trim() && []"
                )),
                "law",
                "deals over which it breaks",
            ),
            refused(
                "law.round-trip",
                "reads from one column what others write into another",
                "all that would serve together reads back what it writes",
                Script(mapping!(
                    "deaf",
                    "toDeal: () => [{ tag: \"notes\", val: undefined }]"
                )),
                "law",
                "read back as empty by",
            ),
        ],
    }
}

pub(super) fn calls() -> Part {
    const BUDGET: &str =
        "a call has 50 ms of work, measured on its thread; the instance is dropped";
    const LIMIT: &str = "what crosses is limited to 4 MiB and counted after that";
    Part {
        title: "Answers about deals",
        about: "A plugin that was let in although it breaks laws (`laws = \"warn\"` in its operator file), or that passed them all, and shows itself when deals come. One that fails over one deal after the other is taken out, what was there before serves again, and those bytes are quarantined.",
        compiling: Compiling::Usual,
        attacks: vec![
            taken_out(
                "call.loop",
                "never answers",
                BUDGET,
                || bytes::guest("loops"),
                "",
                "50 ms of work",
            ),
            taken_out(
                "call.memory",
                "takes memory for ever",
                "64 MiB for all memories of an instance",
                || bytes::guest("eats-memory"),
                "",
                "MiB of memory",
            ),
            taken_out(
                "call.recursion",
                "calls itself for ever",
                "a guest has 512 KiB of stack",
                || bytes::guest("recurses"),
                "",
                "too deeply",
            ),
            taken_out(
                "call.panic",
                "panics over every deal",
                "a trap ends its instance and nothing else",
                || bytes::guest("panics"),
                "",
                "panic",
            ),
            taken_out(
                "call.huge-answer",
                "a text of 32 MiB",
                LIMIT,
                || bytes::guest("returns-too-much"),
                "",
                "more than 4 MiB",
            ),
            taken_out(
                "call.many-answers",
                "200,000 changes",
                LIMIT,
                || bytes::guest("acts-up"),
                "[settings]\ndeed = \"floods-with-changes\"\n",
                "more than 4 MiB",
            ),
            taken_out(
                "call.undeclared",
                "a column that it never declared: the only way out for data",
                "outputs are checked against what was declared",
                || bytes::guest("sets-undeclared"),
                "",
                "creditlimit",
            ),
            taken_out(
                "call.asks-for-ever",
                "one more question after every answer",
                "four rounds of ten queries",
                || bytes::guest("acts-up"),
                "[settings]\ndeed = \"asks-for-ever\"\n",
                "asked for more rows in every round",
            ),
            taken_out(
                "call.asks-for-secrets",
                "rows of a table that it never declared",
                "queries are checked against what was declared, before anybody is asked",
                || bytes::guest("acts-up"),
                "[settings]\ndeed = \"asks-for-secrets\"\n",
                "systemuser",
            ),
            taken_out(
                "call.log-flood",
                "ten million log lines, with forged lines and control characters",
                "1 KiB a line, 16 KiB a call, the rest is counted; one line stays one line; and the time of a call ends it",
                || bytes::guest("floods-the-log"),
                "",
                "50 ms of work",
            ),
            own(
                "call.now-and-then",
                "panics over every other deal",
                "faults that good answers interrupt park their own deals only, with the plugin's name",
                plays::now_and_then,
            ),
            own(
                "call.poison",
                "one deal over which it always fails",
                "that deal is parked and named; all others cross",
                plays::poison,
            ),
            own(
                "call.terminal",
                "a reason for the seller that clears the screen and forges a line",
                "a reason is one line: control characters become blanks, marks that turn its direction are replaced",
                plays::terminal,
            ),
            own(
                "call.script",
                "a pattern that takes for ever on the name of a deal",
                "a script has the budget of a component",
                plays::slow_pattern,
            ),
        ],
    }
}

/// The operator file of a guest that is let ask for a system, and of what it does with it.
macro_rules! inert {
    ($deed:literal) => {
        concat!("wasi = \"inert\"\n[settings]\ndeed = \"", $deed, "\"\n")
    };
}

pub(super) fn systems() -> Part {
    const NOTHING: &str = "inert WASI is the host's own, and there is nothing behind it";
    Part {
        title: "A system to ask",
        about: "A guest that is built for a system (WASI 0.2) and whose operator lets it ask for one: `wasi = \"inert\"` in its operator file. It is told what it finds, or what became of it.",
        compiling: Compiling::Usual,
        attacks: vec![
            own(
                "system.unasked",
                "asks for a system, and its operator has not said so",
                "imports are an allow-list of one: the log; and what the operator adds for one file",
                plays::asks_for_a_system,
            ),
            own(
                "system.environment",
                "reads environment, arguments and current directory of the host",
                NOTHING,
                plays::environment,
            ),
            own(
                "system.files",
                "lists, reads, writes and removes files",
                "no directory is open, and none can be opened",
                plays::files,
            ),
            own(
                "system.network",
                "connects, binds and looks up a name",
                "every socket and every name is denied",
                plays::network,
            ),
            own(
                "system.sleep",
                "sleeps for an hour, to hold a thread or to read a clock",
                "whoever waits is awake at once, and both clocks stand at the question's `now`",
                plays::sleep,
            ),
            own(
                "system.input",
                "waits for somebody to type",
                "standard input is at its end",
                plays::input,
            ),
            taken_out(
                "system.exit",
                "ends the process",
                "exit is a trap of the guest, and the host's process is not the guest's",
                || bytes::guest("looks-around"),
                inert!("exit"),
                "ended itself",
            ),
            taken_out(
                "system.flood",
                "prints 40 GB, with control characters and without an end of line",
                "what is printed is logged, under the log's caps; and the time of a call ends it",
                || bytes::guest("looks-around"),
                inert!("flood"),
                "50 ms of work",
            ),
        ],
    }
}
