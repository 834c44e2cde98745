//! Tables, columns, relationships and keys: what `$metadata` would tell.

mod build;
mod change;
mod custom;
mod key;
mod text;

use std::collections::BTreeMap;
use std::sync::Arc;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::config::SimulatorConfig;
pub(crate) use build::plain_column;
use build::{add, blank_table, capitalised, read_only, system_columns};
pub(crate) use change::Conflict;
pub(crate) use key::{AlternateKey, KeyStatus};

/// The standard tables as data.
const STANDARD: &str = include_str!("standard_tables.txt");

/// Decimals of an amount in the organisation's currency.
pub(crate) const BASE_DECIMALS: u32 = 4;

/// A logical name, shared by all rows.
pub(crate) type Name = Arc<str>;

/// All tables.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Schema {
    pub(crate) tables: BTreeMap<Name, Table>,
    pub(crate) many: Vec<ManyToMany>,
    /// Global choices by name.
    pub(crate) choices: BTreeMap<String, Vec<Choice>>,
    /// Counts the changes of metadata: who keeps a copy asks again when it has moved.
    pub(crate) version: u64,
    sets: BTreeMap<String, Name>,
    navigations: BTreeMap<Name, BTreeMap<String, Navigation>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Table {
    pub(crate) logical: Name,
    pub(crate) schema_name: String,
    pub(crate) set: String,
    pub(crate) key: Name,
    pub(crate) primary_name: Name,
    pub(crate) code: i32,
    pub(crate) custom: bool,
    pub(crate) tracked: bool,
    /// `IsOptimisticConcurrencyEnabled`: whether an etag may condition a write.
    pub(crate) versioned: bool,
    /// What people read, when it is not the schema name.
    pub(crate) display: Option<String>,
    pub(crate) columns: BTreeMap<Name, Column>,
    pub(crate) keys: Vec<AlternateKey>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Column {
    pub(crate) logical: Name,
    pub(crate) schema_name: String,
    pub(crate) kind: Kind,
    pub(crate) required: Required,
    pub(crate) create: bool,
    pub(crate) update: bool,
    pub(crate) read: bool,
    pub(crate) custom: bool,
    /// Value of a choice or yes/no column when a create does not name it.
    pub(crate) default: Option<i32>,
    /// What people read, when it is not the schema name.
    pub(crate) display: Option<String>,
    /// `Format` of the metadata, when it is not the usual one of the kind: `Email`, `Url`, `DateOnly` for a point in time.
    pub(crate) format: Option<String>,
    /// The global choice that the options come from.
    pub(crate) global: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Required {
    No,
    Recommended,
    /// Enforced by forms, not by the Web API.
    Application,
    /// Enforced by the Web API.
    System,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Kind {
    Text {
        max: usize,
    },
    Memo {
        max: usize,
    },
    Int {
        min: i64,
        max: i64,
    },
    BigInt,
    Decimal {
        precision: u32,
        min: Decimal,
        max: Decimal,
    },
    Money {
        min: Decimal,
        max: Decimal,
        /// Decimals of the column's own; none means those of the row's currency.
        precision: Option<u32>,
    },
    Double {
        min: f64,
        max: f64,
    },
    Bool,
    Choice(Vec<Choice>),
    /// Several of the options: `"1,3"` on the wire.
    Choices(Vec<Choice>),
    /// `of` is the default status of the state.
    State(Vec<Choice>),
    /// `of` is the state of the status.
    Status(Vec<Choice>),
    Date,
    Time,
    Guid,
    Lookup(Vec<Target>),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Choice {
    pub(crate) value: i32,
    pub(crate) label: String,
    pub(crate) of: i32,
}

/// One table that a lookup may refer to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Target {
    pub(crate) table: Name,
    /// Name of the single-valued navigation property.
    pub(crate) navigation: String,
    /// Schema name of the relationship, and name of the collection on the other side.
    pub(crate) relationship: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ManyToMany {
    pub(crate) schema_name: String,
    pub(crate) intersect: String,
    pub(crate) first: (Name, String),
    pub(crate) second: (Name, String),
    /// It was deleted. Its place stays taken, because pairs of rows are kept by the place of their relationship.
    pub(crate) gone: bool,
}

/// Where a navigation property leads.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Navigation {
    One {
        column: Name,
        table: Name,
    },
    Children {
        table: Name,
        column: Name,
    },
    Many {
        relationship: usize,
        table: Name,
        here_is_first: bool,
    },
}

impl Schema {
    /// The standard tables plus those of the configuration.
    pub(crate) fn new(config: &SimulatorConfig) -> Result<Self, String> {
        let mut schema = Self::default();
        text::read(&mut schema, STANDARD)?;
        custom::add(&mut schema, config)?;
        schema.index()?;
        Ok(schema)
    }

    pub(crate) fn table(&self, logical: &str) -> Option<&Table> {
        self.tables.get(logical)
    }

    pub(crate) fn of_set(&self, set: &str) -> Option<&Table> {
        self.tables.get(self.sets.get(set)?)
    }

    pub(crate) fn navigation(&self, table: &str, name: &str) -> Option<&Navigation> {
        self.navigations.get(table)?.get(name)
    }

    pub(crate) fn navigations(&self, table: &str) -> impl Iterator<Item = (&String, &Navigation)> {
        self.navigations.get(table).into_iter().flatten()
    }

    /// Fills the indexes anew; every lookup must lead to a table.
    fn index(&mut self) -> Result<(), String> {
        self.sets.clear();
        self.navigations.clear();
        let mut put = Vec::new();
        for table in self.tables.values() {
            self.sets.insert(table.set.clone(), table.logical.clone());
            for column in table.columns.values() {
                let Kind::Lookup(targets) = &column.kind else {
                    continue;
                };
                for target in targets {
                    if !self.tables.contains_key(&target.table) {
                        return Err(format!(
                            "lookup {}.{} leads to '{}', which does not exist",
                            table.logical, column.logical, target.table
                        ));
                    }
                    let one = Navigation::One {
                        column: column.logical.clone(),
                        table: target.table.clone(),
                    };
                    put.push((table.logical.clone(), target.navigation.clone(), one));
                    let children = Navigation::Children {
                        table: table.logical.clone(),
                        column: column.logical.clone(),
                    };
                    put.push((target.table.clone(), target.relationship.clone(), children));
                }
            }
        }
        let there = |(_, many): &(usize, &ManyToMany)| !many.gone;
        for (relationship, many) in self.many.iter().enumerate().filter(there) {
            for (here, there, here_is_first) in [
                (&many.first, &many.second, true),
                (&many.second, &many.first, false),
            ] {
                let navigation = Navigation::Many {
                    relationship,
                    table: there.0.clone(),
                    here_is_first,
                };
                put.push((here.0.clone(), here.1.clone(), navigation));
            }
        }
        for (table, name, navigation) in put {
            self.navigations
                .entry(table)
                .or_default()
                .insert(name, navigation);
        }
        Ok(())
    }
}

impl Table {
    pub(crate) fn column(&self, logical: &str) -> Option<&Column> {
        self.columns.get(logical)
    }

    /// The column behind a property of the wire: a logical name, or `_x_value` for a lookup.
    pub(crate) fn property(&self, name: &str) -> Option<&Column> {
        match name
            .strip_prefix('_')
            .and_then(|rest| rest.strip_suffix("_value"))
        {
            Some(lookup) => self
                .columns
                .get(lookup)
                .filter(|column| matches!(column.kind, Kind::Lookup(_))),
            None => self
                .columns
                .get(name)
                .filter(|column| !matches!(column.kind, Kind::Lookup(_))),
        }
    }
}

impl Column {
    /// The name of this column on the wire.
    pub(crate) fn wire_name(&self) -> String {
        match self.kind {
            Kind::Lookup(_) => format!("_{}_value", self.logical),
            _ => self.logical.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_tables_read_without_a_mistake() {
        let schema = Schema::new(&SimulatorConfig::demo()).unwrap();
        let opportunity = schema.table("opportunity").unwrap();
        assert_eq!(opportunity.set, "opportunities");
        assert!(
            opportunity
                .column("estimatedvalue_base")
                .is_some_and(|column| !column.update)
        );
        assert!(
            schema
                .navigation("opportunity", "customerid_account")
                .is_some()
        );
        assert!(schema.navigation("account", "new_CountryId").is_some());
        assert!(schema.navigation("account", "new_countryid").is_none());
        assert!(
            schema
                .navigation("account", "opportunity_customer_accounts")
                .is_some()
        );
    }
}
