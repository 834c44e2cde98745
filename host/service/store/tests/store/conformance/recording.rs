//! What runs saw: kept once, for a while, and within bounds.

use cosell_store::{Change, Keep, LaneId, Next, Recording, StoreError};

use crate::stage::*;

const KEEP: Keep = Keep {
    per_deal: 2,
    for_ms: 100,
};

fn seen(lane: i64, content: &str, bytes: usize) -> Recording {
    Recording {
        connection: HERE.into(),
        lane: LaneId(lane),
        content: content.into(),
        body: content.bytes().cycle().take(bytes).collect(),
        at: 0,
    }
}

async fn kept(stage: &Stage, lane: i64) -> Vec<(String, i64)> {
    let found = stage.store.recordings(HERE, LaneId(lane)).await.unwrap();
    assert!(
        found
            .iter()
            .all(|one| one.body == seen(lane, &one.content, one.body.len()).body)
    );
    found
        .into_iter()
        .map(|one| (one.content, one.at - BEGIN))
        .collect()
}

async fn two_lanes(stage: &Stage) {
    for id in ["r1", "r2"] {
        stage.ring(&referral(id)).await;
        stage.run(Change::default(), Next::Settled).await;
    }
}

pub(crate) async fn the_same_content_is_one_recording_and_the_oldest_of_a_deal_go(stage: &Stage) {
    two_lanes(stage).await;
    let store = &stage.store;
    for content in ["a", "b", "a"] {
        store.record(seen(1, content, 10), KEEP).await.unwrap();
        stage.hand.turn(1);
    }
    assert_eq!(kept(stage, 1).await, [("a".into(), 2), ("b".into(), 1)]);
    store.record(seen(1, "c", 10), KEEP).await.unwrap();
    store.record(seen(2, "a", 10), KEEP).await.unwrap();
    assert_eq!(kept(stage, 1).await, [("c".into(), 3), ("a".into(), 2)]);
    assert_eq!(kept(stage, 2).await, [("a".into(), 3)]);
    let nobody = store.record(seen(7, "a", 10), KEEP).await;
    assert!(
        matches!(nobody, Err(StoreError::NoLane { lane: 7 })),
        "{nobody:?}"
    );
}

pub(crate) async fn a_recording_whose_time_is_over_is_not_shown_and_goes(stage: &Stage) {
    two_lanes(stage).await;
    let store = &stage.store;
    store.record(seen(1, "a", 10), KEEP).await.unwrap();
    stage.hand.turn(60);
    store.record(seen(1, "b", 10), KEEP).await.unwrap();
    assert_eq!(store.expire_recordings(1_000).await.unwrap(), 0);
    stage.hand.turn(40);
    assert_eq!(kept(stage, 1).await, [("b".into(), 60)]);
    assert_eq!(store.expire_recordings(1_000).await.unwrap(), 1);
    assert_eq!(store.expire_recordings(1_000).await.unwrap(), 0);
}

pub(crate) async fn recordings_have_at_most_so_many_bytes_and_the_oldest_go_first(stage: &Stage) {
    two_lanes(stage).await;
    let store = &stage.store;
    for (lane, content) in [(1, "a"), (2, "b"), (1, "c"), (2, "d")] {
        store.record(seen(lane, content, 10), KEEP).await.unwrap();
        stage.hand.turn(1);
    }
    assert_eq!(store.expire_recordings(40).await.unwrap(), 0);
    assert_eq!(store.expire_recordings(25).await.unwrap(), 2);
    assert_eq!(kept(stage, 1).await, [("c".into(), 2)]);
    assert_eq!(kept(stage, 2).await, [("d".into(), 3)]);
    assert_eq!(store.expire_recordings(0).await.unwrap(), 2);
}
