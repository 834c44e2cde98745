//! Everything moves from one store into another, and nothing else does.

use cosell_store::{StoreError, StoreUrl, copy, dump, open};

use crate::filled::{TABLES, fill};
use crate::stage::*;

fn new_file(folder: &tempfile::TempDir, name: &str) -> StoreUrl {
    StoreUrl::Sqlite(folder.path().join(name))
}

fn new_database() -> StoreUrl {
    StoreUrl::Postgres(Box::new(new_schema()))
}

fn why(error: &StoreError) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

#[tokio::test]
async fn a_filled_store_moves_there_and_back_and_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::in_a_file();
    fill(&stage).await;
    let before = dump(&stage.address()).await.unwrap();
    for table in TABLES {
        let rows = before
            .iter()
            .filter(|line| line.starts_with(&format!("{table}: ")));
        assert!(rows.count() > 0, "there is something of {table}");
    }
    let (there, back) = (new_database(), new_file(&folder, "back.db"));
    let copied = copy(&stage.address(), &there, false).await.unwrap();
    assert_eq!((copied.rows, copied.lanes), (before.len() as u64, 5));
    assert_eq!(dump(&there).await.unwrap(), before);
    copy(&there, &back, false).await.unwrap();
    assert_eq!(dump(&back).await.unwrap(), before);

    // It is not only alike, it works: the lease, its fence and its open write are still those of lane 2.
    for url in [&there, &back] {
        let opened = open(url, Some(stage.hand.clock())).await.unwrap();
        assert_eq!(opened.store.check().await.unwrap(), []);
        let census = opened.store.census().await.unwrap();
        assert_eq!(census, stage.store.census().await.unwrap());
        let next = opened
            .store
            .accept(vec![event(&referral("r5"))], None)
            .await
            .unwrap();
        assert_eq!(next[0].lane().0, 5, "numbers go on");
    }
}

#[tokio::test]
async fn more_rows_than_travel_at_once_all_arrive() {
    const EVENTS: usize = 2_345;
    let stage = Stage::on_postgres().await;
    let events = (0..EVENTS)
        .map(|number| {
            event_once(
                &referral(&format!("r{}", number % 1_100)),
                &number.to_string(),
            )
        })
        .collect();
    stage.store.accept(events, None).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = new_file(&folder, "copy.db");
    let copied = copy(&stage.address(), &file, true).await.unwrap();
    assert_eq!(copied.lanes, 1_100);
    assert_eq!(
        dump(&file).await.unwrap(),
        dump(&stage.address()).await.unwrap()
    );
}

#[tokio::test]
async fn elders_that_are_younger_than_what_retired_into_them_arrive_first() {
    let stage = Stage::in_a_file();
    for id in ["r1", "r2", "r3"] {
        stage.ring(&referral(id)).await;
    }
    // 1 into 2, then 2 into 3.
    let leases = stage.store.claim("w", LEASE_MS, 2).await.unwrap();
    for (lease, into) in leases.iter().zip([2, 3]) {
        let next = cosell_store::Next::Retired {
            into: cosell_store::LaneId(into),
        };
        stage
            .store
            .complete_run(lease, &[], cosell_store::Change::default(), next)
            .await
            .unwrap();
    }
    let there = new_database();
    copy(&stage.address(), &there, true).await.unwrap();
    assert_eq!(
        dump(&there).await.unwrap(),
        dump(&stage.address()).await.unwrap()
    );
}

#[tokio::test]
async fn a_target_that_holds_something_is_left_alone() {
    let stage = Stage::in_a_file();
    fill(&stage).await;
    let folder = tempfile::tempdir().unwrap();
    for target in [new_file(&folder, "target.db"), new_database()] {
        let opened = open(&target, None).await.unwrap();
        opened
            .store
            .set_note("contoso", "bound", Some("x".into()))
            .await
            .unwrap();
        let before = dump(&target).await.unwrap();
        let refused = copy(&stage.address(), &target, false).await.unwrap_err();
        assert_eq!(
            why(&refused),
            "the target holds something already (1 rows in note); name an empty one"
        );
        assert_eq!(dump(&target).await.unwrap(), before);
    }
}

/// A source that breaks off in the middle leaves the target empty.
#[tokio::test]
async fn a_copy_that_fails_leaves_nothing_behind() {
    let stage = Stage::in_a_file();
    fill(&stage).await;
    // No store could have written that; it comes late.
    stage
        .by_hand("DROP TABLE hold; CREATE TABLE hold (connection TEXT, hold REAL); INSERT INTO hold VALUES ('contoso', 0.5)")
        .await;
    let folder = tempfile::tempdir().unwrap();
    for target in [new_file(&folder, "target.db"), new_database()] {
        let failed = copy(&stage.address(), &target, false).await.unwrap_err();
        assert_eq!(
            why(&failed),
            "a value is neither a number nor a text nor bytes: column hold of hold"
        );
        assert_eq!(dump(&target).await.unwrap(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_source_that_is_worked_on_does_not_move() {
    for stage in [Stage::in_a_file(), Stage::on_postgres().await] {
        // Leases are judged by the clock of the day here, and the stage's is long past.
        stage
            .hand
            .turn(cosell_store::system_clock()() - stage.hand.now());
        stage.ring(&referral("r1")).await;
        stage.claim().await;
        let target = new_database();
        let refused = copy(&stage.address(), &target, true).await.unwrap_err();
        assert!(
            why(&refused).starts_with("1 deals are being worked on; stop the hosts"),
            "{refused:?}"
        );
        copy(&stage.address(), &target, false)
            .await
            .expect("a backup may be taken while hosts run");
    }
}

#[tokio::test]
async fn a_source_that_is_not_there_is_said_to_be_so_and_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let (missing, target) = (new_file(&folder, "missing.db"), new_file(&folder, "t.db"));
    let refused = copy(&missing, &target, false).await.unwrap_err();
    assert!(
        why(&refused).starts_with("there is no store at "),
        "{refused:?}"
    );
    assert!(!folder.path().join("missing.db").exists());
}

/// A table that is added to the schema and forgotten here would not move.
#[tokio::test]
async fn all_tables_are_copied() {
    let stage = Stage::on_postgres().await;
    let rows = crate::postgres::client(stage.url())
        .await
        .query(
            "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema() AND tablename <> 'store_version' ORDER BY 1",
            &[],
        )
        .await
        .unwrap();
    let mut known = TABLES.map(str::to_owned);
    known.sort();
    let there: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(there, known);
}
