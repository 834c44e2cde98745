//! The golden examples: what the host asks before it lets the mapping near a deal.

use cosell_guest_sdk::parts::connector::{GATE, HELP, VISIBLE};
use cosell_guest_sdk::parts::sellers::{OWNER, OWNER_QUERY, USER_MAIL};
use cosell_guest_sdk::prelude::*;

use crate::columns::{
    CLOSE_DATE, COMPANY, CURRENCIES, CURRENCY, CURRENCY_JOIN, ISO_CODE, NAME, NOTES,
};

const ROW: &str = "0c0c0c0c-0000-4000-8000-0000000000b1";
const USER: &str = "0f0f0f0f-0000-4000-8000-0000000000a1";

pub(crate) fn cases() -> Vec<Example> {
    let mut cases = reading();
    cases.extend(writing());
    cases.extend(at_the_door());
    cases
}

fn row() -> Row {
    Row::new("lead", ROW)
        .with(NAME, "Data platform for Contoso")
        .with("estimatedamount", Value::money("125000.00", "EUR"))
        .with(CLOSE_DATE, Value::date("2026-12-15"))
        .with(NOTES, "Met at the fair.")
        .with(VISIBLE, false)
        .with(HELP, Value::Empty)
        .with(COMPANY, "Contoso Kft.")
        .with("address1_postalcode", "1051")
        .with("firstname", "Anna")
        .with("lastname", "Kovács")
        .with("emailaddress1", "anna.kovacs@contoso.example")
        .with("telephone1", Value::Empty)
        .with("mobilephone", "+36 20 555 0100")
        .with(GATE, true)
}

fn numbers(example: Example) -> Example {
    example
        .setting(
            "value-column",
            SettingValue::Text("estimatedvalue".to_owned()),
        )
        .setting("value-kept-as", SettingValue::Text("number".to_owned()))
}

fn reading() -> Vec<Example> {
    let asks = "lead.to-deal";
    vec![
        Example::new("a lead is read as a deal", asks)
            .given(row())
            .expects(Fact::Name("Data platform for Contoso".to_owned()))
            .expects(Fact::Value(Some(Money::new("125000.00", "EUR"))))
            .expects(Fact::CloseDate(Some("2026-12-15".to_owned())))
            .expects(Fact::Notes(Some("Met at the fair.".to_owned())))
            .expects(Fact::Help(None))
            .expects(Fact::CompanyName("Contoso Kft.".to_owned())),
        Example::new("the person stands in the lead itself", asks)
            .given(row())
            .expects(Fact::Contacts(vec![Person {
                first_name: Some("Anna".to_owned()),
                last_name: Some("Kovács".to_owned()),
                email: Some("anna.kovacs@contoso.example".to_owned()),
                phone: Some("+36 20 555 0100".to_owned()),
                title: None,
                more: Vec::new(),
            }])),
        numbers(Example::new(
            "a value kept as a number is in the currency of the row",
            asks,
        ))
        .given(row().with("estimatedvalue", Value::decimal("90000")))
        .related(
            CURRENCY_JOIN,
            vec![Row::new(CURRENCIES, USER).with(ISO_CODE, "HUF")],
        )
        .expects(Fact::Value(Some(Money::new("90000", "HUF")))),
        numbers(Example::new(
            "a value without a currency is refused with a reason",
            asks,
        ))
        .given(row().with("estimatedvalue", Value::decimal("90000")))
        .expects(Expected::Refuses("value-without-currency".to_owned())),
        Example::new("the owner is looked up", asks)
            .given(row().with(OWNER, Value::reference("systemuser", USER)))
            .expects(Expected::Asks(OWNER_QUERY.to_owned())),
    ]
}

fn writing() -> Vec<Example> {
    let asks = "lead.to-row";
    vec![
        Example::new("a deal becomes a lead", asks)
            .sets(NAME, "Data platform for Contoso")
            .sets("estimatedamount", Value::money("125000.00", "EUR"))
            .sets(CLOSE_DATE, Value::date("2026-12-15"))
            .sets(COMPANY, "Contoso Kft.")
            .sets("address1_city", "Budapest")
            .sets("lastname", "Kovács")
            .sets(
                OWNER,
                RowKey::new("systemuser", USER_MAIL, "peter.nagy@partner.example").or_leave_out(),
            ),
        numbers(Example::new(
            "a value kept as a number brings its currency beside it",
            asks,
        ))
        .sets("estimatedvalue", Value::decimal("125000.00"))
        .sets(CURRENCY, RowKey::new(CURRENCIES, ISO_CODE, "EUR")),
        Example::new("a deal without a name is called after who buys what", asks)
            .given(Fact::Name(" ".to_owned()))
            .sets(NAME, "Contoso Kft. @ Data platform"),
    ]
}

fn at_the_door() -> Vec<Example> {
    let asks = "should-sync.decide";
    vec![
        Example::new("the seller's switch lets a lead out", asks)
            .given(row())
            .expects(Verdict::Sync(RecordKind::Lead)),
        Example::new("without the switch a lead stays at home", asks)
            .given(row().with(GATE, false))
            .expects(Verdict::skip("sync-is-off", "")),
        Example::new("an accepted deal is no lead", asks)
            .given(DealState::from(Standing::Accepted))
            .passes(),
        Example::new("an opportunity is somebody else's question", asks)
            .given(Row::new("opportunity", ROW))
            .passes(),
    ]
}
