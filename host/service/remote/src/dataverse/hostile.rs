//! Rows, batches, metadata and changes as no CRM ought to send them.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use cosell_fuzz::{bounded, survives, told};
use cosell_sync::row::{Cell, Join, Link, Row};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};

use super::batch::failed_part;
use super::cells::{Currency, World, currency_of, read_row, write};
use super::changes::page_of;
use super::joins::Tree;
use super::metadata::{Choosable, Column, Documents, Kind, LookupRelation, MoneyPrecision, Table};
use crate::hostile::{WORDS, folder, genuine};
use crate::http::Answer;
use crate::json::{self, Object};

const CURRENCY: &str = "0a0a0a0a-0000-4000-8000-00000000000c";

/// A table with a column of each kind.
fn table() -> Table {
    let option = |code| Choosable {
        code,
        label: Some(format!("Option {code}")),
        state: None,
    };
    let kinds = [
        ("text", Kind::Text { max: Some(100) }),
        ("long", Kind::LongText { max: Some(200) }),
        ("guid", Kind::Guid),
        ("integer", Kind::Integer),
        ("big", Kind::BigInteger),
        ("decimal", Kind::Decimal),
        ("double", Kind::Double),
        (
            "money",
            Kind::Money {
                precision: 4,
                by: MoneyPrecision::Currency,
            },
        ),
        (
            "exact",
            Kind::Money {
                precision: 4,
                by: MoneyPrecision::Column,
            },
        ),
        ("flag", Kind::Bool),
        ("day", Kind::Date),
        ("moment", Kind::Timestamp),
        ("choice", Kind::Choice(vec![option(1), option(2)])),
        ("choices", Kind::Choices(vec![option(1), option(2)])),
        ("free", Kind::Choice(Vec::new())),
        ("one", Kind::Lookup(vec!["account".to_owned()])),
        (
            "several",
            Kind::Lookup(vec!["account".to_owned(), "contact".to_owned()]),
        ),
    ];
    let columns = kinds.map(|(name, kind)| {
        let column = Column {
            name: name.to_owned(),
            kind,
            create: true,
            update: true,
            required: false,
        };
        (name.to_owned(), column)
    });
    let way = |column: &str, target: &str| LookupRelation {
        column: column.to_owned(),
        target: target.to_owned(),
        navigation: format!("{column}_{target}"),
        collection: format!("things_{column}"),
    };
    Table {
        name: "thing".to_owned(),
        set: "things".to_owned(),
        id_column: "thingid".to_owned(),
        name_column: Some("text".to_owned()),
        change_tracking: true,
        columns: BTreeMap::from(columns),
        keys: Vec::new(),
        lookups: vec![
            way("one", "account"),
            way("several", "account"),
            way("several", "contact"),
        ],
        many: Vec::new(),
    }
}

/// The table that things point to, with children of its own.
fn account() -> Table {
    let column = Column {
        name: "name".to_owned(),
        kind: Kind::Text { max: None },
        create: true,
        update: true,
        required: false,
    };
    Table {
        name: "account".to_owned(),
        set: "accounts".to_owned(),
        id_column: "accountid".to_owned(),
        columns: BTreeMap::from([("name".to_owned(), column)]),
        lookups: Vec::new(),
        ..table()
    }
}

fn world() -> World {
    let set = |name: &str| (name.to_owned(), format!("{name}s"));
    World {
        currencies: vec![Currency {
            id: CURRENCY.to_owned(),
            code: "EUR".to_owned(),
            precision: 2,
        }],
        sets: BTreeMap::from([set("account"), set("contact")]),
    }
}

fn text(input: &[u8]) -> Option<&str> {
    std::str::from_utf8(input).ok()
}

