//! Rows as JSON, with annotations and expands; and the check of every name in a query. (dataverse 1.3, 2.3, 2.4)

use std::sync::Arc;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::cells;
use super::page::{Cookie, PAGE_MAX};
use super::prefer::Prefer;
use super::refusal::{self, Refusal};
use super::schema::{Column, Kind, Navigation, Table};
use super::store::{Cell, Db, Row};
use super::subject::{RowSubject, cell, related};
use crate::odata::eval::{Case, Subject as _, matches, sort_order};
use crate::odata::options::{Expand, Options};
use crate::wire::encode;

/// Most expands in a query.
const EXPANDS_MAX: usize = 15;

/// Checks every name that a query uses against the table.
pub(super) fn check(db: &Db, table: &Table, options: &Options) -> Result<(), Refusal> {
    let mut expands = 0;
    check_level(db, table, options, &mut expands)?;
    if expands > EXPANDS_MAX {
        return Err(refusal::query(format!(
            "The number of expanded navigation properties exceeds {EXPANDS_MAX}."
        )));
    }
    Ok(())
}

fn check_level(
    db: &Db,
    table: &Table,
    options: &Options,
    expands: &mut usize,
) -> Result<(), Refusal> {
    for name in options.select.iter().flatten().filter(|name| *name != "*") {
        if table.property(name).is_none_or(|column| !column.read) {
            return Err(refusal::unknown_property(name, &table.logical));
        }
    }
    let mut wrong = None;
    let mut see = |path: &[String]| {
        if wrong.is_none() {
            wrong = check_path(db, table, path).err();
        }
    };
    let mut unknown = None;
    if let Some(filter) = &options.filter {
        filter.properties(&mut see);
        filter.columns(&mut |name| {
            if unknown.is_none() && table.column(name).is_none_or(|column| !column.read) {
                unknown = Some(refusal::unknown_property(name, &table.logical));
            }
        });
    }
    for order in &options.order {
        see(&order.path);
    }
    if let Some(wrong) = wrong.or(unknown) {
        return Err(wrong);
    }
    for expand in &options.expand {
        *expands += 1;
        let target = match db.schema.navigation(&table.logical, &expand.name) {
            Some(
                Navigation::One { table, .. }
                | Navigation::Children { table, .. }
                | Navigation::Many { table, .. },
            ) => table,
            None => return Err(refusal::unknown_property(&expand.name, &table.logical)),
        };
        let target = db
            .schema
            .table(target)
            .ok_or_else(|| refusal::no_segment(target))?;
        check_level(db, target, &expand.options, expands)?;
    }
    Ok(())
}

fn check_path(db: &Db, table: &Table, path: &[String]) -> Result<(), Refusal> {
    let Some((first, rest)) = path.split_first() else {
        return Ok(());
    };
    if rest.is_empty() && table.property(first).is_some_and(|column| column.read) {
        return Ok(());
    }
    match db.schema.navigation(&table.logical, first) {
        Some(Navigation::One { table, .. }) => {
            let next = db
                .schema
                .table(table)
                .ok_or_else(|| refusal::no_segment(table))?;
            check_path(db, next, rest)
        }
        Some(Navigation::Children { .. } | Navigation::Many { .. }) => Ok(()),
        None => Err(refusal::unknown_property(first, &table.logical)),
    }
}

/// A row as JSON with the columns, annotations and expands asked for.
pub(super) fn render(
    db: &Db,
    table: &Table,
    row: &Row,
    options: &Options,
    prefer: &Prefer,
) -> Map<String, Value> {
    let mut out = Map::new();
    out.insert("@odata.etag".to_owned(), Value::String(row.etag()));
    let everything = options
        .select
        .as_ref()
        .is_none_or(|names| names.iter().any(|name| name == "*"));
    let mut chosen: Vec<&Column> = match &options.select {
        Some(names) if !everything => names
            .iter()
            .filter_map(|name| table.property(name))
            .collect(),
        _ => table
            .columns
            .values()
            .filter(|column| column.read)
            .collect(),
    };
    let mut also = |name: &str| {
        if let Some(column) = table.column(name)
            && !chosen.iter().any(|held| held.logical == column.logical)
        {
            chosen.push(column);
        }
    };
    also(&table.key);
    // Money without its currency is half a value: the platform brings it along.
    if !everything
        && options.select.iter().flatten().any(|name| {
            table
                .property(name)
                .is_some_and(|column| matches!(column.kind, Kind::Money { .. }))
        })
    {
        also("transactioncurrencyid");
    }
    let symbol = row
        .reference("transactioncurrencyid")
        .and_then(|(table, id)| db.row(table, id))
        .and_then(|currency| currency.str("currencysymbol").map(str::to_owned));
    for column in chosen {
        let name = column.wire_name();
        let cell = cell(row, column);
        if let Some(cell) = &cell
            && prefer.annotates()
        {
            annotate(db, &mut out, &name, column, cell, symbol.as_deref(), prefer);
        }
        out.insert(name, cells::write(cell.as_ref()));
    }
    for expand in &options.expand {
        let (value, next) = expanded(db, table, row, expand, prefer);
        out.insert(expand.name.clone(), value);
        if let Some(next) = next {
            let name = format!("{}@odata.nextLink", expand.name);
            out.insert(name, Value::String(next));
        }
    }
    if db.watched {
        let mut sight = db.sight.borrow_mut();
        sight.show(&row.id.to_string(), options.select.as_deref());
    }
    out
}

