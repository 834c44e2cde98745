//! The one place through which the line reads of the two sides before it acts: fresh, noting it for a recording, or from one.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use cosell_remote::dataverse::{Looked, Table};
use cosell_remote::partner_center::Referral;
use cosell_store::Millis;
use cosell_sync::row::{Found, Join, Query, Reference, RowKey};
use serde_json::{Value, json};

use super::heard::Told;
use super::look::is_invisible;
use crate::desk::Connection;
use crate::recording::{
    Asked, Heard, Noted, Played, Read, found, found_back, reference, reference_back, row, row_back,
};
use crate::trouble::Trouble;

/// Reads, and remembers what it read.
pub(super) struct Sees<'a> {
    connection: &'a Connection,
    played: Option<Arc<Played>>,
    /// None: nobody wants to know.
    noted: Option<Mutex<Noted>>,
}

/// What the host itself has to know of a table's columns.
pub(super) struct Known {
    /// By which column people know a row.
    pub(super) name_column: Option<String>,
    /// Which of the columns that were asked for there are.
    pub(super) columns: Vec<String>,
}

impl Known {
    /// Of these columns, as the CRM says now.
    pub(super) fn of(table: &Table, columns: &[&str]) -> Self {
        Self::where_there(table.name_column.clone(), columns, |column| {
            table.column(column).is_some()
        })
    }

    fn where_there(
        name_column: Option<String>,
        columns: &[&str],
        is_there: impl Fn(&str) -> bool,
    ) -> Self {
        let there = columns.iter().filter(|column| is_there(column));
        Self {
            name_column,
            columns: there.map(|column| (*column).to_owned()).collect(),
        }
    }
}

impl<'a> Sees<'a> {
    pub(super) fn new(connection: &'a Connection, notes: bool) -> Self {
        Self {
            connection,
            played: None,
            noted: notes.then(Mutex::default),
        }
    }

    /// From now on everything comes from a recording, and what is not in it is not seen.
    pub(super) fn play(&mut self, played: Arc<Played>) {
        self.played = Some(played);
        self.noted = Some(Mutex::default());
    }

    pub(super) fn played(&self) -> Option<&Played> {
        self.played.as_deref()
    }

    pub(super) const fn notes(&self) -> bool {
        self.noted.is_some()
    }

    /// A look begins, with this remembered: what was noted before is of an older one.
    pub(super) fn begin(&self, state: Value) {
        self.note(|noted| {
            *noted = Noted {
                state,
                ..Noted::default()
            };
        });
    }

    /// What was noted since the last look began.
    pub(super) fn noted(&self) -> Option<Noted> {
        let noted = self.noted.as_ref()?;
        Some(lock(noted).clone())
    }

    pub(super) fn hear<T: Told>(&self, asked: &str, answer: &Result<T, cosell_plugins::Stop>) {
        self.note(|noted| {
            let (answer, stop) = match answer {
                Ok(answer) => (answer.told(), Value::Null),
                Err(stop) => (Value::Null, stop.told()),
            };
            noted.answers.push(Heard {
                asked: asked.to_owned(),
                answer,
                stop,
            });
        });
    }

    /// From here on nothing is noted.
    pub(super) fn close(&self) {
        self.note(|noted| noted.is_closed = true);
    }

    fn note(&self, write: impl FnOnce(&mut Noted)) {
        if let Some(noted) = &self.noted {
            let mut noted = lock(noted);
            if !noted.is_closed {
                write(&mut noted);
            }
        }
    }

    fn read(&self, asked: Asked<'_>, answer: impl FnOnce() -> Value) {
        self.note(|noted| {
            noted.reads.push(Read {
                asked: asked.to_json(),
                answer: answer(),
            });
        });
    }

    /// What the recording answers. None: there is no recording to play.
    fn recorded(&self, asked: Asked<'_>) -> Result<Option<Value>, Trouble> {
        let Some(played) = &self.played else {
            return Ok(None);
        };
        let answer = played
            .answer(&asked)
            .ok_or_else(|| Trouble::Unrecorded(asked.in_words()))?;
        self.read(asked, || answer.clone());
        Ok(Some(answer))
    }

    /// A referral. None: Partner Center does not show it to us.
    pub(super) async fn referral(&self, id: &str) -> Result<Option<Referral>, Trouble> {
        let asked = Asked::Referral(id);
        if let Some(answer) = self.recorded(asked)? {
            return match answer.as_str() {
                None => Ok(None),
                Some(text) => referral_of(text, asked).map(Some),
            };
        }
        let found = match self.connection.partner_center.get(id).await {
            Ok(referral) => Some(referral),
            Err(error) if is_invisible(&error) => None,
            Err(error) => return Err(error.into()),
        };
        self.read(asked, || {
            json!(found.as_ref().map(|referral| &referral.raw))
        });
        Ok(found)
    }

    /// All referrals of an engagement.
    pub(super) async fn engagement(&self, id: &str) -> Result<Vec<Referral>, Trouble> {
        let asked = Asked::Engagement(id);
        if let Some(answer) = self.recorded(asked)? {
            let texts = answer.as_array().into_iter().flatten();
            return texts
                .map(|text| referral_of(text.as_str().unwrap_or_default(), asked))
                .collect();
        }
        let found = self.connection.partner_center.engagement(id).await?;
        self.read(asked, || {
            found.iter().map(|referral| referral.raw.as_str()).collect()
        });
        Ok(found)
    }

