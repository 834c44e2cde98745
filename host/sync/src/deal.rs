//! The shared language: a deal, and the units in which it is compared, carried and refused.
//!
//! The shapes follow `wit/types.wit`; here they are values that can be compared. A deal is a map from unit to value, so that
//! *absent* (no entry: nobody spoke), *empty* (an entry that says so) and *a value* are three different things (S4).

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

pub use jiff::civil::Date;
pub use rust_decimal::Decimal;

/// What is compared and merged as one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    /// The deal's name, without any mark.
    Name,
    /// Amount and currency.
    Value,
    /// Day on which the deal is expected to close, UTC.
    CloseDate,
    /// Free text.
    Notes,
    /// Status, substatus and reason.
    State,
    /// The seller's stage.
    SalesStage,
    /// Marketing campaign id.
    Campaign,
    /// Microsoft's sellers can see the deal. Never becomes false again.
    Visibility,
    /// The help asked from Microsoft.
    Help,
    /// The customer's name.
    CompanyName,
    /// The customer's size bucket.
    CompanySize,
    /// Numbers that someone gave the customer.
    CompanyIds,
    /// The customer's address, with the country.
    Address,
    /// People at the customer; the first is the main contact.
    Contacts,
    /// Our sellers; the first is the owner.
    Team,
    /// What the deal is about.
    Solutions,
    /// Our id for the deal, as Partner Center remembers it.
    ExternalReference,
    /// A field of the open tail, by its name.
    More(String),
}

impl Unit {
    /// Every unit that has a name of its own, in the order in which people read a deal.
    pub const NAMED: [Self; 17] = [
        Self::Name,
        Self::Value,
        Self::CloseDate,
        Self::Notes,
        Self::State,
        Self::SalesStage,
        Self::Campaign,
        Self::Visibility,
        Self::Help,
        Self::CompanyName,
        Self::CompanySize,
        Self::CompanyIds,
        Self::Address,
        Self::Contacts,
        Self::Team,
        Self::Solutions,
        Self::ExternalReference,
    ];

    /// The spelling in stores, audits and reasons: `close-date`; `more:partner-role` for the tail.
    #[must_use]
    pub fn as_text(&self) -> String {
        match self {
            Self::More(name) => alloc::format!("more:{name}"),
            named => named.word().to_string(),
        }
    }

    /// Reads what [`Unit::as_text`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix("more:") {
            Some(name) => Some(Self::More(name.to_string())),
            None => Self::NAMED.into_iter().find(|unit| unit.word() == text),
        }
    }

    const fn word(&self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Value => "value",
            Self::CloseDate => "close-date",
            Self::Notes => "notes",
            Self::State => "state",
            Self::SalesStage => "sales-stage",
            Self::Campaign => "campaign",
            Self::Visibility => "visibility",
            Self::Help => "help",
            Self::CompanyName => "company-name",
            Self::CompanySize => "company-size",
            Self::CompanyIds => "company-ids",
            Self::Address => "address",
            Self::Contacts => "contacts",
            Self::Team => "team",
            Self::Solutions => "solutions",
            Self::ExternalReference => "external-reference",
            Self::More(_) => "more",
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::More(name) => write!(f, "more:{name}"),
            named => f.write_str(named.word()),
        }
    }
}

/// What a side shows for a unit. Which variant belongs to which unit is [`UnitValue::fits`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnitValue {
    /// Name, notes, sales stage, campaign, company name and size, external reference, and the open tail.
    Text(Option<String>),
    /// Value.
    Money(Option<Money>),
    /// Close date.
    Date(Option<Date>),
    /// State.
    State(DealState),
    /// Visibility.
    Flag(bool),
    /// Help.
    Help(Option<Help>),
    /// Company ids.
    Ids(Vec<ExternalId>),
    /// Address.
    Address(Address),
    /// Contacts and team.
    People(Vec<Person>),
    /// Solutions.
    Solutions(Vec<Solution>),
}

