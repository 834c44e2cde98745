//! The golden examples.

use cosell_guest_sdk::prelude::*;

use crate::{BY_DUNS, BY_NAME, BY_NAME_AND_POSTCODE, DUNS_COLUMN, NAME, POSTCODE, STATE};

const FIRST: &str = "0a0a0a0a-0000-4000-8000-0000000000a1";
const SECOND: &str = "0a0a0a0a-0000-4000-8000-0000000000a2";

fn hit(id: &str, label: &str) -> Given {
    Given::Candidate(Candidate {
        row: Row::new("account", id)
            .with(NAME, "Contoso Kft.")
            .with(POSTCODE, "1051")
            .with(STATE, Value::choice(0)),
        found_by: vec![label.to_owned()],
    })
}

fn likeness(id: &str) -> Likeness {
    Likeness::new(id, 0, "")
}

pub(crate) fn cases() -> Vec<Example> {
    let duns_column = || SettingValue::Text("new_duns".to_owned());
    let choose = "account.choose";
    vec![
        Example::new(
            "a customer is looked for by name and postal code",
            "account.searches",
        )
        .expects(Expected::Asks(BY_NAME_AND_POSTCODE.to_owned())),
        Example::new(
            "and by DUNS number, where the CRM keeps it",
            "account.searches",
        )
        .setting(DUNS_COLUMN, duns_column())
        .expects(Expected::Asks(BY_DUNS.to_owned()))
        .expects(Expected::Asks(BY_NAME_AND_POSTCODE.to_owned())),
        Example::new("one hit is the customer", choose)
            .given(hit(FIRST, BY_NAME_AND_POSTCODE))
            .expects(Expected::Resolution(Resolution::UseExisting(likeness(
                FIRST,
            )))),
        Example::new("several hits are a person's choice", choose)
            .given(hit(FIRST, BY_NAME_AND_POSTCODE))
            .given(hit(SECOND, BY_NAME_AND_POSTCODE))
            .expects(Expected::Resolution(Resolution::Review(vec![
                likeness(FIRST),
                likeness(SECOND),
            ]))),
        Example::new("a DUNS number outweighs several names", choose)
            .setting(DUNS_COLUMN, duns_column())
            .given(hit(FIRST, BY_NAME_AND_POSTCODE))
            .given(hit(SECOND, BY_DUNS))
            .expects(Expected::Resolution(Resolution::UseExisting(likeness(
                SECOND,
            )))),
        Example::new("a name alone proves nothing", choose)
            .given(hit(FIRST, BY_NAME))
            .expects(Expected::Resolution(Resolution::Review(vec![likeness(
                FIRST,
            )]))),
        Example::new("no hit makes a new customer", choose).expects(Expected::Resolution(
            Resolution::CreateNew("contoso kft|1051|hu".to_owned()),
        )),
        Example::new("a new customer has name and address", "account.to-row")
            .sets(NAME, "Contoso Kft.")
            .sets("address1_line1", "Váci út 1.")
            .sets("address1_city", "Budapest")
            .sets(POSTCODE, "1051"),
    ]
}