/// What is sent for a row as it was read. None: some of it may not be written, and is refused with a reason.
fn sent(
    table: &Table,
    row: &Row,
    world: &World,
    currency: Option<&str>,
) -> Result<Option<Object>, String> {
    match write(table, &row.cells, world, false, currency) {
        Ok(body) => Ok(Some(body.members)),
        Err(reasons) if reasons.iter().all(|reason| !reason.message.is_empty()) => Ok(None),
        Err(reasons) => Err(format!("it is refused without a word: {reasons:?}")),
    }
}

/// The CRM's own form of a row after such a write.
fn after(members: &Object, sent: &Object, row: &Row) -> Object {
    let mut members = members.clone();
    for (name, value) in sent {
        if !name.contains('@') {
            members.insert(name.clone(), value.clone());
        }
    }
    for name in ["one", "several"] {
        if let Some(Cell::Reference(reference)) = row.cells.get(name) {
            members.insert(format!("_{name}_value"), json::raw(&reference.id));
        }
    }
    members
}

#[test]
fn a_row_is_read_or_refused_and_what_was_read_can_be_written() {
    let (table, world) = (table(), world());
    let full = json::object(&genuine("row", "full")).unwrap();
    let all = table.columns.keys().map(String::as_str);
    read_row(&table, &full, all, &world).unwrap();
    survives(&folder("row"), &WORDS, 2_500, |input| {
        let Some(members) = text(input).and_then(json::object) else {
            return Ok(());
        };
        // Column by column as well, so that one that is refused does not hide the others.
        for name in table.columns.keys() {
            if let Err(problem) = read_row(&table, &members, [name.as_str()], &world) {
                told(input, &problem)?;
            }
        }
        let there = |name: &&String| read_row(&table, &members, [name.as_str()], &world).is_ok();
        let names: Vec<&str> = table
            .columns
            .keys()
            .filter(there)
            .map(String::as_str)
            .collect();
        let Ok(row) = read_row(&table, &members, names.iter().copied(), &world) else {
            return Ok(());
        };
        bounded(input, format!("{row:?}").len())?;
        let currency = currency_of(&members, &world);
        let Some(body) = sent(&table, &row, &world, currency)? else {
            return Ok(());
        };
        let members = after(&members, &body, &row);
        let again = read_row(&table, &members, names.iter().copied(), &world)
            .map_err(|problem| format!("what is written cannot be read: {problem}"))?;
        // Cut and rounded once, it stays as it is.
        match sent(&table, &again, &world, currency)? {
            Some(second) if texts(&second) == texts(&body) => Ok(()),
            other => Err(format!("{body:?} is written next time as {other:?}")),
        }
    });
}

fn texts(members: &Object) -> BTreeMap<&str, &str> {
    members
        .iter()
        .map(|(name, value)| (name.as_str(), value.get()))
        .collect()
}

#[test]
fn joined_rows_are_collected_or_refused() {
    let (root, world) = (Arc::new(table()), world());
    let join = |label: &str, above: &str, table: &str, via: Link, column: &str| Join {
        label: label.to_owned(),
        above: above.to_owned(),
        table: table.to_owned(),
        via,
        columns: vec![column.to_owned()],
    };
    let joins = [
        join(
            "a/owner",
            "thing",
            "account",
            Link::Lookup("one".to_owned()),
            "name",
        ),
        join(
            "a/things",
            "a/owner",
            "thing",
            Link::Child("one".to_owned()),
            "text",
        ),
        join(
            "b/again",
            "thing",
            "account",
            Link::Lookup("one".to_owned()),
            "name",
        ),
    ];
    let tables = BTreeMap::from([
        ("thing".to_owned(), Arc::clone(&root)),
        ("account".to_owned(), Arc::new(account())),
    ]);
    let tree = Tree::of(&root, &joins, &tables).unwrap();
    let full = json::object(&genuine("joined", "full")).unwrap();
    let brought = tree.collect(&full).unwrap();
    assert!(
        tree.related(&brought, &world)
            .unwrap()
            .iter()
            .all(|related| !related.rows.is_empty())
    );
    survives(&folder("joined"), &WORDS, 1_500, |input| {
        let Some(record) = text(input).and_then(json::object) else {
            return Ok(());
        };
        let related = tree
            .collect(&record)
            .and_then(|brought| tree.related(&brought, &world));
        match related {
            Ok(related) if related.len() == joins.len() => {
                bounded(input, format!("{related:?}").len())
            }
            Ok(related) => Err(format!("{} joins were answered", related.len())),
            Err(problem) => told(input, &problem),
        }
    });
}

