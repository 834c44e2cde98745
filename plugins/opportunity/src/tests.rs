//! Facts about the stock mapping that golden examples cannot tell: what stays silent, and the way there and back.

use crate::StockOpportunity as Stock;
use cosell_guest_sdk::{prelude::*, test};

const VALUE: &str = "estimatedvalue";
const USER: &str = "0f0f0f0f-0000-4000-8000-000000000001";

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
fn written(deal: Deal) -> Seen {
    let order = test::order(deal);
    let mut seen = test::seen(Row::new("opportunity", test::ROW_ID));
    for change in write(&order) {
        match change {
            Change::Set((column, Value::RowWhere(key))) => {
                seen.row = seen.row.with(column, Value::reference(key.table, USER));
            }
            Change::Set((column, value)) => seen.row = seen.row.with(column, value),
            Change::Children(children) => seen.related.push(Related {
                label: children.label,
                rows: children
                    .rows
                    .into_iter()
                    .map(|child| Row {
                        table: "msft_partnercentersolution".to_owned(),
                        id: child.key,
                        cells: child.cells,
                    })
                    .collect(),
            }),
            other => panic!("a create says {other:?}"),
        }
    }
    seen
}

#[test]
fn the_golden_examples_hold() {
    test::check_examples::<Stock>();
}

#[test]
fn what_is_written_is_read_back() {
    let deal = test::standard_deal();
    let mut seen = written(deal.clone());
    let contact = &deal.contacts[0];
    seen.related.push(Related {
        label: "contact".to_owned(),
        rows: vec![
            Row::new("contact", test::CONTACT_ID)
                .with("firstname", contact.first_name.clone())
                .with("lastname", contact.last_name.clone())
                .with("emailaddress1", contact.email.clone())
                .with("telephone1", contact.phone.clone())
                .with("jobtitle", contact.title.clone()),
        ],
    });
    let ctx = Context {
        found: vec![Found {
            label: "owner".to_owned(),
            rows: vec![
                Row::new("systemuser", USER)
                    .with("firstname", deal.team[0].first_name.clone())
                    .with("lastname", deal.team[0].last_name.clone())
                    .with("internalemailaddress", deal.team[0].email.clone()),
            ],
            cut: false,
        }],
        ..ctx()
    };
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
        Row::new("opportunity", test::ROW_ID).with("ownerid", Value::reference("systemuser", USER)),
    );
    let ctx = Context {
        found: vec![Found {
            label: "owner".to_owned(),
            rows: vec![
                Row::new("systemuser", USER)
                    .with("internalemailaddress", "sync@partner.example")
                    .with("applicationid", "11111111-0000-4000-8000-000000000001"),
            ],
            cut: false,
        }],
        ..ctx()
    };
    let facts = <Stock as Opportunity>::to_deal(&ctx, &seen, &[]).unwrap();
    assert!(!facts.iter().any(|fact| matches!(fact, Fact::Team(_))));
}

#[test]
fn a_long_name_leaves_room_for_the_mark() {
    let mut deal = test::standard_deal();
    deal.name = "é".repeat(400);
    let seen = written(deal);
    assert_eq!(seen.row.text("name").unwrap().chars().count(), 290);
}

#[test]
fn a_solution_that_is_there_keeps_its_row_and_one_without_an_id_is_left_alone() {
    let mut existing = test::seen(Row::new("opportunity", test::ROW_ID));
    existing.related.push(Related {
        label: "solutions".to_owned(),
        rows: vec![
            Row::new("msft_partnercentersolution", "r1")
                .with("msft_solutionidentifier", "SOL-12345-ABC"),
            Row::new("msft_partnercentersolution", "r2").with("msft_name", "still typing"),
        ],
    });
    let order = Order {
        existing: Some(existing),
        ..test::order(test::standard_deal())
    };
    let children = write(&order)
        .into_iter()
        .find_map(|change| match change {
            Change::Children(children) => Some(children),
            _ => None,
        })
        .unwrap();
    assert_eq!(children.surplus, Surplus::Remove);
    let ids: Vec<_> = children
        .rows
        .iter()
        .map(|row| (row.key.as_str(), row.id.as_deref(), row.cells.is_empty()))
        .collect();
    assert_eq!(
        ids,
        [
            ("r2", Some("r2"), true),
            ("SOL-12345-ABC", Some("r1"), false)
        ]
    );
}

#[test]
fn a_crm_without_a_solution_table_says_nothing_about_solutions() {
    let ctx = ctx().with_setting("solution-table", SettingValue::Text(String::new()));
    let needs = <Stock as Plugin>::describe(Settings::from(&ctx)).unwrap();
    assert!(
        !needs
            .iter()
            .any(|need| matches!(need, Need::Joins(join) if join.label == "solutions"))
    );
    let seen = test::seen(Row::new("opportunity", test::ROW_ID));
    let facts = <Stock as Opportunity>::to_deal(&ctx, &seen, &[]).unwrap();
    assert!(!facts.iter().any(|fact| matches!(fact, Fact::Solutions(_))));
}

#[test]
fn a_wrong_help_setting_is_refused_at_load() {
    let ctx = ctx().with_setting(
        "help-choices",
        SettingValue::Pairs(vec![("12k".to_owned(), "everything".to_owned())]),
    );
    let reasons = <Stock as Plugin>::describe(Settings::from(&ctx)).unwrap_err();
    assert_eq!(reasons[0].code, "help-choice-unknown");
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
