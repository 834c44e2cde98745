//! Random histories of one connection, told to a store and to a model of it. After every step both have to show the same.

mod plain;

use cosell_store::{Bell, Change, LaneId, Lease, Millis, Next, StoreError};
use proptest::prelude::*;

use self::plain::{Answer, Ending, Lane, Model, key};
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
    },
    CloseWrite {
        lease: usize,
    },
    End {
        lease: usize,
        noted: bool,
        ending: Ending,
    },
    Wake {
        lane: usize,
    },
    /// Closes the store and opens it again, where there is a file.
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    // Leases are counted from the youngest: mostly the live one, sometimes an old one.
    let lease = || prop_oneof![4 => Just(0_usize), 2 => 1..3_usize, 1 => 3..9_usize];
    let ending = prop_oneof![
        4 => Just(Ending::Settled),
        3 => (prop_oneof![Just(0), Just(500), Just(LEASE_MS)], any::<bool>()).prop_map(|(in_ms, failed)| Ending::Wait { in_ms, failed }),
        2 => Just(Ending::Parked),
        1 => Just(Ending::Held),
        2 => (0..5_usize).prop_map(|into| Ending::Retired { into }),
    ];
    prop_oneof![
        6 => (0..5_u8, proptest::option::weighted(0.4, 0..12_u8)).prop_map(|(record, dedupe)| Step::Ring { record, dedupe }),
        5 => (1..3_usize).prop_map(|max| Step::Claim { max }),
        3 => prop_oneof![Just(1), Just(500), Just(LEASE_MS - 1), Just(LEASE_MS)].prop_map(Step::Turn),
        1 => lease().prop_map(|lease| Step::Renew { lease }),
        2 => lease().prop_map(|lease| Step::Intend { lease }),
        2 => lease().prop_map(|lease| Step::CloseWrite { lease }),
        6 => (lease(), proptest::bool::weighted(0.9), ending).prop_map(|(lease, noted, ending)| Step::End { lease, noted, ending }),
        1 => (0..5_usize).prop_map(|lane| Step::Wake { lane }),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_store_in_memory_does_what_the_model_does(steps in proptest::collection::vec(step(), 1..80)) {
        follow(Stage::in_memory(), &steps);
    }
}

proptest! {
    // Few, because every step waits for the disk.
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_store_in_a_file_does_what_the_model_does(steps in proptest::collection::vec(step(), 1..60)) {
        follow(Stage::in_a_file(), &steps);
    }
}

fn follow(stage: Stage, steps: &[Step]) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    runtime.block_on(async move {
        let mut pair = Pair {
            stage,
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
            Step::Intend { lease } => {
                let Some((lease, _)) = self.lease(*lease) else {
                    return;
                };
                let expected = self.model.held(&lease, |lane| {
                    if std::mem::replace(&mut lane.intent, true) {
                        Answer::IntentOpen
                    } else {
                        Answer::Done
                    }
                });
                assert_eq!(
                    answer(self.stage.store.intend(&lease, intent("op")).await),
                    expected
                );
            }
            Step::CloseWrite { lease } => {
                let Some((lease, _)) = self.lease(*lease) else {
                    return;
                };
                let expected = self.model.held(&lease, |lane| {
                    if std::mem::take(&mut lane.intent) {
                        lane.audited += 1;
                        Answer::Done
                    } else {
                        Answer::NoIntent
                    }
                });
                let change = Change {
                    audit: vec![line("written")],
                    ..Change::default()
                };
                assert_eq!(
                    answer(self.stage.store.complete_write(&lease, change).await),
                    expected
                );
            }
            Step::End {
                lease,
                noted,
                ending,
            } => {
                let Some((lease, bells)) = self.lease(*lease) else {
                    return;
                };
                let noted = if *noted { bells } else { vec![] };
                let expected = self.model.end(&lease, &noted, ending, now);
                let change = Change {
                    audit: vec![line("ran"), line("ended")],
                    ..Change::default()
                };
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
            Step::Reopen if self.stage.is_in_a_file() => self.stage.reopen(),
            Step::Reopen => {}
        }
    }

    fn lease(&self, from_youngest: usize) -> Option<(Lease, Vec<Bell>)> {
        self.leases.iter().rev().nth(from_youngest).cloned()
    }

    async fn compare_opened(&self, lease: &Lease) -> Vec<Bell> {
        let state = self.stage.open(lease).await;
        let lane = lease.lane.0 as usize - 1;
        let records: Vec<_> = self
            .model
            .records
            .iter()
            .filter(|(_, record)| record.lane == lane)
            .collect();
        assert_eq!(
            state.members,
            records.iter().map(|(id, _)| key(**id)).collect::<Vec<_>>()
        );
        let counters: Vec<_> = state
            .bells
            .iter()
            .map(|bell| (bell.rung, bell.answered))
            .collect();
        assert_eq!(
            counters,
            records
                .iter()
                .map(|(_, record)| (record.rung, record.answered))
                .collect::<Vec<_>>()
        );
        assert_eq!(state.intent.is_some(), self.model.lanes[lane].intent);
        state.bells
    }

    async fn compare(&self, number: usize, step: &Step) {
        let (store, model, now) = (&self.stage.store, &self.model, self.stage.hand.now());
        let shown: Vec<_> = store
            .lanes(HERE, 100)
            .await
            .unwrap()
            .into_iter()
            .rev()
            .map(|lane| {
                (
                    lane.lane.0,
                    lane.state,
                    lane.next_at,
                    lane.unanswered,
                    lane.attempts,
                )
            })
            .collect();
        let expected: Vec<_> = (0..model.lanes.len())
            .map(|lane| model.summary(lane, now))
            .collect();
        assert_eq!(shown, expected, "after step {number}, {step:?}");
        assert_eq!(
            store.next_due().await.unwrap(),
            model.lanes.iter().filter_map(Lane::due).min()
        );

        let census = store.census().await.unwrap();
        assert_eq!(census.events, model.events);
        assert_eq!(
            census.intents,
            model.lanes.iter().filter(|lane| lane.intent).count() as i64
        );
        let waiting = model
            .records
            .values()
            .filter(|record| record.rung > record.answered)
            .count();
        assert_eq!(census.bells_unanswered, waiting as i64);
        for (lane, expected) in model.lanes.iter().enumerate() {
            let audit = store.audit(HERE, LaneId(lane as i64 + 1)).await.unwrap();
            assert_eq!(audit.len(), expected.audited);
        }
        // I9, in so many words.
        for record in model
            .records
            .values()
            .filter(|record| record.rung > record.answered)
        {
            assert!(
                model.lanes[record.lane].due().is_some(),
                "an unanswered bell in an idle lane"
            );
        }
    }
}

impl Ending {
    fn next(&self, now: Millis) -> Next {
        match self {
            Self::Settled => Next::Settled,
            Self::Wait { in_ms, failed } => wait(now + in_ms, *failed),
            Self::Parked => parked("f"),
            Self::Held => Next::Held { reason: "h".into() },
            Self::Retired { into } => Next::Retired {
                into: LaneId(*into as i64 + 1),
            },
        }
    }
}
