//! A table asked the questions of the contract. Nothing here knows of a component: the same functions are asked by tests.

use cosell_guest_sdk::types::{
    Change, Company, CountryOrder, Deal, Fact, Join, Need, Person, PluginManifest, Reason, Seen,
    Unit, Value,
};

use crate::cell::Kind;
use crate::file::{Line, Table};
use crate::source::{Of, Spoken};

/// What a row is filled from.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// None: a contact is asked about, and the whole deal is not there.
    pub deal: Option<&'a Deal>,
    /// The customer.
    pub company: &'a Company,
    /// Whom a contact row is about.
    pub person: Option<&'a Person>,
}

impl Table {
    /// Names of the interfaces that the table serves.
    #[must_use]
    pub fn serves(&self) -> Vec<String> {
        let country = self.country.as_ref().map(|_| "country".to_owned());
        let tables = self.lines.keys().map(|table| (*table).to_owned());
        tables.chain(country).collect()
    }

    /// Who the plugin is.
    #[must_use]
    pub fn manifest(&self) -> PluginManifest {
        PluginManifest::new(&self.id, &self.version, &self.summary)
    }

    /// What it reads, writes, joins and asks for.
    #[must_use]
    pub fn needs(&self) -> Vec<Need> {
        let mut needs = Vec::new();
        for (table, lines) in &self.lines {
            for line in lines {
                line.add_needs(table, &mut needs);
            }
        }
        if let Some(country) = &self.country {
            let columns = [Some(&country.column), country.replaces.as_ref()];
            let columns = columns.into_iter().flatten().map(String::as_str);
            let label = "table-account";
            needs.push(Need::writes("account", columns));
            needs.push(
                Join::lookup(
                    label,
                    "opportunity",
                    &country.account,
                    "account",
                    [country.column.as_str()],
                )
                .into(),
            );
            if let Some(lookup) = &country.lookup {
                needs.push(join("table-country", label, &country.column, lookup));
                needs.push(Need::asks_steady(&lookup.table, [lookup.by.as_str()]));
            }
        }
        needs
    }

    /// What a row of this table says.
    #[must_use]
    pub fn facts(&self, table: &str, seen: &Seen) -> Vec<Fact> {
        let lines = self.lines.get(table).into_iter().flatten();
        lines
            .filter(|line| line.reads)
            .filter_map(|line| line.fact(table, seen))
            .collect()
    }

    /// What a row of this table should hold.
    #[must_use]
    pub fn changes(&self, table: &str, subject: Subject<'_>) -> Vec<Change> {
        let lines = self.lines.get(table).into_iter().flatten();
        lines
            .filter(|line| line.writes)
            .flat_map(|line| line.changes(table, subject))
            .collect()
    }

    /// The country that the account of this opportunity keeps.
    #[must_use]
    pub fn read_country(&self, seen: &Seen) -> Option<String> {
        let country = self.country.as_ref()?;
        let value = match &country.lookup {
            Some(lookup) => seen.joined("table-country")?.cell(&lookup.by),
            None => seen.joined("table-account")?.cell(&country.column),
        };
        match country.shape().read(value) {
            // Another word is no country that anybody knows: then the table has nothing to say about it.
            Ok(Some(Spoken::Text(code))) => Some(code.to_ascii_uppercase())
                .filter(|code| code.len() == 2 && code.bytes().all(|one| one.is_ascii_uppercase())),
            _ => None,
        }
    }

    /// How the account keeps this country.
    #[must_use]
    pub fn write_country(&self, order: &CountryOrder) -> Vec<Change> {
        let Some(country) = self.country.as_ref().filter(|_| order.table == "account") else {
            return Vec::new();
        };
        let replaced = country.replaces.iter().map(Change::withdraw);
        let change = match country.shape().write(Spoken::Text(order.code.clone())) {
            Ok(value) => Change::set(&country.column, value),
            Err(why) => Change::refuse(
                Unit::Address,
                Reason::new(
                    "country-unknown",
                    format!("The country cannot be written: {why}."),
                )
                .about_column("account", &country.column),
            ),
        };
        replaced.chain([change]).collect()
    }
}

impl Line {
    fn label(&self, table: &str) -> String {
        format!("table-{table}-{}", self.column.replace('_', "-"))
    }

    fn add_needs(&self, table: &str, needs: &mut Vec<Need>) {
        if self.writes {
            let columns = [Some(&self.column), self.replaces.as_ref()];
            let columns = columns.into_iter().flatten().map(String::as_str);
            needs.push(Need::writes(table, columns));
        }
        if self.reads {
            needs.push(Need::reads(table, [self.column.as_str()]));
        }
        if let Some(lookup) = &self.shape.lookup {
            needs.push(Need::asks_steady(&lookup.table, [lookup.by.as_str()]));
            if self.reads {
                needs.push(join(&self.label(table), table, &self.column, lookup));
            }
        }
    }

    fn fact(&self, table: &str, seen: &Seen) -> Option<Fact> {
        let source = self.source?;
        let Of::Deal(_, fact) = &source.of else {
            return None;
        };
        let value = match &self.shape.lookup {
            Some(lookup) => seen
                .joined(&self.label(table))
                .and_then(|row| row.cell(&lookup.by)),
            None => seen.row.cell(&self.column),
        };
        match self.shape.read(value) {
            Ok(spoken) => fact(spoken),
            Err(why) => Some(Fact::refuse(source.unit.clone(), self.reason(table, &why))),
        }
    }

    fn changes(&self, table: &str, subject: Subject<'_>) -> Vec<Change> {
        let replaced = self.replaces.iter().map(Change::withdraw);
        let said = self.said(subject).filter(|spoken| !is_empty(spoken));
        let change = match said.or_else(|| self.default.clone()) {
            Some(spoken) => match self.shape.write(spoken) {
                Ok(value) => Change::set(&self.column, value),
                Err(why) => self.refuse(table, &why),
            },
            None if self.required => self.refuse(table, "it is required, and there is nothing"),
            None => Change::set(&self.column, Value::Empty),
        };
        replaced.chain([change]).collect()
    }

    fn said(&self, subject: Subject<'_>) -> Option<Spoken> {
        match &self.source?.of {
            Of::Deal(get, _) | Of::Shown(get) => get(subject.deal?),
            Of::Company(get) => get(subject.company),
            Of::Person(get) => get(subject.person?),
        }
    }

    fn refuse(&self, table: &str, why: &str) -> Change {
        let unit = self.source.map_or_else(
            // A constant belongs to no unit; the column's own name is as good as any.
            || Unit::More(self.column.clone()),
            |source| source.unit.clone(),
        );
        Change::refuse(unit, self.reason(table, why))
    }

    fn reason(&self, table: &str, why: &str) -> Reason {
        let what = self.source.map_or("the constant", |source| source.name);
        let code = match self.shape.kind {
            Kind::Choice | Kind::Lookup => "word-unknown",
            _ => "value-unfit",
        };
        Reason::new(
            code,
            format!("{what} does not fit {table}.{}: {why}.", self.column),
        )
        .about_column(table, &self.column)
    }
}

fn is_empty(spoken: &Spoken) -> bool {
    matches!(spoken, Spoken::Text(text) if text.trim().is_empty())
}

fn join(label: &str, above: &str, column: &str, lookup: &crate::cell::Lookup) -> Need {
    Join::lookup(label, above, column, &lookup.table, [lookup.by.as_str()]).into()
}
