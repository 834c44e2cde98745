use cosell_guest_sdk::{prelude::*, test};

use crate::StockAccount as Stock;

const FIRST: &str = "0a0a0a0a-0000-4000-8000-0000000000a1";
const SECOND: &str = "0a0a0a0a-0000-4000-8000-0000000000a2";
const THIRD: &str = "0a0a0a0a-0000-4000-8000-0000000000a3";

fn ctx() -> Context {
    test::context::<Stock>()
}

fn choose(ctx: &Context, deal: &Deal, candidates: &[Candidate]) -> Resolution {
    <Stock as Account>::choose(ctx, deal, candidates, None)
        .unwrap()
        .unwrap()
}

fn chosen(candidates: &[Candidate]) -> Resolution {
    choose(&ctx(), &test::standard_deal(), candidates)
}

fn with_numbers() -> Context {
    ctx()
        .with_text("duns-column", "new_duns")
        .with_text("external-id-column", "new_number")
}

fn account(id: &str, name: &str, postcode: Option<&str>) -> Row {
    Row::new("account", id)
        .with("name", name)
        .with("address1_postalcode", postcode.map(str::to_owned))
        .with("statecode", Value::choice(0))
}

fn found(row: Row, by: &[&str]) -> Candidate {
    Candidate {
        row,
        found_by: by.iter().map(|label| (*label).to_owned()).collect(),
    }
}

fn reasons(likeness: &Likeness) -> Vec<&str> {
    likeness.because.iter().map(String::as_str).collect()
}

fn ids(list: &[Likeness]) -> Vec<&str> {
    list.iter().map(|one| one.id.as_str()).collect()
}

#[test]
fn the_golden_examples_hold() {
    test::check_examples::<Stock>();
}

#[test]
fn every_key_has_its_points_and_its_words() {
    let row = account(FIRST, "CONTOSO", Some("1051"))
        .with("address1_country", "Hungary")
        .with("emailaddress1", "office@contoso.example");
    let Resolution::UseExisting(likeness) = chosen(&[found(row, &["name"])]) else {
        panic!("it is the customer")
    };
    assert_eq!(likeness.score, 95);
    assert_eq!(
        reasons(&likeness),
        [
            "same name but for the legal form",
            "same domain as its mail",
            "same postal code",
            "same country",
        ]
    );
}

#[test]
fn close_calls_come_best_first_and_say_why() {
    let typo = account(FIRST, "Contosso Kft.", Some("1051"));
    let sister = account(SECOND, "Contoso Zrt.", Some("1051")).with("address1_country", "HU");
    let domain = account(THIRD, "Northwind", None).with("websiteurl", "contoso.example");
    let Resolution::Review(list) = chosen(&[
        found(domain, &["website"]),
        found(sister, &["name-and-postcode"]),
        found(typo, &["name-and-postcode"]),
    ]) else {
        panic!("too close to call")
    };
    assert_eq!(ids(&list), [SECOND, FIRST, THIRD]);
    assert_eq!(
        list.iter().map(|one| one.score).collect::<Vec<_>>(),
        [60, 55, 40]
    );
    assert_eq!(
        reasons(&list[1]),
        ["name differs by one letter", "same postal code"]
    );
}

#[test]
fn one_that_is_far_ahead_is_taken_and_one_that_is_near_asks() {
    let best = account(FIRST, "Contoso Kft.", Some("1051")).with("address1_country", "HU");
    let near = account(SECOND, "Contoso", Some("1051")).with("address1_country", "HU");
    let far = account(SECOND, "Contoso Zrt.", Some("1051"));
    let both = |second: Row| {
        chosen(&[
            found(best.clone(), &["name-and-postcode"]),
            found(second, &["name-and-postcode"]),
        ])
    };
    assert!(
        matches!(both(far), Resolution::UseExisting(one) if one.id == FIRST && one.score == 90)
    );
    // 90 and 80 are ten apart; without its country the best is not.
    assert!(matches!(both(near.clone()), Resolution::UseExisting(one) if one.id == FIRST));
    let best = account(FIRST, "Contoso Kft.", Some("1051"));
    let resolution = chosen(&[
        found(best, &["name-and-postcode"]),
        found(near, &["name-and-postcode"]),
    ]);
    assert!(matches!(resolution, Resolution::Review(list) if list.len() == 2));
}

#[test]
fn a_number_proves_it_whatever_the_names_say() {
    let deal = test::standard_deal();
    let row = account(FIRST, "Northwind", Some("9999")).with("new_duns", "12-345-6789");
    let resolution = choose(&with_numbers(), &deal, &[found(row, &["website"])]);
    assert!(
        matches!(&resolution, Resolution::UseExisting(one) if one.score == 100 && one.because[0] == "same DUNS number"),
        "{resolution:?}"
    );
}

