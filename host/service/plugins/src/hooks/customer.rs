//! Which rows the customer and its people are. Accounts and contacts are asked alike.

use cosell_sync::deal::Deal;
use cosell_sync::row::Row;

use super::deciding::last_word;
use super::writing::{Desk, write_country};
use crate::bindings::cosell::mapping::types as wit;
use crate::convert::{asked, given};
use crate::instance::{Instance, Places};
use crate::plugin::{Hook, Plugin};
use crate::question::{Asking, Candidate, ContactQuestion, Draft, Resolution, Search};
use crate::set::Chain;
use crate::stop::{Spoken, Stop};

type Searches = Result<Option<Spoken<Vec<Search>>>, Stop>;
type Choice = Result<Option<Spoken<Resolution>>, Stop>;

pub(super) fn account_searches(chain: &Chain, asking: &Asking, deal: &Deal) -> Searches {
    let deal = given::deal(deal);
    searches(
        chain,
        Hook::Account,
        "account.searches",
        asking,
        |instance, places, context, draft| {
            let (hook, store) = instance.account(places)?;
            hook.call_searches(store, context, &deal, draft)
        },
    )
}

pub(super) fn contact_searches(
    chain: &Chain,
    asking: &Asking,
    question: &ContactQuestion,
) -> Searches {
    let question = given::contact_question(question);
    searches(
        chain,
        Hook::Contact,
        "contact.searches",
        asking,
        |instance, places, context, draft| {
            let (hook, store) = instance.contact(places)?;
            hook.call_searches(store, context, &question, draft)
        },
    )
}

pub(super) fn account_choose(
    chain: &Chain,
    asking: &Asking,
    deal: &Deal,
    candidates: &[Candidate],
) -> Choice {
    let deal = given::deal(deal);
    last_word(
        asking,
        chain.of(Hook::Account),
        "account.choose",
        |plugin| {
            let (context, shown, deal) = (
                plugin.context(asking),
                candidates_shown(plugin, candidates),
                &deal,
            );
            move |instance: &mut Instance, places: &Places, draft: Option<&wit::Resolution>| {
                let (hook, store) = instance.account(places)?;
                hook.call_choose(store, &context, deal, &shown, draft)
            }
        },
        |plugin, resolution| {
            let shown = candidates_shown(plugin, candidates);
            asked::resolution("account", &shown, &plugin.context(asking).found, resolution)
        },
    )
}

pub(super) fn contact_choose(
    chain: &Chain,
    asking: &Asking,
    question: &ContactQuestion,
    candidates: &[Candidate],
) -> Choice {
    let question = given::contact_question(question);
    last_word(
        asking,
        chain.of(Hook::Contact),
        "contact.choose",
        |plugin| {
            let (context, shown, question) = (
                plugin.context(asking),
                candidates_shown(plugin, candidates),
                &question,
            );
            move |instance: &mut Instance, places: &Places, draft: Option<&wit::Resolution>| {
                let (hook, store) = instance.contact(places)?;
                hook.call_choose(store, &context, question, &shown, draft)
            }
        },
        |plugin, resolution| {
            let shown = candidates_shown(plugin, candidates);
            asked::resolution("contact", &shown, &plugin.context(asking).found, resolution)
        },
    )
}

pub(super) fn account_row(
    chain: &Chain,
    asking: &Asking,
    deal: &Deal,
    existing: Option<&Row>,
) -> Result<Draft, Stop> {
    const QUESTION: &str = "account.to-row";
    let shown = given::deal(deal);
    let mut desk = Desk::new("account", false);
    for plugin in chain.of(Hook::Account) {
        let (context, row, draft) = (
            plugin.context(asking),
            existing.map(|row| plugin.row(row)),
            desk.draft(),
        );
        let answer = plugin.ask(asking, QUESTION, |instance, places| {
            let (hook, store) = instance.account(places)?;
            hook.call_to_row(store, &context, &shown, row.as_ref(), &draft)
        })?;
        desk.add(plugin, answer)
            .map_err(|bad| plugin.bad(QUESTION, bad))?;
    }
    write_country(chain, asking, deal, existing, &mut desk)?;
    Ok(desk.into_draft())
}

pub(super) fn contact_row(
    chain: &Chain,
    asking: &Asking,
    question: &ContactQuestion,
    existing: Option<&Row>,
) -> Result<Draft, Stop> {
    const QUESTION: &str = "contact.to-row";
    let shown = given::contact_question(question);
    let mut desk = Desk::new("contact", false);
    for plugin in chain.of(Hook::Contact) {
        let (context, row, draft) = (
            plugin.context(asking),
            existing.map(|row| plugin.row(row)),
            desk.draft(),
        );
        let answer = plugin.ask(asking, QUESTION, |instance, places| {
            let (hook, store) = instance.contact(places)?;
            hook.call_to_row(store, &context, &shown, row.as_ref(), &draft)
        })?;
        desk.add(plugin, answer)
            .map_err(|bad| plugin.bad(QUESTION, bad))?;
    }
    Ok(desk.into_draft())
}

type SearchAnswer = wasmtime::Result<Result<Option<Vec<wit::Search>>, wit::Stop>>;

/// Each plugin answers the whole new list.
fn searches(
    chain: &Chain,
    hook: Hook,
    question: &'static str,
    asking: &Asking,
    call: impl Fn(&mut Instance, &Places, &wit::Context, &[wit::Search]) -> SearchAnswer,
) -> Searches {
    let mut draft: Vec<wit::Search> = Vec::new();
    let mut last: Option<Spoken<Vec<Search>>> = None;
    for plugin in chain.of(hook) {
        let context = plugin.context(asking);
        let answer = plugin.ask(asking, question, |instance, places| {
            call(instance, places, &context, &draft)
        })?;
        let Some(list) = answer else { continue };
        let before = last.as_ref().map_or(&[][..], |spoken| &spoken.value);
        let value = asked::searches(&plugin.declared, &draft, before, &list)
            .map_err(|bad| plugin.bad(question, bad))?;
        let by = plugin.speaker.clone();
        last = Some(Spoken { value, by });
        draft = list;
    }
    Ok(last)
}

fn candidates_shown(plugin: &Plugin, candidates: &[Candidate]) -> Vec<wit::Candidate> {
    candidates
        .iter()
        .map(|candidate| given::candidate(candidate, |table, column| plugin.may_see(table, column)))
        .collect()
}
