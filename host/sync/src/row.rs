//! The words for CRM rows, without a single column name: those belong to the plugins. The shapes follow `wit/types.wit`.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use crate::deal::{Date, Decimal, Money, Timestamp, Unit};

/// What a CRM column holds. The client converts to and from the column's own type, which it knows from the metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// Nothing. On writing: empty the column.
    Empty,
    /// Text and unique identifiers.
    Text(String),
    /// Whole number column.
    Integer(i32),
    /// Decimal, floating point and big whole number columns.
    Decimal(Decimal),
    /// Currency column. On writing the client also sets the row's currency.
    Money(Money),
    /// Yes/no column.
    Bool(bool),
    /// Date-only column.
    Date(Date),
    /// Date-and-time column.
    Timestamp(Timestamp),
    /// Choice, state or status column.
    Choice(Choice),
    /// Multi-select choice column, ordered by code.
    Choices(Vec<Choice>),
    /// Lookup, customer or owner column.
    Reference(Reference),
    /// The same, by key instead of id. Only on writing; [`crate::columns`] never sees one, the client resolves it first.
    RowWhere(RowKey),
}

impl Cell {
    /// Same as far as the CRM is concerned: labels and names of references are for people.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Choice(a), Self::Choice(b)) => a.code == b.code,
            (Self::Choices(a), Self::Choices(b)) => {
                let codes = |list: &[Choice]| {
                    list.iter()
                        .map(|choice| choice.code)
                        .collect::<BTreeSet<_>>()
                };
                codes(a) == codes(b)
            }
            (Self::Reference(a), Self::Reference(b)) => {
                a.table == b.table && a.id.eq_ignore_ascii_case(&b.id)
            }
            (Self::Text(text), Self::Empty) | (Self::Empty, Self::Text(text)) => text.is_empty(),
            (a, b) => a == b,
        }
    }
}

/// One option of a choice, state or status column. The label is filled in on reading and ignored on writing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the doc")]
pub struct Choice {
    pub code: i32,
    pub label: Option<String>,
}

/// A row, named. `table` is the logical name. The name is filled in on reading and ignored on writing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the doc")]
pub struct Reference {
    pub table: String,
    pub id: String,
    pub name: Option<String>,
}

/// "The one row of `table` where every part matches."
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowKey {
    /// Logical name.
    pub table: String,
    /// Column and value as text; the client reads the text by the column's own type.
    pub parts: Vec<(String, String)>,
    /// True: leave the column alone when no row has the key. False: refuse.
    pub leave_out_if_missing: bool,
}

/// A CRM row: the columns that were declared or asked for, and no others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Logical name.
    pub table: String,
    /// GUID, lower case.
    pub id: String,
    /// By logical name of the column; [`Cell::Empty`] where the CRM holds nothing.
    pub cells: BTreeMap<String, Cell>,
}

/// Rows that came along through a join.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the doc")]
pub struct Related {
    pub label: String,
    pub rows: Vec<Row>,
}

/// A lead or opportunity as the CRM shows it now, with what the joins of the set brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The row.
    pub row: Row,
    /// By `plugin-id/label`: two plugins may use the same label.
    pub related: Vec<Related>,
}

/// What a deal is in the CRM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the names are the doc")]
pub enum RecordKind {
    Opportunity,
    Lead,
}

impl RecordKind {
    /// Logical name of the table.
    #[must_use]
    pub const fn table(self) -> &'static str {
        match self {
            Self::Opportunity => "opportunity",
            Self::Lead => "lead",
        }
    }
}

/// How a column is tested. Text compares without regard to case.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the doc")]
pub enum Test {
    Equals(Cell),
    OneOf(Vec<Cell>),
    BeginsWith(String),
    Contains(String),
    AtLeast(Cell),
    AtMost(Cell),
    IsEmpty,
    IsFilled,
}

/// One column, tested.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the doc")]
pub struct Condition {
    pub column: String,
    pub test: Test,
}

/// Rows to look for: those of `table` that meet all `conditions`, at most `limit`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the doc")]
pub struct Query {
    pub label: String,
    pub table: String,
    pub columns: Vec<String>,
    pub conditions: Vec<Condition>,
    pub limit: u16,
}

