//! A question of the contract by its name, `opportunity.to-row`, asked of one plugin alone.

use crate::bindings::cosell::mapping::types as wit;
use crate::instance::{Instance, Places};
use crate::plugin::{Hook, Plugin};
use crate::standard::Question;
use crate::stop::PluginFault;

/// Every question, by hook.
pub(crate) const QUESTIONS: [(Hook, &str); 16] = [
    (Hook::ShouldSync, "should-sync.decide"),
    (Hook::Opportunity, "opportunity.to-deal"),
    (Hook::Opportunity, "opportunity.to-row"),
    (Hook::Lead, "lead.to-deal"),
    (Hook::Lead, "lead.to-row"),
    (Hook::Country, "country.to-deal"),
    (Hook::Country, "country.to-row"),
    (Hook::Status, "status.to-deal"),
    (Hook::Status, "status.to-row"),
    (Hook::Account, "account.searches"),
    (Hook::Account, "account.choose"),
    (Hook::Account, "account.to-row"),
    (Hook::Contact, "contact.searches"),
    (Hook::Contact, "contact.choose"),
    (Hook::Contact, "contact.to-row"),
    (Hook::Decorate, "decorate.mark"),
];

/// What a plugin said, whatever the hook.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Said {
    Facts(Vec<wit::Fact>),
    Changes(Vec<wit::Change>),
    Text(Option<String>),
    State(Option<wit::DealState>),
    RowState(Option<wit::RowState>),
    Verdict(Option<wit::Verdict>),
    Searches(Option<Vec<wit::Search>>),
    Resolution(Option<wit::Resolution>),
    Stopped(wit::Stop),
}

/// On a fresh instance. Outer error: the question cannot be put. Inner error: the plugin broke over it.
pub(crate) fn answer(
    plugin: &Plugin,
    question: &Question,
) -> Result<Result<Said, PluginFault>, String> {
    put(plugin, question, |call| {
        let now = plugin.moment_of(&question.context);
        let allowance = plugin.guest.limits.call();
        plugin.guest.call_fresh(allowance, now, call)
    })
}

/// As `answer`, on a warm instance as deals are asked.
pub(crate) fn answer_warm(
    plugin: &Plugin,
    question: &Question,
) -> Result<Result<Said, PluginFault>, String> {
    put(plugin, question, |call| {
        let now = plugin.moment_of(&question.context);
        plugin.guest.call("", now, call).answer
    })
}

/// The question itself, to be put to an instance.
pub(crate) type Call<'a> = &'a dyn Fn(&mut Instance, &Places) -> wasmtime::Result<Said>;

/// Makes the question ready, and lets `run` bring the instance.
pub(crate) fn put(
    plugin: &Plugin,
    question: &Question,
    run: impl FnOnce(Call<'_>) -> Result<Said, PluginFault>,
) -> Result<Result<Said, PluginFault>, String> {
    let name = question.asks.as_str();
    let Some((hook, _)) = QUESTIONS.iter().find(|(_, known)| *known == name) else {
        return Err(format!(
            "{name:?} is no question of the contract; questions are named like `opportunity.to-row`"
        ));
    };
    if !plugin.hooks.contains(hook) {
        return Err(format!(
            "asks {name}, and the plugin does not export `{hook}`"
        ));
    }
    let contact = match (hook, question.contact()) {
        (Hook::Contact, None) => {
            return Err("the deal of this example has no contact to ask about".to_owned());
        }
        (_, contact) => contact,
    };
    let (context, deal) = (&question.context, &question.deal);
    let call = |instance: &mut Instance, places: &Places| {
        macro_rules! ask {
            ($hook:ident . $call:ident ( $($argument:expr),* ) => $said:ident) => {{
                let (hook, store) = instance.$hook(places)?;
                hook.$call(store, context, $($argument),*)?.map_or_else(Said::Stopped, Said::$said)
            }};
        }
        let person = || {
            contact
                .as_ref()
                .ok_or_else(|| wasmtime::format_err!("there is no contact"))
        };
        Ok(match name {
            "should-sync.decide" => {
                ask!(should_sync.call_decide(&question.arrival(), None) => Verdict)
            }
            "opportunity.to-deal" => {
                ask!(opportunity.call_to_deal(&question.row_seen(), &[]) => Facts)
            }
            "opportunity.to-row" => {
                ask!(opportunity.call_to_row(&question.order(), &[]) => Changes)
            }
            "lead.to-deal" => ask!(lead.call_to_deal(&question.row_seen(), &[]) => Facts),
            "lead.to-row" => ask!(lead.call_to_row(&question.order(), &[]) => Changes),
            "country.to-deal" => ask!(country.call_to_deal(&question.row_seen(), None) => Text),
            "country.to-row" => ask!(country.call_to_row(&question.country(), &[]) => Changes),
            "status.to-deal" => ask!(status.call_to_deal(&question.row_seen(), None) => State),
            "status.to-row" => ask!(status.call_to_row(&question.order(), None) => RowState),
            "account.searches" => ask!(account.call_searches(deal, &[]) => Searches),
            "account.choose" => {
                ask!(account.call_choose(deal, &question.candidates, None) => Resolution)
            }
            "account.to-row" => ask!(account.call_to_row(deal, question.row(), &[]) => Changes),
            "contact.searches" => ask!(contact.call_searches(person()?, &[]) => Searches),
            "contact.choose" => {
                ask!(contact.call_choose(person()?, &question.candidates, None) => Resolution)
            }
            "contact.to-row" => {
                ask!(contact.call_to_row(person()?, question.row(), &[]) => Changes)
            }
            _ => ask!(decorate.call_mark(&question.report(), None) => Text),
        })
    };
    Ok(run(&call))
}
