//! A person in a row. Contacts and leads carry one in columns of the same names.

use super::{cut, said};
use crate::types::{Change, Person, Row};

/// First name.
pub const FIRST_NAME: &str = "firstname";
/// Last name: no contact and no lead is without one.
pub const LAST_NAME: &str = "lastname";
/// Mail address.
pub const MAIL: &str = "emailaddress1";
/// Phone.
pub const PHONE: &str = "telephone1";
/// Stands in for a missing phone when a row is read; never written.
pub const MOBILE: &str = "mobilephone";
/// Job title.
pub const TITLE: &str = "jobtitle";

/// What is read of a person.
pub const READ: [&str; 6] = [FIRST_NAME, LAST_NAME, MAIL, PHONE, MOBILE, TITLE];
/// What is written of one.
pub const WRITTEN: [&str; 5] = [FIRST_NAME, LAST_NAME, MAIL, PHONE, TITLE];

/// First and last names hold so many characters.
const NAME_MAX: usize = 50;
const PHONE_MAX: usize = 50;
const TITLE_MAX: usize = 100;
/// A longer mail address is none; half of one would be somebody else's.
const MAIL_MAX: usize = 100;

/// The person of a row. `None` when nothing is said about anybody.
#[must_use]
pub fn person(row: &Row) -> Option<Person> {
    let person = Person {
        first_name: row.owned_text(FIRST_NAME),
        last_name: row.owned_text(LAST_NAME),
        email: row.owned_text(MAIL),
        phone: row.owned_text(PHONE).or_else(|| row.owned_text(MOBILE)),
        title: row.owned_text(TITLE),
        more: Vec::new(),
    };
    let known = [
        &person.first_name,
        &person.last_name,
        &person.email,
        &person.phone,
    ];
    known.iter().any(|part| part.is_some()).then_some(person)
}

/// The columns of a person. A row must have a last name: a lone first name, or the mail address, stands in for it.
///
/// In a row that is `there` already, what the other side does not say stays: a seller's phone number is not wiped out because
/// Partner Center never had one.
#[must_use]
pub fn set_person(person: &Person, there: bool) -> Vec<Change> {
    let (first, last) = match (said(&person.first_name), said(&person.last_name)) {
        (first, Some(last)) => (first, Some(last)),
        (lone, None) => (None, lone.or_else(|| said(&person.email))),
    };
    let mail = said(&person.email).filter(|mail| mail.encode_utf16().count() <= MAIL_MAX);
    let parts = [
        (FIRST_NAME, first, NAME_MAX),
        (LAST_NAME, last, NAME_MAX),
        (MAIL, mail, MAIL_MAX),
        (PHONE, said(&person.phone), PHONE_MAX),
        (TITLE, said(&person.title), TITLE_MAX),
    ];
    parts
        .into_iter()
        .filter(|(_, text, _)| text.is_some() || !there)
        .map(|(column, text, units)| Change::set(column, text.map(|text| cut(text, units))))
        .collect()
}

/// Whether two people are one: by mail where both have one, else by name.
#[must_use]
pub fn is_same(a: &Person, b: &Person) -> bool {
    let same = |a: &Option<String>, b: &Option<String>| {
        said(a).unwrap_or_default().to_lowercase() == said(b).unwrap_or_default().to_lowercase()
    };
    match (said(&a.email), said(&b.email)) {
        (Some(_), Some(_)) => same(&a.email, &b.email),
        _ => same(&a.first_name, &b.first_name) && same(&a.last_name, &b.last_name),
    }
}
