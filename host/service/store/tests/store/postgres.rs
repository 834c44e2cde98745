//! What only a shared database can show: many hosts at once, a clock of its own, a server that is gone.

use std::sync::Arc;

use cosell_store::{
    ATTENDED, AcceptedEvent, Change, Intent, LaneId, Next, PostgresStore, PostgresUrl, Store,
    StoreError, StoreUrl, system_clock,
};
use tokio::task::JoinSet;
use tokio_postgres::NoTls;

use crate::stage::*;

/// A client of one's own in the stage's schema.
pub(crate) async fn client(url: &PostgresUrl) -> tokio_postgres::Client {
    let text = url.to_string();
    let (_, schema) = text.rsplit_once("schema=").expect("its schema");
    let server = cosell_local_postgres::LocalPostgres::shared().expect("a server");
    let address = server.url(&format!("options=-csearch_path%3D{schema}"));
    let (client, connection) = tokio_postgres::connect(&address, NoTls)
        .await
        .expect("connected");
    tokio::spawn(connection);
    client
}

pub(crate) async fn second_host(stage: &Stage) -> PostgresStore {
    PostgresStore::open(stage.url(), Some(stage.hand.clock()))
        .await
        .expect("a second host")
}

#[tokio::test]
async fn everything_is_there_after_opening_again() {
    let mut stage = Stage::on_postgres().await;
    let lane = stage.ring(&referral("r1")).await;
    stage.run(linking(pair("r1", "o1")), parked("f")).await;
    stage.ring(&referral("r1")).await;
    let lease = stage.claim().await;
    stage.store.intend(&lease, intent("op-1")).await.unwrap();
    let before = (stage.open(&lease).await, stage.lane(lane).await);
    stage.reopen().await;
    assert_eq!((stage.open(&lease).await, stage.lane(lane).await), before);
    stage
        .store
        .complete_write(&lease, Change::default())
        .await
        .expect("the lease outlives the process");
}

#[tokio::test]
async fn a_restarted_host_leaves_the_leases_of_others_alone() {
    let stage = Stage::on_postgres().await;
    stage.ring(&referral("r1")).await;
    let lease = stage.claim().await;
    let second = second_host(&stage).await;
    assert_eq!(second.resume().await.unwrap(), 0);
    assert_eq!(second.claim("second", LEASE_MS, 10).await.unwrap(), []);
    stage.hand.turn(LEASE_MS);
    let taken = second.claim("second", LEASE_MS, 10).await.unwrap();
    assert_eq!(
        (taken[0].lane, taken[0].fence),
        (lease.lane, lease.fence + 1)
    );
    let late = stage
        .store
        .complete_run(&lease, &[], Change::default(), Next::Settled)
        .await;
    assert!(matches!(late, Err(StoreError::Fenced { .. })), "{late:?}");
}

/// Its session says that a host is there; a host that is gone is waited for by nobody.
#[tokio::test]
async fn the_lanes_of_a_host_that_is_gone_are_due_at_once() {
    let stage = Stage::on_postgres().await;
    let name = |host: &str| format!("{ATTENDED}{host} {}", stage.url());
    let (here, gone) = (name("here"), name("gone"));
    let first = second_host(&stage).await;
    assert_eq!(first.attend(&gone).await.unwrap().freed, 0);
    stage.ring(&referral("r1")).await;
    let lease = first.claim(&gone, LEASE_MS, 1).await.unwrap().remove(0);
    stage.ring(&referral("r2")).await;
    // Nobody knows whether such an owner is there.
    stage.store.claim("of before", LEASE_MS, 1).await.unwrap();
    assert_eq!(stage.store.attend(&here).await.unwrap().freed, 0);
    let attended = first.attend(&gone).await.unwrap();
    assert_eq!((attended.freed, attended.hosts), (0, 2), "both are there");
    assert!(attended.speaks, "it came first");
    assert!(!stage.store.attend(&here).await.unwrap().speaks);
    drop(first);
    let client = client(stage.url()).await;
    let begun = std::time::Instant::now();
    let mut freed = 0;
    while freed == 0 && begun.elapsed() < std::time::Duration::from_secs(20) {
        freed = stage.store.attend(&here).await.unwrap().freed;
        client.simple_query("SELECT pg_sleep(0.01)").await.unwrap();
    }
    assert_eq!(freed, 1);
    let alone = stage.store.attend(&here).await.unwrap();
    assert_eq!((alone.hosts, alone.speaks), (1, true), "it speaks now");
    let taken = stage.store.claim(&here, LEASE_MS, 10).await.unwrap();
    assert_eq!((taken.len(), taken[0].lane), (1, lease.lane));
}

