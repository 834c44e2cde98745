use super::*;
use cosell_sync::row::Choice;
use std::collections::BTreeMap;

fn table() -> Table {
    let kinds = [
        ("name", Kind::Text { max: None }),
        ("gid", Kind::Guid),
        ("count", Kind::Integer),
        (
            "amount",
            Kind::Money {
                precision: 2,
                by: crate::dataverse::MoneyPrecision::Column,
            },
        ),
        ("flag", Kind::Bool),
        ("day", Kind::Date),
        ("at", Kind::Timestamp),
        ("stage", Kind::Choice(Vec::new())),
        ("tags", Kind::Choices(Vec::new())),
        ("parent", Kind::Lookup(vec!["account".to_owned()])),
    ];
    let column = |(name, kind): (&str, Kind)| {
        (
            name.to_owned(),
            Column {
                name: name.to_owned(),
                kind,
                create: true,
                update: true,
                required: false,
            },
        )
    };
    Table {
        name: "t".to_owned(),
        set: "ts".to_owned(),
        id_column: "tid".to_owned(),
        name_column: None,
        change_tracking: false,
        columns: kinds.into_iter().map(column).collect::<BTreeMap<_, _>>(),
        keys: Vec::new(),
        lookups: Vec::new(),
        many: Vec::new(),
    }
}

fn filter_of(column: &str, test: Test) -> Result<Option<String>, String> {
    filter(
        &table(),
        &[Condition {
            column: column.to_owned(),
            test,
        }],
    )
}

#[test]
fn every_kind_of_column_is_tested_in_its_own_spelling() {
    let id = "0A0A0A0A-0000-4000-8000-000000000001";
    let reference = Cell::Reference(Reference {
        table: "account".to_owned(),
        id: id.to_owned(),
        name: None,
    });
    let choice = |code| Cell::Choice(Choice { code, label: None });
    for (column, test, expected) in [
        (
            "name",
            Test::Equals(Cell::Text("O'Brien".to_owned())),
            "name eq 'O''Brien'",
        ),
        (
            "name",
            Test::Equals(Cell::Text(String::new())),
            "name eq null",
        ),
        (
            "name",
            Test::BeginsWith("a_b".to_owned()),
            "startswith(name,'a[_]b')",
        ),
        (
            "gid",
            Test::Equals(Cell::Text(id.to_owned())),
            "gid eq 0a0a0a0a-0000-4000-8000-000000000001",
        ),
        ("count", Test::AtLeast(Cell::Integer(-3)), "count ge -3"),
        (
            "amount",
            Test::AtMost(Cell::Decimal("12.50".parse().unwrap())),
            "amount le 12.50",
        ),
        ("flag", Test::Equals(Cell::Bool(true)), "flag eq true"),
        (
            "day",
            Test::Equals(Cell::Date("2026-09-30".parse().unwrap())),
            "day eq 2026-09-30",
        ),
        (
            "at",
            Test::AtLeast(Cell::Timestamp("2026-01-31T00:00:00.5Z".parse().unwrap())),
            "at ge 2026-01-31T00:00:00Z",
        ),
        (
            "stage",
            Test::OneOf(vec![choice(1), choice(2), Cell::Empty]),
            "(stage eq 1 or stage eq 2 or stage eq null)",
        ),
        (
            "parent",
            Test::Equals(reference),
            "_parent_value eq 0a0a0a0a-0000-4000-8000-000000000001",
        ),
        ("parent", Test::IsEmpty, "_parent_value eq null"),
        ("parent", Test::IsFilled, "_parent_value ne null"),
    ] {
        assert_eq!(filter_of(column, test).unwrap().as_deref(), Some(expected));
    }
}

#[test]
fn a_test_that_makes_no_sense_says_why() {
    for (column, test, problem) in [
        (
            "count",
            Test::Equals(Cell::Text("12k".to_owned())),
            "t.count is a whole number column, and cannot be compared with text \"12k\"",
        ),
        (
            "count",
            Test::Contains("1".to_owned()),
            "t.count is a whole number column, and has no beginning to search by",
        ),
        (
            "tags",
            Test::Equals(Cell::Choices(Vec::new())),
            "t.tags is a multi-select choice column, which cannot be searched",
        ),
        ("none", Test::IsEmpty, "t has no column none"),
    ] {
        assert_eq!(filter_of(column, test).unwrap_err(), problem);
    }
}
