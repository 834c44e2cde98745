//! Every way to misbehave during a call, and that nobody else notices.

use std::future::Future;
use std::pin::pin;

use cosell_plugins::{EngineSettings, FaultKind, PluginFault, StopKind};
use cosell_sync::row::RecordKind;

use crate::guest::{Does, Guest, Val};
use crate::house::{House, asking, seen};

async fn ask(house: &House) -> Result<cosell_plugins::Reading, PluginFault> {
    house
        .set()
        .read(&asking(), RecordKind::Opportunity, &seen())
        .await
        .map_err(|stop| match stop.kind {
            StopKind::Fault(fault) => *fault,
            other => panic!("{other:?}"),
        })
}

fn house(does: Does) -> House {
    let guest = Guest::of(&["opportunity"])
        .named("hostile")
        .with("opportunity#to-deal", does);
    House::with(&[("66-hostile.wasm", guest.build())])
}

/// Asked twice: the second instance is as new as the first was.
async fn fault(does: Does) -> PluginFault {
    let house = house(does);
    let first = ask(&house).await.unwrap_err();
    let second = ask(&house).await.unwrap_err();
    assert_eq!(first.kind, second.kind);
    assert_eq!(first.message, second.message);
    first
}

#[tokio::test]
async fn a_loop_is_stopped() {
    let fault = fault(Does::Loops).await;
    assert_eq!(fault.kind, FaultKind::Timeout);
    assert!(
        fault.message.contains("did not answer within 50 ms"),
        "{}",
        fault.message
    );
}

#[tokio::test]
async fn a_memory_bomb_is_stopped() {
    let fault = fault(Does::EatsMemory).await;
    assert_eq!(fault.kind, FaultKind::Memory);
    assert!(
        fault.message.contains("may have 64 MiB"),
        "{}",
        fault.message
    );
}

#[tokio::test]
async fn an_endless_recursion_is_told_as_one() {
    let fault = fault(Does::Recurses).await;
    assert_eq!(fault.kind, FaultKind::Trap);
    assert!(
        fault.message.contains("called itself too deeply"),
        "{}",
        fault.message
    );
    assert!(fault.frames[0].contains("to-deal"), "{:?}", fault.frames);
}

#[tokio::test]
async fn a_panic_comes_with_the_last_words_and_the_frames() {
    let fault = fault(Does::LogsAndPanics("index out of bounds: 3", 1)).await;
    assert_eq!(fault.kind, FaultKind::Panic);
    assert_eq!(fault.trace.as_deref(), Some("index out of bounds: 3"));
    assert!(
        fault.frames[0].contains("opportunity@1.0.0#to-deal"),
        "{:?}",
        fault.frames
    );
}

#[tokio::test]
async fn an_answer_of_five_megabytes_is_refused() {
    let answer = Val::ok(Val::list([Val::with("name", Val::s(&"x".repeat(5 << 20)))]));
    let fault = fault(Does::Says(answer)).await;
    assert_eq!(fault.kind, FaultKind::Output);
    assert!(
        fault.message.contains("more than 4 MiB"),
        "{}",
        fault.message
    );
}

#[tokio::test]
async fn more_facts_than_a_deal_has_are_refused() {
    let many = (0..300).map(|_| Val::with("name", Val::s("x")));
    let fault = fault(Does::Says(Val::ok(Val::list(many)))).await;
    assert_eq!(fault.kind, FaultKind::Output);
    assert!(fault.message.contains("300 facts"), "{}", fault.message);
}

#[tokio::test]
async fn a_log_flood_does_not_stop_an_answer() {
    let answer = Val::ok(Val::list([Val::with("name", Val::s("Deal"))]));
    let house = house(Does::LogsAndSays("la la la", 10_000, answer));
    assert_eq!(ask(&house).await.unwrap().units.len(), 1);
}

