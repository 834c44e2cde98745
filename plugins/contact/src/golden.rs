//! The golden examples.

use cosell_guest_sdk::parts::people::{FIRST_NAME, LAST_NAME, MAIL};
use cosell_guest_sdk::prelude::*;

use crate::{BY_MAIL, BY_NAME, CUSTOMER, STATE};

const FIRST: &str = "0b0b0b0b-0000-4000-8000-0000000000a1";
const SECOND: &str = "0b0b0b0b-0000-4000-8000-0000000000a2";

fn hit(id: &str, label: &str) -> Given {
    Given::Candidate(Candidate {
        row: Row::new("contact", id)
            .with(LAST_NAME, "Kovács")
            .with(CUSTOMER, Value::Empty),
        found_by: vec![label.to_owned()],
    })
}

fn likeness(id: &str) -> Likeness {
    Likeness::new(id, 0, "")
}

pub(crate) fn cases() -> Vec<Example> {
    let choose = "contact.choose";
    vec![
        Example::new("a person is looked for by mail", "contact.searches")
            .expects(Expected::Asks(BY_MAIL.to_owned())),
        Example::new(
            "one hit by mail is the person, whatever the names say",
            choose,
        )
        .given(hit(FIRST, BY_MAIL))
        .given(hit(SECOND, BY_NAME))
        .expects(Expected::Resolution(Resolution::UseExisting(likeness(
            FIRST,
        )))),
        Example::new(
            "without a mail the name within the account is the person",
            choose,
        )
        .given(hit(SECOND, BY_NAME))
        .expects(Expected::Resolution(Resolution::UseExisting(likeness(
            SECOND,
        )))),
        Example::new("two people of one name are a person's choice", choose)
            .given(hit(FIRST, BY_NAME))
            .given(hit(SECOND, BY_NAME))
            .expects(Expected::Resolution(Resolution::Review(vec![
                likeness(FIRST),
                likeness(SECOND),
            ]))),
        Example::new("an inactive contact is not chosen silently", choose)
            .given(Given::Candidate(Candidate {
                row: Row::new("contact", FIRST).with(STATE, Value::choice(1)),
                found_by: vec![BY_MAIL.to_owned()],
            }))
            .expects(Expected::Resolution(Resolution::Review(vec![likeness(
                FIRST,
            )]))),
        Example::new("somebody new is known by the mail address", choose).expects(
            Expected::Resolution(Resolution::CreateNew(
                "mail:anna.kovacs@contoso.example".to_owned(),
            )),
        ),
        Example::new("a new contact has name and mail", "contact.to-row")
            .sets(FIRST_NAME, "Anna")
            .sets(LAST_NAME, "Kovács")
            .sets(MAIL, "anna.kovacs@contoso.example"),
    ]
}
