//! Intents, links and bases.

use cosell_store::{Attempt, Base, Change, LinkState, Next, StoreError};

use crate::stage::*;

pub(crate) async fn i5_a_second_intent_is_refused_while_one_is_open(stage: &Stage) {
    stage.ring(&referral("r1")).await;
    let lease = stage.claim().await;
    stage.store.intend(&lease, intent("op-1")).await.unwrap();
    let second = stage.store.intend(&lease, intent("op-2")).await;
    assert!(
        matches!(second, Err(StoreError::IntentOpen { .. })),
        "{second:?}"
    );

    // It outlives the run, and the next one finds it.
    stage.hand.turn(LEASE_MS);
    let next = stage.claim().await;
    let found = stage
        .open(&next)
        .await
        .intent
        .expect("the intent is still open");
    assert_eq!((found.operation.as_str(), found.since), ("op-1", BEGIN));
    assert_eq!(
        found,
        cosell_store::Intent {
            since: BEGIN,
            ..intent("op-1")
        }
    );
    assert!(matches!(
        stage.store.intend(&next, intent("op-3")).await,
        Err(StoreError::IntentOpen { .. })
    ));
    stage
        .store
        .complete_write(&next, Change::default())
        .await
        .unwrap();
    assert_eq!(stage.open(&next).await.intent, None);
    stage
        .store
        .intend(&next, intent("op-4"))
        .await
        .expect("the way is free again");
    assert_eq!(stage.store.census().await.unwrap().intents, 1);
}

pub(crate) async fn i5_a_write_is_closed_only_under_its_own_intent(stage: &Stage) {
    stage.ring(&referral("r1")).await;
    let lease = stage.claim().await;
    let of = |operation: &str| Change {
        attempt: Some(Attempt {
            operation: operation.into(),
            outcome: "done".into(),
            detail: String::new(),
        }),
        audit: vec![line("written")],
        ..Change::default()
    };
    let without = stage.store.complete_write(&lease, of("op-1")).await;
    assert!(
        matches!(without, Err(StoreError::NoIntent { .. })),
        "{without:?}"
    );
    stage.store.intend(&lease, intent("op-1")).await.unwrap();
    let other = stage
        .store
        .complete_write(&lease, of("op-2"))
        .await
        .unwrap_err();
    assert_eq!(
        other.to_string(),
        "lane 1 has no open intent with operation op-2"
    );
    assert!(
        stage.open(&lease).await.intent.is_some(),
        "a refusal closes nothing"
    );
    stage
        .store
        .complete_write(&lease, of("op-1"))
        .await
        .unwrap();
    assert_eq!(stage.store.audit(HERE, lease.lane).await.unwrap().len(), 1);
}

pub(crate) async fn i4_a_referral_or_row_is_linked_once_within_a_connection(stage: &Stage) {
    let first = stage.ring(&referral("r1")).await;
    stage.run(linking(pair("r1", "o1")), Next::Settled).await;
    stage.ring(&referral("r2")).await;
    let lease = stage.claim().await;
    for (link, record) in [
        (pair("r1", "o2"), "referral r1"),
        (pair("r2", "o1"), "opportunity o1"),
    ] {
        let refused = stage
            .store
            .complete_run(&lease, &[], linking(link), Next::Settled)
            .await
            .unwrap_err();
        assert_eq!(
            refused.to_string(),
            format!("{record} is linked in lane {} already", first.0)
        );
    }
    stage
        .store
        .complete_run(
            &lease,
            &[noted(&referral("r2"), 1)],
            linking(pair("r2", "o2")),
            Next::Settled,
        )
        .await
        .unwrap();
    assert_eq!(stage.store.census().await.unwrap().linked, 2);

    // The same lane may of course keep its pair, and elsewhere the same ids are other records.
    stage.ring(&referral("r1")).await;
    stage
        .run(
            linking(LinkState {
                generation: 1,
                ..pair("r1", "o1")
            }),
            Next::Settled,
        )
        .await;
    let there = cosell_store::AcceptedEvent {
        connection: "fabrikam".into(),
        ..event(&referral("r1"))
    };
    stage.accept(there).await.lane();
    stage.run(linking(pair("r1", "o1")), Next::Settled).await;
}

