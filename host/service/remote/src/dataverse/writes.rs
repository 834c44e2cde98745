//! Writes. Every one of them is conditional or repeatable, and every one carries a tag by which its own echo is known.

use std::collections::{BTreeMap, BTreeSet};

use cosell_sync::row::{Cell, Reference, Row, RowState};
use http::{HeaderValue, Method, StatusCode};

use crate::dataverse::batch::{self, Part};
use crate::dataverse::cells::{self, Body, Cut, World, currency_of, read_row};
use crate::dataverse::client::{ANNOTATIONS, Dataverse, Version, etag_of, refused, select};
use crate::dataverse::codes::explain;
use crate::dataverse::metadata::Table;
use crate::error::{Class, RemoteError};
use crate::http::{Answer, Call, guid, query_text};
use crate::json::{self, Object, raw};

/// Status reason of a qualified lead; the platform's own, in every organisation.
const QUALIFIED: i32 = 3;

/// Column of an opportunity that names the lead from which it was qualified.
pub const ORIGIN_COLUMN: &str = "originatingleadid";

/// A row after a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The columns that were written, as this very write left them (S6).
    pub row: Row,
    /// For the next write.
    pub version: Version,
    /// Texts that did not fit.
    pub cut: Vec<Cut>,
}

/// An opportunity after its close. Its version is not known: closing changed it once more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// Texts that did not fit.
    pub cut: Vec<Cut>,
}

impl Dataverse {
    /// Creates a row under an id of our own, so that doing it twice creates it once (S14).
    ///
    /// # Errors
    /// [`Class::Conflict`] when it is there already (`0x80040237`: read it and adopt it) or when another row has its key (`0x80060892`);
    /// [`Class::Refused`] with a reason for every column that cannot be written; [`Class::UnknownOutcome`].
    pub async fn create(
        &self,
        table: &str,
        id: &str,
        cells: &BTreeMap<String, Cell>,
        operation: &str,
    ) -> Result<Written, RemoteError> {
        let doing = format!("create {table} {id}");
        self.write(table, id, cells, operation, doing, None).await
    }

    /// Changes a row, if it is still the one that was seen.
    ///
    /// # Errors
    /// [`Class::Conflict`] when it is not; [`Class::NotFound`] when it is gone; [`Class::Refused`] with a reason for every column that
    /// cannot be written; [`Class::UnknownOutcome`].
    pub async fn update(
        &self,
        table: &str,
        id: &str,
        cells: &BTreeMap<String, Cell>,
        seen: &Version,
        operation: &str,
    ) -> Result<Written, RemoteError> {
        let doing = format!("update {table} {id}");
        self.write(table, id, cells, operation, doing, Some(seen))
            .await
    }

    /// Deletes a row that we created; with an etag, only if it is still that one. A row that is gone already is as good as deleted.
    ///
    /// # Errors
    /// [`Class::Conflict`], [`Class::UnknownOutcome`], or that it may not be deleted.
    pub async fn delete(
        &self,
        table: &str,
        id: &str,
        etag: Option<&str>,
        operation: &str,
    ) -> Result<(), RemoteError> {
        let doing = format!("delete {table} {id}");
        let path = self.row_path(table, id, &doing).await?;
        let mut call = self.call(Method::DELETE, &path, Some(&tag(operation)), doing);
        if let Some(etag) = etag {
            call = call.header("if-match", etag);
        }
        gone_is_good(self.send(&call).await)
    }

    /// Links a row to another one by a many-to-many relationship, given by its schema name.
    ///
    /// # Errors
    /// [`Class::NotFound`] when either is gone.
    pub async fn associate(
        &self,
        table: &str,
        id: &str,
        relationship: &str,
        other: &Reference,
        operation: &str,
    ) -> Result<(), RemoteError> {
        let doing = format!("link {table} {id} to {} {}", other.table, other.id);
        let path = self
            .collection_path(table, id, relationship, other, &doing)
            .await?;
        let target = self.address(&self.row_path(&other.table, &other.id, &doing).await?);
        let body = json::Body::of(&Object::from([("@odata.id".to_owned(), raw(&target))]));
        let call = self
            .call(
                Method::POST,
                &format!("{path}/$ref"),
                Some(&tag(operation)),
                doing,
            )
            .json(&body);
        self.send(&call).await.map(drop)
    }

