//! Ending runs: answered bells, waiting, resting, retiring, waking.

use cosell_store::{
    AcceptedEvent, After, Change, FULL_COMPARE, LaneId, LinkState, Next, PERSON, PLUGINS_CHANGED,
    StoreError,
};

use crate::stage::*;

pub(crate) async fn i7_a_ring_after_the_look_stays_unanswered(stage: &Stage) {
    let lane = stage.ring(&referral("r1")).await;
    let lease = stage.claim().await;
    let bells = stage.open(&lease).await.bells;
    stage.hand.turn(10);
    stage.ring(&referral("r1")).await;
    stage.hand.turn(10);
    stage.ring(&referral("r1")).await;
    stage
        .store
        .complete_run(&lease, &bells, Change::default(), Next::Settled)
        .await
        .unwrap();

    assert_eq!(stage.lane(lane).await.unanswered, 2);
    let bells = stage.open(&stage.claim().await).await.bells;
    assert_eq!((bells[0].rung, bells[0].answered), (3, 1));
    assert_eq!(
        bells[0].since,
        BEGIN + 10,
        "since the first ring that nobody has answered"
    );
}

pub(crate) async fn i7_answered_never_goes_back_nor_past_what_rang(stage: &Stage) {
    let lane = stage.ring(&referral("r1")).await;
    let lease = stage.claim().await;
    let far = [noted(&referral("r1"), 99), noted(&referral("not-mine"), 5)];
    stage
        .store
        .complete_run(&lease, &far, Change::default(), Next::Settled)
        .await
        .unwrap();
    assert_eq!(stage.lane(lane).await.unanswered, 0);

    stage.ring(&referral("r1")).await;
    let lease = stage.claim().await;
    let bells = stage.open(&lease).await.bells;
    assert_eq!(
        (bells[0].rung, bells[0].answered),
        (2, 1),
        "a claim to have heard more is worth nothing"
    );
    stage
        .store
        .complete_run(
            &lease,
            &[noted(&referral("r1"), 0)],
            Change::default(),
            Next::Settled,
        )
        .await
        .unwrap();
    let bells = stage.open(&stage.claim().await).await.bells;
    assert_eq!((bells[0].rung, bells[0].answered), (2, 1));
}

pub(crate) async fn i9_a_lane_is_never_idle_with_an_unanswered_bell(stage: &Stage) {
    let endings = [
        Next::Settled,
        wait(BEGIN + 1_000_000, After::Failure),
        wait(BEGIN + 1_000_000, After::Look),
        parked("f"),
        Next::Held { reason: "h".into() },
        Next::Orphaned { reason: "o".into() },
        Next::Paused { reason: "p".into() },
    ];
    let record = referral("r1");
    for next in endings {
        stage.ring(&record).await;
        let lease = stage.claim().await;
        let bells = stage.open(&lease).await.bells;
        stage.ring(&record).await;
        stage
            .store
            .complete_run(&lease, &bells, Change::default(), next.clone())
            .await
            .unwrap();
        assert_eq!(stage.lane(lease.lane).await.state, "due", "{next:?}");
        stage.run(Change::default(), next).await;
        stage.assert_idle().await;
    }
}

pub(crate) async fn i9_an_open_intent_may_only_wait(stage: &Stage) {
    let elder = stage.ring(&referral("r0")).await;
    stage.run(Change::default(), Next::Settled).await;
    stage.ring(&referral("r1")).await;
    let lease = stage.claim().await;
    let bells = stage.open(&lease).await.bells;
    stage.store.intend(&lease, intent("op-1")).await.unwrap();
    let endings = [
        Next::Settled,
        parked("f"),
        Next::Held { reason: "h".into() },
        Next::Orphaned { reason: "o".into() },
        Next::Paused { reason: "p".into() },
        Next::Retired { into: elder },
    ];
    for next in endings {
        let refused = stage
            .store
            .complete_run(&lease, &bells, Change::default(), next.clone())
            .await;
        assert!(
            matches!(refused, Err(StoreError::IntentOpen { .. })),
            "{next:?}: {refused:?}"
        );
    }
    stage
        .store
        .complete_run(
            &lease,
            &bells,
            Change::default(),
            wait(BEGIN + 5, After::Failure),
        )
        .await
        .unwrap();
    stage.hand.turn(5);
    assert!(
        stage.open(&stage.claim().await).await.intent.is_some(),
        "the next run resolves it"
    );
}

