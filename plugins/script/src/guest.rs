//! The exports: one script for each instance, and every hook answered by it.
#![allow(
    unsafe_code,
    unreachable_pub,
    reason = "the exported functions of a component, and the clock that QuickJS links to, have C's calling convention and no other caller"
)]

use std::cell::OnceCell;

use crate::answer;
use crate::bindings::cosell::mapping::log;
use crate::bindings::cosell::mapping::types::{
    Arrival, Candidate, Cell, Change, ContactQuestion, Context, CountryOrder, Deal, DealState,
    Example, Fact, Level, Need, Order, PluginManifest, Reason, Report, Resolution, Row, RowState,
    Search, Seen, Setting, Stop, Verdict,
};
use crate::bindings::exports::cosell::mapping as hooks;
use crate::script::Script;
use crate::speak::json;

thread_local! {
    /// A component has one thread.
    static SCRIPT: OnceCell<Script> = const { OnceCell::new() };
}

/// QuickJS asks for the time when it starts and for its own statistics; scripts only ever see `ctx.now`.
#[unsafe(no_mangle)]
extern "C" fn __rquickjs_host_now_us() -> f64 {
    0.0
}

struct Engine;

fn asked<R>(question: impl FnOnce(&Script) -> R) -> R {
    SCRIPT.with(|script| match script.get() {
        Some(script) => question(script),
        None => give_up("an engine was asked before it was given a script"),
    })
}

/// For questions whose answer has no error side: the host shows the last line beside the trap.
fn give_up(why: &str) -> ! {
    log::write(Level::Error, why);
    std::process::abort()
}

fn console(level: &str, line: &str) {
    let level = match level {
        "debug" => Level::Debug,
        "warn" => Level::Warn,
        "error" => Level::Error,
        _ => Level::Info,
    };
    log::write(level, line);
}

impl hooks::source::Guest for Engine {
    fn load(file: String, text: String) -> Result<Vec<String>, Vec<String>> {
        let script = Script::load(&file, &text, console)?;
        answer::constant::<PluginManifest>(&script, "plugin", "manifest")
            .map_err(|mistake| vec![mistake])?;
        let served = script.served().iter().map(|name| (*name).to_owned());
        let served = served.collect();
        SCRIPT.with(|held| match held.set(script) {
            Ok(()) => Ok(served),
            Err(_) => Err(vec![format!(
                "{file}:1:1: this instance has a script already"
            )]),
        })
    }
}

impl hooks::plugin::Guest for Engine {
    fn manifest() -> PluginManifest {
        asked(|script| {
            answer::constant(script, "plugin", "manifest").unwrap_or_else(|why| give_up(&why))
        })
    }

    fn describe(settings: Vec<Setting>) -> Result<Vec<Need>, Vec<Reason>> {
        asked(|script| answer::describe(script, json(&settings)))
    }
}

impl hooks::examples::Guest for Engine {
    fn cases() -> Vec<Example> {
        asked(|script| {
            answer::constant(script, "examples", "cases").unwrap_or_else(|why| give_up(&why))
        })
    }
}

/// A hook's functions differ in their arguments alone.
macro_rules! hook {
    ($module:ident, $interface:literal: $($method:ident $function:literal ($($argument:ident: $kind:ty),*) -> $answer:ty;)+) => {
        impl hooks::$module::Guest for Engine {
            $(fn $method(ctx: Context, $($argument: $kind),*) -> Result<$answer, Stop> {
                let arguments = [json(&ctx), $(json(&$argument)),*];
                asked(|script| answer::ask(script, $interface, $function, &ctx, &arguments))
            })+
        }
    };
}

hook!(should_sync, "should-sync":
    decide "decide" (arrival: Arrival, draft: Option<Verdict>) -> Option<Verdict>;
);
hook!(opportunity, "opportunity":
    to_deal "to-deal" (seen: Seen, draft: Vec<Fact>) -> Vec<Fact>;
    to_row "to-row" (order: Order, draft: Vec<Cell>) -> Vec<Change>;
);
hook!(lead, "lead":
    to_deal "to-deal" (seen: Seen, draft: Vec<Fact>) -> Vec<Fact>;
    to_row "to-row" (order: Order, draft: Vec<Cell>) -> Vec<Change>;
);
hook!(country, "country":
    to_deal "to-deal" (seen: Seen, draft: Option<String>) -> Option<String>;
    to_row "to-row" (order: CountryOrder, draft: Vec<Cell>) -> Vec<Change>;
);
hook!(status, "status":
    to_deal "to-deal" (seen: Seen, draft: Option<DealState>) -> Option<DealState>;
    to_row "to-row" (order: Order, draft: Option<RowState>) -> Option<RowState>;
);
hook!(account, "account":
    searches "searches" (deal: Deal, draft: Vec<Search>) -> Option<Vec<Search>>;
    choose "choose" (deal: Deal, candidates: Vec<Candidate>, draft: Option<Resolution>) -> Option<Resolution>;
    to_row "to-row" (deal: Deal, existing: Option<Row>, draft: Vec<Cell>) -> Vec<Change>;
);
hook!(contact, "contact":
    searches "searches" (question: ContactQuestion, draft: Vec<Search>) -> Option<Vec<Search>>;
    choose "choose" (question: ContactQuestion, candidates: Vec<Candidate>, draft: Option<Resolution>) -> Option<Resolution>;
    to_row "to-row" (question: ContactQuestion, existing: Option<Row>, draft: Vec<Cell>) -> Vec<Change>;
);
hook!(decorate, "decorate":
    mark "mark" (report: Report, draft: Option<String>) -> Option<String>;
);

crate::bindings::export!(Engine with_types_in crate::bindings);
