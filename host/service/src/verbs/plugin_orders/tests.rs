use std::collections::BTreeMap;
use std::sync::Arc;

use cosell_plugins::Mode;
use cosell_plugins::generation::Detail;
use cosell_store::SqliteStore;
use sha2::{Digest as _, Sha256};

use super::*;

fn bytes(version: &str) -> (String, Vec<u8>) {
    let bytes = version.as_bytes().to_vec();
    (hex::encode(Sha256::digest(&bytes)), bytes)
}

fn member(file: &str, version: &str, operator: &str, mode: Mode) -> Member {
    let (hash, _) = bytes(version);
    Member {
        file: file.to_owned(),
        sha256: hash.clone(),
        component: hash,
        source: None,
        operator: operator.to_owned(),
        detail: Detail {
            plugin: file.to_owned(),
            version: version.to_owned(),
            mode,
            ..Detail::default()
        },
    }
}

fn archive() -> Archive {
    Archive {
        store: Arc::new(SqliteStore::in_memory(Arc::new(|| 1_000)).unwrap()),
        connections: Vec::new(),
    }
}

/// Makes the next generation of these.
async fn serve(archive: &Archive, members: &[Member]) -> Vec<Member> {
    let (_, base) = newest(&*archive.store).await.unwrap();
    let step = Step {
        base,
        members: members.to_vec(),
        bytes: members
            .iter()
            .map(|one| bytes(&one.detail.version))
            .collect::<BTreeMap<_, _>>(),
        by: "a folder".to_owned(),
        ..Step::default()
    };
    archive
        .store
        .activate(activation(step, "", 1_000))
        .await
        .unwrap();
    newest(&*archive.store).await.unwrap().0
}

fn shown(members: &[Member]) -> Vec<String> {
    let one = |one: &Member| {
        let (version, mode) = (&one.detail.version, one.detail.mode.as_str());
        format!("{} {version} {:?} {mode}", one.file, one.operator)
    };
    members.iter().map(one).collect()
}

#[tokio::test]
async fn a_candidate_of_the_bytes_that_serve_is_taken_out_and_bans_nothing() {
    let archive = archive();
    let live = member("a", "1", "", Mode::Live);
    let tried = member("a", "1", "[settings]", Mode::TryOn);
    serve(&archive, &[live.clone(), tried]).await;
    let changed = quarantine_plugin(&archive, "a", "it doubles", "ada")
        .await
        .unwrap();
    let said = &changed.message;
    assert!(
        said.contains("nothing is banned")
            && said.contains("same bytes serve, or are to come, with other settings")
            && said.contains("cosell plugin rollback"),
        "{said}"
    );
    let (members, _) = newest(&*archive.store).await.unwrap();
    assert_eq!(shown(&members), ["a 1 \"\" live"]);
    let out = archive.store.quarantines().await.unwrap();
    assert!(out.is_empty(), "{out:?}");
}

#[tokio::test]
async fn a_candidate_of_other_bytes_is_banned() {
    let archive = archive();
    let live = member("a", "1", "", Mode::Live);
    let tried = member("a", "2", "", Mode::TryOn);
    serve(&archive, &[live, tried]).await;
    quarantine_plugin(&archive, "a", "it doubles", "ada")
        .await
        .unwrap();
    let out = archive.store.quarantines().await.unwrap();
    assert_eq!(out.len(), 1);
    assert_eq!(out[0].sha256, bytes("2").0);
}

#[tokio::test]
async fn a_version_that_serves_is_found_by_its_hash_in_capitals() {
    let archive = archive();
    serve(&archive, &[member("a", "1", "", Mode::Live)]).await;
    serve(&archive, &[member("a", "2", "", Mode::Live)]).await;
    let hash = bytes("2").0.to_uppercase();
    let changed = quarantine_plugin(&archive, &hash, "it doubles", "ada")
        .await
        .unwrap();
    let (members, _) = newest(&*archive.store).await.unwrap();
    assert_eq!(shown(&members), ["a 1 \"\" live"], "{}", changed.message);
}

#[tokio::test]
async fn settings_that_are_taken_out_leave_the_bytes_that_serve_with_the_settings_before() {
    let archive = archive();
    serve(&archive, &[member("a", "1", "", Mode::Live)]).await;
    serve(&archive, &[member("a", "1", "[settings]", Mode::Live)]).await;
    quarantine_plugin(&archive, "a", "it doubles", "ada")
        .await
        .unwrap();
    let (members, _) = newest(&*archive.store).await.unwrap();
    assert_eq!(shown(&members), ["a 1 \"\" live"]);
    assert!(archive.store.quarantines().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_rule_promotes_only_what_was_judged_beside_the_set_that_serves() {
    let archive = archive();
    let shadow = member("a", "2", "", Mode::Shadow);
    let first = [
        member("a", "1", "", Mode::Live),
        shadow.clone(),
        member("b", "1", "", Mode::Live),
    ];
    let members = serve(&archive, &first).await;
    let judged = pair(&members, &members[1]);
    // Another version of b serves before the rule has its say; the candidate itself is as it was.
    let mut second = members;
    second[2] = member("b", "3", "", Mode::Live);
    let members = serve(&archive, &second).await;
    let (store, candidate) = (&*archive.store, &members[1]);
    let refused = promote(store, candidate, Some(&judged), "its operator file", "").await;
    assert!(
        matches!(refused, Err(VerbError::JudgedBesideAnother { .. })),
        "{refused:?}"
    );
    let (now, number) = newest(store).await.unwrap();
    assert_eq!((now.len(), number), (3, 2), "{:?}", shown(&now));
    let judged = pair(&members, candidate);
    promote(store, candidate, Some(&judged), "its operator file", "")
        .await
        .unwrap();
    let (now, _) = newest(store).await.unwrap();
    assert_eq!(shown(&now), ["a 2 \"\" live", "b 3 \"\" live"]);
}
