//! The pair of records of a lane, and what both sides showed when they were last in step.

use std::collections::BTreeMap;

/// The pair of records of a lane.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LinkState {
    /// Our own referral. Unique within the connection.
    pub referral: Option<String>,
    /// Microsoft's referral in the same engagement.
    pub microsoft_referral: Option<String>,
    /// The engagement.
    pub engagement: Option<String>,
    /// Logical name of the CRM row's table.
    pub crm_table: Option<String>,
    /// The CRM row. Unique within the connection.
    pub crm_row: Option<String>,
    /// How often the pair was made anew (S18, S19). 0 at first.
    pub generation: i64,
    /// Etags as last seen: `referral`, `microsoft-referral`, `crm`.
    pub etags: BTreeMap<String, String>,
    /// The mark that stands before the CRM row's name (S28).
    pub mark: Option<String>,
    /// Hash of the plugin set under which the bases were read.
    pub set_hash: Option<String>,
    /// Per unit and side.
    pub bases: Vec<Base>,
    /// Raw records behind the bases, by hash, as JSON.
    pub raws: BTreeMap<String, String>,
    /// Free JSON of the host: what was told already, what was noticed first.
    pub notes: String,
}

/// What one side showed for one unit when both were last in step, and the raw behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// `close-date`
    pub unit: String,
    /// `partner-center` or `crm`.
    pub side: String,
    /// JSON of the value. None: unknown.
    pub value: Option<String>,
    /// Which raw record it was read from: its hash in [`LinkState::raws`].
    pub raw: Option<String>,
}