    /// A row with these columns and joins. None: the CRM does not show it to us.
    pub(super) async fn row(
        &self,
        table: &str,
        id: &str,
        columns: &BTreeSet<String>,
        joins: &[Join],
    ) -> Result<Option<Looked>, Trouble> {
        let asked = Asked::Row { table, id };
        if let Some(answer) = self.recorded(asked)? {
            if answer.is_null() {
                return Ok(None);
            }
            return row_back(&answer, columns, joins)
                .map(Some)
                .map_err(|what| Trouble::Unrecorded(format!("{what} of {}", asked.in_words())));
        }
        let dataverse = &self.connection.dataverse;
        let found = match dataverse.retrieve(table, id, columns, joins).await {
            Ok(looked) => Some(looked),
            Err(error) if is_invisible(&error) => None,
            Err(error) => return Err(error.into()),
        };
        self.read(asked, || {
            found
                .as_ref()
                .map_or(Value::Null, |looked| row(looked, columns, joins))
        });
        Ok(found)
    }

    /// Rows that meet a query.
    pub(super) async fn query(&self, query: &Query) -> Result<Found, Trouble> {
        let asked = Asked::Rows(query);
        if let Some(answer) = self.recorded(asked)? {
            return found_back(&answer, &query.label).ok_or_else(|| damaged(asked));
        }
        let answer = self.connection.dataverse.query(query).await?;
        self.read(asked, || found(&answer));
        Ok(answer)
    }

    /// Rows that meet each of these queries, in their order; asked for together.
    pub(super) async fn queries(&self, queries: &[Query]) -> Result<Vec<Found>, Trouble> {
        self.lookups(queries, &BTreeSet::new(), 0).await
    }

    /// The same for queries of plugins: rows of these tables change rarely, and what was found just now is not asked for again.
    pub(super) async fn lookups(
        &self,
        queries: &[Query],
        steady: &BTreeSet<String>,
        now: Millis,
    ) -> Result<Vec<Found>, Trouble> {
        if self.played.is_some() {
            let mut all = Vec::new();
            for query in queries {
                all.push(self.query(query).await?);
            }
            return Ok(all);
        }
        let memory = &self.connection.steady;
        let remembered = |query: &Query| {
            let is_steady = steady.contains(&query.table);
            is_steady.then(|| memory.get(query, now)).flatten()
        };
        let known: Vec<Option<Found>> = queries.iter().map(remembered).collect();
        let unknown = queries.iter().zip(&known);
        let unknown: Vec<Query> = unknown
            .filter(|(_, known)| known.is_none())
            .map(|(query, _)| query.clone())
            .collect();
        let mut fresh = self
            .connection
            .dataverse
            .queries(&unknown)
            .await?
            .into_iter();
        let mut all = Vec::with_capacity(queries.len());
        for (query, known) in queries.iter().zip(known) {
            let is_fresh = known.is_none();
            // As many have come as were asked for.
            let Some(answer) = known.or_else(|| fresh.next()) else {
                break;
            };
            if is_fresh && steady.contains(&query.table) {
                memory.put(query, &answer, now);
            }
            self.read(Asked::Rows(query), || found(&answer));
            all.push(answer);
        }
        Ok(all)
    }

    /// The row that a key names.
    pub(super) async fn resolve(&self, key: &RowKey) -> Result<Option<Reference>, Trouble> {
        let asked = Asked::Where(key);
        if let Some(answer) = self.recorded(asked)? {
            return reference_back(&answer).ok_or_else(|| damaged(asked));
        }
        let answer = self.connection.dataverse.resolve(key).await?;
        self.read(asked, || reference(answer.as_ref()));
        Ok(answer)
    }

    /// What there is of a table.
    pub(super) async fn table(&self, table: &str, columns: &[&str]) -> Result<Known, Trouble> {
        let asked = Asked::Table(table);
        if let Some(answer) = self.recorded(asked)? {
            let there: Vec<&str> = answer["columns"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            let name = answer["name"].as_str().map(str::to_owned);
            return Ok(Known::where_there(name, columns, |column| {
                there.contains(&column)
            }));
        }
        let found = self.connection.dataverse.metadata(table).await?;
        self.read(asked, || {
            let there = Known::of(&found, &super::look::OWN_COLUMNS);
            json!({ "name": there.name_column, "columns": there.columns })
        });
        Ok(Known::of(&found, columns))
    }
}

fn lock(noted: &Mutex<Noted>) -> std::sync::MutexGuard<'_, Noted> {
    noted.lock().unwrap_or_else(PoisonError::into_inner)
}

fn referral_of(text: &str, asked: Asked<'_>) -> Result<Referral, Trouble> {
    Referral::parse(text).map_err(|_| damaged(asked))
}

fn damaged(asked: Asked<'_>) -> Trouble {
    Trouble::Unrecorded(format!("what the recording has of {}", asked.in_words()))
}