#[test]
fn a_page_of_changes_is_read_or_refused() {
    let kept = json::object(&genuine("changes", "kept")).unwrap();
    let page = page_of("thingid", &kept).unwrap();
    assert_eq!((page.changed.len(), page.deleted.len()), (1, 1));
    survives(&folder("changes"), &WORDS, 2_000, |input| {
        let Some(members) = text(input).and_then(json::object) else {
            return Ok(());
        };
        match page_of("thingid", &members) {
            Ok(page) => {
                let ids = page.changed.iter().map(|row| &row.id).chain(&page.deleted);
                for id in ids {
                    if crate::http::guid(id).as_ref() != Some(id) {
                        return Err(format!("{id:?} is no id"));
                    }
                }
                bounded(input, format!("{page:?}").len())
            }
            Err(problem) => told(input, problem),
        }
    });
}

/// One document with the answers to all that is asked about a table.
#[test]
fn a_table_is_what_its_metadata_say_or_none() {
    let words = [
        "\"AttributeType\":\"Picklist\"",
        "\"OptionSet\":{\"Options\":[",
        "\"MaxLength\":",
        "\"Targets\":[",
        "\"LogicalName\":",
    ];
    survives(&folder("metadata"), &words, 1_500, |input| {
        let Some(members) = text(input).and_then(json::object) else {
            return Ok(());
        };
        let list = |name: &str| -> Vec<Object> {
            let rows: Option<Vec<json::Raw>> = members.get(name).and_then(|rows| json::parse(rows));
            let rows = rows.unwrap_or_default();
            rows.iter()
                .filter_map(|row| json::object(row.get()))
                .collect()
        };
        let documents = Documents {
            table: members
                .get("table")
                .and_then(|table| json::object(table.get()))
                .unwrap_or_default(),
            columns: list("columns"),
            details: list("details"),
            keys: list("keys"),
            lookups: list("lookups"),
            many: list("many"),
        };
        let Some(table) = documents.table() else {
            return Ok(());
        };
        let words: usize = table
            .columns
            .values()
            .map(|column| column.kind.words().len())
            .sum();
        bounded(input, words)?;
        bounded(input, format!("{table:?}").len())
    });
}

/// The first line is the content type of the answer.
#[test]
fn an_answer_to_a_batch_is_read_or_refused() {
    let words = [
        "--b\r\n",
        "--b--\r\n",
        "--c\r\n",
        "--c--\r\n",
        "multipart/mixed; boundary=",
        "Content-Type: application/http\r\n",
        "Content-Type: multipart/mixed; boundary=c\r\n",
        "HTTP/1.1 204 No Content\r\n",
        "HTTP/1.1 412 Precondition Failed\r\n",
        "\r\n\r\n",
        "\n\n",
    ];
    survives(&folder("batch"), &words, 2_500, |input| {
        let end = input
            .iter()
            .position(|byte| *byte == b'\n')
            .unwrap_or(input.len());
        let (kind, body) = input.split_at(end);
        let Ok(kind) = HeaderValue::from_bytes(kind.trim_ascii()) else {
            return Ok(());
        };
        let answer = Answer {
            status: StatusCode::OK,
            headers: HeaderMap::from_iter([(CONTENT_TYPE, kind)]),
            body: Bytes::copy_from_slice(body),
        };
        match failed_part(&answer) {
            Ok(Some(part)) if part.status.is_success() => {
                Err(format!("{} is no failure", part.status))
            }
            Ok(part) => bounded(input, format!("{part:?}").len()),
            Err(problem) => told(input, &problem),
        }
    });
}
