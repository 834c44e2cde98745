//! From a row to the deal's units.

use std::collections::BTreeMap;

use cosell_sync::deal::{Address, Unit, UnitValue};
use cosell_sync::row::{Reason, RecordKind, Refusal, Seen};

use super::deciding::last_word;
use crate::bindings::cosell::mapping::types as wit;
use crate::convert::heard::{Bad, bad};
use crate::convert::units::{Statement, address_fact, state_heard, statement};
use crate::convert::{heard, is_alpha2};
use crate::instance::{Instance, Places};
use crate::limits::FACTS_MAX;
use crate::plugin::{Hook, Plugin};
use crate::question::{Asking, Reading};
use crate::set::Chain;
use crate::stop::{Speaker, Stop};

pub(super) const fn question(kind: RecordKind) -> &'static str {
    match kind {
        RecordKind::Opportunity => "opportunity.to-deal",
        RecordKind::Lead => "lead.to-deal",
    }
}

pub(super) fn read(
    chain: &Chain,
    asking: &Asking,
    kind: RecordKind,
    seen: &Seen,
) -> Result<Reading, Stop> {
    let mut facts = Facts::default();
    state_facts(chain, asking, kind, seen, &mut facts)?;
    read_country(chain, asking, seen, &mut facts)?;
    let mut reading = facts.into_reading();
    read_state(chain, asking, seen, &mut reading)?;
    Ok(reading)
}

/// The last word about each unit.
#[derive(Default)]
struct Facts {
    words: BTreeMap<Unit, Word>,
}

struct Word {
    /// As it was said: the draft of the plugins after it.
    fact: wit::Fact,
    said: Said,
    by: Speaker,
}

enum Said {
    Value(UnitValue),
    Refused(Reason),
}

fn state_facts(
    chain: &Chain,
    asking: &Asking,
    kind: RecordKind,
    seen: &Seen,
    facts: &mut Facts,
) -> Result<(), Stop> {
    let hook = match kind {
        RecordKind::Opportunity => Hook::Opportunity,
        RecordKind::Lead => Hook::Lead,
    };
    for plugin in chain.of(hook) {
        let (context, seen, draft) = (plugin.context(asking), plugin.seen(seen), facts.draft());
        let answer = plugin.ask(asking, question(kind), |instance, places| match kind {
            RecordKind::Opportunity => {
                let (hook, store) = instance.opportunity(places)?;
                hook.call_to_deal(store, &context, &seen, &draft)
            }
            RecordKind::Lead => {
                let (hook, store) = instance.lead(places)?;
                hook.call_to_deal(store, &context, &seen, &draft)
            }
        })?;
        facts
            .add(plugin, answer)
            .map_err(|bad| plugin.bad(question(kind), bad))?;
    }
    Ok(())
}

impl Facts {
    fn draft(&self) -> Vec<wit::Fact> {
        self.words.values().map(|word| word.fact.clone()).collect()
    }

    fn add(&mut self, plugin: &Plugin, answer: Vec<wit::Fact>) -> Result<(), Bad> {
        check_facts(&answer)?;
        for fact in answer {
            let (unit, said) = match statement(&fact)? {
                Statement::Withdraws(unit) => {
                    self.words.remove(&unit);
                    continue;
                }
                Statement::States(unit, value) => (unit, Said::Value(value)),
                Statement::Refuses(unit) => match &fact {
                    wit::Fact::Refuse(refusal) => {
                        (unit, Said::Refused(heard::reason(&refusal.reason)))
                    }
                    _ => continue,
                },
            };
            let by = plugin.speaker.clone();
            self.words.insert(unit, Word { fact, said, by });
        }
        Ok(())
    }

    fn address(&self) -> Option<&Address> {
        match &self.words.get(&Unit::Address)?.said {
            Said::Value(UnitValue::Address(address)) => Some(address),
            _ => None,
        }
    }

    fn into_reading(self) -> Reading {
        let mut reading = Reading::default();
        for (unit, word) in self.words {
            match word.said {
                Said::Value(value) => {
                    reading.spoken.insert(unit.clone(), word.by);
                    reading.units.insert(unit, value);
                }
                Said::Refused(reason) => reading.refusals.push(Refusal { unit, reason }),
            }
        }
        reading
    }
}

fn check_facts(facts: &[wit::Fact]) -> Result<(), Bad> {
    if facts.len() > FACTS_MAX {
        return Err(bad(format!(
            "states {} facts about one row, more than {FACTS_MAX}",
            facts.len()
        )));
    }
    Ok(())
}

/// A country only makes sense in an address: without one, everything else would seem emptied.
fn read_country(
    chain: &Chain,
    asking: &Asking,
    seen: &Seen,
    facts: &mut Facts,
) -> Result<(), Stop> {
    const QUESTION: &str = "country.to-deal";
    let Some(mut address) = facts.address().cloned() else {
        return Ok(());
    };
    let mut by = None;
    for plugin in chain.of(Hook::Country) {
        let (context, shown) = (plugin.context(asking), plugin.seen(seen));
        let draft = address.country.clone();
        let answer = plugin.ask(asking, QUESTION, |instance, places| {
            let (hook, store) = instance.country(places)?;
            hook.call_to_deal(store, &context, &shown, draft.as_deref())
        })?;
        if let Some(code) = answer {
            address.country =
                Some(heard::country_code(&code).map_err(|bad| plugin.bad(QUESTION, bad))?);
            by = Some(plugin.speaker.clone());
        }
    }
    let Some(word) = facts.words.get_mut(&Unit::Address) else {
        return Ok(());
    };
    // An empty text is how a CRM often keeps nothing.
    address.country = address.country.filter(|country| !country.trim().is_empty());
    word.said = match &address.country {
        Some(country) if !is_alpha2(country) => Said::Refused(unknown_country(country)),
        _ => {
            word.fact = address_fact(&address);
            Said::Value(UnitValue::Address(address))
        }
    };
    if let Some(by) = by {
        word.by = by;
    }
    Ok(())
}

fn unknown_country(country: &str) -> Reason {
    Reason {
        code: "country-unknown".to_owned(),
        message: format!("the customer's country {country:?} is not known as a country"),
        about: Some("company.address.country".to_owned()),
        hint: Some(
            "correct the spelling in the CRM, or add a country plugin that reads it".to_owned(),
        ),
    }
}

fn read_state(
    chain: &Chain,
    asking: &Asking,
    seen: &Seen,
    reading: &mut Reading,
) -> Result<(), Stop> {
    let state = last_word(
        asking,
        chain.of(Hook::Status),
        "status.to-deal",
        |plugin| {
            let (context, shown) = (plugin.context(asking), plugin.seen(seen));
            move |instance: &mut Instance, places: &Places, draft: Option<&wit::DealState>| {
                let (hook, store) = instance.status(places)?;
                hook.call_to_deal(store, &context, &shown, draft)
            }
        },
        |_, state| state_heard(state),
    )?;
    if let Some(state) = state {
        reading
            .refusals
            .retain(|refusal| refusal.unit != Unit::State);
        reading
            .units
            .insert(Unit::State, UnitValue::State(state.value));
        reading.spoken.insert(Unit::State, state.by);
    }
    Ok(())
}
