//! What callers were shown of each record, and what people changed of it: from the two a lost update is told.
//!
//! A precondition alone does not tell: who takes the newest version from a change feed that shows no columns, and writes
//! what was planned on older ones, overwrites a colleague although the server agrees.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Shown, or changed: at which moment of an own, counting clock.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Sight {
    now: u64,
    /// The `$select`s that were used; none is everything.
    selections: Vec<Option<Vec<String>>>,
    /// By record: which selection was shown last when.
    shown: BTreeMap<String, BTreeMap<usize, u64>>,
    /// By record and field: when a person changed it last.
    changed: BTreeMap<String, BTreeMap<String, u64>>,
}

impl Sight {
    /// A caller is shown the selected fields of a record.
    pub(crate) fn show(&mut self, record: &str, selection: Option<&[String]>) {
        let held = self
            .selections
            .iter()
            .position(|held| held.as_deref() == selection);
        let selection = held.unwrap_or_else(|| {
            self.selections.push(selection.map(<[String]>::to_vec));
            self.selections.len() - 1
        });
        self.now += 1;
        match self.shown.get_mut(record) {
            Some(shown) => shown.insert(selection, self.now),
            None => self
                .shown
                .entry(record.to_owned())
                .or_default()
                .insert(selection, self.now),
        };
    }

    /// A person changes a field: a column as it is called on the wire, or a path.
    pub(crate) fn change(&mut self, record: &str, field: &str) {
        self.now += 1;
        let fields = self.changed.entry(record.to_owned()).or_default();
        fields.insert(field.to_owned(), self.now);
    }

    /// The fields of a record that a person changed and no caller was shown since.
    pub(crate) fn unseen(&self, record: &str) -> Vec<&str> {
        let Some(changed) = self.changed.get(record) else {
            return Vec::new();
        };
        let shown = self.shown.get(record);
        let seen = |field: &str| {
            let shown = shown.into_iter().flatten();
            let shows = |selection: &usize| self.selections[*selection].as_ref();
            shown
                .filter(|(selection, _)| {
                    shows(selection).is_none_or(|names| contains(names, root(field)))
                })
                .map(|(_, at)| *at)
                .max()
                .unwrap_or(0)
        };
        let unseen = changed.iter().filter(|(field, at)| **at > seen(field));
        unseen.map(|(field, _)| field.as_str()).collect()
    }
}

fn contains(names: &[String], field: &str) -> bool {
    names.iter().any(|name| name == "*" || root(name) == field)
}

/// The top of a path; a column is its own.
fn root(field: &str) -> &str {
    let field = field.trim_start_matches('/');
    field.split_once('/').map_or(field, |(top, _)| top)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_unseen_until_its_field_is_shown() {
        let mut sight = Sight::default();
        sight.show("r", None);
        sight.change("r", "/details/notes");
        sight.change("r", "name");
        sight.show("r", Some(&["id".to_owned()]));
        assert_eq!(sight.unseen("r"), ["/details/notes", "name"]);
        sight.show("r", Some(&["details".to_owned()]));
        assert_eq!(sight.unseen("r"), ["name"]);
        sight.show("r", None);
        assert!(sight.unseen("r").is_empty() && sight.unseen("other").is_empty());
    }
}
