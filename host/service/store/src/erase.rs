//! A person is erased from everything that a store holds, and the audit's chains still verify (I7).
//!
//! Which columns may speak of a person stands here, in one place; what speaks of this one, and what it is to say instead, the caller decides, who can
//! read the values. Values that a run compares with (bases, raw records) are not rewritten but forgotten: unknown, and never empty (S9).

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::copy::{Cell, TABLES, aside, each_row};
use crate::{Clock, LaneId, PostgresStore, SqliteStore, StoreError, StoreUrl};

/// How often what has come meanwhile is looked for: a host may be running.
const ROUNDS_MAX: usize = 5;

/// Columns that may speak of a person.
pub(crate) const PERSONAL: &[Personal] = &[
    says("lane", &["reason", "failure"]),
    says("bell", &["cause"]),
    says("event", &["cause"]),
    says("link", &["notes", "mark"]),
    forgotten("base", &["value"]),
    forgotten("raw", &["body"]),
    says("intent", &["detail"]),
    says("attempt", &["detail"]),
    says("audit", &["message", "detail"]),
    says("throttle", &["reason"]),
    says("card", &["subject", "body", "answered_by", "closed_why"]),
    says(
        "hold",
        &["subject", "body", "fingerprint", "settled_by", "closed_why"],
    ),
    says("note", &["value"]),
    says("active_set", &["by_whom", "note"]),
    says("quarantine", &["why", "by_whom", "released_by"]),
    says("plugin_event", &["by_whom", "message"]),
    says("judgement", &["body"]),
    forgotten("recording", &["body"]),
];

/// The columns of one table.
pub(crate) struct Personal {
    pub(crate) table: &'static str,
    pub(crate) columns: &'static [&'static str],
    /// Not rewritten: a base becomes unknown, other rows go.
    pub(crate) is_forgotten: bool,
}

const fn says(table: &'static str, columns: &'static [&'static str]) -> Personal {
    Personal {
        table,
        columns,
        is_forgotten: false,
    }
}

const fn forgotten(table: &'static str, columns: &'static [&'static str]) -> Personal {
    Personal {
        table,
        columns,
        is_forgotten: true,
    }
}

/// Words that may speak of a person.
#[derive(Debug)]
pub struct Words<'a> {
    /// `audit`, `base`, …
    pub table: &'static str,
    /// `message`, `value`, …
    pub column: &'static str,
    /// Whose; empty in tables that are of the whole store.
    pub connection: &'a str,
    /// Of which deal, where the table says so.
    pub lane: Option<LaneId>,
    /// The last part of the row's key: a raw record's hash, a recording's content.
    pub key: &'a str,
    /// A text, or sealed bytes.
    pub said: Said<'a>,
}

/// What stands in a column.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "the names are the doc")]
pub enum Said<'a> {
    Text(&'a str),
    Bytes(&'a [u8]),
}

/// Decides about words: None, they do not speak of the person; else what they say without it. Of raw records, bases and recordings the new words
/// are not used.
pub type Scrub = Arc<dyn Fn(&Words<'_>) -> Option<String> + Send + Sync>;

/// What speaks of a person, and what was done about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Erased {
    /// Rows that speak of the person, or did, by table.
    pub rows: std::collections::BTreeMap<&'static str, u64>,
    /// Deals that they belong to.
    pub lanes: BTreeSet<(String, i64)>,
    /// Deals with a write under way that speaks of the person: they are left as they are until it is over. Erase again then.
    pub under_way: BTreeSet<(String, i64)>,
    /// Something still came in while we erased: a host has looked at the records meanwhile. Erase it on both sides first, then here again.
    pub coming_in: bool,
}

/// A row that speaks of the person.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Hit {
    /// Place in [`PERSONAL`].
    pub(crate) place: usize,
    /// Values of the key, as texts and numbers.
    pub(crate) key: Vec<KeyPart>,
}

/// One value of a key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum KeyPart {
    Number(i64),
    Text(String),
}

/// Hits of one deal, which are settled in one transaction; without a deal, those of whole-store tables and of tables that name none.
#[derive(Debug, Clone, Default)]
pub(crate) struct Batch {
    pub(crate) lane: Option<(String, i64)>,
    pub(crate) hits: Vec<Hit>,
}

