//! Holds.

use std::slice::from_ref;

use cosell_store::{Change, Hold, HoldChange, HoldVerdict, Intent, Next, Store, StoreError};

use super::asking::{held, run_and_ask};
use crate::stage::*;

pub(super) async fn live_holds(store: &dyn Store) -> Vec<Hold> {
    store.holds(None, true, 100).await.unwrap()
}

pub(crate) async fn s24_a_hold_waits_for_a_person_who_is_written_down(stage: &Stage) {
    let lane = run_and_ask(stage, holding("f1", None)).await;
    let asked = Hold {
        connection: HERE.into(),
        lane,
        hold: 1,
        kind: "won".into(),
        subject: "state".into(),
        body: "{}".into(),
        fingerprint: "f1".into(),
        opened: BEGIN,
        until: None,
        verdict: None,
        closed: None,
    };
    stage.hand.turn(5);
    for (released, did) in [(false, "cancelled"), (true, "released")] {
        assert_eq!(
            stage.store.census().await.unwrap().holds,
            i64::from(!released)
        );
        let settled = stage.store.settle_hold(HERE, 1, released, "ada").await;
        assert_eq!(settled.unwrap(), lane);
        let said = stage.store.audit(HERE, lane).await.unwrap();
        let last = &said.last().expect("a line").line;
        assert_eq!(
            (last.kind.as_str(), last.message.as_str()),
            ("person", format!("ada {did} hold 1 (won, state)").as_str())
        );
        let lease = stage.claim().await;
        let state = stage.open(&lease).await;
        let verdict = HoldVerdict {
            released,
            by: "ada".into(),
            at: BEGIN + 5,
        };
        let settled = Hold {
            verdict: Some(verdict),
            ..asked.clone()
        };
        assert_eq!(state.holds, from_ref(&settled));
        assert_eq!(live_holds(&*stage.store).await, [settled]);
        assert!(last.detail.contains("\"fingerprint\":\"f1\""));
        stage
            .store
            .complete_run(&lease, &state.bells, Change::default(), held())
            .await
            .unwrap();
    }
    stage.ring(&referral("r1")).await;
    let change = Change {
        holds: vec![holds_no_more("won", "state", "written")],
        ..Change::default()
    };
    stage.run(change, Next::Settled).await;
    assert_eq!(live_holds(&*stage.store).await, []);
    let history = stage.store.holds(Some(HERE), false, 9).await.unwrap();
    assert_eq!(
        history[0].closed.as_ref().map(|closed| closed.why.as_str()),
        Some("written")
    );
}

pub(crate) async fn s24_a_verdict_is_for_this_write_and_no_other(stage: &Stage) {
    run_and_ask(stage, holding("f1", None)).await;
    stage.store.settle_hold(HERE, 1, true, "ada").await.unwrap();
    stage.run(holding("f1", None), held()).await;
    let same = live_holds(&*stage.store).await.remove(0);
    assert!(same.verdict.is_some_and(|verdict| verdict.released));
    stage.ring(&referral("r1")).await;
    stage.run(holding("f2", None), held()).await;
    let other = live_holds(&*stage.store).await;
    assert_eq!(
        other
            .iter()
            .map(|hold| (hold.hold, hold.fingerprint.as_str(), hold.verdict.is_none()))
            .collect::<Vec<_>>(),
        [(2, "f2", true)]
    );
    let late = stage.store.settle_hold(HERE, 1, true, "bob").await;
    assert_eq!(
        late.unwrap_err().to_string(),
        "hold 1 is closed already (another write took its place, hold 2); `cosell holds` lists those that can be released or cancelled"
    );
}

pub(crate) async fn s24_what_a_person_cancels_during_a_run_is_not_begun(stage: &Stage) {
    run_and_ask(stage, holding("f1", Some(BEGIN + 60))).await;
    stage.ring(&referral("r1")).await;
    let lease = stage.claim().await;
    let looked = stage.open(&lease).await;
    assert!(looked.holds[0].verdict.is_none(), "the run knows of none");
    stage
        .store
        .settle_hold(HERE, 1, false, "ada")
        .await
        .unwrap();
    let begins = async |permits: &[&str]| {
        let intent = Intent {
            irreversible: true,
            permits: permits.iter().map(|&permit| permit.to_owned()).collect(),
            ..intent("op")
        };
        stage.store.intend(&lease, intent).await
    };
    let refused = begins(&["f0", "f1"]).await;
    assert!(
        matches!(refused, Err(StoreError::Cancelled { hold: 1, .. })),
        "{refused:?}"
    );
    assert_eq!(stage.open(&lease).await.intent, None, "nothing was begun");
    // Another write is none that anybody has cancelled.
    begins(&["f2"]).await.unwrap();
    let second = begins(&["f2"]).await;
    assert!(matches!(second, Err(StoreError::IntentOpen { .. })));
}

pub(crate) async fn a_grace_period_is_neither_prolonged_nor_cut_short(stage: &Stage) {
    let until = |in_ms| Some(BEGIN + in_ms);
    for (wanted, stands) in [
        (until(60), until(60)),
        (until(90), until(60)),
        (until(30), until(60)),
        // Granted no more, and granted again.
        (None, None),
        (until(90), until(90)),
    ] {
        run_and_ask(stage, holding("f1", wanted)).await;
        let hold = live_holds(&*stage.store).await.remove(0);
        assert_eq!((hold.until, hold.opened, hold.hold), (stands, BEGIN, 1));
    }
    let mut shown = holding("f1", until(90));
    let HoldChange::Open { body, .. } = &mut shown.holds[0] else {
        panic!("it holds")
    };
    *body = "{\"before\":2}".into();
    run_and_ask(stage, shown).await;
    let hold = live_holds(&*stage.store).await.remove(0);
    assert_eq!(hold.body, "{\"before\":2}", "what is shown is what is now");
    assert_eq!(hold.until, until(90));
}
