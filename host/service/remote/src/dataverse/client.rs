//! Calls to one organisation.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use cosell_sync::row::{Join, Related, Seen};
use http::{Method, StatusCode};

use crate::auth::Tokens;
use crate::dataverse::catalogue::Catalogue;
use crate::dataverse::cells::{CURRENCY_COLUMN, World, currency_of, read_row};
use crate::dataverse::codes::{UNKNOWN_NAMES, explain};
use crate::dataverse::joins::Tree;
use crate::dataverse::metadata::{Column, Kind, Table};
use crate::error::{Class, RemoteError, Service};
use crate::http::{Answer, Call, Channel, Endpoint, Http, fresh_id, guid, query_text};
use crate::json::{self, Object, Raw};
use crate::meter::Meter;

/// The version of the API that all of this was written for.
pub(super) const API_PATH: &str = "/api/data/v9.2";

/// Pages of one list or one expanded collection. 5 000 rows a page.
pub(super) const PAGES_MAX: usize = 200;

/// Annotations that reading needs: labels, and the table that a lookup points to.
pub(super) const ANNOTATIONS: &str = "odata.include-annotations=\"*\"";

/// One organisation. Cheap to clone; all clones share what they know.
#[derive(Clone)]
pub struct Dataverse(Arc<Inner>);

struct Inner {
    channel: Channel,
    catalogue: Catalogue,
}

impl fmt::Debug for Dataverse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Dataverse")
            .field(&self.0.channel.endpoint.base.as_str())
            .finish()
    }
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
                service: Service::Dataverse,
                endpoint: organisation,
                tokens,
                http,
                meter: None,
            },
            catalogue: Catalogue::default(),
        }))
    }

    /// The same, knowing from the start what another client has read about the same organisation: as if it had been read just now.
    #[must_use]
    pub fn knowing(self, other: &Self) -> Self {
        let catalogue = other.0.catalogue.copied(self.now());
        Self(Arc::new(Inner {
            channel: self.0.channel.clone(),
            catalogue,
        }))
    }

    /// The same, keeping to what the credential may ask of the organisation.
    #[must_use]
    pub fn metered(self, meter: Meter) -> Self {
        let catalogue = self.0.catalogue.copied(self.now());
        let channel = Channel {
            meter: Some(meter),
            ..self.0.channel.clone()
        };
        Self(Arc::new(Inner { channel, catalogue }))
    }

    /// What the credential may ask. None: nobody counts.
    #[must_use]
    pub fn meter(&self) -> Option<&Meter> {
        self.0.channel.meter.as_ref()
    }

    /// Gets hold of a token, if there is none that is good: a call that follows at once waits for nobody but the service.
    ///
    /// # Errors
    /// [`RemoteError`] of the sign-in.
    pub async fn ready(&self) -> Result<(), RemoteError> {
        self.0.channel.ready().await
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
        let mut wanted = select(&root, columns.iter().map(String::as_str));
        let is_money = |column: &Column| matches!(column.kind, Kind::Money { .. });
        // A later write must know what the row's amounts are in, also when none is read now.
        if root.column(CURRENCY_COLUMN).is_some()
            && root.columns.values().any(is_money)
            && !wanted.contains("_transactioncurrencyid_value")
        {
            wanted.push_str(",_transactioncurrencyid_value");
        }
        let mut query = vec![("$select", wanted)];
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

    pub(super) fn catalogue(&self) -> &Catalogue {
        &self.0.catalogue
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

    /// By the clock of whatever carries our requests.
    pub(super) fn now(&self) -> Instant {
        self.0.channel.http.now()
    }

    /// Sends; anything but a 2xx is an error, explained by its code.
    pub(super) async fn send(&self, call: &Call) -> Result<Answer, RemoteError> {
        let answer = self.0.channel.send(call).await?;
        if answer.status.is_success() {
            return Ok(answer);
        }
        let mut error = self.failure(call, &answer);
        // Only its code tells whether this record is forbidden or we are, and it is not always given.
        if error.class == Class::Forbidden && error.code().is_none() && self.are_shut_out().await {
            error.class = Class::Unauthorised;
        }
        Err(error)
    }

    /// Whether we may not even ask who we are.
    async fn are_shut_out(&self) -> bool {
        let call = self.call(Method::GET, "/WhoAmI", None, "ask who we are");
        let answer = self.0.channel.send(&call).await;
        answer.is_ok_and(|answer| answer.status == StatusCode::FORBIDDEN)
    }

    /// Sends, and leaves it to the caller what the status means.
    pub(super) async fn send_any(&self, call: &Call) -> Result<Answer, RemoteError> {
        self.0.channel.send(call).await
    }

    pub(super) fn failure(&self, call: &Call, answer: &Answer) -> RemoteError {
        let error = explain(answer.failure(call));
        let unknown_name = match error.code() {
            Some(_) => UNKNOWN_NAMES.iter().any(|code| error.has_code(code)),
            // It may have been one.
            None => error.status == Some(StatusCode::BAD_REQUEST.as_u16()),
        };
        if unknown_name {
            self.0.catalogue.forget_old(self.now());
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
    if money && table.column(CURRENCY_COLUMN).is_some() {
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