impl Hit {
    pub(crate) fn personal(&self) -> &'static Personal {
        &PERSONAL[self.place]
    }

    /// `connection = ?1 AND lane = ?2`, in the dialect whose parameters begin with `mark`; the first has the number after `after`.
    pub(crate) fn condition(&self, mark: char, after: usize) -> String {
        let columns = key_columns(self.personal().table).into_iter();
        let parts = columns
            .enumerate()
            .map(|(place, column)| format!("{column} = {mark}{}", after + place + 1));
        parts.collect::<Vec<_>>().join(" AND ")
    }

    pub(crate) fn cells(&self) -> Vec<Cell> {
        let cell = |part: &KeyPart| match part {
            KeyPart::Number(number) => Cell::Integer(*number),
            KeyPart::Text(text) => Cell::Text(text.clone()),
        };
        self.key.iter().map(cell).collect()
    }

    /// What the row's columns are to say, in their order; None where one stays.
    pub(crate) fn scrubbed(&self, scrub: &Scrub, cells: &[Cell]) -> Vec<Option<String>> {
        let personal = self.personal();
        let names = key_columns(personal.table);
        let part = |name: &str| {
            let place = names.iter().position(|column| *column == name)?;
            self.key.get(place)
        };
        let connection = match part("connection") {
            Some(KeyPart::Text(connection)) => connection.as_str(),
            _ => "",
        };
        let lane = match part("lane") {
            Some(KeyPart::Number(lane)) => Some(LaneId(*lane)),
            _ => None,
        };
        let key = match self.key.last() {
            Some(KeyPart::Text(key)) => key.as_str(),
            _ => "",
        };
        let ask = |column: &&'static str, said: Said<'_>| {
            scrub(&Words {
                table: personal.table,
                column,
                connection,
                lane,
                key,
                said,
            })
        };
        let columns = personal.columns.iter().zip(cells);
        columns
            .map(|(column, cell)| match cell {
                Cell::Text(text) => ask(column, Said::Text(text)),
                Cell::Bytes(bytes) => ask(column, Said::Bytes(bytes)),
                Cell::Null | Cell::Integer(_) => None,
            })
            .collect()
    }
}

/// The columns of a table's key.
pub(crate) fn key_columns(table: &str) -> Vec<&'static str> {
    let found = TABLES.iter().find(|one| one.name == table);
    found.map_or_else(Vec::new, |table| table.key.split(", ").collect())
}

/// Says what speaks of a person, and changes nothing.
///
/// # Errors
/// [`StoreError::Broken`]: the store is not there, or failed.
pub async fn find_person(from: &StoreUrl, scrub: &Scrub) -> Result<Erased, StoreError> {
    let mut erased = Erased::default();
    for batch in look(from, scrub).await? {
        count(&mut erased, &batch);
    }
    Ok(erased)
}

/// Erases what speaks of a person, deal by deal, each in one transaction with an entry in its audit that says who ordered it and which entries changed.
/// Hosts may run meanwhile; what they read of the person again is erased again, a few times. What was erased before a failure stays erased.
///
/// # Errors
/// [`StoreError::Broken`]: the store is not there, or failed.
pub async fn erase_person(
    from: &StoreUrl,
    clock: Option<Clock>,
    scrub: &Scrub,
    by: &str,
) -> Result<Erased, StoreError> {
    let mut erased = Erased::default();
    for _ in 0..ROUNDS_MAX {
        let mut batches = look(from, scrub).await?;
        batches.retain(|batch| !batch.is_in(&erased.under_way));
        if batches.is_empty() {
            return Ok(erased);
        }
        for batch in &batches {
            count(&mut erased, batch);
        }
        let under_way = match from {
            StoreUrl::Sqlite(path) => {
                let (path, scrub, by) = (path.clone(), Arc::clone(scrub), by.to_owned());
                let clock = clock.clone();
                aside(move || SqliteStore::erase(&path, clock, &batches, &scrub, &by)).await?
            }
            StoreUrl::Postgres(url) => {
                let store = PostgresStore::open(url, clock.clone()).await?;
                store.erase(&batches, scrub, by).await?
            }
        };
        erased.under_way.extend(under_way);
    }
    erased.coming_in = true;
    Ok(erased)
}

impl Batch {
    fn is_in(&self, lanes: &BTreeSet<(String, i64)>) -> bool {
        self.lane.as_ref().is_some_and(|lane| lanes.contains(lane))
    }
}

fn count(erased: &mut Erased, batch: &Batch) {
    erased.lanes.extend(batch.lane.clone());
    for hit in &batch.hits {
        *erased.rows.entry(hit.personal().table).or_default() += 1;
    }
}

/// Everything that speaks of the person, by deal.
async fn look(from: &StoreUrl, scrub: &Scrub) -> Result<Vec<Batch>, StoreError> {
    let mut batches: std::collections::BTreeMap<Option<(String, i64)>, Vec<Hit>> =
        std::collections::BTreeMap::new();
    each_row(from, |table, columns, row| {
        let Some(place) = PERSONAL.iter().position(|one| one.table == table) else {
            return;
        };
        let cell = |name: &str| {
            let place = columns.iter().position(|column| column == name)?;
            row.get(place)
        };
        let key = key_columns(table).into_iter().map(|name| match cell(name) {
            Some(Cell::Integer(number)) => KeyPart::Number(*number),
            Some(Cell::Text(text)) => KeyPart::Text(text.clone()),
            _ => KeyPart::Text(String::new()),
        });
        let hit = Hit {
            place,
            key: key.collect(),
        };
        let said: Vec<Cell> = PERSONAL[place]
            .columns
            .iter()
            .map(|name| cell(name).cloned().unwrap_or(Cell::Null))
            .collect();
        if hit.scrubbed(scrub, &said).iter().all(Option::is_none) {
            return;
        }
        let lane = match (cell("connection"), cell("lane")) {
            (Some(Cell::Text(connection)), Some(Cell::Integer(lane))) => {
                Some((connection.clone(), *lane))
            }
            _ => None,
        };
        batches.entry(lane).or_default().push(hit);
    })
    .await?;
    let batch = |(lane, hits)| Batch { lane, hits };
    Ok(batches.into_iter().map(batch).collect())
}

