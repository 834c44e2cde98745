//! The parts of a deal that a table can name, as data.

use cosell_guest_sdk::types::{Company, Deal, Fact, Money, Person, Unit};

/// What a part holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spoken {
    /// Free text, or a word of Partner Center's.
    Text(String),
    /// An amount in a currency.
    Money(Money),
    /// A calendar day.
    Day(String),
    /// Yes or no.
    Flag(bool),
}

/// What a part can hold, whether there is something or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "those of `Spoken`")]
pub enum Nature {
    Text,
    Money,
    Day,
    Flag,
}

/// Where a part is taken from.
pub enum Of {
    /// A unit of the deal, which can be read back.
    Deal(
        fn(&Deal) -> Option<Spoken>,
        fn(Option<Spoken>) -> Option<Fact>,
    ),
    /// A fact of the deal that only ever goes into the CRM.
    Shown(fn(&Deal) -> Option<Spoken>),
    /// Of the customer; only goes into the CRM.
    Company(fn(&Company) -> Option<Spoken>),
    /// Of a person at the customer; only goes into a contact row.
    Person(fn(&Person) -> Option<Spoken>),
}

/// A part of a deal.
pub struct Source {
    /// As a table names it.
    pub name: &'static str,
    /// What it holds.
    pub nature: Nature,
    /// What is refused when it cannot be written.
    pub unit: Unit,
    /// How to get at it.
    pub of: Of,
}

/// The part of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Source> {
    SOURCES.iter().find(|source| source.name == name)
}

fn text(text: &Option<String>) -> Option<Spoken> {
    text.clone().map(Spoken::Text)
}

fn word(spoken: Option<Spoken>) -> Option<String> {
    match spoken? {
        Spoken::Text(text) => Some(text),
        _ => None,
    }
}

const fn unit(
    name: &'static str,
    nature: Nature,
    unit: Unit,
    get: fn(&Deal) -> Option<Spoken>,
    fact: fn(Option<Spoken>) -> Option<Fact>,
) -> Source {
    Source {
        name,
        nature,
        unit,
        of: Of::Deal(get, fact),
    }
}

const fn company(name: &'static str, unit: Unit, get: fn(&Company) -> Option<Spoken>) -> Source {
    Source {
        name,
        nature: Nature::Text,
        unit,
        of: Of::Company(get),
    }
}

const fn person(name: &'static str, get: fn(&Person) -> Option<Spoken>) -> Source {
    Source {
        name,
        nature: Nature::Text,
        unit: Unit::Contacts,
        of: Of::Person(get),
    }
}

const fn shown(name: &'static str, get: fn(&Deal) -> Option<Spoken>) -> Source {
    Source {
        name,
        nature: Nature::Text,
        unit: Unit::ExternalReference,
        of: Of::Shown(get),
    }
}

/// All of them. What the country is, is said in `[country]`.
pub const SOURCES: &[Source] = &[
    unit(
        "name",
        Nature::Text,
        Unit::Name,
        |deal| Some(Spoken::Text(deal.name.clone())),
        // A deal without a name is none: an empty column says nothing.
        |spoken| word(spoken).map(Fact::Name),
    ),
    unit(
        "value",
        Nature::Money,
        Unit::Value,
        |deal| deal.value.clone().map(Spoken::Money),
        |spoken| match spoken {
            Some(Spoken::Money(money)) => Some(Fact::Value(Some(money))),
            _ => Some(Fact::Value(None)),
        },
    ),
    unit(
        "close-date",
        Nature::Day,
        Unit::CloseDate,
        |deal| deal.close_date.clone().map(Spoken::Day),
        |spoken| match spoken {
            Some(Spoken::Day(day)) => Some(Fact::CloseDate(Some(day))),
            _ => Some(Fact::CloseDate(None)),
        },
    ),
    unit(
        "notes",
        Nature::Text,
        Unit::Notes,
        |deal| text(&deal.notes),
        |spoken| Some(Fact::Notes(word(spoken))),
    ),
    unit(
        "sales-stage",
        Nature::Text,
        Unit::SalesStage,
        |deal| text(&deal.sales_stage),
        |spoken| Some(Fact::SalesStage(word(spoken))),
    ),
    unit(
        "campaign",
        Nature::Text,
        Unit::Campaign,
        |deal| text(&deal.campaign),
        |spoken| Some(Fact::Campaign(word(spoken))),
    ),
    unit(
        "visibility",
        Nature::Flag,
        Unit::Visibility,
        |deal| Some(Spoken::Flag(deal.visible_to_microsoft)),
        |spoken| match spoken {
            Some(Spoken::Flag(flag)) => Some(Fact::Visibility(flag)),
            _ => None,
        },
    ),
    unit(
        "external-reference",
        Nature::Text,
        Unit::ExternalReference,
        |deal| text(&deal.external_reference),
        |spoken| Some(Fact::ExternalReference(word(spoken))),
    ),
    unit(
        "company-name",
        Nature::Text,
        Unit::CompanyName,
        |deal| Some(Spoken::Text(deal.company.name.clone())),
        |spoken| word(spoken).map(Fact::CompanyName),
    ),
    unit(
        "company-size",
        Nature::Text,
        Unit::CompanySize,
        |deal| text(&deal.company.size),
        |spoken| Some(Fact::CompanySize(word(spoken))),
    ),
    company("company.name", Unit::CompanyName, |company| {
        Some(Spoken::Text(company.name.clone()))
    }),
    company("company.size", Unit::CompanySize, |company| {
        text(&company.size)
    }),
    company("company.duns", Unit::CompanyIds, |company| {
        let id = company.ids.iter().find(|id| id.scheme == "duns")?;
        Some(Spoken::Text(id.id.clone()))
    }),
    company("address.line1", Unit::Address, |company| {
        text(&company.address.line1)
    }),
    company("address.line2", Unit::Address, |company| {
        text(&company.address.line2)
    }),
    company("address.city", Unit::Address, |company| {
        text(&company.address.city)
    }),
    company("address.state", Unit::Address, |company| {
        text(&company.address.state)
    }),
    company("address.region", Unit::Address, |company| {
        text(&company.address.region)
    }),
    company("address.postal-code", Unit::Address, |company| {
        text(&company.address.postal_code)
    }),
    person("person.first-name", |person| text(&person.first_name)),
    person("person.last-name", |person| text(&person.last_name)),
    person("person.email", |person| text(&person.email)),
    person("person.phone", |person| text(&person.phone)),
    person("person.title", |person| text(&person.title)),
    shown("referral.link", |deal| {
        let referral = deal.referral.as_ref()?;
        Some(Spoken::Text(referral.link.clone()))
    }),
    shown("referral.program", |deal| {
        text(&deal.referral.as_ref()?.program)
    }),
    shown("referral.microsoft-crm-id", |deal| {
        text(&deal.referral.as_ref()?.microsoft_crm_id)
    }),
    shown("referral.registration", |deal| {
        text(&deal.referral.as_ref()?.registration)
    }),
];
