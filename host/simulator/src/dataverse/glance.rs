//! A few columns of every row of a table: what lists for people are made of.

use serde_json::Value;

use super::{Dataverse, prefer::Prefer, read};
use crate::odata::options::Options;

impl Dataverse {
    /// The named properties of every row, beside its key.
    pub(crate) fn glance(&self, table: &str, properties: &[&str]) -> Vec<Value> {
        let db = self.db();
        let (Some(held), Some(rows)) = (db.schema.table(table), db.rows(table)) else {
            return Vec::new();
        };
        let options = Options {
            select: Some(properties.iter().map(|name| (*name).to_owned()).collect()),
            ..Options::default()
        };
        let (prefer, rows) = (Prefer::default(), rows.live.values());
        rows.map(|row| Value::Object(read::render(&db, held, row, &options, &prefer)))
            .collect()
    }
}
