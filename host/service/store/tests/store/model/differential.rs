//! The same random steps on a store in a file and on PostgreSQL: the same answers, and at the end the same rows in every table.

use cosell_store::{Accepted, AcceptedEvent, Attempt, Change, LaneId, Lease, StoreError, dump};
use proptest::prelude::*;

use super::plain::key;
use super::{Step, runtime, step};
use crate::stage::*;

proptest! {
    // Few, because every step waits for a disk and a server.
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn both_stores_answer_alike_and_hold_the_same(steps in proptest::collection::vec(step(), 1..60)) {
        runtime().block_on(async {
            let (mut file, mut database) = (Side::new(Stage::in_a_file()), Side::new(Stage::on_postgres().await));
            for (number, step) in steps.iter().enumerate() {
                let (left, right) = (file.take(step).await, database.take(step).await);
                assert_eq!(left, right, "step {number}, {step:?}");
                assert_eq!(file.shown().await, database.shown().await, "after step {number}, {step:?}");
            }
            assert_eq!(
                without_salts(dump(&file.stage.address()).await.unwrap()),
                without_salts(dump(&database.stage.address()).await.unwrap())
            );
            for side in [&file, &database] {
                assert_eq!(side.stage.store.check().await.unwrap(), []);
            }
        });
    }
}

/// Salts of the audit are drawn, and its hashes stand on them: each store verifies its own.
fn without_salts(lines: Vec<String>) -> Vec<String> {
    let drawn = ["salt=", "commitment=", "hash=", "audit_head="];
    let bare = |line: String| {
        if !line.starts_with("audit: ") && !line.starts_with("lane: ") {
            return line;
        }
        let words = line.split(' ');
        let kept: Vec<&str> = words
            .filter(|word| !drawn.iter().any(|name| word.starts_with(name)))
            .collect();
        kept.join(" ")
    };
    lines.into_iter().map(bare).collect()
}

/// One of the two stores.
struct Side {
    stage: Stage,
    leases: Vec<Lease>,
}

/// Answers as text: whatever differs is seen.
fn told<T: std::fmt::Debug>(answer: &Result<T, StoreError>) -> String {
    match answer {
        // What a database says about a mistake is its own.
        Err(StoreError::Broken { doing, .. }) => format!("broken: {doing}"),
        answer => format!("{answer:?}"),
    }
}

impl Side {
    const fn new(stage: Stage) -> Self {
        Self {
            stage,
            leases: Vec::new(),
        }
    }

    async fn take(&mut self, step: &Step) -> String {
        let (store, now) = (&self.stage.store, self.stage.hand.now());
        let lease = |from_youngest: usize| self.leases.iter().rev().nth(from_youngest);
        match step {
            Step::Ring { record, dedupe } => {
                let one = AcceptedEvent {
                    dedupe: dedupe.map(|number| number.to_string()),
                    ..event(&key(*record))
                };
                // With a neighbour in the same call, so that calls of several events are told apart, too.
                let other = event(&key(record / 2));
                let accepted: Result<Vec<Accepted>, _> = store.accept(vec![one, other], None).await;
                told(&accepted)
            }
            Step::Claim { max } => {
                let claimed = store.claim("worker", LEASE_MS, *max).await;
                let said = told(&claimed);
                self.leases.extend(claimed.unwrap_or_default());
                said
            }
            Step::Turn(ms) => {
                self.stage.hand.turn(*ms);
                String::new()
            }
            Step::Renew { lease: which } => match lease(*which) {
                Some(lease) => told(&store.renew(lease, LEASE_MS).await),
                None => String::new(),
            },
            Step::Intend { lease: which, sent } => {
                let Some(lease) = lease(*which) else {
                    return String::new();
                };
                let mut wanted = intent("op");
                wanted.irreversible = sent.irreversible;
                if sent.to_partner_center {
                    wanted.target = referral("r1");
                }
                told(&store.intend(lease, wanted).await)
            }
            Step::CloseWrite {
                lease: which,
                done,
                asks,
            } => {
                let Some(lease) = lease(*which) else {
                    return String::new();
                };
                let mut change = Change {
                    attempt: Some(Attempt {
                        operation: "op".into(),
                        outcome: if *done { "done" } else { "refused" }.into(),
                        detail: String::new(),
                    }),
                    audit: vec![line("written")],
                    // Rows meet in two lanes now and then, and then one of them is refused.
                    ..linking(pair(
                        &format!("r{}", lease.fence % 3),
                        &format!("o{}", lease.fence % 3),
                    ))
                };
                for ask in asks {
                    ask.add_to(&mut change, now);
                }
                told(&store.complete_write(lease, change).await)
            }
            Step::End {
                lease: which,
                noted,
                ending,
                asks,
            } => {
                let Some(lease) = lease(*which) else {
                    return String::new();
                };
                let bells = match store.open(lease).await {
                    Ok(state) if *noted => state.bells,
                    _ => Vec::new(),
                };
                let mut change = Change {
                    audit: vec![line("ran"), line("ended")],
                    members: vec![opportunity(&format!("o{}", lease.lane.0))],
                    ..Change::default()
                };
                for ask in asks {
                    ask.add_to(&mut change, now);
                }
                let next = ending.next(now);
                told(&store.complete_run(lease, &bells, change, next).await)
            }
            Step::AnswerCard { card, choice } => {
                let choice = choice.to_string();
                told(&store.answer_card(HERE, *card, &choice, "ada").await)
            }
            Step::SettleHold { hold, released } => {
                told(&store.settle_hold(HERE, *hold, *released, "ada").await)
            }
            Step::Note { name, value } => {
                let value = value.map(|value| value.to_string());
                told(&store.set_note(HERE, &name.to_string(), value).await)
            }
            Step::Wake { lane } => {
                told(&store.wake(HERE, LaneId(*lane as i64 + 1), "person").await)
            }
            Step::Reopen => {
                self.stage.reopen().await;
                String::new()
            }
        }
    }

    /// Everything that the door shows.
    async fn shown(&self) -> Vec<String> {
        let store = &self.stage.store;
        let lanes = store.lanes(HERE, 100).await;
        let mut shown = vec![
            told(&lanes),
            told(&store.census().await),
            told(&store.next_due().await),
            told(&store.cards(None, false, 100).await),
            told(&store.holds(Some(HERE), true, 100).await),
            told(&store.linked_referrals(HERE, None, 100).await),
            told(&store.writes_since(HERE, "crm", BEGIN).await),
        ];
        for lane in lanes.unwrap_or_default() {
            shown.push(told(&store.peek(HERE, lane.lane).await));
        }
        if let Some(lease) = self.leases.last() {
            shown.push(told(&store.open(lease).await));
            shown.push(told(&store.attempts(HERE, lease.lane).await));
        }
        shown
    }
}