#[tokio::test]
async fn one_plugins_trap_stops_no_other_question() {
    let guest = Guest::of(&["opportunity", "decorate"])
        .named("half-broken")
        .says("decorate#mark", Val::ok(Val::some(Val::s("✔"))));
    let house = House::with(&[("1.wasm", guest.build())]);
    ask(&house).await.unwrap_err();
    let report = cosell_plugins::Report {
        kind: RecordKind::Opportunity,
        outcome: cosell_plugins::Outcome::InStep,
        name: "Deal".to_owned(),
        state: cosell_sync::deal::DealState {
            standing: cosell_sync::deal::Standing::Accepted,
            reason: None,
        },
    };
    assert_eq!(
        house
            .set()
            .mark(&asking(), report)
            .await
            .unwrap()
            .unwrap()
            .value,
        "✔"
    );
}

#[tokio::test]
async fn while_guests_loop_on_every_thread_the_runtime_goes_on() {
    let settings = EngineSettings {
        threads: 1,
        ..EngineSettings::default()
    };
    let guest = Guest::of(&["opportunity"])
        .named("hostile")
        .with("opportunity#to-deal", Does::Loops);
    let house = House::with_settings(&[("1.wasm", guest.build())], settings);
    // More questions than threads and seats: all of them wait without holding this one thread.
    let mut questions =
        pin!(async { tokio::join!(ask(&house), ask(&house), ask(&house), ask(&house)) });
    let mut turns = 0;
    let answers = std::future::poll_fn(|context| {
        turns += 1;
        questions.as_mut().poll(context)
    })
    .await;
    for answer in [answers.0, answers.1, answers.2, answers.3] {
        assert_eq!(answer.unwrap_err().kind, FaultKind::Timeout);
    }
    // The future was pending while guests ran, instead of blocking the runtime in one poll.
    assert!(turns > 1, "{turns}");
}

#[tokio::test]
async fn an_operator_moves_limits_for_one_plugin() {
    let guest = Guest::of(&["opportunity"])
        .named("hungry")
        .says("opportunity#to-deal", Val::ok(Val::list([])));
    let house = House::with(&[
        ("1.wasm", guest.build()),
        ("1.toml", b"[limits]\nmemory_mb = 16\n".to_vec()),
    ]);
    // 20 MiB are its very first memory.
    let refusal = house.refusal();
    assert!(
        refusal.contains("/memory]") && refusal.contains("may have 16 MiB"),
        "{refusal}"
    );
    house
        .drop_file(
            "1.toml",
            "[limits]\nmemory_mb = 24\nfresh_per_call = true\n",
        )
        .await;
    assert!(ask(&house).await.unwrap().units.is_empty());
}

#[tokio::test]
async fn an_instance_is_renewed_before_it_grows_old() {
    // The test guest never frees: a thousand calls and more only fit because instances are renewed.
    let answer = Val::ok(Val::list([Val::with("name", Val::s("Deal"))]));
    let house = house(Does::Says(answer));
    for _ in 0..2_500 {
        ask(&house).await.unwrap();
    }
}

#[tokio::test]
async fn a_warm_instance_serves_one_connection_only() {
    let answer = Val::ok(Val::list([Val::with("name", Val::s("Deal"))]));
    let house = house(Does::SaysOnce(answer));
    let set = house.set();
    let of = async |connection: &str| {
        let asking = cosell_plugins::Asking {
            connection: connection.to_owned(),
            ..asking()
        };
        set.read(&asking, RecordKind::Opportunity, &seen()).await
    };
    assert!(of("contoso").await.is_ok());
    // Had it been given the instance that is warm, it would have panicked.
    assert!(of("fabrikam").await.is_ok());
    assert!(of("contoso").await.is_err(), "its own instance is warm");
    assert!(of("contoso").await.is_ok(), "and is gone after a fault");
}

#[tokio::test]
async fn isolation_of_each_call_is_an_option_of_the_operator() {
    let answer = Val::ok(Val::list([Val::with("name", Val::s("Deal"))]));
    let house = house(Does::SaysOnce(answer));
    assert!(ask(&house).await.is_ok());
    assert!(ask(&house).await.is_err(), "asked a second time it panics");
    house
        .drop_file("66-hostile.toml", "[limits]\nfresh_per_call = true\n")
        .await;
    for _ in 0..3 {
        assert!(ask(&house).await.is_ok(), "it has never been asked before");
    }
}
