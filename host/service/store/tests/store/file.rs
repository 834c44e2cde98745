//! What only a file can show: it outlives the process, and it can be tampered with.

use cosell_store::{Change, Next, SqliteStore, Store, StoreError};
use rusqlite::Connection;

use crate::stage::*;

#[tokio::test]
async fn everything_is_there_after_opening_again() {
    let mut stage = Stage::in_a_file();
    let lane = stage.ring(&referral("r1")).await;
    stage.run(linking(pair("r1", "o1")), parked("f")).await;
    stage.ring(&referral("r1")).await;
    let lease = stage.claim().await;
    stage.store.intend(&lease, intent("op-1")).await.unwrap();
    let before = (
        stage.open(&lease).await,
        stage.lane(lane).await,
        stage.store.census().await.unwrap(),
    );
    stage.reopen().await;
    let after = (
        stage.open(&lease).await,
        stage.lane(lane).await,
        stage.store.census().await.unwrap(),
    );
    assert_eq!(after, before);
    stage
        .store
        .complete_write(&lease, Change::default())
        .await
        .expect("the lease outlives the process");
}

#[tokio::test]
async fn two_stores_on_one_file_share_its_lanes() {
    let stage = Stage::in_a_file();
    let second = SqliteStore::open(stage.path(), stage.hand.clock()).unwrap();
    let lane = stage.ring(&referral("r1")).await;
    assert_eq!(
        second.lane_of(HERE, &referral("r1")).await.unwrap(),
        Some(lane)
    );
    let lease = second
        .claim("second", LEASE_MS, 10)
        .await
        .unwrap()
        .remove(0);
    stage.assert_idle().await;
    stage.hand.turn(LEASE_MS);
    stage.claim().await;
    let late = second
        .complete_run(&lease, &[], Change::default(), Next::Settled)
        .await;
    assert!(matches!(late, Err(StoreError::Fenced { .. })), "{late:?}");
}

#[tokio::test]
async fn a_restarted_host_takes_up_at_once_what_it_left() {
    let mut stage = Stage::in_a_file();
    stage.ring(&referral("r1")).await;
    let left = stage.claim().await;
    stage.reopen().await;
    stage.assert_idle().await;
    assert_eq!(stage.store.resume().await.unwrap(), 1);
    let taken = stage.claim().await;
    assert_eq!((taken.lane, taken.fence), (left.lane, left.fence + 1));
    let late = stage
        .store
        .complete_run(&left, &[], Change::default(), Next::Settled)
        .await;
    assert!(matches!(late, Err(StoreError::Fenced { .. })), "{late:?}");
    assert_eq!(stage.store.resume().await.unwrap(), 1);
}

#[test]
fn a_folder_that_does_not_exist_is_said_to_be_so() {
    let folder = tempfile::tempdir().unwrap();
    let hand = Hand::new();
    let error = SqliteStore::open(
        folder.path().join("missing").join("cosell.db"),
        hand.clock(),
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the store failed while trying to open its file"
    );
    let source = std::error::Error::source(&error)
        .expect("what SQLite said")
        .to_string();
    assert!(source.contains("unable to open database file"), "{source}");
}

/// Each entry: what somebody did to the file, and where the chain of lane 1 (five entries) breaks.
#[tokio::test]
async fn i7_tampering_with_the_audit_is_found() {
    let tamperings = [
        (
            "UPDATE audit SET message = 'nothing happened' WHERE lane = 1 AND sequence = 3",
            3,
        ),
        (
            "UPDATE audit SET at = at + 1 WHERE lane = 1 AND sequence = 1",
            1,
        ),
        (
            "UPDATE audit SET detail = '[]' WHERE lane = 1 AND sequence = 5",
            5,
        ),
        (
            "UPDATE audit SET scheme = 1 WHERE lane = 1 AND sequence = 2",
            2,
        ),
        ("DELETE FROM audit WHERE lane = 1 AND sequence = 2", 2),
        ("DELETE FROM audit WHERE lane = 1 AND sequence >= 4", 4),
        ("DELETE FROM audit WHERE lane = 1", 1),
        (
            "UPDATE audit SET sequence = sequence + 10 WHERE lane = 1 AND sequence = 5",
            5,
        ),
        (
            "INSERT INTO audit SELECT connection, 1, 6, at, kind, message, detail, scheme, hash, salt, commitment, erased FROM audit WHERE lane = 2 AND sequence = 1",
            6,
        ),
        (
            "UPDATE lane SET audited = 4, audit_head = (SELECT hash FROM audit WHERE lane = 1 AND sequence = 4) WHERE lane = 1",
            5,
        ),
    ];
    for (tampering, sequence) in tamperings {
        let stage = Stage::in_a_file();
        for id in ["r1", "r2"] {
            stage.ring(&referral(id)).await;
            let said = (1..=5)
                .map(|step| line(&format!("{id}, step {step}")))
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
        }
        assert_eq!(stage.store.check_audit().await.unwrap(), []);
        assert!(
            Connection::open(stage.path())
                .unwrap()
                .execute(tampering, [])
                .unwrap()
                > 0
        );
        let breaks = stage.store.check_audit().await.unwrap();
        let found: Vec<_> = breaks
            .iter()
            .map(|found| (found.connection.as_str(), found.lane, found.sequence))
            .collect();
        assert_eq!(found, [(HERE, 1, sequence)], "{tampering}");
    }
}
