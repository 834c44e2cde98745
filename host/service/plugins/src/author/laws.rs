//! The round trip: what a set of plugins writes for a deal, it reads back as the same deal.
//!
//! Three things are told apart. A unit that is written and reads back *empty* is a mapping that writes one column and reads another: broken. One that
//! changes at *every* trip would be written for ever: broken. One that comes back otherwise once and then stays (cut, rounded, another spelling) is
//! lossy, which the contract allows (S7): a note. A unit that the set reads and does not write is kept by somebody else, and is no matter here.

use std::future::Future;
use std::time::Instant;

use cosell_sync::deal::{Deal, DealState, Standing, Unit, UnitValue};
use cosell_sync::row::{RecordKind, Seen};

use crate::bindings::cosell::mapping::types as wit;
use crate::convert::units::{Statement, statement};
use crate::plugin::Hook;
use crate::question::{Asking, ContactQuestion, Order, Reading};
use crate::set::PluginSet;
use crate::standard::{self, NOW};
use crate::stop::{Speaker, Stop, StopKind};

use super::crm::{self, Crm, Written};
use super::exam::Finding;

/// States that a deal can be in when such a row shows it, and that every CRM tells apart.
const fn standings(kind: RecordKind) -> &'static [Standing] {
    match kind {
        RecordKind::Opportunity => &[Standing::Accepted, Standing::Won, Standing::Lost],
        RecordKind::Lead => &[Standing::Pending, Standing::Declined],
    }
}
const COUNTRIES: [&str; 3] = ["HU", "DE", "US"];

/// What the set makes of the standard deal, there and back. After `until` nothing more is asked, and nothing is said about what is left.
pub(crate) async fn findings(set: &PluginSet, until: Option<Instant>) -> Vec<Finding> {
    let round = &Round { set, until };
    let serves = |hook: Hook| set.chain.of(hook).next().is_some();
    let mut findings = Vec::new();
    for kind in [RecordKind::Opportunity, RecordKind::Lead] {
        let hook = match kind {
            RecordKind::Opportunity => Hook::Opportunity,
            RecordKind::Lead => Hook::Lead,
        };
        if serves(hook) || serves(Hook::Account) || serves(Hook::Contact) {
            let about = format!("{hook} there and back");
            match units(round, kind).await {
                Ok(told) => findings.extend(told.into_iter().map(|one| one.about(&about))),
                Err(stop) => findings.push(stopped(&about, &stop)),
            }
        }
        if serves(Hook::Status) && (serves(hook) || kind == RecordKind::Opportunity) {
            let about = format!("status of {} there and back", kind.table());
            match states(round, kind).await {
                Ok(told) => findings.extend(told.into_iter().map(|one| one.about(&about))),
                Err(stop) => findings.push(stopped(&about, &stop)),
            }
        }
    }
    if serves(Hook::Country) {
        match countries(round).await {
            Ok(told) => findings.extend(
                told.into_iter()
                    .map(|one| one.about("country there and back")),
            ),
            Err(stop) => findings.push(stopped("country there and back", &stop)),
        }
    }
    findings
}

struct Told {
    why: String,
    is_note: bool,
}

impl Told {
    fn about(self, about: &str) -> Finding {
        Finding {
            about: about.to_owned(),
            told: self.why,
            is_note: self.is_note,
            input: None,
        }
    }
}

/// A set that asks for what this small CRM does not have is not broken: then nothing can be said.
fn stopped(about: &str, stop: &Stop) -> Finding {
    Finding {
        about: about.to_owned(),
        told: format!("nothing can be said, for it stopped: {stop}"),
        is_note: !matches!(stop.kind, StopKind::Fault(_)),
        input: None,
    }
}

/// The standard deal in the domain's words.
fn deal() -> Deal {
    let said = standard::deal();
    let facts = [
        wit::Fact::Name(said.name),
        wit::Fact::Value(said.value),
        wit::Fact::CloseDate(said.close_date),
        wit::Fact::Notes(said.notes),
        wit::Fact::SalesStage(said.sales_stage),
        wit::Fact::Campaign(said.campaign),
        wit::Fact::Visibility(said.visible_to_microsoft),
        wit::Fact::Help(said.help),
        wit::Fact::CompanyName(said.company.name),
        wit::Fact::CompanySize(said.company.size),
        wit::Fact::CompanyIds(said.company.ids),
        wit::Fact::Address(said.company.address),
        wit::Fact::Contacts(said.contacts),
        wit::Fact::Team(said.team),
        wit::Fact::Solutions(said.solutions),
        wit::Fact::ExternalReference(said.external_reference),
    ];
    let mut deal = Deal::default();
    for fact in &facts {
        if let Ok(Statement::States(unit, value)) = statement(fact) {
            deal.units.insert(unit, value);
        }
    }
    standing(&mut deal, Standing::Accepted);
    deal
}

