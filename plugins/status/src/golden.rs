//! The golden examples.

use cosell_guest_sdk::prelude::*;

use crate::{LOSS_REASONS, STATE, STATUS};

fn row(state: i32, status: i32) -> Row {
    Row::new("opportunity", "0c0c0c0c-0000-4000-8000-0000000000a1")
        .with(STATE, Value::choice(state))
        .with(STATUS, Value::choice(status))
}

fn row_state(statecode: i32, statuscode: i32) -> RowState {
    RowState {
        statecode,
        statuscode,
        closing: Vec::new(),
    }
}

fn lost(reason: &str) -> DealState {
    DealState {
        standing: Standing::Lost,
        reason: Some(reason.to_owned()),
    }
}

pub(crate) fn cases() -> Vec<Example> {
    let price = || SettingValue::Pairs(vec![("100000004".to_owned(), "Price".to_owned())]);
    let (reads, writes) = ("status.to-deal", "status.to-row");
    vec![
        Example::new("an open opportunity is an accepted deal", reads)
            .given(row(0, 1))
            .expects(DealState::from(Standing::Accepted)),
        Example::new("a won opportunity is a won deal", reads)
            .given(row(1, 3))
            .expects(DealState::from(Standing::Won)),
        Example::new("a lost opportunity says why", reads)
            .given(row(2, 5))
            .expects(lost("Out-Sold")),
        Example::new("an organisation's own status reason is read", reads)
            .setting(LOSS_REASONS, price())
            .given(row(2, 100_000_004))
            .expects(lost("Price")),
        Example::new("an accepted deal is in progress", writes)
            .given(DealState::from(Standing::Accepted))
            .expects(row_state(0, 1)),
        Example::new("a won deal is won", writes)
            .given(DealState::from(Standing::Won))
            .expects(row_state(1, 3)),
        Example::new(
            "a deal lost over the price takes the organisation's own reason",
            writes,
        )
        .setting(LOSS_REASONS, price())
        .given(lost("price"))
        .expects(row_state(2, 100_000_004)),
        Example::new("an expired deal is canceled", writes)
            .given(DealState::from(Standing::Expired))
            .expects(row_state(2, 4)),
    ]
}
