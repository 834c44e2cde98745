//! The golden examples: what the host asks before it lets the mapping near a deal.

use cosell_guest_sdk::parts::connector::{GATE, HELP, VISIBLE};
use cosell_guest_sdk::parts::sellers::{OWNER, OWNER_QUERY, USER_MAIL};
use cosell_guest_sdk::parts::solutions::JOIN as SOLUTIONS_JOIN;
use cosell_guest_sdk::prelude::*;

use crate::columns::{ACCOUNT_JOIN, CALCULATED, CLOSE_DATE, CONTACT_JOIN, NAME};

const ROW: &str = "0c0c0c0c-0000-4000-8000-0000000000a1";
const USER: &str = "0f0f0f0f-0000-4000-8000-0000000000a1";

pub(crate) fn cases() -> Vec<Example> {
    let mut cases = reading();
    cases.extend(writing());
    cases.extend(at_the_door());
    cases
}

fn row() -> Row {
    Row::new("opportunity", ROW)
        .with(NAME, "Data platform for Contoso")
        .with("estimatedvalue", Value::money("125000.00", "EUR"))
        .with(CALCULATED, false)
        .with(CLOSE_DATE, Value::date("2026-12-15"))
        .with(VISIBLE, true)
        .with(HELP, Value::choice(299_600_001))
        .with(GATE, true)
}

fn reading() -> Vec<Example> {
    let asks = "opportunity.to-deal";
    vec![
        Example::new("an opportunity is read as a deal", asks)
            .given(row())
            .expects(Fact::Name("Data platform for Contoso".to_owned()))
            .expects(Fact::Value(Some(Money::new("125000.00", "EUR"))))
            .expects(Fact::CloseDate(Some("2026-12-15".to_owned())))
            .expects(Fact::Visibility(true))
            .expects(Fact::Help(Some(Help::TechnicalArchitecture))),
        Example::new("the deal value is read from the column that is set", asks)
            .setting(
                "value-column",
                SettingValue::Text("new_dealvalue".to_owned()),
            )
            .given(row().with("new_dealvalue", Value::money("90000", "HUF")))
            .expects(Fact::Value(Some(Money::new("90000", "HUF")))),
        Example::new("account, contact and solution come with the row", asks)
            .given(row())
            .related(
                ACCOUNT_JOIN,
                vec![
                    Row::new("account", "0a0a0a0a-0000-4000-8000-0000000000a1")
                        .with("name", "Contoso Kft.")
                        .with("address1_postalcode", "1051"),
                ],
            )
            .related(
                CONTACT_JOIN,
                vec![
                    Row::new("contact", "0b0b0b0b-0000-4000-8000-0000000000a1")
                        .with("lastname", "Kovács")
                        .with("emailaddress1", "anna.kovacs@contoso.example"),
                ],
            )
            .related(
                SOLUTIONS_JOIN,
                vec![
                    Row::new(
                        "msft_partnercentersolution",
                        "0e0e0e0e-0000-4000-8000-0000000000a1",
                    )
                    .with("msft_solutionidentifier", "SOL-12345-ABC")
                    .with("msft_name", "Data platform"),
                ],
            )
            .expects(Fact::CompanyName("Contoso Kft.".to_owned()))
            .expects(Fact::Contacts(vec![Person {
                first_name: None,
                last_name: Some("Kovács".to_owned()),
                email: Some("anna.kovacs@contoso.example".to_owned()),
                phone: None,
                title: None,
                more: Vec::new(),
            }]))
            .expects(Fact::Solutions(vec![Solution {
                id: "SOL-12345-ABC".to_owned(),
                name: "Data platform".to_owned(),
                kind: None,
                publisher: None,
                price: None,
                quantity: None,
                close_date: None,
                more: Vec::new(),
            }])),
        Example::new("a solution without an id is refused with a reason", asks)
            .given(row())
            .related(
                SOLUTIONS_JOIN,
                vec![
                    Row::new(
                        "msft_partnercentersolution",
                        "0e0e0e0e-0000-4000-8000-0000000000a1",
                    )
                    .with("msft_name", "Data platform"),
                ],
            )
            .expects(Expected::Refuses("solution-without-id".to_owned())),
        Example::new("the owner is looked up", asks)
            .given(row().with(OWNER, Value::reference("systemuser", USER)))
            .expects(Expected::Asks(OWNER_QUERY.to_owned())),
        Example::new("the owner is the seller", asks)
            .given(row().with(OWNER, Value::reference("systemuser", USER)))
            .found(
                OWNER_QUERY,
                vec![
                    Row::new("systemuser", USER)
                        .with("lastname", "Nagy")
                        .with(USER_MAIL, "peter.nagy@partner.example"),
                ],
            )
            .expects(Fact::Team(vec![Person {
                first_name: None,
                last_name: Some("Nagy".to_owned()),
                email: Some("peter.nagy@partner.example".to_owned()),
                phone: None,
                title: None,
                more: Vec::new(),
            }])),
        Example::new(
            "an unknown option of the help column is refused with a reason",
            asks,
        )
        .given(row().with(HELP, Value::choice(7)))
        .expects(Expected::Refuses("help-choice-unknown".to_owned())),
    ]
}

