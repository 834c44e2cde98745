//! Lanes and referrals, page by page.

use cosell_store::{After, Change, LaneFilter, LaneId, LinkState, Next};

use crate::stage::*;

async fn numbers(stage: &Stage, filter: LaneFilter) -> Vec<i64> {
    let lanes = stage.store.lanes_page(HERE, &filter).await.unwrap();
    lanes.iter().map(|lane| lane.lane.0).collect()
}

pub(crate) async fn lanes_are_paged_from_the_youngest_on(stage: &Stage) {
    for id in ["r1", "r2", "r3", "r4", "r5"] {
        stage.ring(&referral(id)).await;
    }
    let page = |after: Option<i64>| LaneFilter {
        after: after.map(LaneId),
        limit: 2,
        ..LaneFilter::default()
    };
    assert_eq!(numbers(stage, page(None)).await, [5, 4]);
    stage.ring(&referral("born-meanwhile")).await;
    assert_eq!(numbers(stage, page(Some(4))).await, [3, 2]);
    assert_eq!(numbers(stage, page(Some(2))).await, [1]);
    assert_eq!(numbers(stage, page(Some(1))).await, [0_i64; 0]);
    assert_eq!(
        numbers(stage, LaneFilter::default()).await,
        [6, 5, 4, 3, 2, 1]
    );
    assert_eq!(
        stage
            .store
            .lanes_page("fabrikam", &LaneFilter::default())
            .await
            .unwrap(),
        []
    );
}

pub(crate) async fn pages_list_only_the_states_that_are_asked_for(stage: &Stage) {
    for (id, next) in [
        ("r1", Next::Settled),
        ("r2", parked("f")),
        ("r3", wait(BEGIN + 100, After::Look)),
        ("r4", parked("f")),
        ("r5", Next::Settled),
    ] {
        stage.ring(&referral(id)).await;
        stage.run(Change::default(), next).await;
    }
    let of = |states: &[&str], after, limit| LaneFilter {
        states: states.iter().map(|state| (*state).to_owned()).collect(),
        after,
        limit,
        since: None,
    };
    assert_eq!(numbers(stage, of(&["parked"], None, 9)).await, [4, 2]);
    assert_eq!(numbers(stage, of(&["parked"], None, 1)).await, [4]);
    assert_eq!(
        numbers(stage, of(&["parked"], Some(LaneId(4)), 1)).await,
        [2]
    );
    assert_eq!(
        numbers(stage, of(&["waiting", "settled"], None, 9)).await,
        [5, 3, 1]
    );
    assert_eq!(numbers(stage, of(&["no-state"], None, 9)).await, [0_i64; 0]);
    // What a lane is follows from the time, too.
    stage.ring(&referral("r2")).await;
    stage.hand.turn(100);
    assert_eq!(numbers(stage, of(&["due"], None, 9)).await, [3, 2]);
}

pub(crate) async fn pages_list_what_ran_or_rang_since(stage: &Stage) {
    for id in ["r1", "r2"] {
        stage.ring(&referral(id)).await;
        stage.run(Change::default(), Next::Settled).await;
    }
    stage.ring(&referral("r3")).await;
    let since = |in_ms| LaneFilter {
        since: Some(BEGIN + in_ms),
        ..LaneFilter::default()
    };
    assert_eq!(numbers(stage, since(0)).await, [3, 2, 1]);
    assert_eq!(numbers(stage, since(1)).await, [0_i64; 0]);
    stage.hand.turn(10);
    stage.run(Change::default(), Next::Settled).await;
    assert_eq!(numbers(stage, since(10)).await, [3], "it ran");
    stage.hand.turn(10);
    stage.ring(&referral("r1")).await;
    assert_eq!(numbers(stage, since(20)).await, [1], "it rang");
    assert_eq!(numbers(stage, since(10)).await, [3, 1]);
    let due = LaneFilter {
        states: vec!["due".into()],
        ..since(10)
    };
    assert_eq!(numbers(stage, due).await, [1], "both filters count");
}

pub(crate) async fn a_single_lane_is_shown_as_in_the_list(stage: &Stage) {
    let elder = stage.ring(&referral("r1")).await;
    assert_eq!(stage.lane(elder).await.ran, None);
    stage.hand.turn(3);
    stage.run(linking(pair("r1", "o1")), parked("f")).await;
    stage.ring(&referral("r2")).await;
    stage
        .run(Change::default(), Next::Retired { into: elder })
        .await;
    for summary in stage.store.lanes(HERE, 9).await.unwrap() {
        assert_eq!(summary.ran, Some(BEGIN + 3));
        assert_eq!(
            stage.store.lane(HERE, summary.lane).await.unwrap(),
            Some(summary)
        );
    }
    for nobody in [0, 3, i64::MAX] {
        let found = stage.store.lane(HERE, LaneId(nobody)).await.unwrap();
        assert_eq!(found, None);
    }
    assert_eq!(stage.store.lane("fabrikam", elder).await.unwrap(), None);
}

pub(crate) async fn linked_referrals_are_paged_by_their_ids(stage: &Stage) {
    let store = &stage.store;
    assert_eq!(store.linked_referrals(HERE, None, 9).await.unwrap(), []);
    let half = LinkState {
        referral: Some("a2".into()),
        ..LinkState::default()
    };
    let none = LinkState {
        crm_row: Some("o9".into()),
        ..LinkState::default()
    };
    for (id, link, next) in [
        ("c3", pair("c3", "o3"), Next::Settled),
        ("a2", half, parked("f")),
        ("b1", pair("b1", "o1"), Next::Settled),
        ("d4", none, Next::Settled),
    ] {
        stage.ring(&referral(id)).await;
        stage.run(linking(link), next).await;
    }
    let mut listed = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = store
            .linked_referrals(HERE, after.as_deref(), 2)
            .await
            .unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.referral.clone());
        listed.extend(page);
    }
    let shown: Vec<_> = listed
        .iter()
        .map(|link| {
            (
                link.referral.as_str(),
                link.lane.0,
                link.state.as_str(),
                link.crm_row.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("a2", 2, "parked", None),
            ("b1", 3, "settled", Some("o1")),
            ("c3", 1, "settled", Some("o3"))
        ]
    );
    assert_eq!(
        store.linked_referrals("fabrikam", None, 9).await.unwrap(),
        []
    );
}

pub(crate) async fn a_look_into_a_lane_needs_no_lease_and_finds_what_a_run_would(stage: &Stage) {
    stage.ring(&referral("r1")).await;
    let lane = LaneId(1);
    let before = stage.store.peek(HERE, lane).await.unwrap();
    let lease = stage.claim().await;
    let run = stage.store.open(&lease).await.unwrap();
    assert_eq!(before, Some(run));
    // It is one of many readers: the lease is still good.
    assert_eq!(stage.store.peek(HERE, lane).await.unwrap(), before);
    stage.store.renew(&lease, 1_000).await.unwrap();
    assert_eq!(stage.store.peek(HERE, LaneId(2)).await.unwrap(), None);
    assert_eq!(stage.store.peek("fabrikam", lane).await.unwrap(), None);
}
