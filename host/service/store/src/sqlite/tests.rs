//! What can only be seen from inside: groups, limits and closing.

use std::sync::mpsc;
use std::task::{Context, Poll, Waker};

use super::*;
use crate::{Accepted, AcceptedEvent, Change, CursorAdvance, Moment, Next, RecordKey, Store};

fn record(id: &str) -> RecordKey {
    RecordKey {
        side: "crm".into(),
        kind: "lead".into(),
        id: id.into(),
    }
}

fn event(id: &str) -> AcceptedEvent {
    AcceptedEvent {
        connection: "c".into(),
        record: record(id),
        cause: "Update".into(),
        dedupe: None,
        lane: None,
    }
}

fn still() -> Clock {
    Arc::new(|| 1_000)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap()
}

/// Holds the writer inside a transaction until the returned sender speaks or is dropped; what is asked meanwhile forms one group.
fn hold(store: &Arc<SqliteStore>, runtime: &tokio::runtime::Runtime) -> mpsc::Sender<()> {
    let (held, is_held) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let store = store.clone();
    runtime.spawn(async move {
        store
            .write("hold", move |_| {
                held.send(()).unwrap();
                let _ = released.recv();
                Ok(())
            })
            .await
    });
    is_held.recv().unwrap();
    release
}

fn in_a_file() -> (tempfile::TempDir, Arc<SqliteStore>) {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(folder.path().join("cosell.db"), still()).unwrap());
    (folder, store)
}

#[test]
fn a_request_that_fails_does_not_spoil_its_group() {
    let (_folder, store) = in_a_file();
    let runtime = runtime();
    let release = hold(&store, &runtime);
    let (seen, sees) = mpsc::channel();

    let ring = |id: &'static str| {
        let store = store.clone();
        async move { store.accept(vec![event(id)], None).await }
    };
    let mut first = Box::pin(ring("r1"));
    let mut spoilt = Box::pin({
        let store = store.clone();
        async move {
            store
                .write("spoil", move |desk| -> Result<(), Failure> {
                    accept::accept(desk, &[event("r2")], None)?;
                    assert_eq!(desk.backlog.waiting, 2);
                    Err(StoreError::NoLane { lane: 5 }.into())
                })
                .await
        }
    });
    let mut last = Box::pin(ring("r3"));
    let mut witness = Box::pin({
        let store = store.clone();
        async move {
            store
                .write("look", move |desk| {
                    let events: i64 =
                        desk.sql
                            .query_row("SELECT count(*) FROM event", [], |row| row.get(0))?;
                    seen.send((events, desk.backlog.waiting)).unwrap();
                    Ok(())
                })
                .await
        }
    });
    // Asked in this order, and queued while the writer is held.
    let mut context = Context::from_waker(Waker::noop());
    assert!(first.as_mut().poll(&mut context).is_pending());
    assert!(spoilt.as_mut().poll(&mut context).is_pending());
    assert!(last.as_mut().poll(&mut context).is_pending());
    assert!(witness.as_mut().poll(&mut context).is_pending());
    drop(release);

    runtime.block_on(async {
        assert!(first.await.is_ok());
        assert!(matches!(spoilt.await, Err(StoreError::NoLane { lane: 5 })));
        assert!(last.await.is_ok());
        witness.await.unwrap();
        assert_eq!(
            sees.recv().unwrap(),
            (2, 2),
            "the same transaction, without the change that was taken back"
        );
        assert_eq!(store.lane_of("c", &record("r2")).await.unwrap(), None);
        assert_eq!(store.census().await.unwrap().events, 2);
    });
}

#[tokio::test]
async fn a_request_that_panics_is_taken_back_and_the_store_goes_on() {
    let (_folder, in_a_file) = in_a_file();
    for store in [
        in_a_file,
        Arc::new(SqliteStore::in_memory(still()).unwrap()),
    ] {
        let panicked = store
            .write("panic", |desk| -> Result<(), Failure> {
                accept::accept(desk, &[event("r1")], None)?;
                panic!("a mistake in the store");
            })
            .await
            .unwrap_err();
        assert!(
            matches!(panicked, StoreError::Broken { doing: "panic", .. }),
            "{panicked:?}"
        );
        store.accept(vec![event("r2")], None).await.unwrap();
        assert_eq!(store.census().await.unwrap().events, 1);
    }
}

#[test]
fn nobody_is_answered_before_the_commit_of_his_group() {
    let (_folder, store) = in_a_file();
    let runtime = runtime();
    let release = hold(&store, &runtime);
    let mut accepted = Box::pin({
        let store = store.clone();
        async move { store.accept(vec![event("r1")], None).await }
    });
    let mut context = Context::from_waker(Waker::noop());
    assert!(accepted.as_mut().poll(&mut context).is_pending());
    // The second of the group: the first has been executed, and the transaction is open.
    let (executed, is_executed) = mpsc::channel();
    let (go_on, goes_on) = mpsc::channel::<()>();
    let mut second = Box::pin({
        let store = store.clone();
        async move {
            store
                .write("hold the group", move |_| {
                    executed.send(()).unwrap();
                    let _ = goes_on.recv();
                    Ok(())
                })
                .await
        }
    });
    assert!(second.as_mut().poll(&mut context).is_pending());
    drop(release);
    is_executed.recv().unwrap();
    assert!(accepted.as_mut().poll(&mut context).is_pending());
    assert_eq!(
        runtime.block_on(store.lane_of("c", &record("r1"))).unwrap(),
        None,
        "not committed"
    );
    drop(go_on);
    let lane = match runtime.block_on(accepted).unwrap()[0] {
        Accepted::Rung(lane) => lane,
        Accepted::Duplicate => panic!("it is the first"),
    };
    assert_eq!(
        runtime.block_on(store.lane_of("c", &record("r1"))).unwrap(),
        Some(lane)
    );
}