fn standing(deal: &mut Deal, standing: Standing) {
    let state = DealState {
        standing,
        reason: None,
    };
    deal.units.insert(Unit::State, UnitValue::State(state));
}

/// A set, and how long it is asked.
struct Round<'a> {
    set: &'a PluginSet,
    until: Option<Instant>,
}

impl Round<'_> {
    /// Asks, and answers what is asked for out of this CRM. It comes to an end: who asks in every round is told to be broken.
    async fn answered<T, F: Future<Output = Result<T, Stop>>>(
        &self,
        crm: &Crm,
        ask: impl Fn(Asking) -> F,
    ) -> Result<T, Stop> {
        let mut asking = Asking::new(NOW.parse().unwrap_or_default(), "en");
        loop {
            if self.until.is_some_and(|until| Instant::now() >= until) {
                return Err(out_of_time());
            }
            match ask(asking.clone()).await {
                Err(Stop {
                    kind: StopKind::Ask(queries),
                    ..
                }) => {
                    let rows = queries.iter().map(|query| crm.answer(query));
                    asking.found.extend(rows);
                    asking.round += 1;
                }
                answer => return answer,
            }
        }
    }
}

/// As if a plugin had asked for patience: nothing can be said.
fn out_of_time() -> Stop {
    Stop {
        plugin: Speaker {
            plugin: "host".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            hash: String::new(),
        },
        hook: "round-trip",
        kind: StopKind::Later {
            message: "the time for this law is over".to_owned(),
            seconds: None,
        },
    }
}

async fn written(round: &Round<'_>, kind: RecordKind, deal: &Deal) -> Result<Written, Stop> {
    let set = round.set;
    let empty = Crm::after(kind, set.needs(), &Written::default());
    let crm = &empty;
    let order = Order {
        deal: deal.clone(),
        account: Some(crm::account()),
        contacts: match deal.units.get(&Unit::Contacts) {
            Some(UnitValue::People(people)) => {
                people.iter().map(|_| Some(crm::contact())).collect()
            }
            _ => Vec::new(),
        },
        ..Order::default()
    };
    let person = match deal.units.get(&Unit::Contacts) {
        Some(UnitValue::People(people)) => people.first().cloned(),
        _ => None,
    };
    let contact = match person {
        Some(person) => {
            let question = ContactQuestion {
                person,
                deal: deal.clone(),
                account: Some(crm::account()),
            };
            let (question, set) = (&question, set);
            round
                .answered(crm, |asking| async move {
                    set.contact_row(&asking, question, None).await
                })
                .await?
        }
        None => crate::question::Draft::default(),
    };
    let order = &order;
    Ok(Written {
        record: round
            .answered(crm, |asking| async move {
                set.write(&asking, kind, order).await
            })
            .await?,
        account: round
            .answered(crm, |asking| async move {
                set.account_row(&asking, deal, None).await
            })
            .await?,
        contact,
        state: round
            .answered(crm, |asking| async move {
                set.write_state(&asking, kind, order).await
            })
            .await?
            .map(|spoken| spoken.value),
    })
}

async fn read(round: &Round<'_>, kind: RecordKind, crm: &Crm) -> Result<Reading, Stop> {
    let set = round.set;
    let seen = crm.seen(kind, set.needs());
    let seen = &seen;
    round
        .answered(
            crm,
            |asking| async move { set.read(&asking, kind, seen).await },
        )
        .await
}

async fn trip(
    round: &Round<'_>,
    kind: RecordKind,
    deal: &Deal,
) -> Result<(Written, Reading), Stop> {
    let set = round.set;
    let written = written(round, kind, deal).await?;
    let crm = Crm::after(kind, set.needs(), &written);
    let reading = read(round, kind, &crm).await?;
    Ok((written, reading))
}

async fn units(round: &Round<'_>, kind: RecordKind) -> Result<Vec<Told>, Stop> {
    let set = round.set;
    let deal = deal();
    let (first, reading) = trip(round, kind, &deal).await?;
    let mut told = Vec::new();
    for (unit, there) in &reading.units {
        let Some(was) = deal.units.get(unit) else {
            continue;
        };
        if *unit == Unit::State || there == was || stands_elsewhere(set, kind, unit) {
            continue;
        }
        let mut without = deal.clone();
        without.units.remove(unit);
        if written(round, kind, &without).await? == first {
            continue;
        }
        let by = reading.spoken.get(unit).map_or("", |by| by.plugin.as_str());
        if there.is_empty() && !was.is_empty() {
            told.push(Told {
                why: format!(
                    "{unit} is written from {} and read back as empty by \"{by}\": does it write one column and read another?",
                    was.in_words(),
                    unit = unit.as_text()
                ),
                is_note: false,
            });
            continue;
        }
        let mut second = deal.clone();
        second.units.insert(unit.clone(), there.clone());
        let (_, again) = trip(round, kind, &second).await?;
        let is_settled = again.units.get(unit) == Some(there);
        let then = again
            .units
            .get(unit)
            .map_or_else(|| "nothing".to_owned(), UnitValue::in_words);
        let (sent, came) = told_apart(was, there);
        told.push(Told {
            why: if is_settled {
                format!(
                    "{} is {sent} and comes back as {came}, and stays so: the columns of \"{by}\" cannot hold it whole",
                    unit.as_text(),
                )
            } else {
                format!(
                    "{} is {sent}, comes back as {came}, and after that as {then}: it would be written for ever",
                    unit.as_text(),
                )
            },
            is_note: is_settled,
        });
    }
    Ok(told)
}

