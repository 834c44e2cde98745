//! Each invariant is broken by hand, and named.

use cosell_store::{Change, HISTORY_KEPT_MS, Next};

use crate::filled::{TABLES, fill};
use crate::stage::*;

/// What somebody did to the tables, and what is said of it: the rule, whom, and words of the sentence.
const BROKEN: &[(&str, &str, &str, &str)] = &[
    (
        "UPDATE bell SET rung = rung + 1, answered = answered + 1 WHERE record = 'r2'",
        "I1",
        "partner-center referral r2",
        "more or less often",
    ),
    (
        "DELETE FROM event WHERE record = 'r2'",
        "I1",
        "partner-center referral r2",
        "more or less often",
    ),
    (
        "DELETE FROM bell WHERE record = 'r4'",
        "I1",
        "partner-center referral r4",
        "has no bell",
    ),
    (
        "INSERT INTO event SELECT connection, side, kind, record, ring + 1, cause, dedupe, at FROM event WHERE record = 'r4'",
        "I1",
        "event once",
        "stored twice",
    ),
    (
        "UPDATE lane SET lease_owner = NULL WHERE lane = 2",
        "I2",
        "lane 2",
        "leased to nobody",
    ),
    (
        "UPDATE lane SET due_at = due_at + 1 WHERE lane = 2",
        "I2",
        "lane 2",
        "another moment",
    ),
    (
        "INSERT INTO link SELECT connection, 4, referral, microsoft_referral, engagement, crm_table, 'o9', generation, etags, mark,
             set_hash, notes FROM link WHERE lane = 1",
        "I4",
        "referral r1",
        "more than one lane",
    ),
    (
        "INSERT INTO link SELECT connection, 4, 'r9', microsoft_referral, engagement, crm_table, crm_row, generation, etags, mark,
             set_hash, notes FROM link WHERE lane = 1",
        "I4",
        "row o1",
        "more than one lane",
    ),
    (
        "INSERT INTO intent SELECT * FROM intent WHERE lane = 2",
        "I5",
        "lane 2",
        "more than one open intent",
    ),
    (
        "UPDATE lane SET due_at = NULL, lease_until = NULL WHERE lane = 2",
        "I5",
        "lane 2",
        "never runs to find out",
    ),
    (
        "DELETE FROM attempt WHERE lane = 1 AND number = 1",
        "I5",
        "lane 1",
        "missing in its history",
    ),
    (
        "UPDATE bell SET answered = rung + 1 WHERE record = 'r1'",
        "I7",
        "partner-center referral r1",
        "answered than rang",
    ),
    (
        "UPDATE audit SET message = 'nothing happened' WHERE lane = 1 AND sequence = 2",
        "I7",
        "lane 1, entry 2",
        "does not verify",
    ),
    (
        "UPDATE lane SET due_at = NULL WHERE lane = 4",
        "I9",
        "lane 4",
        "never runs",
    ),
    (
        "DELETE FROM member WHERE record = 'r4'",
        "I9",
        "partner-center referral r4",
        "belongs to no lane",
    ),
    (
        "DELETE FROM raw",
        "S6",
        "lane 1, close-date",
        "not there",
    ),
    ("DELETE FROM link", "S6", "lane 1", "no link"),
    (
        "INSERT INTO card SELECT connection, card + 10, lane, kind, subject, body, opened, choice, answered_by, answered_at, closed_why,
             closed_at FROM card",
        "S10",
        "lane 1, conflict close-date",
        "open twice",
    ),
    (
        "INSERT INTO member SELECT connection, side, kind, record, 4 FROM member WHERE record = 'r1'",
        "S13",
        "partner-center referral r1",
        "more than one lane",
    ),
    (
        "UPDATE member SET lane = 3 WHERE record = 'r4'",
        "S13",
        "partner-center referral r4",
        "has retired",
    ),
    (
        "UPDATE member SET lane = 77 WHERE record = 'r4'",
        "S13",
        "partner-center referral r4",
        "not there",
    ),
    (
        "UPDATE card SET lane = 3",
        "S13",
        "lane 3",
        "it has retired, and has",
    ),
    (
        "UPDATE lane SET retired_into = 3 WHERE lane = 3",
        "S13",
        "lane 3",
        "no living lane",
    ),
    (
        "UPDATE link SET lane = 77",
        "S13",
        "lane 77",
        "not there",
    ),
    (
        "UPDATE counter SET value = 3 WHERE name = 'lane' AND connection = 'contoso'",
        "S13",
        "lane 4",
        "given out again",
    ),
    (
        "INSERT INTO hold SELECT connection, hold + 10, lane, kind, subject, body, fingerprint, opened, until, released, settled_by,
             settled_at, closed_why, closed_at FROM hold",
        "S24",
        "lane 1, won state",
        "held twice",
    ),
];

