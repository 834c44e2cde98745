//! Cards, and what holds share with them.

use std::slice::from_ref;

use cosell_store::{AcceptedEvent, Answer, Card, Change, Closed, LaneId, Next, Store, StoreError};

use super::holding::live_holds;
use crate::stage::*;

pub(super) fn held() -> Next {
    Next::Held {
        reason: "a person is asked".into(),
    }
}

/// Rings lane 1 and lets it run: it asks, and is held.
pub(super) async fn run_and_ask(stage: &Stage, change: Change) -> LaneId {
    let lane = stage.ring(&referral("r1")).await;
    stage.run(change, held()).await;
    lane
}

async fn open_cards(store: &dyn Store) -> Vec<Card> {
    store.cards(None, true, 100).await.unwrap()
}

fn card(lane: LaneId, number: i64, subject: &str, body: &str) -> Card {
    Card {
        connection: HERE.into(),
        lane,
        card: number,
        kind: "conflict".into(),
        subject: subject.into(),
        body: body.into(),
        opened: BEGIN,
        answer: None,
        closed: None,
    }
}

pub(crate) async fn s10_a_card_is_asked_once_answered_by_a_person_and_kept(stage: &Stage) {
    let asking = || Change {
        cards: vec![asks("conflict", "close-date", "{\"q\":1}")],
        ..Change::default()
    };
    let lane = run_and_ask(stage, asking()).await;
    let asked = card(lane, 1, "close-date", "{\"q\":1}");
    assert_eq!(open_cards(&*stage.store).await, from_ref(&asked));
    stage.hand.turn(10);
    run_and_ask(stage, asking()).await;
    assert_eq!(
        open_cards(&*stage.store).await,
        from_ref(&asked),
        "asking the same again changes nothing"
    );
    assert_eq!(stage.store.census().await.unwrap().cards, 1);

    stage.hand.turn(10);
    let answered = stage.store.answer_card(HERE, 1, "crm", "ada").await;
    assert_eq!(answered.unwrap(), lane);
    assert_eq!(stage.store.census().await.unwrap().cards, 0);
    assert_eq!(stage.lane(lane).await.state, "due");
    let said = stage.store.audit(HERE, lane).await.unwrap().remove(0).line;
    assert_eq!(
        (said.kind.as_str(), said.message.as_str()),
        ("person", "ada answered card 1 (conflict, close-date): crm")
    );
    assert_eq!(
        said.detail,
        "{\"card\":1,\"kind\":\"conflict\",\"subject\":\"close-date\",\"choice\":\"crm\",\"by\":\"ada\"}"
    );

    let lease = stage.claim().await;
    let state = stage.open(&lease).await;
    assert_eq!(state.bells[0].cause, "person");
    let with_answer = Card {
        answer: Some(Answer {
            choice: "crm".into(),
            by: "ada".into(),
            at: BEGIN + 20,
        }),
        ..asked
    };
    assert_eq!(state.cards, from_ref(&with_answer));
    let change = Change {
        cards: vec![asks_no_more("conflict", "close-date", "answered")],
        ..Change::default()
    };
    stage
        .store
        .complete_run(&lease, &state.bells, change, Next::Settled)
        .await
        .unwrap();
    assert_eq!(open_cards(&*stage.store).await, []);
    let closed = Card {
        closed: Some(Closed {
            why: "answered".into(),
            at: BEGIN + 20,
        }),
        ..with_answer
    };
    assert_eq!(
        stage.store.cards(Some(HERE), false, 9).await.unwrap(),
        [closed]
    );
    assert_eq!(stage.store.check_audit().await.unwrap(), []);
}

pub(crate) async fn another_question_voids_the_answer_and_the_old_number(stage: &Stage) {
    let asking = |body: &str| Change {
        cards: vec![asks("conflict", "value", body)],
        ..Change::default()
    };
    let lane = run_and_ask(stage, asking("{\"crm\":10}")).await;
    stage
        .store
        .answer_card(HERE, 1, "crm", "ada")
        .await
        .unwrap();
    stage.run(asking("{\"crm\":99}"), held()).await;
    assert_eq!(
        open_cards(&*stage.store).await,
        [card(lane, 2, "value", "{\"crm\":99}")],
        "nobody has seen this question yet"
    );
    let late = stage
        .store
        .answer_card(HERE, 1, "crm", "bob")
        .await
        .unwrap_err();
    assert_eq!(
        late.to_string(),
        "card 1 is closed already (it is asked anew as card 2); `cosell cards` lists those that can be answered"
    );
    let history = stage.store.cards(None, false, 9).await.unwrap();
    assert_eq!(
        history[1].answer.as_ref().map(|answer| answer.by.as_str()),
        Some("ada"),
        "what was said stays"
    );
    stage.assert_idle().await;
}

