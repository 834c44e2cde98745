//! Facts about the stock mapping that golden examples cannot tell: what stays silent, and the way there and back.

use crate::StockOpportunity as Stock;
use cosell_guest_sdk::{prelude::*, test};

mod people;
mod solutions;
mod tail;

const VALUE: &str = "estimatedvalue";

fn ctx() -> Context {
    test::context::<Stock>()
}

fn read(seen: &Seen) -> Vec<Fact> {
    <Stock as Opportunity>::to_deal(&ctx(), seen, &[]).unwrap()
}

fn write(order: &Order) -> Vec<Change> {
    <Stock as Opportunity>::to_row(&ctx(), order, &[]).unwrap()
}

/// The row that a create would leave behind, with what its joins would bring.
fn written(ctx: &Context, deal: Deal) -> Seen {
    let order = test::order(deal);
    let changes = <Stock as Opportunity>::to_row(ctx, &order, &[]).unwrap();
    test::applied("opportunity", &order, changes)
}

/// The user that every key of the written row leads to.
fn peter() -> Row {
    Row::new("systemuser", test::FOUND_ID)
        .with("systemuserid", test::FOUND_ID)
        .with("firstname", "Péter")
        .with("lastname", "Nagy")
        .with("internalemailaddress", "peter.nagy@partner.example")
}

fn contact(id: &str, person: &Person) -> Row {
    Row::new("contact", id)
        .with("firstname", person.first_name.clone())
        .with("lastname", person.last_name.clone())
        .with("emailaddress1", person.email.clone())
        .with("telephone1", person.phone.clone())
        .with("jobtitle", person.title.clone())
}

fn related(label: &str, rows: Vec<Row>) -> Related {
    Related {
        label: label.to_owned(),
        rows,
    }
}

#[test]
fn the_golden_examples_hold() {
    test::check_examples::<Stock>();
}

#[test]
fn what_is_written_is_read_back() {
    let deal = test::standard_deal();
    let mut seen = written(&ctx(), deal.clone());
    seen.related.push(related(
        "contact",
        vec![contact(test::CONTACT_ID, &deal.contacts[0])],
    ));
    let ctx = ctx().with_found("owner", vec![peter()]);
    let facts = <Stock as Opportunity>::to_deal(&ctx, &seen, &[]).unwrap();
    for expected in [
        Fact::Name(deal.name),
        Fact::Value(deal.value),
        Fact::CloseDate(deal.close_date),
        Fact::Notes(deal.notes),
        Fact::Visibility(true),
        Fact::Help(deal.help),
        Fact::Contacts(deal.contacts),
        Fact::Team(deal.team),
        Fact::Solutions(deal.solutions),
    ] {
        assert!(facts.contains(&expected), "{expected:?} not in {facts:?}");
    }
}

#[test]
fn nothing_is_read_back_as_nothing() {
    let mut deal = test::standard_deal();
    deal.value = None;
    deal.close_date = None;
    deal.notes = None;
    deal.visible_to_microsoft = false;
    deal.help = None;
    deal.contacts.clear();
    deal.solutions.clear();
    let seen = written(&ctx(), deal);
    let ctx = ctx().with_found("owner", vec![peter()]);
    let facts = <Stock as Opportunity>::to_deal(&ctx, &seen, &[]).unwrap();
    for expected in [
        Fact::Value(None),
        Fact::CloseDate(None),
        Fact::Notes(None),
        Fact::Visibility(false),
        Fact::Help(None),
        Fact::Contacts(Vec::new()),
        Fact::Solutions(Vec::new()),
    ] {
        assert!(facts.contains(&expected), "{expected:?} not in {facts:?}");
    }
}

#[test]
fn what_was_not_read_says_nothing() {
    let facts = read(&test::seen(Row::new("opportunity", test::ROW_ID)));
    assert_eq!(facts, [Fact::Contacts(vec![]), Fact::Solutions(vec![])]);
}

