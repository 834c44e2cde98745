use super::*;
use crate::dataverse::metadata::{LookupRelation, MoneyPrecision, Table};
use cosell_sync::deal::Money;

/// A table with one column.
fn table(kind: Kind) -> Table {
    let column = Column {
        name: "x".to_owned(),
        kind,
        create: true,
        update: true,
        required: false,
    };
    let way = |target: &str| LookupRelation {
        column: "x".to_owned(),
        target: target.to_owned(),
        navigation: format!("x_{target}"),
        collection: String::new(),
    };
    Table {
        name: "t".to_owned(),
        set: "ts".to_owned(),
        id_column: "tid".to_owned(),
        name_column: None,
        change_tracking: false,
        columns: BTreeMap::from([("x".to_owned(), column)]),
        keys: Vec::new(),
        lookups: vec![way("account"), way("contact")],
        many: Vec::new(),
    }
}

fn world() -> World {
    let currency = |id: &str, code: &str, precision| Currency {
        id: id.to_owned(),
        code: code.to_owned(),
        precision,
    };
    World {
        currencies: vec![currency("1", "EUR", 2), currency("2", "JPY", 0)],
        sets: BTreeMap::new(),
    }
}

/// The request member that a cell becomes, or the code of its refusal.
fn written(kind: Kind, cell: Cell, row_currency: Option<&str>) -> Result<String, String> {
    let cells = BTreeMap::from([("x".to_owned(), cell)]);
    match write(&table(kind), &cells, &world(), false, row_currency) {
        Ok(body) => Ok(json::Body::of(&body.members).as_str().to_owned()),
        Err(reasons) => Err(reasons[0].code.clone()),
    }
}

#[test]
fn amounts_are_rounded_as_their_column_says_and_away_from_zero() {
    let by_currency = || Kind::Money {
        precision: 2,
        by: MoneyPrecision::Currency,
    };
    let by_column = || Kind::Money {
        precision: 3,
        by: MoneyPrecision::Column,
    };
    let money = |amount: &str, currency: &str| {
        Cell::Money(Money {
            amount: amount.parse().unwrap(),
            currency: currency.to_owned(),
        })
    };
    let decimal = |amount: &str| Cell::Decimal(amount.parse().unwrap());
    for (kind, cell, currency, expected) in [
        (by_currency(), money("12.345", "EUR"), Some("EUR"), "12.35"),
        (
            by_currency(),
            money("-12.345", "EUR"),
            Some("EUR"),
            "-12.35",
        ),
        (by_currency(), money("12.5", "JPY"), Some("JPY"), "13"),
        (by_column(), money("12.3455", "EUR"), Some("EUR"), "12.346"),
        // A plain number keeps whatever currency the row has, and its places.
        (by_currency(), decimal("12.5"), Some("JPY"), "13"),
        (by_currency(), decimal("12.345"), None, "12.35"),
        (by_currency(), Cell::Integer(7), None, "7"),
    ] {
        assert_eq!(
            written(kind, cell, currency).unwrap(),
            format!("{{\"x\":{expected}}}")
        );
    }
}

#[test]
fn whole_numbers_are_whole() {
    let decimal = |text: &str| Cell::Decimal(text.parse().unwrap());
    assert_eq!(
        written(Kind::Integer, decimal("5.00"), None).unwrap(),
        r#"{"x":5}"#
    );
    assert_eq!(
        written(Kind::BigInteger, decimal("9007199254740993"), None).unwrap(),
        r#"{"x":9007199254740993}"#
    );
    assert_eq!(
        written(Kind::Integer, decimal("5.5"), None).unwrap_err(),
        "no-whole-number"
    );
    assert_eq!(
        written(Kind::Integer, decimal("9007199254740993"), None).unwrap_err(),
        "no-whole-number"
    );
}

#[test]
fn a_long_text_is_cut_between_characters_as_the_crm_counts() {
    let cells = BTreeMap::from([("x".to_owned(), Cell::Text("ab😀cd".to_owned()))]);
    for (max, kept, units) in [
        (6, "ab😀cd", None),
        (5, "ab😀c", Some(5)),
        (3, "ab", Some(2)),
    ] {
        let body = write(
            &table(Kind::LongText { max: Some(max) }),
            &cells,
            &world(),
            true,
            None,
        )
        .unwrap();
        assert_eq!(json::text(&body.members["x"]).unwrap(), kept);
        assert_eq!(
            body.cut.first().map(|cut| (cut.length, cut.kept)),
            units.map(|kept| (6, kept))
        );
    }
    assert_eq!(
        written(
            Kind::Text { max: Some(5) },
            Cell::Text("ab😀cd".to_owned()),
            None
        )
        .unwrap_err(),
        "text-too-long"
    );
}

#[test]
fn emptying_a_lookup_to_two_tables_empties_both_ways() {
    let kind = Kind::Lookup(vec!["account".to_owned(), "contact".to_owned()]);
    assert_eq!(
        written(kind, Cell::Empty, None).unwrap(),
        r#"{"x_account@odata.bind":null,"x_contact@odata.bind":null}"#
    );
}

#[test]
fn moments_lose_their_fraction_downwards() {
    for (moment, whole) in [
        ("2026-01-31T10:20:30.9999999Z", "2026-01-31T10:20:30Z"),
        ("1969-12-31T23:59:58.5Z", "1969-12-31T23:59:58Z"),
    ] {
        assert_eq!(seconds(moment.parse().unwrap()).to_string(), whole);
    }
}

#[test]
fn what_was_written_reads_back_the_same() {
    let date = |text: &str| Cell::Date(text.parse().unwrap());
    let choices = Cell::Choices(vec![
        Choice {
            code: 3,
            label: None,
        },
        Choice {
            code: 11,
            label: None,
        },
    ]);
    for (kind, cell) in [
        (
            Kind::Text { max: None },
            Cell::Text("O'Brien \"& Söhne\" \n\t".to_owned()),
        ),
        (
            Kind::Guid,
            Cell::Text("0a0a0a0a-0000-4000-8000-000000000001".to_owned()),
        ),
        (Kind::Integer, Cell::Integer(-5)),
        (
            Kind::Decimal,
            Cell::Decimal("0.1000000001".parse().unwrap()),
        ),
        (Kind::Bool, Cell::Bool(true)),
        (Kind::Date, date("2026-09-30")),
        (
            Kind::Timestamp,
            Cell::Timestamp("2026-01-31T10:20:30Z".parse().unwrap()),
        ),
        (
            Kind::Choice(Vec::new()),
            Cell::Choice(Choice {
                code: 804_240_004,
                label: None,
            }),
        ),
        (Kind::Choices(Vec::new()), choices),
        (Kind::Text { max: None }, Cell::Empty),
    ] {
        let table = table(kind);
        let mut body = write(
            &table,
            &BTreeMap::from([("x".to_owned(), cell.clone())]),
            &world(),
            true,
            None,
        )
        .unwrap();
        body.members.insert(
            "tid".to_owned(),
            json::raw("0a0a0a0a-0000-4000-8000-000000000002"),
        );
        let row = read_row(&table, &body.members, ["x"], &world()).unwrap();
        assert_eq!(row.cells["x"], cell);
    }
}
