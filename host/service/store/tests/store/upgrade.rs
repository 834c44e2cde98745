//! A file of an earlier version is brought up to date when it is opened, whole or not at all.

use std::path::{Path, PathBuf};

use cosell_store::{
    Attempt, AttemptRow, Change, Intent, LaneFilter, LaneId, Next, RecordKey, SqliteStore, Store,
    StoreError, StoreUrl, WriteCount, copy,
};
use rusqlite::Connection;

use crate::stage::*;

/// A file as a cosell of version 1 left it.
fn version_1(folder: &Path) -> PathBuf {
    let path = folder.join("cosell.db");
    let sql = Connection::open(&path).expect("a new file");
    for step in [
        include_str!("../../src/sqlite/schema-1.sql"),
        include_str!("version-1.sql"),
    ] {
        sql.execute_batch(step).expect("as version 1 wrote it");
    }
    path
}

fn version(path: &Path) -> i64 {
    let sql = Connection::open(path).expect("the file");
    sql.query_row("PRAGMA user_version", [], |row| row.get(0))
        .expect("a version")
}

/// A backup is an older file, and the release that wrote it may be wanted back.
#[tokio::test]
async fn what_is_copied_from_stays_at_its_version() {
    let folder = tempfile::tempdir().unwrap();
    let old = version_1(folder.path());
    let new = folder.path().join("new.db");
    let (from, to) = (StoreUrl::Sqlite(old.clone()), StoreUrl::Sqlite(new.clone()));
    copy(&from, &to, false).await.unwrap();
    assert_eq!((version(&old), version(&new)), (1, 4));
    let store = SqliteStore::open(&new, Hand::new().clock()).unwrap();
    assert_eq!(store.lanes(HERE, 10).await.unwrap().len(), 3);
}

/// A newer release's `cosell status`, typed beside a running host of the older one.
#[tokio::test]
async fn whoever_only_looks_leaves_an_older_file_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = version_1(folder.path());
    let url = StoreUrl::Sqlite(path.clone());
    let refused = cosell_store::look(&url, None).unwrap_err();
    let said = std::error::Error::source(&refused).unwrap().to_string();
    assert!(
        said.contains("version 1") && said.contains("cosell store migrate"),
        "{said}"
    );
    assert_eq!(version(&path), 1);
    cosell_store::open(&url, None).await.unwrap();
    let opened = cosell_store::look(&url, None).unwrap();
    assert_eq!(opened.store.lanes(HERE, 10).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_file_of_version_1_opens_with_all_that_it_held() {
    let folder = tempfile::tempdir().unwrap();
    let path = version_1(folder.path());
    let hand = Hand::new();
    let store = SqliteStore::open(&path, hand.clock()).unwrap();
    assert_eq!(version(&path), 4);

    let lanes = store
        .lanes_page(HERE, &LaneFilter::default())
        .await
        .unwrap();
    let shown: Vec<_> = lanes
        .iter()
        .map(|lane| (lane.lane.0, lane.state.as_str(), lane.ran))
        .collect();
    assert_eq!(
        shown,
        [
            (3, "due", None),
            (2, "parked", None),
            (1, "settled", Some(900_000))
        ]
    );
    assert_eq!(store.check_audit().await.unwrap(), []);
    assert_eq!(store.audit(HERE, LaneId(1)).await.unwrap().len(), 2);
    let link = store.link(HERE, LaneId(1)).await.unwrap().unwrap();
    assert_eq!(link.etags["crm"], "W/\"7\"");
    assert_eq!((link.bases.len(), link.raws.len()), (1, 1));
    assert_eq!(
        store
            .cursor(HERE, "crm/opportunity")
            .await
            .unwrap()
            .as_deref(),
        Some("token-1")
    );
    let census = store.census().await.unwrap();
    assert_eq!(
        (census.events, census.intents, census.cards, census.holds),
        (3, 1, 0, 0)
    );

    // What a write was is not known of those that had ended: they are shown, and brake nothing.
    let old = AttemptRow {
        operation: "op-1".into(),
        kind: String::new(),
        side: String::new(),
        record_kind: String::new(),
        record: String::new(),
        irreversible: false,
        outcome: "done".into(),
        detail: String::new(),
        at: 900_000,
    };
    assert_eq!(store.attempts(HERE, LaneId(1)).await.unwrap(), [old]);
    assert_eq!(
        store.writes_since(HERE, "crm", 0).await.unwrap(),
        WriteCount::default()
    );
}

#[tokio::test]
async fn a_write_that_version_1_had_begun_is_ended_by_version_2() {
    let folder = tempfile::tempdir().unwrap();
    let hand = Hand::new();
    let store = SqliteStore::open(version_1(folder.path()), hand.clock()).unwrap();
    let lease = store.claim("worker", LEASE_MS, 10).await.unwrap().remove(0);
    assert_eq!((lease.lane, lease.fence), (LaneId(3), 2));
    let state = store.open(&lease).await.unwrap();
    let begun = Intent {
        operation: "op-3".into(),
        kind: "create-referral".into(),
        target: RecordKey {
            id: "o3".into(),
            ..referral("")
        },
        precondition: None,
        detail: "{}".into(),
        irreversible: false,
        permits: Vec::new(),
        since: 900_000,
    };
    assert_eq!(state.intent, Some(begun));
    assert_eq!((state.parked_on, state.writes.len()), (None, 0));
    let done = Change {
        attempt: Some(Attempt {
            operation: "op-3".into(),
            outcome: "done".into(),
            detail: String::new(),
        }),
        cards: vec![asks("reopened", "r3", "{}")],
        ..Change::default()
    };
    store.complete_write(&lease, done).await.unwrap();
    store
        .complete_run(&lease, &state.bells, Change::default(), Next::Settled)
        .await
        .unwrap();
    let written = store.writes_since(HERE, "partner-center", 0).await.unwrap();
    assert_eq!((written.writes, written.lanes), (1, 1));
    assert_eq!(store.cards(None, true, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_file_that_cannot_be_brought_up_to_date_stays_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = version_1(folder.path());
    // In the way of the last step but one: everything before it has happened in the transaction by then.
    let sql = Connection::open(&path).unwrap();
    sql.execute_batch("CREATE TABLE note (text TEXT)").unwrap();
    drop(sql);
    let hand = Hand::new();
    let refused = SqliteStore::open(&path, hand.clock()).unwrap_err();
    assert!(matches!(refused, StoreError::Broken { .. }), "{refused:?}");
    assert_eq!(version(&path), 1);
    let sql = Connection::open(&path).unwrap();
    let table = |name: &str| {
        sql.prepare(&format!("SELECT * FROM {name}"))
            .map(|all| all.column_names().join(" "))
            .ok()
    };
    assert_eq!(table("card"), None);
    assert_eq!(
        table("attempt").as_deref(),
        Some("connection lane number operation outcome detail at")
    );

    sql.execute_batch("DROP TABLE note").unwrap();
    SqliteStore::open(&path, hand.clock()).expect("nothing is in the way any more");
    assert_eq!(version(&path), 4);
}
