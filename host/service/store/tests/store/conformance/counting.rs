//! What counts for the brakes, and what is said about a connection.

use cosell_store::{
    AcceptedEvent, After, Attempt, AttemptRow, Change, Intent, Lease, Next, RECENT_WRITES_MS,
    WriteCount,
};

use crate::stage::*;

/// Begins and ends a write.
async fn write(stage: &Stage, lease: &Lease, intent: Intent, outcome: &str) {
    let attempt = Attempt {
        operation: intent.operation.clone(),
        outcome: outcome.into(),
        detail: "so it said".into(),
    };
    stage.store.intend(lease, intent).await.unwrap();
    let change = Change {
        attempt: Some(attempt),
        ..Change::default()
    };
    stage.store.complete_write(lease, change).await.unwrap();
}

fn to_referral(operation: &str) -> Intent {
    Intent {
        kind: "patch-referral".into(),
        target: referral("r1"),
        irreversible: true,
        ..intent(operation)
    }
}

pub(crate) async fn an_attempt_keeps_what_its_intent_was(stage: &Stage) {
    let lane = stage.ring(&referral("r1")).await;
    let lease = stage.claim().await;
    write(stage, &lease, intent("op-1"), "conflict").await;
    stage.hand.turn(5);
    write(stage, &lease, to_referral("op-2"), "done").await;
    let first = AttemptRow {
        operation: "op-1".into(),
        kind: "update-row".into(),
        side: "crm".into(),
        record_kind: "opportunity".into(),
        record: "o1".into(),
        irreversible: false,
        outcome: "conflict".into(),
        detail: "so it said".into(),
        at: BEGIN,
    };
    let second = AttemptRow {
        operation: "op-2".into(),
        kind: "patch-referral".into(),
        side: "partner-center".into(),
        record_kind: "referral".into(),
        record: "r1".into(),
        irreversible: true,
        outcome: "done".into(),
        at: BEGIN + 5,
        ..first.clone()
    };
    assert_eq!(
        stage.store.attempts(HERE, lane).await.unwrap(),
        [first, second]
    );
    assert_eq!(stage.store.attempts("fabrikam", lane).await.unwrap(), []);
}

pub(crate) async fn an_intent_says_whether_it_can_be_taken_back(stage: &Stage) {
    stage.ring(&referral("r1")).await;
    let lease = stage.claim().await;
    stage
        .store
        .intend(&lease, to_referral("op-1"))
        .await
        .unwrap();
    let open = stage.open(&lease).await.intent.expect("an open intent");
    assert!(open.irreversible);
}

pub(crate) async fn s27_a_run_sees_its_lanes_writes_of_ten_minutes(stage: &Stage) {
    stage.ring(&referral("r1")).await;
    let other = stage.claim().await;
    write(stage, &other, intent("elsewhere"), "done").await;
    stage.ring(&referral("r2")).await;
    let lease = stage.claim().await;
    assert_eq!(stage.open(&lease).await.writes, []);
    write(stage, &lease, intent("op-1"), "done").await;
    stage.hand.turn(1);
    write(stage, &lease, to_referral("op-2"), "refused").await;
    stage.hand.turn(RECENT_WRITES_MS - 1);
    let seen = |state: cosell_store::LaneState| -> Vec<_> {
        state
            .writes
            .into_iter()
            .map(|write| (write.operation, write.side, write.outcome, write.at))
            .collect()
    };
    let refused = (
        "op-2".to_owned(),
        "partner-center".to_owned(),
        "refused".to_owned(),
        BEGIN + 1,
    );
    let done = (
        "op-1".to_owned(),
        "crm".to_owned(),
        "done".to_owned(),
        BEGIN,
    );
    assert_eq!(
        seen(stage.open(&lease).await),
        [refused.clone(), done],
        "newest first"
    );
    stage.hand.turn(1);
    assert_eq!(seen(stage.open(&lease).await), [refused]);
    stage.hand.turn(1);
    assert_eq!(seen(stage.open(&lease).await), []);
}

