//! Facts about the stock mapping that golden examples cannot tell: the door, what stays silent, and the way there and back.

use crate::StockLead as Stock;
use cosell_guest_sdk::{prelude::*, test};

mod door;

fn ctx() -> Context {
    test::context::<Stock>()
}

fn write(ctx: &Context, order: &Order) -> Vec<Change> {
    <Stock as Lead>::to_row(ctx, order, &[]).unwrap()
}

fn read(ctx: &Context, seen: &Seen) -> Vec<Fact> {
    <Stock as Lead>::to_deal(ctx, seen, &[]).unwrap()
}

fn peter() -> Row {
    Row::new("systemuser", test::FOUND_ID)
        .with("firstname", "Péter")
        .with("lastname", "Nagy")
        .with("internalemailaddress", "peter.nagy@partner.example")
}

#[test]
fn the_golden_examples_hold() {
    test::check_examples::<Stock>();
}

#[test]
fn what_is_written_is_read_back() {
    let ctx = ctx()
        .with_text("duns-column", "new_duns")
        .with_text("solution-table", "new_leadsolution")
        .with_found("owner", vec![peter()]);
    let deal = test::standard_deal();
    let order = test::order(deal.clone());
    let seen = test::applied("lead", &order, write(&ctx, &order));
    let facts = read(&ctx, &seen);
    let mut address = deal.company.address;
    // The country is the business of the country hook.
    address.country = None;
    for expected in [
        Fact::Name(deal.name),
        Fact::Value(deal.value),
        Fact::CloseDate(deal.close_date),
        Fact::Notes(deal.notes),
        Fact::Visibility(true),
        Fact::Help(deal.help),
        Fact::CompanyName(deal.company.name),
        Fact::CompanyIds(deal.company.ids),
        Fact::Address(address),
        Fact::Contacts(deal.contacts),
        Fact::Team(deal.team),
        Fact::Solutions(deal.solutions),
    ] {
        assert!(facts.contains(&expected), "{expected:?} not in {facts:?}");
    }
}

#[test]
fn a_value_kept_as_a_number_is_read_back_as_it_was_written() {
    let ctx = ctx()
        .with_text("value-column", "estimatedvalue")
        .with_text("value-kept-as", "number")
        .with_found("owner", vec![peter()]);
    let order = test::order(test::standard_deal());
    let mut seen = test::applied("lead", &order, write(&ctx, &order));
    seen.related.push(Related {
        label: "currency".to_owned(),
        rows: vec![Row::new("transactioncurrency", test::FOUND_ID).with("isocurrencycode", "EUR")],
    });
    assert!(read(&ctx, &seen).contains(&Fact::Value(order.deal.value)));
}

#[test]
fn the_value_is_kept_where_the_setting_says_and_nowhere_else() {
    let ctx = ctx().with_text("value-column", "budgetamount");
    let changes = write(&ctx, &test::order(test::standard_deal()));
    let money = Value::money("125000.00", "EUR");
    assert!(changes.contains(&Change::set("budgetamount", money)));
    assert!(
        !changes.iter().any(
            |change| matches!(change, Change::Set((column, _)) if column == "estimatedamount")
        )
    );
}

#[test]
fn a_matched_account_and_contact_stay_with_the_lead() {
    let changes = write(&ctx(), &test::order(test::standard_deal()));
    assert!(changes.contains(&Change::set(
        "parentaccountid",
        Reference::new("account", test::ACCOUNT_ID)
    )));
    assert!(changes.contains(&Change::set(
        "parentcontactid",
        Reference::new("contact", test::CONTACT_ID)
    )));
}

#[test]
fn what_partner_center_never_knew_of_a_person_is_not_wiped_out() {
    let mut deal = test::standard_deal();
    deal.contacts[0].phone = None;
    let order = Order {
        existing: Some(test::seen(
            Row::new("lead", test::ROW_ID).with("telephone1", "+36 1 555 0100"),
        )),
        ..test::order(deal.clone())
    };
    let sets_phone = |order: &Order| {
        write(&ctx(), order)
            .iter()
            .any(|change| matches!(change, Change::Set((column, _)) if column == "telephone1"))
    };
    assert!(!sets_phone(&order));
    // And without anybody at the customer, the person of the lead stays.
    deal.contacts.clear();
    let changes = write(&ctx(), &test::order(deal));
    assert!(
        !changes
            .iter()
            .any(|change| matches!(change, Change::Set((column, _)) if column == "lastname"))
    );
}

#[test]
fn texts_are_cut_to_what_the_columns_hold() {
    let mut deal = test::standard_deal();
    deal.company.name = "😀".repeat(80);
    deal.company.address.city = Some("x".repeat(200));
    let changes = write(&ctx(), &test::order(deal));
    // The CRM counts this sign as two.
    assert!(changes.contains(&Change::set("companyname", "😀".repeat(50))));
    assert!(changes.contains(&Change::set("address1_city", "x".repeat(80))));
}

#[test]
fn a_lead_that_goes_out_without_a_solution_takes_the_default_until_it_is_known() {
    let ctx = ctx().with_text("default-solution", "SOL-12345-ABC");
    let solutions = |row: Row| {
        read(&ctx, &test::seen(row))
            .into_iter()
            .find_map(|fact| match fact {
                Fact::Solutions(list) => Some(list.into_iter().map(|one| one.id).collect()),
                _ => None,
            })
    };
    let row = Row::new("lead", test::ROW_ID);
    assert_eq!(
        solutions(row.clone()),
        Some(vec!["SOL-12345-ABC".to_owned()])
    );
    let linked = row.with(
        "msft_microsoftpartnercenterreferralidentifier",
        "0d0d0d0d-0000-4000-8000-000000000001",
    );
    assert_eq!(solutions(linked), None);
}

#[test]
fn a_lead_table_of_solutions_hangs_from_the_lead() {
    let ctx = ctx().with_text("solution-table", "new_leadsolution");
    let needs = <Stock as Plugin>::describe(Settings::from(&ctx)).unwrap();
    assert!(needs.iter().any(|need| matches!(
        need,
        Need::Joins(join) if join.above == "lead" && join.via == Link::Child("msft_leadid".to_owned())
    )));
}
