//! What a plugin says: changes, facts, reasons, queries and resolutions, in words.

use crate::types::{
    Candidate, Cell, Change, Child, Children, ColumnName, Condition, Fact, Fault, Likeness,
    Postponement, Query, Reason, Refusal, Resolution, Search, Stop, Strength, Subject, Surplus,
    Test, Unit, Value, Verdict,
};

impl Change {
    /// Put this value into this column; `None` empties it.
    #[must_use]
    pub fn set(column: impl Into<String>, value: impl Into<Value>) -> Self {
        Self::Set((column.into(), value.into()))
    }

    /// Take back what a plugin before you set: the column is left alone.
    #[must_use]
    pub fn withdraw(column: impl Into<String>) -> Self {
        Self::Withdraw(column.into())
    }

    /// This unit cannot be written.
    #[must_use]
    pub fn refuse(unit: Unit, reason: Reason) -> Self {
        Self::Refuse(Refusal { unit, reason })
    }
}

impl Fact {
    /// The row says something about this unit that cannot be read.
    #[must_use]
    pub fn refuse(unit: Unit, reason: Reason) -> Self {
        Self::Refuse(Refusal { unit, reason })
    }
}

impl Children {
    /// The rows that should hang from the record under this join. Rows that are there and not named stay.
    #[must_use]
    pub fn keeping_others(label: impl Into<String>, rows: Vec<Child>) -> Self {
        Self {
            label: label.into(),
            rows,
            surplus: Surplus::Keep,
        }
    }

    /// The rows that should hang from the record under this join, and no others.
    #[must_use]
    pub fn exactly(label: impl Into<String>, rows: Vec<Child>) -> Self {
        Self {
            label: label.into(),
            rows,
            surplus: Surplus::Remove,
        }
    }
}

impl From<Children> for Change {
    fn from(children: Children) -> Self {
        Self::Children(children)
    }
}

impl Child {
    /// A row under a join. `key` is yours, stable, and unique under its label; `id` names the row when it is there already.
    #[must_use]
    pub fn new(key: impl Into<String>, id: Option<String>, cells: Vec<Cell>) -> Self {
        Self {
            key: key.into(),
            id,
            cells,
        }
    }
}

impl Reason {
    /// `code` is for machines and never changes; `message` is one sentence for the seller: what is wrong.
    #[must_use]
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            about: None,
            hint: None,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// It is about a field of the deal, `company.address.country`.
    #[must_use]
    pub fn about_deal(mut self, path: impl Into<String>) -> Self {
        self.about = Some(Subject::Deal(path.into()));
        self
    }

    /// It is about a column of the CRM.
    #[must_use]
    pub fn about_column(mut self, table: impl Into<String>, column: impl Into<String>) -> Self {
        self.about = Some(Subject::Column(ColumnName {
            table: table.into(),
            column: column.into(),
        }));
        self
    }

    /// It is about a setting of this plugin.
    #[must_use]
    pub fn about_setting(mut self, name: impl Into<String>) -> Self {
        self.about = Some(Subject::Setting(name.into()));
        self
    }
}

/// The whole deal waits until a person has acted.
impl From<Reason> for Stop {
    fn from(reason: Reason) -> Self {
        Self::Refuse(vec![reason])
    }
}

impl Stop {
    /// It passes by itself; asked again after so many seconds, or when the host sees fit.
    #[must_use]
    pub fn later(message: impl Into<String>, seconds: Option<u32>) -> Self {
        Self::Later(Postponement {
            message: message.into(),
            seconds,
        })
    }

    /// The plugin is broken, and says so in words. Counts as a trap.
    #[must_use]
    pub fn fault(message: impl Into<String>) -> Self {
        Self::Fault(Fault {
            message: message.into(),
            trace: None,
        })
    }
}

impl Verdict {
    /// Leave the deal alone; the reason is shown, nobody is called.
    #[must_use]
    pub fn skip(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Skip(Reason::new(code, message))
    }
}

impl Query {
    /// Rows of `table` with these columns. Meets everything until conditions are added, and brings at most 50.
    #[must_use]
    pub fn new<'a>(
        label: impl Into<String>,
        table: impl Into<String>,
        columns: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        Self {
            label: label.into(),
            table: table.into(),
            columns: columns.into_iter().map(str::to_owned).collect(),
            conditions: Vec::new(),
            limit: 50,
        }
    }

    /// "... whose `column` is `value`."
    #[must_use]
    pub fn equals(self, column: impl Into<String>, value: impl Into<Value>) -> Self {
        self.meets(column, Test::Equals(value.into()))
    }

    /// "... whose `column` passes this test."
    #[must_use]
    pub fn meets(mut self, column: impl Into<String>, test: Test) -> Self {
        self.conditions.push(Condition {
            column: column.into(),
            test,
        });
        self
    }

    /// At most so many rows, and never more than 500.
    #[must_use]
    pub fn limit(mut self, rows: u16) -> Self {
        self.limit = rows;
        self
    }
}

impl Search {
    /// One hit proves it.
    #[must_use]
    pub fn identifies(query: Query) -> Self {
        Self {
            query,
            strength: Strength::Identifies,
        }
    }

    /// A hit is a hint.
    #[must_use]
    pub fn suggests(query: Query) -> Self {
        Self {
            query,
            strength: Strength::Suggests,
        }
    }
}

impl Candidate {
    /// Whether the search with this label brought it.
    #[must_use]
    pub fn found_by(&self, label: &str) -> bool {
        self.found_by.iter().any(|found| found == label)
    }
}

impl Likeness {
    /// How much this row is what was looked for, 0 to 100, and why, for a person.
    #[must_use]
    pub fn new(id: impl Into<String>, score: u8, because: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            score,
            because: vec![because.into()],
        }
    }

    /// And because of this.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.because.push(reason.into());
        self
    }
}

impl Resolution {
    /// It is this row.
    #[must_use]
    pub fn existing(id: impl Into<String>, score: u8, because: impl Into<String>) -> Self {
        Self::UseExisting(Likeness::new(id, score, because))
    }
}
