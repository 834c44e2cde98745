use cosell_guest_sdk::{prelude::*, test};

use crate::StockAccount as Stock;

fn choose(ctx: &Context, deal: &Deal, candidates: &[Candidate]) -> Resolution {
    <Stock as Account>::choose(ctx, deal, candidates, None)
        .unwrap()
        .unwrap()
}

fn with_duns() -> Context {
    test::context::<Stock>().with_setting("duns-column", SettingValue::Text("new_duns".to_owned()))
}

#[test]
fn the_golden_examples_hold() {
    test::check_examples::<Stock>();
}

#[test]
fn two_spellings_of_a_new_customer_are_one_identity() {
    let ctx = test::context::<Stock>();
    let mut other = test::standard_deal();
    other.company.name = "  CONTOSO  Kft ".to_owned();
    assert_eq!(
        choose(&ctx, &test::standard_deal(), &[]),
        choose(&ctx, &other, &[])
    );
}

#[test]
fn a_new_customer_with_a_duns_number_is_that_number() {
    assert_eq!(
        choose(&with_duns(), &test::standard_deal(), &[]),
        Resolution::CreateNew("duns:123456789".to_owned())
    );
}

#[test]
fn an_inactive_account_is_passed_over() {
    let candidate = Candidate {
        row: Row::new("account", test::ACCOUNT_ID).with("statecode", Value::choice(1)),
        found_by: vec!["name-and-postcode".to_owned()],
    };
    assert!(matches!(
        choose(
            &test::context::<Stock>(),
            &test::standard_deal(),
            &[candidate]
        ),
        Resolution::CreateNew(_)
    ));
}

#[test]
fn the_searches_of_others_stay_and_a_deal_without_postcode_is_searched_by_name() {
    let mut deal = test::standard_deal();
    deal.company.address.postal_code = Some(" ".to_owned());
    let before = Search::suggests(Query::new("theirs", "account", ["name"]));
    let searches = <Stock as Account>::searches(
        &test::context::<Stock>(),
        &deal,
        std::slice::from_ref(&before),
    )
    .unwrap()
    .unwrap();
    let labels: Vec<_> = searches.iter().map(|s| s.query.label.as_str()).collect();
    assert_eq!(labels, ["theirs", "name"]);
    assert_eq!(searches[1].query.conditions.len(), 1);
}

#[test]
fn the_number_is_written_where_the_setting_says() {
    let changes =
        <Stock as Account>::to_row(&with_duns(), &test::standard_deal(), None, &[]).unwrap();
    assert!(changes.contains(&Change::set("new_duns", "123456789")));
}