/// Parts of a deal that an opportunity shows through the rows of its account and its contacts: where no plugin of the set writes these, nothing can
/// be said about them.
fn stands_elsewhere(set: &PluginSet, kind: RecordKind, unit: &Unit) -> bool {
    let serves = |hook: Hook| set.chain.of(hook).next().is_some();
    match unit {
        _ if kind == RecordKind::Lead => false,
        Unit::Contacts => !serves(Hook::Contact),
        Unit::CompanyName | Unit::CompanySize | Unit::CompanyIds | Unit::Address => {
            !serves(Hook::Account)
        }
        _ => false,
    }
}

/// Both values, and where they look alike from afar, part by part.
fn told_apart(one: &UnitValue, other: &UnitValue) -> (String, String) {
    let (words, others) = (one.in_words(), other.in_words());
    if words != others {
        return (words, others);
    }
    let parts = |value: &UnitValue, than: &UnitValue| {
        let than = than.to_parts();
        let parts = value.to_parts();
        let parts = parts.iter().filter(|part| !than.contains(part));
        let parts: Vec<_> = parts
            .map(|(path, text)| format!("{path} {text:?}"))
            .collect();
        if parts.is_empty() {
            "the rest".to_owned()
        } else {
            parts.join(", ")
        }
    };
    (parts(one, other), parts(other, one))
}

async fn states(round: &Round<'_>, kind: RecordKind) -> Result<Vec<Told>, Stop> {
    let mut told = Vec::new();
    for wanted in standings(kind).iter().cloned() {
        let mut deal = deal();
        standing(&mut deal, wanted.clone());
        let (written, reading) = trip(round, kind, &deal).await?;
        let Some(state) = written.state else { continue };
        let read = match reading.units.get(&Unit::State) {
            Some(UnitValue::State(read)) => read.standing.clone(),
            _ => continue,
        };
        if read != wanted {
            told.push(Told {
                why: format!(
                    "{} is written as state {}, status {}, and that is read as {}",
                    wanted.as_str(),
                    state.statecode,
                    state.statuscode,
                    read.as_str()
                ),
                is_note: false,
            });
        }
    }
    Ok(told)
}

/// `country.to-deal` by itself: without a plugin that states an address, [`PluginSet::read`] asks nobody.
async fn countries(round: &Round<'_>) -> Result<Vec<Told>, Stop> {
    let set = round.set;
    let mut told = Vec::new();
    let kind = RecordKind::Opportunity;
    for code in COUNTRIES {
        let mut deal = deal();
        if let Some(UnitValue::Address(address)) = deal.units.get_mut(&Unit::Address) {
            address.country = Some(code.to_owned());
        }
        let written = written(round, kind, &deal).await?;
        if written.account.cells.is_empty() {
            continue;
        }
        let crm = Crm::after(kind, set.needs(), &written);
        let seen = crm.seen(kind, set.needs());
        let seen = &seen;
        let read = round
            .answered(&crm, |asking| async move { country(set, &asking, seen) })
            .await?;
        match read {
            Some(read) if read.eq_ignore_ascii_case(code) => {}
            Some(read) => told.push(Told {
                why: format!("{code} is written, and {read:?} is read back"),
                is_note: false,
            }),
            None => told.push(Told {
                why: format!(
                    "{code} is written, and nothing is read back: another plugin has to read it"
                ),
                is_note: true,
            }),
        }
    }
    Ok(told)
}

fn country(set: &PluginSet, asking: &Asking, seen: &Seen) -> Result<Option<String>, Stop> {
    let mut draft: Option<String> = None;
    for plugin in set.chain.of(Hook::Country) {
        let (context, shown) = (plugin.context(asking), plugin.seen(seen));
        let answer = plugin.ask(asking, "country.to-deal", |instance, places| {
            let (hook, store) = instance.country(places)?;
            hook.call_to_deal(store, &context, &shown, draft.as_deref())
        })?;
        draft = answer.or(draft);
    }
    Ok(draft)
}
