//! The set of plugins: generations, bytes, quarantine, what folders said, what candidates would do.

use cosell_store::{
    Activation, Component, GENERATIONS_KEPT, Judgement, Member, Quarantined, Said, SaidFile,
    SetEvent, StoreError,
};
use sha2::{Digest as _, Sha256};

use crate::stage::*;

pub(crate) fn hash_of(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

pub(crate) fn bytes(bytes: &[u8]) -> Component {
    Component {
        hash: hash_of(bytes),
        bytes: bytes.to_vec(),
    }
}

pub(crate) fn member_of(file: &str, bytes: &[u8]) -> Member {
    Member {
        file: file.into(),
        candidate: false,
        sha256: hash_of(bytes),
        component: hash_of(bytes),
        source: None,
        operator: "enabled = true".into(),
        detail: "{}".into(),
    }
}

/// With bytes that are their members' names.
pub(crate) fn activation(base: i64, members: Vec<Member>) -> Activation {
    let known: [&[u8]; 4] = [b"base-1", b"base-2", b"acme-1", b"acme-2"];
    Activation {
        base,
        components: known.into_iter().map(bytes).collect(),
        members,
        by: "ada".into(),
        note: format!("after {base}"),
        events: vec![SetEvent {
            what: "activated".into(),
            by: "ada".into(),
            message: format!("after {base}"),
            ..SetEvent::default()
        }],
        ..Activation::default()
    }
}

pub(crate) fn said(folder: &str, files: &[(&str, &str)]) -> Said {
    let file = |(file, sha256): &(&str, &str)| SaidFile {
        file: (*file).into(),
        sha256: (*sha256).into(),
        operator: String::new(),
    };
    Said {
        folder: folder.into(),
        files: files.iter().map(file).collect(),
    }
}

pub(crate) fn out(sha256: &str, why: &str) -> Quarantined {
    Quarantined {
        sha256: sha256.into(),
        file: "50-acme.wasm".into(),
        plugin: "acme".into(),
        why: why.into(),
        by: "host-a".into(),
        at: 0,
        released: None,
    }
}

pub(crate) async fn s29_the_set_is_the_newest_generation_and_its_bytes_are_there(stage: &Stage) {
    let store = &stage.store;
    assert_eq!(store.generation().await.unwrap(), 0);
    assert_eq!(store.active_set().await.unwrap(), None);
    let base = member_of("10-base.wasm", b"base-1");
    let first = store.activate(activation(0, vec![base.clone()])).await;
    assert_eq!(first.unwrap(), 1);
    stage.hand.turn(5);
    let candidate = Member {
        candidate: true,
        ..member_of("10-base.wasm", b"base-2")
    };
    let all = vec![candidate, base, member_of("50-acme.wasm", b"acme-1")];
    let second = store.activate(activation(1, all.clone())).await;
    assert_eq!(second.unwrap(), 2);
    assert_eq!(store.generation().await.unwrap(), 2);

    let set = store.active_set().await.unwrap().unwrap();
    assert_eq!((set.generation, set.at), (2, BEGIN + 5));
    assert_eq!((set.by.as_str(), set.note.as_str()), ("ada", "after 1"));
    assert_eq!(
        set.members,
        [all[1].clone(), all[0].clone(), all[2].clone()],
        "by name, what serves first"
    );
    let history = store.set_history(10).await.unwrap();
    let numbers: Vec<_> = history.iter().map(|one| one.generation).collect();
    assert_eq!(numbers, [2, 1]);
    assert_eq!(history[1].members.len(), 1);
    let component = store.component(&hash_of(b"acme-1")).await.unwrap();
    assert_eq!(component.as_deref(), Some(b"acme-1".as_slice()));
    assert_eq!(store.component("nobody's").await.unwrap(), None);
}

pub(crate) async fn s29_of_two_that_follow_one_generation_the_second_is_overtaken(stage: &Stage) {
    let store = &stage.store;
    let first = activation(0, vec![member_of("10-base.wasm", b"base-1")]);
    let second = Activation {
        said: Some(said("host-b", &[])),
        quarantined: vec![out("v9", "x")],
        ..activation(0, vec![member_of("10-base.wasm", b"base-2")])
    };
    let (first, second) = tokio::join!(store.activate(first), store.activate(second));
    let (won, lost) = match (first, second) {
        (Ok(won), Err(lost)) | (Err(lost), Ok(won)) => (won, lost),
        other => panic!("one of them: {other:?}"),
    };
    assert_eq!(won, 1);
    assert!(
        matches!(lost, StoreError::Overtaken { base: 0, now: 1 }),
        "{lost:?}"
    );
    let again = store.activate(activation(3, vec![])).await.unwrap_err();
    assert!(
        matches!(again, StoreError::Overtaken { base: 3, now: 1 }),
        "{again:?}"
    );
    assert_eq!(store.set_history(10).await.unwrap().len(), 1);
    assert_eq!(store.set_events(10).await.unwrap().len(), 1);
}

pub(crate) async fn s29_a_member_without_bytes_is_refused_whole(stage: &Stage) {
    let store = &stage.store;
    let next = Activation {
        said: Some(said("host-a", &[])),
        quarantined: vec![out("v9", "x")],
        ..activation(
            0,
            vec![
                member_of("10-base.wasm", b"base-1"),
                member_of("50-acme.wasm", b"nobody gave these"),
            ],
        )
    };
    let refused = store.activate(next).await.unwrap_err();
    assert!(
        matches!(&refused, StoreError::NoBytes { file, .. } if file == "50-acme.wasm"),
        "{refused:?}"
    );
    assert_eq!(store.generation().await.unwrap(), 0);
    assert_eq!(store.said("host-a").await.unwrap(), None);
    assert_eq!(store.quarantines().await.unwrap(), []);
    let bytes = store.component(&hash_of(b"base-1")).await.unwrap();
    assert_eq!(bytes, None, "nothing is left of it");
}

pub(crate) async fn a_folder_that_was_heard_is_told_from_one_that_was_not(stage: &Stage) {
    let store = &stage.store;
    assert_eq!(store.said("host-a").await.unwrap(), None);
    store.say(said("host-a", &[])).await.unwrap();
    assert_eq!(store.said("host-a").await.unwrap(), Some(Vec::new()));
    let holds = said("host-a", &[("1.wasm", "v1"), ("2.wasm", "v2")]);
    store.say(holds.clone()).await.unwrap();
    assert_eq!(store.said("host-a").await.unwrap(), Some(holds.files));
    let next = Activation {
        said: Some(said("host-a", &[("2.wasm", "v3")])),
        ..activation(0, vec![])
    };
    store.activate(next).await.unwrap();
    let files = store.said("host-a").await.unwrap().unwrap();
    assert_eq!(files, said("", &[("2.wasm", "v3")]).files);
    assert_eq!(store.said("host-b").await.unwrap(), None);
}

pub(crate) async fn a_quarantined_version_is_known_by_its_hash_until_a_person_releases_it(
    stage: &Stage,
) {
    let store = &stage.store;
    for folder in ["host-a", "host-b"] {
        let holds = said(folder, &[("10-base.wasm", "v1"), ("50-acme.wasm", "v9")]);
        store.say(holds).await.unwrap();
    }
    let next = Activation {
        quarantined: vec![out("v9", "it failed")],
        ..activation(0, vec![])
    };
    store.activate(next).await.unwrap();
    let known = store.quarantines().await.unwrap();
    let expected = Quarantined {
        at: BEGIN,
        ..out("v9", "it failed")
    };
    assert_eq!(known, [expected]);
    for folder in ["host-a", "host-b"] {
        let left = store.said(folder).await.unwrap().unwrap();
        assert_eq!(
            left,
            said("", &[("10-base.wasm", "v1"), ("50-acme.wasm", "")]).files,
            "released, it is news again"
        );
    }
    stage.hand.turn(3);
    assert!(store.release("v9", "ada").await.unwrap());
    assert!(!store.release("v9", "ada").await.unwrap(), "it was not out");
    assert!(!store.release("v8", "ada").await.unwrap());
    let released = store.quarantines().await.unwrap();
    assert_eq!(released[0].released, Some(("ada".into(), BEGIN + 3)));
    store.quarantine(out("v9", "again")).await.unwrap();
    let again = store.quarantines().await.unwrap();
    assert_eq!(
        (again[0].why.as_str(), &again[0].released),
        ("again", &None)
    );
}

pub(crate) async fn s29_what_was_quarantined_meanwhile_does_not_come_into_the_set(stage: &Stage) {
    let store = &stage.store;
    let [base, acme] = [
        member_of("10-base.wasm", b"base-1"),
        member_of("50-acme.wasm", b"acme-1"),
    ];
    store
        .activate(activation(0, vec![base.clone()]))
        .await
        .unwrap();
    store.quarantine(out(&acme.sha256, "bad")).await.unwrap();
    let both = vec![base.clone(), acme.clone()];
    let refused = store.activate(activation(1, both.clone())).await;
    let refused = refused.unwrap_err();
    assert!(
        matches!(&refused, StoreError::TakenOut { file, hash } if *file == acme.file && *hash == acme.sha256),
        "{refused:?}"
    );
    assert_eq!(store.generation().await.unwrap(), 1);
    assert_eq!(store.set_events(10).await.unwrap().len(), 1);
    store.release(&acme.sha256, "ada").await.unwrap();
    assert_eq!(
        store.activate(activation(1, both.clone())).await.unwrap(),
        2
    );
    // What is in the set already goes by an order of its own, and holds up no other.
    store.quarantine(out(&base.sha256, "bad")).await.unwrap();
    let other = vec![base, member_of("50-acme.wasm", b"acme-2")];
    assert_eq!(store.activate(activation(2, other)).await.unwrap(), 3);
}

pub(crate) async fn old_generations_and_their_bytes_are_dropped(stage: &Stage) {
    let store = &stage.store;
    let last = GENERATIONS_KEPT + 2;
    for base in 0..last {
        let own = format!("version {base}");
        let member = member_of("10-base.wasm", own.as_bytes());
        let next = Activation {
            components: vec![bytes(own.as_bytes())],
            ..activation(base, vec![member])
        };
        assert_eq!(store.activate(next).await.unwrap(), base + 1);
    }
    let history = store.set_history(1_000).await.unwrap();
    assert_eq!(history.len() as i64, GENERATIONS_KEPT);
    assert_eq!(history.last().unwrap().generation, 3);
    let there = |base: &str| {
        let hash = hash_of(base.as_bytes());
        async move { store.component(&hash).await.unwrap().is_some() }
    };
    assert!(!there("version 1").await);
    assert!(there("version 2").await);
    assert_eq!(store.check().await.unwrap(), []);
}

pub(crate) async fn the_journal_is_read_backwards(stage: &Stage) {
    let store = &stage.store;
    let refused = SetEvent {
        what: "refused".into(),
        file: "50-acme.wasm".into(),
        plugin: Some("acme".into()),
        version: Some("1.0.0".into()),
        sha256: Some("v1".into()),
        generation: None,
        by: "host-a".into(),
        message: "it is no component".into(),
        at: 0,
    };
    store.tell(vec![refused.clone()]).await.unwrap();
    store.activate(activation(0, vec![])).await.unwrap();
    store.tell(Vec::new()).await.unwrap();
    let told = store.set_events(10).await.unwrap();
    assert_eq!(
        (told[0].what.as_str(), told[0].generation),
        ("activated", Some(1))
    );
    assert_eq!(
        told[1],
        SetEvent {
            at: BEGIN,
            ..refused
        }
    );
    assert_eq!(store.set_events(1).await.unwrap(), told[..1]);
}

pub(crate) async fn s30_judgements_are_about_one_pair_of_sets(stage: &Stage) {
    let store = &stage.store;
    let lanes = [
        stage.ring(&referral("r1")).await,
        stage.ring(&referral("r2")).await,
    ];
    let judged = |place: usize, verdict: &str| Judgement {
        connection: HERE.into(),
        lane: lanes[place],
        verdict: verdict.into(),
        body: "{}".into(),
        at: 0,
    };
    let both = vec![judged(1, "same"), judged(0, "differs")];
    store.judge("a/b", both, &[]).await.unwrap();
    stage.hand.turn(1);
    store
        .judge("a/b", vec![judged(0, "same")], &[])
        .await
        .unwrap();
    let known = store.judgements("a/b").await.unwrap();
    let shown: Vec<_> = known
        .iter()
        .map(|one| (one.lane, one.verdict.as_str(), one.at))
        .collect();
    assert_eq!(
        shown,
        [(lanes[0], "same", BEGIN + 1), (lanes[1], "same", BEGIN)]
    );
    let kept = ["a/b".to_owned()];
    store
        .judge("a/c", vec![judged(0, "same")], &kept)
        .await
        .unwrap();
    assert_eq!(store.judgements("a/b").await.unwrap().len(), 2);
    store.judge("a/c", Vec::new(), &[]).await.unwrap();
    assert_eq!(store.judgements("a/b").await.unwrap(), []);
    assert_eq!(store.judgements("a/c").await.unwrap().len(), 1);
}