#[test]
fn a_full_queue_refuses_and_forgets_nothing() {
    let (_folder, store) = in_a_file();
    let runtime = runtime();
    let release = hold(&store, &runtime);
    let mut context = Context::from_waker(Waker::noop());
    let (mut waiting, mut refused) = (Vec::new(), 0);
    while refused < 3 {
        let store = store.clone();
        let id = format!("r{}", waiting.len());
        let mut request = Box::pin(async move { store.accept(vec![event(&id)], None).await });
        match request.as_mut().poll(&mut context) {
            Poll::Pending => waiting.push(request),
            Poll::Ready(Err(StoreError::Full { .. })) => refused += 1,
            Poll::Ready(other) => panic!("answered by a writer that is held: {other:?}"),
        }
    }
    drop(release);
    runtime.block_on(async {
        let asked = waiting.len() as i64;
        for request in waiting {
            request.await.unwrap();
        }
        assert_eq!(store.census().await.unwrap().events, asked);
    });
}

#[tokio::test]
async fn too_many_waiting_bells_refuse_new_ones_until_some_are_answered() {
    let store = SqliteStore::in_memory_with(still(), 2, None).unwrap();
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
    assert_eq!(
        store.cursor("c", "crm").await.unwrap().as_deref(),
        Some("r1")
    );
    assert_eq!(store.census().await.unwrap().events, 1);

    accept(&["r2"]).await.unwrap();
    assert!(matches!(
        accept(&["r3"]).await,
        Err(StoreError::Full { .. })
    ));
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
    assert!(matches!(
        accept(&["r4"]).await,
        Err(StoreError::Full { .. })
    ));
}

#[tokio::test]
async fn bells_answered_by_another_process_make_room() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cosell.db");
    let time = Arc::new(std::sync::atomic::AtomicI64::new(0));
    let clock: Clock = Arc::new({
        let time = time.clone();
        move || time.load(std::sync::atomic::Ordering::SeqCst)
    });
    let store = SqliteStore::open_with(&path, clock.clone(), 1).unwrap();
    store.accept(vec![event("r1")], None).await.unwrap();
    let other = SqliteStore::open(&path, clock).unwrap();
    let lease = other.claim("w", 60_000, 1).await.unwrap().remove(0);
    let bells = other.open(&lease).await.unwrap().bells;
    other
        .complete_run(&lease, &bells, Change::default(), Next::Settled)
        .await
        .unwrap();
    time.fetch_add(60_000, std::sync::atomic::Ordering::SeqCst);
    store
        .accept(vec![event("r2")], None)
        .await
        .expect("counted again");
}

#[test]
fn closing_serves_what_is_queued_and_refuses_what_comes_later() {
    let (folder, store) = in_a_file();
    let runtime = runtime();
    let release = hold(&store, &runtime);
    let mut queued = Box::pin({
        let store = store.clone();
        async move { store.accept(vec![event("r1")], None).await }
    });
    assert!(
        queued
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_pending()
    );
    drop(release);
    store.close();
    runtime.block_on(async {
        queued.await.expect("it was asked before");
        let late = store.accept(vec![event("r2")], None).await.unwrap_err();
        assert_eq!(
            std::error::Error::source(&late).unwrap().to_string(),
            "the store is closed"
        );
        store.close();
        drop(store);
        let again = SqliteStore::open(folder.path().join("cosell.db"), still()).unwrap();
        assert_eq!(again.census().await.unwrap().events, 1);
    });
}

/// Idle lanes are not in the index that claiming walks, so their number does not matter. Counted in virtual machine steps, because
/// time lies on a busy machine.
#[test]
fn a_claim_costs_the_same_among_a_hundred_and_ten_thousand_idle_lanes() {
    let steps_among = |idle: usize| {
        let mut scribe = Scribe::new(in_memory_schema(), still(), BELLS_WAITING_MAX).unwrap();
        scribe.desk(|desk| {
            for _ in 0..idle {
                lanes::create(desk, "c")?;
            }
            accept::accept(desk, &[event("r1")], None).map(drop)
        });
        let mut query = scribe.sql.prepare(lanes::DUE).unwrap();
        assert_eq!(query.query_map([1_000, 5], |_| Ok(())).unwrap().count(), 1);
        query.get_status(rusqlite::StatementStatus::VmStep)
    };
    assert_eq!(steps_among(100), steps_among(10_000));
}

/// SQLite plans a statement anew when another number is bound to its LIMIT, unless it is told not to.
#[test]
fn a_claim_is_planned_once() {
    let sql = in_memory_schema();
    let mut query = sql.prepare(lanes::DUE).unwrap();
    for at in 1..=3 {
        assert_eq!(query.query_map([at, at], |_| Ok(())).unwrap().count(), 0);
    }
    assert_eq!(query.get_status(rusqlite::StatementStatus::RePrepare), 0);
}

#[test]
fn where_the_power_fails_a_request_never_returns_and_only_what_was_committed_stands() {
    for (fails_at, stored) in [(Moment::Before, 0), (Moment::After, 1)] {
        let cut: PowerCut =
            Arc::new(move |doing, moment| doing == "accept events" && moment == fails_at);
        let store = SqliteStore::in_memory_until(still(), cut).unwrap();
        let mut context = Context::from_waker(Waker::noop());
        let mut request = Box::pin(store.accept(vec![event("r1")], None));
        assert!(request.as_mut().poll(&mut context).is_pending());
        drop(request);
        let mut census = Box::pin(store.census());
        let Poll::Ready(census) = census.as_mut().poll(&mut context) else {
            panic!("the store answers whoever comes after");
        };
        assert_eq!(census.unwrap().events, stored, "{fails_at:?}");
    }
}
