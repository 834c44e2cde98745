//! The standard deal of the contract, and questions around it.

use crate::types::{
    Address, Category, Company, Context, Deal, DealState, Direction, ExternalId, Fact, Help, Money,
    Order, Person, Reference, Referral, Row, Seen, Solution, Standing,
};

/// When the standard questions are asked.
pub const NOW: &str = "2026-09-30T14:05:00Z";
/// The CRM row of the standard deal.
pub const ROW_ID: &str = "0c0c0c0c-0000-4000-8000-000000000001";
/// The account of its customer.
pub const ACCOUNT_ID: &str = "0a0a0a0a-0000-4000-8000-000000000001";
/// The row of its contact.
pub const CONTACT_ID: &str = "0b0b0b0b-0000-4000-8000-000000000001";

/// The standard deal: accepted, every field filled.
#[must_use]
pub fn standard_deal() -> Deal {
    let some = |text: &str| Some(text.to_owned());
    Deal {
        name: "Data platform for Contoso".to_owned(),
        value: Some(Money::new("125000.00", "EUR")),
        close_date: some("2026-12-15"),
        notes: some("Wants to move its data warehouse."),
        state: DealState::from(Standing::Accepted),
        sales_stage: some("Develop"),
        campaign: some("FY27-data"),
        visible_to_microsoft: true,
        help: Some(Help::TechnicalArchitecture),
        company: Company {
            name: "Contoso Kft.".to_owned(),
            size: some("51to250employees"),
            address: Address {
                line1: some("Váci út 1."),
                line2: None,
                city: some("Budapest"),
                state: None,
                postal_code: some("1051"),
                region: None,
                country: some("HU"),
            },
            ids: vec![ExternalId {
                scheme: "duns".to_owned(),
                id: "123456789".to_owned(),
            }],
            more: Vec::new(),
        },
        contacts: vec![Person {
            first_name: some("Anna"),
            last_name: some("Kovács"),
            email: some("anna.kovacs@contoso.example"),
            phone: some("+36 1 555 0100"),
            title: some("Head of data"),
            more: Vec::new(),
        }],
        team: vec![Person {
            first_name: some("Péter"),
            last_name: some("Nagy"),
            email: some("peter.nagy@partner.example"),
            phone: None,
            title: None,
            more: Vec::new(),
        }],
        solutions: vec![Solution {
            id: "SOL-12345-ABC".to_owned(),
            name: "Data platform".to_owned(),
            kind: some("3P"),
            publisher: some("Partner"),
            price: None,
            quantity: None,
            close_date: None,
            more: Vec::new(),
        }],
        external_reference: some(ROW_ID),
        referral: Some(Referral {
            id: "0d0d0d0d-0000-4000-8000-000000000001".to_owned(),
            engagement_id: "0e0e0e0e-0000-4000-8000-000000000001".to_owned(),
            link: "https://partner.microsoft.com/referrals/v2/inbox?id=0d0d0d0d-0000-4000-8000-000000000001"
                .to_owned(),
            category: Category::CoSell,
            direction: Direction::Outgoing,
            program: None,
            microsoft_crm_id: None,
            partner_location: None,
            registration: None,
            created_at: "2026-09-01T08:00:00Z".to_owned(),
            updated_at: "2026-09-30T14:00:00Z".to_owned(),
            respond_by: None,
            accepted_at: some("2026-09-01T08:00:00Z"),
            closed_at: None,
            microsoft: None,
            more: Vec::new(),
        }),
        more: Vec::new(),
    }
}

/// A context without settings and without rows. For a plugin's own defaults see [`context`](super::context).
#[must_use]
pub fn standard_context() -> Context {
    Context {
        now: NOW.to_owned(),
        language: "en".to_owned(),
        settings: Vec::new(),
        found: Vec::new(),
        more: Vec::new(),
    }
}

/// This row, with nothing joined.
#[must_use]
pub fn seen(row: Row) -> Seen {
    Seen {
        row,
        related: Vec::new(),
    }
}

/// An order for this deal, to create its row: the account and one row for each contact are there.
#[must_use]
pub fn order(deal: Deal) -> Order {
    Order {
        contacts: deal
            .contacts
            .iter()
            .map(|_| Some(Reference::new("contact", CONTACT_ID)))
            .collect(),
        deal,
        existing: None,
        account: Some(Reference::new("account", ACCOUNT_ID)),
        lead: None,
        more: Vec::new(),
    }
}

/// The deal with this fact instead of its own. `withdraw` and `refuse` change nothing.
pub fn lay_over(deal: &mut Deal, fact: Fact) {
    match fact {
        Fact::Name(name) => deal.name = name,
        Fact::Value(value) => deal.value = value,
        Fact::CloseDate(day) => deal.close_date = day,
        Fact::Notes(notes) => deal.notes = notes,
        Fact::SalesStage(stage) => deal.sales_stage = stage,
        Fact::Campaign(campaign) => deal.campaign = campaign,
        Fact::Visibility(visible) => deal.visible_to_microsoft = visible,
        Fact::Help(help) => deal.help = help,
        Fact::CompanyName(name) => deal.company.name = name,
        Fact::CompanySize(size) => deal.company.size = size,
        Fact::CompanyIds(ids) => deal.company.ids = ids,
        Fact::Address(address) => deal.company.address = address,
        Fact::Contacts(contacts) => deal.contacts = contacts,
        Fact::Team(team) => deal.team = team,
        Fact::Solutions(solutions) => deal.solutions = solutions,
        Fact::ExternalReference(reference) => deal.external_reference = reference,
        Fact::More(field) => {
            deal.more.retain(|(name, _)| *name != field.0);
            deal.more.push(field);
        }
        Fact::Withdraw(_) | Fact::Refuse(_) => {}
    }
}
