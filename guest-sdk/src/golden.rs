//! Writing golden examples.

use crate::types::{
    Change, Children, DealState, Example, Expected, Fact, Found, Given, Related, Row, RowState,
    SettingValue, Standing, Value, Verdict,
};

impl Example {
    /// `title` is a sentence, shown when the example fails; `asks` is the question, `opportunity.to-row`.
    #[must_use]
    pub fn new(title: impl Into<String>, asks: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            asks: asks.into(),
            given: Vec::new(),
            expect: Vec::new(),
        }
    }

    /// Starts from this, too.
    #[must_use]
    pub fn given(mut self, given: impl Into<Given>) -> Self {
        self.given.push(given.into());
        self
    }

    /// Under this setting.
    #[must_use]
    pub fn setting(self, name: impl Into<String>, value: SettingValue) -> Self {
        self.given(Given::Setting((name.into(), value)))
    }

    /// One of the joins brought these rows.
    #[must_use]
    pub fn related(self, label: impl Into<String>, rows: Vec<Row>) -> Self {
        self.given(Given::Related(Related {
            label: label.into(),
            rows,
        }))
    }

    /// The host has already answered this query.
    #[must_use]
    pub fn found(self, label: impl Into<String>, rows: Vec<Row>) -> Self {
        self.given(Given::Found(Found {
            label: label.into(),
            rows,
            cut: false,
        }))
    }

    /// This must be in the answer; other things may be there too.
    #[must_use]
    pub fn expects(mut self, expected: impl Into<Expected>) -> Self {
        self.expect.push(expected.into());
        self
    }

    /// This cell must be set.
    #[must_use]
    pub fn sets(self, column: impl Into<String>, value: impl Into<Value>) -> Self {
        self.expects(Expected::Sets((column.into(), value.into())))
    }

    /// This country code, this mark must be answered.
    #[must_use]
    pub fn answers(self, text: impl Into<String>) -> Self {
        self.expects(Expected::Answers(text.into()))
    }

    /// There must be nothing to say.
    #[must_use]
    pub fn passes(self) -> Self {
        self.expects(Expected::Passes)
    }
}

impl From<Fact> for Given {
    fn from(fact: Fact) -> Self {
        Self::Fact(fact)
    }
}

impl From<Row> for Given {
    fn from(row: Row) -> Self {
        Self::Row(row)
    }
}

impl From<DealState> for Given {
    fn from(state: DealState) -> Self {
        Self::State(state)
    }
}

impl From<Fact> for Expected {
    fn from(fact: Fact) -> Self {
        Self::States(fact)
    }
}

impl From<DealState> for Expected {
    fn from(state: DealState) -> Self {
        Self::State(state)
    }
}

impl From<RowState> for Expected {
    fn from(state: RowState) -> Self {
        Self::RowState(state)
    }
}

impl From<Verdict> for Expected {
    fn from(verdict: Verdict) -> Self {
        Self::Verdict(verdict)
    }
}

impl From<Children> for Expected {
    fn from(children: Children) -> Self {
        Self::Children(children)
    }
}

/// The statement that must be found again in the answer. `more` and `refuse` have expectations of their own.
impl From<Change> for Expected {
    fn from(change: Change) -> Self {
        match change {
            Change::Set(cell) => Self::Sets(cell),
            Change::Withdraw(column) => Self::Withdraws(column),
            Change::Children(children) => Self::Children(children),
            Change::More(field) => Self::More(field),
            Change::Refuse(refusal) => Self::Refuses(refusal.reason.code),
        }
    }
}

impl From<Standing> for DealState {
    fn from(standing: Standing) -> Self {
        Self {
            standing,
            reason: None,
        }
    }
}
