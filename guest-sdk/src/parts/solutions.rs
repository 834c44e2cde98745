//! The solutions of a deal, one row each in a table of their own.

use super::cut;
use crate::Settings;
use crate::types::{
    Cell, Change, Child, Children, Fact, Join, Need, Order, PluginManifest, Reason, Row, RowKey,
    Seen, SettingSpec, Solution, Unit, Value,
};

/// Join: the rows of the table.
pub const JOIN: &str = "solutions";
/// Join: the rows of the catalogue that they point to.
pub const CATALOGUE_JOIN: &str = "solution-catalogue";

const TABLE: &str = "solution-table";
const CATALOGUE_COLUMN: &str = "solution-catalogue-column";
const NAME_MAX: usize = 200;
const WORD_MAX: usize = 50;

// The connector's documents name its tables and fields only by their labels, so every name can be set.
const COLUMNS: [(&str, &str, &str); 7] = [
    (
        "solution-id-column",
        "msft_solutionidentifier",
        "Column with the solution's id, SOL-12345-ABC.",
    ),
    (
        "solution-name-column",
        "msft_name",
        "Column with the solution's name.",
    ),
    (
        "solution-type-column",
        "msft_type",
        "Column with the solution's type, 1P or 3P.",
    ),
    (
        "solution-publisher-column",
        "msft_publishername",
        "Column with the solution's publisher.",
    ),
    (
        "solution-catalogue-table",
        "msft_microsoftsolutiondetail",
        "Table of that catalogue.",
    ),
    (
        "solution-catalogue-id-column",
        "msft_solutionidentifier",
        "Column of the catalogue with the solution's id.",
    ),
    (
        "solution-catalogue-name-column",
        "msft_solutionname",
        "Column of the catalogue with the solution's name.",
    ),
];

/// The table of solutions under a record.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "the settings say what they are")]
pub struct SolutionTable<'a> {
    pub table: &'a str,
    /// Points to the record.
    pub lookup: &'a str,
    pub id: &'a str,
    pub name: &'a str,
    pub kind: &'a str,
    pub publisher: &'a str,
    pub catalogue: Option<Catalogue<'a>>,
}

/// Where sellers pick solutions instead of typing them.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "the settings say what they are")]
pub struct Catalogue<'a> {
    /// Lookup of the solution table.
    pub column: &'a str,
    pub table: &'a str,
    pub id: &'a str,
    pub name: &'a str,
}

/// The manifest with the settings of the table under `record`, `opportunity` or `lead`. `default_table` empty: none until the operator
/// names one.
#[must_use]
pub fn settings(manifest: PluginManifest, record: &str, default_table: &str) -> PluginManifest {
    let text = |name: &str, doc: &str, default: &str| {
        let spec = SettingSpec::text(name, doc);
        if default.is_empty() {
            spec
        } else {
            spec.default_text(default)
        }
    };
    let manifest = manifest
        .setting(text(
            TABLE,
            "Table with a deal's solutions, one row each. Empty: solutions do not cross.",
            default_table,
        ))
        .setting(text(
            &lookup_setting(record),
            &format!("Lookup of the solution table that points to the {record}."),
            &format!("msft_{record}id"),
        ))
        .setting(text(
            CATALOGUE_COLUMN,
            "Lookup of the solution table to a catalogue from which sellers pick. Empty: sellers type the id.",
            "",
        ));
    COLUMNS.into_iter().fold(manifest, |manifest, setting| {
        let (name, default, doc) = setting;
        manifest.setting(text(name, doc, default))
    })
}

fn lookup_setting(record: &str) -> String {
    format!("solution-{record}-column")
}

impl<'a> SolutionTable<'a> {
    /// `None`: this CRM keeps no solutions under `record`.
    #[must_use]
    pub fn of(settings: impl Into<Settings<'a>>, record: &str) -> Option<Self> {
        let settings = settings.into();
        let [id, name, kind, publisher, catalogue, their_id, their_name] =
            COLUMNS.map(|(setting, default, _)| settings.text(setting).unwrap_or(default));
        Some(Self {
            table: settings.text(TABLE)?,
            lookup: settings.text(&lookup_setting(record))?,
            id,
            name,
            kind,
            publisher,
            catalogue: settings.text(CATALOGUE_COLUMN).map(|column| Catalogue {
                column,
                table: catalogue,
                id: their_id,
                name: their_name,
            }),
        })
    }

    /// What it reads, writes and asks for.
    #[must_use]
    pub fn needs(&self, record: &str) -> Vec<Need> {
        let own = [self.id, self.name, self.kind, self.publisher];
        let columns = || {
            own.into_iter()
                .chain(self.catalogue.map(|catalogue| catalogue.column))
        };
        let mut needs = vec![
            Join::child(JOIN, record, self.lookup, self.table, columns()).into(),
            Need::writes(self.table, columns()),
        ];
        if let Some(their) = &self.catalogue {
            let columns = [their.id, their.name];
            needs.push(
                Join::lookup(CATALOGUE_JOIN, JOIN, their.column, their.table, columns).into(),
            );
            needs.push(Need::asks_steady(their.table, [their.id]));
        }
        needs
    }

