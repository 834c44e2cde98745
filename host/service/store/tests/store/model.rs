//! Random histories of one connection, told to a store and to a model of it. After every step both have to show the same.

mod asked;
mod compare;
mod differential;
mod plain;

use cosell_store::{
    After, Attempt, Bell, Change, Intent, LaneId, Lease, Millis, Next, RECENT_WRITES_MS, StoreError,
};
use proptest::prelude::*;

use self::asked::Ask;
use self::plain::{Answer, Ending, Model, Sent, Write, key};
use crate::stage::*;

#[derive(Debug, Clone)]
enum Step {
    Ring {
        record: u8,
        dedupe: Option<u8>,
    },
    Claim {
        max: usize,
    },
    Turn(Millis),
    Renew {
        lease: usize,
    },
    Intend {
        lease: usize,
        sent: Sent,
    },
    CloseWrite {
        lease: usize,
        done: bool,
        asks: Vec<Ask>,
    },
    End {
        lease: usize,
        noted: bool,
        ending: Ending,
        asks: Vec<Ask>,
    },
    AnswerCard {
        card: i64,
        choice: u8,
    },
    SettleHold {
        hold: i64,
        released: bool,
    },
    Note {
        name: u8,
        value: Option<u8>,
    },
    Wake {
        lane: usize,
    },
    /// Closes the store and opens it again, unless it is in memory.
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    // Leases are counted from the youngest: mostly the live one, sometimes an old one.
    let lease = || prop_oneof![4 => Just(0_usize), 2 => 1..3_usize, 1 => 3..9_usize];
    let ending = prop_oneof![
        4 => Just(Ending::Settled),
        3 => (prop_oneof![Just(0), Just(500), Just(LEASE_MS)], prop_oneof![Just(After::Look), Just(After::PutOff), Just(After::Failure)]).prop_map(|(in_ms, after)| Ending::Wait { in_ms, after }),
        2 => proptest::option::of(0..2_u8).prop_map(|on| Ending::Parked { on }),
        1 => Just(Ending::Held),
        2 => (0..5_usize).prop_map(|into| Ending::Retired { into }),
    ];
    let what = || proptest::option::weighted(0.8, 0..2_u8);
    let ask = prop_oneof![
        (0..2_u8, what()).prop_map(|(subject, what)| Ask::Card { subject, what }),
        (
            0..2_u8,
            what(),
            proptest::option::of(prop_oneof![Just(500), Just(LEASE_MS)])
        )
            .prop_map(|(subject, what, grace_ms)| Ask::Hold {
                subject,
                what,
                grace_ms
            }),
    ];
    let asks = proptest::collection::vec(ask, 0..3).boxed();
    prop_oneof![
        6 => (0..5_u8, proptest::option::weighted(0.4, 0..12_u8)).prop_map(|(record, dedupe)| Step::Ring { record, dedupe }),
        5 => (1..3_usize).prop_map(|max| Step::Claim { max }),
        3 => prop_oneof![Just(1), Just(500), Just(LEASE_MS - 1), Just(LEASE_MS), Just(RECENT_WRITES_MS)].prop_map(Step::Turn),
        1 => lease().prop_map(|lease| Step::Renew { lease }),
        3 => (lease(), any::<bool>(), any::<bool>()).prop_map(|(lease, to_partner_center, irreversible)| Step::Intend {
            lease,
            sent: Sent { to_partner_center, irreversible },
        }),
        3 => (lease(), any::<bool>(), asks.clone()).prop_map(|(lease, done, asks)| Step::CloseWrite { lease, done, asks }),
        6 => (lease(), proptest::bool::weighted(0.9), ending, asks)
            .prop_map(|(lease, noted, ending, asks)| Step::End { lease, noted, ending, asks }),
        1 => (0..8_i64, 0..2_u8).prop_map(|(card, choice)| Step::AnswerCard { card, choice }),
        1 => (0..8_i64, any::<bool>()).prop_map(|(hold, released)| Step::SettleHold { hold, released }),
        1 => (0..2_u8, proptest::option::of(0..9_u8)).prop_map(|(name, value)| Step::Note { name, value }),
        1 => (0..5_usize).prop_map(|lane| Step::Wake { lane }),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_store_in_memory_does_what_the_model_does(steps in proptest::collection::vec(step(), 1..80)) {
        follow(async || Stage::in_memory(), &steps);
    }
}

proptest! {
    // Few, because every step waits for the disk.
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_store_in_a_file_does_what_the_model_does(steps in proptest::collection::vec(step(), 1..60)) {
        follow(async || Stage::in_a_file(), &steps);
    }
}

proptest! {
    // Few, because every step takes many questions to a server.
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_store_on_postgres_does_what_the_model_does(steps in proptest::collection::vec(step(), 1..60)) {
        follow(Stage::on_postgres, &steps);
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

fn follow(stage: impl AsyncFnOnce() -> Stage, steps: &[Step]) {
    runtime().block_on(async move {
        let mut pair = Pair {
            stage: stage().await,
            model: Model::default(),
            leases: Vec::new(),
        };
        for (number, step) in steps.iter().enumerate() {
            pair.take(step).await;
            pair.compare(number, step).await;
        }
        assert_eq!(pair.stage.store.check_audit().await.unwrap(), []);
    });
}

struct Pair {
    stage: Stage,
    model: Model,
    /// Every lease ever given, with what its run saw.
    leases: Vec<(Lease, Vec<Bell>)>,
}

fn answer<T>(result: Result<T, StoreError>) -> Answer {
    match result {
        Ok(_) => Answer::Done,
        Err(StoreError::Fenced { .. }) => Answer::Fenced,
        Err(StoreError::IntentOpen { .. }) => Answer::IntentOpen,
        Err(StoreError::NoIntent { .. }) => Answer::NoIntent,
        Err(StoreError::NoLane { .. }) => Answer::NoLane,
        Err(StoreError::NoCard { .. }) => Answer::NoCard,
        Err(StoreError::NoHold { .. }) => Answer::NoHold,
        Err(other) => panic!("{other:?}"),
    }
}

impl Pair {
    async fn take(&mut self, step: &Step) {
        let now = self.stage.hand.now();
        match step {
            Step::Ring { record, dedupe } => {
                let mut event = event(&key(*record));
                event.dedupe = dedupe.map(|number| number.to_string());
                let expected = self.model.ring_from_outside(*record, *dedupe, now);
                assert_eq!(self.stage.accept(event).await, expected);
            }
            Step::Claim { max } => {
                let expected = self.model.claim(now, *max);
                let leases = self
                    .stage
                    .store
                    .claim("worker", LEASE_MS, *max)
                    .await
                    .unwrap();
                let got: Vec<_> = leases
                    .iter()
                    .map(|lease| (lease.lane, lease.fence, lease.until))
                    .collect();
                assert_eq!(got, expected);
                for lease in leases {
                    let bells = self.compare_opened(&lease).await;
                    self.leases.push((lease, bells));
                }
            }
            Step::Turn(ms) => self.stage.hand.turn(*ms),
            Step::Renew { lease } => {
                let Some((lease, _)) = self.lease(*lease) else {
                    return;
                };
                let expected = self.model.held(&lease, |lane| {
                    lane.lease = Some(now + LEASE_MS);
                    Answer::Done
                });
                assert_eq!(
                    answer(self.stage.store.renew(&lease, LEASE_MS).await),
                    expected
                );
            }
            Step::Intend { lease, sent } => {
                let Some((lease, _)) = self.lease(*lease) else {
                    return;
                };
                let expected = self.model.held(&lease, |lane| {
                    if lane.intent.is_some() {
                        return Answer::IntentOpen;
                    }
                    lane.intent = Some(sent.clone());
                    Answer::Done
                });
                let target = if sent.to_partner_center {
                    referral("r1")
                } else {
                    opportunity("o1")
                };
                let intent = Intent {
                    target,
                    irreversible: sent.irreversible,
                    ..intent("op")
                };
                assert_eq!(
                    answer(self.stage.store.intend(&lease, intent).await),
                    expected
                );
            }
            Step::CloseWrite { lease, done, asks } => {
                let Some((lease, _)) = self.lease(*lease) else {
                    return;
                };
                let mut sent = None;
                let expected = self.model.held(&lease, |lane| {
                    sent = lane.intent.take();
                    if sent.is_none() {
                        return Answer::NoIntent;
                    }
                    lane.audited += 1;
                    Answer::Done
                });
                if let Some(sent) = sent {
                    self.model.writes.push(Write {
                        lane: lease.lane.0 as usize - 1,
                        sent,
                        done: *done,
                        at: now,
                    });
                    self.model.asks(lease.lane, asks, now);
                }
                let mut change = Change {
                    attempt: Some(Attempt {
                        operation: "op".into(),
                        outcome: if *done { "done" } else { "refused" }.into(),
                        detail: String::new(),
                    }),
                    audit: vec![line("written")],
                    ..Change::default()
                };
                for ask in asks {
                    ask.add_to(&mut change, now);
                }
                assert_eq!(
                    answer(self.stage.store.complete_write(&lease, change).await),
                    expected
                );
            }
            Step::End {
                lease,
                noted,
                ending,
                asks,
            } => {
                let Some((lease, bells)) = self.lease(*lease) else {
                    return;
                };
                let noted = if *noted { bells } else { vec![] };
                let expected = self.model.end(&lease, &noted, ending, now);
                if expected == Answer::Done {
                    self.model.asks(lease.lane, asks, now);
                }
                let mut change = Change {
                    audit: vec![line("ran"), line("ended")],
                    ..Change::default()
                };
                for ask in asks {
                    ask.add_to(&mut change, now);
                }
                let next = ending.next(now);
                assert_eq!(
                    answer(
                        self.stage
                            .store
                            .complete_run(&lease, &noted, change, next)
                            .await
                    ),
                    expected
                );
            }
            Step::Wake { lane } => {
                let expected = self.model.wake(*lane, now);
                let lane = LaneId(*lane as i64 + 1);
                assert_eq!(
                    answer(self.stage.store.wake(HERE, lane, "person").await),
                    expected
                );
            }
            Step::AnswerCard { card, choice } => {
                let choice = choice.to_string();
                let answered = self.stage.store.answer_card(HERE, *card, &choice, "ada");
                let answered = answer(answered.await);
                assert_eq!(answered, self.model.answer_card(*card, choice, now));
            }
            Step::SettleHold { hold, released } => {
                let settled = self.stage.store.settle_hold(HERE, *hold, *released, "ada");
                let settled = answer(settled.await);
                assert_eq!(settled, self.model.settle_hold(*hold, *released, now));
            }
            Step::Note { name, value } => {
                let value = value.map(|value| value.to_string());
                match &value {
                    Some(value) => self.model.notes.insert(*name, value.clone()),
                    None => self.model.notes.remove(name),
                };
                let name = name.to_string();
                let set = self.stage.store.set_note(HERE, &name, value);
                set.await.unwrap();
            }
            Step::Reopen => self.stage.reopen().await,
        }
    }

    fn lease(&self, from_youngest: usize) -> Option<(Lease, Vec<Bell>)> {
        self.leases.iter().rev().nth(from_youngest).cloned()
    }
}

impl Ending {
    fn next(&self, now: Millis) -> Next {
        match self {
            Self::Settled => Next::Settled,
            Self::Wait { in_ms, after } => wait(now + in_ms, *after),
            Self::Parked { on } => Next::Parked {
                reasons: "[]".into(),
                state: on.map(|on| on.to_string()),
            },
            Self::Held => Next::Held { reason: "h".into() },
            Self::Retired { into } => Next::Retired {
                into: LaneId(*into as i64 + 1),
            },
        }
    }
}