    /// Takes such a link away. A link that is gone already is as good.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub async fn disassociate(
        &self,
        table: &str,
        id: &str,
        relationship: &str,
        other: &Reference,
        operation: &str,
    ) -> Result<(), RemoteError> {
        let doing = format!("unlink {table} {id} from {} {}", other.table, other.id);
        let path = self
            .collection_path(table, id, relationship, other, &doing)
            .await?;
        let Some(other_id) = guid(&other.id) else {
            return Err(refused(doing, "the id of the linked row is no GUID"));
        };
        let call = self.call(
            Method::DELETE,
            &format!("{path}({other_id})/$ref"),
            Some(&tag(operation)),
            doing,
        );
        gone_is_good(self.send(&call).await)
    }

    /// Wins or loses an opportunity: its last changes, conditional on what was seen, and the close behind them, all or nothing (S15, S16).
    /// `state.statuscode` is the status reason of the closed row; `state.closing` fills columns of the closing activity.
    ///
    /// # Errors
    /// As [`Dataverse::update`]; `0x80040515` when it is closed already.
    pub async fn close_opportunity(
        &self,
        id: &str,
        cells: &BTreeMap<String, Cell>,
        seen: &Version,
        state: &RowState,
        won: bool,
        operation: &str,
    ) -> Result<Closed, RemoteError> {
        let doing = format!(
            "close opportunity {id} as {}",
            if won { "won" } else { "lost" }
        );
        can_be_a_condition(&seen.etag, &doing)?;
        let path = self.row_path("opportunity", id, &doing).await?;
        let (_, last, _) = self
            .prepare(
                "opportunity",
                cells,
                false,
                seen.currency.as_deref(),
                &doing,
            )
            .await?;
        let (_, closing, _) = self
            .prepare(
                "opportunityclose",
                &state.closing,
                true,
                // A row of its own: without a currency of its own it would get the organisation's.
                None,
                &doing,
            )
            .await?;
        let mut activity = closing.members;
        activity.insert("opportunityid@odata.bind".to_owned(), raw(&path));
        let action = Object::from([
            ("Status".to_owned(), raw(&state.statuscode)),
            ("OpportunityClose".to_owned(), raw(&activity)),
        ]);
        let tag = tag(operation);
        let name = if won {
            "/WinOpportunity"
        } else {
            "/LoseOpportunity"
        };
        let parts = [
            Part {
                method: Method::PATCH,
                address: format!("{}?{tag}", self.address(&path)),
                if_match: Some(&seen.etag),
                body: json::Body::of(&last.members),
            },
            Part {
                method: Method::POST,
                address: format!("{}?{tag}", self.address(name)),
                if_match: None,
                body: json::Body::of(&action),
            },
        ];
        let (boundary, text) = batch::change_set(&parts);
        let call = self
            .call(Method::POST, "/$batch", None, doing)
            .body(&format!("multipart/mixed; boundary=\"{boundary}\""), text);
        let answer = self.send_any(&call).await?;
        match batch::failed_part(&answer) {
            // The status of the whole is that of its first failure; without parts, the failure is the whole's own.
            Ok(None) if answer.status.is_success() => Ok(Closed {
                cut: [last.cut, closing.cut].concat(),
            }),
            Ok(None) => Err(self.failure(&call, &answer)),
            Ok(Some(part)) => Err(explain(part.failure(&call))
                .with_field("opportunity", cells.keys().map(String::as_str))),
            Err(problem) if answer.status.is_success() => Err(answer.unreadable(&call, problem)),
            Err(_) => Err(self.failure(&call, &answer)),
        }
    }

    /// Qualifies an open lead into an opportunity, and nothing else: account and contact are the account plugin's business. The
    /// opportunity names the lead in [`ORIGIN_COLUMN`], by which it is found again after an unknown outcome.
    ///
    /// # Errors
    /// Refused with `0x80040519` when the lead is not open; [`Class::UnknownOutcome`].
    pub async fn qualify(&self, lead: &str, operation: &str) -> Result<(), RemoteError> {
        let doing = format!("qualify lead {lead}");
        let path = self.row_path("lead", lead, &doing).await?;
        let action = Object::from([
            ("CreateAccount".to_owned(), raw(&false)),
            ("CreateContact".to_owned(), raw(&false)),
            ("CreateOpportunity".to_owned(), raw(&true)),
            ("Status".to_owned(), raw(&QUALIFIED)),
        ]);
        let call = self
            .call(
                Method::POST,
                &format!("{path}/Microsoft.Dynamics.CRM.QualifyLead"),
                Some(&tag(operation)),
                doing,
            )
            .json(&json::Body::of(&action));
        self.send(&call).await.map(drop)
    }

    async fn write(
        &self,
        table: &str,
        id: &str,
        cells: &BTreeMap<String, Cell>,
        operation: &str,
        doing: String,
        seen: Option<&Version>,
    ) -> Result<Written, RemoteError> {
        let Some(id) = guid(id) else {
            return Err(refused(
                doing,
                format!("\"{}\" is no GUID", crate::http::readable(id)),
            ));
        };
        if let Some(seen) = seen {
            can_be_a_condition(&seen.etag, &doing)?;
        }
        let currency = seen.and_then(|seen| seen.currency.as_deref());
        let (known, body, written) = self
            .prepare(table, cells, seen.is_none(), currency, &doing)
            .await?;
        let columns = || written.iter().map(String::as_str);
        let query = format!(
            "{}&{}",
            query_text(&[("$select", select(&known, columns()))]),
            tag(operation)
        );
        let call = self
            .call(
                Method::PATCH,
                &format!("/{}({id})", known.set),
                Some(&query),
                doing,
            )
            .header("prefer", &format!("return=representation,{ANNOTATIONS}"))
            .json(&json::Body::of(&body.members));
        // A PATCH without either condition would bring a deleted row back to life.
        let call = match seen {
            None => call.header("if-none-match", "*"),
            Some(seen) => call.header("if-match", &seen.etag),
        };
        let (answer, members) = self.object(&call).await.map_err(|error| {
            // A required column is one that was not sent.
            error.with_field(table, known.columns.keys().map(String::as_str))
        })?;
        let world = World {
            currencies: self
                .currencies_after(&call, &answer, &members, &known)
                .await?,
            sets: BTreeMap::new(),
        };
        let row = read_row(&known, &members, columns(), &world)
            .map_err(|problem| answer.unreadable(&call, problem))?;
        let etag = etag_of(&answer, &members)
            .ok_or_else(|| answer.unreadable(&call, "the written row came without a version"))?;
        let currency = currency_of(&members, &world)
            .or(currency)
            .map(str::to_owned);
        Ok(Written {
            row,
            version: Version { etag, currency },
            cut: body.cut,
        })
    }

    /// A list that fails here fails after the write has happened.
    async fn currencies_after(
        &self,
        call: &Call,
        answer: &Answer,
        members: &Object,
        table: &Table,
    ) -> Result<Vec<cells::Currency>, RemoteError> {
        let known = std::sync::Arc::new(table.clone());
        let read = self
            .currencies_of(&[members], std::iter::once(&known))
            .await;
        read.map_err(|error| {
            answer.unreadable(
                call,
                format!(
                    "written, but the currencies could not be read: {}",
                    error.about.message
                ),
            )
        })
    }

    /// Resolves keys, collects what the conversion must know, converts. Also tells which columns are written.
    async fn prepare(
        &self,
        table: &str,
        cells: &BTreeMap<String, Cell>,
        creating: bool,
        row_currency: Option<&str>,
        doing: &str,
    ) -> Result<(std::sync::Arc<Table>, Body, BTreeSet<String>), RemoteError> {
        let known = self
            .with_columns(table, cells.keys().map(String::as_str), doing)
            .await?;
        let mut plain = BTreeMap::new();
        for (column, cell) in cells {
            let cell = match cell {
                Cell::RowWhere(key) => match self.resolve(key).await? {
                    Some(reference) => Cell::Reference(reference),
                    None if key.leave_out_if_missing => continue,
                    None => {
                        let spelt = key
                            .parts
                            .iter()
                            .map(|(name, value)| format!("{name} = {value}"))
                            .collect::<Vec<_>>()
                            .join(", ");
                        let message =
                            format!("{table}.{column}: no row of {} has {spelt}", key.table);
                        return Err(refused(doing, message)
                            .with_field(table, [column.as_str()])
                            .with_code("key-unknown")
                            .with_advice("add the row to the CRM, or map to one that is there"));
                    }
                },
                other => other.clone(),
            };
            plain.insert(column.clone(), cell);
        }
        let mut world = World::default();
        for cell in plain.values() {
            if let Cell::Reference(reference) = cell
                && !world.sets.contains_key(&reference.table)
            {
                world.sets.insert(
                    reference.table.clone(),
                    self.head(&reference.table).await?.set.clone(),
                );
            }
        }
        let used: Vec<&str> = plain
            .values()
            .filter_map(|cell| {
                if let Cell::Money(money) = cell {
                    Some(money.currency.as_str())
                } else {
                    None
                }
            })
            .collect();
        if !used.is_empty() || row_currency.is_some() {
            let known = self.currencies(false).await?;
            let all_known = used.iter().all(|code| {
                known
                    .iter()
                    .any(|currency| currency.code.eq_ignore_ascii_case(code))
            });
            world.currencies = if all_known {
                known.to_vec()
            } else {
                self.currencies(true).await?.to_vec()
            };
        }
        let body =
            cells::write(&known, &plain, &world, creating, row_currency).map_err(|reasons| {
                let mut error = refused(doing, "").with_code("cells-refused");
                error.about.reasons = reasons;
                error
            })?;
        Ok((known, body, plain.into_keys().collect()))
    }

    pub(super) async fn row_path(
        &self,
        table: &str,
        id: &str,
        doing: &str,
    ) -> Result<String, RemoteError> {
        let Some(id) = guid(id) else {
            return Err(refused(
                doing,
                format!("\"{}\" is no GUID", crate::http::readable(id)),
            ));
        };
        Ok(format!("/{}({id})", self.head(table).await?.set))
    }

    async fn collection_path(
        &self,
        table: &str,
        id: &str,
        relationship: &str,
        other: &Reference,
        doing: &str,
    ) -> Result<String, RemoteError> {
        let row = self.row_path(table, id, doing).await?;
        let known = self.metadata(table).await?;
        let many = known
            .many
            .iter()
            .find(|many| many.name.eq_ignore_ascii_case(relationship) && many.other == other.table);
        let many = many.ok_or_else(|| {
            refused(
                doing,
                format!(
                    "the CRM knows no relationship {relationship} between {table} and {}",
                    other.table
                ),
            )
        })?;
        Ok(format!("{row}/{}", many.navigation))
    }
}

/// `?tag=` comes back in the webhook that this write causes.
pub(super) fn tag(operation: &str) -> String {
    query_text(&[("tag", format!("cosell:{operation}"))])
}

fn gone_is_good(result: Result<Answer, RemoteError>) -> Result<(), RemoteError> {
    match result {
        Err(error)
            if error.class == Class::NotFound
                && error.status == Some(StatusCode::NOT_FOUND.as_u16()) =>
        {
            Ok(())
        }
        other => other.map(drop),
    }
}

/// Without a version, or with one that cannot be sent, a write would not be conditional, and there is no other kind.
fn can_be_a_condition(etag: &str, doing: &str) -> Result<(), RemoteError> {
    if etag.is_empty() || HeaderValue::from_str(etag).is_err() {
        return Err(refused(
            doing,
            "no version to write under: read the row first",
        ));
    }
    Ok(())
}
