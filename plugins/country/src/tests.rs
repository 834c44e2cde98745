use cosell_guest_sdk::{prelude::*, test};

use crate::StockCountry as Stock;
use crate::names::{code_of, name_of};

#[test]
fn the_golden_examples_hold() {
    test::check_examples::<Stock>();
}

#[test]
fn every_country_is_read_back_as_it_was_written() {
    let codes: Vec<&str> = iso3166::LIST
        .iter()
        .map(|country| country.alpha2)
        .chain(["AQ"])
        .collect();
    assert_eq!(codes.len(), 249, "ISO 3166-1 assigns 249 codes");
    for code in codes {
        assert_eq!(code_of(code), Some(code));
        assert_eq!(code_of(&code.to_lowercase()), Some(code));
        let name = name_of(code).unwrap();
        assert_eq!(code_of(name), Some(code), "{name}");
        assert_eq!(code_of(&name.to_uppercase()), Some(code), "{name}");
    }
    for country in iso3166::LIST {
        assert_eq!(
            code_of(country.name),
            Some(country.alpha2),
            "{}",
            country.name
        );
        assert_eq!(code_of(country.alpha3), Some(country.alpha2));
    }
}

#[test]
fn people_write_countries_in_many_ways() {
    for (written, code) in [
        ("UK", "GB"),
        ("U.K.", "GB"),
        ("England", "GB"),
        ("Great Britain", "GB"),
        ("USA", "US"),
        ("U.S.A.", "US"),
        ("United States of America", "US"),
        ("the Netherlands", "NL"),
        ("Holland", "NL"),
        ("South Korea", "KR"),
        ("Korea, Republic of", "KR"),
        ("Korea (Republic of)", "KR"),
        ("Czech Republic", "CZ"),
        ("Czechia", "CZ"),
        ("Turkey", "TR"),
        ("TÜRKİYE", "TR"),
        ("Russia", "RU"),
        ("Russian Federation", "RU"),
        ("Viet Nam", "VN"),
        ("Côte d'Ivoire", "CI"),
        ("Ivory Coast", "CI"),
        ("Saint Lucia", "LC"),
        ("Bosnia & Herzegovina", "BA"),
        ("Hong Kong", "HK"),
        ("  Hungary ", "HU"),
        ("Magyarország", "HU"),
    ] {
        assert_eq!(code_of(written), Some(code), "{written}");
    }
    for nonsense in ["", "  ", "Hungry", "XX", "Europe", "&"] {
        assert_eq!(code_of(nonsense), None, "{nonsense}");
    }
}

#[test]
fn an_account_without_a_country_says_nothing() {
    let mut seen = test::seen(Row::new("opportunity", test::ROW_ID));
    let ctx = test::context::<Stock>();
    let read = |seen: &Seen| <Stock as Country>::to_deal(&ctx, seen, Some("DE")).unwrap();
    assert_eq!(read(&seen), None);
    seen.related.push(Related {
        label: "account".to_owned(),
        rows: vec![Row::new("account", test::ACCOUNT_ID).with("address1_country", Value::Empty)],
    });
    assert_eq!(read(&seen), None);
}

#[test]
fn a_lead_carries_its_country_itself() {
    let ctx = test::context::<Stock>();
    let seen = test::seen(Row::new("lead", test::ROW_ID).with("address1_country", "Austria"));
    assert_eq!(
        <Stock as Country>::to_deal(&ctx, &seen, None).unwrap(),
        Some("AT".to_owned())
    );
    let order = CountryOrder {
        code: "at".to_owned(),
        table: "lead".to_owned(),
        existing: None,
        more: Vec::new(),
    };
    assert_eq!(
        <Stock as Country>::to_row(&ctx, &order, &[]).unwrap(),
        [Change::set("address1_country", "AT")]
    );
}

#[test]
fn a_code_without_a_name_is_refused_where_names_are_kept() {
    let ctx =
        test::context::<Stock>().with_setting("kept-as", SettingValue::Text("name".to_owned()));
    let order = CountryOrder {
        code: "XX".to_owned(),
        table: "account".to_owned(),
        existing: None,
        more: Vec::new(),
    };
    let changes = <Stock as Country>::to_row(&ctx, &order, &[]).unwrap();
    assert!(matches!(&changes[..], [Change::Refuse(refusal)] if refusal.unit == Unit::Address));
}
