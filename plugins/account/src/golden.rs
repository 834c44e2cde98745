//! The golden examples.

use cosell_guest_sdk::prelude::*;

use crate::columns::{
    BY_DUNS, BY_MAIL, BY_NAME, BY_NAME_AND_POSTCODE, BY_NAME_IN_COUNTRY, BY_WEBSITE, MASTER,
    MERGED, NAME, POSTCODE, STATE, TABLE,
};

const FIRST: &str = "0a0a0a0a-0000-4000-8000-0000000000a1";
const SECOND: &str = "0a0a0a0a-0000-4000-8000-0000000000a2";

fn account(id: &str) -> Row {
    Row::new(TABLE, id)
        .with(NAME, "Contoso Kft.")
        .with(POSTCODE, "1051")
        .with(STATE, Value::choice(0))
}

fn found(row: Row, label: &str) -> Given {
    Given::Candidate(Candidate {
        row,
        found_by: vec![label.to_owned()],
    })
}

fn likeness(id: &str) -> Likeness {
    Likeness::new(id, 0, "")
}

fn is(id: &str) -> Expected {
    Expected::Resolution(Resolution::UseExisting(likeness(id)))
}

fn asks_about(ids: &[&str]) -> Expected {
    let list = ids.iter().map(|id| likeness(id)).collect();
    Expected::Resolution(Resolution::Review(list))
}

fn is_new(identity: &str) -> Expected {
    Expected::Resolution(Resolution::CreateNew(identity.to_owned()))
}

pub(crate) fn cases() -> Vec<Example> {
    let mut cases = searching();
    cases.extend(choosing());
    cases.extend(merged());
    cases.push(
        Example::new("a new customer has name and address", "account.to-row")
            .sets(NAME, "Contoso Kft.")
            .sets("address1_line1", "Váci út 1.")
            .sets("address1_city", "Budapest")
            .sets(POSTCODE, "1051")
            .sets("websiteurl", "https://contoso.example"),
    );
    cases
}

fn searching() -> Vec<Example> {
    let asks = "account.searches";
    let label = |label: &str| Expected::Asks(label.to_owned());
    vec![
        Example::new("a customer is looked for by name, place and domain", asks)
            .expects(label(BY_NAME_AND_POSTCODE))
            .expects(label(BY_NAME))
            .expects(label(BY_NAME_IN_COUNTRY))
            .expects(label(BY_WEBSITE))
            .expects(label(BY_MAIL)),
        Example::new("and by DUNS number, where the CRM keeps it", asks)
            .setting("duns-column", SettingValue::Text("new_duns".to_owned()))
            .expects(label(BY_DUNS))
            .expects(label(BY_NAME_AND_POSTCODE)),
    ]
}

fn choosing() -> Vec<Example> {
    let asks = "account.choose";
    let nobody = || Fact::Contacts(Vec::new());
    vec![
        Example::new("name and postal code are the customer", asks)
            .given(found(account(FIRST), BY_NAME_AND_POSTCODE))
            .expects(is(FIRST)),
        Example::new("two of them are a person's choice", asks)
            .given(found(account(FIRST), BY_NAME_AND_POSTCODE))
            .given(found(account(SECOND), BY_NAME_AND_POSTCODE))
            .expects(asks_about(&[FIRST, SECOND])),
        Example::new("a DUNS number outweighs several names", asks)
            .setting("duns-column", SettingValue::Text("new_duns".to_owned()))
            .given(found(account(FIRST), BY_NAME_AND_POSTCODE))
            .given(found(account(SECOND), BY_DUNS))
            .expects(is(SECOND)),
        Example::new("a name alone proves nothing", asks)
            .given(found(account(FIRST).with(POSTCODE, Value::Empty), BY_NAME))
            .expects(asks_about(&[FIRST])),
        Example::new("name and domain are enough", asks)
            .given(found(
                account(FIRST)
                    .with(POSTCODE, Value::Empty)
                    .with("websiteurl", "https://www.contoso.example/hu"),
                BY_WEBSITE,
            ))
            .expects(is(FIRST)),
        Example::new("the same name somewhere else is another company", asks)
            .given(found(account(FIRST).with(POSTCODE, "9021"), BY_NAME))
            .given(nobody())
            .expects(is_new("contoso kft|1051|hu")),
        Example::new("an inactive account is not chosen silently", asks)
            .given(found(
                account(FIRST).with(STATE, Value::choice(1)),
                BY_NAME_AND_POSTCODE,
            ))
            .expects(asks_about(&[FIRST])),
        Example::new("a new customer is known by the domain of its people", asks)
            .expects(is_new("domain:contoso.example|hu")),
        Example::new("and without people by name and place", asks)
            .given(nobody())
            .expects(is_new("contoso kft|1051|hu")),
    ]
}

fn merged() -> Vec<Example> {
    let asks = "account.choose";
    let label = format!("master-{SECOND}");
    let taken_over = || {
        let row = account(FIRST)
            .with(STATE, Value::choice(1))
            .with(MERGED, true)
            .with(MASTER, Value::reference(TABLE, SECOND));
        found(row, BY_NAME_AND_POSTCODE)
    };
    let master = || account(SECOND).with(NAME, "Contoso Group");
    vec![
        Example::new("a merged account asks for its master", asks)
            .given(taken_over())
            .expects(Expected::Asks(label.clone())),
        Example::new("and its master is the customer", asks)
            .given(taken_over())
            .found(label.clone(), vec![master()])
            .expects(is(SECOND)),
        Example::new("the master may be among the candidates", asks)
            .given(taken_over())
            .given(found(master(), BY_NAME_IN_COUNTRY))
            .expects(is(SECOND)),
        Example::new("a merged account without a master is nobody", asks)
            .given(taken_over())
            .given(Fact::Contacts(Vec::new()))
            .found(label, Vec::new())
            .expects(is_new("contoso kft|1051|hu")),
    ]
}
