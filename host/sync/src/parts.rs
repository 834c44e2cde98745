//! A unit's value as pairs of path and text, and back: how values are stored, shown in an audit and told in an explanation, without this
//! package knowing any format. Paths are those of `wit/types.wit`: `amount`, `country`, `0.email`.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::deal::{
    Address, DealState, Decimal, ExternalId, Help, Money, Person, Solution, Standing, Unit,
    UnitValue,
};

/// Path and text. An empty list is an empty value; a text at the empty path is the whole value.
pub type Parts = Vec<(String, String)>;

/// Why parts are no value of their unit: written by something that is not this module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadParts {
    /// Which unit.
    pub unit: Unit,
    /// At which path.
    pub path: String,
}

impl core::fmt::Display for BadParts {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "the stored value of {} is unreadable at \"{}\"",
            self.unit, self.path
        )
    }
}

impl core::error::Error for BadParts {}

impl UnitValue {
    /// This value as pairs.
    #[must_use]
    pub fn to_parts(&self) -> Parts {
        let mut parts = Writer::default();
        match self {
            Self::Text(text) => parts.put("", text.as_deref()),
            Self::Money(None) | Self::Date(None) | Self::Help(None) => {}
            Self::Money(Some(money)) => parts.money("", Some(money)),
            Self::Date(Some(date)) => parts.put("", Some(&date.to_string())),
            Self::State(state) => {
                parts.put("standing", Some(state.standing.as_str()));
                parts.put("reason", state.reason.as_deref());
            }
            Self::Flag(flag) => parts.put("", Some(if *flag { "true" } else { "false" })),
            Self::Help(Some(help)) => parts.put("", Some(help.as_str())),
            Self::Ids(ids) => {
                for (index, id) in ids.iter().enumerate() {
                    parts.put(&format!("{index}.{}", id.scheme), Some(&id.id));
                }
            }
            Self::Address(address) => {
                for (path, field) in ADDRESS {
                    parts.put(path, field(address).as_deref());
                }
            }
            Self::People(people) => {
                for (index, person) in people.iter().enumerate() {
                    // An element without a single field still counts.
                    parts.put(&index.to_string(), Some(""));
                    for (path, field) in PERSON {
                        parts.put(&format!("{index}.{path}"), field(person).as_deref());
                    }
                }
            }
            Self::Solutions(solutions) => {
                for (index, solution) in solutions.iter().enumerate() {
                    parts.put(&format!("{index}.id"), Some(&solution.id));
                    parts.put(&format!("{index}.name"), Some(&solution.name));
                    parts.put(&format!("{index}.kind"), solution.kind.as_deref());
                    parts.put(&format!("{index}.publisher"), solution.publisher.as_deref());
                    parts.money(&format!("{index}.price."), solution.price.as_ref());
                    parts.put(
                        &format!("{index}.quantity"),
                        solution
                            .quantity
                            .map(|number| number.to_string())
                            .as_deref(),
                    );
                    parts.put(
                        &format!("{index}.close-date"),
                        solution.close_date.map(|date| date.to_string()).as_deref(),
                    );
                }
            }
        }
        parts.0
    }

    /// Reads what [`UnitValue::to_parts`] wrote for a value of `unit`.
    ///
    /// # Errors
    /// A path that is not the unit's, or a text that cannot be read.
    pub fn from_parts(unit: &Unit, parts: &[(String, String)]) -> Result<Self, BadParts> {
        let bad = |path: &str| BadParts {
            unit: unit.clone(),
            path: path.to_string(),
        };
        let whole = parts
            .iter()
            .find(|(path, _)| path.is_empty())
            .map(|(_, text)| text.as_str());
        Ok(match unit {
            Unit::Value => Self::Money(read_money(&by_path(parts), "").map_err(|path| bad(&path))?),
            Unit::CloseDate => Self::Date(whole.map(str::parse).transpose().map_err(|_| bad(""))?),
            Unit::State => {
                let fields = by_path(parts);
                let standing = fields.get("standing").ok_or_else(|| bad("standing"))?;
                Self::State(DealState {
                    standing: Standing::parse(standing),
                    reason: fields.get("reason").map(ToString::to_string),
                })
            }
            Unit::Visibility => {
                Self::Flag(whole.ok_or_else(|| bad(""))?.parse().map_err(|_| bad(""))?)
            }
            Unit::Help => Self::Help(whole.map(Help::parse)),
            Unit::CompanyIds => Self::Ids(
                parts
                    .iter()
                    .map(|(path, id)| {
                        let (_, scheme) = path.split_once('.').ok_or_else(|| bad(path))?;
                        Ok(ExternalId {
                            scheme: scheme.to_string(),
                            id: id.clone(),
                        })
                    })
                    .collect::<Result<_, BadParts>>()?,
            ),
            Unit::Address => {
                let fields = by_path(parts);
                let mut address = Address::default();
                for (path, slot) in address_slots(&mut address) {
                    *slot = fields.get(path).map(ToString::to_string);
                }
                Self::Address(address)
            }
            Unit::Contacts | Unit::Team => {
                Self::People(elements(parts).values().map(read_person).collect())
            }
            Unit::Solutions => Self::Solutions(
                elements(parts)
                    .values()
                    .map(read_solution)
                    .collect::<Result<_, String>>()
                    .map_err(|path| bad(&path))?,
            ),
            Unit::Name
            | Unit::Notes
            | Unit::SalesStage
            | Unit::Campaign
            | Unit::CompanyName
            | Unit::CompanySize
            | Unit::ExternalReference
            | Unit::More(_) => Self::Text(whole.map(ToString::to_string)),
        })
    }

