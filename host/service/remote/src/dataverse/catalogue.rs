//! What is remembered about an organisation: its tables, and its currencies.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt, TryStreamExt};
use http::Method;

use crate::dataverse::cells::{Currency, places};
use crate::dataverse::client::{Dataverse, refused, rows};
use crate::dataverse::metadata::{
    CASTS, COLUMN_SELECT, Documents, KEY_SELECT, Kind, LOOKUP_SELECT, MANY_SELECT, STATUS_CAST,
    TABLE_SELECT, Table, is_logical_name,
};
use crate::error::RemoteError;
use crate::http::{Answer, Call, encode, guid, query_text};
use crate::json::{self, Object, Raw};

/// Requests at once while a table's metadata is read: well below the 52 that a user may have.
const METADATA_REQUESTS_AT_ONCE: usize = 4;

/// What is known about an organisation is asked again at most so often, however many unknown names come by.
const REFRESH_EVERY: Duration = Duration::from_secs(60);

/// Everything that was asked about an organisation so far.
#[derive(Default)]
pub(super) struct Catalogue {
    tables: Mutex<HashMap<String, Known<Arc<Table>>>>,
    heads: Mutex<HashMap<String, Arc<Head>>>,
    currencies: Mutex<Option<Known<Arc<Vec<Currency>>>>>,
    /// One reader of metadata at a time; the others find it read.
    reading: tokio::sync::Mutex<()>,
}

impl Catalogue {
    /// A name turned out to be unknown: what was read a while ago is not so any more.
    pub(super) fn forget_old(&self, now: Instant) {
        held(&self.tables).retain(|_, known| known.age(now) < REFRESH_EVERY);
    }

    /// The same, as if it had been read at this moment.
    pub(super) fn copied(&self, now: Instant) -> Self {
        let tables = held(&self.tables)
            .iter()
            .map(|(table, known)| (table.clone(), known.copied(now)))
            .collect();
        let heads = held(&self.heads).clone();
        let currencies = held(&self.currencies)
            .as_ref()
            .map(|known| known.copied(now));
        Self {
            tables: Mutex::new(tables),
            heads: Mutex::new(heads),
            currencies: Mutex::new(currencies),
            reading: tokio::sync::Mutex::default(),
        }
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Known<T> {
    what: T,
    since: Instant,
}

impl<T: Clone> Known<T> {
    fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }

    fn copied(&self, now: Instant) -> Self {
        Self {
            what: self.what.clone(),
            since: now,
        }
    }
}

/// What it takes to name a row of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) set: String,
    pub(super) id_column: String,
    pub(super) name_column: Option<String>,
}

impl Dataverse {
    /// What the CRM says about a table; remembered until [`Dataverse::refresh`], or until a name turns out to be unknown.
    ///
    /// # Errors
    /// `NotFound` when there is no such table.
    pub async fn metadata(&self, table: &str) -> Result<Arc<Table>, RemoteError> {
        if let Some(known) = self.known(table) {
            return Ok(known);
        }
        let _one_reader = self.catalogue().reading.lock().await;
        if let Some(known) = self.known(table) {
            return Ok(known);
        }
        let read = Arc::new(self.read_metadata(table).await?);
        let known = Known {
            what: Arc::clone(&read),
            since: self.now(),
        };
        self.catalogue()
            .tables
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(table.to_owned(), known);
        Ok(read)
    }

    /// Forgets everything about tables and currencies, to be read again when it is needed.
    pub fn refresh(&self) {
        self.catalogue()
            .tables
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        self.catalogue()
            .heads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        *held(&self.catalogue().currencies) = None;
    }

