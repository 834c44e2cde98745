//! Several hosts at the same moment on one database: whoever is slower finds what the other one left.

use std::collections::BTreeSet;
use std::sync::Arc;

use cosell_store::{
    Accepted, AcceptedEvent, Change, CursorAdvance, LaneId, Next, Store, StoreError,
};
use tokio::task::JoinSet;

use crate::postgres::second_host;
use crate::stage::*;

/// I2, among hosts that all grab at once: every lane once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i2_hosts_that_claim_at_the_same_moment_share_the_lanes() {
    const LANES: usize = 200;
    let stage = Stage::on_postgres().await;
    let events = (0..LANES)
        .map(|number| event(&referral(&format!("r{number}"))))
        .collect();
    stage.store.accept(events, None).await.unwrap();
    let mut hosts = JoinSet::new();
    for host in 0..4 {
        let store = second_host(&stage).await;
        hosts.spawn(async move {
            let mut mine = Vec::new();
            loop {
                let leases = store
                    .claim(&format!("host-{host}"), LEASE_MS, 7)
                    .await
                    .unwrap();
                if leases.is_empty() {
                    return mine;
                }
                mine.extend(leases.into_iter().map(|lease| lease.lane));
            }
        });
    }
    let claimed = hosts.join_all().await;
    let all: Vec<LaneId> = claimed.iter().flatten().copied().collect();
    let distinct: BTreeSet<LaneId> = all.iter().copied().collect();
    // A lane that another host was just taking is skipped, so that a host may stop early; what is left is due still.
    let left = stage
        .store
        .claim("last", LEASE_MS, LANES)
        .await
        .unwrap()
        .len();
    assert_eq!(all.len(), distinct.len(), "a lane was leased twice");
    assert_eq!(all.len() + left, LANES);
}

/// I1: the same events, at the same time, by three hosts, each event several times and in another order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i1_events_that_reach_all_hosts_at_once_are_stored_once() {
    const EVENTS: usize = 60;
    const RECORDS: usize = 8;
    let stage = Stage::on_postgres().await;
    let mut tasks = JoinSet::new();
    for host in 0..3_usize {
        let store = Arc::new(second_host(&stage).await);
        for turn in 0..2_usize {
            let store = Arc::clone(&store);
            tasks.spawn(async move {
                let mut rung = 0;
                for step in 0..EVENTS {
                    // Another order for each: seven and sixty share no divisor.
                    let number = (step * 7 + host * 11 + turn * 23) % EVENTS;
                    let record = referral(&format!("r{}", number % RECORDS));
                    let event = event_once(&record, &number.to_string());
                    let accepted = store.accept(vec![event], None).await.unwrap();
                    rung += usize::from(matches!(accepted[0], Accepted::Rung(_)));
                }
                rung
            });
        }
    }
    let rung: usize = tasks.join_all().await.into_iter().sum();
    assert_eq!(rung, EVENTS);
    let census = stage.store.census().await.unwrap();
    assert_eq!(census.events, EVENTS as i64);
    assert_eq!(census.lanes["due"], RECORDS as i64, "one lane per record");
}

/// Calls that name the same records in opposite orders, with new ones among them, must neither block each other for ever nor fail.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_that_lock_in_opposite_orders_all_get_through() {
    const ROUNDS: usize = 25;
    let stage = Stage::on_postgres().await;
    let mut tasks = JoinSet::new();
    for host in 0..4_usize {
        let store = second_host(&stage).await;
        tasks.spawn(async move {
            for round in 0..ROUNDS {
                let mut events: Vec<AcceptedEvent> = (round..round + 6)
                    .map(|number| event(&referral(&format!("r{number}"))))
                    .collect();
                if host % 2 == 1 {
                    events.reverse();
                }
                let cursor = CursorAdvance {
                    connection: HERE.into(),
                    stream: "crm".into(),
                    value: format!("{host}/{round}"),
                };
                store.accept(events, Some(cursor)).await.expect("accepted");
            }
        });
    }
    tasks.join_all().await;
    let census = stage.store.census().await.unwrap();
    assert_eq!(census.events, (4 * ROUNDS * 6) as i64);
    assert_eq!(census.lanes["due"], (ROUNDS + 5) as i64);
}

