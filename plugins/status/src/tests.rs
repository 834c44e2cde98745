use cosell_guest_sdk::{prelude::*, test};

use crate::StockStatus as Stock;

fn write(state: DealState) -> Option<RowState> {
    let mut deal = test::standard_deal();
    deal.state = state;
    <Stock as Status>::to_row(&test::context::<Stock>(), &test::order(deal), None).unwrap()
}

fn read(state: &RowState) -> Option<DealState> {
    let seen = test::seen(
        Row::new("opportunity", test::ROW_ID)
            .with("statecode", Value::choice(state.statecode))
            .with("statuscode", Value::choice(state.statuscode)),
    );
    <Stock as Status>::to_deal(&test::context::<Stock>(), &seen, None).unwrap()
}

#[test]
fn the_golden_examples_hold() {
    test::check_examples::<Stock>();
}

#[test]
fn the_standings_that_sellers_decide_come_back_as_they_went() {
    for state in [
        DealState::from(Standing::Accepted),
        DealState::from(Standing::Won),
        DealState {
            standing: Standing::Lost,
            reason: Some("Canceled".to_owned()),
        },
    ] {
        assert_eq!(read(&write(state.clone()).unwrap()), Some(state));
    }
}

#[test]
fn a_reason_that_no_status_has_is_told_in_the_closing_activity() {
    let row = write(DealState {
        standing: Standing::Lost,
        reason: Some("The board said no".to_owned()),
    })
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
fn an_open_deal_closes_nothing() {
    assert!(
        write(DealState::from(Standing::Accepted))
            .unwrap()
            .closing
            .is_empty()
    );
}

#[test]
fn what_it_does_not_know_it_leaves_to_others() {
    assert_eq!(
        write(DealState::from(Standing::Unlisted("Paused".to_owned()))),
        None
    );
    let lead = test::seen(Row::new("lead", test::ROW_ID).with("statecode", Value::choice(0)));
    assert_eq!(
        <Stock as Status>::to_deal(&test::context::<Stock>(), &lead, None).unwrap(),
        None
    );
}

#[test]
fn a_wrong_loss_reason_is_refused_at_load() {
    let ctx = test::context::<Stock>().with_setting(
        "loss-reasons",
        SettingValue::Pairs(vec![("Price".to_owned(), "4".to_owned())]),
    );
    let reasons = <Stock as Plugin>::describe(Settings::from(&ctx)).unwrap_err();
    assert_eq!(reasons[0].code, "loss-reason-unknown");
}