pub(crate) async fn a_lane_has_one_open_card_of_a_kind_about_a_subject(stage: &Stage) {
    let change = Change {
        cards: vec![
            asks("gone", "r1", "{}"),
            asks("conflict", "value", "{}"),
            asks("conflict", "notes", "{}"),
            asks("conflict", "notes", "{}"),
            asks_no_more("gone", "r1", "it is back"),
            asks_no_more("reopened", "r1", "was never asked"),
            asks("gone", "r1", "{}"),
        ],
        ..Change::default()
    };
    run_and_ask(stage, change.clone()).await;
    stage.ring(&referral("r1")).await;
    let state = stage.open(&stage.claim().await).await;
    let open: Vec<_> = state
        .cards
        .iter()
        .map(|card| (card.kind.as_str(), card.subject.as_str(), card.card))
        .collect();
    assert_eq!(
        open,
        [
            ("conflict", "notes", 3),
            ("conflict", "value", 2),
            ("gone", "r1", 4)
        ]
    );
    // Another lane asks its own questions, and another connection counts for itself.
    stage.ring(&referral("r2")).await;
    stage.run(change.clone(), held()).await;
    let there = AcceptedEvent {
        connection: "fabrikam".into(),
        ..event(&referral("r1"))
    };
    stage.accept(there).await.lane();
    stage.run(change, held()).await;
    assert_eq!(stage.store.census().await.unwrap().cards, 9);
    let theirs = stage.store.cards(Some("fabrikam"), true, 9).await.unwrap();
    assert_eq!(
        theirs.iter().map(|card| card.card).collect::<Vec<_>>(),
        [4, 3, 2]
    );
}

pub(crate) async fn what_is_closed_or_was_never_asked_says_so(stage: &Stage) {
    let change = Change {
        cards: vec![
            asks("gone", "r1", "{}"),
            asks_no_more("gone", "r1", "it is back"),
        ],
        holds: vec![
            holds_back("won", "state", "f1", None),
            holds_no_more("won", "state", "written"),
        ],
        ..Change::default()
    };
    let lane = run_and_ask(stage, change).await;
    let store = &stage.store;
    let mut said = Vec::new();
    for (connection, number) in [(HERE, 1), (HERE, 7), ("fabrikam", 1)] {
        let card = store.answer_card(connection, number, "crm", "ada").await;
        assert!(matches!(card, Err(StoreError::NoCard { .. })), "{card:?}");
        let hold = store.settle_hold(connection, number, true, "ada").await;
        assert!(matches!(hold, Err(StoreError::NoHold { .. })), "{hold:?}");
        said.push((card.unwrap_err().to_string(), hold.unwrap_err().to_string()));
    }
    let (cards, holds) = (
        "`cosell cards` lists those that can be answered",
        "`cosell holds` lists those that can be released or cancelled",
    );
    assert_eq!(
        said,
        [
            (
                format!("card 1 is closed already (it is back); {cards}"),
                format!("hold 1 is closed already (written); {holds}")
            ),
            (
                format!("there is no card 7; {cards}"),
                format!("there is no hold 7; {holds}")
            ),
            (
                format!("there is no card 1; {cards}"),
                format!("there is no hold 1; {holds}")
            ),
        ]
    );
    assert_eq!(store.audit(HERE, lane).await.unwrap(), []);
    stage.assert_idle().await;
}

pub(crate) async fn an_answer_may_be_changed_while_its_card_is_open(stage: &Stage) {
    let change = Change {
        cards: vec![asks("conflict", "value", "{}")],
        ..Change::default()
    };
    let lane = run_and_ask(stage, change).await;
    for (choice, by) in [("crm", "ada"), ("partner-center", "bob")] {
        stage.store.answer_card(HERE, 1, choice, by).await.unwrap();
    }
    let cards = stage.open(&stage.claim().await).await.cards;
    let answer = cards[0].answer.clone().expect("an answer");
    assert_eq!(
        (answer.choice.as_str(), answer.by.as_str()),
        ("partner-center", "bob")
    );
    let audit = stage.store.audit(HERE, lane).await.unwrap();
    assert_eq!(audit.len(), 2, "who said what first stays known");
}

