//! Looking for rows: a query's conditions as `$filter`, and one row by its key.

use std::sync::Arc;

use cosell_sync::row::{Cell, Condition, Found, Query, Reference, Row, RowKey, Test};
use futures_util::future::try_join_all;
use http::Method;

use crate::dataverse::batch;
use crate::dataverse::cells::{World, from_text, literal, read_row, words};
use crate::dataverse::client::{ANNOTATIONS, Dataverse, PAGES_MAX, refused, rows, select};
use crate::dataverse::metadata::{Column, Kind, Table};
use crate::error::{Class, RemoteError};
use crate::http::{Answer, Call, encode, guid, query_text};
use crate::json::{self, Object};

/// Rows of one query, whatever a plugin asks for.
const ROWS_MAX: u16 = 500;
/// Queries of one batch.
const TOGETHER_MAX: usize = 10;

/// Characters that break an address by alternate key; such values are searched for instead.
const UNFIT_FOR_KEYS: &[char] = &['/', '<', '>', '*', '%', '&', ':', '\\', '?', '+', '#'];

/// A query that can be asked.
struct Ready<'q> {
    query: &'q Query,
    table: Arc<Table>,
    columns: Vec<&'q str>,
    limit: usize,
    call: Call,
}

fn nothing(query: &Query) -> Found {
    Found {
        label: query.label.clone(),
        rows: Vec::new(),
        cut: false,
    }
}

impl Dataverse {
    /// Rows that meet all conditions, by ascending id, at most the query's limit and never more than 500. `cut` says that there are more.
    ///
    /// # Errors
    /// [`Class::Refused`] when a column does not exist or cannot be tested like that.
    pub async fn query(&self, query: &Query) -> Result<Found, RemoteError> {
        match self.ready_for(query).await? {
            None => Ok(nothing(query)),
            Some(ready) => self.ask_alone(&ready).await,
        }
    }

    /// The answers to all of these, in their order: what has to be asked goes together, ten in a request.
    ///
    /// The service counts a request and the time that it takes; a batch spares the former. Bigger ones run into the latter, say the vendor's papers.
    ///
    /// # Errors
    /// As [`Dataverse::query`], of the first that fails.
    pub async fn queries(&self, queries: &[Query]) -> Result<Vec<Found>, RemoteError> {
        let prepared = try_join_all(queries.iter().map(|query| self.ready_for(query))).await?;
        let asked: Vec<&Ready<'_>> = prepared.iter().flatten().collect();
        let found = try_join_all(
            asked
                .chunks(TOGETHER_MAX)
                .map(|some| self.ask_together(some)),
        );
        let mut found = found.await?.into_iter().flatten();
        let mut all = Vec::with_capacity(queries.len());
        for (query, ready) in queries.iter().zip(&prepared) {
            let answer = ready.as_ref().and_then(|_| found.next());
            all.push(answer.unwrap_or_else(|| nothing(query)));
        }
        Ok(all)
    }

