//! A question in its widest form, and every kind of answer.

use crate::types::{
    Arrival, Candidate, Change, ContactQuestion, Context, CountryOrder, Deal, DealState, Example,
    Fact, Given, Order, Outcome, RecordKind, Reference, Report, Resolution, Row, RowState, Search,
    Seen, Side, Stop, Verdict,
};

use super::standard::{ACCOUNT_ID, lay_over, order, standard_context, standard_deal};

/// One question, whatever the hook: each takes what it needs.
#[derive(Debug, Clone)]
pub struct Question {
    /// `opportunity.to-row`
    pub asks: String,
    /// Settings, and rows that were asked for.
    pub ctx: Context,
    /// The deal.
    pub deal: Deal,
    /// The CRM row. `None`: it does not exist yet.
    pub seen: Option<Seen>,
    /// What the searches of `choose` brought.
    pub candidates: Vec<Candidate>,
    /// The country code of `country.to-row`.
    pub text: Option<String>,
    /// How the sync ended, for `decorate.mark`.
    pub outcome: Outcome,
}

impl Question {
    /// A question about the standard deal.
    #[must_use]
    pub fn new(asks: &str) -> Self {
        Self {
            asks: asks.to_owned(),
            ctx: standard_context(),
            deal: standard_deal(),
            seen: None,
            candidates: Vec::new(),
            text: None,
            outcome: Outcome::InStep,
        }
    }

    /// The question of a golden example, under these settings unless the example has its own.
    #[must_use]
    pub fn of(example: &Example, settings: Vec<crate::types::Setting>) -> Self {
        let mut question = Self::new(&example.asks);
        question.ctx.settings = settings;
        let mut related = Vec::new();
        for given in &example.given {
            match given.clone() {
                Given::Setting((name, value)) => {
                    question.ctx = question.ctx.with_setting(&name, value);
                }
                Given::Fact(fact) => lay_over(&mut question.deal, fact),
                Given::Row(row) => question.seen = Some(super::standard::seen(row)),
                Given::Related(rows) => related.push(rows),
                Given::Found(found) => question.ctx.found.push(found),
                Given::Candidate(candidate) => question.candidates.push(candidate),
                Given::Outcome(outcome) => question.outcome = outcome,
                Given::State(state) => question.deal.state = state,
                Given::Text(text) => question.text = Some(text),
                Given::More(field) => question.ctx.more.push(field),
            }
        }
        if let Some(seen) = &mut question.seen {
            seen.related = related;
        }
        question
    }

    /// Whether this is the question, `hook.function`.
    #[must_use]
    pub fn is(&self, asks: &str) -> bool {
        self.asks == asks
    }

    /// For `should-sync`: a row arrives from the CRM, a deal without a row from Partner Center.
    #[must_use]
    pub fn arrival(&self) -> Arrival {
        Arrival {
            origin: if self.seen.is_some() {
                Side::Crm
            } else {
                Side::PartnerCenter
            },
            deal: self.seen.is_none().then(|| self.deal.clone()),
            seen: self.seen.clone(),
            linked: false,
            more: Vec::new(),
        }
    }

    /// For the hooks that write the row.
    #[must_use]
    pub fn order(&self) -> Order {
        Order {
            existing: self.seen.clone(),
            ..order(self.deal.clone())
        }
    }

    /// For the hooks that read the row; an empty one of the hook's own table when there is none.
    #[must_use]
    pub fn row_seen(&self) -> Seen {
        let table = if self.asks.starts_with("lead.") {
            "lead"
        } else {
            "opportunity"
        };
        self.seen
            .clone()
            .unwrap_or_else(|| super::standard::seen(Row::new(table, super::standard::ROW_ID)))
    }

    /// The row alone.
    #[must_use]
    pub fn row(&self) -> Option<&Row> {
        self.seen.as_ref().map(|seen| &seen.row)
    }

    /// For `contact`: the first contact of the deal. `None` when the deal has none.
    #[must_use]
    pub fn contact(&self) -> Option<ContactQuestion> {
        Some(ContactQuestion {
            person: self.deal.contacts.first()?.clone(),
            company: self.deal.company.clone(),
            account: Some(Reference::new("account", ACCOUNT_ID)),
            more: Vec::new(),
        })
    }

    /// For `country.to-row`: an account, unless the row is a lead.
    #[must_use]
    pub fn country(&self) -> CountryOrder {
        CountryOrder {
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

    /// For `decorate`.
    #[must_use]
    pub fn report(&self) -> Report {
        Report {
            kind: RecordKind::Opportunity,
            outcome: self.outcome.clone(),
            name: self.deal.name.clone(),
            state: self.deal.state.clone(),
            more: Vec::new(),
        }
    }
}

/// What a plugin said, whatever the hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// `to-deal` of opportunity and lead.
    Facts(Vec<Fact>),
    /// `to-row` of most hooks.
    Changes(Vec<Change>),
    /// A country code, a mark.
    Text(Option<String>),
    /// `status.to-deal`
    State(Option<DealState>),
    /// `status.to-row`
    RowState(Option<RowState>),
    /// `should-sync.decide`
    Verdict(Option<Verdict>),
    /// `searches` of account and contact.
    Searches(Option<Vec<Search>>),
    /// `choose` of account and contact.
    Resolution(Option<Resolution>),
    /// No answer.
    Stopped(Stop),
}
