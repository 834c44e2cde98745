//! The standard deal of the contract (`wit/plugin.wit`) and the questions around it, as golden examples start from them. The guest SDK's test
//! kit says the same with its own words: an example that passes there passes here.

use crate::bindings::cosell::mapping::types as wit;
use crate::declared::Declared;

/// When the standard questions are asked.
pub(crate) const NOW: &str = "2026-09-30T14:05:00Z";
/// The CRM row of the standard deal.
pub(crate) const ROW_ID: &str = "0c0c0c0c-0000-4000-8000-000000000001";
/// The account of its customer.
pub(crate) const ACCOUNT_ID: &str = "0a0a0a0a-0000-4000-8000-000000000001";
/// The row of its contact.
pub(crate) const CONTACT_ID: &str = "0b0b0b0b-0000-4000-8000-000000000001";

pub(crate) fn deal() -> wit::Deal {
    let some = |text: &str| Some(text.to_owned());
    wit::Deal {
        name: "Data platform for Contoso".to_owned(),
        value: Some(wit::Money {
            amount: "125000.00".to_owned(),
            currency: "EUR".to_owned(),
        }),
        close_date: some("2026-12-15"),
        notes: some("Wants to move its data warehouse."),
        state: wit::DealState {
            standing: wit::Standing::Accepted,
            reason: None,
        },
        sales_stage: some("Develop"),
        campaign: some("FY27-data"),
        visible_to_microsoft: true,
        help: Some(wit::Help::TechnicalArchitecture),
        company: wit::Company {
            name: "Contoso Kft.".to_owned(),
            size: some("51to250employees"),
            address: wit::Address {
                line1: some("Váci út 1."),
                line2: None,
                city: some("Budapest"),
                state: None,
                postal_code: some("1051"),
                region: None,
                country: some("HU"),
            },
            ids: vec![wit::ExternalId {
                scheme: "duns".to_owned(),
                id: "123456789".to_owned(),
            }],
            more: Vec::new(),
        },
        contacts: vec![wit::Person {
            first_name: some("Anna"),
            last_name: some("Kovács"),
            email: some("anna.kovacs@contoso.example"),
            phone: some("+36 1 555 0100"),
            title: some("Head of data"),
            more: Vec::new(),
        }],
        team: vec![wit::Person {
            first_name: some("Péter"),
            last_name: some("Nagy"),
            email: some("peter.nagy@partner.example"),
            phone: None,
            title: None,
            more: Vec::new(),
        }],
        solutions: vec![wit::Solution {
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
        referral: Some(referral()),
        more: Vec::new(),
    }
}

fn referral() -> wit::Referral {
    let id = "0d0d0d0d-0000-4000-8000-000000000001";
    wit::Referral {
        id: id.to_owned(),
        engagement_id: "0e0e0e0e-0000-4000-8000-000000000001".to_owned(),
        link: format!("https://partner.microsoft.com/referrals/v2/inbox?id={id}"),
        category: wit::Category::CoSell,
        direction: wit::Direction::Outgoing,
        program: None,
        microsoft_crm_id: None,
        partner_location: None,
        registration: None,
        created_at: "2026-09-01T08:00:00Z".to_owned(),
        updated_at: "2026-09-30T14:00:00Z".to_owned(),
        respond_by: None,
        accepted_at: Some("2026-09-01T08:00:00Z".to_owned()),
        closed_at: None,
        microsoft: None,
        more: Vec::new(),
    }
}

/// The deal with this fact instead of its own. `withdraw` and `refuse` change nothing.
fn lay_over(deal: &mut wit::Deal, fact: wit::Fact) {
    use wit::Fact;
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

/// A question in its widest form: each hook takes what it needs.
pub(crate) struct Question {
    pub(crate) asks: String,
    pub(crate) context: wit::Context,
    pub(crate) deal: wit::Deal,
    pub(crate) candidates: Vec<wit::Candidate>,
    seen: Option<wit::Seen>,
    /// What a row shows that holds nothing; None: not a single column.
    blank: Option<wit::Seen>,
    text: Option<String>,
    outcome: wit::Outcome,
}

impl Question {
    pub(crate) fn new(asks: &str, settings: Vec<wit::Setting>) -> Self {
        Self {
            asks: asks.to_owned(),
            context: wit::Context {
                now: NOW.to_owned(),
                language: "en".to_owned(),
                settings,
                found: Vec::new(),
                more: Vec::new(),
            },
            deal: deal(),
            candidates: Vec::new(),
            seen: None,
            blank: None,
            text: None,
            outcome: wit::Outcome::InStep,
        }
    }

    /// About a row as a host shows it to a plugin with these declarations: every column is there, and empty; every join is there, and brought
    /// nothing. Golden examples say themselves what a row shows.
    pub(crate) fn about_a_blank_row(mut self, declared: &Declared) -> Self {
        let mut blank = self.row_seen();
        let columns = declared.reads.get(&blank.row.table).into_iter().flatten();
        blank.row.cells = columns
            .map(|column| (column.clone(), wit::Value::Empty))
            .collect();
        blank.related = declared
            .joined
            .keys()
            .map(|label| wit::Related {
                label: label.clone(),
                rows: Vec::new(),
            })
            .collect();
        self.blank = Some(blank);
        self
    }

    /// Starts from this, too. Settings are the caller's.
    pub(crate) fn give(&mut self, given: wit::Given) {
        use wit::Given;
        match given {
            Given::Setting(_) => {}
            Given::Fact(fact) => lay_over(&mut self.deal, fact),
            Given::Row(row) => {
                let related = self
                    .seen
                    .take()
                    .map(|seen| seen.related)
                    .unwrap_or_default();
                self.seen = Some(wit::Seen { row, related });
            }
            Given::Related(related) => self.related(related),
            Given::Found(found) => self.context.found.push(found),
            Given::Candidate(candidate) => self.candidates.push(candidate),
            Given::Outcome(outcome) => self.outcome = outcome,
            Given::State(state) => self.deal.state = state,
            Given::Text(text) => self.text = Some(text),
            Given::More(field) => self.context.more.push(field),
        }
    }

    /// Rows under a join hang from a row, whichever is named first.
    fn related(&mut self, related: wit::Related) {
        let mut seen = self.seen.take().unwrap_or_else(|| self.row_seen());
        seen.related.push(related);
        self.seen = Some(seen);
    }

    /// A row arrives from the CRM, a deal without a row from Partner Center.
    pub(crate) fn arrival(&self) -> wit::Arrival {
        wit::Arrival {
            origin: if self.seen.is_some() {
                wit::Side::Crm
            } else {
                wit::Side::PartnerCenter
            },
            deal: self.seen.is_none().then(|| self.deal.clone()),
            seen: self.seen.clone(),
            linked: false,
            more: Vec::new(),
        }
    }

    pub(crate) fn order(&self) -> wit::Order {
        let reference = |table: &str, id: &str| wit::Reference {
            table: table.to_owned(),
            id: id.to_owned(),
            name: None,
        };
        wit::Order {
            deal: self.deal.clone(),
            existing: self.seen.clone(),
            account: Some(reference("account", ACCOUNT_ID)),
            contacts: self
                .deal
                .contacts
                .iter()
                .map(|_| Some(reference("contact", CONTACT_ID)))
                .collect(),
            lead: None,
            more: Vec::new(),
        }
    }

    /// The row, or an empty one of the hook's own table.
    pub(crate) fn row_seen(&self) -> wit::Seen {
        let given = self.seen.as_ref().or(self.blank.as_ref());
        given.cloned().unwrap_or_else(|| wit::Seen {
            row: wit::Row {
                table: if self.asks.starts_with("lead.") {
                    "lead"
                } else {
                    "opportunity"
                }
                .to_owned(),
                id: ROW_ID.to_owned(),
                cells: Vec::new(),
            },
            related: Vec::new(),
        })
    }

    pub(crate) fn row(&self) -> Option<&wit::Row> {
        self.seen.as_ref().map(|seen| &seen.row)
    }

    /// The first contact of the deal.
    pub(crate) fn contact(&self) -> Option<wit::ContactQuestion> {
        Some(wit::ContactQuestion {
            person: self.deal.contacts.first()?.clone(),
            company: self.deal.company.clone(),
            account: self.order().account,
            more: Vec::new(),
        })
    }

    /// For an account, unless the row says otherwise.
    pub(crate) fn country(&self) -> wit::CountryOrder {
        wit::CountryOrder {
            code: self
                .text
                .clone()
                .or_else(|| self.deal.company.address.country.clone())
                .unwrap_or_default(),
            table: self
                .row()
                .map_or_else(|| "account".to_owned(), |row| row.table.clone()),
            existing: self.row().cloned(),
            more: Vec::new(),
        }
    }

    pub(crate) fn report(&self) -> wit::Report {
        wit::Report {
            kind: wit::RecordKind::Opportunity,
            outcome: self.outcome.clone(),
            name: self.deal.name.clone(),
            state: self.deal.state.clone(),
            more: Vec::new(),
        }
    }
}