    /// The value in one line, for a sentence: `125000.00 EUR`, `2026-12-15`, `Won`, `2 contacts`.
    #[must_use]
    pub fn in_words(&self) -> String {
        let count = |n: usize, one: &str| {
            if n == 1 {
                format!("1 {one}")
            } else {
                format!("{n} {one}s")
            }
        };
        match self {
            value if value.is_empty() && !matches!(value, Self::Flag(_)) => "nothing".to_string(),
            Self::Text(text) => format!("\"{}\"", shorten(text.as_deref().unwrap_or_default())),
            Self::Money(Some(money)) => format!("{} {}", money.amount, money.currency),
            Self::Date(Some(date)) => date.to_string(),
            Self::State(state) => match &state.reason {
                Some(reason) => format!("{} ({})", named(state.standing.as_str()), shorten(reason)),
                None => named(state.standing.as_str()),
            },
            Self::Flag(flag) => if *flag { "yes" } else { "no" }.to_string(),
            Self::Help(Some(help)) => named(help.as_str()),
            Self::Ids(ids) => count(ids.len(), "id"),
            Self::Address(address) => {
                let lines = [&address.postal_code, &address.city, &address.country];
                lines
                    .into_iter()
                    .flatten()
                    .map(String::as_str)
                    .collect::<Vec<_>>()
                    .join(" ")
            }
            Self::People(people) => match people.len() {
                1 => "1 person".to_string(),
                n => format!("{n} people"),
            },
            Self::Solutions(solutions) => solutions
                .iter()
                .map(|solution| solution.id.as_str())
                .collect::<Vec<_>>()
                .join(", "),
            Self::Money(None) | Self::Date(None) | Self::Help(None) => "nothing".to_string(),
        }
    }
}

/// Longest text inside a sentence; the whole stands in the record.
const WORDS_MAX: usize = 60;

/// A code as it is spelt; one without any letters is a mistake of whoever sent it, and must not leave a hole in a sentence.
fn named(code: &str) -> String {
    if code.trim().is_empty() {
        "a code without a name"
    } else {
        code
    }
    .to_string()
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(WORDS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_string(),
    }
}

#[derive(Default)]
struct Writer(Parts);

impl Writer {
    fn put(&mut self, path: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.0.push((path.to_string(), text.to_string()));
        }
    }

    fn money(&mut self, prefix: &str, money: Option<&Money>) {
        if let Some(money) = money {
            self.put(&format!("{prefix}amount"), Some(&money.amount.to_string()));
            self.put(&format!("{prefix}currency"), Some(&money.currency));
        }
    }
}

type Field<T> = (&'static str, fn(&T) -> &Option<String>);

const ADDRESS: [Field<Address>; 7] = [
    ("line1", |address| &address.line1),
    ("line2", |address| &address.line2),
    ("city", |address| &address.city),
    ("state", |address| &address.state),
    ("postal-code", |address| &address.postal_code),
    ("region", |address| &address.region),
    ("country", |address| &address.country),
];

fn address_slots(address: &mut Address) -> [(&'static str, &mut Option<String>); 7] {
    [
        ("line1", &mut address.line1),
        ("line2", &mut address.line2),
        ("city", &mut address.city),
        ("state", &mut address.state),
        ("postal-code", &mut address.postal_code),
        ("region", &mut address.region),
        ("country", &mut address.country),
    ]
}

const PERSON: [Field<Person>; 5] = [
    ("first-name", |person| &person.first_name),
    ("last-name", |person| &person.last_name),
    ("email", |person| &person.email),
    ("phone", |person| &person.phone),
    ("title", |person| &person.title),
];

type Fields<'a> = BTreeMap<&'a str, &'a str>;

fn by_path(parts: &[(String, String)]) -> Fields<'_> {
    parts
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect()
}

fn elements(parts: &[(String, String)]) -> BTreeMap<usize, Fields<'_>> {
    let mut elements: BTreeMap<usize, Fields<'_>> = BTreeMap::new();
    for (path, text) in parts {
        let (index, field) = path.split_once('.').unwrap_or((path, ""));
        if let Ok(index) = index.parse() {
            elements.entry(index).or_default().insert(field, text);
        }
    }
    elements
}

fn read_person(fields: &Fields<'_>) -> Person {
    let field = |path: &str| fields.get(path).map(ToString::to_string);
    Person {
        first_name: field("first-name"),
        last_name: field("last-name"),
        email: field("email"),
        phone: field("phone"),
        title: field("title"),
    }
}

fn read_solution(fields: &Fields<'_>) -> Result<Solution, String> {
    let field = |path: &str| fields.get(path).map(ToString::to_string);
    Ok(Solution {
        id: field("id").ok_or("id")?,
        name: field("name").unwrap_or_default(),
        kind: field("kind"),
        publisher: field("publisher"),
        price: read_money(fields, "price.")?,
        quantity: field("quantity")
            .map(|text| text.parse::<Decimal>())
            .transpose()
            .map_err(|_| "quantity")?,
        close_date: field("close-date")
            .map(|text| text.parse())
            .transpose()
            .map_err(|_| "close-date")?,
    })
}

fn read_money(fields: &Fields<'_>, prefix: &str) -> Result<Option<Money>, String> {
    let (amount, currency) = (format!("{prefix}amount"), format!("{prefix}currency"));
    let Some(text) = fields.get(amount.as_str()) else {
        return Ok(None);
    };
    Ok(Some(Money {
        amount: text.parse().map_err(|_| amount)?,
        currency: fields
            .get(currency.as_str())
            .map(ToString::to_string)
            .ok_or(currency)?,
    }))
}
