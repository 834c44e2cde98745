//! Bad plugins cannot hurt: each is refused with a reason, or stopped at its limit, and the set that works goes on serving.
#![allow(missing_docs, reason = "tests are read by their names")]

use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use cosell_tests::{World, components, text};
use serde_json::{Value, json};

type Told = anyhow::Result<()>;

/// Drops a file into the folder and waits for the refusal beside it.
async fn refused(world: &World, name: &str, bytes: &[u8]) -> anyhow::Result<Value> {
    std::fs::write(world.folder.join(format!("{name}.wasm")), bytes)?;
    let rejection: PathBuf = world.folder.join(format!("{name}.rejected.json"));
    let read = world
        .until("the refusal beside the file", |_| {
            serde_json::from_slice(&std::fs::read(&rejection).ok()?).ok()
        })
        .await?;
    Ok(read)
}

fn hostile(name: &str) -> anyhow::Result<Vec<u8>> {
    let path = components("hostile")?.join(name);
    std::fs::read(&path).with_context(|| format!("{} was not built", path.display()))
}

/// A deal crosses with the set that works.
async fn flows(world: &World, number: usize) -> anyhow::Result<()> {
    let referral = world.referral(&format!("Rollout {number}"), "Fabrikam", "DE")?;
    world.row_of(&referral).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_no_plugin_are_refused_with_a_reason_and_deals_flow() -> Told {
    let world = World::start().await?;
    let whole = std::fs::read(components("plugins")?.join("30-country.wasm"))?;
    let cases: [(&str, &[u8], &str); 4] = [
        (
            "60-garbage",
            b"this is no WebAssembly at all",
            "not WebAssembly",
        ),
        (
            "61-module",
            b"\0asm\x01\0\0\0",
            "a core module, not a component",
        ),
        ("62-half", &whole[..5_000], "damaged or only half copied"),
        ("63-text", b"(component)", "WebAssembly text"),
    ];
    for (number, (name, bytes, words)) in cases.into_iter().enumerate() {
        let why = refused(&world, name, bytes).await?;
        ensure!(
            text(&why, "kind") == "not-a-component" && text(&why, "message").contains(words),
            "the refusal of {name} does not say \"{words}\": {why}"
        );
        ensure!(
            !text(&why, "hint").is_empty(),
            "the refusal of {name} does not say what to do: {why}"
        );
        flows(&world, number).await?;
    }
    world.end().await
}

/// Component, what it is refused for, and words that its refusal must contain.
const REFUSED_AT_LOAD: [(&str, &str, &str); 4] = [
    ("exports-nothing", "export", "hook"),
    ("imports-another", "import", "wasi:random/random"),
    (
        "loops-at-load",
        "timeout",
        "did not answer within 500 ms of work",
    ),
    (
        "fails-its-example",
        "example",
        "names go into the CRM in capitals",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn components_that_misbehave_at_load_never_serve() -> Told {
    let world = World::start().await?;
    for (name, kind, words) in REFUSED_AT_LOAD {
        let why = refused(
            &world,
            &format!("70-{name}"),
            &hostile(&format!("{name}.wasm"))?,
        )
        .await?;
        ensure!(
            text(&why, "kind") == kind && why.to_string().contains(words),
            "{name}: the refusal is not of kind {kind}, or does not speak of \"{words}\": {why}"
        );
    }
    flows(&world, 1).await?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_plugin_replaced_by_a_bad_one_goes_on_serving() -> Told {
    let world = World::start().await?;
    let why = refused(&world, "30-country", b"\0asm broken on a Friday").await?;
    ensure!(
        text(&why, "file").contains("30-country") || text(&why, "plugin").contains("country"),
        "{why}"
    );
    let account = world.account("Contoso Kft.", "Hungary")?;
    let row = world.opportunity(&account, &json!({}))?;
    let referral = world.referral_of(&row).await?;
    assert_eq!(
        referral["customerProfile"]["address"]["country"], "HU",
        "the version before still translates countries"
    );
    let id = text(&referral, "id");
    world.row_of(&id).await?;
    world.end().await
}

/// Components that let themselves in and misbehave when they are asked about a deal, and words that the deal's reason must contain.
const CAUGHT_IN_A_CALL: [(&str, &str); 4] = [
    ("loops", "did not answer within 50 ms of work"),
    ("panics", "panicked"),
    ("eats-memory", "MiB of memory and may have"),
    ("sets-undeclared", "creditlimit"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_in_a_call_parks_its_own_deal_names_the_plugin_and_is_over_when_the_plugin_goes()
-> Told {
    let world = World::start().await?;
    let mut number = 0;
    for (name, words) in CAUGHT_IN_A_CALL {
        let file = world.folder.join(format!("80-{name}.wasm"));
        std::fs::write(&file, hostile(&format!("{name}.wasm"))?)?;
        // Deals go through until the set is swapped; then one is parked.
        let parked = loop {
            number += 1;
            world.referral(&format!("Rollout {number}"), "Fabrikam", "DE")?;
            let status = world.quiet().await?;
            if let Some(deal) = status.deals.into_iter().find(|deal| deal.state == "parked") {
                break deal;
            }
            ensure!(number < 200, "no deal ever met the plugin {name}");
        };
        let reason = parked.reason.unwrap_or_default();
        ensure!(
            reason.contains(&format!("plugin \"{name}\"")) && reason.contains(words),
            "{name}: the reason does not name the plugin, or does not speak of \"{words}\": {reason}"
        );
        // Taking the plugin away wakes what it parked (S26).
        std::fs::remove_file(&file)?;
        world
            .until("every deal to cross", |control| {
                (control.counts().opportunities == control.counts().referrals).then_some(())
            })
            .await?;
        world.quiet().await?;
    }
    world.end().await
}