pub(crate) async fn an_answer_during_a_run_makes_the_lane_run_again(stage: &Stage) {
    let change = Change {
        cards: vec![asks("conflict", "value", "{}")],
        holds: vec![holds_back("won", "state", "f1", None)],
        ..Change::default()
    };
    let lane = run_and_ask(stage, change).await;
    for person in ["answers", "settles"] {
        stage.ring(&referral("r1")).await;
        let lease = stage.claim().await;
        let bells = stage.open(&lease).await.bells;
        match person {
            "answers" => stage.store.answer_card(HERE, 1, "crm", "ada").await,
            _ => stage.store.settle_hold(HERE, 1, true, "ada").await,
        }
        .unwrap();
        let told = Change {
            audit: vec![line("ran")],
            ..Change::default()
        };
        stage
            .store
            .complete_run(&lease, &bells, told, held())
            .await
            .unwrap();
        stage.run(Change::default(), held()).await;
    }
    let said: Vec<_> = stage.store.audit(HERE, lane).await.unwrap();
    assert_eq!(
        said.iter()
            .map(|entry| entry.line.kind.as_str())
            .collect::<Vec<_>>(),
        ["person", "run", "person", "run"]
    );
    assert_eq!(stage.store.check_audit().await.unwrap(), []);
}

pub(crate) async fn a_refused_change_asks_and_holds_nothing(stage: &Stage) {
    stage.ring(&referral("r0")).await;
    stage.run(linking(pair("r0", "o1")), Next::Settled).await;
    stage.ring(&referral("r1")).await;
    let lease = stage.claim().await;
    let asking = Change {
        cards: vec![asks("gone", "r1", "{}")],
        holds: vec![holds_back("won", "state", "f1", None)],
        ..Change::default()
    };
    let linked = Change {
        link: Some(pair("r1", "o1")),
        ..asking.clone()
    };
    let refused = stage
        .store
        .complete_run(&lease, &[], linked, Next::Settled)
        .await;
    assert!(
        matches!(refused, Err(StoreError::Linked { .. })),
        "{refused:?}"
    );
    stage.hand.turn(LEASE_MS);
    stage.claim().await;
    let fenced = stage
        .store
        .complete_run(&lease, &[], asking, Next::Settled)
        .await;
    assert!(
        matches!(fenced, Err(StoreError::Fenced { .. })),
        "{fenced:?}"
    );
    assert_eq!(stage.store.cards(None, false, 9).await.unwrap(), []);
    assert_eq!(stage.store.holds(None, false, 9).await.unwrap(), []);
}

pub(crate) async fn a_retired_lane_asks_and_holds_nothing_any_more(stage: &Stage) {
    let elder = stage.ring(&opportunity("o1")).await;
    stage.run(holding("f1", None), held()).await;
    stage.ring(&referral("r1")).await;
    let asking = Change {
        cards: vec![asks("route", "r1", "{}")],
        ..holding("f1", None)
    };
    stage.run(asking, held()).await;
    stage.store.settle_hold(HERE, 2, true, "ada").await.unwrap();
    stage
        .run(Change::default(), Next::Retired { into: elder })
        .await;
    assert_eq!(open_cards(&*stage.store).await, []);
    let live = live_holds(&*stage.store).await;
    assert_eq!(
        live.iter()
            .map(|hold| (hold.lane, hold.verdict.is_none()))
            .collect::<Vec<_>>(),
        [(elder, true)],
        "a permit does not pass to another lane"
    );
    let late = stage.store.answer_card(HERE, 1, "here", "ada").await;
    assert!(
        late.unwrap_err()
            .to_string()
            .starts_with("card 1 is closed already (lane 2 became one with lane 1)")
    );
}

pub(crate) async fn cards_and_holds_are_listed_latest_first(stage: &Stage) {
    for (connection, id) in [(HERE, "r1"), ("fabrikam", "r1"), (HERE, "r2")] {
        let there = AcceptedEvent {
            connection: connection.into(),
            ..event(&referral(id))
        };
        stage.accept(there).await.lane();
        let change = Change {
            cards: vec![asks("gone", id, "{}")],
            ..holding("f1", None)
        };
        stage.run(change, held()).await;
        stage.hand.turn(1);
    }
    let store = &stage.store;
    let mut listed = Vec::new();
    for (connection, limit) in [(None, 9), (None, 2), (Some(HERE), 9), (Some("nobody"), 9)] {
        let cards = store.cards(connection, true, limit).await.unwrap();
        let holds = store.holds(connection, true, limit).await.unwrap();
        let cards: Vec<_> = cards
            .into_iter()
            .map(|card| (card.connection, card.card))
            .collect();
        let holds: Vec<_> = holds
            .into_iter()
            .map(|hold| (hold.connection, hold.hold))
            .collect();
        assert_eq!(cards, holds, "they were opened alike");
        listed.push(cards);
    }
    let (here, there) = (HERE.to_owned(), "fabrikam".to_owned());
    let all = vec![(here.clone(), 2), (there, 1), (here.clone(), 1)];
    assert_eq!(
        listed,
        [
            all.clone(),
            all[..2].to_vec(),
            vec![(here.clone(), 2), (here, 1)],
            vec![]
        ]
    );
}
