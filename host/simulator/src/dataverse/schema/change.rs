//! What customisers change of a schema that is in use: tables, columns, relationships and keys that come and go.

use super::{
    AlternateKey, Choice, Column, Kind, ManyToMany, Name, Schema, Table, add, blank_table,
    system_columns,
};

/// Object type code of the first table that is made through the API, behind those of the configuration.
const FIRST_MADE_CODE: i32 = 10_500;

/// Why a schema stays as it is. Each names what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Conflict {
    Exists(String),
    Unknown(String),
    /// It belongs to the platform.
    NotCustom(String),
    /// Something else leans on it.
    InUse(String),
    /// A lookup or key that leads nowhere.
    Broken(String),
}

impl Schema {
    /// A table as a customiser begins it: its key, owner and states.
    pub(crate) fn blank(&self, schema_name: &str, set: &str, primary_name: &str) -> Table {
        let logical = schema_name.to_lowercase();
        let taken = self.tables.values().map(|table| table.code + 1);
        let code = taken.max().unwrap_or(FIRST_MADE_CODE).max(FIRST_MADE_CODE);
        let mut made = blank_table(&logical, set, &format!("{logical}id"), primary_name, code);
        schema_name.clone_into(&mut made.schema_name);
        made.custom = true;
        system_columns(&mut made, true, true);
        made
    }

    pub(crate) fn add_table(&mut self, table: Table) -> Result<(), Conflict> {
        if self.tables.contains_key(&table.logical) || self.sets.contains_key(&table.set) {
            return Err(Conflict::Exists(table.logical.to_string()));
        }
        self.tables.insert(table.logical.clone(), table);
        self.reindex()
    }

    pub(crate) fn add_column(&mut self, table: &str, column: Column) -> Result<(), Conflict> {
        let held = self
            .tables
            .get_mut(table)
            .ok_or_else(|| Conflict::Unknown(table.to_owned()))?;
        if held.columns.contains_key(&column.logical) {
            return Err(Conflict::Exists(column.logical.to_string()));
        }
        add(held, column);
        self.reindex()
    }

    /// Puts a column of the same name in place.
    pub(crate) fn replace_column(&mut self, table: &str, column: Column) -> Result<(), Conflict> {
        let held = self
            .tables
            .get_mut(table)
            .ok_or_else(|| Conflict::Unknown(table.to_owned()))?;
        held.columns.insert(column.logical.clone(), column);
        self.reindex()
    }

    pub(crate) fn add_many(&mut self, many: ManyToMany) -> Result<(), Conflict> {
        let taken = |(table, navigation): &(Name, String)| {
            !self.tables.contains_key(table) || self.navigation(table, navigation).is_some()
        };
        for side in [&many.first, &many.second] {
            if !self.tables.contains_key(&side.0) {
                return Err(Conflict::Unknown(side.0.to_string()));
            }
            if taken(side) {
                return Err(Conflict::Exists(many.schema_name));
            }
        }
        self.many.push(many);
        self.reindex()
    }

    pub(crate) fn add_key(&mut self, table: &str, key: AlternateKey) -> Result<(), Conflict> {
        let held = self
            .tables
            .get_mut(table)
            .ok_or_else(|| Conflict::Unknown(table.to_owned()))?;
        let unknown = key.columns.iter().find(|name| held.column(name).is_none());
        if let Some(unknown) = unknown {
            return Err(Conflict::Unknown(unknown.to_string()));
        }
        let twin = |other: &AlternateKey| {
            other.logical_name() == key.logical_name() || other.columns == key.columns
        };
        if held.keys.iter().any(twin) {
            return Err(Conflict::Exists(key.schema_name));
        }
        held.keys.push(key);
        Ok(())
    }

