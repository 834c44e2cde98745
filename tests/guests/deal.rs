//! A deal as Partner Center shows it, every unit filled that the stock mapping keeps by default.

use cosell_sync::deal::{
    Address, Category, Date, Deal, DealState, Direction, Help, Money, Person, ReferralFacts,
    Solution, Standing, Timestamp, Unit, UnitValue,
};

/// Came from Microsoft, and stands where the test says.
pub(crate) fn deal(standing: Standing) -> Deal {
    let moment: Timestamp = "2026-09-01T08:00:00Z".parse().unwrap();
    let day: Date = "2026-12-15".parse().unwrap();
    let anna = Person {
        first_name: some("Anna"),
        last_name: some("Kovács"),
        email: some("anna.kovacs@contoso.example"),
        phone: some("+36 1 555 0100"),
        title: some("Head of data"),
    };
    let peter = Person {
        first_name: some("Péter"),
        last_name: some("Nagy"),
        email: some("peter.nagy@partner.example"),
        ..Person::default()
    };
    let solution = Solution {
        id: "SOL-12345-ABC".to_owned(),
        name: "Data platform".to_owned(),
        kind: some("3P"),
        publisher: some("Partner"),
        price: None,
        quantity: None,
        close_date: None,
    };
    let address = Address {
        line1: some("Váci út 1."),
        city: some("Budapest"),
        postal_code: some("1051"),
        country: some("HU"),
        ..Address::default()
    };
    let money = Money {
        amount: "125000.00".parse().unwrap(),
        currency: "EUR".to_owned(),
    };
    Deal {
        units: [
            (Unit::Name, text("Data platform for Contoso")),
            (Unit::Value, UnitValue::Money(Some(money))),
            (Unit::CloseDate, UnitValue::Date(Some(day))),
            (Unit::Notes, text("Wants to move its data warehouse.")),
            (Unit::State, state(standing)),
            (Unit::Visibility, UnitValue::Flag(true)),
            (
                Unit::Help,
                UnitValue::Help(Some(Help::TechnicalArchitecture)),
            ),
            (Unit::CompanyName, text("Contoso Kft.")),
            (Unit::Address, UnitValue::Address(address)),
            (Unit::Contacts, UnitValue::People(vec![anna])),
            (Unit::Team, UnitValue::People(vec![peter])),
            (Unit::Solutions, UnitValue::Solutions(vec![solution])),
        ]
        .into(),
        referral: Some(ReferralFacts {
            id: "0d0d0d0d-0000-4000-8000-000000000001".to_owned(),
            engagement_id: "0e0e0e0e-0000-4000-8000-000000000001".to_owned(),
            link: "https://partner.microsoft.com/referrals/v2/inbox?id=1".to_owned(),
            category: Category::MarketplaceLead,
            direction: Direction::Incoming,
            program: None,
            microsoft_crm_id: None,
            partner_location: None,
            registration: None,
            created_at: moment,
            updated_at: moment,
            respond_by: None,
            accepted_at: None,
            closed_at: None,
            microsoft: None,
        }),
    }
}

fn text(text: &str) -> UnitValue {
    UnitValue::Text(Some(text.to_owned()))
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn state(standing: Standing) -> UnitValue {
    UnitValue::State(DealState {
        standing,
        reason: None,
    })
}
