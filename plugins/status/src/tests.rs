use cosell_guest_sdk::{prelude::*, test};

use crate::StockStatus as Stock;

fn ctx() -> Context {
    test::context::<Stock>()
}

fn order(table: &str, state: DealState, direction: Direction) -> Order {
    let mut deal = test::standard_deal();
    deal.state = state;
    if let Some(referral) = &mut deal.referral {
        referral.direction = direction;
    }
    let kind = ("record-kind".to_owned(), Value::text(table));
    Order {
        more: vec![kind],
        ..test::order(deal)
    }
}

fn write(ctx: &Context, table: &str, state: DealState) -> Option<RowState> {
    let order = order(table, state, Direction::Incoming);
    <Stock as Status>::to_row(ctx, &order, None).unwrap()
}

fn read(ctx: &Context, table: &str, state: &RowState) -> Option<DealState> {
    let row = test::stands(Row::new(table, test::ROW_ID), state);
    <Stock as Status>::to_deal(ctx, &test::seen(row), None).unwrap()
}

fn because(standing: Standing, reason: &str) -> DealState {
    DealState {
        standing,
        reason: Some(reason.to_owned()),
    }
}

#[test]
fn the_golden_examples_hold() {
    test::check_examples::<Stock>();
}

#[test]
fn the_standings_of_an_opportunity_come_back_as_they_went() {
    let ctx = ctx()
        .with_setting("on-hold-is-not-accepted", SettingValue::Boolean(true))
        .with_pairs(
            "loss-reasons",
            &[
                ("4", "Canceled"),
                ("5", "Out-Sold"),
                ("100000004", "Price | CustomerPriceTooHigh"),
                ("100000005", "declined: Price"),
                ("100000006", "error: Created by mistake"),
            ],
        );
    for state in [
        DealState::from(Standing::Pending),
        DealState::from(Standing::Accepted),
        DealState::from(Standing::Won),
        because(Standing::Lost, "Canceled"),
        because(Standing::Lost, "Out-Sold"),
        because(Standing::Lost, "Price"),
        because(Standing::Declined, "Price"),
        because(Standing::Error, "Created by mistake"),
    ] {
        let row = write(&ctx, "opportunity", state.clone()).unwrap();
        assert_eq!(read(&ctx, "opportunity", &row), Some(state));
    }
}

#[test]
fn the_standings_of_a_lead_come_back_as_they_went() {
    for state in [
        DealState::from(Standing::Pending),
        DealState::from(Standing::Received),
        DealState::from(Standing::Accepted),
        because(Standing::Declined, "Lost"),
        because(Standing::Declined, "Cannot Contact"),
        because(Standing::Declined, "No Longer Interested"),
        because(Standing::Declined, "Canceled"),
    ] {
        let row = write(&ctx(), "lead", state.clone()).unwrap();
        assert_eq!(read(&ctx(), "lead", &row), Some(state));
    }
}

#[test]
fn other_spellings_of_a_reason_lead_to_its_status() {
    let ctx = ctx().with_pairs(
        "loss-reasons",
        &[("100000004", "Price | CustomerPriceTooHigh")],
    );
    let row = write(
        &ctx,
        "opportunity",
        because(Standing::Lost, " customerpricetoohigh "),
    );
    assert_eq!(row.unwrap().statuscode, 100_000_004);
}

#[test]
fn a_reason_that_no_status_has_is_told_in_the_closing_activity() {
    let row = write(
        &ctx(),
        "opportunity",
        because(Standing::Lost, "The board said no"),
    )
    .unwrap();
    assert_eq!((row.statecode, row.statuscode), (2, 5));
    assert_eq!(
        row.closing,
        [(
            "subject".to_owned(),
            Value::text("Lost in Partner Center: The board said no")
        )]
    );
}

#[test]
fn what_is_open_and_what_is_a_lead_closes_with_no_activity() {
    for (table, standing) in [
        ("opportunity", Standing::Accepted),
        ("opportunity", Standing::Pending),
        ("lead", Standing::Declined),
        ("lead", Standing::Accepted),
    ] {
        let row = write(&ctx(), table, DealState::from(standing)).unwrap();
        assert!(row.closing.is_empty(), "{table}: {row:?}");
    }
}

#[test]
fn an_accepted_deal_qualifies_a_lead_that_came_to_us_and_not_one_of_ours() {
    let answer = |direction, status: i32| {
        let existing = Row::new("lead", test::ROW_ID)
            .with("statecode", Value::choice(0))
            .with("statuscode", Value::choice(status));
        let order = Order {
            existing: Some(test::seen(existing)),
            ..order("lead", DealState::from(Standing::Accepted), direction)
        };
        let row = <Stock as Status>::to_row(&ctx(), &order, None)
            .unwrap()
            .unwrap();
        (row.statecode, row.statuscode)
    };
    assert_eq!(answer(Direction::Incoming, 2), (1, 3));
    assert_eq!(answer(Direction::Outgoing, 2), (0, 2));
}

#[test]
fn a_status_that_settings_move_is_moved_both_ways() {
    let ctx = ctx()
        .with_setting("accepted-status", SettingValue::Integer(100_000_001))
        .with_setting("won-status", SettingValue::Integer(100_000_002))
        .with_setting("lead-pending-status", SettingValue::Integer(100_000_003));
    let status = |table, standing| {
        write(&ctx, table, DealState::from(standing))
            .unwrap()
            .statuscode
    };
    assert_eq!(status("opportunity", Standing::Accepted), 100_000_001);
    assert_eq!(status("opportunity", Standing::Won), 100_000_002);
    assert_eq!(status("lead", Standing::Pending), 100_000_003);
    let row = crate::row_state(0, 100_000_003);
    assert_eq!(
        read(&ctx, "lead", &row),
        Some(DealState::from(Standing::Pending))
    );
}

#[test]
fn what_it_does_not_know_it_leaves_to_others() {
    let paused = DealState::from(Standing::Unlisted("Paused".to_owned()));
    assert_eq!(write(&ctx(), "opportunity", paused.clone()), None);
    assert_eq!(write(&ctx(), "lead", paused), None);
    assert_eq!(read(&ctx(), "quote", &crate::row_state(0, 1)), None);
    assert_eq!(read(&ctx(), "opportunity", &crate::row_state(9, 1)), None);
}

#[test]
fn wrong_reasons_are_refused_at_load_all_together() {
    let ctx = ctx()
        .with_pairs(
            "loss-reasons",
            &[
                ("Price", "4"),
                ("3", "Won by others"),
                ("100000004", "lost: "),
                ("100000005", "Budget"),
                ("100000006", "No budget | budget"),
                ("100000007", "declined: Budget"),
            ],
        )
        .with_pairs("lead-loss-reasons", &[("2", "Contacted too late")]);
    let reasons = <Stock as Plugin>::describe(Settings::from(&ctx)).unwrap_err();
    assert!(
        reasons
            .iter()
            .all(|reason| reason.code == "loss-reason-unknown")
    );
    let messages: Vec<&str> = reasons
        .iter()
        .map(|reason| reason.message.as_str())
        .collect();
    assert_eq!(
        messages,
        [
            "\"Price\" = \"4\": \"Price\" is no status reason",
            "\"3\" = \"Won by others\": 3 is the won-status",
            "the status reason \"100000004\" has no reason",
            "\"budget\" leads to two status reasons, 100000005 and 100000006",
            "\"2\" = \"Contacted too late\": 2 is the lead-received-status",
        ]
    );
}