pub(crate) async fn failures_in_a_row_are_counted_until_something_succeeds(stage: &Stage) {
    let lane = stage.ring(&referral("r1")).await;
    let again = |after| wait(stage.hand.now(), after);
    for (next, attempts) in [
        (again(After::Failure), 1),
        (again(After::Failure), 2),
        (again(After::PutOff), 2),
        (again(After::Look), 0),
        (again(After::Failure), 1),
        // A person mends it, and has the whole patience again.
        (parked("f"), 0),
        (again(After::Failure), 1),
        (Next::Held { reason: "h".into() }, 0),
        (again(After::Failure), 1),
        (Next::Settled, 0),
    ] {
        stage.run(Change::default(), next).await;
        assert_eq!(stage.lane(lane).await.attempts, attempts);
        stage.ring(&referral("r1")).await;
    }
}

pub(crate) async fn the_key_of_a_failure_lasts_until_the_lane_is_settled(stage: &Stage) {
    stage.ring(&referral("r1")).await;
    let steps = [
        (parked("no-country"), Some("no-country")),
        (wait(BEGIN, After::Failure), Some("no-country")),
        (parked("no-contact"), Some("no-contact")),
        (
            Next::Paused {
                reason: "off".into(),
            },
            Some("no-contact"),
        ),
        // It was planned: the same failure would be a new one.
        (Next::Held { reason: "h".into() }, None),
        (parked("no-contact"), Some("no-contact")),
        (Next::Settled, None),
    ];
    for (next, failure) in steps {
        stage.run(Change::default(), next).await;
        stage.ring(&referral("r1")).await;
        let lease = stage.claim().await;
        let state = stage.open(&lease).await;
        assert_eq!(state.failure.as_deref(), failure);
        stage.hand.turn(LEASE_MS);
    }
}

pub(crate) async fn lanes_at_rest_wait_for_a_bell_and_say_why(stage: &Stage) {
    let lane = stage.ring(&referral("r1")).await;
    for (next, state, reason) in [
        (
            Next::Parked {
                reasons: "[\"country\"]".into(),
                state: None,
            },
            "parked",
            Some("[\"country\"]"),
        ),
        (
            Next::Held {
                reason: "a card is open".into(),
            },
            "held",
            Some("a card is open"),
        ),
        (
            Next::Orphaned {
                reason: "referral gone".into(),
            },
            "orphaned",
            Some("referral gone"),
        ),
        (
            Next::Paused {
                reason: "sync is off".into(),
            },
            "paused",
            Some("sync is off"),
        ),
        (Next::Settled, "settled", None),
    ] {
        stage.run(Change::default(), next).await;
        let summary = stage.lane(lane).await;
        assert_eq!(
            (
                summary.state.as_str(),
                summary.reason.as_deref(),
                summary.next_at
            ),
            (state, reason, None)
        );
        stage.hand.turn(1_000_000_000);
        stage.assert_idle().await;
        assert_eq!(stage.store.next_due().await.unwrap(), None);
        stage.ring(&referral("r1")).await;
        assert_eq!(stage.lane(lane).await.state, "due");
    }
}

pub(crate) async fn a_bell_ends_a_wait(stage: &Stage) {
    let lane = stage.ring(&referral("r1")).await;
    stage
        .run(Change::default(), wait(BEGIN + 900, After::Failure))
        .await;
    let summary = stage.lane(lane).await;
    assert_eq!(
        (summary.state.as_str(), summary.next_at),
        ("waiting", Some(BEGIN + 900))
    );
    assert_eq!(summary.reason.as_deref(), Some("because"));
    stage.assert_idle().await;
    stage.ring(&referral("r1")).await;
    assert_eq!(stage.claim().await.lane, lane);
}

pub(crate) async fn bells_ring_on_until_a_run_has_looked(stage: &Stage) {
    let lane = stage.ring(&referral("r1")).await;
    stage.store.order(HERE, lane, "ada").await.unwrap();
    let rung = stage.lane(lane).await.unanswered;
    for after in [After::PutOff, After::Failure] {
        let until = stage.hand.now() + 10;
        stage.run(Change::default(), wait(until, after)).await;
        let summary = stage.lane(lane).await;
        assert_eq!(
            (summary.next_at, summary.unanswered),
            (Some(until), rung),
            "{after:?}"
        );
        stage.assert_idle().await;
        stage.hand.turn(10);
    }
    let lease = stage.claim().await;
    let bells = stage.open(&lease).await.bells;
    assert_eq!(bells[0].cause, PERSON, "what was ordered is not forgotten");
    let looked = wait(stage.hand.now() + 10, After::Look);
    stage
        .store
        .complete_run(&lease, &bells, Change::default(), looked)
        .await
        .unwrap();
    assert_eq!(stage.lane(lane).await.unanswered, 0);
}

