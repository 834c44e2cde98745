//! A process is killed in the middle of its work. What it had acknowledged is there.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use cosell_store::{Accepted, Change, CursorAdvance, Next, SqliteStore, Store, system_clock};

use crate::stage::*;

/// Set for the process that will be killed: the store's file, and the number from which it counts on.
const FILE: &str = "COSELL_STORE_CRASH_FILE";
const ROUND: &str = "COSELL_STORE_CRASH_ROUND";
const THIS: &str = "crash::i1_acknowledged_events_and_ended_runs_survive_sigkill";

/// Callers at once in the process that is killed, so that commits hold groups.
const CALLERS: usize = 8;
/// Acknowledgements that are waited for before the kill, per round; each round ends in another place of the work.
const ROUNDS: [usize; 4] = [1, 50, 333, 700];

#[test]
fn i1_acknowledged_events_and_ended_runs_survive_sigkill() {
    if let Ok(file) = std::env::var(FILE) {
        work_until_killed(
            Path::new(&file),
            &std::env::var(ROUND).expect("which round"),
        );
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("cosell.db");
    let mut acknowledged = Vec::new();
    for (round, enough) in ROUNDS.into_iter().enumerate() {
        acknowledged.extend(kill_after(&file, round, enough));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime");
        runtime.block_on(check(&file, &acknowledged));
    }
    assert!(acknowledged.len() >= ROUNDS.iter().sum());
}

/// Starts the work in a process of its own, kills it after so many acknowledgements, and returns all that it has acknowledged.
fn kill_after(file: &Path, round: usize, enough: usize) -> Vec<String> {
    let mut worker = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", THIS, "--nocapture"])
        .env(FILE, file)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a second process");
    let mut lines = BufReader::new(worker.stdout.take().expect("its output")).lines();
    let mut said = Vec::new();
    while said.len() < enough {
        let line = lines
            .next()
            .expect("it works until it is killed")
            .expect("text");
        // What the test harness says is not ours.
        said.extend(line.strip_prefix("acknowledged ").map(str::to_owned));
    }
    worker.kill().expect("killed");
    worker.wait().expect("gone");
    // What it managed to say before it died counts as well. Its last line may be cut.
    let rest = lines.map_while(Result::ok).collect::<Vec<_>>();
    said.extend(
        rest.iter()
            .filter_map(|line| line.strip_prefix("acknowledged "))
            .filter(|id| id.ends_with('.'))
            .map(str::to_owned),
    );
    said
}

fn work_until_killed(file: &Path, round: &str) -> ! {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let store = Arc::new(
        SqliteStore::open(file, system_clock()).expect("the store opens after every crash"),
    );
    runtime.block_on(async {
        for caller in 0..CALLERS {
            let (store, round) = (store.clone(), round.to_owned());
            tokio::spawn(async move {
                for number in 0.. {
                    // 20 records, so that rings meet runs; every event its own key.
                    let id = format!("{round}-{caller}-{number}.");
                    let stream = format!("{round}-{caller}");
                    let cursor = CursorAdvance {
                        connection: HERE.into(),
                        stream,
                        value: id.clone(),
                    };
                    let event = event_once(&referral(&format!("r{}", number % 20)), &id);
                    store
                        .accept(vec![event], Some(cursor))
                        .await
                        .expect("accepted");
                    say(&id);
                }
            });
        }
        loop {
            // Runs as well: bells answered and audit lines written while the events come in.
            for lease in store.claim("worker", LEASE_MS, 4).await.expect("claimed") {
                let bells = store.open(&lease).await.expect("opened").bells;
                let change = Change {
                    audit: vec![line("ran")],
                    ..Change::default()
                };
                store
                    .complete_run(&lease, &bells, change, Next::Settled)
                    .await
                    .expect("ended");
            }
        }
    })
}

/// One write per line, so that a kill cuts at most the last one.
fn say(id: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("acknowledged {id}\n").as_bytes())
        .expect("the other process listens");
    out.flush().expect("the other process listens");
}

async fn check(file: &Path, acknowledged: &[String]) {
    let store = SqliteStore::open(file, system_clock()).expect("the store opens after a crash");
    let before = store.census().await.expect("counted");
    assert!(before.events >= acknowledged.len() as i64);
    for id in acknowledged {
        let again = store
            .accept(vec![event_once(&referral("stranger"), id)], None)
            .await
            .expect("asked");
        assert_eq!(
            again,
            [Accepted::Duplicate],
            "event {id} was acknowledged and is lost"
        );
    }
    assert_eq!(
        store.census().await.expect("counted"),
        before,
        "asking changed nothing"
    );

    // I10: whatever a cursor says was read is there.
    for stream in streams(acknowledged) {
        let read_up_to = store
            .cursor(HERE, &stream)
            .await
            .expect("read")
            .expect("a cursor for what was acknowledged");
        let again = store
            .accept(vec![event_once(&referral("stranger"), &read_up_to)], None)
            .await
            .expect("asked");
        assert_eq!(
            again,
            [Accepted::Duplicate],
            "the cursor of {stream} passed an event that is not there"
        );
    }

    // I1, I9: every event rang its bell, and every unanswered bell hangs in a lane that will run.
    let lanes = store.lanes(HERE, 1_000).await.expect("lanes");
    assert!(
        lanes
            .iter()
            .all(|lane| lane.unanswered == 0 || ["due", "running"].contains(&lane.state.as_str())),
        "{lanes:?}"
    );
    assert_eq!(store.check_audit().await.expect("checked"), []);
    store.close();
    let sql = rusqlite::Connection::open(file).expect("the file");
    let count = |query: &str| {
        sql.query_row(query, [], |row| row.get::<_, i64>(0))
            .expect("counted")
    };
    assert_eq!(
        count("SELECT sum(rung) FROM bell"),
        count("SELECT count(*) FROM event")
    );
    let sound: String = sql
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .expect("checked");
    assert_eq!(sound, "ok");
}

fn streams(acknowledged: &[String]) -> std::collections::BTreeSet<String> {
    acknowledged
        .iter()
        .filter_map(|id| id.rsplit_once('-'))
        .map(|(stream, _)| stream.to_owned())
        .collect()
}