    /// The solutions of a record, each once. One without an id, and the list cannot be compared: better say so than share the others.
    #[must_use]
    pub fn fact(&self, seen: &Seen) -> Fact {
        let mut solutions: Vec<Solution> = Vec::new();
        for row in seen.rows(JOIN) {
            let Some(id) = self.id_of(seen, row) else {
                return self.nameless(row);
            };
            solutions.push(Solution {
                id: id.to_owned(),
                name: self.name_of(seen, row).unwrap_or(id).to_owned(),
                kind: row.owned_text(self.kind),
                publisher: row.owned_text(self.publisher),
                price: None,
                quantity: None,
                close_date: None,
                more: Vec::new(),
            });
        }
        solutions.sort_by(|a, b| a.id.cmp(&b.id));
        solutions.dedup_by(|a, b| a.id.eq_ignore_ascii_case(&b.id));
        Fact::Solutions(solutions)
    }

    fn nameless(&self, row: &Row) -> Fact {
        let message = format!(
            "the solution \"{}\" has no solution id",
            row.text(self.name).unwrap_or("without a name")
        );
        Fact::refuse(
            Unit::Solutions,
            Reason::new("solution-without-id", message)
                .about_column(self.table, self.id)
                .hint("write the id that Partner Center shows, SOL-12345-ABC, or remove the row"),
        )
    }

    /// One row per solution, told apart by the solution's id. A row in which a seller has not yet written the id stays as it is, and so
    /// does a second row of the same solution.
    #[must_use]
    pub fn change(&self, order: &Order) -> Change {
        let there: Vec<(&Row, Option<&str>)> =
            order.existing.as_ref().map_or_else(Vec::new, |seen| {
                let rows = seen.rows(JOIN).iter();
                rows.map(|row| (row, self.id_of(seen, row))).collect()
            });
        let is = |own: Option<&str>, id: &str| own.is_some_and(|own| own.eq_ignore_ascii_case(id));
        let mut named: Vec<Child> = Vec::new();
        for solution in &order.deal.solutions {
            if named.iter().any(|child| is(Some(&child.key), &solution.id)) {
                continue;
            }
            let row = there
                .iter()
                .find(|(_, own)| is(*own, &solution.id))
                .map(|(row, _)| *row);
            named.push(Child::new(
                solution.id.clone(),
                row.map(|row| row.id.clone()),
                self.cells(solution, row),
            ));
        }
        let taken = |row: &Row| named.iter().any(|child| child.id.as_ref() == Some(&row.id));
        let unwanted = |own: &str| !named.iter().any(|child| is(Some(own), &child.key));
        let mut rows: Vec<Child> = there
            .iter()
            .filter(|(row, own)| !taken(row) && !own.is_some_and(unwanted))
            .map(|(row, _)| Child::new(row.id.clone(), Some(row.id.clone()), Vec::new()))
            .collect();
        rows.extend(named);
        Children::exactly(JOIN, rows).into()
    }

    /// What Partner Center does not say about a solution is left as it is. What the catalogue says is not typed into the row again.
    fn cells(&self, solution: &Solution, row: Option<&Row>) -> Vec<Cell> {
        let picked = |row: &Row| {
            self.catalogue
                .is_some_and(|their| row.reference(their.column).is_some())
        };
        if row.is_some_and(picked) {
            return Vec::new();
        }
        let mut cells: Vec<Cell> = vec![
            (self.id.to_owned(), Value::text(&solution.id)),
            (
                self.name.to_owned(),
                Value::text(cut(&solution.name, NAME_MAX)),
            ),
        ];
        if let Some(kind) = &solution.kind {
            cells.push((self.kind.to_owned(), Value::text(cut(kind, WORD_MAX))));
        }
        if let Some(publisher) = &solution.publisher {
            cells.push((
                self.publisher.to_owned(),
                Value::text(cut(publisher, NAME_MAX)),
            ));
        }
        if let (Some(their), None) = (&self.catalogue, row) {
            let key = RowKey::new(their.table, their.id, &solution.id).or_leave_out();
            cells.push((their.column.to_owned(), key.into()));
        }
        cells
    }

    fn id_of<'s>(&self, seen: &'s Seen, row: &'s Row) -> Option<&'s str> {
        row.text(self.id).or_else(|| {
            let their = self.catalogue.as_ref()?;
            picked(seen, row, their)?.text(their.id)
        })
    }

    fn name_of<'s>(&self, seen: &'s Seen, row: &'s Row) -> Option<&'s str> {
        row.text(self.name).or_else(|| {
            let their = self.catalogue.as_ref()?;
            picked(seen, row, their)?.text(their.name)
        })
    }
}

/// The row of the catalogue that a solution points to. Rows under a join of a join come in one list.
fn picked<'s>(seen: &'s Seen, row: &Row, their: &Catalogue<'_>) -> Option<&'s Row> {
    let to = row.reference(their.column)?;
    seen.rows(CATALOGUE_JOIN)
        .iter()
        .find(|entry| entry.id.eq_ignore_ascii_case(&to.id))
}