    /// Takes a custom table away, and with it the relationships that lead to it must be gone.
    pub(crate) fn drop_table(&mut self, table: &str) -> Result<(), Conflict> {
        let held = self
            .table(table)
            .ok_or_else(|| Conflict::Unknown(table.to_owned()))?;
        if !held.custom {
            return Err(Conflict::NotCustom(table.to_owned()));
        }
        let leads_here = |column: &Column| match &column.kind {
            Kind::Lookup(targets) => targets.iter().any(|target| *target.table == *table),
            _ => false,
        };
        let mut others = self
            .tables
            .values()
            .filter(|other| *other.logical != *table);
        if let Some(other) = others.find(|other| other.columns.values().any(leads_here)) {
            return Err(Conflict::InUse(other.logical.to_string()));
        }
        for many in &mut self.many {
            if *many.first.0 == *table || *many.second.0 == *table {
                many.gone = true;
            }
        }
        self.tables.remove(table);
        self.reindex()
    }

    /// Takes a custom column away, unless it names the rows or a key stands on it.
    pub(crate) fn drop_column(&mut self, table: &str, column: &str) -> Result<(), Conflict> {
        let held = self
            .tables
            .get_mut(table)
            .ok_or_else(|| Conflict::Unknown(table.to_owned()))?;
        let named = held
            .column(column)
            .ok_or_else(|| Conflict::Unknown(column.to_owned()))?;
        if !named.custom {
            return Err(Conflict::NotCustom(column.to_owned()));
        }
        let leans = |key: &&AlternateKey| key.columns.iter().any(|name| **name == *column);
        if let Some(key) = held.keys.iter().find(leans) {
            return Err(Conflict::InUse(key.schema_name.clone()));
        }
        if *held.primary_name == *column || *held.key == *column {
            return Err(Conflict::InUse(held.schema_name.clone()));
        }
        held.columns.remove(column);
        held.columns.remove(format!("{column}_base").as_str());
        self.reindex()
    }

    pub(crate) fn drop_key(&mut self, table: &str, logical_name: &str) -> Result<(), Conflict> {
        let held = self
            .tables
            .get_mut(table)
            .ok_or_else(|| Conflict::Unknown(table.to_owned()))?;
        let count = held.keys.len();
        held.keys.retain(|key| key.logical_name() != logical_name);
        if held.keys.len() == count {
            return Err(Conflict::Unknown(logical_name.to_owned()));
        }
        Ok(())
    }

    /// Takes a relationship away: a many-to-many one, or the lookup of that schema name.
    pub(crate) fn drop_relationship(&mut self, schema_name: &str) -> Result<(), Conflict> {
        let mut many = self.many.iter_mut().filter(|many| !many.gone);
        if let Some(many) = many.find(|many| many.schema_name == schema_name) {
            many.gone = true;
            return self.reindex();
        }
        let found = self.tables.values().find_map(|table| {
            let column = table
                .columns
                .values()
                .find(|column| match &column.kind {
                    Kind::Lookup(targets) => targets
                        .iter()
                        .any(|target| target.relationship == schema_name),
                    _ => false,
                })?
                .logical
                .clone();
            Some((table.logical.clone(), column))
        });
        let (table, column) = found.ok_or_else(|| Conflict::Unknown(schema_name.to_owned()))?;
        self.drop_column(&table, &column)
    }

    pub(crate) fn add_choice(&mut self, name: &str, options: Vec<Choice>) -> Result<(), Conflict> {
        if self.choices.contains_key(name) {
            return Err(Conflict::Exists(name.to_owned()));
        }
        self.choices.insert(name.to_owned(), options);
        Ok(())
    }

    /// Takes a global choice away that no column has.
    pub(crate) fn drop_choice(&mut self, name: &str) -> Result<(), Conflict> {
        let has = |column: &&Column| column.global.as_deref() == Some(name);
        let mut columns = self
            .tables
            .values()
            .flat_map(|table| table.columns.values());
        if let Some(column) = columns.find(has) {
            return Err(Conflict::InUse(column.schema_name.clone()));
        }
        self.choices
            .remove(name)
            .map(drop)
            .ok_or_else(|| Conflict::Unknown(name.to_owned()))
    }

    fn reindex(&mut self) -> Result<(), Conflict> {
        self.index().map_err(Conflict::Broken)
    }
}