pub(crate) async fn the_cause_that_counts_is_not_hidden_by_one_that_does_not(stage: &Stage) {
    let ring = async |cause: &str| {
        let record = referral("r1");
        stage
            .accept(AcceptedEvent {
                cause: cause.into(),
                ..event(&record)
            })
            .await;
    };
    let counts = async || {
        let lease = stage.claim().await;
        let cause = stage.open(&lease).await.bells[0].cause.clone();
        let census = stage.store.census().await.unwrap();
        let bells = stage.open(&lease).await.bells;
        stage
            .store
            .complete_run(&lease, &bells, Change::default(), Next::Settled)
            .await
            .unwrap();
        (cause, census.oldest_unanswered.is_some())
    };
    for (rings, counted, is_awaited) in [
        (&["Update", FULL_COMPARE][..], "Update", true),
        (&[FULL_COMPARE, "Update"], "Update", true),
        (&[FULL_COMPARE, PLUGINS_CHANGED], FULL_COMPARE, false),
        (&[FULL_COMPARE, "lane-retired"], FULL_COMPARE, false),
        (&[PERSON, "Update", FULL_COMPARE], PERSON, true),
        (&["Update", PERSON], PERSON, true),
        (&[PLUGINS_CHANGED], PLUGINS_CHANGED, false),
        (&["Update"], "Update", true),
    ] {
        for cause in rings {
            ring(cause).await;
        }
        assert_eq!(
            counts().await,
            (counted.to_owned(), is_awaited),
            "{rings:?}"
        );
    }
    // Also when they come in one transaction.
    let events = [PERSON, "Update", PLUGINS_CHANGED].map(|cause| AcceptedEvent {
        cause: cause.into(),
        ..event(&referral("r1"))
    });
    stage.store.accept(events.into(), None).await.unwrap();
    assert_eq!(counts().await, (PERSON.to_owned(), true));
}

pub(crate) async fn a_retired_lane_hands_everything_to_its_elder(stage: &Stage) {
    let elder = stage.ring(&opportunity("o1")).await;
    stage.run(Change::default(), Next::Settled).await;
    let younger = stage.accept(event_once(&referral("r1"), "e1")).await.lane();
    let half = LinkState {
        referral: Some("r1".into()),
        engagement: Some("e".into()),
        ..LinkState::default()
    };
    stage.run(linking(half.clone()), Next::Settled).await;
    stage.ring(&referral("r1")).await;
    let told = Change {
        audit: vec![line("retired")],
        ..Change::default()
    };
    stage.run(told, Next::Retired { into: elder }).await;

    assert_eq!(stage.lane(younger).await.state, "retired");
    assert_eq!(
        stage.lane(younger).await.link,
        None,
        "the elder can link the referral now"
    );
    assert_eq!(
        stage.store.audit(HERE, younger).await.unwrap().len(),
        1,
        "its history stays"
    );
    assert_eq!(
        stage.store.lane_of(HERE, &referral("r1")).await.unwrap(),
        Some(elder)
    );
    let lease = stage.claim().await;
    let state = stage.open(&lease).await;
    assert_eq!(
        (lease.lane, state.members),
        (elder, vec![opportunity("o1"), referral("r1")])
    );
    let bell = state
        .bells
        .iter()
        .find(|bell| bell.record == referral("r1"))
        .expect("its bell came along, not answered by a run of another lane");
    assert_eq!(
        (bell.rung - bell.answered, bell.cause.as_str()),
        (2, event(&referral("r1")).cause.as_str()),
        "moving tells nothing new"
    );
    stage
        .store
        .complete_run(
            &lease,
            &state.bells,
            linking(LinkState {
                crm_row: Some("o1".into()),
                ..half
            }),
            Next::Settled,
        )
        .await
        .unwrap();

    assert_eq!(
        stage.ring(&referral("r1")).await,
        elder,
        "later rings go there"
    );
    let astray = AcceptedEvent {
        lane: Some(younger),
        ..event(&referral("r2"))
    };
    assert_eq!(
        stage.accept(astray).await.lane(),
        elder,
        "and so does what names the retired lane"
    );
    let known = event_once(&referral("r1"), "e1");
    assert_eq!(
        stage.accept(known).await,
        cosell_store::Accepted::Duplicate,
        "events came along"
    );
    stage.run(Change::default(), Next::Settled).await;
    stage.store.wake(HERE, younger, "person").await.unwrap();
    assert_eq!(stage.claim().await.lane, elder);
}

