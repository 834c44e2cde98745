//! What is over goes, and nothing else.

use cosell_store::{ATTEMPTS_KEPT, Accepted, Attempt, Change, HISTORY_KEPT_MS, Next};

use crate::stage::*;

/// Walks through the whole history and says how much went.
async fn pruned(stage: &Stage) -> u64 {
    let (mut gone, mut after) = (0, None);
    loop {
        let page = stage.store.prune_history(after).await.unwrap();
        gone += page.gone;
        after = page.next;
        if after.is_none() {
            return gone;
        }
    }
}

pub(crate) async fn rings_that_are_old_and_answered_go_and_others_stay(stage: &Stage) {
    for key in ["first", "second", "third"] {
        stage.accept(event_once(&referral("r1"), key)).await;
    }
    stage.run(Change::default(), Next::Settled).await;
    stage.ring(&referral("r2")).await;
    stage.ring(&referral("r2")).await;
    stage.hand.turn(HISTORY_KEPT_MS);
    assert_eq!(pruned(stage).await, 0, "not older than that");
    stage.hand.turn(1);
    assert_eq!(pruned(stage).await, 2, "all but the last of r1");
    assert_eq!(pruned(stage).await, 0);
    assert_eq!(stage.store.check().await.unwrap(), []);
    let again = stage.accept(event_once(&referral("r1"), "third")).await;
    assert_eq!(again, Accepted::Duplicate);
    // Rings go on counting, and what was never answered is answered as ever.
    stage.run(Change::default(), Next::Settled).await;
    stage.ring(&referral("r1")).await;
    stage.run(Change::default(), Next::Settled).await;
    assert_eq!(stage.store.check().await.unwrap(), []);
    assert_eq!(pruned(stage).await, 2, "the third of r1, the first of r2");
    assert_eq!(stage.store.check().await.unwrap(), []);
    assert_eq!(stage.store.census().await.unwrap().events, 6);
}

pub(crate) async fn the_newest_writes_of_a_lane_stay_however_old_they_are(stage: &Stage) {
    let lane = stage.ring(&referral("r1")).await;
    let lease = stage.claim().await;
    let write = async |number: i64| {
        let operation = format!("op-{number}");
        stage
            .store
            .intend(&lease, intent(&operation))
            .await
            .unwrap();
        let change = Change {
            attempt: Some(Attempt {
                operation,
                outcome: "done".into(),
                detail: String::new(),
            }),
            ..Change::default()
        };
        stage.store.complete_write(&lease, change).await.unwrap();
    };
    for number in 1..=ATTEMPTS_KEPT + 3 {
        write(number).await;
    }
    let oldest = async || {
        let kept = stage.store.attempts(HERE, lane).await.unwrap();
        (kept.len() as i64, kept[0].operation.clone())
    };
    assert_eq!(pruned(stage).await, 0, "they are young");
    stage.hand.turn(HISTORY_KEPT_MS + 1);
    assert_eq!(pruned(stage).await, 3);
    assert_eq!(oldest().await, (ATTEMPTS_KEPT, "op-4".into()));
    assert_eq!(stage.store.check().await.unwrap(), []);
    // Numbers go on.
    write(ATTEMPTS_KEPT + 4).await;
    assert_eq!(pruned(stage).await, 1);
    assert_eq!(oldest().await, (ATTEMPTS_KEPT, "op-5".into()));
    assert_eq!(stage.store.check().await.unwrap(), []);
}
