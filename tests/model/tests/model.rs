//! The model of histories, proved on a few of them; `cargo verify` plays many more.
#![allow(missing_docs, reason = "tests are read by their names")]

use std::sync::{Arc, OnceLock};

use cosell_model::draw::{Scope, history};
use cosell_model::history::{Order, kit, play, play_many, watch};
use cosell_model::kit::Kit;
use cosell_model::known::KNOWN;
use cosell_model::layer::{ANSWERED, FENCED, INTENDED, KEPT, ONE_LEASE, RESTS};
use cosell_model::op;
use cosell_model::tell::tell;
use cosell_model::wire::Spoil;

/// Compiled once for all tests here.
fn shared() -> Arc<Kit> {
    static KIT: OnceLock<Arc<Kit>> = OnceLock::new();
    Arc::clone(KIT.get_or_init(|| kit().expect("`cargo xtask plugins` has built the components")))
}

/// Guests run on the caller's stack, and a test's is too small for that.
fn on_a_large_stack<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(8 << 20);
        let running = thread.spawn_scoped(scope, work).expect("a thread");
        running
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

#[test]
fn histories_keep_every_promise() {
    let order = Order {
        first: 1,
        count: 50,
        threads: 2,
        failures_max: 3,
        scope: Scope::default(),
        spoil: None,
    };
    let report = play_many(&shared(), order);
    let told: Vec<String> = report.failures.iter().map(ToString::to_string).collect();
    assert!(told.is_empty(), "{}", told.join("\n\n"));
    assert_eq!(report.played, 50);
}

#[test]
fn a_history_repeats_exactly() {
    let kit = shared();
    on_a_large_stack(|| {
        for seed in 1..30 {
            let ops = history(seed, Scope::default());
            let once = || {
                let mut told = String::new();
                let broken = watch(&kit, seed, &ops, None, &mut |evidence| {
                    told = tell(evidence)
                });
                // Operation ids are nobody's business but the vendors'.
                let lines = told.lines().filter(|line| !line.contains("tag=cosell"));
                (
                    lines.collect::<Vec<_>>().join("\n"),
                    broken.map(|broken| broken.promise),
                )
            };
            let (first, second) = (once(), once());
            assert_eq!(first, second, "seed {seed}: {}", op::line(&ops));
        }
    });
}

#[test]
fn a_known_mistake_leaves_the_list_when_it_is_mended() {
    let kit = shared();
    on_a_large_stack(|| {
        for known in KNOWN {
            let ops = op::parse(known.ops).unwrap();
            let broken = play(&kit, 1, &ops).filter(|broken| (known.shows)(broken));
            assert!(
                broken.is_some(),
                "this is mended, so it leaves the list: {}",
                known.what
            );
        }
    });
}

/// The shortest histories of mistakes that the host once made.
const MENDED: [&str; 24] = [
    "create.0.lead crm.0.won calm crm.0.solution.0",
    "create.0.whole calm portal.0.contact.3 portal.0.solution.8",
    "hold.contacts.a-person create.0.helped",
    "hold.contacts.a-person create.0.helped calm crm.0.switch.9 cut.6.after at.any2.no-connection calm",
    "create.0.lead crm.0.won crm.0.lost",
    "arrive.0 calm crm.0.lost portal.0.open",
    "hold.visibility.a-person create.0.whole calm crm.0.help.1",
    "found.0 at.pc!1.503 deliver.1 run.3 swap.1",
    "create.0.whole calm portal.0.contact.3 calm crm.0.contact.9",
    "create.0.whole calm portal.0.contact.1 calm crm.0.contact.2",
    "arrive.0 lose.1 hide.0",
    "consent.none create.0.helped calm consent.declared",
    "found.0 calm portal.0.notes.1 deliver.9 at.crm!1.crash-after run.1 portal.0.notes.2 calm",
    "found.0 at.any1.freeze calm",
    "arrive.0 at.crm!1.done-but-500 deliver.9 run.3 portal.0.open",
    "found.1 at.crm!3.done-but-500 deliver.9 run.3 crm.1.won",
    "found.1 at.crm!2.done-but-500 deliver.9 run.3 crm.1.won",
    "arrive.0 deliver.9 run.2 portal.0.open portal.0.lost",
    "create.0.helped at.entra2.freeze calm step.3600 calm",
    "arrive.0 calm crm.0.won crm.0.deleted portal.0.value.0",
    "found.0 calm crm.0.notes.1 deliver.9 at.pc!1.crash-late.7 run.1 at.pc!1.crm.0.notes.2 run.1 calm",
    "found.0 calm crm.0.solution.1 at.pc!1.crash-after portal.0.solution.0 calm",
    "found.0 calm crm.0.solution.1 portal.0.solution.0 at.crm!1.crash-before calm",
    "found.0 calm crm.0.solution.1 portal.0.solution.2 at.crm!1.crash-before calm",
];

