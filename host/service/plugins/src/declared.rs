//! What a plugin declared that it reads, writes, joins and asks for. Nothing else is sent to it and nothing else accepted.

use std::collections::{BTreeMap, BTreeSet};

use cosell_sync::row::{Choice, ColumnKind, Join, Link, Needs, OwnColumn, RecordKind, Role};

use crate::bindings::cosell::mapping::types as wit;
use crate::convert::given::Columns;
use crate::convert::{is_label, is_logical_name};
use crate::limits::DECLARED_MAX;

/// Declarations of one plugin. Labels are bare: the set makes them full.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Declared {
    /// With the columns that it brings along.
    pub(crate) reads: Columns,
    pub(crate) writes: Columns,
    pub(crate) asks: Columns,
    /// Tables of `asks` whose rows must not be answered from memory.
    pub(crate) changing: BTreeSet<String>,
    pub(crate) joins: Vec<Join>,
    pub(crate) brings: Vec<OwnColumn>,
    /// Columns of each join, by label.
    pub(crate) joined: BTreeMap<String, BTreeSet<String>>,
    /// What the plugin calls each role, for sentences.
    roles: BTreeMap<(String, String), String>,
}

impl Declared {
    /// Reads an answer of `describe`. All mistakes together.
    pub(crate) fn read(needs: &[wit::Need]) -> Result<Self, Vec<String>> {
        let mut declared = Self::default();
        let mut mistakes = Vec::new();
        if needs.len() > DECLARED_MAX {
            return Err(vec![format!(
                "declares {} needs, more than {DECLARED_MAX}",
                needs.len()
            )]);
        }
        for need in needs {
            declared.add(need, &mut mistakes);
        }
        declared.order_joins(&mut mistakes);
        if mistakes.is_empty() {
            Ok(declared)
        } else {
            Err(mistakes)
        }
    }

    /// What comes along by joins, by table, however it is reached.
    pub(crate) fn joined_columns(&self) -> Columns {
        let mut all = Columns::new();
        for join in &self.joins {
            all.entry(join.table.clone())
                .or_default()
                .extend(join.columns.iter().cloned());
        }
        all
    }

    /// Roles and their columns: `audit opportunity.acme_log`.
    pub(crate) fn roles(&self) -> BTreeSet<String> {
        self.roles
            .iter()
            .map(|((table, column), role)| format!("{role} {table}.{column}"))
            .collect()
    }

    pub(crate) fn role_of(&self, table: &str, column: &str) -> Option<&str> {
        self.roles
            .get(&(table.to_owned(), column.to_owned()))
            .map(String::as_str)
    }

    fn add(&mut self, need: &wit::Need, mistakes: &mut Vec<String>) {
        match need {
            wit::Need::Reads(columns) => add_columns(
                &mut self.reads,
                "reads",
                &columns.table,
                &columns.columns,
                mistakes,
            ),
            wit::Need::Writes(columns) => add_columns(
                &mut self.writes,
                "writes",
                &columns.table,
                &columns.columns,
                mistakes,
            ),
            wit::Need::Asks(asked) => {
                add_columns(
                    &mut self.asks,
                    "asks",
                    &asked.table,
                    &asked.columns,
                    mistakes,
                );
                if !asked.steady {
                    self.changing.insert(asked.table.clone());
                }
            }
            wit::Need::Joins(join) => self.add_join(join, mistakes),
            wit::Need::Brings(own) => self.add_own(own, mistakes),
            // A need of a later contract: by rule ignored.
            wit::Need::More(_) => {}
        }
    }

    fn add_join(&mut self, join: &wit::Join, mistakes: &mut Vec<String>) {
        let label = &join.label;
        if !is_label(label) {
            mistakes.push(format!(
                "the join {label:?} has no good label; labels are [a-z0-9-], at most 64 letters"
            ));
        }
        let (via, name) = match &join.via {
            wit::Link::Lookup(name) => (Link::Lookup(name.clone()), name),
            wit::Link::Child(name) => (Link::Child(name.clone()), name),
            wit::Link::Many(name) => (Link::Many(name.clone()), name),
        };
        // Names of many-to-many relationships may carry capitals.
        let name_is_fine = match via {
            Link::Many(_) => {
                !name.is_empty()
                    && name
                        .chars()
                        .all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
            }
            Link::Lookup(_) | Link::Child(_) => is_logical_name(name),
        };
        if !name_is_fine {
            mistakes.push(format!(
                "the join {label:?} goes via {name:?}, which is no logical name"
            ));
        }
        let mut columns = Columns::new();
        add_columns(
            &mut columns,
            &format!("joins ({label})"),
            &join.table,
            &join.columns,
            mistakes,
        );
        let columns = columns.remove(&join.table).unwrap_or_default();
        if self.joined.insert(label.clone(), columns.clone()).is_some() {
            mistakes.push(format!("two joins have the label {label:?}"));
        }
        self.joins.push(Join {
            label: label.clone(),
            above: join.above.clone(),
            table: join.table.clone(),
            via,
            columns: columns.into_iter().collect(),
        });
    }

    fn add_own(&mut self, own: &wit::OwnColumn, mistakes: &mut Vec<String>) {
        add_columns(
            &mut self.reads,
            "brings",
            &own.table,
            std::slice::from_ref(&own.column),
            mistakes,
        );
        let role = own.role.as_deref().and_then(Role::parse);
        if let (Some(_), Some(spelled)) = (role, &own.role) {
            self.roles
                .insert((own.table.clone(), own.column.clone()), spelled.clone());
        }
        self.brings.push(OwnColumn {
            table: own.table.clone(),
            column: own.column.clone(),
            kind: kind(&own.kind),
            label: own.label.clone(),
            role,
        });
    }