/// Leases hang on the database's clock: a host whose own clock is wrong gets the same lease as any other.
#[tokio::test]
async fn the_databases_clock_judges_and_hosts_follow_it() {
    let url = new_schema();
    let store = PostgresStore::open(&url, None).await.unwrap();
    store
        .accept(vec![event(&referral("r1"))], None)
        .await
        .unwrap();
    let lease = store.claim("w", LEASE_MS, 1).await.unwrap().remove(0);
    let row = client(&url)
        .await
        .query_one(
            "SELECT lease_until - (extract(epoch FROM clock_timestamp()) * 1000)::bigint FROM lane",
            &[],
        )
        .await
        .unwrap();
    let left: i64 = row.get(0);
    assert!((0..=LEASE_MS).contains(&left), "{left}");
    // Here both clocks are the same machine's, so whatever is between them is the way to the database and back.
    let ahead = (store.clock())() - system_clock()();
    assert!((-1_000..=1_000).contains(&ahead), "{ahead}");
    let renewed = store.renew(&lease, 2 * LEASE_MS).await.unwrap();
    assert!(renewed.until >= lease.until + LEASE_MS);
}

#[tokio::test]
async fn a_database_may_be_connected_to_when_something_is_asked_first() {
    let url = new_schema();
    let store = PostgresStore::attach(&url, None).unwrap();
    let (census, lane) = tokio::join!(
        store.census(),
        store.accept(vec![event(&referral("r1"))], None)
    );
    assert!(census.is_ok());
    assert_eq!(lane.unwrap()[0].lane().0, 1);
    let nowhere = PostgresStore::attach(&address("postgres://u@127.0.0.1:1/d"), None).unwrap();
    let failed = nowhere.census().await.expect_err("nobody listens there");
    let source = std::error::Error::source(&failed).unwrap().to_string();
    assert!(source.contains("127.0.0.1:1/d"), "{source}");
}

#[tokio::test]
async fn of_hosts_that_start_together_one_makes_the_tables() {
    let url = new_schema();
    let mut hosts = JoinSet::new();
    for _ in 0..5 {
        let url = url.clone();
        hosts.spawn(async move { PostgresStore::open(&url, None).await.map(drop) });
    }
    for opened in hosts.join_all().await {
        opened.expect("each of them opens");
    }
    let row = client(&url)
        .await
        .query_one("SELECT version FROM store_version", &[])
        .await
        .unwrap();
    assert_eq!(row.get::<_, i64>(0), 4);
}

/// What a host says that cannot use its database: the sentence, and what stands behind it.
async fn refused(url: &PostgresUrl) -> String {
    let error = PostgresStore::open(url, None).await.expect_err("refused");
    let source = std::error::Error::source(&error).map(ToString::to_string);
    format!("{error}: {}", source.unwrap_or_default())
}