#[test]
fn what_was_mended_stays_mended() {
    let kit = shared();
    on_a_large_stack(|| {
        for line in MENDED {
            let ops = op::parse(line).unwrap();
            assert_eq!(play(&kit, 1, &ops), None, "{line}");
        }
    });
}

/// A network that makes a good host look bad, a history in which it does, and the promise that is broken then.
const SPOILT: [(Spoil, &str, &str); 8] = [
    (
        Spoil::NoEtags,
        "found.0 calm at.crm2.crm.0.notes.0 portal.0.notes.1 deliver.1 run.2",
        "no unit is lost silently",
    ),
    (
        Spoil::Upserts,
        "found.0 deliver.1 at.crm!2.crash-after run.1 crm.0.notes.1 calm",
        "no unit is lost silently",
    ),
    (
        Spoil::RepeatsPosts,
        "create.0.helped at.pc1.cut-after calm",
        "no record is there twice",
    ),
    (
        Spoil::Stammers,
        "found.0",
        "at most two writes per human edit",
    ),
    (
        Spoil::BlanksNotes,
        "found.0",
        "nothing is blanked that nobody blanked",
    ),
    (
        Spoil::Inflates,
        "create.0.whole calm crm.0.value.1",
        "every lane is in step or explained",
    ),
    (
        Spoil::Closes,
        "found.0",
        "nothing irreversible without a permit",
    ),
    (
        Spoil::Exposes,
        "found.0",
        "nothing irreversible without a permit",
    ),
];

