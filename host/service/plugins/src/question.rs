//! What is asked of a set of plugins, and what it answers. The shapes follow `wit/`; deals and rows are the domain's own.

use std::collections::BTreeMap;

use cosell_sync::deal::{Deal, DealState, Person, Timestamp, Unit, Units};
use cosell_sync::row::{
    Cell, Children, Found, Query, Reason, RecordKind, Reference, Refusal, Row, Seen,
};
use cosell_sync::side::Side;

use crate::stop::Speaker;

/// What holds for a whole question. The plugins' own settings are added by the set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asking {
    /// The only clock that a plugin has: the run's start.
    pub now: Timestamp,
    /// BCP 47 tag of the people who read reasons, `hu-HU`.
    pub language: String,
    /// Which deal it is about, as the host counts them: so that a plugin that fails over one deal is told from one that fails over all. No plugin
    /// sees it.
    pub about: u64,
    /// Whose deal it is: a warm instance serves one connection only. No plugin sees it.
    pub connection: String,
    /// How often this very question was answered with one back: after [`ASK_ROUNDS_MAX`](crate::limits::ASK_ROUNDS_MAX) another one is a fault.
    pub round: usize,
    /// Rows that plugins asked for in this very question, all rounds together. The labels are those of
    /// [`StopKind::Ask`](crate::StopKind::Ask), unchanged (`plugin-id/label`); each plugin is shown its own.
    pub found: Vec<Found>,
}

impl Asking {
    /// A first round: nothing was asked for yet.
    #[must_use]
    pub fn new(now: Timestamp, language: impl Into<String>) -> Self {
        Self {
            now,
            language: language.into(),
            about: 0,
            connection: String::new(),
            round: 0,
            found: Vec::new(),
        }
    }
}

/// A deal at the door. At least one of `deal` and `seen` is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// The side on which it was first met.
    pub origin: Side,
    /// As Partner Center shows it.
    pub deal: Option<Deal>,
    /// As the CRM shows it.
    pub seen: Option<Seen>,
    /// Both sides are already connected.
    pub linked: bool,
}

/// Whether a deal is kept in step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Yes, as this kind of record.
    Sync(RecordKind),
    /// Leave alone; a linked deal pauses.
    Skip(Reason),
}

/// What the plugins read out of a row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reading {
    /// A unit about which nobody spoke has no entry (S4).
    pub units: Units,
    /// Whose word each unit is.
    pub spoken: BTreeMap<Unit, Speaker>,
    /// Units about which the row says something that cannot be read. None of them is in `units`.
    pub refusals: Vec<Refusal>,
}

/// The deal as a row should show it.
///
/// The contract shows a deal whole. A unit without an entry is shown as empty, an absent state as `pending`: fill absent units from the
/// other side first when a plugin should not take them for emptied.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Order {
    /// What the row should say.
    pub deal: Deal,
    /// The row as it is now. None: it will be created.
    pub existing: Option<Seen>,
    /// The customer's account row.
    pub account: Option<Reference>,
    /// Contact rows in the order of the deal's contacts. None: that contact does not cross.
    pub contacts: Vec<Option<Reference>>,
    /// The lead that becomes this opportunity.
    pub lead: Option<Reference>,
}

/// What the plugins want in a row. Nothing here is compared with the row yet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Draft {
    /// By logical name of the column; whose word it is.
    pub cells: BTreeMap<String, (Cell, Speaker)>,
    /// Rows under joins, by full label. Empty for accounts and contacts.
    pub children: Vec<(Children, Speaker)>,
    /// Units that cannot be written.
    pub refusals: Vec<Refusal>,
}

/// What a hit of a search is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strength {
    /// One hit proves it: a DUNS number, an own customer number.
    Identifies,
    /// A hit is a hint: a name, a postal code.
    Suggests,
}

/// A query and what its hits are worth. The query's label comes back in [`Candidate::found_by`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the doc")]
pub struct Search {
    pub query: Query,
    pub strength: Strength,
}

/// A row that at least one search brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// With the columns of the queries.
    pub row: Row,
    /// Labels of all searches that brought it.
    pub found_by: Vec<String>,
}

/// A row, how likely it is the one (0 to 100), and why, for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the doc")]
pub struct Likeness {
    pub id: String,
    pub score: u8,
    pub because: Vec<String>,
}

/// Which row it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// This one; it is among the candidates.
    UseExisting(Likeness),
    /// None of them. The text says what makes this customer this customer; the new row's id is made from it (S14).
    CreateNew(String),
    /// Too close to call: a person chooses. Best first.
    Review(Vec<Likeness>),
}

/// One person at the customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactQuestion {
    /// Who.
    pub person: Person,
    /// The deal whose company the person belongs to; only the company's units are shown.
    pub deal: Deal,
    /// The customer's row.
    pub account: Option<Reference>,
}

/// How a sync ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Both sides say the same, or the difference is explained.
    InStep,
    /// With these reasons.
    Failed(Vec<Reason>),
    /// `should-sync` or a person has switched it off.
    Paused(Reason),
}

/// What a sync left behind. `name` is the deal's name without a mark.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the doc")]
pub struct Report {
    pub kind: RecordKind,
    pub outcome: Outcome,
    pub name: String,
    pub state: DealState,
}