pub(crate) async fn a_refused_change_leaves_nothing_behind(stage: &Stage) {
    stage.ring(&referral("r1")).await;
    stage.run(linking(pair("r1", "o1")), Next::Settled).await;
    stage.ring(&referral("r2")).await;
    let lease = stage.claim().await;
    stage.store.intend(&lease, intent("op-1")).await.unwrap();
    let before = (
        stage.open(&lease).await,
        stage.store.census().await.unwrap(),
    );
    let change = Change {
        members: vec![opportunity("o2")],
        link: Some(pair("r2", "o1")),
        audit: vec![line("linked")],
        ..Change::default()
    };
    assert!(matches!(
        stage.store.complete_write(&lease, change).await,
        Err(StoreError::Linked { .. })
    ));
    assert_eq!(
        (
            stage.open(&lease).await,
            stage.store.census().await.unwrap()
        ),
        before
    );
    assert_eq!(stage.store.audit(HERE, lease.lane).await.unwrap(), []);
    assert_eq!(
        stage.store.lane_of(HERE, &opportunity("o2")).await.unwrap(),
        None
    );
}

fn base(unit: &str, side: &str, value: &str, raw: &str) -> Base {
    Base {
        unit: unit.into(),
        side: side.into(),
        value: Some(value.into()),
        raw: Some(raw.into()),
    }
}

fn raws(hashes: &[&str]) -> std::collections::BTreeMap<String, String> {
    hashes
        .iter()
        .map(|hash| ((*hash).into(), format!("{{\"raw\":\"{hash}\"}}")))
        .collect()
}

pub(crate) async fn bases_move_one_by_one_and_carry_their_raws(stage: &Stage) {
    let lane = stage.ring(&referral("r1")).await;
    let first = Change {
        link: Some(pair("r1", "o1")),
        bases: vec![
            base("name", "crm", "\"A\"", "h1"),
            base("notes", "crm", "\"B\"", "h1"),
            base("name", "partner-center", "\"A\"", "h2"),
        ],
        raws: raws(&["h1", "h2", "named-by-nobody"]),
        ..Change::default()
    };
    stage.run(first, Next::Settled).await;
    let link = stage.store.link(HERE, lane).await.unwrap().unwrap();
    assert_eq!(link.raws, raws(&["h1", "h2"]));
    assert_eq!(link.bases.len(), 3);

    stage.ring(&referral("r1")).await;
    let second = Change {
        bases: vec![base("name", "crm", "\"C\"", "h3")],
        raws: raws(&["h3"]),
        ..Change::default()
    };
    stage.run(second, Next::Settled).await;
    let link = stage.store.link(HERE, lane).await.unwrap().unwrap();
    let expected = [
        base("name", "crm", "\"C\"", "h3"),
        base("name", "partner-center", "\"A\"", "h2"),
        base("notes", "crm", "\"B\"", "h1"),
    ];
    assert_eq!(link.bases, expected, "what was not written keeps its base");
    assert_eq!(link.raws, raws(&["h1", "h2", "h3"]));

    // A raw that is there already need not come again; one that nobody names any more goes; unknown is a base too.
    stage.ring(&referral("r1")).await;
    let unknown = Base {
        value: None,
        raw: None,
        ..base("name", "partner-center", "", "")
    };
    let third = Change {
        bases: vec![base("notes", "crm", "\"D\"", "h3"), unknown.clone()],
        ..Change::default()
    };
    stage.run(third, Next::Settled).await;
    let link = stage.store.link(HERE, lane).await.unwrap().unwrap();
    assert_eq!(
        link.bases,
        [
            base("name", "crm", "\"C\"", "h3"),
            unknown,
            base("notes", "crm", "\"D\"", "h3")
        ]
    );
    assert_eq!(link.raws, raws(&["h3"]));
}

