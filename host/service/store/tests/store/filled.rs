//! A store that holds something of everything.

use cosell_store::{
    AcceptedEvent, Activation, Attempt, Base, Change, CursorAdvance, Judgement, Keep, LaneId,
    LinkState, Next, Recording, Throttle,
};

use crate::conformance::{activation, bytes, hash_of, member_of, out, said};
use crate::stage::*;

/// Tables of the store.
pub(crate) const TABLES: [&str; 24] = [
    "counter",
    "lane",
    "member",
    "bell",
    "event",
    "link",
    "base",
    "raw",
    "intent",
    "attempt",
    "audit",
    "cursor",
    "throttle",
    "card",
    "hold",
    "note",
    "component",
    "active_set",
    "set_member",
    "quarantine",
    "proposal",
    "plugin_event",
    "judgement",
    "recording",
];

/// Fills it: lane 1 is linked and asks a person; lane 2 is being worked on, its write open; lane 3 has retired into lane 1; lane 4 waits,
/// its bell unanswered; another connection has a lane of its own.
pub(crate) async fn fill(stage: &Stage) {
    let store = &stage.store;
    stage.ring(&referral("r1")).await;
    let first = stage.claim().await;
    for (operation, outcome) in [("op-1", "conflict"), ("op-2", "done")] {
        store.intend(&first, intent(operation)).await.unwrap();
        let change = Change {
            attempt: Some(Attempt {
                operation: operation.into(),
                outcome: outcome.into(),
                detail: "as it was said: \"ü\", 名前".into(),
            }),
            ..Change::default()
        };
        store.complete_write(&first, change).await.unwrap();
    }
    let link = LinkState {
        etags: [("crm".to_owned(), "W/\"7\"".to_owned())].into(),
        engagement: Some("e1".into()),
        notes: "{}".into(),
        ..pair("r1", "o1")
    };
    let change = Change {
        bases: vec![Base {
            unit: "close-date".into(),
            side: "crm".into(),
            value: Some("\"2026-11-25\"".into()),
            raw: Some("h1".into()),
        }],
        raws: [("h1".to_owned(), "{\"estimatedvalue\":12}".to_owned())].into(),
        members: vec![opportunity("o1")],
        cards: vec![asks("conflict", "close-date", "{}")],
        holds: vec![holds_back("won", "state", "f1", Some(BEGIN + 500))],
        audit: vec![line("ran"), line("linked")],
        ..linking(link)
    };
    let bells = stage.open(&first).await.bells;
    store
        .complete_run(&first, &bells, change, parked("[]"))
        .await
        .unwrap();
    store.answer_card(HERE, 1, "crm", "ada").await.unwrap();
    stage.run(Change::default(), Next::Settled).await;

    stage.ring(&referral("r2")).await;
    let second = stage.claim().await;
    store.intend(&second, intent("op-3")).await.unwrap();

    stage.ring(&referral("r3")).await;
    let into = LaneId(1);
    stage.run(Change::default(), Next::Retired { into }).await;
    stage.run(Change::default(), Next::Settled).await;

    let cursor = CursorAdvance {
        connection: HERE.into(),
        stream: "crm/opportunity".into(),
        value: "token-1".into(),
    };
    let unanswered = event_once(&referral("r4"), "once");
    store.accept(vec![unanswered], Some(cursor)).await.unwrap();
    let there = AcceptedEvent {
        connection: "fabrikam".into(),
        ..event(&referral("r1"))
    };
    stage.accept(there).await;
    let throttle = Throttle {
        credential: "dataverse".into(),
        until: BEGIN + 9,
        reason: "429".into(),
    };
    store.set_throttle(HERE, throttle).await.unwrap();
    let bound = Some("organisation".to_owned());
    store.set_note(HERE, "bound", bound).await.unwrap();
    let recording = Recording {
        connection: HERE.into(),
        lane: LaneId(1),
        content: "c1".into(),
        body: b"whole".to_vec(),
        at: 0,
    };
    let keep = Keep {
        per_deal: 1,
        for_ms: 1_000,
    };
    store.record(recording, keep).await.unwrap();
    fill_sets(stage).await;
}

/// Two generations, one of them of a script; a version that was taken out of service; a candidate that was judged.
async fn fill_sets(stage: &Stage) {
    let store = &stage.store;
    store
        .activate(activation(0, vec![member_of("10-base.wasm", b"base-1")]))
        .await
        .unwrap();
    let mut script = member_of("50-acme.js", b"engine");
    script.source = Some(hash_of(b"text"));
    let next = Activation {
        components: vec![
            bytes(b"base-1"),
            bytes(b"engine"),
            bytes(b"text"),
            bytes(b"\0\xff"),
        ],
        said: Some(said("host-a", &[("50-acme.js", "v1")])),
        ..activation(1, vec![member_of("10-base.wasm", b"base-1"), script])
    };
    store.activate(next).await.unwrap();
    store.quarantine(out("v9", "it failed")).await.unwrap();
    let judged = Judgement {
        connection: HERE.into(),
        lane: LaneId(1),
        verdict: "same".into(),
        body: "{}".into(),
        at: 0,
    };
    store.judge("a/b", vec![judged], &[]).await.unwrap();
}