impl UnitValue {
    /// Whether this is the kind of value that `unit` holds.
    #[must_use]
    pub const fn fits(&self, unit: &Unit) -> bool {
        matches!(
            (unit, self),
            (
                Unit::Name
                    | Unit::Notes
                    | Unit::SalesStage
                    | Unit::Campaign
                    | Unit::CompanyName
                    | Unit::CompanySize
                    | Unit::ExternalReference
                    | Unit::More(_),
                Self::Text(_)
            ) | (Unit::Value, Self::Money(_))
                | (Unit::CloseDate, Self::Date(_))
                | (Unit::State, Self::State(_))
                | (Unit::Visibility, Self::Flag(_))
                | (Unit::Help, Self::Help(_))
                | (Unit::CompanyIds, Self::Ids(_))
                | (Unit::Address, Self::Address(_))
                | (Unit::Contacts | Unit::Team, Self::People(_))
                | (Unit::Solutions, Self::Solutions(_))
        )
    }

    /// Kept on that side, and empty now.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Text(text) => text.as_deref().is_none_or(|text| text.trim().is_empty()),
            Self::Money(money) => money.is_none(),
            Self::Date(date) => date.is_none(),
            Self::State(_) => false,
            Self::Flag(flag) => !flag,
            Self::Help(help) => help.is_none(),
            Self::Ids(ids) => ids.is_empty(),
            Self::Address(address) => *address == Address::default(),
            Self::People(people) => people.is_empty(),
            Self::Solutions(solutions) => solutions.is_empty(),
        }
    }
}

/// What one side says about a deal. A unit without an entry is absent: it is neither compared nor taken for emptied.
pub type Units = BTreeMap<Unit, UnitValue>;

/// An amount in one currency. Amounts compare as numbers: `1000` is `1000.0`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Money {
    /// Exact.
    pub amount: Decimal,
    /// ISO 4217, upper case: `EUR`.
    pub currency: String,
}

/// Where a deal stands. Status and substatus of Partner Center in one, because the substatus decides the status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// New: waits for an answer.
    Pending,
    /// New: seen, not answered.
    Received,
    /// Active.
    Accepted,
    /// Closed.
    Won,
    /// Closed.
    Lost,
    /// Closed: never accepted.
    Declined,
    /// Closed by the server: nobody answered.
    Expired,
    /// Closed.
    Error,
    /// A substatus that this version does not know, as Partner Center spells it.
    Unlisted(String),
}

impl Standing {
    /// Terminal in Partner Center: nothing of such a deal can be changed there.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(
            self,
            Self::Won | Self::Lost | Self::Declined | Self::Expired | Self::Error
        )
    }

    /// The substatus, as Partner Center spells it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Pending => "Pending",
            Self::Received => "Received",
            Self::Accepted => "Accepted",
            Self::Won => "Won",
            Self::Lost => "Lost",
            Self::Declined => "Declined",
            Self::Expired => "Expired",
            Self::Error => "Error",
            Self::Unlisted(other) => other,
        }
    }

    /// Reads a substatus. Never fails: an unknown one is [`Standing::Unlisted`].
    #[must_use]
    pub fn parse(text: &str) -> Self {
        [
            Self::Pending,
            Self::Received,
            Self::Accepted,
            Self::Won,
            Self::Lost,
            Self::Declined,
            Self::Expired,
            Self::Error,
        ]
        .into_iter()
        .find(|known| known.as_str().eq_ignore_ascii_case(text))
        .unwrap_or_else(|| Self::Unlisted(text.to_string()))
    }
}

/// Standing, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DealState {
    /// Where the deal stands.
    pub standing: Standing,
    /// Why it was lost or declined: free text or a code.
    pub reason: Option<String>,
}

/// What help the seller asks from Microsoft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Help {
    /// `WorkloadSpecificValueProposition`
    WorkloadValueProposition,
    /// `CustomerTechnicalArchitecture`
    TechnicalArchitecture,
    /// `ProofOfConceptOrDemo`
    ProofOfConceptOrDemo,
    /// `QuotesOrLicensing`
    QuotesOrLicensing,
    /// `PostSalesCustomerSuccess`
    PostSalesSuccess,
    /// `GeneralOrOther`
    GeneralOrOther,
    /// A code that this version does not know, as Partner Center spells it.
    Unlisted(String),
}