#[test]
fn a_close_date_with_a_time_of_day_is_refused_and_not_taken_for_empty() {
    let row = Row::new("opportunity", test::ROW_ID).with(
        "estimatedclosedate",
        Value::timestamp("2026-12-14T23:00:00Z"),
    );
    let facts = read(&test::seen(row));
    assert!(
        facts
            .iter()
            .any(|fact| matches!(fact, Fact::Refuse(refusal) if refusal.unit == Unit::CloseDate))
    );
    assert!(!facts.iter().any(|fact| matches!(fact, Fact::CloseDate(_))));
}

#[test]
fn a_deal_without_a_name_is_called_after_who_buys_what() {
    let named = |deal: &Deal| {
        write(&test::order(deal.clone()))
            .into_iter()
            .find_map(|change| match change {
                Change::Set((column, value)) if column == "name" => Some(value),
                _ => None,
            })
    };
    let mut deal = test::standard_deal();
    deal.name = "  ".to_owned();
    assert_eq!(
        named(&deal),
        Some(Value::text("Contoso Kft. @ Data platform"))
    );
    deal.solutions.clear();
    assert_eq!(named(&deal), Some(Value::text("Contoso Kft.")));
    deal.company.name.clear();
    assert_eq!(named(&deal), None);
}

#[test]
fn numbers_of_the_customer_come_from_the_columns_that_are_set() {
    let ctx = ctx()
        .with_text("duns-column", "new_duns")
        .with_text("external-id-column", "new_number");
    let mut seen = test::seen(Row::new("opportunity", test::ROW_ID));
    let account = Row::new("account", test::ACCOUNT_ID)
        .with("name", "Contoso Kft.")
        .with("new_duns", "123456789")
        .with("new_number", Value::Empty);
    seen.related.push(related("account", vec![account]));
    let facts = <Stock as Opportunity>::to_deal(&ctx, &seen, &[]).unwrap();
    let duns = ExternalId {
        scheme: "duns".to_owned(),
        id: "123456789".to_owned(),
    };
    assert!(facts.contains(&Fact::CompanyIds(vec![duns])));
}

#[test]
fn an_empty_column_is_empty_and_a_column_that_is_not_there_is_silent() {
    let seen = test::seen(Row::new("opportunity", test::ROW_ID).with(VALUE, Value::Empty));
    assert!(read(&seen).contains(&Fact::Value(None)));
    let seen = test::seen(Row::new("opportunity", test::ROW_ID));
    assert!(
        !read(&seen)
            .iter()
            .any(|fact| matches!(fact, Fact::Value(_)))
    );
}

#[test]
fn a_computed_revenue_of_zero_says_nothing_and_a_real_one_goes_out() {
    let row = |amount: Value| {
        test::seen(
            Row::new("opportunity", test::ROW_ID)
                .with("isrevenuesystemcalculated", true)
                .with(VALUE, amount),
        )
    };
    let says_value = |seen: &Seen| {
        read(seen)
            .into_iter()
            .find(|fact| matches!(fact, Fact::Value(_)))
    };
    assert_eq!(says_value(&row(Value::money("0.0000", "EUR"))), None);
    assert_eq!(says_value(&row(Value::Empty)), None);
    assert_eq!(
        says_value(&row(Value::money("10.5", "EUR"))),
        Some(Fact::Value(Some(Money::new("10.5", "EUR"))))
    );
}

#[test]
fn without_an_account_nothing_is_said_about_the_company() {
    let seen = test::seen(Row::new("opportunity", test::ROW_ID));
    assert!(!read(&seen).iter().any(|fact| matches!(
        fact,
        Fact::CompanyName(_) | Fact::Address(_) | Fact::CompanySize(_) | Fact::CompanyIds(_)
    )));
}

#[test]
fn the_customer_column_stands_in_for_a_missing_parent_account() {
    let mut seen = test::seen(Row::new("opportunity", test::ROW_ID));
    seen.related.push(Related {
        label: "customer".to_owned(),
        rows: vec![Row::new("account", test::ACCOUNT_ID).with("name", "Contoso Kft.")],
    });
    assert!(read(&seen).contains(&Fact::CompanyName("Contoso Kft.".to_owned())));
}