fn annotate(
    db: &Db,
    out: &mut Map<String, Value>,
    name: &str,
    column: &Column,
    cell: &Cell,
    symbol: Option<&str>,
    prefer: &Prefer,
) {
    const FORMATTED: &str = "OData.Community.Display.V1.FormattedValue";
    const TABLE: &str = "Microsoft.Dynamics.CRM.lookuplogicalname";
    const NAVIGATION: &str = "Microsoft.Dynamics.CRM.associatednavigationproperty";
    let label = match cell {
        Cell::Ref { table, id } => db.name_of(table, *id),
        other => cells::label(column, other, symbol),
    };
    if let Some(label) = label.filter(|_| prefer.wants(FORMATTED)) {
        out.insert(format!("{name}@{FORMATTED}"), Value::String(label));
    }
    let (Cell::Ref { table, .. }, Kind::Lookup(targets)) = (cell, &column.kind) else {
        return;
    };
    if prefer.wants(NAVIGATION)
        && let Some(target) = targets.iter().find(|target| target.table == *table)
    {
        out.insert(
            format!("{name}@{NAVIGATION}"),
            Value::String(target.navigation.clone()),
        );
    }
    if prefer.wants(TABLE) {
        out.insert(format!("{name}@{TABLE}"), Value::String(table.to_string()));
    }
}

/// What an expand shows, and the link to what it does not show yet.
fn expanded(
    db: &Db,
    table: &Table,
    row: &Row,
    expand: &Expand,
    prefer: &Prefer,
) -> (Value, Option<String>) {
    let Some(navigation) = db.schema.navigation(&table.logical, &expand.name) else {
        return (Value::Null, None);
    };
    let (target, rows) = related(db, &table.logical, row, navigation);
    let Some(target) = db.schema.table(target) else {
        return (Value::Null, None);
    };
    let mut found: Vec<&Row> = rows
        .into_iter()
        .map(Arc::as_ref)
        .filter(|row| fits(db, target, row, &expand.options))
        .collect();
    let show = |row: &Row| Value::Object(render(db, target, row, &expand.options, prefer));
    if matches!(navigation, Navigation::One { .. }) {
        return (found.first().map_or(Value::Null, |row| show(row)), None);
    }
    sort(db, target, &mut found, &expand.options);
    found.truncate(expand.options.top.unwrap_or(usize::MAX));
    let size = prefer.page.unwrap_or(PAGE_MAX);
    let next = (found.len() > size).then(|| {
        let path = format!("/api/data/v9.2/{}({})/{}", table.set, row.id, expand.name);
        let written = expand.written.iter();
        let query: Vec<String> = written
            .map(|(name, value)| format!("{name}={}", encode(value)))
            .collect();
        let cookie = Cookie {
            page: 2,
            offset: size,
            after: found.get(size - 1).map(|row| row.id),
            ..Cookie::default()
        };
        cookie.link_from(&format!("{}{path}", db.asked.origin), &query.join("&"))
    });
    let shown = found.into_iter().take(size);
    (shown.map(show).collect(), next)
}

pub(super) fn fits(db: &Db, table: &Table, row: &Row, options: &Options) -> bool {
    options
        .filter
        .as_ref()
        .is_none_or(|filter| matches(filter, &RowSubject { db, table, row }, Case::Ignored))
}

pub(super) fn sort(db: &Db, table: &Table, rows: &mut [&Row], options: &Options) {
    rows.sort_by(|left, right| {
        for order in &options.order {
            let value = |row: &&Row| RowSubject { db, table, row }.scalar(&order.path);
            let by = sort_order(&value(left), &value(right), Case::Ignored);
            let by = if order.descending { by.reverse() } else { by };
            if by.is_ne() {
                return by;
            }
        }
        std::cmp::Ordering::Equal
    });
}

/// The context URL of a selection.
pub(super) fn context(origin: &str, table: &Table, options: &Options) -> String {
    let selection = options
        .select
        .as_ref()
        .map(|names| format!("({})", names.join(",")))
        .unwrap_or_default();
    format!("{origin}/api/data/v9.2/$metadata#{}{selection}", table.set)
}

/// Options that the Web API does not know, or not outside an expand.
pub(super) fn refuse_unsupported(pairs: &[(String, String)]) -> Result<(), Refusal> {
    for (name, _) in pairs {
        if matches!(name.as_str(), "$apply" | "fetchXml") {
            // Real, but not built: a wrong answer would be worse than none.
            return Err(Refusal::new(
                501,
                "0x80060888",
                format!("This simulator does not answer {name}."),
            ));
        }
        if matches!(name.as_str(), "$skip" | "$search" | "$format" | "$compute") {
            return Err(refusal::query(format!(
                "The query parameter {name} is not supported"
            )));
        }
        if name.starts_with('$')
            && !matches!(
                name.as_str(),
                "$select"
                    | "$filter"
                    | "$orderby"
                    | "$top"
                    | "$expand"
                    | "$count"
                    | "$skiptoken"
                    | "$deltatoken"
                    | "$id"
            )
        {
            return Err(refusal::query(format!(
                "The query parameter {name} is not supported"
            )));
        }
    }
    Ok(())
}

/// A row or the refusal that it is not there.
pub(super) fn existing<'a>(db: &'a Db, table: &Table, id: Uuid) -> Result<&'a Arc<Row>, Refusal> {
    db.row(&table.logical, id)
        .ok_or_else(|| refusal::no_row(&table.logical, id))
}
