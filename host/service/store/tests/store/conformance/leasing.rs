//! Claiming lanes, and fences.

use cosell_store::{After, Change, Lease, Next, StoreError};

use crate::stage::*;

pub(crate) async fn i2_a_leased_lane_is_claimed_by_no_one_else(stage: &Stage) {
    let lane = stage.ring(&referral("r1")).await;
    let lease = stage.claim().await;
    assert_eq!((lease.lane, lease.until), (lane, BEGIN + LEASE_MS));
    stage.assert_idle().await;
    stage.ring(&referral("r1")).await;
    stage.store.wake(HERE, lane, "person").await.unwrap();
    stage.assert_idle().await;
    stage.hand.turn(LEASE_MS - 1);
    stage.assert_idle().await;
    assert_eq!(stage.lane(lane).await.state, "running");
}

pub(crate) async fn a_lease_that_ran_out_is_due_with_a_higher_fence(stage: &Stage) {
    let lane = stage.ring(&referral("r1")).await;
    let first = stage.claim().await;
    stage.hand.turn(LEASE_MS);
    assert_eq!(stage.lane(lane).await.state, "due");
    let second = stage.claim().await;
    assert_eq!(second.lane, lane);
    assert!(second.fence > first.fence);
}

pub(crate) async fn i3_an_old_fence_changes_nothing(stage: &Stage) {
    stage.ring(&referral("r1")).await;
    let old = stage.claim().await;
    let bells = stage.open(&old).await.bells;
    stage.hand.turn(LEASE_MS);
    let new = stage.claim().await;
    stage.store.intend(&new, intent("op-1")).await.unwrap();
    let before = (
        stage.open(&new).await,
        stage.store.census().await.unwrap(),
        stage.lane(new.lane).await,
    );

    let change = || Change {
        link: Some(pair("r1", "o1")),
        members: vec![opportunity("o1")],
        audit: vec![line("too late")],
        ..Change::default()
    };
    let store = &stage.store;
    assert_fenced(&old, store.open(&old).await.map(drop));
    assert_fenced(&old, store.renew(&old, LEASE_MS).await.map(drop));
    assert_fenced(&old, store.intend(&old, intent("op-2")).await);
    assert_fenced(&old, store.complete_write(&old, change()).await);
    assert_fenced(
        &old,
        store
            .complete_run(&old, &bells, change(), Next::Settled)
            .await,
    );
    assert_fenced(
        &old,
        store
            .complete_run(&old, &bells, change(), wait(5, After::Failure))
            .await,
    );
    let forged = Lease {
        fence: new.fence + 1,
        ..new.clone()
    };
    assert_fenced(&forged, store.complete_write(&forged, change()).await);

    assert_eq!(
        (
            stage.open(&new).await,
            store.census().await.unwrap(),
            stage.lane(new.lane).await
        ),
        before
    );
    assert_eq!(store.audit(HERE, new.lane).await.unwrap(), []);
}

fn assert_fenced(lease: &Lease, answer: Result<(), StoreError>) {
    match answer {
        Err(StoreError::Fenced { lane, fence }) => {
            assert_eq!((lane, fence), (lease.lane.0, lease.fence))
        }
        other => panic!("the fence was not checked: {other:?}"),
    }
}

pub(crate) async fn a_run_that_has_ended_cannot_end_again(stage: &Stage) {
    stage.ring(&referral("r1")).await;
    let lease = stage.claim().await;
    let bells = stage.open(&lease).await.bells;
    stage
        .store
        .complete_run(&lease, &bells, Change::default(), parked("f"))
        .await
        .unwrap();
    assert_fenced(
        &lease,
        stage
            .store
            .complete_run(&lease, &bells, Change::default(), Next::Settled)
            .await,
    );
    assert_fenced(&lease, stage.store.renew(&lease, LEASE_MS).await.map(drop));
    assert_eq!(stage.lane(lease.lane).await.state, "parked");
}

