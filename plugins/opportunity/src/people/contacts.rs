//! Contacts beside the main one: in a table between opportunity and contact, or in a many-to-many relationship.

use cosell_guest_sdk::parts::people::{self, is_same, person};
use cosell_guest_sdk::prelude::*;

use super::incomplete;
use crate::columns::{CONTACT_JOIN, PARENT_CONTACT, TABLE};

const RELATIONSHIP: &str = "contacts-relationship";
const TABLE_SETTING: &str = "contacts-table";
const UP: &str = "contacts-opportunity-column";
const CONTACT: &str = "contacts-contact-column";

pub(super) const SETTINGS: [(&str, &str); 4] = [
    (
        RELATIONSHIP,
        "Many-to-many relationship between opportunity and contact with the contacts beside the main one. Empty: no relationship.",
    ),
    (
        TABLE_SETTING,
        "Table between opportunity and contact, one row for each contact beside the main one. Empty: no table.",
    ),
    (UP, "Lookup of that table that points to the opportunity."),
    (CONTACT, "Lookup of that table that points to the contact."),
];

/// Join: the rows of the table between, or the contacts of the relationship.
const JOIN: &str = "contacts";
/// Join: the contacts that the rows of the table point to.
const BELOW_JOIN: &str = "contacts-contact";

/// Where contacts beside the main one are kept.
#[derive(Clone, Copy)]
pub(crate) enum ContactTable<'a> {
    Relationship(&'a str),
    Between {
        table: &'a str,
        up: &'a str,
        contact: &'a str,
    },
}

pub(super) fn mistakes(settings: Settings<'_>) -> Vec<Reason> {
    let has = |setting| settings.text(setting).is_some();
    let mut mistakes = Vec::new();
    if has(TABLE_SETTING) {
        let missing = [UP, CONTACT].into_iter().filter(|column| !has(column));
        mistakes.extend(missing.map(|column| incomplete(TABLE_SETTING, column)));
        if has(RELATIONSHIP) {
            mistakes.push(
                Reason::new(
                    "settings-contradict",
                    format!("{TABLE_SETTING} and {RELATIONSHIP} are both set"),
                )
                .about_setting(RELATIONSHIP)
                .hint("contacts are kept in one place; take one of them out"),
            );
        }
    }
    mistakes
}

impl<'a> ContactTable<'a> {
    pub(crate) fn of(settings: Settings<'a>) -> Option<Self> {
        if let Some(name) = settings.text(RELATIONSHIP) {
            return Some(Self::Relationship(name));
        }
        Some(Self::Between {
            table: settings.text(TABLE_SETTING)?,
            up: settings.text(UP)?,
            contact: settings.text(CONTACT)?,
        })
    }

    pub(crate) fn needs(&self) -> Vec<Need> {
        match self {
            Self::Relationship(name) => {
                vec![Join::many(JOIN, TABLE, *name, "contact", people::READ).into()]
            }
            Self::Between { table, up, contact } => vec![
                Join::child(JOIN, TABLE, *up, *table, [*contact]).into(),
                Join::lookup(BELOW_JOIN, JOIN, *contact, "contact", people::READ).into(),
                Need::writes(*table, [*contact]),
            ],
        }
    }

