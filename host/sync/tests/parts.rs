//! Values survive their way into the store and back.
#![allow(missing_docs, reason = "tests are read by their names")]

use cosell_sync::deal::{
    Address, DealState, Decimal, ExternalId, Help, Money, Person, Solution, Standing, Unit,
    UnitValue,
};
use proptest::prelude::*;

fn word() -> impl Strategy<Value = String> {
    "[a-zA-Zá-űß .0-9]{0,12}"
}

fn maybe() -> impl Strategy<Value = Option<String>> {
    proptest::option::of(word())
}

fn money() -> impl Strategy<Value = Money> {
    (any::<i64>(), 0..5_u32, "[A-Z]{3}").prop_map(|(digits, scale, currency)| Money {
        amount: Decimal::new(digits, scale),
        currency,
    })
}

fn date() -> impl Strategy<Value = jiff::civil::Date> {
    (2020..2040_i16, 1..13_i8, 1..29_i8)
        .prop_map(|(year, month, day)| jiff::civil::date(year, month, day))
}

fn person() -> impl Strategy<Value = Person> {
    (maybe(), maybe(), maybe(), maybe(), maybe()).prop_map(
        |(first_name, last_name, email, phone, title)| Person {
            first_name,
            last_name,
            email,
            phone,
            title,
        },
    )
}

fn solution() -> impl Strategy<Value = Solution> {
    let numbers = (
        proptest::option::of(money()),
        proptest::option::of(any::<i32>()),
        proptest::option::of(date()),
    );
    (word(), word(), maybe(), maybe(), numbers).prop_map(
        |(id, name, kind, publisher, (price, quantity, close_date))| Solution {
            id,
            name,
            kind,
            publisher,
            price,
            quantity: quantity.map(Decimal::from),
            close_date,
        },
    )
}

fn address() -> impl Strategy<Value = Address> {
    (
        maybe(),
        maybe(),
        maybe(),
        maybe(),
        (maybe(), maybe(), maybe()),
    )
        .prop_map(
            |(line1, line2, city, state, (postal_code, region, country))| Address {
                line1,
                line2,
                city,
                state,
                postal_code,
                region,
                country,
            },
        )
}

fn unit_and_value() -> impl Strategy<Value = (Unit, UnitValue)> {
    prop_oneof![
        maybe().prop_map(|text| (Unit::Notes, UnitValue::Text(text))),
        maybe().prop_map(|text| (Unit::More("partner-role".into()), UnitValue::Text(text))),
        proptest::option::of(money()).prop_map(|money| (Unit::Value, UnitValue::Money(money))),
        proptest::option::of(date()).prop_map(|date| (Unit::CloseDate, UnitValue::Date(date))),
        (word(), maybe()).prop_map(|(standing, reason)| {
            (
                Unit::State,
                UnitValue::State(DealState {
                    standing: Standing::parse(&standing),
                    reason,
                }),
            )
        }),
        any::<bool>().prop_map(|flag| (Unit::Visibility, UnitValue::Flag(flag))),
        proptest::option::of(word()).prop_map(|help| (
            Unit::Help,
            UnitValue::Help(help.as_deref().map(Help::parse))
        )),
        proptest::collection::vec(
            ("[a-z]{1,5}", word()).prop_map(|(scheme, id)| ExternalId { scheme, id }),
            0..3
        )
        .prop_map(|ids| (Unit::CompanyIds, UnitValue::Ids(ids))),
        address().prop_map(|address| (Unit::Address, UnitValue::Address(address))),
        proptest::collection::vec(person(), 0..12)
            .prop_map(|people| (Unit::Contacts, UnitValue::People(people))),
        proptest::collection::vec(solution(), 0..12)
            .prop_map(|solutions| (Unit::Solutions, UnitValue::Solutions(solutions))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_value_comes_back_from_its_parts((unit, value) in unit_and_value()) {
        prop_assert!(value.fits(&unit));
        let parts = value.to_parts();
        prop_assert_eq!(UnitValue::from_parts(&unit, &parts), Ok(value));
    }

    #[test]
    fn foreign_parts_never_panic(path in ".{0,8}", text in ".{0,8}", index in 0..17_usize) {
        let unit = &Unit::NAMED[index];
        if let Ok(value) = UnitValue::from_parts(unit, &[(path, text)]) {
            prop_assert!(value.fits(unit));
            prop_assert!(!value.in_words().is_empty());
        }
    }
}

#[test]
fn every_unit_reads_its_own_name() {
    for unit in Unit::NAMED {
        assert_eq!(Unit::parse(&unit.as_text()), Some(unit));
    }
    assert_eq!(
        Unit::parse("more:partner-role"),
        Some(Unit::More("partner-role".into()))
    );
    assert_eq!(Unit::parse("amount"), None);
}

#[test]
fn a_code_without_letters_leaves_no_hole_in_a_sentence() {
    for (unit, parts) in [
        (Unit::Help, vec![(String::new(), String::new())]),
        (Unit::State, vec![("standing".to_owned(), " ".to_owned())]),
    ] {
        let value = UnitValue::from_parts(&unit, &parts).expect("readable");
        assert_eq!(value.in_words(), "a code without a name");
    }
}