    /// None: nothing can meet the conditions.
    async fn ready_for<'q>(&self, query: &'q Query) -> Result<Option<Ready<'q>>, RemoteError> {
        let doing = format!("look for rows of {} ({})", query.table, query.label);
        let columns: Vec<&str> = query.columns.iter().map(String::as_str).collect();
        let tested = query.conditions.iter().map(|one| one.column.as_str());
        let asked = columns.iter().copied().chain(tested);
        let table = self.with_columns(&query.table, asked, &doing).await?;
        let limit = usize::from(query.limit.min(ROWS_MAX));
        let filter =
            filter(&table, &query.conditions).map_err(|problem| refused(doing.clone(), problem))?;
        Ok(filter.map(|filter| Ready {
            call: self.search_call(&table, &columns, filter, Some(limit + 1), &doing),
            query,
            table,
            columns,
            limit,
        }))
    }

    async fn ask_alone(&self, ready: &Ready<'_>) -> Result<Found, RemoteError> {
        let answer = self.send(&ready.call).await?;
        self.found(ready, &answer).await
    }

    /// What a batch cannot tell is asked alone: then it is told in the words of a request of its own, and a service that knows no such batch costs
    /// requests and no deal.
    async fn ask_together(&self, asked: &[&Ready<'_>]) -> Result<Vec<Found>, RemoteError> {
        if let [one] = asked {
            return Ok(vec![self.ask_alone(one).await?]);
        }
        let calls: Vec<&Call> = asked.iter().map(|ready| &ready.call).collect();
        let (boundary, text) = batch::reads(&calls);
        let labels: Vec<&str> = asked.iter().map(|ready| &*ready.query.label).collect();
        let doing = format!("look for rows ({})", labels.join(", "));
        let mut call = self
            .call(Method::POST, "/$batch", None, doing)
            .header("prefer", "odata.continue-on-error")
            .body(&format!("multipart/mixed; boundary=\"{boundary}\""), text);
        call.writes = false;
        let answer = self.send_any(&call).await?;
        let parts = batch::parts_of(&answer).unwrap_or_default();
        if parts.is_empty() && !answer.status.is_success() {
            let error = self.failure(&call, &answer);
            if !matches!(error.class, Class::Refused | Class::NotFound) {
                return Err(error);
            }
        }
        let mut parts = parts.into_iter();
        let mut all = Vec::with_capacity(asked.len());
        for ready in asked {
            all.push(match parts.next() {
                Some(part) if part.status.is_success() => self.found(ready, &part).await?,
                Some(part) => match self.failure(&ready.call, &part) {
                    // Asking again at once is what it must not do.
                    error if matches!(error.class, Class::Transient { .. }) => return Err(error),
                    _ => self.ask_alone(ready).await?,
                },
                None => self.ask_alone(ready).await?,
            });
        }
        Ok(all)
    }

    async fn found(&self, ready: &Ready<'_>, answer: &Answer) -> Result<Found, RemoteError> {
        let most = Some(ready.limit + 1);
        let mut rows = self
            .list(&ready.table, &ready.columns, most, &ready.call, answer)
            .await?;
        let cut = rows.len() > ready.limit;
        rows.truncate(ready.limit);
        Ok(Found {
            label: ready.query.label.clone(),
            rows,
            cut,
        })
    }

    /// Every row that meets all conditions, by ascending id; the query's limit does not count. For a person who compares everything.
    ///
    /// # Errors
    /// As [`Dataverse::query`]; also when there are more pages than any organisation has.
    pub async fn every(&self, query: &Query) -> Result<Vec<Row>, RemoteError> {
        let doing = format!("list rows of {} ({})", query.table, query.label);
        let columns = || query.columns.iter().map(String::as_str);
        let tested = query.conditions.iter().map(|one| one.column.as_str());
        let table = self
            .with_columns(&query.table, columns().chain(tested), &doing)
            .await?;
        match filter(&table, &query.conditions)
            .map_err(|problem| refused(doing.clone(), problem))?
        {
            Some(filter) => self.search(&table, columns(), filter, None, &doing).await,
            None => Ok(Vec::new()),
        }
    }

    /// The one row that a key names, or none.
    ///
    /// # Errors
    /// [`Class::Refused`] when the key fits more than one row, or does not fit the table's columns.
    pub async fn resolve(&self, key: &RowKey) -> Result<Option<Reference>, RemoteError> {
        let spelt = key
            .parts
            .iter()
            .map(|(column, value)| format!("{column} = {value}"))
            .collect::<Vec<_>>()
            .join(", ");
        let doing = format!("find the row of {} where {spelt}", key.table);
        if key.parts.is_empty() {
            return Err(refused(doing, "the key has no parts"));
        }
        let table = self
            .with_columns(
                &key.table,
                key.parts.iter().map(|(column, _)| column.as_str()),
                &doing,
            )
            .await?;
        let mut conditions = Vec::new();
        for (name, text) in &key.parts {
            let cell = table
                .column(name)
                .and_then(|column| from_text(column, text));
            let Some(cell) = cell else {
                let kind = table
                    .column(name)
                    .map(|column| column.kind.words())
                    .unwrap_or_default();
                return Err(refused(
                    doing,
                    format!(
                        "{}.{name} is {kind}, and \"{}\" is no value of it",
                        key.table,
                        crate::http::readable(text)
                    ),
                ));
            };
            conditions.push(Condition {
                column: name.clone(),
                test: Test::Equals(cell),
            });
        }
        let name_column = table
            .name_column
            .clone()
            .filter(|name| table.column(name).is_some());
        let found = match key_path(&table, key, &conditions) {
            Some(path) => {
                self.by_key(&table, &path, name_column.as_deref(), &doing)
                    .await?
            }
            None => {
                let filter = filter(&table, &conditions)
                    .map_err(|problem| refused(doing.clone(), problem))?;
                // Two are enough to know that there is more than one.
                let filter =
                    filter.ok_or_else(|| refused(doing.clone(), "the key has no parts"))?;
                self.search(&table, name_column.as_deref(), filter, Some(2), &doing)
                    .await?
            }
        };
        let [first, rest @ ..] = found.as_slice() else {
            return Ok(None);
        };
        if !rest.is_empty() {
            let message = format!(
                "more than one row of {} has {spelt}, for example {} and {}",
                key.table, first.id, rest[0].id
            );
            return Err(refused(doing, message)
                .with_code("key-ambiguous")
                .with_advice("remove the duplicate, or use a key that tells them apart"));
        }
        let name = name_column.and_then(|name| match first.cells.get(&name) {
            Some(Cell::Text(text)) => Some(text.clone()),
            _ => None,
        });
        Ok(Some(Reference {
            table: table.name.clone(),
            id: first.id.clone(),
            name,
        }))
    }

    async fn by_key(
        &self,
        table: &Table,
        path: &str,
        name_column: Option<&str>,
        doing: &str,
    ) -> Result<Vec<Row>, RemoteError> {
        let query = query_text(&[("$select", select(table, name_column))]);
        let call = self
            .call(Method::GET, path, Some(&query), doing)
            .header("prefer", ANNOTATIONS);
        match self.object(&call).await {
            Ok((answer, members)) => {
                let row = read_row(table, &members, name_column, &World::default())
                    .map_err(|problem| answer.unreadable(&call, problem))?;
                Ok(vec![row])
            }
            Err(error) if error.class == Class::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    async fn search<'a>(
        &self,
        table: &Table,
        columns: impl IntoIterator<Item = &'a str>,
        filter: String,
        at_most: Option<usize>,
        doing: &str,
    ) -> Result<Vec<Row>, RemoteError> {
        let columns: Vec<&str> = columns.into_iter().collect();
        let call = self.search_call(table, &columns, filter, at_most, doing);
        let answer = self.send(&call).await?;
        self.list(table, &columns, at_most, &call, &answer).await
    }

    fn search_call(
        &self,
        table: &Table,
        columns: &[&str],
        filter: String,
        at_most: Option<usize>,
        doing: &str,
    ) -> Call {
        let mut pairs = vec![
            ("$select", select(table, columns.iter().copied())),
            // Without a unique order, pages may repeat and miss rows.
            ("$orderby", format!("{} asc", table.id_column)),
        ];
        // Without it, the server says itself where a page ends.
        pairs.extend(at_most.map(|most| ("$top", most.to_string())));
        if !filter.is_empty() {
            pairs.insert(1, ("$filter", filter));
        }
        self.call(
            Method::GET,
            &format!("/{}", table.set),
            Some(&query_text(&pairs)),
            doing,
        )
        .header("prefer", ANNOTATIONS)
    }

    /// The rows of a list whose first page has come.
    async fn list(
        &self,
        table: &Table,
        columns: &[&str],
        at_most: Option<usize>,
        call: &Call,
        answer: &Answer,
    ) -> Result<Vec<Row>, RemoteError> {
        let members = json::object(answer.text(call)?)
            .ok_or_else(|| answer.unreadable(call, "the answer is no JSON object"))?;
        let (mut objects, mut next) = rows(&members)
            .ok_or_else(|| answer.unreadable(call, "the answer is no list of rows"))?;
        let most = at_most.unwrap_or(usize::MAX);
        let mut pages = 1;
        while let Some(link) = next.filter(|_| objects.len() < most) {
            if pages == PAGES_MAX {
                return Err(answer.unreadable(call, "the pages of the list never end"));
            }
            let (more, after) = self.page(&link, &call.doing).await?;
            objects.extend(more);
            next = after;
            pages += 1;
        }
        objects.truncate(most);
        let known = Arc::new(table.clone());
        let all: Vec<&Object> = objects.iter().collect();
        let world = World {
            currencies: self.currencies_of(&all, std::iter::once(&known)).await?,
            ..World::default()
        };
        objects
            .iter()
            .map(|object| read_row(table, object, columns.iter().copied(), &world))
            .collect::<Result<_, _>>()
            .map_err(|problem| answer.unreadable(call, problem))
    }
}

/// The address of a row by an alternate key of just these columns, if there is one in working order that such values fit into.
fn key_path(table: &Table, key: &RowKey, conditions: &[Condition]) -> Option<String> {
    if let [
        Condition {
            column,
            test: Test::Equals(Cell::Text(id)),
        },
    ] = conditions
        && *column == table.id_column
    {
        return Some(format!("/{}({})", table.set, guid(id)?));
    }
    let fits = |columns: &[String]| {
        columns.len() == key.parts.len() && key.parts.iter().all(|(name, _)| columns.contains(name))
    };
    table
        .keys
        .iter()
        .find(|known| known.active && fits(&known.columns))?;
    if key
        .parts
        .iter()
        .any(|(_, value)| value.contains(UNFIT_FOR_KEYS) || value.is_empty())
    {
        return None;
    }
    let mut parts = Vec::new();
    for condition in conditions {
        let Test::Equals(cell) = &condition.test else {
            return None;
        };
        let value = encode(&literal(table.column(&condition.column)?, cell)?);
        // Quotes need no encoding in a path, and not every server would undo it there.
        parts.push(format!(
            "{}={}",
            table.wire_name(&condition.column),
            value.replace("%27", "'")
        ));
    }
    Some(format!("/{}({})", table.set, parts.join(",")))
}

/// `$filter` of conditions that all must hold. None: nothing can meet them.
pub(super) fn filter(table: &Table, conditions: &[Condition]) -> Result<Option<String>, String> {
    let mut parts = Vec::new();
    for condition in conditions {
        let column = table
            .column(&condition.column)
            .ok_or_else(|| format!("{} has no column {}", table.name, condition.column))?;
        match test(table, column, &condition.test)? {
            Some(part) => parts.push(part),
            None => return Ok(None),
        }
    }
    Ok(Some(parts.join(" and ")))
}

fn test(table: &Table, column: &Column, test: &Test) -> Result<Option<String>, String> {
    let name = table.wire_name(&column.name);
    let value = |cell: &Cell| {
        literal(column, cell).ok_or_else(|| {
            format!(
                "{}.{} is {}, and cannot be compared with {}",
                table.name,
                column.name,
                column.kind.words(),
                words(cell)
            )
        })
    };
    let equals = |cell: &Cell| match cell {
        Cell::Empty => Ok(format!("{name} eq null")),
        Cell::Text(text) if text.is_empty() => Ok(format!("{name} eq null")),
        Cell::Choices(_) => Err(format!(
            "{}.{} is {}, which cannot be searched",
            table.name,
            column.name,
            column.kind.words()
        )),
        cell => Ok(format!("{name} eq {}", value(cell)?)),
    };
    let text_function = |function: &str, text: &str| {
        if !matches!(column.kind, Kind::Text { .. } | Kind::LongText { .. }) {
            return Err(format!(
                "{}.{} is {}, and has no beginning to search by",
                table.name,
                column.name,
                column.kind.words()
            ));
        }
        Ok(Some(format!(
            "{function}({name},'{}')",
            wildcards_escaped(text).replace('\'', "''")
        )))
    };
    Ok(Some(match test {
        Test::Equals(cell) => equals(cell)?,
        Test::OneOf(cells) if cells.is_empty() => return Ok(None),
        Test::OneOf(cells) => format!(
            "({})",
            cells
                .iter()
                .map(equals)
                .collect::<Result<Vec<_>, _>>()?
                .join(" or ")
        ),
        Test::BeginsWith(text) => return text_function("startswith", text),
        Test::Contains(text) => return text_function("contains", text),
        Test::AtLeast(cell) => format!("{name} ge {}", value(cell)?),
        Test::AtMost(cell) => format!("{name} le {}", value(cell)?),
        Test::IsEmpty => format!("{name} eq null"),
        Test::IsFilled => format!("{name} ne null"),
    }))
}

/// `%`, `_` and `[` are wildcards inside the CRM's text functions, and people mean themselves by them.
fn wildcards_escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '%' | '_' | '[' => escaped.extend(['[', character, ']']),
            other => escaped.push(other),
        }
    }
    escaped
}

/// The text of a member, for tables that we know without metadata.
pub(super) fn member(object: &Object, name: &str) -> Option<String> {
    object.get(name).and_then(|value| json::filled(value))
}

#[cfg(test)]
mod tests;