#[test]
fn a_deal_that_a_program_owns_has_no_seller() {
    let seen = test::seen(
        Row::new("opportunity", test::ROW_ID)
            .with("ownerid", Value::reference("systemuser", test::FOUND_ID)),
    );
    let program = peter().with("applicationid", "11111111-0000-4000-8000-000000000001");
    let ctx = ctx().with_found("owner", vec![program]);
    let facts = <Stock as Opportunity>::to_deal(&ctx, &seen, &[]).unwrap();
    assert!(!facts.iter().any(|fact| matches!(fact, Fact::Team(_))));
}

#[test]
fn a_long_name_leaves_room_for_the_mark() {
    let mut deal = test::standard_deal();
    deal.name = "é".repeat(400);
    let seen = written(&ctx(), deal);
    assert_eq!(seen.row.text("name").unwrap().chars().count(), 290);
}

#[test]
fn a_wrong_help_setting_is_refused_at_load() {
    let ctx = ctx().with_pairs(
        "help-choices",
        &[
            ("12k", "general-or-other"),
            ("7", "everything"),
            ("8", "quotes-or-licensing"),
            ("9", "quotes-or-licensing"),
        ],
    );
    let reasons = <Stock as Plugin>::describe(Settings::from(&ctx)).unwrap_err();
    let messages: Vec<&str> = reasons
        .iter()
        .map(|reason| reason.message.as_str())
        .collect();
    assert_eq!(
        messages,
        [
            "\"12k\" = \"general-or-other\": \"12k\" is no option value",
            "\"quotes-or-licensing\" stands for two options, 8 and 9",
            "\"7\" = \"everything\": \"everything\" is no kind of help",
        ]
    );
}

#[test]
fn an_unaccepted_deal_from_microsoft_waits_and_our_own_does_not() {
    let decide = |direction: Direction, linked: bool| {
        let mut deal = test::standard_deal();
        deal.state = DealState::from(Standing::Pending);
        if let Some(referral) = &mut deal.referral {
            referral.direction = direction;
        }
        let arrival = Arrival {
            origin: Side::PartnerCenter,
            deal: Some(deal),
            seen: None,
            linked,
            more: Vec::new(),
        };
        <Stock as ShouldSync>::decide(&ctx(), &arrival, None)
            .unwrap()
            .unwrap()
    };
    assert!(
        matches!(decide(Direction::Incoming, false), Verdict::Skip(reason) if reason.code == "not-accepted")
    );
    assert_eq!(
        decide(Direction::Outgoing, false),
        Verdict::Sync(RecordKind::Opportunity)
    );
    assert_eq!(
        decide(Direction::Incoming, true),
        Verdict::Sync(RecordKind::Opportunity)
    );
}

#[test]
fn a_lead_row_is_somebody_elses_question() {
    let arrival = Arrival {
        origin: Side::Crm,
        deal: None,
        seen: Some(test::seen(Row::new("lead", test::ROW_ID))),
        linked: false,
        more: Vec::new(),
    };
    assert_eq!(
        <Stock as ShouldSync>::decide(&ctx(), &arrival, None).unwrap(),
        None
    );
}

#[test]
fn a_plugin_before_us_that_skips_keeps_its_word() {
    let arrival = Arrival {
        origin: Side::PartnerCenter,
        deal: Some(test::standard_deal()),
        seen: None,
        linked: false,
        more: Vec::new(),
    };
    let decide =
        |draft: Option<&Verdict>| <Stock as ShouldSync>::decide(&ctx(), &arrival, draft).unwrap();
    let elsewhere = Verdict::skip("other-region", "sold by another office");
    assert_eq!(decide(Some(&elsewhere)), None);
    let lead = Verdict::Sync(RecordKind::Lead);
    assert_eq!(
        decide(Some(&lead)),
        Some(Verdict::Sync(RecordKind::Opportunity))
    );
}
