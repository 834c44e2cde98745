//! Reading what the host says: settings, rows that came along, rows that were asked for.

use crate::types::{
    Context, Order, Query, RecordKind, Row, Seen, Setting, SettingValue, Stop, Value,
};

/// The operator's settings. A setting without a value reads as `None`, or as an empty list.
#[derive(Debug, Clone, Copy)]
pub struct Settings<'a>(&'a [Setting]);

impl<'a> From<&'a [Setting]> for Settings<'a> {
    fn from(settings: &'a [Setting]) -> Self {
        Self(settings)
    }
}

impl<'a> From<&'a Context> for Settings<'a> {
    fn from(ctx: &'a Context) -> Self {
        Self(&ctx.settings)
    }
}

impl<'a> Settings<'a> {
    /// As the operator wrote it, whatever its type.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&'a SettingValue> {
        self.0
            .iter()
            .find_map(|(known, value)| (known == name).then_some(value))
    }

    /// A text, a choice out of several, or the name of a column. A blank one reads as `None`.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&'a str> {
        match self.value(name)? {
            SettingValue::Text(text) => Some(text.as_str()).filter(|text| !text.trim().is_empty()),
            _ => None,
        }
    }

    /// A whole number.
    #[must_use]
    pub fn integer(&self, name: &str) -> Option<i32> {
        match self.value(name)? {
            SettingValue::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// An exact number, as text.
    #[must_use]
    pub fn decimal(&self, name: &str) -> Option<&'a str> {
        match self.value(name)? {
            SettingValue::Decimal(number) => Some(number),
            _ => None,
        }
    }

    /// Yes or no.
    #[must_use]
    pub fn yes(&self, name: &str) -> Option<bool> {
        match self.value(name)? {
            SettingValue::Boolean(yes) => Some(*yes),
            _ => None,
        }
    }

    /// A list.
    #[must_use]
    pub fn texts(&self, name: &str) -> &'a [String] {
        match self.value(name) {
            Some(SettingValue::Texts(list)) => list,
            _ => &[],
        }
    }

    /// A small table.
    #[must_use]
    pub fn pairs(&self, name: &str) -> &'a [(String, String)] {
        match self.value(name) {
            Some(SettingValue::Pairs(list)) => list,
            _ => &[],
        }
    }
}

impl Context {
    /// [`Settings::text`]
    #[must_use]
    pub fn setting_text(&self, name: &str) -> Option<&str> {
        Settings::from(self).text(name)
    }

    /// [`Settings::integer`]
    #[must_use]
    pub fn setting_integer(&self, name: &str) -> Option<i32> {
        Settings::from(self).integer(name)
    }

    /// [`Settings::decimal`]
    #[must_use]
    pub fn setting_decimal(&self, name: &str) -> Option<&str> {
        Settings::from(self).decimal(name)
    }

    /// [`Settings::yes`]
    #[must_use]
    pub fn setting_yes(&self, name: &str) -> Option<bool> {
        Settings::from(self).yes(name)
    }

    /// [`Settings::texts`]
    #[must_use]
    pub fn setting_texts(&self, name: &str) -> &[String] {
        Settings::from(self).texts(name)
    }

    /// [`Settings::pairs`]
    #[must_use]
    pub fn setting_pairs(&self, name: &str) -> &[(String, String)] {
        Settings::from(self).pairs(name)
    }

    /// The rows of one query. `?` leaves with the query when the host has not fetched it yet, and the same question is asked
    /// again with the rows: the code above runs twice.
    ///
    /// # Errors
    /// [`Stop::Ask`], until the rows are there.
    pub fn rows(&self, query: Query) -> Result<&[Row], Stop> {
        match self.found.iter().find(|found| found.label == query.label) {
            Some(found) => Ok(&found.rows),
            None => Err(Stop::Ask(vec![query])),
        }
    }

    /// The rows of several queries, in their order, fetched in one round.
    ///
    /// # Errors
    /// [`Stop::Ask`] with those that are missing.
    pub fn rows_of(&self, queries: Vec<Query>) -> Result<Vec<&[Row]>, Stop> {
        let found: Vec<_> = queries
            .iter()
            .map(|query| self.found.iter().find(|found| found.label == query.label))
            .collect();
        if found.iter().all(Option::is_some) {
            return Ok(found
                .into_iter()
                .flatten()
                .map(|found| found.rows.as_slice())
                .collect());
        }
        let missing: Vec<bool> = found.iter().map(Option::is_none).collect();
        Err(Stop::Ask(
            queries
                .into_iter()
                .zip(missing)
                .filter_map(|(query, missing)| missing.then_some(query))
                .collect(),
        ))
    }
}

impl Seen {
    /// The rows that one of your joins brought.
    #[must_use]
    pub fn rows(&self, label: &str) -> &[Row] {
        self.related
            .iter()
            .find(|related| related.label == label)
            .map_or(&[], |related| &related.rows)
    }

    /// The first of them: all there is under a lookup.
    #[must_use]
    pub fn joined(&self, label: &str) -> Option<&Row> {
        self.rows(label).first()
    }
}

impl Order {
    /// The row as it is now. `None`: it will be created.
    #[must_use]
    pub fn row(&self) -> Option<&Row> {
        self.existing.as_ref().map(|seen| &seen.row)
    }

    /// What the row is, or will be: for hooks that serve both kinds.
    #[must_use]
    pub fn record_kind(&self) -> RecordKind {
        let given = self.more.iter().find(|(name, _)| name == "record-kind");
        let table = match (self.row(), given) {
            (Some(row), _) => row.table.as_str(),
            (None, Some((_, Value::Text(kind)))) => kind,
            _ => "opportunity",
        };
        if table == "lead" {
            RecordKind::Lead
        } else {
            RecordKind::Opportunity
        }
    }
}
