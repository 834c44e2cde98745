//! Calls to one organisation, and what is remembered about it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use cosell_sync::row::{Join, Related, Seen};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use http::Method;

use crate::auth::Tokens;
use crate::dataverse::cells::{Currency, World, currency_of, places, read_row};
use crate::dataverse::codes::{UNKNOWN_NAMES, explain};
use crate::dataverse::joins::Tree;
use crate::dataverse::metadata::{
    CASTS, COLUMN_SELECT, Documents, KEY_SELECT, Kind, LOOKUP_SELECT, MANY_SELECT, STATUS_CAST,
    TABLE_SELECT, Table, is_logical_name,
};
use crate::error::{Class, RemoteError, Service};
use crate::http::{Answer, Call, Channel, Endpoint, Http, encode, fresh_id, guid, query_text};
use crate::json::{self, Object, Raw};

/// The version of the API that all of this was written for.
pub(super) const API_PATH: &str = "/api/data/v9.2";

/// Requests at once while a table's metadata is read: well below the 52 that a user may have.
const METADATA_REQUESTS_AT_ONCE: usize = 4;

/// What is known about an organisation is asked again at most so often, however many unknown names come by.
const REFRESH_EVERY: Duration = Duration::from_secs(60);

/// Pages of one list or one expanded collection. 5 000 rows a page.
pub(super) const PAGES_MAX: usize = 200;

/// Annotations that reading needs: labels, and the table that a lookup points to.
pub(super) const ANNOTATIONS: &str = "odata.include-annotations=\"*\"";

/// One organisation. Cheap to clone; all clones share what they know.
#[derive(Clone)]
pub struct Dataverse(Arc<Inner>);

struct Inner {
    channel: Channel,
    tables: Mutex<HashMap<String, Known<Arc<Table>>>>,
    heads: Mutex<HashMap<String, Arc<Head>>>,
    currencies: Mutex<Option<Known<Arc<Vec<Currency>>>>>,
    /// One reader of metadata at a time; the others find it read.
    reading: tokio::sync::Mutex<()>,
}

struct Known<T> {
    what: T,
    since: Instant,
}

impl fmt::Debug for Dataverse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Dataverse")
            .field(&self.0.channel.endpoint.base.as_str())
            .finish()
    }
}

/// What it takes to name a row of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) set: String,
    pub(super) id_column: String,
    pub(super) name_column: Option<String>,
}

/// Who we are there.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the doc: GUIDs")]
pub struct WhoAmI {
    pub user: String,
    pub organization: String,
    pub business_unit: String,
}

/// What a row was when it was read, as far as a later write must know.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Version {
    /// `W/"8123456"`
    pub etag: String,
    /// ISO 4217 code of the row's amounts. None when it has none, or the table knows no money.
    pub currency: Option<String>,
}

/// A row with what its joins brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// The row.
    pub seen: Seen,
    /// For the write that follows.
    pub version: Version,
}

impl Dataverse {
    /// `organisation` is `https://ORG.crm4.dynamics.com`, without a path. Connects nothing yet.
    #[must_use]
    pub fn new(organisation: Endpoint, tokens: Tokens, http: Http) -> Self {
        Self(Arc::new(Inner {
            channel: Channel {
                endpoint: organisation,
                tokens,
                http,
            },
            tables: Mutex::default(),
            heads: Mutex::default(),
            currencies: Mutex::default(),
            reading: tokio::sync::Mutex::default(),
        }))
    }

    /// The user and organisation behind the credential. The organisation's id is what a connection is bound to (S22).
    ///
    /// # Errors
    /// [`RemoteError`].
    pub async fn who_am_i(&self) -> Result<WhoAmI, RemoteError> {
        let call = self.call(Method::GET, "/WhoAmI", None, "ask who we are");
        let (answer, members) = self.object(&call).await?;
        let id = |name: &str| {
            let id = members.get(name).and_then(|id| guid(&json::text(id)?));
            id.ok_or_else(|| answer.unreadable(&call, format!("the answer has no {name}")))
        };
        Ok(WhoAmI {
            user: id("UserId")?,
            organization: id("OrganizationId")?,
            business_unit: id("BusinessUnitId")?,
        })
    }

    /// What the CRM says about a table; remembered until [`Dataverse::refresh`], or until a name turns out to be unknown.
    ///
    /// # Errors
    /// [`Class::NotFound`] when there is no such table.
    pub async fn metadata(&self, table: &str) -> Result<Arc<Table>, RemoteError> {
        if let Some(known) = self.known(table) {
            return Ok(known);
        }
        let _one_reader = self.0.reading.lock().await;
        if let Some(known) = self.known(table) {
            return Ok(known);
        }
        let read = Arc::new(self.read_metadata(table).await?);
        let known = Known {
            what: Arc::clone(&read),
            since: Instant::now(),
        };
        self.0
            .tables
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(table.to_owned(), known);
        Ok(read)
    }