fn address(text: &str) -> PostgresUrl {
    match text.parse() {
        Ok(StoreUrl::Postgres(url)) => *url,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_schema_of_a_newer_cosell_or_of_another_program_is_refused_and_left_alone() {
    let url = new_schema();
    drop(PostgresStore::open(&url, None).await.unwrap());
    let sql = client(&url).await;
    sql.batch_execute("UPDATE store_version SET version = 7, works_since = 6")
        .await
        .unwrap();
    let said = refused(&url).await;
    assert!(
        said.contains("made by a newer cosell: the schema has version 7"),
        "{said}"
    );
    sql.batch_execute("DROP TABLE store_version").await.unwrap();
    let said = refused(&url).await;
    assert!(said.contains("tables of another program"), "{said}");
    let rows = sql.query("SELECT 1 FROM lane", &[]).await.unwrap();
    assert!(rows.is_empty(), "it is there still");
}

#[tokio::test]
async fn a_disk_of_the_database_that_is_full_is_no_room_and_goes_on_when_there_is_some() {
    let stage = Stage::on_postgres().await;
    let sql = client(stage.url()).await;
    sql.batch_execute(
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$;
         CREATE TRIGGER full_disk BEFORE INSERT ON event EXECUTE FUNCTION full_disk()",
    )
    .await
    .unwrap();
    let events = || vec![event_once(&referral("r1"), "once")];
    for _ in 0..2 {
        let refused = stage.store.accept(events(), None).await;
        assert!(
            matches!(refused, Err(StoreError::NoRoom { .. })),
            "{refused:?}"
        );
    }
    sql.batch_execute("DROP TRIGGER full_disk ON event")
        .await
        .unwrap();
    assert_eq!(stage.store.accept(events(), None).await.unwrap().len(), 1);
}

/// One release of version skew: a newer host has brought the tables up to date while hosts of this release run, and one of those starts again.
#[tokio::test]
async fn a_host_of_this_release_works_beside_a_newer_one_that_has_only_added() {
    let stage = Stage::on_postgres().await;
    let running = second_host(&stage).await;
    let sql = client(stage.url()).await;
    sql.batch_execute(
        "CREATE TABLE mood (lane BIGINT PRIMARY KEY); ALTER TABLE lane ADD COLUMN mood TEXT;
         ALTER TABLE event ADD COLUMN mood TEXT NOT NULL DEFAULT 'calm';
         UPDATE store_version SET version = version + 1",
    )
    .await
    .unwrap();
    let restarted = second_host(&stage).await;
    for (store, id) in [(&running, "r1"), (&restarted, "r2")] {
        store
            .accept(vec![event(&referral(id))], None)
            .await
            .unwrap();
        let leases = store.claim("host", LEASE_MS, 1).await.unwrap();
        let [lease] = &leases[..] else {
            panic!("{leases:?}")
        };
        store.intend(lease, intent(id)).await.unwrap();
        store
            .complete_write(lease, Change::default())
            .await
            .unwrap();
        let done = store.complete_run(lease, &[], Change::default(), Next::Settled);
        done.await.unwrap();
    }
    let kept = sql.query_one("SELECT version FROM store_version", &[]);
    let found: i64 = kept.await.unwrap().get(0);
    sql.batch_execute("UPDATE store_version SET works_since = version")
        .await
        .unwrap();
    let said = refused(stage.url()).await;
    assert!(said.contains(&format!("has version {found}")), "{said}");
}

/// Tables as a cosell of version 1 left them: SQLite's, said in the other dialect.
async fn version_1() -> PostgresUrl {
    let url = new_schema();
    let sql = client(&url).await;
    let (_, schema) = url
        .to_string()
        .rsplit_once("schema=")
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    sql.batch_execute(&format!("CREATE SCHEMA \"{schema}\""))
        .await
        .unwrap();
    let tables = include_str!("../../src/sqlite/schema-1.sql")
        .replace(" INTEGER", " BIGINT")
        .replace(" TEXT", " TEXT COLLATE \"C\"")
        .replace(") STRICT, WITHOUT ROWID;", ");")
        .replace(") STRICT;", ");");
    sql.batch_execute(&tables).await.unwrap();
    let rows: Vec<&str> = include_str!("version-1.sql")
        .lines()
        .filter(|line| !line.starts_with("PRAGMA"))
        .collect();
    sql.batch_execute(&rows.join("\n")).await.unwrap();
    // Version 1 did not say since when its tables may be worked with.
    sql.batch_execute(
        "CREATE TABLE store_version (version BIGINT NOT NULL); INSERT INTO store_version VALUES (1)",
    )
    .await
    .unwrap();
    url
}

async fn version(url: &PostgresUrl) -> i64 {
    let sql = client(url).await;
    let row = sql.query_one("SELECT version FROM store_version", &[]);
    row.await.unwrap().get(0)
}

#[tokio::test]
async fn a_schema_of_version_1_opens_with_all_that_it_held() {
    let url = version_1().await;
    let store = PostgresStore::open(&url, Some(Hand::new().clock()))
        .await
        .unwrap();
    assert_eq!(version(&url).await, 4);
    let lanes = store.lanes(HERE, 10).await.unwrap();
    let shown: Vec<_> = lanes
        .iter()
        .map(|lane| (lane.lane.0, lane.state.as_str(), lane.ran))
        .collect();
    let all = [
        (3, "due", None),
        (2, "parked", None),
        (1, "settled", Some(900_000)),
    ];
    assert_eq!(shown, all);
    let link = store.link(HERE, LaneId(1)).await.unwrap().unwrap();
    assert_eq!(link.etags["crm"], "W/\"7\"");
    assert_eq!((link.bases.len(), link.raws.len()), (1, 1));
    let attempts = store.attempts(HERE, LaneId(1)).await.unwrap();
    assert_eq!((attempts.len(), attempts[0].at), (1, 900_000));
    assert_eq!(
        (attempts[0].kind.as_str(), attempts[0].irreversible),
        ("", false)
    );
    assert_eq!(store.audit(HERE, LaneId(1)).await.unwrap().len(), 2);
    let cursor = store.cursor(HERE, "crm/opportunity").await.unwrap();
    assert_eq!(cursor.as_deref(), Some("token-1"));
    let left = store.peek(HERE, LaneId(3)).await.unwrap().unwrap();
    assert_eq!(left.intent.unwrap().operation, "op-3");
    assert_eq!(store.check().await.unwrap(), []);
}

#[tokio::test]
async fn whoever_only_looks_leaves_an_older_schema_as_it_is() {
    let url = version_1().await;
    let looks = || cosell_store::look(&StoreUrl::Postgres(Box::new(url.clone())), None);
    let refused = looks().unwrap().store.census().await.unwrap_err();
    let said = std::error::Error::source(&refused).unwrap().to_string();
    assert!(
        said.contains("version 1") && said.contains("cosell store migrate"),
        "{said}"
    );
    assert_eq!(version(&url).await, 1);
    drop(PostgresStore::open(&url, None).await.unwrap());
    looks().unwrap().store.census().await.expect("up to date");
}

#[tokio::test]
async fn a_schema_that_cannot_be_brought_up_to_date_stays_as_it_was() {
    let url = new_schema();
    drop(PostgresStore::open(&url, None).await.unwrap());
    let sql = client(&url).await;
    // As version 1 left it, but for a table in the way of the last step.
    sql.batch_execute(
        "DROP TABLE recording; ALTER TABLE audit DROP COLUMN salt, DROP COLUMN commitment, DROP COLUMN erased;
         DROP TABLE judgement; DROP TABLE plugin_event; DROP TABLE proposal; DROP TABLE quarantine; DROP TABLE set_member;
         DROP TABLE active_set; DROP TABLE component; DROP TABLE card; DROP TABLE hold; DROP INDEX attempt_written; ALTER TABLE lane DROP COLUMN parked_on, DROP COLUMN ran_at;
         ALTER TABLE intent DROP COLUMN irreversible; ALTER TABLE attempt DROP COLUMN kind, DROP COLUMN side,
             DROP COLUMN record_kind, DROP COLUMN record, DROP COLUMN irreversible;
         UPDATE store_version SET version = 1",
    )
    .await
    .unwrap();
    let said = refused(&url).await;
    assert!(said.contains("already exists"), "{said}");
    let there = async |table: &str| {
        sql.query_one("SELECT to_regclass($1) IS NOT NULL", &[&table])
            .await
            .unwrap()
            .get::<_, bool>(0)
    };
    assert!(!there("card").await, "the steps before were taken back");
    sql.batch_execute("DROP TABLE note").await.unwrap();
    drop(
        PostgresStore::open(&url, None)
            .await
            .expect("nothing is in the way any more"),
    );
    assert!(there("card").await);
}

#[tokio::test]
async fn a_database_that_cannot_be_used_says_where_and_why_and_no_password() {
    // A port that nobody listens on: it was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .unwrap()
        .port();
    let said = refused(&address(&format!(
        "postgres://ada:tell-nobody@127.0.0.1:{port}/sales"
    )))
    .await;
    for part in [
        "trying to open its database",
        &format!("postgres://ada@127.0.0.1:{port}/sales"),
        "refused",
        "Is the server running",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains("tell-nobody"), "{said}");

    let server = cosell_local_postgres::LocalPostgres::shared().unwrap();
    let elsewhere = server.url("").replace("/postgres?", "/nowhere?");
    let said = refused(&address(&elsewhere)).await;
    assert!(said.contains("\"nowhere\" does not exist"), "{said}");
    let said = refused(&address(&server.url("passfile=/does/not/exist"))).await;
    assert!(said.contains("/does/not/exist"), "{said}");

    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let passfile = folder.path().join("password");
    std::fs::write(&passfile, "tell-nobody\n").unwrap();
    let with_mode = |mode| {
        std::fs::set_permissions(&passfile, std::fs::Permissions::from_mode(mode)).unwrap();
        let more = format!("schema=passfile&passfile={}", passfile.display());
        address(&server.url(&more))
    };
    let said = refused(&with_mode(0o640)).await;
    assert!(said.contains("(mode 0640); type: chmod 600"), "{said}");
    let opened = PostgresStore::open(&with_mode(0o600), None).await;
    drop(opened.expect("a file of one's own"));
}

/// I7: what somebody did to the table, and where the chain of lane 1 (three entries) breaks.
#[tokio::test]
async fn i7_tampering_with_the_audit_is_found() {
    for (tampering, sequence) in [
        (
            "UPDATE audit SET message = 'nothing' WHERE lane = 1 AND sequence = 2",
            2,
        ),
        ("DELETE FROM audit WHERE lane = 1 AND sequence = 3", 3),
        ("DELETE FROM audit WHERE lane = 1", 1),
        (
            "UPDATE audit SET scheme = 1 WHERE lane = 1 AND sequence = 1",
            1,
        ),
    ] {
        let stage = Stage::on_postgres().await;
        for id in ["r1", "r2"] {
            stage.ring(&referral(id)).await;
            let audit = (1..=3).map(|step| line(&format!("{id}, {step}"))).collect();
            let change = Change {
                audit,
                ..Change::default()
            };
            stage.run(change, Next::Settled).await;
        }
        assert_eq!(stage.store.check_audit().await.unwrap(), []);
        let sql = client(stage.url()).await;
        assert!(sql.execute(tampering, &[]).await.unwrap() > 0);
        let breaks = stage.store.check_audit().await.unwrap();
        let found: Vec<_> = breaks
            .iter()
            .map(|found| (found.lane, found.sequence))
            .collect();
        assert_eq!(found, [(1, sequence)], "{tampering}");
    }
}

/// One call that PostgreSQL cannot store must not take its neighbours with it.
#[tokio::test]
async fn a_call_that_cannot_be_stored_does_not_spoil_its_group() {
    let stage = Stage::on_postgres().await;
    let ring = |cause: &str, id: &str| {
        let event = AcceptedEvent {
            cause: cause.into(),
            ..event(&referral(id))
        };
        stage.store.accept(vec![event], None)
    };
    // Asked in one breath, so that the last three meet in one group.
    let (first, good, bad, last) = tokio::join!(
        ring("x", "r0"),
        ring("x", "r1"),
        ring("a\0b", "r2"),
        ring("x", "r3")
    );
    assert!(first.is_ok() && good.is_ok() && last.is_ok());
    let said = bad.expect_err("PostgreSQL stores no such text");
    assert!(matches!(said, StoreError::Broken { .. }), "{said:?}");
    assert_eq!(stage.store.census().await.unwrap().events, 3);
}

/// A vendor's answer with the one letter that PostgreSQL cannot store must not keep a deal from ending its run.
#[tokio::test]
async fn a_sentence_with_an_odd_letter_is_kept_without_it() {
    let stage = Stage::on_postgres().await;
    let lane = stage.ring(&referral("r1")).await;
    let change = Change {
        audit: vec![line("Fabri\0kam")],
        ..Change::default()
    };
    let next = Next::Held {
        reason: "it says \0".into(),
    };
    stage.run(change, next).await;
    assert_eq!(
        stage.lane(lane).await.reason.as_deref(),
        Some("it says \u{fffd}")
    );
    let audit = stage.store.audit(HERE, lane).await.unwrap();
    assert_eq!(audit[0].line.message, "Fabri\u{fffd}kam");
    assert_eq!(stage.store.check_audit().await.unwrap(), []);
}

/// A host that is killed in the middle of a transaction has changed nothing, and its lane is not held longer than its lease.
#[tokio::test]
async fn a_transaction_that_was_never_ended_is_taken_back() {
    let stage = Stage::on_postgres().await;
    stage.ring(&referral("r1")).await;
    let lease = stage.claim().await;
    let gone = client(stage.url()).await;
    gone.batch_execute("BEGIN; UPDATE lane SET state = 'parked', reason = 'half done'; SELECT 1 FROM lane FOR UPDATE")
        .await
        .unwrap();
    let ended = tokio::spawn({
        let (store, lease) = (Arc::clone(&stage.store), lease.clone());
        async move {
            store
                .complete_run(
                    &lease,
                    &[noted(&referral("r1"), 1)],
                    Change::default(),
                    Next::Settled,
                )
                .await
        }
    });
    drop(gone);
    ended.await.unwrap().expect("the lane is free again");
    assert_eq!(stage.lane(lease.lane).await.state, "settled");
}

#[tokio::test]
async fn connections_that_were_cut_are_made_anew() {
    // A name of their own, so that no other fact's connections are cut.
    let stage = Stage::at(new_schema_with("&application_name=cut-off")).await;
    stage.ring(&referral("r1")).await;
    client(stage.url())
        .await
        .execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'cut-off'",
            &[],
        )
        .await
        .unwrap();
    let lease = stage.claim().await;
    let intent = Intent {
        irreversible: true,
        ..intent("op-1")
    };
    stage.store.intend(&lease, intent).await.expect("stored");
    assert_eq!(stage.store.census().await.unwrap().intents, 1);
}
