//! Audit, throttles, census and lists.

use cosell_store::{AcceptedEvent, After, Change, Next, Throttle};

use crate::stage::*;

pub(crate) async fn i7_the_audit_chain_verifies_over_many_lanes_and_runs(stage: &Stage) {
    let mut lanes = Vec::new();
    for run in 0..3 {
        for id in ["r1", "r2"] {
            lanes.push(stage.ring(&referral(id)).await);
            let said = (0..=run)
                .map(|step| line(&format!("{id}: run {run}, step {step}")))
                .collect();
            stage
                .run(
                    Change {
                        audit: said,
                        ..Change::default()
                    },
                    Next::Settled,
                )
                .await;
            stage.hand.turn(7);
        }
    }
    let entries = stage.store.audit(HERE, lanes[1]).await.unwrap();
    assert_eq!(
        entries
            .iter()
            .map(|entry| entry.sequence)
            .collect::<Vec<_>>(),
        [1, 2, 3, 4, 5, 6]
    );
    assert_eq!(entries[5].line, line("r2: run 2, step 2"));
    assert_eq!((entries[0].at, entries[5].at), (BEGIN + 7, BEGIN + 35));
    assert_eq!(stage.store.check_audit().await.unwrap(), []);
    assert_ne!(
        entries[0].hash,
        stage.store.audit(HERE, lanes[0]).await.unwrap()[0].hash
    );
}

pub(crate) async fn the_later_throttle_wins_and_an_open_one_is_not_shown(stage: &Stage) {
    let throttle = |credential: &str, in_ms, reason: &str| Throttle {
        credential: credential.into(),
        until: BEGIN + in_ms,
        reason: reason.into(),
    };
    let store = &stage.store;
    assert_eq!(store.throttles(HERE).await.unwrap(), []);
    for (in_ms, reason) in [(50, "first"), (90, "later"), (70, "earlier"), (90, "same")] {
        store
            .set_throttle(HERE, throttle("dataverse", in_ms, reason))
            .await
            .unwrap();
    }
    store
        .set_throttle(HERE, throttle("partner-center", 10, "budget"))
        .await
        .unwrap();
    store
        .set_throttle("fabrikam", throttle("dataverse", 500, "theirs"))
        .await
        .unwrap();
    let both = [
        throttle("dataverse", 90, "later"),
        throttle("partner-center", 10, "budget"),
    ];
    assert_eq!(store.throttles(HERE).await.unwrap(), both);
    stage.hand.turn(10);
    assert_eq!(store.throttles(HERE).await.unwrap(), both[..1]);
    stage.hand.turn(80);
    assert_eq!(store.throttles(HERE).await.unwrap(), []);
    store
        .set_throttle(HERE, throttle("dataverse", 300, "again"))
        .await
        .unwrap();
    assert_eq!(
        store.throttles(HERE).await.unwrap(),
        [throttle("dataverse", 300, "again")]
    );
}

pub(crate) async fn the_census_counts_what_is_there(stage: &Stage) {
    assert_eq!(
        stage.store.census().await.unwrap(),
        cosell_store::Census::default()
    );
    stage.ring(&referral("settled")).await;
    stage
        .run(linking(pair("settled", "o1")), Next::Settled)
        .await;
    stage.ring(&referral("waiting")).await;
    let half = cosell_store::LinkState {
        referral: Some("waiting".into()),
        ..Default::default()
    };
    stage
        .run(linking(half), wait(BEGIN + 1_000, After::Look))
        .await;
    stage.ring(&referral("parked")).await;
    stage.run(Change::default(), parked("f")).await;
    stage.ring(&referral("running")).await;
    let lease = stage.claim().await;
    stage.store.intend(&lease, intent("op-1")).await.unwrap();
    stage.hand.turn(5);
    stage.ring(&referral("due")).await;
    stage.ring(&referral("due")).await;

    let census = stage.store.census().await.unwrap();
    let lanes: Vec<_> = census
        .lanes
        .iter()
        .map(|(state, count)| (state.as_str(), *count))
        .collect();
    assert_eq!(
        lanes,
        [
            ("due", 1),
            ("parked", 1),
            ("running", 1),
            ("settled", 1),
            ("waiting", 1)
        ]
    );
    assert_eq!((census.linked, census.events, census.intents), (1, 6, 1));
    assert_eq!(
        (census.bells_unanswered, census.oldest_unanswered),
        (2, Some(BEGIN))
    );
}

pub(crate) async fn lanes_are_listed_youngest_first(stage: &Stage) {
    let mut lanes = Vec::new();
    for id in ["r1", "r2", "r3"] {
        lanes.push(stage.ring(&referral(id)).await);
    }
    let elsewhere = AcceptedEvent {
        connection: "fabrikam".into(),
        ..event(&referral("r4"))
    };
    stage.accept(elsewhere).await.lane();
    let listed = stage.store.lanes(HERE, 2).await.unwrap();
    assert_eq!(
        listed.iter().map(|lane| lane.lane).collect::<Vec<_>>(),
        [lanes[2], lanes[1]]
    );
    assert!(
        listed
            .iter()
            .all(|lane| lane.connection == HERE && lane.link.is_none())
    );
    assert_eq!(stage.store.lanes(HERE, 100).await.unwrap().len(), 3);
}

pub(crate) async fn a_lane_is_found_by_record_and_by_engagement(stage: &Stage) {
    let lane = stage.ring(&referral("r1")).await;
    let link = cosell_store::LinkState {
        engagement: Some("e1".into()),
        ..pair("r1", "o1")
    };
    stage
        .run(
            Change {
                members: vec![opportunity("o1")],
                ..linking(link)
            },
            Next::Settled,
        )
        .await;
    let store = &stage.store;
    assert_eq!(
        store.lane_of(HERE, &opportunity("o1")).await.unwrap(),
        Some(lane)
    );
    assert_eq!(store.lane_of(HERE, &referral("o1")).await.unwrap(), None);
    assert_eq!(
        store.lane_of("fabrikam", &opportunity("o1")).await.unwrap(),
        None
    );
    assert_eq!(
        store.lane_of_engagement(HERE, "e1").await.unwrap(),
        Some(lane)
    );
    assert_eq!(store.lane_of_engagement(HERE, "e2").await.unwrap(), None);
    assert_eq!(
        store.lane_of_engagement("fabrikam", "e1").await.unwrap(),
        None
    );
}
