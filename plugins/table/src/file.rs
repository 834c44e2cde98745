//! What may be written in a table, and every mistake in it with its line.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use crate::cell::{Kind, Lookup, Shape, Transform, fits};
use crate::source::{self, Of, SOURCES, Source, Spoken};

/// A table that holds.
pub struct Table {
    /// The plugin's id.
    pub id: String,
    /// Its version.
    pub version: String,
    /// One sentence.
    pub summary: String,
    /// Lines by the CRM table that they are about: `opportunity`, `lead`, `account`, `contact`.
    pub lines: BTreeMap<&'static str, Vec<Line>>,
    /// How a country is kept.
    pub country: Option<Country>,
}

/// One line: a part of the deal, or a constant, and its column.
pub struct Line {
    /// None: a constant.
    pub source: Option<&'static Source>,
    /// Logical name.
    pub column: String,
    /// What the column is.
    pub shape: Shape,
    /// Goes into the CRM.
    pub writes: bool,
    /// Is read from the CRM.
    pub reads: bool,
    /// Stands for an empty part; a constant's value.
    pub default: Option<Spoken>,
    /// Without a value the unit is refused.
    pub required: bool,
    /// A column of a plugin before this one that is taken back.
    pub replaces: Option<String>,
}

/// `[country]`
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Country {
    /// The column of the account that keeps it.
    pub column: String,
    /// Where the column points to, when it is a lookup.
    pub lookup: Option<Lookup>,
    /// Options by alpha-2 code, when it is a choice. Without either it is a text that holds the code.
    #[serde(default)]
    pub words: BTreeMap<String, i32>,
    /// The lookup column of an opportunity that leads to the account.
    #[serde(default = "parent_account")]
    pub account: String,
    /// A column of a plugin before this one that is taken back.
    pub replaces: Option<String>,
}

fn parent_account() -> String {
    "parentaccountid".to_owned()
}

impl Country {
    /// As a column.
    #[must_use]
    pub fn shape(&self) -> Shape {
        let kind = match (&self.lookup, self.words.is_empty()) {
            (Some(_), _) => Kind::Lookup,
            (None, false) => Kind::Choice,
            (None, true) => Kind::Text,
        };
        Shape {
            kind,
            words: self.words.clone(),
            lookup: self.lookup.clone(),
            transform: Vec::new(),
        }
    }
}

/// Which way a line goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Direction {
    Both,
    ToCrm,
    ToDeal,
}

/// As it is written.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct File {
    id: String,
    version: String,
    summary: String,
    #[serde(default)]
    opportunity: Vec<Spanned<Written>>,
    #[serde(default)]
    lead: Vec<Spanned<Written>>,
    #[serde(default)]
    account: Vec<Spanned<Written>>,
    #[serde(default)]
    contact: Vec<Spanned<Written>>,
    country: Option<Spanned<Country>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Written {
    source: Option<Spanned<String>>,
    constant: Option<Spanned<toml::Value>>,
    column: Spanned<String>,
    kind: Spanned<Kind>,
    direction: Option<Spanned<Direction>>,
    #[serde(default)]
    transform: Vec<Transform>,
    default: Option<Spanned<toml::Value>>,
    #[serde(default)]
    required: bool,
    #[serde(default)]
    words: BTreeMap<String, i32>,
    lookup: Option<Lookup>,
    replaces: Option<Spanned<String>>,
}

impl Table {
    /// Reads a table.
    ///
    /// # Errors
    /// Every mistake, each with its place: `50-acme.table.toml:12:10: …`.
    pub fn read(file: &str, text: &str) -> Result<Self, Vec<String>> {
        let mut mistakes = Mistakes {
            file,
            text,
            found: Vec::new(),
        };
        let written: File = match toml::from_str(text) {
            Ok(written) => written,
            Err(error) => {
                let at = error.span().map_or(0, |span| span.start);
                mistakes.add(at, error.message().replace('\n', "; "));
                return Err(mistakes.found);
            }
        };
        let mut lines = BTreeMap::new();
        for (table, written) in [
            ("opportunity", written.opportunity),
            ("lead", written.lead),
            ("account", written.account),
            ("contact", written.contact),
        ] {
            let read: Vec<_> = written
                .into_iter()
                .filter_map(|line| read_line(table, line.into_inner(), &mut mistakes))
                .collect();
            if !read.is_empty() {
                lines.insert(table, read);
            }
        }
        let country = written.country.map(|country| {
            let at = country.span().start;
            let country = country.into_inner();
            check_name(&country.column, at, &mut mistakes);
            if country.lookup.is_some() && !country.words.is_empty() {
                mistakes.add(at, "a country is kept as a lookup or in words, not both");
            }
            country
        });
        if mistakes.found.is_empty() && lines.is_empty() && country.is_none() {
            mistakes.add(0, "maps nothing: write [[opportunity]], [[lead]], [[account]], [[contact]] or [country]");
        }
        if !mistakes.found.is_empty() {
            return Err(mistakes.found);
        }
        Ok(Self {
            id: written.id,
            version: written.version,
            summary: written.summary,
            lines,
            country,
        })
    }
}