pub(crate) async fn an_order_is_written_down_with_who_gave_it(stage: &Stage) {
    let lane = stage.ring(&opportunity("o1")).await;
    stage.run(Change::default(), parked("[]")).await;
    stage.store.order(HERE, lane, "ada").await.unwrap();
    assert_eq!(stage.claim().await.lane, lane);
    let lines = stage.store.audit(HERE, lane).await.unwrap();
    let told = lines
        .iter()
        .any(|line| line.line.kind == "person" && line.line.message.starts_with("ada ordered"));
    assert!(told, "{lines:?}");
    let nobody = stage.store.order(HERE, LaneId(77), "ada").await;
    assert!(matches!(nobody, Err(StoreError::NoLane { lane: 77 })));
}

pub(crate) async fn a_retired_lane_makes_a_running_elder_run_again(stage: &Stage) {
    let elder = stage.ring(&opportunity("o1")).await;
    let running = stage.claim().await;
    let seen = stage.open(&running).await.bells;
    stage.ring(&referral("r1")).await;
    stage
        .run(Change::default(), Next::Retired { into: elder })
        .await;
    stage.assert_idle().await;
    stage
        .store
        .complete_run(&running, &seen, Change::default(), Next::Settled)
        .await
        .unwrap();
    assert_eq!(
        stage.claim().await.lane,
        elder,
        "it has not looked at what it inherited"
    );
}

pub(crate) async fn a_pair_does_not_retire(stage: &Stage) {
    let elder = stage.ring(&opportunity("o1")).await;
    stage.run(Change::default(), Next::Settled).await;
    let lane = stage.ring(&referral("r1")).await;
    let lease = stage.claim().await;
    let refused = stage
        .store
        .complete_run(
            &lease,
            &[],
            linking(pair("r1", "o2")),
            Next::Retired { into: elder },
        )
        .await;
    assert!(
        matches!(refused, Err(StoreError::Linked { lane: by, .. }) if by == lane.0),
        "{refused:?}"
    );
    assert_eq!(
        stage.open(&lease).await.link,
        None,
        "nothing of it happened"
    );
}

pub(crate) async fn two_lanes_that_retire_into_each_other_leave_one(stage: &Stage) {
    let one = stage.ring(&opportunity("o1")).await;
    let first = stage.claim().await;
    let two = stage.ring(&referral("r1")).await;
    let second = stage.claim().await;
    stage
        .store
        .complete_run(&first, &[], Change::default(), Next::Retired { into: two })
        .await
        .unwrap();
    stage
        .store
        .complete_run(&second, &[], Change::default(), Next::Retired { into: one })
        .await
        .unwrap();
    assert_eq!(stage.lane(one).await.state, "retired");
    let lease = stage.claim().await;
    assert_eq!(lease.lane, two);
    assert_eq!(
        stage.open(&lease).await.members,
        [opportunity("o1"), referral("r1")]
    );
}

pub(crate) async fn a_lane_does_not_retire_into_nothing_or_itself(stage: &Stage) {
    let lane = stage.ring(&referral("r1")).await;
    let lease = stage.claim().await;
    for into in [LaneId(77), lane] {
        let refused = stage
            .store
            .complete_run(&lease, &[], Change::default(), Next::Retired { into })
            .await;
        assert!(
            matches!(refused, Err(StoreError::NoLane { lane }) if lane == into.0),
            "{refused:?}"
        );
    }
    stage.open(&lease).await;
}

pub(crate) async fn waking_a_parked_lane_makes_it_due(stage: &Stage) {
    let lane = stage.ring(&referral("r1")).await;
    stage.run(Change::default(), parked("f")).await;
    stage.assert_idle().await;
    stage.store.wake(HERE, lane, "person").await.unwrap();
    let state = stage.open(&stage.claim().await).await;
    assert_eq!(state.bells[0].cause, "person");
    let nobody = stage.store.wake(HERE, LaneId(77), "person").await;
    assert!(
        matches!(nobody, Err(StoreError::NoLane { lane: 77 })),
        "{nobody:?}"
    );
}

pub(crate) async fn waking_a_running_lane_is_not_lost(stage: &Stage) {
    let lane = stage.ring(&referral("r1")).await;
    let lease = stage.claim().await;
    let bells = stage.open(&lease).await.bells;
    stage.store.wake(HERE, lane, "person").await.unwrap();
    stage
        .store
        .complete_run(&lease, &bells, Change::default(), parked("f"))
        .await
        .unwrap();
    assert_eq!(stage.claim().await.lane, lane);
}