    fn rows<'s>(&self, seen: &'s Seen) -> &'s [Row] {
        seen.rows(match self {
            Self::Relationship(_) => JOIN,
            Self::Between { .. } => BELOW_JOIN,
        })
    }

    /// The rows that should hang from the opportunity. Removing a contact lets go of it: the contact itself stays whatever happens.
    ///
    /// As long as it is not known which row one of the people is, none is let go of: it could be theirs.
    pub(crate) fn change(&self, order: &Order) -> Option<Change> {
        let there: &[Row] = order.existing.as_ref().map_or(&[], |seen| seen.rows(JOIN));
        let rows: Vec<Option<Reference>> = references(order, Some(self));
        let everyone_known = rows.iter().all(Option::is_some);
        let main = rows
            .first()
            .and_then(Option::as_ref)
            .map(|row| row.id.clone())
            .or_else(|| joined_main(order));
        let main = main.as_deref();
        let mut wanted: Vec<Child> = Vec::new();
        for contact in rows.into_iter().flatten().filter(|row| !is(row, main)) {
            if wanted
                .iter()
                .any(|child| child.key.eq_ignore_ascii_case(&contact.id))
            {
                continue;
            }
            wanted.push(match self {
                Self::Relationship(_) => {
                    Child::new(contact.id.clone(), Some(contact.id), Vec::new())
                }
                Self::Between { contact: to, .. } => {
                    let link = there.iter().find(|link| {
                        link.reference(to)
                            .is_some_and(|one| is(one, Some(contact.id.as_str())))
                    });
                    let cells = match link {
                        Some(_) => Vec::new(),
                        None => vec![((*to).to_owned(), Value::from(&contact))],
                    };
                    Child::new(contact.id, link.map(|link| link.id.clone()), cells)
                }
            });
        }
        // A row in which a seller has not yet chosen anybody, and one that repeats the main contact, are no business of ours.
        if let Self::Between { contact: to, .. } = self {
            let left_alone = there
                .iter()
                .filter(|link| link.reference(to).is_none_or(|one| is(one, main)));
            for link in left_alone {
                if !wanted
                    .iter()
                    .any(|child| child.id.as_ref() == Some(&link.id))
                {
                    wanted.push(Child::new(
                        link.id.clone(),
                        Some(link.id.clone()),
                        Vec::new(),
                    ));
                }
            }
        }
        if wanted.is_empty() && there.is_empty() {
            return None;
        }
        Some(if everyone_known {
            Children::exactly(JOIN, wanted).into()
        } else {
            Children::keeping_others(JOIN, wanted).into()
        })
    }
}

fn is(row: &Reference, id: Option<&str>) -> bool {
    id.is_some_and(|id| row.id.eq_ignore_ascii_case(id))
}

/// People at the customer: the main contact, then the others.
pub(crate) fn contacts(seen: &Seen, table: Option<&ContactTable<'_>>) -> Vec<Person> {
    let main = seen.joined(CONTACT_JOIN);
    let others = table.map_or(&[][..], |table| table.rows(seen));
    let mut found: Vec<Person> = Vec::new();
    for row in main.into_iter().chain(others) {
        if let Some(one) = person(row)
            && !found.iter().any(|known| is_same(known, &one))
        {
            found.push(one);
        }
    }
    found
}

/// Which row each person of the deal is, as far as the host or the row itself knows.
fn references(order: &Order, table: Option<&ContactTable<'_>>) -> Vec<Option<Reference>> {
    let known: Vec<(Person, Reference)> = order
        .existing
        .iter()
        .flat_map(|seen| {
            let others = table.map_or(&[][..], |table| table.rows(seen));
            seen.rows(CONTACT_JOIN).iter().chain(others)
        })
        .filter_map(|row| Some((person(row)?, row.as_reference())))
        .collect();
    let people = &order.deal.contacts;
    people
        .iter()
        .enumerate()
        .map(|(at, one)| {
            let given = order.contacts.get(at).cloned().flatten();
            given.or_else(|| {
                known
                    .iter()
                    .find(|(theirs, _)| is_same(theirs, one))
                    .map(|(_, row)| row.clone())
            })
        })
        .collect()
}

/// The main contact as the row has it now.
fn joined_main(order: &Order) -> Option<String> {
    let row = order.existing.as_ref()?.joined(CONTACT_JOIN)?;
    Some(row.id.clone())
}

/// The main contact. When the deal has nobody any more, the row lets go of its contact, who stays.
pub(crate) fn set_main(order: &Order, table: Option<&ContactTable<'_>>) -> Option<Change> {
    if order.deal.contacts.is_empty() {
        return order
            .existing
            .is_some()
            .then(|| Change::set(PARENT_CONTACT, Value::Empty));
    }
    let main = references(order, table).into_iter().next().flatten()?;
    Some(Change::set(PARENT_CONTACT, main))
}
