//! What an organisation adds to the standard tables: tables, columns, many-to-many relationships, status reasons.

use rust_decimal::Decimal;

use super::{
    AlternateKey, Choice, Column, Kind, ManyToMany, Name, Required, Schema, Table, Target,
    add as add_column, blank_table, plain_column, system_columns,
};
use crate::config::{ColumnConfig, ColumnKind, ManyConfig, SimulatorConfig, TableConfig};

/// Object type code of the first custom table.
const FIRST_CUSTOM_CODE: i32 = 10_200;

/// Adds everything that the configuration names.
pub(super) fn add(schema: &mut Schema, config: &SimulatorConfig) -> Result<(), String> {
    for (code, table) in (FIRST_CUSTOM_CODE..).zip(&config.tables) {
        let table = custom_table(table, code)?;
        if schema.tables.contains_key(&table.logical) {
            return Err(format!("table '{}' exists already", table.logical));
        }
        schema.tables.insert(table.logical.clone(), table);
    }
    for extra in &config.columns {
        let table = schema.tables.get_mut(extra.table.as_str());
        let table = table
            .ok_or_else(|| format!("there is no table '{}' for a custom column", extra.table))?;
        add_column(table, custom_column(&extra.table, &extra.column));
    }
    for many in &config.relationships {
        let many = custom_many(schema, many)?;
        schema.many.push(many);
    }
    for status in &config.statuses {
        schema.add_status(&status.table, status.value, &status.label, status.state)?;
    }
    Ok(())
}

fn custom_table(config: &TableConfig, code: i32) -> Result<Table, String> {
    let logical = config.schema_name.to_lowercase();
    let key = format!("{logical}id");
    let mut made = blank_table(
        &logical,
        &config.entity_set,
        &key,
        &config.primary_name,
        code,
    );
    made.schema_name.clone_from(&config.schema_name);
    made.custom = true;
    system_columns(&mut made, true, true);
    for column in &config.columns {
        add_column(&mut made, custom_column(&logical, column));
    }
    if !made.columns.contains_key(config.primary_name.as_str()) {
        return Err(format!(
            "table '{logical}' has no column '{}' to be its primary name",
            config.primary_name
        ));
    }
    for key in &config.keys {
        let missing = key
            .iter()
            .find(|name| !made.columns.contains_key(name.as_str()));
        if let Some(missing) = missing {
            return Err(format!(
                "a key of table '{logical}' names column '{missing}', which does not exist"
            ));
        }
        let columns = key.iter().map(|name| Name::from(name.as_str())).collect();
        made.keys.push(AlternateKey::standing(columns));
    }
    Ok(made)
}

/// The collection on either side is named like the relationship, so the two sides must be different tables.
fn custom_many(schema: &Schema, config: &ManyConfig) -> Result<ManyToMany, String> {
    for table in [&config.first, &config.second] {
        if !schema.tables.contains_key(table.as_str()) {
            return Err(format!(
                "relationship '{}' leads to '{table}', which does not exist",
                config.schema_name
            ));
        }
    }
    if config.first == config.second {
        return Err(format!(
            "relationship '{}' leads from '{}' to itself, which this simulator does not have",
            config.schema_name, config.first
        ));
    }
    let side = |table: &str| (Name::from(table), config.schema_name.clone());
    Ok(ManyToMany {
        schema_name: config.schema_name.clone(),
        intersect: config.schema_name.to_lowercase(),
        first: side(&config.first),
        second: side(&config.second),
        gone: false,
    })
}

impl Schema {
    /// Adds a status reason of an organisation's own to a state of a table.
    pub(crate) fn add_status(
        &mut self,
        table: &str,
        value: i32,
        label: &str,
        state: i32,
    ) -> Result<(), String> {
        let states = match self
            .table(table)
            .and_then(|held| Some(&held.column("statecode")?.kind))
        {
            Some(Kind::State(states)) => states.iter().map(|choice| choice.value).collect(),
            _ => Vec::new(),
        };
        if !states.contains(&state) {
            return Err(format!("table '{table}' has no state {state}"));
        }
        let statuses = self
            .statuses_of(table)
            .ok_or_else(|| format!("table '{table}' has no status reasons"))?;
        if statuses.iter().any(|choice| choice.value == value) {
            return Err(format!("table '{table}' has a status {value} already"));
        }
        statuses.push(Choice {
            value,
            label: label.to_owned(),
            of: state,
        });
        Ok(())
    }

    /// Takes a status reason away; the state's first remaining one becomes its default. Rows that have it keep it.
    pub(crate) fn retire_status(&mut self, table: &str, value: i32) -> Result<(), String> {
        let none = || format!("table '{table}' has no status {value}");
        let statuses = self.statuses_of(table).ok_or_else(none)?;
        let at = statuses
            .iter()
            .position(|choice| choice.value == value)
            .ok_or_else(none)?;
        let state = statuses[at].of;
        let next = statuses
            .iter()
            .find(|choice| choice.of == state && choice.value != value)
            .map(|choice| choice.value);
        let next = next.ok_or_else(|| format!("{value} is the last status of state {state}"))?;
        statuses.remove(at);
        let column = self
            .tables
            .get_mut(table)
            .and_then(|held| held.columns.get_mut("statecode"));
        if let Some(Kind::State(states)) = column.map(|column| &mut column.kind) {
            for held in states.iter_mut().filter(|held| held.of == value) {
                held.of = next;
            }
        }
        Ok(())
    }

    fn statuses_of(&mut self, table: &str) -> Option<&mut Vec<Choice>> {
        match &mut self
            .tables
            .get_mut(table)?
            .columns
            .get_mut("statuscode")?
            .kind
        {
            Kind::Status(statuses) => Some(statuses),
            _ => None,
        }
    }
}

fn custom_column(table: &str, config: &ColumnConfig) -> Column {
    let billion = Decimal::from(100_000_000_000_i64);
    let kind = match &config.kind {
        ColumnKind::Text { max_length } => Kind::Text { max: *max_length },
        ColumnKind::Memo { max_length } => Kind::Memo { max: *max_length },
        ColumnKind::Whole => Kind::Int {
            min: i64::from(i32::MIN),
            max: i64::from(i32::MAX),
        },
        ColumnKind::Decimal { precision } => Kind::Decimal {
            precision: *precision,
            min: -billion,
            max: billion,
        },
        ColumnKind::Money => Kind::Money {
            min: -billion,
            max: billion,
            precision: None,
        },
        ColumnKind::Boolean => Kind::Bool,
        ColumnKind::DateOnly => Kind::Date,
        ColumnKind::DateTime => Kind::Time,
        ColumnKind::Choice { options } => Kind::Choice(
            options
                .iter()
                .map(|(value, label)| Choice {
                    value: *value,
                    label: label.clone(),
                    of: 0,
                })
                .collect(),
        ),
        // A custom lookup's navigation property keeps the casing of the schema name.
        ColumnKind::Lookup { target } => Kind::Lookup(vec![Target {
            table: target.as_str().into(),
            navigation: config.schema_name.clone(),
            relationship: format!("new_{target}_{table}_{}", config.schema_name),
        }]),
    };
    let mut column = plain_column(&config.schema_name.to_lowercase(), kind);
    column.schema_name.clone_from(&config.schema_name);
    column.custom = true;
    if config.required {
        column.required = Required::System;
    }
    column
}