/// The answer to a query. `cut`: the CRM has more rows than the limit.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the doc")]
pub struct Found {
    pub label: String,
    pub rows: Vec<Row>,
    pub cut: bool,
}

/// How a join leads from the upper row to its table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// This column of the upper row points there.
    Lookup(String),
    /// This column of the joined table points up.
    Child(String),
    /// This many-to-many relationship connects them.
    Many(String),
}

/// Rows that come along whenever a record is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Join {
    /// `plugin-id/label`.
    pub label: String,
    /// `opportunity`, `lead`, or the full label of another join of the same plugin.
    pub above: String,
    /// Logical name of the joined table.
    pub table: String,
    /// How it is reached.
    pub via: Link,
    /// What is read from it.
    pub columns: Vec<String>,
}

/// What kind of column set-up should create. The number is the greatest length.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the doc")]
pub enum ColumnKind {
    Text(u32),
    LongText(u32),
    Integer,
    Decimal,
    Money,
    Bool,
    Date,
    Timestamp,
    Choice(Vec<Choice>),
    Reference(String),
}

/// A column that belongs to the mapping itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the doc")]
pub struct OwnColumn {
    pub table: String,
    pub column: String,
    pub kind: ColumnKind,
    pub label: String,
    pub role: Option<Role>,
}

/// What a column is for, where the host itself fills or follows it (S28).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are the doc")]
pub enum Role {
    Identifier,
    Link,
    Program,
    MicrosoftId,
    Audit,
    Consent,
    Gate,
}

impl Role {
    /// Reads a role; one that this host does not know is no role.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "identifier" => Self::Identifier,
            "link" => Self::Link,
            "program" => Self::Program,
            "microsoft-id" => Self::MicrosoftId,
            "audit" => Self::Audit,
            "consent" => Self::Consent,
            "gate" => Self::Gate,
            _ => return None,
        })
    }
}

/// The sum of what a set of plugins declares. The operator grants it; nothing more is fetched and nothing more accepted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// Columns read, by table.
    pub reads: BTreeMap<String, BTreeSet<String>>,
    /// Columns that may be set, by table.
    pub writes: BTreeMap<String, BTreeSet<String>>,
    /// Joins, upper rows before lower ones.
    pub joins: Vec<Join>,
    /// Tables and columns that queries may touch.
    pub asks: BTreeMap<String, BTreeSet<String>>,
    /// Tables of `asks` whose rows change rarely.
    pub steady: BTreeSet<String>,
    /// Columns of the mapping itself.
    pub brings: Vec<OwnColumn>,
}

impl Needs {
    /// The column of `table` that has this role.
    #[must_use]
    pub fn column(&self, table: &str, role: Role) -> Option<&str> {
        self.brings
            .iter()
            .find(|own| own.table == table && own.role == Some(role))
            .map(|own| own.column.as_str())
    }
}

/// Something a person can act on. `code` is for machines and never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// `country-unknown`
    pub code: String,
    /// One sentence: what is wrong.
    pub message: String,
    /// A deal path, `opportunity.estimatedvalue` for a column, `setting NAME` for a setting.
    pub about: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
}

/// A unit that cannot be read or written, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the doc")]
pub struct Refusal {
    pub unit: Unit,
    pub reason: Reason,
}

/// A row that should hang from the record. Without `id` it is created, its id made from `key`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the doc")]
pub struct Child {
    pub key: String,
    pub id: Option<String>,
    pub cells: BTreeMap<String, Cell>,
}

/// The rows that should hang from the record under one join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Children {
    /// `plugin-id/label`.
    pub label: String,
    /// What should be there.
    pub rows: Vec<Child>,
    /// Rows that are there and not named: removed (true) or kept.
    pub remove_surplus: bool,
}

/// State and status reason of a row, and what goes to the closing activity.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the doc")]
pub struct RowState {
    pub statecode: i32,
    pub statuscode: i32,
    pub closing: BTreeMap<String, Cell>,
}
