//! Units and the facts that state them.

use cosell_sync::deal::{
    Address, DealState, ExternalId, Help, Money, Person, Solution, Standing, Unit, UnitValue,
};

use super::heard::{Bad, bad, listed, long};
use super::{given, lexical};
use crate::bindings::cosell::mapping::types as wit;

pub(crate) fn unit_heard(unit: wit::Unit) -> Unit {
    match unit {
        wit::Unit::Name => Unit::Name,
        wit::Unit::Value => Unit::Value,
        wit::Unit::CloseDate => Unit::CloseDate,
        wit::Unit::Notes => Unit::Notes,
        wit::Unit::State => Unit::State,
        wit::Unit::SalesStage => Unit::SalesStage,
        wit::Unit::Campaign => Unit::Campaign,
        wit::Unit::Visibility => Unit::Visibility,
        wit::Unit::Help => Unit::Help,
        wit::Unit::CompanyName => Unit::CompanyName,
        wit::Unit::CompanySize => Unit::CompanySize,
        wit::Unit::CompanyIds => Unit::CompanyIds,
        wit::Unit::Address => Unit::Address,
        wit::Unit::Contacts => Unit::Contacts,
        wit::Unit::Team => Unit::Team,
        wit::Unit::Solutions => Unit::Solutions,
        wit::Unit::ExternalReference => Unit::ExternalReference,
        wit::Unit::More(name) => Unit::More(name),
    }
}

/// What one fact says.
pub(crate) enum Statement {
    States(Unit, UnitValue),
    Withdraws(Unit),
    Refuses(Unit),
}

/// The unit that a fact is about, whatever it says.
pub(crate) fn statement(fact: &wit::Fact) -> Result<Statement, Bad> {
    use wit::Fact;
    let (unit, value) = match fact {
        Fact::Name(text) => (Unit::Name, words("name", Some(text))?),
        Fact::Value(money) => (
            Unit::Value,
            UnitValue::Money(
                money
                    .as_ref()
                    .map(|money| self::money("value", money))
                    .transpose()?,
            ),
        ),
        Fact::CloseDate(day) => (
            Unit::CloseDate,
            UnitValue::Date(
                day.as_deref()
                    .map(|day| self::day("close-date", day))
                    .transpose()?,
            ),
        ),
        Fact::Notes(text) => (Unit::Notes, words("notes", text.as_ref())?),
        Fact::SalesStage(text) => (Unit::SalesStage, words("sales-stage", text.as_ref())?),
        Fact::Campaign(text) => (Unit::Campaign, words("campaign", text.as_ref())?),
        Fact::Visibility(flag) => (Unit::Visibility, UnitValue::Flag(*flag)),
        Fact::Help(help) => (Unit::Help, UnitValue::Help(help.as_ref().map(help_heard))),
        Fact::CompanyName(text) => (Unit::CompanyName, words("company-name", Some(text))?),
        Fact::CompanySize(text) => (Unit::CompanySize, words("company-size", text.as_ref())?),
        Fact::CompanyIds(ids) => (Unit::CompanyIds, UnitValue::Ids(company_ids(ids)?)),
        Fact::Address(address) => (Unit::Address, UnitValue::Address(address_heard(address)?)),
        Fact::Contacts(people) => (
            Unit::Contacts,
            UnitValue::People(people_heard("contacts", people)?),
        ),
        Fact::Team(people) => (Unit::Team, UnitValue::People(people_heard("team", people)?)),
        Fact::Solutions(solutions) => (
            Unit::Solutions,
            UnitValue::Solutions(solutions_heard(solutions)?),
        ),
        Fact::ExternalReference(text) => (
            Unit::ExternalReference,
            words("external-reference", text.as_ref())?,
        ),
        Fact::More((name, value)) => (Unit::More(name.clone()), tail(name, value)?),
        Fact::Withdraw(unit) => return Ok(Statement::Withdraws(unit_heard(unit.clone()))),
        Fact::Refuse(refusal) => return Ok(Statement::Refuses(unit_heard(refusal.unit.clone()))),
    };
    Ok(Statement::States(unit, value))
}

fn words(path: &str, text: Option<&String>) -> Result<UnitValue, Bad> {
    Ok(UnitValue::Text(
        text.map(|text| long(path, text)).transpose()?,
    ))
}

fn tail(name: &str, value: &wit::Value) -> Result<UnitValue, Bad> {
    if !lexical::is_label(name) {
        return Err(bad(format!(
            "states the fact `more` under the name {name:?}; names are [a-z0-9-], at most 64 letters"
        )));
    }
    match value {
        wit::Value::Empty => Ok(UnitValue::Text(None)),
        wit::Value::Text(text) => words(name, Some(text)),
        _ => Err(bad(format!(
            "states the fact `more` {name:?} as something else than text; all names of contract 1.0 hold text"
        ))),
    }
}