fn writing() -> Vec<Example> {
    let asks = "opportunity.to-row";
    vec![
        Example::new("a deal becomes an opportunity", asks)
            .sets(NAME, "Data platform for Contoso")
            .sets("estimatedvalue", Value::money("125000.00", "EUR"))
            .sets(CLOSE_DATE, Value::date("2026-12-15")),
        Example::new("the help column takes its option from the setting", asks)
            .setting(
                "help-choices",
                SettingValue::Pairs(vec![("42".to_owned(), "quotes-or-licensing".to_owned())]),
            )
            .given(Fact::Help(Some(Help::QuotesOrLicensing)))
            .sets(HELP, Value::choice(42)),
        Example::new("a deal without a name is called after who buys what", asks)
            .given(Fact::Name(String::new()))
            .sets(NAME, "Contoso Kft. @ Data platform"),
        Example::new("the sales stage goes where the settings say", asks)
            .setting(
                "sales-stage-column",
                SettingValue::Text("salesstage".to_owned()),
            )
            .setting(
                "sales-stage-choices",
                SettingValue::Pairs(vec![("1".to_owned(), "Develop | 40".to_owned())]),
            )
            .given(Fact::SalesStage(Some("40".to_owned())))
            .sets("salesstage", Value::choice(1)),
        Example::new("what the customer intends is a word in a table", asks)
            .setting(
                "marketplace-intent-column",
                SettingValue::Text("new_intentid".to_owned()),
            )
            .setting(
                "marketplace-intent-table",
                SettingValue::Text("new_intent".to_owned()),
            )
            .setting(
                "marketplace-intent-word-column",
                SettingValue::Text("new_word".to_owned()),
            )
            .given(Fact::More((
                "marketplace-intent".to_owned(),
                Value::text("Yes"),
            )))
            .sets(
                "new_intentid",
                RowKey::new("new_intent", "new_word", "Yes").or_leave_out(),
            ),
        Example::new("a revenue that the CRM computes is never written", asks)
            .given(row().with(CALCULATED, true))
            .expects(Expected::Withdraws("estimatedvalue".to_owned())),
        Example::new(
            "the seller becomes the owner, when the CRM knows the mail",
            asks,
        )
        .given(Fact::Team(vec![Person {
            first_name: None,
            last_name: Some("Nagy".to_owned()),
            email: Some("peter.nagy@partner.example".to_owned()),
            phone: None,
            title: None,
            more: Vec::new(),
        }]))
        .sets(
            OWNER,
            RowKey::new("systemuser", USER_MAIL, "peter.nagy@partner.example").or_leave_out(),
        ),
    ]
}

fn at_the_door() -> Vec<Example> {
    let asks = "should-sync.decide";
    vec![
        Example::new("the seller's switch lets an opportunity out", asks)
            .given(row())
            .expects(Verdict::Sync(RecordKind::Opportunity)),
        Example::new("without the switch an opportunity stays at home", asks)
            .given(row().with(GATE, false))
            .expects(Verdict::skip("sync-is-off", "")),
        Example::new("an accepted deal becomes an opportunity", asks)
            .given(DealState::from(Standing::Accepted))
            .expects(Verdict::Sync(RecordKind::Opportunity)),
    ]
}