/// The same about the set of plugins, which is no connection's.
const BROKEN_SETS: &[(&str, &str, &str)] = &[
    (
        "UPDATE active_set SET generation = 4 WHERE generation = 2",
        "generation 2",
        "is missing between",
    ),
    (
        "DELETE FROM active_set WHERE generation = 1",
        "generation 1",
        "a generation that is not there",
    ),
    (
        "DELETE FROM component WHERE hash = (SELECT source FROM set_member WHERE source IS NOT NULL)",
        "50-acme.js of generation 2",
        "bytes are not there",
    ),
    (
        "UPDATE quarantine SET sha256 = (SELECT sha256 FROM set_member WHERE file = '50-acme.js')",
        "50-acme.js",
        "quarantined and in the set",
    ),
    (
        "UPDATE component SET bytes = (SELECT other.bytes FROM component AS other ORDER BY other.hash LIMIT 1) WHERE hash = (SELECT source FROM set_member WHERE source IS NOT NULL)",
        "component 982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1",
        "another hash",
    ),
];

/// The tables without the keys and conditions that forbid all this.
async fn disarm(stage: &Stage, cascade: &str) {
    for table in TABLES {
        stage
            .by_hand(&format!(
                "CREATE TABLE bare AS SELECT * FROM {table}; DROP TABLE {table} {cascade}; ALTER TABLE bare RENAME TO {table}"
            ))
            .await;
    }
}

async fn every_invariant_is_named(stage: Stage, cascade: &str) {
    fill(&stage).await;
    disarm(&stage, cascade).await;
    for table in TABLES {
        stage
            .by_hand(&format!(
                "CREATE TABLE sound_{table} AS SELECT * FROM {table}"
            ))
            .await;
    }
    let sets = BROKEN_SETS
        .iter()
        .map(|(statement, subject, words)| (*statement, "S29", "plugins", *subject, *words));
    let broken = BROKEN
        .iter()
        .map(|(statement, rule, subject, words)| (*statement, *rule, HERE, *subject, *words))
        .chain(sets);
    for (statement, rule, connection, subject, words) in broken {
        assert_eq!(stage.store.check().await.unwrap(), [], "before {statement}");
        stage.by_hand(statement).await;
        let found = stage.store.check().await.unwrap();
        assert!(
            found.iter().any(|finding| finding.rule == rule
                && finding.subject == subject
                && finding.says.contains(words)
                && finding.connection == connection),
            "{statement}: {found:?}"
        );
        for table in TABLES {
            stage
                .by_hand(&format!(
                    "DELETE FROM {table}; INSERT INTO {table} SELECT * FROM sound_{table}"
                ))
                .await;
        }
    }
}

#[tokio::test]
async fn every_invariant_is_named_when_a_file_breaks_it() {
    every_invariant_is_named(Stage::in_a_file(), "").await;
}

#[tokio::test]
async fn every_invariant_is_named_when_a_database_breaks_it() {
    every_invariant_is_named(Stage::on_postgres().await, "CASCADE").await;
}

#[tokio::test]
async fn a_finding_is_a_sentence_for_people() {
    let stage = Stage::in_a_file();
    fill(&stage).await;
    stage
        .by_hand("UPDATE lane SET due_at = NULL WHERE lane = 4")
        .await;
    let found = stage.store.check().await.unwrap();
    let said: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        ["I9: contoso, lane 4: a bell waits for an answer, and the lane never runs"]
    );
}

#[tokio::test]
async fn a_store_in_memory_can_be_checked() {
    let stage = Stage::in_memory();
    fill(&stage).await;
    assert_eq!(stage.store.check().await.unwrap(), []);
}

/// Behind what was dropped, a loss is still a loss.
async fn a_loss_after_pruning_is_found(stage: Stage) {
    for _ in 0..3 {
        stage.ring(&referral("r1")).await;
    }
    stage.run(Change::default(), Next::Settled).await;
    stage.hand.turn(HISTORY_KEPT_MS + 1);
    stage.ring(&referral("r1")).await;
    stage.ring(&referral("r1")).await;
    assert_eq!(stage.store.prune_history(None).await.unwrap().gone, 3);
    assert_eq!(stage.store.check().await.unwrap(), []);
    for lost in [4, 5] {
        stage
            .by_hand(&format!(
                "CREATE TABLE whole AS SELECT * FROM event; DELETE FROM event WHERE ring = {lost}"
            ))
            .await;
        let found = stage.store.check().await.unwrap();
        assert_eq!(
            found.iter().map(|one| one.rule).collect::<Vec<_>>(),
            ["I1"],
            "{lost}: {found:?}"
        );
        stage
            .by_hand("DELETE FROM event; INSERT INTO event SELECT * FROM whole; DROP TABLE whole")
            .await;
    }
}

#[tokio::test]
async fn a_loss_after_pruning_is_found_in_a_file() {
    a_loss_after_pruning_is_found(Stage::in_a_file()).await;
}

#[tokio::test]
async fn a_loss_after_pruning_is_found_in_a_database() {
    a_loss_after_pruning_is_found(Stage::on_postgres().await).await;
}
