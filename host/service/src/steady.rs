//! Rows of tables that change rarely (a list of countries, of currencies), as plugins have asked for them: kept for a minute, so that the thousand deals
//! of a first compare ask for them once.
//!
//! What was not found is not kept: a person who adds the missing row is not told that it is missing.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cosell_store::Millis;
use cosell_sync::row::{Found, Query};

/// As long as nobody wonders why a row that was corrected is not seen yet.
const KEPT_MS: Millis = 60_000;
/// Rows that are kept in all. Lists that are longer than that are no lists to look things up in.
const ROWS_MAX: usize = 10_000;

/// What was found in one CRM.
#[derive(Default)]
pub struct Steady(Mutex<BTreeMap<String, Kept>>);

struct Kept {
    found: Found,
    until: Millis,
}

impl Steady {
    /// What was found less than a minute ago.
    pub(crate) fn get(&self, query: &Query, now: Millis) -> Option<Found> {
        let kept = self.lock();
        let kept = kept.get(&key(query)).filter(|kept| is_good(kept, now))?;
        Some(Found {
            label: query.label.clone(),
            ..kept.found.clone()
        })
    }

    /// Keeps what was found, if there is room.
    pub(crate) fn put(&self, query: &Query, found: &Found, now: Millis) {
        if found.rows.is_empty() {
            return;
        }
        let mut all = self.lock();
        all.retain(|_, kept| is_good(kept, now));
        let rows: usize = all.values().map(|kept| kept.found.rows.len()).sum();
        if rows + found.rows.len() <= ROWS_MAX {
            let found = found.clone();
            let until = now + KEPT_MS;
            all.insert(key(query), Kept { found, until });
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A clock that was set back makes nothing last longer.
fn is_good(kept: &Kept, now: Millis) -> bool {
    (kept.until - KEPT_MS..kept.until).contains(&now)
}

/// All but the label, which is whoever asks.
fn key(query: &Query) -> String {
    let Query {
        label: _,
        table,
        columns,
        conditions,
        limit,
    } = query;
    format!("{table} {columns:?} {conditions:?} {limit}")
}

#[cfg(test)]
mod tests {
    use cosell_sync::row::{Cell, Condition, Row, Test};

    use super::*;

    fn query(label: &str, country: &str) -> Query {
        Query {
            label: label.to_owned(),
            table: "new_country".to_owned(),
            columns: vec!["new_iso2".to_owned()],
            conditions: vec![Condition {
                column: "new_iso2".to_owned(),
                test: Test::Equals(Cell::Text(country.to_owned())),
            }],
            limit: 2,
        }
    }

    fn found(rows: usize) -> Found {
        let row = |n| Row {
            table: "new_country".to_owned(),
            id: format!("row {n}"),
            cells: BTreeMap::new(),
        };
        Found {
            label: "the first to ask".to_owned(),
            rows: (0..rows).map(row).collect(),
            cut: false,
        }
    }

    #[test]
    fn a_row_is_remembered_for_a_minute_whoever_asks() {
        let steady = Steady::default();
        steady.put(&query("one", "DE"), &found(1), 1_000);
        let again = steady.get(&query("two", "DE"), 60_999).unwrap();
        assert_eq!((again.label.as_str(), again.rows.len()), ("two", 1));
        assert_eq!(steady.get(&query("one", "FR"), 1_000), None, "another row");
        assert_eq!(steady.get(&query("one", "DE"), 61_000), None, "too old");
        assert_eq!(steady.get(&query("one", "DE"), 999), None, "set back");
    }

    #[test]
    fn what_is_missing_is_asked_for_again() {
        let steady = Steady::default();
        steady.put(&query("one", "XK"), &found(0), 1_000);
        assert_eq!(steady.get(&query("one", "XK"), 1_000), None);
    }

    #[test]
    fn there_is_an_end_to_what_is_kept_until_the_old_has_gone() {
        let steady = Steady::default();
        steady.put(&query("one", "DE"), &found(ROWS_MAX), 1_000);
        steady.put(&query("one", "FR"), &found(1), 2_000);
        assert_eq!(steady.get(&query("one", "FR"), 2_000), None, "no room");
        steady.put(&query("one", "FR"), &found(1), 61_000);
        assert!(steady.get(&query("one", "FR"), 61_000).is_some());
    }
}