#[test]
fn a_search_of_another_plugin_that_identifies_is_a_proof() {
    let row = || account(FIRST, "Northwind", None);
    let proof = found(row(), &["our-erp", "identifies"]);
    let resolution = chosen(&[proof]);
    assert!(
        matches!(&resolution, Resolution::UseExisting(one) if one.because[0] == "found by our-erp"),
        "{resolution:?}"
    );
    assert!(matches!(
        chosen(&[found(row(), &["our-hint"])]),
        Resolution::CreateNew(_)
    ));
}

#[test]
fn numbers_that_contradict_each_other_are_a_persons_choice() {
    let mut deal = test::standard_deal();
    deal.company.ids.push(ExternalId {
        scheme: "external".to_owned(),
        id: "C-42".to_owned(),
    });
    let one = account(FIRST, "Contoso Kft.", None).with("new_duns", "123456789");
    let other = account(SECOND, "Contoso Kft.", None).with("new_number", "C42");
    let resolution = choose(
        &with_numbers(),
        &deal,
        &[
            found(one.clone(), &["duns"]),
            found(other, &["external-id"]),
        ],
    );
    assert!(matches!(resolution, Resolution::Review(list) if ids(&list) == [FIRST, SECOND]));
    // Within one account, too.
    let split = one.with("new_number", "C-7");
    let resolution = choose(&with_numbers(), &deal, &[found(split, &["duns"])]);
    assert!(
        matches!(&resolution, Resolution::Review(list) if reasons(&list[0]).contains(&"another customer number")),
        "{resolution:?}"
    );
}

#[test]
fn the_same_name_with_another_number_is_asked_about() {
    let row = account(FIRST, "Contoso Kft.", Some("1051"))
        .with("address1_country", "HU")
        .with("new_duns", "987654321");
    let resolution = choose(
        &with_numbers(),
        &test::standard_deal(),
        &[found(row, &["name"])],
    );
    assert!(matches!(resolution, Resolution::Review(list) if list[0].score == 50));
}

#[test]
fn another_country_is_another_company() {
    let row = account(FIRST, "Contoso Kft.", Some("1051")).with("address1_country", "Austria");
    let mut deal = test::standard_deal();
    deal.company.address.country = Some("AT".to_owned());
    let candidates = [found(row, &["name-and-postcode"])];
    assert!(matches!(
        choose(&ctx(), &deal, &candidates),
        Resolution::UseExisting(_)
    ));
    assert!(matches!(
        chosen(&candidates),
        Resolution::Review(list) if list[0].score == 40
    ));
}

#[test]
fn an_active_account_goes_before_an_inactive_one_that_is_surer() {
    let asleep = account(FIRST, "Contoso Kft.", Some("1051")).with("statecode", Value::choice(1));
    let awake = account(SECOND, "Contoso Kft.", Some("1051"));
    let resolution = chosen(&[
        found(asleep.clone(), &["duns"]),
        found(awake, &["name-and-postcode"]),
    ]);
    assert!(matches!(resolution, Resolution::UseExisting(one) if one.id == SECOND));
    let Resolution::Review(list) = chosen(&[found(asleep, &["duns"])]) else {
        panic!("never silently")
    };
    assert!(reasons(&list[0]).contains(&"the account is inactive"));
}

#[test]
fn merges_that_lead_in_a_circle_lead_nowhere() {
    let merged = |id: &str, into: &str| {
        let row = account(id, "Contoso Kft.", Some("1051"))
            .with("merged", true)
            .with("masterid", Value::reference("account", into));
        found(row, &["name-and-postcode"])
    };
    let mut deal = test::standard_deal();
    deal.contacts.clear();
    let resolution = choose(
        &ctx(),
        &deal,
        &[merged(FIRST, SECOND), merged(SECOND, FIRST)],
    );
    assert!(matches!(resolution, Resolution::CreateNew(_)));
}

#[test]
fn a_chain_of_merges_is_followed_to_its_end() {
    let merged = |id: &str, into: &str| {
        account(id, "Contoso Kft.", Some("1051"))
            .with("merged", true)
            .with("masterid", Value::reference("account", into))
    };
    let candidates = [found(merged(FIRST, SECOND), &["name-and-postcode"])];
    let deal = test::standard_deal();
    let second = format!("master-{SECOND}");
    let ctx = ctx().with_found(&second, vec![merged(SECOND, THIRD)]);
    let asked = <Stock as Account>::choose(&ctx, &deal, &candidates, None).unwrap_err();
    let third = format!("master-{THIRD}");
    assert!(matches!(&asked, Stop::Ask(queries) if queries[0].label == third));
    let ctx = ctx.with_found(&third, vec![account(THIRD, "Contoso Group", None)]);
    let Resolution::UseExisting(one) = choose(&ctx, &deal, &candidates) else {
        panic!("the master is the customer")
    };
    assert_eq!(one.id, THIRD);
    assert!(reasons(&one).contains(&"merged into this account"));
}