pub(crate) async fn s25_writes_that_took_effect_are_counted_by_side(stage: &Stage) {
    stage.ring(&referral("r1")).await;
    let first = stage.claim().await;
    stage.ring(&referral("r2")).await;
    let second = stage.claim().await;
    let there = AcceptedEvent {
        connection: "fabrikam".into(),
        ..event(&referral("r1"))
    };
    stage.accept(there).await.lane();
    let theirs = stage.claim().await;
    write(stage, &first, to_referral("op-1"), "done").await;
    stage.hand.turn(10);
    write(stage, &first, intent("op-2"), "adopted").await;
    write(stage, &first, to_referral("op-3"), "done").await;
    write(stage, &second, to_referral("op-4"), "refused").await;
    write(stage, &second, to_referral("op-5"), "conflict").await;
    let harmless = Intent {
        irreversible: false,
        ..to_referral("op-6")
    };
    write(stage, &second, harmless, "done").await;
    write(stage, &theirs, to_referral("op-7"), "done").await;
    let count = |writes, irreversible, lanes| WriteCount {
        writes,
        irreversible,
        lanes,
    };
    for (side, since, expected) in [
        ("partner-center", BEGIN, count(3, 2, 2)),
        ("partner-center", BEGIN + 1, count(2, 1, 2)),
        ("partner-center", BEGIN + 10, count(2, 1, 2)),
        ("partner-center", BEGIN + 11, count(0, 0, 0)),
        ("crm", BEGIN, count(1, 0, 1)),
    ] {
        assert_eq!(
            stage.store.writes_since(HERE, side, since).await.unwrap(),
            expected,
            "{side} since {since}"
        );
    }
}

pub(crate) async fn s26_what_a_lane_was_parked_on_lasts_until_it_is_settled(stage: &Stage) {
    stage.ring(&referral("r1")).await;
    let parked_on = |state: Option<&str>| Next::Parked {
        reasons: "[]".into(),
        state: state.map(str::to_owned),
    };
    for (next, stands) in [
        (parked_on(Some("s1")), Some("s1")),
        (wait(BEGIN, After::Failure), Some("s1")),
        (Next::Held { reason: "h".into() }, None),
        (parked_on(Some("s2")), Some("s2")),
        (parked_on(None), None),
        (parked_on(Some("s1")), Some("s1")),
        (Next::Settled, None),
    ] {
        stage.run(Change::default(), next.clone()).await;
        stage.ring(&referral("r1")).await;
        let state = stage.open(&stage.claim().await).await;
        assert_eq!(state.parked_on.as_deref(), stands, "{next:?}");
        stage.hand.turn(LEASE_MS);
    }
}

pub(crate) async fn a_connections_notes_are_its_own(stage: &Stage) {
    let store = &stage.store;
    let set = |connection, name, value: Option<&str>| {
        store.set_note(connection, name, value.map(str::to_owned))
    };
    assert_eq!(store.note(HERE, "organisation").await.unwrap(), None);
    set(HERE, "organisation", Some("a")).await.unwrap();
    set(HERE, "organisation", Some("b")).await.unwrap();
    set(HERE, "brake", Some("")).await.unwrap();
    set("fabrikam", "organisation", Some("c")).await.unwrap();
    for (connection, name, value) in [
        (HERE, "organisation", Some("b")),
        (HERE, "brake", Some("")),
        ("fabrikam", "organisation", Some("c")),
        ("fabrikam", "brake", None),
    ] {
        let found = store.note(connection, name).await.unwrap();
        assert_eq!(found.as_deref(), value, "{name} of {connection}");
    }
    set(HERE, "organisation", None).await.unwrap();
    set(HERE, "organisation", None).await.unwrap();
    assert_eq!(store.note(HERE, "organisation").await.unwrap(), None);
    assert!(
        store
            .note("fabrikam", "organisation")
            .await
            .unwrap()
            .is_some()
    );
}