    /// Upper joins before lower ones; a join that hangs from nothing is a mistake.
    fn order_joins(&mut self, mistakes: &mut Vec<String>) {
        let mut waiting = std::mem::take(&mut self.joins);
        loop {
            let known = |above: &str, placed: &[Join]| {
                is_record(above) || placed.iter().any(|join| join.label == above)
            };
            let before = self.joins.len();
            let mut rest = Vec::new();
            for join in waiting {
                if known(&join.above, &self.joins) {
                    self.joins.push(join);
                } else {
                    rest.push(join);
                }
            }
            waiting = rest;
            if waiting.is_empty() {
                return;
            }
            if self.joins.len() == before {
                mistakes.extend(waiting.iter().map(|join| {
                    format!(
                        "the join {:?} hangs from {:?}, which is neither opportunity nor lead nor a join above it",
                        join.label, join.above
                    )
                }));
                return;
            }
        }
    }

    /// Adds these needs to the sum of a set, labels made full.
    pub(crate) fn add_to(&self, plugin: &str, needs: &mut Needs) {
        for (from, to) in [
            (&self.reads, &mut needs.reads),
            (&self.writes, &mut needs.writes),
            (&self.asks, &mut needs.asks),
        ] {
            for (table, columns) in from {
                to.entry(table.clone())
                    .or_default()
                    .extend(columns.iter().cloned());
            }
        }
        needs.joins.extend(self.joins.iter().map(|join| Join {
            label: format!("{plugin}/{}", join.label),
            above: if is_record(&join.above) {
                join.above.clone()
            } else {
                format!("{plugin}/{}", join.above)
            },
            ..join.clone()
        }));
        needs.brings.extend(self.brings.iter().cloned());
    }
}

fn is_record(above: &str) -> bool {
    [RecordKind::Opportunity, RecordKind::Lead]
        .iter()
        .any(|kind| kind.table() == above)
}

fn add_columns(
    to: &mut Columns,
    what: &str,
    table: &str,
    columns: &[String],
    mistakes: &mut Vec<String>,
) {
    if !is_logical_name(table) {
        mistakes.push(format!("{what}: {table:?} is no logical name of a table"));
        return;
    }
    if columns.len() > DECLARED_MAX {
        mistakes.push(format!(
            "{what}: {} columns of {table}, more than {DECLARED_MAX}",
            columns.len()
        ));
        return;
    }
    let known = to.entry(table.to_owned()).or_default();
    for column in columns {
        if is_logical_name(column) {
            known.insert(column.clone());
        } else {
            mistakes.push(format!(
                "{what}: {column:?} is no logical name of a column of {table}"
            ));
        }
    }
}

fn kind(kind: &wit::ColumnKind) -> ColumnKind {
    match kind {
        wit::ColumnKind::Text(length) => ColumnKind::Text(*length),
        wit::ColumnKind::LongText(length) => ColumnKind::LongText(*length),
        wit::ColumnKind::Integer => ColumnKind::Integer,
        wit::ColumnKind::Decimal => ColumnKind::Decimal,
        wit::ColumnKind::Money => ColumnKind::Money,
        wit::ColumnKind::Boolean => ColumnKind::Bool,
        wit::ColumnKind::Date => ColumnKind::Date,
        wit::ColumnKind::Timestamp => ColumnKind::Timestamp,
        wit::ColumnKind::Choice(choices) => ColumnKind::Choice(
            choices
                .iter()
                .map(|choice| Choice {
                    code: choice.code,
                    label: choice.label.clone(),
                })
                .collect(),
        ),
        wit::ColumnKind::Reference(table) => ColumnKind::Reference(table.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn join(label: &str, above: &str) -> wit::Need {
        wit::Need::Joins(wit::Join {
            label: label.into(),
            above: above.into(),
            table: "account".into(),
            via: wit::Link::Lookup("parentaccountid".into()),
            columns: vec!["name".into()],
        })
    }

    #[test]
    fn upper_joins_come_before_lower_ones_whatever_the_order() {
        let declared =
            Declared::read(&[join("country", "customer"), join("customer", "opportunity")])
                .unwrap();
        let mut needs = Needs::default();
        declared.add_to("acme", &mut needs);
        let order: Vec<_> = needs
            .joins
            .iter()
            .map(|join| (join.label.as_str(), join.above.as_str()))
            .collect();
        assert_eq!(
            order,
            [
                ("acme/customer", "opportunity"),
                ("acme/country", "acme/customer")
            ]
        );
    }

    #[test]
    fn mistakes_are_told_together() {
        let mistakes = Declared::read(&[
            join("a", "b"),
            join("b", "a"),
            wit::Need::Reads(wit::TableColumns {
                table: "opportunity".into(),
                columns: vec!["_ownerid_value".into(), "Name".into()],
            }),
        ])
        .unwrap_err();
        assert_eq!(
            mistakes,
            [
                "reads: \"_ownerid_value\" is no logical name of a column of opportunity",
                "reads: \"Name\" is no logical name of a column of opportunity",
                "the join \"a\" hangs from \"b\", which is neither opportunity nor lead nor a join above it",
                "the join \"b\" hangs from \"a\", which is neither opportunity nor lead nor a join above it",
            ]
        );
    }
}