pub(crate) async fn a_renewed_lease_lasts_longer(stage: &Stage) {
    stage.ring(&referral("r1")).await;
    let lease = stage.claim().await;
    stage.hand.turn(LEASE_MS - 1);
    let renewed = stage.store.renew(&lease, LEASE_MS).await.unwrap();
    assert_eq!(
        renewed,
        Lease {
            until: stage.hand.now() + LEASE_MS,
            ..lease.clone()
        }
    );
    stage.hand.turn(LEASE_MS - 1);
    stage.assert_idle().await;
    stage
        .store
        .intend(&lease, intent("op-1"))
        .await
        .expect("the fence is the same");
    stage.hand.turn(1);
    stage
        .store
        .renew(&renewed, LEASE_MS)
        .await
        .expect("late, but nobody has taken the lane");
    stage.assert_idle().await;
}

pub(crate) async fn the_longest_due_lanes_are_claimed_first(stage: &Stage) {
    let mut lanes = Vec::new();
    for id in ["r1", "r2", "r3"] {
        lanes.push(stage.ring(&referral(id)).await);
        stage.hand.turn(1);
    }
    // The first waits, and is due after the others.
    let lease = stage
        .store
        .claim("worker", LEASE_MS, 1)
        .await
        .unwrap()
        .remove(0);
    assert_eq!(lease.lane, lanes[0]);
    let bells = stage.open(&lease).await.bells;
    let until = stage.hand.now() + 10;
    stage
        .store
        .complete_run(&lease, &bells, Change::default(), wait(until, After::Look))
        .await
        .unwrap();
    stage.hand.turn(20);

    let claimed = stage.store.claim("worker", LEASE_MS, 2).await.unwrap();
    assert_eq!(
        claimed.iter().map(|lease| lease.lane).collect::<Vec<_>>(),
        lanes[1..]
    );
    assert_eq!(stage.claim().await.lane, lanes[0]);
    assert_eq!(stage.store.claim("worker", LEASE_MS, 0).await.unwrap(), []);
}

pub(crate) async fn the_next_due_moment_counts_waits_and_ends_of_leases(stage: &Stage) {
    let store = &stage.store;
    assert_eq!(store.next_due().await.unwrap(), None);
    stage.ring(&referral("r1")).await;
    assert_eq!(store.next_due().await.unwrap(), Some(BEGIN));
    let lease = stage.claim().await;
    assert_eq!(
        store.next_due().await.unwrap(),
        Some(BEGIN + LEASE_MS),
        "a run that dies is missed then"
    );
    let bells = stage.open(&lease).await.bells;
    store
        .complete_run(
            &lease,
            &bells,
            Change::default(),
            wait(BEGIN + 500, After::Failure),
        )
        .await
        .unwrap();
    assert_eq!(store.next_due().await.unwrap(), Some(BEGIN + 500));
    stage.assert_idle().await;
    stage.hand.turn(500);
    stage.run(Change::default(), Next::Settled).await;
    assert_eq!(store.next_due().await.unwrap(), None);
}

pub(crate) async fn what_an_owner_releases_is_due_at_once(stage: &Stage) {
    let lane = stage.ring(&referral("r1")).await;
    stage.ring(&referral("r2")).await;
    let mine = stage.store.claim("mine", LEASE_MS, 1).await.unwrap();
    let other = stage.store.claim("other", LEASE_MS, 1).await.unwrap();
    assert_eq!((mine[0].lane, other.len()), (lane, 1));
    assert_eq!(stage.store.give_back("mine").await.unwrap(), 1);
    assert_eq!(stage.store.give_back("mine").await.unwrap(), 0);
    let taken = stage.store.claim("next", LEASE_MS, 10).await.unwrap();
    assert_eq!(taken.len(), 1);
    assert_eq!((taken[0].lane, taken[0].fence), (lane, mine[0].fence + 1));
    let late = stage.store.renew(&mine[0], LEASE_MS).await.map(drop);
    assert_fenced(&mine[0], late);
}
