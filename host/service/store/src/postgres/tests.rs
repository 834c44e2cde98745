//! What can only be seen from inside: the limit of waiting bells, and when a transaction is done again.

use cosell_local_postgres::LocalPostgres;

use super::*;
use crate::{AcceptedEvent, Change, CursorAdvance, Next, RecordKey, Store, StoreUrl};

fn event(id: &str) -> AcceptedEvent {
    AcceptedEvent {
        connection: "c".into(),
        record: RecordKey {
            side: "crm".into(),
            kind: "lead".into(),
            id: id.into(),
        },
        cause: "Update".into(),
        dedupe: None,
        lane: None,
    }
}

fn address(schema: &str) -> PostgresUrl {
    let server = LocalPostgres::shared().unwrap_or_else(|error| panic!("{error}"));
    match server.url(&format!("schema={schema}")).parse() {
        Ok(StoreUrl::Postgres(url)) => *url,
        other => panic!("not an address: {other:?}"),
    }
}

async fn full_at(schema: &str, bells_max: i64) -> PostgresStore {
    let store = PostgresStore::attach_with(&address(schema), None, bells_max).unwrap();
    store.open_now().await.unwrap();
    store
}

#[tokio::test]
async fn too_many_waiting_bells_refuse_new_ones_until_some_are_answered() {
    let store = full_at("full", 2).await;
    let accept = |ids: &[&str]| {
        let cursor = CursorAdvance {
            connection: "c".into(),
            stream: "crm".into(),
            value: ids.join(" "),
        };
        store.accept(ids.iter().map(|id| event(id)).collect(), Some(cursor))
    };
    accept(&["r1"]).await.unwrap();
    // I10: a call that is refused in the middle leaves neither events nor a cursor.
    let full = accept(&["r2", "r3"]).await.unwrap_err();
    assert_eq!(
        full.to_string(),
        "the store is full: 2 bells wait for an answer"
    );
    let cursor = store.cursor("c", "crm").await.unwrap();
    assert_eq!(cursor.as_deref(), Some("r1"));
    assert_eq!(store.census().await.unwrap().events, 1);

    accept(&["r2"]).await.unwrap();
    let refused = accept(&["r3"]).await;
    assert!(matches!(refused, Err(StoreError::Full { .. })));
    accept(&["r1"])
        .await
        .expect("a bell that waits already may ring again");

    let lease = store.claim("w", 60_000, 1).await.unwrap().remove(0);
    let bells = store.open(&lease).await.unwrap().bells;
    store
        .complete_run(&lease, &bells, Change::default(), Next::Settled)
        .await
        .unwrap();
    accept(&["r3"]).await.expect("one was answered");
    let refused = accept(&["r4"]).await;
    assert!(matches!(refused, Err(StoreError::Full { .. })));
}

/// A call that is refused for want of room does not take those with it that only ring what waits already.
#[tokio::test]
async fn of_calls_in_one_group_only_those_are_refused_for_which_there_is_no_room() {
    let store = full_at("group", 1).await;
    store.accept(vec![event("r1")], None).await.unwrap();
    let (again, new, duplicate) = tokio::join!(
        store.accept(vec![event("r1")], None),
        store.accept(vec![event("r2")], None),
        store.accept(vec![event("r1")], None)
    );
    assert!(again.is_ok() && duplicate.is_ok());
    assert!(matches!(new, Err(StoreError::Full { .. })));
    assert_eq!(store.census().await.unwrap().events, 3);
}

#[tokio::test]
async fn another_one_who_is_faster_is_waited_out_and_a_refusal_is_not() {
    let tries = std::cell::Cell::new(0);
    let done: Result<u32, Fault> = insist!({
        tries.set(tries.get() + 1);
        if tries.get() < 3 {
            Err(Fault::overtaken("somebody"))
        } else {
            Ok(tries.get())
        }
    });
    assert_eq!(done.ok(), Some(3));
    let refused: Result<(), Fault> = insist!({
        tries.set(tries.get() + 1);
        Err(StoreError::NoLane { lane: 1 }.into())
    });
    assert!(matches!(refused, Err(Fault::Refused(_))));
    assert_eq!(tries.get(), 4);
}

/// The database's clock, as this machine knows it: never behind, ahead by no more than the question took.
#[test]
fn the_followed_clock_errs_on_the_safe_side() {
    let time = Time {
        given: None,
        ahead_ms: AtomicI64::new(0),
        ours: Arc::new(|| 1_000),
    };
    // Asked at 1 000, and the database said 61 000 some milliseconds later.
    time.learn(1_000, 61_005);
    assert_eq!(time.about(), 61_005);
    time.learn(1_000, 400);
    assert_eq!(time.about(), 400, "it may be behind this machine's, too");
}
