//! The golden examples.

use cosell_guest_sdk::prelude::*;

use crate::opportunity::{LOSS_REASONS, ON_HOLD_IS_NOT_ACCEPTED};
use crate::{STATE, STATUS, lead, row_state};

fn row(table: &str, state: i32, status: i32) -> Row {
    Row::new(table, "0c0c0c0c-0000-4000-8000-0000000000a1")
        .with(STATE, Value::choice(state))
        .with(STATUS, Value::choice(status))
}

fn because(standing: Standing, reason: &str) -> DealState {
    DealState {
        standing,
        reason: Some(reason.to_owned()),
    }
}

fn own_reasons() -> SettingValue {
    SettingValue::Pairs(vec![
        (
            "100000004".to_owned(),
            "Price | CustomerPriceTooHigh".to_owned(),
        ),
        ("100000005".to_owned(), "declined: No capacity".to_owned()),
    ])
}

pub(crate) fn cases() -> Vec<Example> {
    let mut cases = opportunities();
    cases.extend(leads());
    cases
}

fn opportunities() -> Vec<Example> {
    let (reads, writes) = ("status.to-deal", "status.to-row");
    let row = |state, status| row("opportunity", state, status);
    vec![
        Example::new("an open opportunity is an accepted deal", reads)
            .given(row(0, 1))
            .expects(DealState::from(Standing::Accepted)),
        Example::new("a seller's pause changes nothing", reads)
            .given(row(0, 2))
            .expects(DealState::from(Standing::Accepted)),
        Example::new("unless On Hold is where unaccepted deals are", reads)
            .setting(ON_HOLD_IS_NOT_ACCEPTED, SettingValue::Boolean(true))
            .given(row(0, 2))
            .expects(DealState::from(Standing::Pending)),
        Example::new("a won opportunity is a won deal", reads)
            .given(row(1, 3))
            .expects(DealState::from(Standing::Won)),
        Example::new("a lost opportunity says why", reads)
            .given(row(2, 5))
            .expects(because(Standing::Lost, "Out-Sold")),
        Example::new("an organisation's own status reason is read", reads)
            .setting(LOSS_REASONS, own_reasons())
            .given(row(2, 100_000_004))
            .expects(because(Standing::Lost, "Price")),
        Example::new("and it may mean that we declined", reads)
            .setting(LOSS_REASONS, own_reasons())
            .given(row(2, 100_000_005))
            .expects(because(Standing::Declined, "No capacity")),
        Example::new("an accepted deal is in progress", writes)
            .given(DealState::from(Standing::Accepted))
            .expects(row_state(0, 1)),
        Example::new("a deal that nobody accepted is on hold", writes)
            .given(DealState::from(Standing::Pending))
            .expects(row_state(0, 2)),
        Example::new("a won deal is won", writes)
            .given(DealState::from(Standing::Won))
            .expects(row_state(1, 3)),
        Example::new(
            "a deal lost over the price takes the organisation's own reason",
            writes,
        )
        .setting(LOSS_REASONS, own_reasons())
        .given(because(Standing::Lost, "customerpricetoohigh"))
        .expects(row_state(2, 100_000_004)),
        Example::new(
            "a lost deal without a reason of its own was out-sold",
            writes,
        )
        .given(DealState::from(Standing::Lost))
        .expects(row_state(2, 5)),
        Example::new("an expired deal is canceled", writes)
            .given(DealState::from(Standing::Expired))
            .expects(row_state(2, 4)),
        Example::new("an open status of the organisation's own stays", writes)
            .given(row(0, 100_000_010))
            .given(DealState::from(Standing::Accepted))
            .expects(row_state(0, 100_000_010)),
    ]
}

fn leads() -> Vec<Example> {
    let (reads, writes) = ("status.to-deal", "status.to-row");
    let row = |state, status| row(lead::TABLE, state, status);
    vec![
        Example::new("a new lead waits for an answer", reads)
            .given(row(0, 1))
            .expects(DealState::from(Standing::Pending)),
        Example::new("a lead that was contacted is received", reads)
            .given(row(0, 2))
            .expects(DealState::from(Standing::Received)),
        Example::new("a qualified lead is an accepted deal", reads)
            .given(row(1, 3))
            .expects(DealState::from(Standing::Accepted)),
        Example::new(
            "a disqualified lead is a declined deal, and says why",
            reads,
        )
        .given(row(2, 6))
        .expects(because(Standing::Declined, "No Longer Interested")),
        Example::new("a pending deal is a new lead", writes)
            .given(row(0, 2))
            .given(DealState::from(Standing::Pending))
            .expects(row_state(0, 1)),
        Example::new("a declined deal is a disqualified lead", writes)
            .given(row(0, 1))
            .given(because(Standing::Declined, "Cannot Contact"))
            .expects(row_state(2, 5)),
        Example::new("an expired one was canceled", writes)
            .given(row(0, 1))
            .given(DealState::from(Standing::Expired))
            .expects(row_state(2, 7)),
        Example::new("a lead of our own is qualified by its seller only", writes)
            .given(row(0, 2))
            .given(DealState::from(Standing::Accepted))
            .expects(row_state(0, 2)),
    ]
}