    /// Metadata of a table that is to have all of these columns; asked anew once when one is missing, because someone may just have
    /// created it.
    pub(super) async fn with_columns<'a>(
        &self,
        table: &str,
        columns: impl IntoIterator<Item = &'a str>,
        doing: &str,
    ) -> Result<Arc<Table>, RemoteError> {
        let columns: Vec<&str> = columns.into_iter().collect();
        let missing = |known: &Table| {
            columns
                .iter()
                .filter(|name| known.column(name).is_none())
                .map(|name| format!("{table}.{name}"))
                .collect::<Vec<_>>()
        };
        let mut known = self.metadata(table).await?;
        if !missing(&known).is_empty() && self.forget_if_old(table) {
            known = self.metadata(table).await?;
        }
        let missing = missing(&known);
        if missing.is_empty() {
            return Ok(known);
        }
        let message = format!("the CRM has no column {}", missing.join(", "));
        Err(refused(doing.to_owned(), message)
            .with_code("no-such-column")
            .with_advice("check the mapping, or create the columns"))
    }

    pub(super) async fn head(&self, table: &str) -> Result<Arc<Head>, RemoteError> {
        if let Some(known) = self.known(table) {
            return Ok(Arc::new(Head {
                set: known.set.clone(),
                id_column: known.id_column.clone(),
                name_column: known.name_column.clone(),
            }));
        }
        if let Some(head) = held(&self.catalogue().heads).get(table) {
            return Ok(Arc::clone(head));
        }
        let (call, answer, members) = self.table_members(table).await?;
        let text = |name: &str| members.get(name).and_then(|value| json::filled(value));
        let (Some(set), Some(id_column)) = (text("EntitySetName"), text("PrimaryIdAttribute"))
        else {
            return Err(answer.unreadable(&call, "the answer does not describe a table"));
        };
        let head = Arc::new(Head {
            set,
            id_column,
            name_column: text("PrimaryNameAttribute"),
        });
        self.catalogue()
            .heads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(table.to_owned(), Arc::clone(&head));
        Ok(head)
    }

    /// Currencies of the organisation. With `missing`, asked anew unless that was done a moment ago.
    pub(super) async fn currencies(
        &self,
        missing: bool,
    ) -> Result<Arc<Vec<Currency>>, RemoteError> {
        let now = self.now();
        let fresh_enough = |known: &Known<_>| !missing || known.age(now) < REFRESH_EVERY;
        if let Some(known) = held(&self.catalogue().currencies)
            .as_ref()
            .filter(|known| fresh_enough(known))
        {
            return Ok(Arc::clone(&known.what));
        }
        let query = query_text(&[(
            "$select",
            "transactioncurrencyid,isocurrencycode,currencyprecision".to_owned(),
        )]);
        let call = self.call(
            Method::GET,
            "/transactioncurrencies",
            Some(&query),
            "list the currencies",
        );
        let (answer, members) = self.object(&call).await?;
        let rows: Vec<Raw> = members
            .get("value")
            .and_then(|rows| json::parse(rows))
            .ok_or_else(|| answer.unreadable(&call, "the answer is no list"))?;
        let currency = |row: &Raw| {
            let members = json::object(row.get())?;
            Some(Currency {
                id: guid(&json::text(members.get("transactioncurrencyid")?)?)?,
                code: json::filled(members.get("isocurrencycode")?)?.to_ascii_uppercase(),
                precision: members.get("currencyprecision").map_or(2, places),
            })
        };
        let read = Arc::new(rows.iter().filter_map(currency).collect::<Vec<_>>());
        *held(&self.catalogue().currencies) = Some(Known {
            what: Arc::clone(&read),
            since: self.now(),
        });
        Ok(read)
    }

    /// Currencies, if rows of these tables hold money in any; asked anew when a row names one that we do not know.
    pub(super) async fn currencies_of<'a>(
        &self,
        rows: &[&Object],
        tables: impl Iterator<Item = &'a Arc<Table>>,
    ) -> Result<Vec<Currency>, RemoteError> {
        let mut tables = tables;
        if !tables.any(|table| {
            table
                .columns
                .values()
                .any(|column| matches!(column.kind, Kind::Money { .. }))
        }) {
            return Ok(Vec::new());
        }
        let used: BTreeSet<String> = rows
            .iter()
            .filter_map(|row| json::filled(row.get("_transactioncurrencyid_value")?))
            .collect();
        if used.is_empty() {
            return Ok(Vec::new());
        }
        let known = self.currencies(false).await?;
        let is_known = |id: &String| {
            known
                .iter()
                .any(|currency| currency.id.eq_ignore_ascii_case(id))
        };
        let known = if used.iter().all(is_known) {
            known
        } else {
            self.currencies(true).await?
        };
        Ok(known.to_vec())
    }

    fn known(&self, table: &str) -> Option<Arc<Table>> {
        self.catalogue()
            .tables
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(table)
            .map(|known| Arc::clone(&known.what))
    }

    fn forget_if_old(&self, table: &str) -> bool {
        let now = self.now();
        let mut tables = held(&self.catalogue().tables);
        let old = tables
            .get(table)
            .is_some_and(|known| known.age(now) >= REFRESH_EVERY);
        if old {
            tables.remove(table);
        }
        old
    }

    async fn table_members(&self, table: &str) -> Result<(Call, Answer, Object), RemoteError> {
        let doing = format!("read what the table {table} is");
        if !is_logical_name(table) {
            return Err(refused(
                doing,
                format!(
                    "\"{}\" is no logical name of a table",
                    crate::http::readable(table)
                ),
            ));
        }
        let query = format!("$select={TABLE_SELECT}");
        let call = self.call(
            Method::GET,
            &format!("/EntityDefinitions(LogicalName='{table}')"),
            Some(&query),
            doing,
        );
        let (answer, members) = self.object(&call).await?;
        Ok((call, answer, members))
    }

    async fn read_metadata(&self, table: &str) -> Result<Table, RemoteError> {
        let (call, answer, members) = self.table_members(table).await?;
        let columns = self
            .metadata_rows(table, "Attributes", &format!("$select={COLUMN_SELECT}"))
            .await?;
        let kinds: BTreeSet<String> = columns.iter().flat_map(kind_words).collect();
        let casts: Vec<_> = CASTS
            .into_iter()
            .chain([STATUS_CAST])
            .filter(|(names, ..)| names.iter().any(|name| kinds.contains(*name)))
            .collect();
        let mut parts: Vec<(String, String)> = casts
            .into_iter()
            .map(|(_, cast, query)| {
                (
                    format!("Attributes/Microsoft.Dynamics.CRM.{cast}"),
                    query.to_owned(),
                )
            })
            .collect();
        for (part, select) in [
            ("ManyToOneRelationships", LOOKUP_SELECT),
            ("ManyToManyRelationships", MANY_SELECT),
            ("Keys", KEY_SELECT),
        ] {
            parts.push((part.to_owned(), format!("$select={select}")));
        }
        // Owned, because a closure over references would keep the whole run from being sent between threads.
        let asked = parts.into_iter().map(|(part, query)| async move {
            let rows = self.metadata_rows(table, &part, &query).await?;
            Ok((part, rows))
        });
        let read: Vec<(String, Vec<Object>)> = stream::iter(asked)
            .buffered(METADATA_REQUESTS_AT_ONCE)
            .try_collect()
            .await?;
        let mut documents = Documents {
            table: members,
            columns,
            ..Documents::default()
        };
        for (part, rows) in read {
            match part.as_str() {
                "ManyToOneRelationships" => documents.lookups = rows,
                "ManyToManyRelationships" => documents.many = rows,
                "Keys" => documents.keys = rows,
                _ => documents.details.extend(rows),
            }
        }
        documents
            .table()
            .ok_or_else(|| answer.unreadable(&call, "the answer does not describe a table"))
    }

    async fn metadata_rows(
        &self,
        table: &str,
        part: &str,
        query: &str,
    ) -> Result<Vec<Object>, RemoteError> {
        let path = format!("/EntityDefinitions(LogicalName='{table}')/{part}");
        let call = self.call(
            Method::GET,
            &path,
            Some(
                &query
                    .split('&')
                    .map(encode_option)
                    .collect::<Vec<_>>()
                    .join("&"),
            ),
            format!("read what the table {table} is"),
        );
        let (answer, members) = self.object(&call).await?;
        rows(&members)
            .map(|(rows, _)| rows)
            .ok_or_else(|| answer.unreadable(&call, "the answer is no list"))
    }
}

fn encode_option(option: &str) -> String {
    option.split_once('=').map_or_else(
        || option.to_owned(),
        |(name, value)| format!("{name}={}", encode(value)),
    )
}

fn kind_words(column: &Object) -> Vec<String> {
    let plain = column
        .get("AttributeType")
        .and_then(|kind| json::filled(kind));
    let named = column
        .get("AttributeTypeName")
        .and_then(|kind| json::filled(json::object(kind.get())?.get("Value")?));
    plain.into_iter().chain(named).collect()
}
