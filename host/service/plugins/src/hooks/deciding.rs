//! Questions with one answer: the last word wins.

use crate::bindings::cosell::mapping::types as wit;
use crate::convert::heard::Bad;
use crate::convert::{given, heard};
use crate::instance::{Instance, Places};
use crate::plugin::{Hook, Plugin};
use crate::question::{Arrival, Asking, Report, Verdict};
use crate::set::Chain;
use crate::stop::{Spoken, Stop};

pub(super) fn decide(
    chain: &Chain,
    asking: &Asking,
    arrival: &Arrival,
) -> Result<Option<Spoken<Verdict>>, Stop> {
    last_word(
        asking,
        chain.of(Hook::ShouldSync),
        "should-sync.decide",
        |plugin| {
            let context = plugin.context(asking);
            let shown = wit::Arrival {
                origin: given::side(arrival.origin),
                deal: arrival.deal.as_ref().map(given::deal),
                seen: arrival.seen.as_ref().map(|seen| plugin.seen(seen)),
                linked: arrival.linked,
                more: Vec::new(),
            };
            move |instance: &mut Instance, places: &Places, draft: Option<&wit::Verdict>| {
                let (hook, store) = instance.should_sync(places)?;
                hook.call_decide(store, &context, &shown, draft)
            }
        },
        |_, verdict| Ok(heard::verdict(verdict)),
    )
}

pub(super) fn mark(
    chain: &Chain,
    asking: &Asking,
    report: &Report,
) -> Result<Option<Spoken<String>>, Stop> {
    let shown = given::report(report);
    last_word(
        asking,
        chain.of(Hook::Decorate),
        "decorate.mark",
        |plugin| {
            let context = plugin.context(asking);
            let shown = &shown;
            move |instance: &mut Instance, places: &Places, draft: Option<&String>| {
                let (hook, store) = instance.decorate(places)?;
                hook.call_mark(store, &context, shown, draft.map(String::as_str))
            }
        },
        |_, mark| heard::mark(mark),
    )
}

/// `ask` prepares one plugin's question; `hear` checks its answer. The next plugin sees the answer as it was given.
pub(super) fn last_word<'p, Word, T, Question>(
    asking: &Asking,
    plugins: impl Iterator<Item = &'p Plugin>,
    question: &'static str,
    ask: impl Fn(&Plugin) -> Question,
    hear: impl Fn(&Plugin, &Word) -> Result<T, Bad>,
) -> Result<Option<Spoken<T>>, Stop>
where
    Question: FnOnce(
        &mut Instance,
        &Places,
        Option<&Word>,
    ) -> wasmtime::Result<Result<Option<Word>, wit::Stop>>,
{
    let mut last: Option<(Word, Spoken<T>)> = None;
    for plugin in plugins {
        let ask = ask(plugin);
        let draft = last.as_ref().map(|(word, _)| word);
        let Some(word) = plugin.ask(asking, question, |instance, places| {
            ask(instance, places, draft)
        })?
        else {
            continue;
        };
        let value = hear(plugin, &word).map_err(|bad| plugin.bad(question, bad))?;
        let by = plugin.speaker.clone();
        last = Some((word, Spoken { value, by }));
    }
    Ok(last.map(|(_, spoken)| spoken))
}