/// A mistake of the protocol, a short history that shows it, and the promise that it breaks. `cargo xtask mutants` finds such histories.
const MUTANTS: [(Spoil, &str, &str); 17] = [
    (
        Spoil::NoEtags,
        "found.0 calm at.pc!1.portal.0.solution.3 sweep.pc crm.0.solution.2 run.2",
        "no unit is lost silently",
    ),
    (
        Spoil::Upserts,
        "found.0 deliver.1 at.crm!2.crash-after run.1 crm.0.notes.1 calm",
        "no unit is lost silently",
    ),
    (
        Spoil::RepeatsPosts,
        "create.0.helped at.pc1.cut-after calm",
        "no record is there twice",
    ),
    (
        Spoil::Overwrites,
        "found.0 calm at.crm!1.crm.0.notes.0 portal.0.notes.1 calm",
        "no unit is lost silently",
    ),
    (
        Spoil::AcknowledgesEarly,
        "create.0.whole cut.1.before deliver.3 run.1",
        KEPT,
    ),
    (
        Spoil::CursorsFirst,
        "create.0.whole calm sweep.pc sweep.crm calm crm.0.notes.1 lose.9 cut.7.before sweep.crm",
        "every lane is in step or explained",
    ),
    (
        Spoil::HearsOnce,
        "create.0.whole calm crm.0.notes.1 calm",
        KEPT,
    ),
    (
        Spoil::LeasesEvents,
        "create.0.whole calm crm.0.notes.1 deliver.1 together",
        ONE_LEASE,
    ),
    (
        Spoil::NoFences,
        "create.0.whole calm crm.0.notes.1 at.pc2.freeze calm thaw",
        FENCED,
    ),
    (Spoil::NoIntents, "create.0.whole calm", INTENDED),
    (
        Spoil::ForgetsUnknown,
        "create.0.whole at.pc!1.cut-after calm wait.120 calm",
        "no record is there twice",
    ),
    (
        Spoil::RandomIds,
        "found.0 deliver.1 at.crm!2.crash-after run.1 lose.9 run.2 calm",
        "no record is there twice",
    ),
    (
        Spoil::MovesBasesEarly,
        "create.0.whole calm crm.0.notes.1 at.pc!1.429 calm",
        "nobody is asked about an edit of one side",
    ),
    (
        Spoil::KeepsBases,
        "found.0 calm portal.0.notes.2 calm",
        "nobody is asked about an edit of one side",
    ),
    (
        Spoil::AnswersLaterRings,
        "create.0.whole calm crm.0.notes.1 deliver.1 at.pc1.freeze run.1 crm.0.notes.2 deliver.1 thaw calm",
        ANSWERED,
    ),
    (
        Spoil::NeverWaits,
        "create.0.whole calm sweep.pc sweep.crm calm crm.0.notes.1 lose.9 sweep.crm at.crm1.503 run.1",
        "every lane is in step or explained",
    ),
    (
        Spoil::IgnoresThrottles,
        "create.0.whole calm crm.0.notes.1 at.pc1.429 calm crm.0.notes.2 calm",
        RESTS,
    ),
];

/// Without the mistake its history keeps every promise, and with it this one is broken.
fn each_is_seen(mistakes: &[(Spoil, &str, &str)]) {
    let kit = shared();
    on_a_large_stack(|| {
        for &(spoil, line, promise) in mistakes {
            let ops = op::parse(line).expect("a history");
            let alone = play(&kit, 1, &ops);
            assert_eq!(alone, None, "without {spoil:?}: {line}");
            let broken = watch(&kit, 1, &ops, Some(spoil), &mut |_| {});
            let seen = broken.as_ref().map(|broken| broken.promise);
            assert_eq!(seen, Some(promise), "{spoil:?}: {line}: {broken:?}");
        }
    });
}

#[test]
fn every_mutant_is_caught() {
    let listed: Vec<Spoil> = MUTANTS.iter().map(|(mutant, ..)| *mutant).collect();
    assert_eq!(listed, Spoil::MUTANTS);
    each_is_seen(&MUTANTS);
}

#[test]
fn the_judge_sees_what_a_bad_host_would_do() {
    each_is_seen(&SPOILT);
}

/// The store's clock steps forward and back by an hour, between and within everything that waits: leases, backoff, throttles, a quiet period.
#[test]
fn steps_of_the_clock_are_survived() {
    let kit = shared();
    on_a_large_stack(|| {
        for ops in [
            "create.0.draft create.1.draft calm step.-3600",
            "quiet.60 create.0.whole deliver.9 run.1 step.-3600 calm wait.90 calm",
            "create.0.whole calm at.crm1.429 crm.0.value.2 deliver.9 run.1 step.-3600 run.2 step.3600 run.2",
            "create.0.whole calm crm.0.value.2 deliver.9 at.crm1.freeze run.1 step.3600 run.2 step.-3600 thaw",
            "create.0.helped at.pc!1.crash-after run.1 step.-3600 run.2 step.3600 calm",
            "create.0.whole calm step.3600 at.any1.503 portal.0.value.3 deliver.9 run.1 step.-3600 restart run.2",
        ] {
            let ops = op::parse(ops).unwrap();
            let broken = play(&kit, 1, &ops);
            let told = broken.map(|broken| format!("{}: {}", broken.promise, broken.how));
            assert_eq!(told, None, "{}", op::line(&ops));
        }
    });
}