    /// Forgets everything about tables and currencies, to be read again when it is needed.
    pub fn refresh(&self) {
        self.0
            .tables
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        self.0
            .heads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        *self
            .0
            .currencies
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Reads one row, with `columns` by logical name and everything that `joins` lead to, in one request.
    ///
    /// Every join has its entry in the answer, empty or not; rows of lower joins are those of all upper rows together.
    ///
    /// # Errors
    /// [`Class::NotFound`] when it is gone or not visible; [`Class::Refused`] when a column or join does not exist.
    pub async fn retrieve(
        &self,
        table: &str,
        id: &str,
        columns: &BTreeSet<String>,
        joins: &[Join],
    ) -> Result<Looked, RemoteError> {
        let doing = format!("read {table} {id}");
        let Some(id) = guid(id) else {
            return Err(refused(
                doing,
                format!("\"{}\" is no GUID", crate::http::readable(id)),
            ));
        };
        let root = self
            .with_columns(table, columns.iter().map(String::as_str), &doing)
            .await?;
        let mut tables = BTreeMap::new();
        for join in joins.iter().filter(|join| join.table != table) {
            if !tables.contains_key(&join.table) {
                let asked = joins
                    .iter()
                    .filter(|other| other.table == join.table)
                    .flat_map(|other| &other.columns);
                tables.insert(
                    join.table.clone(),
                    self.with_columns(&join.table, asked.map(String::as_str), &doing)
                        .await?,
                );
            }
        }
        tables.insert(table.to_owned(), Arc::clone(&root));
        let tree =
            Tree::of(&root, joins, &tables).map_err(|problem| refused(doing.clone(), problem))?;
        let mut query = vec![("$select", select(&root, columns.iter().map(String::as_str)))];
        if let Some(expand) = tree.expand_text() {
            query.push(("$expand", expand));
        }
        let call = self
            .call(
                Method::GET,
                &format!("/{}({id})", root.set),
                Some(&query_text(&query)),
                doing,
            )
            .header("prefer", ANNOTATIONS);
        let (answer, members) = self.object(&call).await?;
        let mut brought = tree
            .collect(&members)
            .map_err(|problem| answer.unreadable(&call, problem))?;
        let mut pages = 0;
        while let Some((node, link)) = brought.links.pop() {
            pages += 1;
            if pages > PAGES_MAX {
                return Err(answer.unreadable(&call, "the pages of a joined collection never end"));
            }
            let (rows, next) = self.page(&link, "read joined rows").await?;
            brought.links.extend(next.map(|next| (node, next)));
            tree.collect_rows(node, rows, &mut brought)
                .map_err(|problem| answer.unreadable(&call, problem))?;
        }
        let all: Vec<&Object> = std::iter::once(&members)
            .chain(brought.rows.iter().flatten())
            .collect();
        let world = World {
            currencies: self.currencies_of(&all, tables.values()).await?,
            sets: BTreeMap::new(),
        };
        let unreadable = |problem: String| answer.unreadable(&call, problem);
        let row = read_row(&root, &members, columns.iter().map(String::as_str), &world)
            .map_err(unreadable)?;
        let related: Vec<Related> = tree.related(&brought, &world).map_err(unreadable)?;
        let etag = etag_of(&answer, &members)
            .ok_or_else(|| unreadable("the row came without a version".to_owned()))?;
        let currency = currency_of(&members, &world).map(str::to_owned);
        Ok(Looked {
            seen: Seen { row, related },
            version: Version { etag, currency },
        })
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
        if let Some(head) = self
            .0
            .heads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(table)
        {
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
        self.0
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
        let fresh_enough = |known: &Known<_>| !missing || known.since.elapsed() < REFRESH_EVERY;
        if let Some(known) = self
            .0
            .currencies
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
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
        *self
            .0
            .currencies
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(Known {
            what: Arc::clone(&read),
            since: Instant::now(),
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

    /// A call with every header that all calls have.
    pub(super) fn call(
        &self,
        method: Method,
        path: &str,
        query: Option<&str>,
        doing: impl Into<String>,
    ) -> Call {
        let url = self
            .0
            .channel
            .endpoint
            .url(&format!("{API_PATH}{path}"), query);
        Call::new(Service::Dataverse, method, url, doing)
            .header("accept", "application/json")
            .header("odata-version", "4.0")
            .header("odata-maxversion", "4.0")
            // Expanded rows may otherwise come from a cache.
            .header("if-none-match", "null")
            .header("x-ms-client-request-id", &fresh_id())
    }

    /// An address below the organisation, for bodies and parts that must name one in full.
    pub(super) fn address(&self, path: &str) -> String {
        self.0
            .channel
            .endpoint
            .url(&format!("{API_PATH}{path}"), None)
            .to_string()
    }

    /// Sends; anything but a 2xx is an error, explained by its code.
    pub(super) async fn send(&self, call: &Call) -> Result<Answer, RemoteError> {
        let answer = self.0.channel.send(call).await?;
        if answer.status.is_success() {
            Ok(answer)
        } else {
            Err(self.failure(call, &answer))
        }
    }

    /// Sends, and leaves it to the caller what the status means.
    pub(super) async fn send_any(&self, call: &Call) -> Result<Answer, RemoteError> {
        self.0.channel.send(call).await
    }

    pub(super) fn failure(&self, call: &Call, answer: &Answer) -> RemoteError {
        let error = explain(answer.failure(call));
        if UNKNOWN_NAMES.iter().any(|code| error.has_code(code)) {
            // What we know about some table is not so any more.
            self.0
                .tables
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .retain(|_, known| known.since.elapsed() < REFRESH_EVERY);
        }
        error
    }

    pub(super) async fn object(&self, call: &Call) -> Result<(Answer, Object), RemoteError> {
        let answer = self.send(call).await?;
        let members = json::object(answer.text(call)?)
            .ok_or_else(|| answer.unreadable(call, "the answer is no JSON object"))?;
        Ok((answer, members))
    }

    /// One page by the link that led to it. Its path and query are taken byte for byte, its host is not: a token only goes to our own.
    pub(super) async fn page(
        &self,
        link: &str,
        doing: &str,
    ) -> Result<(Vec<Object>, Option<String>), RemoteError> {
        let call = self.linked(link, doing)?.header("prefer", ANNOTATIONS);
        let (answer, members) = self.object(&call).await?;
        rows(&members).ok_or_else(|| answer.unreadable(&call, "the answer is no list of rows"))
    }

    pub(super) fn linked(&self, link: &str, doing: &str) -> Result<Call, RemoteError> {
        let beyond_host = link
            .split_once("://")
            .map_or(Some(link), |(_, rest)| rest.find('/').map(|at| &rest[at..]));
        let below = beyond_host
            .and_then(|path| path.split_once(API_PATH))
            .map(|(_, below)| below);
        let Some(below) = below.filter(|below| below.starts_with('/')) else {
            let message = format!(
                "the link \"{}\" does not lead into the organisation",
                crate::http::readable(link)
            );
            return Err(refused(doing.to_owned(), message));
        };
        let (path, query) = below
            .split_once('?')
            .map_or((below, None), |(path, query)| (path, Some(query)));
        Ok(self.call(Method::GET, path, query, doing))
    }

    fn known(&self, table: &str) -> Option<Arc<Table>> {
        self.0
            .tables
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(table)
            .map(|known| Arc::clone(&known.what))
    }

    fn forget_if_old(&self, table: &str) -> bool {
        let mut tables = self.0.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let old = tables
            .get(table)
            .is_some_and(|known| known.since.elapsed() >= REFRESH_EVERY);
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
        let asked = parts.iter().map(|(part, query)| async move {
            Ok((part, self.metadata_rows(table, part, query).await?))
        });
        let read: Vec<(&String, Vec<Object>)> = stream::iter(asked)
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

pub(super) fn refused(doing: impl Into<String>, message: impl Into<String>) -> RemoteError {
    RemoteError::new(Class::Refused, Service::Dataverse, doing, message)
}

/// Rows of a list, and the link to its next page.
pub(super) fn rows(members: &Object) -> Option<(Vec<Object>, Option<String>)> {
    let rows: Vec<Raw> = json::parse(members.get("value")?)?;
    let rows = rows
        .iter()
        .map(|row| json::object(row.get()))
        .collect::<Option<Vec<_>>>()?;
    Some((
        rows,
        members
            .get("@odata.nextLink")
            .and_then(|link| json::filled(link)),
    ))
}

/// `$select` for these columns. With an amount, the row's currency comes along.
pub(super) fn select<'a>(table: &Table, columns: impl IntoIterator<Item = &'a str>) -> String {
    let mut names = BTreeSet::new();
    let mut money = false;
    for column in columns {
        money |= matches!(
            table.column(column).map(|column| &column.kind),
            Some(Kind::Money { .. })
        );
        names.insert(table.wire_name(column));
    }
    if money
        && table
            .column(crate::dataverse::cells::CURRENCY_COLUMN)
            .is_some()
    {
        names.insert("_transactioncurrencyid_value".to_owned());
    }
    if names.is_empty() {
        names.insert(table.id_column.clone());
    }
    names.into_iter().collect::<Vec<_>>().join(",")
}

/// The version of a row: in its body, or in the header.
pub(super) fn etag_of(answer: &Answer, members: &Object) -> Option<String> {
    members
        .get("@odata.etag")
        .and_then(|etag| json::filled(etag))
        .or_else(|| answer.header("etag").map(str::to_owned))
}
