//! People and solutions: the elements of a referral's lists, both ways. What we do not know about an element is carried along, because a
//! list can only be replaced whole.

use cosell_sync::deal::{Money, Person, Solution, Timestamp};
use jiff::civil::Date;
use jiff::tz::Offset;

use crate::json::{Exact, Object, Raw, object, parse, raw};
use crate::partner_center::wire::{Member, SolutionTag};

pub(super) fn people(members: &[Raw]) -> Vec<Person> {
    members
        .iter()
        .filter_map(|member| parse::<Member>(member))
        .map(|member| Person {
            first_name: member.first_name,
            last_name: member.last_name,
            email: member.email,
            phone: member.phone_number,
            title: member.title,
        })
        .collect()
}

/// The list as it is sent. Each person starts from the entry that is there for the same mail, or else the same name.
pub(super) fn members(people: &[Person], current: &[Raw]) -> Vec<Object> {
    let known = self::people(current);
    people
        .iter()
        .map(|person| {
            let same = known.iter().position(|other| is_same(person, other));
            let mut member = same
                .and_then(|at| object(current.get(at)?.get()))
                .unwrap_or_default();
            let fields = [
                ("firstName", &person.first_name),
                ("lastName", &person.last_name),
                ("email", &person.email),
                ("phoneNumber", &person.phone),
                ("title", &person.title),
            ];
            for (name, value) in fields {
                match value {
                    Some(text) => drop(member.insert(name.to_owned(), raw(text))),
                    // What nobody said is not sent; what was there and is no longer said is emptied.
                    None if member.contains_key(name) => {
                        drop(member.insert(name.to_owned(), raw(&None::<String>)))
                    }
                    None => {}
                }
            }
            member
        })
        .collect()
}

fn is_same(one: &Person, other: &Person) -> bool {
    match (&one.email, &other.email) {
        (Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
        _ => {
            one.last_name.is_some()
                && one.last_name == other.last_name
                && one.first_name == other.first_name
        }
    }
}

pub(super) fn solutions(tags: &[Raw]) -> Vec<Solution> {
    tags.iter()
        .filter_map(|tag| parse::<SolutionTag>(tag))
        .filter_map(|tag| {
            let price = match (tag.price, tag.currency) {
                (Some(Exact(amount)), Some(currency)) => Some(Money {
                    amount,
                    currency: currency.to_ascii_uppercase(),
                }),
                _ => None,
            };
            Some(Solution {
                id: tag.id?,
                name: tag.name.unwrap_or_default(),
                kind: tag.solution_type,
                publisher: tag.publisher_name,
                price,
                quantity: tag.quantity.map(|Exact(quantity)| quantity),
                close_date: tag.closing_date_time.map(day),
            })
        })
        .collect()
}

/// The list as it is sent, each solution starting from the entry that is there for the same id.
pub(super) fn tags(solutions: &[Solution], current: &[Raw]) -> Vec<Object> {
    let id_of = |tag: &Raw| parse::<SolutionTag>(tag).and_then(|tag| tag.id);
    // An entry without id is no solution that a deal could name; it stays as it is.
    let nameless = current
        .iter()
        .filter(|tag| id_of(tag).is_none())
        .filter_map(|tag| object(tag.get()));
    let named = solutions.iter().map(|solution| {
        let same = current
            .iter()
            .find(|tag| id_of(tag).is_some_and(|id| id.eq_ignore_ascii_case(&solution.id)));
        let mut tag = same.and_then(|tag| object(tag.get())).unwrap_or_default();
        let mut put = |name: &str, value: Raw| drop(tag.insert(name.to_owned(), value));
        put("id", raw(&solution.id));
        // "Name": out of a catalogue. "Category" is an older list of topics.
        put("type", raw("Name"));
        if !solution.name.is_empty() {
            put("name", raw(&solution.name));
        }
        if let Some(kind) = &solution.kind {
            put("solutionType", raw(kind));
        }
        if let Some(publisher) = &solution.publisher {
            put("publisherName", raw(publisher));
        }
        if let Some(price) = &solution.price {
            put("price", raw(&Exact(price.amount)));
            put("currency", raw(&price.currency));
        }
        if let Some(quantity) = solution.quantity {
            put("quantity", raw(&Exact(quantity)));
        }
        if let Some(date) = solution.close_date {
            put("closingDateTime", raw(&midnight(date)));
        }
        tag
    });
    named.chain(nameless).collect()
}

/// The UTC day of a moment. Partner Center stores a moment where people mean a day.
pub(super) fn day(moment: Timestamp) -> Date {
    Offset::UTC.to_datetime(moment).date()
}

/// The first moment of a day, as it is sent.
pub(super) fn midnight(date: Date) -> String {
    format!("{date}T00:00:00Z")
}

/// Undoes HTML escaping, once. An ampersand that begins nothing stays.
pub(super) fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        let entity = rest
            .find(';')
            .filter(|end| *end <= 10)
            .and_then(|end| Some((character(&rest[1..end])?, end)));
        match entity {
            Some((character, end)) => {
                plain.push(character);
                rest = &rest[end + 1..];
            }
            None => {
                plain.push('&');
                rest = &rest[1..];
            }
        }
    }
    plain.push_str(rest);
    plain
}

fn character(entity: &str) -> Option<char> {
    Some(match entity {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => '\u{a0}',
        numbered => {
            let number = numbered.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)?
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn customer_names_lose_their_html_once() {
        for (escaped, plain) in [
            ("Smith &amp; Sons", "Smith & Sons"),
            ("&lt;b&gt; &quot;x&quot; &#39;y&#x27;", "<b> \"x\" 'y'"),
            ("AT&T; R&D &amp;amp; &", "AT&T; R&D &amp; &"),
            ("Gy&#337;r", "Győr"),
        ] {
            assert_eq!(unescaped(escaped), plain);
        }
    }
}