pub(crate) fn money(path: &str, money: &wit::Money) -> Result<Money, Bad> {
    let amount = lexical::decimal(&money.amount).ok_or_else(|| {
        bad(format!(
            "{path}: {:?} is no amount; write digits and a point, 125000.00",
            money.amount
        ))
    })?;
    if !lexical::is_currency(&money.currency) {
        return Err(bad(format!(
            "{path}: {:?} is no currency; write its ISO 4217 code, EUR",
            money.currency
        )));
    }
    Ok(Money {
        amount,
        currency: money.currency.clone(),
    })
}

pub(crate) fn day(path: &str, text: &str) -> Result<cosell_sync::deal::Date, Bad> {
    lexical::date(text).ok_or_else(|| bad(format!("{path}: {text:?} is no day; write 2026-09-30")))
}

pub(crate) fn state_heard(state: &wit::DealState) -> Result<DealState, Bad> {
    Ok(DealState {
        standing: match &state.standing {
            wit::Standing::Pending => Standing::Pending,
            wit::Standing::Received => Standing::Received,
            wit::Standing::Accepted => Standing::Accepted,
            wit::Standing::Won => Standing::Won,
            wit::Standing::Lost => Standing::Lost,
            wit::Standing::Declined => Standing::Declined,
            wit::Standing::Expired => Standing::Expired,
            wit::Standing::Error => Standing::Error,
            wit::Standing::Unlisted(other) => Standing::parse(&long("state", other)?),
        },
        reason: state
            .reason
            .as_ref()
            .map(|reason| long("state.reason", reason))
            .transpose()?,
    })
}

fn help_heard(help: &wit::Help) -> Help {
    match help {
        wit::Help::WorkloadValueProposition => Help::WorkloadValueProposition,
        wit::Help::TechnicalArchitecture => Help::TechnicalArchitecture,
        wit::Help::ProofOfConceptOrDemo => Help::ProofOfConceptOrDemo,
        wit::Help::QuotesOrLicensing => Help::QuotesOrLicensing,
        wit::Help::PostSalesSuccess => Help::PostSalesSuccess,
        wit::Help::GeneralOrOther => Help::GeneralOrOther,
        wit::Help::Unlisted(other) => Help::parse(other),
    }
}

fn company_ids(ids: &[wit::ExternalId]) -> Result<Vec<ExternalId>, Bad> {
    listed("company-ids", ids)?;
    Ok(ids
        .iter()
        .map(|one| ExternalId {
            scheme: one.scheme.clone(),
            id: one.id.clone(),
        })
        .collect())
}

/// The country may still be a draft of any spelling: the `country` hook comes after.
fn address_heard(address: &wit::Address) -> Result<Address, Bad> {
    let part =
        |name: &str, text: &Option<String>| text.as_ref().map(|text| long(name, text)).transpose();
    Ok(Address {
        line1: part("address.line1", &address.line1)?,
        line2: part("address.line2", &address.line2)?,
        city: part("address.city", &address.city)?,
        state: part("address.state", &address.state)?,
        postal_code: part("address.postal-code", &address.postal_code)?,
        region: part("address.region", &address.region)?,
        country: part("address.country", &address.country)?,
    })
}

fn people_heard(path: &str, people: &[wit::Person]) -> Result<Vec<Person>, Bad> {
    listed(path, people)?;
    Ok(people
        .iter()
        .map(|person| Person {
            first_name: person.first_name.clone(),
            last_name: person.last_name.clone(),
            email: person.email.clone(),
            phone: person.phone.clone(),
            title: person.title.clone(),
        })
        .collect())
}

fn solutions_heard(solutions: &[wit::Solution]) -> Result<Vec<Solution>, Bad> {
    listed("solutions", solutions)?;
    solutions
        .iter()
        .map(|one| {
            if one.id.trim().is_empty() {
                return Err(bad(format!(
                    "solutions: {:?} has no id; name it, SOL-12345-ABC, or leave it out",
                    one.name
                )));
            }
            let path = format!("solutions: {}", one.id);
            Ok(Solution {
                id: one.id.clone(),
                name: one.name.clone(),
                kind: one.kind.clone(),
                publisher: one.publisher.clone(),
                price: one
                    .price
                    .as_ref()
                    .map(|price| money(&path, price))
                    .transpose()?,
                quantity: one
                    .quantity
                    .as_ref()
                    .map(|text| {
                        lexical::decimal(text)
                            .ok_or_else(|| bad(format!("{path}: quantity {text:?} is no number")))
                    })
                    .transpose()?,
                close_date: one
                    .close_date
                    .as_deref()
                    .map(|text| day(&path, text))
                    .transpose()?,
            })
        })
        .collect()
}

/// The address as the country hook left it.
pub(crate) fn address_fact(address: &Address) -> wit::Fact {
    wit::Fact::Address(given::address(address))
}