/// I4 and I5 under a race: of two lanes that link the same row one wins, and of two intents of a lease one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i4_i5_of_two_at_once_one_is_refused() {
    for round in 0..10 {
        let stage = Stage::on_postgres().await;
        let (first, second) = (
            Arc::new(second_host(&stage).await),
            Arc::new(second_host(&stage).await),
        );
        stage.ring(&referral("r1")).await;
        stage.ring(&referral("r2")).await;
        let leases = first.claim("w", LEASE_MS, 2).await.unwrap();
        let both = |left, right| async move { tokio::join!(left, right) };
        let intents = both(
            first.intend(&leases[0], intent("left")),
            second.intend(&leases[0], intent("right")),
        )
        .await;
        let refused = match intents {
            (Ok(()), Err(refused)) | (Err(refused), Ok(())) => refused,
            other => panic!("{other:?}"),
        };
        assert!(matches!(refused, StoreError::IntentOpen { .. }));
        first.intend(&leases[1], intent("other")).await.unwrap();
        let links = both(
            first.complete_write(&leases[0], linking(pair("r1", "o1"))),
            second.complete_write(&leases[1], linking(pair("r2", "o1"))),
        )
        .await;
        let refused = match links {
            (Ok(()), Err(refused)) | (Err(refused), Ok(())) => refused,
            other => panic!("round {round}: {other:?}"),
        };
        assert!(matches!(refused, StoreError::Linked { .. }), "{refused:?}");
    }
}

/// I7 and I9 under a race: rings and ends of runs from several hosts, and in the end no bell is forgotten.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i9_a_ring_that_meets_the_end_of_a_run_is_never_lost() {
    const RINGS: usize = 80;
    let stage = Stage::on_postgres().await;
    let ringer = second_host(&stage).await;
    let rings = tokio::spawn(async move {
        for number in 0..RINGS {
            let record = referral(&format!("r{}", number % 3));
            ringer.accept(vec![event(&record)], None).await.unwrap();
        }
    });
    let mut workers = JoinSet::new();
    let rung = Arc::new(std::sync::atomic::AtomicBool::new(false));
    for _ in 0..2 {
        let (store, rung) = (second_host(&stage).await, Arc::clone(&rung));
        workers.spawn(async move {
            loop {
                let done = rung.load(std::sync::atomic::Ordering::SeqCst);
                let leases = store.claim("w", LEASE_MS, 2).await.unwrap();
                if leases.is_empty() && done {
                    return;
                }
                for lease in leases {
                    let bells = store.open(&lease).await.unwrap().bells;
                    let change = Change {
                        audit: vec![line("ran")],
                        ..Change::default()
                    };
                    store
                        .complete_run(&lease, &bells, change, Next::Settled)
                        .await
                        .unwrap();
                }
            }
        });
    }
    rings.await.unwrap();
    rung.store(true, std::sync::atomic::Ordering::SeqCst);
    workers.join_all().await;
    // Whoever stopped while the other one was ending its last run has left nothing but what is due.
    while !stage.store.claim("last", 0, 10).await.unwrap().is_empty() {
        stage.hand.turn(1);
        for lease in stage.store.claim("last", LEASE_MS, 10).await.unwrap() {
            let bells = stage.open(&lease).await.bells;
            stage
                .store
                .complete_run(&lease, &bells, Change::default(), Next::Settled)
                .await
                .unwrap();
        }
    }
    let census = stage.store.census().await.unwrap();
    assert_eq!(census.bells_unanswered, 0);
    assert_eq!(census.events, RINGS as i64);
    assert_eq!(stage.store.check_audit().await.unwrap(), []);
}