fn read_line(table: &str, written: Written, mistakes: &mut Mistakes<'_>) -> Option<Line> {
    let before = mistakes.found.len();
    let column_at = written.column.span().start;
    let (kind, kind_at) = (*written.kind.get_ref(), written.kind.span().start);
    check_name(written.column.get_ref(), column_at, mistakes);
    if let Some(replaces) = &written.replaces {
        check_name(replaces.get_ref(), replaces.span().start, mistakes);
    }
    if (kind == Kind::Choice) == written.words.is_empty() {
        mistakes.add(
            kind_at,
            "a choice, and nothing else, has words = { \"Word\" = 1, … }",
        );
    }
    if (kind == Kind::Lookup) != written.lookup.is_some() {
        mistakes.add(
            kind_at,
            "a lookup, and nothing else, has lookup = { table = \"…\", by = \"…\" }",
        );
    }
    let found = written
        .source
        .as_ref()
        .and_then(|name| find_source(table, name, mistakes));
    let said = match (&written.source, &written.constant) {
        (Some(_), None) => written.default.as_ref(),
        (None, Some(constant)) => Some(constant),
        _ => {
            mistakes.add(column_at, "a line has a source or a constant, and not both");
            None
        }
    };
    if let Some(source) = found
        && !fits(source.nature, kind)
    {
        mistakes.add(
            kind_at,
            format!("a {} column cannot hold {}", named(kind), source.name),
        );
    }
    let default = said.and_then(|said| spoken(kind, said, mistakes));
    let can_be_read = matches!(table, "opportunity" | "lead")
        && found.is_some_and(|source| matches!(source.of, Of::Deal(..)));
    let direction = match &written.direction {
        None if can_be_read => Direction::Both,
        None => Direction::ToCrm,
        Some(said) => {
            if *said.get_ref() != Direction::ToCrm && !can_be_read && found.is_some() {
                mistakes.add(
                    said.span().start,
                    "this only goes into the CRM: direction = \"to-crm\"",
                );
            }
            *said.get_ref()
        }
    };
    (mistakes.found.len() == before).then(|| Line {
        source: found,
        column: written.column.into_inner(),
        shape: Shape {
            kind,
            words: written.words,
            lookup: written.lookup,
            transform: written.transform,
        },
        writes: direction != Direction::ToDeal,
        reads: direction != Direction::ToCrm && can_be_read,
        default,
        required: written.required,
        replaces: written.replaces.map(Spanned::into_inner),
    })
}

fn find_source(
    table: &str,
    name: &Spanned<String>,
    mistakes: &mut Mistakes<'_>,
) -> Option<&'static Source> {
    let is_of = |source: &Source| match source.of {
        Of::Deal(..) | Of::Shown(_) => table != "contact",
        Of::Company(_) => true,
        Of::Person(_) => table == "contact",
    };
    let found = source::find(name.get_ref()).filter(|source| is_of(source));
    if found.is_none() {
        let known = SOURCES.iter().filter(|source| is_of(source));
        let known: Vec<_> = known.map(|source| source.name).collect();
        mistakes.add(
            name.span().start,
            format!(
                "there is no {:?} for {table}; there are {}",
                name.get_ref(),
                known.join(", ")
            ),
        );
    }
    found
}

/// A default or a constant, as a part of a deal would say it.
fn spoken(kind: Kind, said: &Spanned<toml::Value>, mistakes: &mut Mistakes<'_>) -> Option<Spoken> {
    let spoken = match (kind, said.get_ref()) {
        (Kind::Boolean, toml::Value::Boolean(flag)) => Some(Spoken::Flag(*flag)),
        (Kind::Date, toml::Value::String(day)) => Some(Spoken::Day(day.clone())),
        (Kind::Integer, toml::Value::Integer(number)) => Some(Spoken::Text(number.to_string())),
        (
            Kind::Text | Kind::Integer | Kind::Decimal | Kind::Choice | Kind::Lookup,
            toml::Value::String(text),
        ) => Some(Spoken::Text(text.clone())),
        _ => None,
    };
    if spoken.is_none() {
        let wanted = match kind {
            Kind::Boolean => "true or false",
            Kind::Integer => "a whole number",
            Kind::Money => "left out: an amount is never made up",
            _ => "a text in quotes",
        };
        mistakes.add(
            said.span().start,
            format!("for a {} column this is {wanted}", named(kind)),
        );
    }
    spoken
}

const fn named(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "text",
        Kind::Integer => "integer",
        Kind::Decimal => "decimal",
        Kind::Money => "money",
        Kind::Boolean => "boolean",
        Kind::Date => "date",
        Kind::Choice => "choice",
        Kind::Lookup => "lookup",
    }
}

fn check_name(name: &str, at: usize, mistakes: &mut Mistakes<'_>) {
    let is_logical = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if !is_logical {
        mistakes.add(
            at,
            format!("{name:?} is no logical name of a column: small letters, digits and _"),
        );
    }
}

/// Mistakes, in the order of finding.
struct Mistakes<'a> {
    file: &'a str,
    text: &'a str,
    found: Vec<String>,
}

impl Mistakes<'_> {
    fn add(&mut self, at: usize, what: impl AsRef<str>) {
        let before = self.text.get(..at).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before
            .rsplit('\n')
            .next()
            .unwrap_or_default()
            .chars()
            .count()
            + 1;
        self.found
            .push(format!("{}:{line}:{column}: {}", self.file, what.as_ref()));
    }
}
