//! Cells: writing them from ordinary values, reading them back.

use crate::types::{Cell, Choice, IfMissing, Money, Reference, Row, RowKey, Value};

impl Value {
    /// Text.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// An option of a choice, state or status column, by its code.
    #[must_use]
    pub fn choice(code: i32) -> Self {
        Self::Choice(Choice { code, label: None })
    }

    /// A day, `2026-12-15`.
    #[must_use]
    pub fn date(day: impl Into<String>) -> Self {
        Self::Date(day.into())
    }

    /// A moment in UTC, `2026-12-15T08:00:00Z`.
    #[must_use]
    pub fn timestamp(moment: impl Into<String>) -> Self {
        Self::Timestamp(moment.into())
    }

    /// An exact number.
    #[must_use]
    pub fn decimal(number: impl Into<String>) -> Self {
        Self::Decimal(number.into())
    }

    /// An amount in a currency.
    #[must_use]
    pub fn money(amount: impl Into<String>, currency: impl Into<String>) -> Self {
        Self::Money(Money::new(amount, currency))
    }

    /// A row, by its id.
    #[must_use]
    pub fn reference(table: impl Into<String>, id: impl Into<String>) -> Self {
        Self::Reference(Reference::new(table, id))
    }

    /// What it refers to; `None` when it is something else.
    #[must_use]
    pub fn as_reference(&self) -> Option<&Reference> {
        match self {
            Self::Reference(reference) => Some(reference),
            _ => None,
        }
    }
}

impl Money {
    /// `Money::new("125000.00", "EUR")`
    #[must_use]
    pub fn new(amount: impl Into<String>, currency: impl Into<String>) -> Self {
        Self {
            amount: amount.into(),
            currency: currency.into(),
        }
    }

    /// Nothing, however many zeros are written.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.amount
            .chars()
            .all(|digit| matches!(digit, '0' | '.' | '-'))
    }
}

impl Reference {
    /// A row, by its id.
    #[must_use]
    pub fn new(table: impl Into<String>, id: impl Into<String>) -> Self {
        Self {
            table: table.into(),
            id: id.into(),
            name: None,
        }
    }
}

impl RowKey {
    /// "The one row of `table` whose `column` is `value`." When there is none, the write stops with a reason.
    #[must_use]
    pub fn new(
        table: impl Into<String>,
        column: impl Into<String>,
        value: impl Into<String>,
    ) -> Self {
        Self {
            table: table.into(),
            parts: vec![(column.into(), value.into())],
            if_missing: IfMissing::Refuse,
        }
    }

    /// "... and whose `column` is `value`."
    #[must_use]
    pub fn and(mut self, column: impl Into<String>, value: impl Into<String>) -> Self {
        self.parts.push((column.into(), value.into()));
        self
    }

    /// When there is none, the column is left alone.
    #[must_use]
    pub fn or_leave_out(mut self) -> Self {
        self.if_missing = IfMissing::LeaveOut;
        self
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<bool> for Value {
    fn from(yes: bool) -> Self {
        Self::Boolean(yes)
    }
}

impl From<i32> for Value {
    fn from(number: i32) -> Self {
        Self::Integer(number)
    }
}

impl From<Money> for Value {
    fn from(money: Money) -> Self {
        Self::Money(money)
    }
}

impl From<&Money> for Value {
    fn from(money: &Money) -> Self {
        Self::Money(money.clone())
    }
}

impl From<Reference> for Value {
    fn from(reference: Reference) -> Self {
        Self::Reference(reference)
    }
}

impl From<&Reference> for Value {
    fn from(reference: &Reference) -> Self {
        Self::Reference(reference.clone())
    }
}

impl From<RowKey> for Value {
    fn from(key: RowKey) -> Self {
        Self::RowWhere(key)
    }
}

/// `None` empties the column.
impl<V: Into<Self>> From<Option<V>> for Value {
    fn from(value: Option<V>) -> Self {
        value.map_or(Self::Empty, Into::into)
    }
}

/// Reading. `None` when the column is empty, was not declared, or holds another kind of value; [`Row::cell`] tells these apart.
impl Row {
    /// A row with no cells yet; see [`Row::with`].
    #[must_use]
    pub fn new(table: impl Into<String>, id: impl Into<String>) -> Self {
        Self {
            table: table.into(),
            id: id.into(),
            cells: Vec::new(),
        }
    }

    /// The row with this cell, sorted by name as the host sends it.
    #[must_use]
    pub fn with(mut self, column: impl Into<String>, value: impl Into<Value>) -> Self {
        let cell: Cell = (column.into(), value.into());
        match self
            .cells
            .binary_search_by(|known| known.0.as_str().cmp(&cell.0))
        {
            Ok(at) => self.cells[at] = cell,
            Err(at) => self.cells.insert(at, cell),
        }
        self
    }

    /// What the host sent for this column. `None`: the column was not declared.
    #[must_use]
    pub fn cell(&self, column: &str) -> Option<&Value> {
        self.cells
            .iter()
            .find_map(|(name, value)| (name == column).then_some(value))
    }

    /// Text that is not blank, without the blanks around it.
    #[must_use]
    pub fn text(&self, column: &str) -> Option<&str> {
        match self.cell(column)? {
            Value::Text(text) => Some(text.trim()).filter(|text| !text.is_empty()),
            _ => None,
        }
    }

    /// [`Row::text`], as an owned value.
    #[must_use]
    pub fn owned_text(&self, column: &str) -> Option<String> {
        self.text(column).map(str::to_owned)
    }

    /// A whole number.
    #[must_use]
    pub fn integer(&self, column: &str) -> Option<i32> {
        match self.cell(column)? {
            Value::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// An exact number, as text.
    #[must_use]
    pub fn decimal(&self, column: &str) -> Option<&str> {
        match self.cell(column)? {
            Value::Decimal(number) => Some(number),
            _ => None,
        }
    }

    /// An amount with the currency of its row.
    #[must_use]
    pub fn money(&self, column: &str) -> Option<&Money> {
        match self.cell(column)? {
            Value::Money(money) => Some(money),
            _ => None,
        }
    }

    /// Yes or no.
    #[must_use]
    pub fn yes(&self, column: &str) -> Option<bool> {
        match self.cell(column)? {
            Value::Boolean(yes) => Some(*yes),
            _ => None,
        }
    }

    /// A day.
    #[must_use]
    pub fn date(&self, column: &str) -> Option<&str> {
        match self.cell(column)? {
            Value::Date(day) => Some(day),
            _ => None,
        }
    }

    /// The code of a choice, state or status column.
    #[must_use]
    pub fn choice(&self, column: &str) -> Option<i32> {
        match self.cell(column)? {
            Value::Choice(choice) => Some(choice.code),
            _ => None,
        }
    }

    /// Where a lookup points.
    #[must_use]
    pub fn reference(&self, column: &str) -> Option<&Reference> {
        match self.cell(column)? {
            Value::Reference(reference) => Some(reference),
            _ => None,
        }
    }

    /// This row, to be referred to.
    #[must_use]
    pub fn as_reference(&self) -> Reference {
        Reference::new(self.table.clone(), self.id.clone())
    }
}