impl Help {
    /// The code, as Partner Center spells it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::WorkloadValueProposition => "WorkloadSpecificValueProposition",
            Self::TechnicalArchitecture => "CustomerTechnicalArchitecture",
            Self::ProofOfConceptOrDemo => "ProofOfConceptOrDemo",
            Self::QuotesOrLicensing => "QuotesOrLicensing",
            Self::PostSalesSuccess => "PostSalesCustomerSuccess",
            Self::GeneralOrOther => "GeneralOrOther",
            Self::Unlisted(other) => other,
        }
    }

    /// Reads a code. Never fails: an unknown one is [`Help::Unlisted`].
    #[must_use]
    pub fn parse(text: &str) -> Self {
        [
            Self::WorkloadValueProposition,
            Self::TechnicalArchitecture,
            Self::ProofOfConceptOrDemo,
            Self::QuotesOrLicensing,
            Self::PostSalesSuccess,
            Self::GeneralOrOther,
        ]
        .into_iter()
        .find(|known| known.as_str().eq_ignore_ascii_case(text))
        .unwrap_or_else(|| Self::Unlisted(text.to_string()))
    }
}

/// A postal address. `country` is ISO 3166-1 alpha-2.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "the names are the doc")]
pub struct Address {
    pub line1: Option<String>,
    pub line2: Option<String>,
    pub city: Option<String>,
    pub state: Option<String>,
    pub postal_code: Option<String>,
    pub region: Option<String>,
    pub country: Option<String>,
}

/// A number that someone gave the company. `scheme`: `duns`, `external`, or a partner's own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExternalId {
    /// Who numbers.
    pub scheme: String,
    /// The number.
    pub id: String,
}

/// A contact at the customer, or a member of the sales team.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "the names are the doc")]
pub struct Person {
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub email: Option<String>,
    pub phone: Option<String>,
    pub title: Option<String>,
}

/// A solution that the deal is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Solution {
    /// `SOL-12345-ABC` for a partner's, a GUID for Microsoft's.
    pub id: String,
    /// For people.
    pub name: String,
    /// `1P` or `3P`.
    pub kind: Option<String>,
    /// For people.
    pub publisher: Option<String>,
    /// Of this solution in this deal.
    pub price: Option<Money>,
    /// Of this solution in this deal.
    pub quantity: Option<Decimal>,
    /// Of this solution in this deal.
    pub close_date: Option<Date>,
}

/// What kind of referral it is, by Microsoft's own rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the doc")]
pub enum Category {
    MarketplaceLead,
    QualifiedLead,
    CoSell,
    Unclear,
}

/// Who sent the referral.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Came to us.
    Incoming,
    /// Ours.
    Outgoing,
}

/// A moment in UTC.
pub type Timestamp = jiff::Timestamp;

/// The deal as Microsoft's sellers keep it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MicrosoftView {
    /// Of Microsoft's own referral.
    pub state: DealState,
    /// Microsoft's sellers.
    pub team: Vec<Person>,
    /// When Microsoft last changed it.
    pub updated_at: Option<Timestamp>,
}

/// What only Partner Center decides. Facts to show; nothing here can be changed from a CRM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferralFacts {
    /// GUID of our own referral.
    pub id: String,
    /// GUID that joins our referral and Microsoft's.
    pub engagement_id: String,
    /// Where a person can open it.
    pub link: String,
    /// Kind.
    pub category: Category,
    /// Who sent it.
    pub direction: Direction,
    /// Referral program.
    pub program: Option<String>,
    /// Id of the opportunity in Microsoft's own CRM, once Microsoft has accepted.
    pub microsoft_crm_id: Option<String>,
    /// The PartnerID (MPN) location that owns the deal.
    pub partner_location: Option<String>,
    /// State of the deal registration, as Partner Center spells it.
    pub registration: Option<String>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Unanswered at this moment, it expires.
    pub respond_by: Option<Timestamp>,
    /// When it was accepted.
    pub accepted_at: Option<Timestamp>,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
    /// Microsoft's own referral of the engagement, once there is one.
    pub microsoft: Option<MicrosoftView>,
}

/// A deal, whole: what the hooks are asked about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Deal {
    /// What is said about it.
    pub units: Units,
    /// None until Partner Center knows the deal.
    pub referral: Option<ReferralFacts>,
}