/// What is to be done about the rows of one deal, read anew inside the transaction that does it. The only dialect in it is the mark of parameters.
pub(crate) fn select(hit: &Hit, mark: char) -> String {
    let Personal { table, columns, .. } = hit.personal();
    let columns = columns.join(", ");
    let condition = hit.condition(mark, 0);
    format!("SELECT {columns} FROM {table} WHERE {condition}")
}

/// The statement that takes the words away, with its parameters: first the new words, then the key.
pub(crate) fn statement(hit: &Hit, mark: char, said: &[Option<String>]) -> (String, Vec<Cell>) {
    let Personal {
        table,
        columns,
        is_forgotten,
    } = hit.personal();
    if *is_forgotten {
        let condition = hit.condition(mark, 0);
        return (
            format!("DELETE FROM {table} WHERE {condition}"),
            hit.cells(),
        );
    }
    let mut cells = Vec::new();
    let mut sets = Vec::new();
    for (column, new) in columns.iter().zip(said) {
        if let Some(new) = new {
            cells.push(Cell::Text(new.clone()));
            sets.push(format!("{column} = {mark}{}", cells.len()));
        }
    }
    if *table == "audit" {
        sets.push("salt = NULL, erased = 1".to_owned());
    }
    let condition = hit.condition(mark, cells.len());
    cells.extend(hit.cells());
    (
        format!("UPDATE {table} SET {} WHERE {condition}", sets.join(", ")),
        cells,
    )
}

/// Of a unit that one side's base spoke of, the other side's is forgotten too: one known and one unknown base would be half a memory. The
/// parameters are connection, lane and unit.
pub(crate) fn forget_base(mark: char) -> String {
    format!(
        "UPDATE base SET value = NULL, raw = NULL WHERE connection = {mark}1 AND lane = {mark}2 AND unit = {mark}3"
    )
}

/// Bases of a raw record that goes keep what they say. The parameters are connection, lane and hash.
pub(crate) fn without_raw(mark: char) -> String {
    format!(
        "UPDATE base SET raw = NULL WHERE connection = {mark}1 AND lane = {mark}2 AND raw = {mark}3"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_that_may_speak_of_a_person_has_a_key() {
        for personal in PERSONAL {
            assert!(
                !key_columns(personal.table).is_empty(),
                "{}",
                personal.table
            );
        }
    }

    /// Whoever adds a column of text to a table decides here whether it may speak of a person.
    #[test]
    fn every_text_of_the_store_is_known_to_speak_of_a_person_or_not() {
        const NEVER: &[&str] = &[
            "connection",
            "name",
            "state",
            "lease_owner",
            "audit_head",
            "parked_on",
            "side",
            "kind",
            "record",
            "dedupe",
            "referral",
            "microsoft_referral",
            "engagement",
            "crm_table",
            "crm_row",
            "etags",
            "set_hash",
            "unit",
            "raw",
            "hash",
            "operation",
            "record_kind",
            "precondition",
            "outcome",
            "stream",
            "credential",
            "choice",
            "salt",
            "commitment",
            "file",
            "sha256",
            "component",
            "source",
            "operator",
            "plugin",
            "folder",
            "what",
            "version",
            "pair",
            "verdict",
            "content",
        ];
        // Positions in a list of changes, a name of a column with its table's key: no person.
        const NEVER_HERE: &[(&str, &str)] = &[("cursor", "value"), ("set_member", "detail")];
        let sql = crate::sqlite::in_memory_schema();
        let mut tables = sql
            .prepare("SELECT m.name, c.name FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'table' AND c.type IN ('TEXT', 'BLOB')")
            .unwrap();
        let columns: Vec<(String, String)> = tables
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert!(columns.len() > 80);
        for (table, column) in columns {
            let personal = PERSONAL
                .iter()
                .any(|one| one.table == table && one.columns.contains(&column.as_str()));
            let never = NEVER.contains(&column.as_str())
                || NEVER_HERE.contains(&(table.as_str(), column.as_str()))
                || (table == "component" && column == "bytes");
            assert!(
                personal != never,
                "{table}.{column}: may it speak of a person? say so in PERSONAL, or here"
            );
        }
    }
}