#[test]
fn two_spellings_of_a_new_customer_are_one_identity() {
    let mut deal = test::standard_deal();
    deal.contacts.clear();
    let mut other = deal.clone();
    other.company.name = "  CONTOSO  Kft ".to_owned();
    other.company.address.country = Some("hu".to_owned());
    assert_eq!(choose(&ctx(), &deal, &[]), choose(&ctx(), &other, &[]));
}

#[test]
fn a_new_customer_with_a_duns_number_is_that_number() {
    assert_eq!(
        choose(&with_numbers(), &test::standard_deal(), &[]),
        Resolution::CreateNew("duns:123456789".to_owned())
    );
}

#[test]
fn a_domain_that_another_account_has_is_no_identity() {
    let sister = account(FIRST, "Northwind", Some("9021"))
        .with("websiteurl", "contoso.example")
        .with("address1_country", "HU");
    assert_eq!(
        chosen(&[found(sister, &["website"])]),
        Resolution::CreateNew("contoso kft|1051|hu".to_owned())
    );
}

#[test]
fn a_mailbox_at_a_public_provider_is_no_domain() {
    let mut deal = test::standard_deal();
    deal.contacts[0].email = Some("anna.kovacs@gmail.com".to_owned());
    let by_name = Resolution::CreateNew("contoso kft|1051|hu".to_owned());
    assert_eq!(choose(&ctx(), &deal, &[]), by_name);
    deal.contacts[0].email = Some("anna.kovacs@town.example".to_owned());
    let ctx = ctx().with_setting(
        "public-mail-domains",
        SettingValue::Texts(vec!["Town.example".to_owned()]),
    );
    assert_eq!(choose(&ctx, &deal, &[]), by_name);
}

#[test]
fn the_searches_of_others_stay_and_ours_take_the_room_that_is_left() {
    let theirs =
        |at: usize| Search::suggests(Query::new(format!("theirs-{at}"), "account", ["name"]));
    let draft: Vec<Search> = (0..9).map(theirs).collect();
    let searches = <Stock as Account>::searches(&ctx(), &test::standard_deal(), &draft)
        .unwrap()
        .unwrap();
    assert_eq!(searches.len(), 10);
    assert_eq!(searches[..9], draft[..]);
    assert_eq!(searches[9].query.label, "name-and-postcode");
}

#[test]
fn a_deal_that_says_little_is_searched_by_little() {
    let mut deal = test::standard_deal();
    deal.company.address.postal_code = Some(" ".to_owned());
    deal.company.address.country = None;
    deal.contacts.clear();
    let searches = <Stock as Account>::searches(&ctx(), &deal, &[])
        .unwrap()
        .unwrap();
    let labels: Vec<_> = searches.iter().map(|s| s.query.label.as_str()).collect();
    assert_eq!(labels, ["name"]);
}

#[test]
fn numbers_are_written_where_the_settings_say_and_a_web_site_is_never_overwritten() {
    let deal = test::standard_deal();
    let row = |existing: Option<&Row>| {
        <Stock as Account>::to_row(&with_numbers(), &deal, existing, &[]).unwrap()
    };
    let site = Change::set("websiteurl", "https://contoso.example");
    let new = row(None);
    assert!(new.contains(&Change::set("new_duns", "123456789")));
    assert!(new.contains(&site));
    assert!(!row(Some(&account(FIRST, "Contoso Kft.", None))).contains(&site));
}

#[test]
fn an_account_that_was_made_is_found_again() {
    let deal = test::standard_deal();
    let made = <Stock as Account>::to_row(&ctx(), &deal, None, &[])
        .unwrap()
        .into_iter()
        .fold(Row::new("account", FIRST), |row, change| match change {
            Change::Set((column, value)) => row.with(column, value),
            other => panic!("{other:?}"),
        });
    // The next deal spells the name another way and has no postal code.
    let mut next = deal;
    next.company.name = "Contoso".to_owned();
    next.company.address.postal_code = None;
    let resolution = choose(&ctx(), &next, &[found(made, &["website"])]);
    assert!(matches!(resolution, Resolution::UseExisting(one) if one.id == FIRST));
}

#[test]
fn points_that_contradict_each_other_are_refused_at_load() {
    let ctx = ctx()
        .with_setting("take-from", SettingValue::Integer(30))
        .with_setting("ask-from", SettingValue::Integer(50));
    let reasons = <Stock as Plugin>::describe(Settings::from(&ctx)).unwrap_err();
    assert_eq!(reasons[0].code, "points-contradict");
    assert_eq!(reasons[0].message, "ask-from is 50 and take-from is 30");
}
