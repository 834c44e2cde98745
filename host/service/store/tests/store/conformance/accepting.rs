//! Accepting events.

use cosell_store::{Accepted, AcceptedEvent, Change, CursorAdvance, LaneId, Next};

use crate::stage::*;

pub(crate) async fn i1_an_accepted_event_is_stored_exactly_once_and_its_bell_has_rung(
    stage: &Stage,
) {
    let lane = stage.accept(event_once(&referral("r1"), "e1")).await.lane();
    assert_eq!(
        stage.accept(event_once(&referral("r1"), "e1")).await,
        Accepted::Duplicate
    );
    stage.hand.turn(1_000_000);
    assert_eq!(
        stage.accept(event_once(&referral("r1"), "e1")).await,
        Accepted::Duplicate,
        "late retries too"
    );

    assert_eq!(stage.store.census().await.unwrap().events, 1);
    let bells = stage.open(&stage.claim().await).await.bells;
    assert_eq!((bells.len(), bells[0].rung, bells[0].answered), (1, 1, 0));
    assert_eq!(bells[0].since, BEGIN);
    assert_eq!(stage.lane(lane).await.unanswered, 1);
}

pub(crate) async fn i10_a_cursor_moves_only_together_with_its_events(stage: &Stage) {
    let cursor = |value: &str| CursorAdvance {
        connection: HERE.into(),
        stream: "crm/lead".into(),
        value: value.into(),
    };
    assert_eq!(stage.store.cursor(HERE, "crm/lead").await.unwrap(), None);
    stage
        .store
        .accept(vec![event(&opportunity("o1"))], Some(cursor("token-1")))
        .await
        .unwrap();
    stage
        .store
        .accept(vec![], Some(cursor("token-2")))
        .await
        .unwrap();
    assert_eq!(
        stage
            .store
            .cursor(HERE, "crm/lead")
            .await
            .unwrap()
            .as_deref(),
        Some("token-2")
    );
    assert_eq!(
        stage.store.cursor(HERE, "partner-center").await.unwrap(),
        None
    );
    assert_eq!(
        stage.store.cursor("fabrikam", "crm/lead").await.unwrap(),
        None
    );
    assert_eq!(stage.store.census().await.unwrap().events, 1);
}

pub(crate) async fn a_duplicate_in_the_same_call_is_a_duplicate(stage: &Stage) {
    let record = referral("r1");
    let events = vec![
        event_once(&record, "e1"),
        event(&record),
        event_once(&record, "e1"),
        event(&record),
    ];
    let accepted = stage.store.accept(events, None).await.unwrap();
    let lane = accepted[0].lane();
    assert_eq!(
        accepted[1..],
        [
            Accepted::Rung(lane),
            Accepted::Duplicate,
            Accepted::Rung(lane)
        ]
    );
    assert_eq!(stage.lane(lane).await.unanswered, 3);
}

pub(crate) async fn connections_do_not_share_dedupe_keys_nor_records(stage: &Stage) {
    stage.accept(event_once(&referral("r1"), "e1")).await.lane();
    let there = AcceptedEvent {
        connection: "fabrikam".into(),
        ..event_once(&referral("r1"), "e1")
    };
    stage.accept(there).await.lane();
    assert_eq!(stage.store.lanes(HERE, 9).await.unwrap().len(), 1);
    assert_eq!(stage.store.lanes("fabrikam", 9).await.unwrap().len(), 1);
    assert_eq!(
        stage
            .store
            .claim("worker", LEASE_MS, 10)
            .await
            .unwrap()
            .len(),
        2
    );
}

pub(crate) async fn an_unknown_record_gets_a_lane_that_is_due_at_once(stage: &Stage) {
    let lane = stage.ring(&referral("r1")).await;
    let other = stage.ring(&opportunity("r1")).await;
    assert_ne!(
        lane, other,
        "the same id on the other side is another record"
    );
    let summary = stage.lane(lane).await;
    assert_eq!(
        (summary.state.as_str(), summary.next_at),
        ("due", Some(BEGIN))
    );
    let leases = stage.store.claim("worker", LEASE_MS, 1).await.unwrap();
    let state = stage.open(&leases[0]).await;
    assert_eq!(state.members, [referral("r1")]);
    assert_eq!(
        (
            state.born,
            state.attempts,
            state.failure,
            state.link,
            state.intent
        ),
        (BEGIN, 0, None, None, None)
    );
}

pub(crate) async fn a_known_record_rings_in_its_lane(stage: &Stage) {
    let lane = stage.ring(&referral("r1")).await;
    stage.hand.turn(5);
    let again = AcceptedEvent {
        cause: "sweep".into(),
        ..event(&referral("r1"))
    };
    assert_eq!(stage.accept(again).await, Accepted::Rung(lane));
    let bells = stage.open(&stage.claim().await).await.bells;
    assert_eq!(
        (bells[0].rung, bells[0].cause.as_str(), bells[0].since),
        (2, "sweep", BEGIN),
        "since the first of them"
    );
}

pub(crate) async fn a_callers_lane_wins_over_a_lane_that_has_made_nothing_of_the_record(
    stage: &Stage,
) {
    let lane = stage.ring(&opportunity("o1")).await;
    let new = AcceptedEvent {
        lane: Some(lane),
        ..event(&referral("r1"))
    };
    assert_eq!(
        stage.accept(new).await,
        Accepted::Rung(lane),
        "an unknown record"
    );

    let stray = stage.ring(&referral("r2")).await;
    let moved = AcceptedEvent {
        lane: Some(lane),
        ..event(&referral("r2"))
    };
    assert_eq!(
        stage.accept(moved).await,
        Accepted::Rung(lane),
        "one that had a lane of its own"
    );
    assert_eq!(
        stage.store.lane_of(HERE, &referral("r2")).await.unwrap(),
        Some(lane)
    );
    assert_eq!(stage.lane(stray).await.unanswered, 0);
    assert_eq!(stage.lane(lane).await.unanswered, 4, "its bell came along");
}

pub(crate) async fn a_callers_lane_does_not_take_a_record_from_a_link_or_a_run(stage: &Stage) {
    let linked = stage.ring(&referral("r1")).await;
    stage.run(linking(pair("r1", "o1")), Next::Settled).await;
    let running = stage.ring(&referral("r2")).await;
    let lease = stage.claim().await;
    let other = stage.ring(&opportunity("o9")).await;

    let towards = |id: &str| AcceptedEvent {
        lane: Some(other),
        ..event(&referral(id))
    };
    assert_eq!(stage.accept(towards("r1")).await, Accepted::Rung(linked));
    assert_eq!(stage.accept(towards("r2")).await, Accepted::Rung(running));

    stage
        .store
        .complete_run(&lease, &[], Change::default(), Next::Settled)
        .await
        .unwrap();
    assert_eq!(
        stage.accept(towards("r2")).await,
        Accepted::Rung(other),
        "the run is over and made nothing of it"
    );
}

pub(crate) async fn a_lane_that_does_not_exist_is_no_lane(stage: &Stage) {
    let stray = AcceptedEvent {
        lane: Some(LaneId(77)),
        ..event(&referral("r1"))
    };
    let lane = stage.accept(stray).await.lane();
    assert_eq!(
        stage.store.lane_of(HERE, &referral("r1")).await.unwrap(),
        Some(lane)
    );
    assert_ne!(lane, LaneId(77));
}