pub(crate) async fn a_base_that_names_a_raw_nobody_gave_is_refused(stage: &Stage) {
    stage.ring(&referral("r1")).await;
    let lease = stage.claim().await;
    let change = Change {
        bases: vec![base("name", "crm", "\"A\"", "h1")],
        ..Change::default()
    };
    let refused = stage
        .store
        .complete_run(&lease, &[], change, Next::Settled)
        .await;
    let Err(StoreError::Broken { source, .. }) = refused else {
        panic!("accepted: {refused:?}")
    };
    assert_eq!(
        source.to_string(),
        "the base of name in lane 1 names raw record h1, which was not given"
    );
    assert_eq!(stage.open(&lease).await.link, None);
}

pub(crate) async fn a_member_of_another_lane_is_left_there(stage: &Stage) {
    let other = stage.ring(&opportunity("o1")).await;
    stage.run(Change::default(), Next::Settled).await;
    let lane = stage.ring(&referral("r1")).await;
    let lease = stage.claim().await;
    let joining = |id: &str| Change {
        members: vec![opportunity(id), referral("r1")],
        ..Change::default()
    };
    let mut change = joining("o1");
    change.members.extend(joining("o2").members);
    stage
        .store
        .complete_run(&lease, &[], change, Next::Settled)
        .await
        .unwrap();
    assert_eq!(
        stage.store.lane_of(HERE, &opportunity("o2")).await.unwrap(),
        Some(lane)
    );
    assert_eq!(
        stage.store.lane_of(HERE, &opportunity("o1")).await.unwrap(),
        Some(other)
    );
}

pub(crate) async fn a_link_is_replaced_and_its_bases_stay(stage: &Stage) {
    let lane = stage.ring(&referral("r1")).await;
    let full = LinkState {
        microsoft_referral: Some("m1".into()),
        engagement: Some("e1".into()),
        generation: 2,
        etags: [
            ("crm".to_owned(), "W/\"7\"".to_owned()),
            ("referral".to_owned(), "\"a'b\"".to_owned()),
        ]
        .into(),
        mark: Some("✔ ".into()),
        set_hash: Some("s1".into()),
        notes: "{\"told\":[]}".into(),
        ..pair("r1", "o1")
    };
    let change = Change {
        bases: vec![base("name", "crm", "\"A\"", "h1")],
        raws: raws(&["h1"]),
        ..linking(full.clone())
    };
    stage.run(change, Next::Settled).await;
    let with_bases = LinkState {
        bases: vec![base("name", "crm", "\"A\"", "h1")],
        raws: raws(&["h1"]),
        ..full.clone()
    };
    assert_eq!(
        stage.store.link(HERE, lane).await.unwrap(),
        Some(with_bases.clone())
    );
    assert_eq!(
        stage.lane(lane).await.link,
        Some(full.clone()),
        "lists go without bases"
    );

    stage.ring(&referral("r1")).await;
    let moved = LinkState {
        crm_row: Some("o2".into()),
        mark: None,
        ..full
    };
    stage.run(linking(moved.clone()), Next::Settled).await;
    let expected = LinkState {
        bases: with_bases.bases,
        raws: with_bases.raws,
        ..moved
    };
    assert_eq!(
        stage.store.link(HERE, lane).await.unwrap(),
        Some(expected.clone())
    );
    stage.ring(&referral("r1")).await;
    assert_eq!(
        stage.open(&stage.claim().await).await.link,
        Some(expected),
        "a run sees the same"
    );
    assert_eq!(
        stage
            .store
            .link(HERE, cosell_store::LaneId(9))
            .await
            .unwrap(),
        None
    );
}
