//! Whatever is asked in whatever order: no window ever holds more than the service allows, and whoever waits as long as he is told goes on.

use cosell_sync::budget::{Budget, Heard, Limits, Turn, Work};
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Step {
    Begin(bool),
    End,
    Call,
    Answer(u64, bool),
    Pass(u64),
    Hosts(u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => any::<bool>().prop_map(Step::Begin),
        2 => Just(Step::End),
        6 => Just(Step::Call),
        6 => (0_u64..3_000, prop::bool::weighted(0.05)).prop_map(|(ms, refused)| Step::Answer(ms, refused)),
        3 => (0_u64..4_000).prop_map(Step::Pass),
        1 => (1_u32..5).prop_map(Step::Hosts),
    ]
}

fn limits() -> impl Strategy<Value = Limits> {
    let counts = (
        1_u64..20_000,
        0_u32..60,
        0_u64..50_000,
        1_u32..10,
        0_u32..=100,
    );
    counts.prop_map(
        |(window_ms, requests, execution_ms, at_once, bulk_percent)| Limits {
            window_ms,
            requests,
            execution_ms,
            at_once,
            bulk_percent,
            is_shared: true,
        },
    )
}

proptest! {
    #[test]
    fn no_window_holds_more_than_is_allowed(limits in limits(), steps in prop::collection::vec(step(), 1..400)) {
        let mut budget = Budget::new(limits);
        let (mut now, mut begun, mut running) = (0_u64, 0, 0_u32);
        let mut calls: Vec<u64> = Vec::new();
        for step in steps {
            match step {
                Step::Begin(bulk) => {
                    let work = if bulk { Work::Bulk } else { Work::Fresh };
                    let has_room = budget.room(now) > 0;
                    let turn = budget.begin(now, work);
                    if work == Work::Fresh {
                        prop_assert_eq!(turn == Turn::Go, has_room);
                    }
                    match turn {
                        Turn::Go => begun += 1,
                        Turn::In(ms) => prop_assert!(ms > 0),
                        Turn::WhenOneEnds => prop_assert!(false, "a run takes no turn among calls"),
                    }
                }
                Step::End => {
                    if begun > 0 {
                        begun -= 1;
                        budget.end();
                    }
                }
                Step::Call => match budget.call(now) {
                    Turn::Go => {
                        running += 1;
                        calls.push(now);
                        prop_assert!(running <= limits.at_once);
                        let inside = calls.iter().filter(|at| **at + limits.window_ms > now).count();
                        prop_assert!(limits.requests == 0 || inside <= limits.requests as usize);
                    }
                    Turn::WhenOneEnds => prop_assert!(running > 0, "nobody is under way, and one waits for an end"),
                    Turn::In(ms) => prop_assert!(ms > 0),
                },
                Step::Answer(ms, refused) => {
                    if running > 0 {
                        running -= 1;
                        budget.answered(now, ms, Heard { refused, ..Heard::default() });
                    }
                }
                Step::Pass(ms) => now += ms,
                Step::Hosts(hosts) => budget.shared_by(hosts),
            }
        }
        // All runs and calls end, and whoever waits as he is told is let in after some turns.
        for _ in 0..running {
            budget.answered(now, 1, Heard::default());
        }
        for _ in 0..begun {
            budget.end();
        }
        let mut turns = 0;
        while let Turn::In(ms) = budget.begin(now, Work::Bulk) {
            now += ms;
            turns += 1;
            prop_assert!(turns < 500, "it waits for ever");
        }
    }
}
