//! Shadow and try-on: what is to come is judged, or serves the deals that are named.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use cosell_host::verbs::promote_plugin;
use cosell_simulator::SimulatorConfig;
use cosell_store::{LaneId, LaneState};
use cosell_tests::{Setup, World, amend, amount};
use serde_json::json;

use crate::{
    OPPORTUNITY, OTHER_COLUMN, Told, archive, drop_acme, list_where, listed, operator, serves,
};

/// Every deal follows a changed mapping, so that a difference shows in its records.
const FOLLOWS: [(&str, &str); 2] = [("mapping_changes", "\"all\""), ("on_link", "\"crm\"")];

/// A deal in step whose other column holds 50,000.
async fn two_values(world: &World, name: &str) -> anyhow::Result<(String, String)> {
    let (row, referral) = world.linked(&json!({ "name": name })).await?;
    let other = json!({ "budgetamount": 50_000 });
    world
        .control()
        .seller_updates("opportunity", &row, &other)?;
    world.quiet().await?;
    Ok((row, referral))
}

fn value(world: &World, referral: &str) -> Option<f64> {
    amount(&world.control().referral(referral)?["details"]["dealValue"])
}

#[tokio::test(flavor = "multi_thread")]
async fn s30_a_shadow_is_judged_deal_by_deal_writes_nothing_and_serves_when_a_person_says_so()
-> Told {
    let world = World::with(SimulatorConfig::demo(), &FOLLOWS).await?;
    let (_, referral) = two_values(&world, "Two values").await?;
    let ledger = world.control().ledger(0).len();
    let serving = world.desk()?.plugins.current().hash().to_owned();

    operator(
        &world,
        OPPORTUNITY,
        &format!("mode = \"shadow\"\n{OTHER_COLUMN}"),
    )?;
    let list = list_where(&world, "every deal to be judged", |list| {
        list.candidates.iter().any(|one| {
            let judged = one.shadow.as_ref();
            judged.is_some_and(|shadow| shadow.judged > 0 && shadow.judged == shadow.deals)
        })
    })
    .await?;
    let candidate = &list.candidates[0];
    ensure!(
        candidate.line.mode == "shadow" && candidate.budget.is_none(),
        "{candidate:#?}"
    );
    let shadow = candidate.shadow.as_ref().context("it is judged")?;
    ensure!(
        shadow.differs.len() == 1 && shadow.unjudged.is_empty(),
        "{shadow:#?}"
    );
    let told = shadow.differs[0].to_string();
    ensure!(
        told.contains("50000") && told.contains("\"now\":\"in-step\""),
        "value by value: {told}"
    );
    ensure!(
        list.plugins
            .iter()
            .any(|one| one.plugin == "stock-opportunity"),
        "what serves goes on serving: {list:#?}"
    );
    ensure!(
        world.desk()?.plugins.current().hash() == serving,
        "nothing else serves"
    );
    ensure!(
        world.control().ledger(0).len() == ledger && value(&world, &referral) == Some(125_000.0),
        "and nothing was written anywhere"
    );

    let changed = promote_plugin(&archive(&world)?, "stock-opportunity", "ada").await?;
    ensure!(changed.message.contains("promoted by ada"), "{changed:?}");
    world
        .until("the value of the other column", |_| {
            (value(&world, &referral) == Some(50_000.0)).then_some(())
        })
        .await?;
    let list = listed(&world).await?;
    let line = list
        .plugins
        .iter()
        .find(|one| one.plugin == "stock-opportunity")
        .context("it serves")?;
    ensure!(
        list.candidates.is_empty() && line.by == "ada" && line.generation == changed.generation,
        "{list:#?}"
    );
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn s30_a_shadow_that_makes_no_difference_promotes_itself_and_one_that_does_waits() -> Told {
    let world = World::with(SimulatorConfig::demo(), &FOLLOWS).await?;
    let (_, referral) = two_values(&world, "Two values").await?;
    operator(
        &world,
        OPPORTUNITY,
        &format!("mode = \"shadow\"\npromote = \"no-difference\"\n{OTHER_COLUMN}"),
    )?;
    list_where(&world, "a difference", |list| {
        let differs = |one: &cosell_host::verbs::CandidateView| {
            let shadow = one.shadow.as_ref();
            shadow.is_some_and(|shadow| shadow.judged == shadow.deals && !shadow.differs.is_empty())
        };
        list.candidates.iter().any(differs)
    })
    .await?;
    // The same under a rule that allows it.
    operator(
        &world,
        OPPORTUNITY,
        &format!("mode = \"shadow\"\npromote = {{ budget = 1 }}\n{OTHER_COLUMN}"),
    )?;
    world
        .until("the value of the other column", |_| {
            (value(&world, &referral) == Some(50_000.0)).then_some(())
        })
        .await?;
    let list = list_where(&world, "no candidate", |list| list.candidates.is_empty()).await?;
    let note = list.generation.map(|one| one.note).unwrap_or_default();
    ensure!(
        note.contains("were judged") && note.contains("allows 1"),
        "{note}"
    );
    // One that reads and writes the same serves without anybody.
    operator(
        &world,
        OPPORTUNITY,
        &format!(
            "mode = \"shadow\"\npromote = \"no-difference\"\n[limits]\ncall_ms = 90\n{OTHER_COLUMN}"
        ),
    )?;
    list_where(&world, "the change of nothing", |list| {
        list.candidates.is_empty()
            && list
                .generation
                .as_ref()
                .is_some_and(|one| one.note.contains("0 would be different"))
    })
    .await?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_is_tried_on_the_deals_that_are_named_and_on_no_other() -> Told {
    let world = World::with(SimulatorConfig::demo(), &FOLLOWS).await?;
    let (tried, tried_referral) = two_values(&world, "Tried").await?;
    let (_, other_referral) = two_values(&world, "Left alone").await?;
    operator(
        &world,
        OPPORTUNITY,
        &format!(
            "mode = \"try-on\"\ndeals = [\"{}\"]\n{OTHER_COLUMN}",
            tried.to_uppercase()
        ),
    )?;
    let list = list_where(&world, "the trial", |list| !list.candidates.is_empty()).await?;
    ensure!(
        list.candidates[0].line.mode == "try-on" && list.candidates[0].shadow.is_none(),
        "{list:#?}"
    );
    serves(&world, 2).await?;
    world.retry_all().await?;
    world
        .until("the other column in the deal on which it is tried", |_| {
            (value(&world, &tried_referral) == Some(50_000.0)).then_some(())
        })
        .await?;
    world.quiet().await?;
    ensure!(
        value(&world, &other_referral) == Some(125_000.0),
        "the other deal is as it was"
    );
    // Taken away, the deal is read as all others again.
    operator(&world, OPPORTUNITY, "")?;
    list_where(&world, "the end of the trial", |list| {
        list.candidates.is_empty()
    })
    .await?;
    serves(&world, 3).await?;
    world.retry_all().await?;
    world.quiet().await?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deal_is_named_with_its_connection_where_there_are_several() -> Told {
    let mut world = World::start().await?;
    let both = ["country = [\"HU\"]", "country = [\"DE\"]"];
    let _second = world.add_environment("germany", both).await?;
    // Each connection has a deal of this number.
    let tries = |world: &World, connection: &str| -> anyhow::Result<bool> {
        let desk = world.desk()?;
        let set = desk.set_for(connection, LaneId(1), &LaneState::default());
        Ok(set.hash() != desk.plugins.current().hash())
    };
    let try_on = |deal: &str| format!("mode = \"try-on\"\ndeals = [\"{deal}\"]\n{OTHER_COLUMN}");
    operator(&world, OPPORTUNITY, &try_on("germany/1"))?;
    serves(&world, 2).await?;
    ensure!(tries(&world, "germany")? && !tries(&world, "simulated")?);
    ensure!(world.desk()?.tried_in_vain().is_empty());
    operator(&world, OPPORTUNITY, &try_on("1"))?;
    serves(&world, 3).await?;
    ensure!(
        !tries(&world, "germany")? && !tries(&world, "simulated")?,
        "a number alone names a deal of neither"
    );
    let told = world.desk()?.tried_in_vain();
    ensure!(
        told.len() == 1 && told[0].contains("write CONNECTION/1"),
        "{told:?}"
    );
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn shadow_first_is_one_setting_and_an_operator_file_overrules_it() -> Told {
    let world = World::set_up(Setup {
        simulator: SimulatorConfig::demo(),
        settings: &[],
        ..Setup::default()
    })
    .await?;
    let list = listed(&world).await?;
    ensure!(
        list.candidates.is_empty() && list.plugins.len() > 5,
        "the very first set serves: {list:#?}"
    );
    let mut world = world;
    world.stop_host().await;
    let shadows = "[plugins]\nshadow_first = true";
    amend(&world.config, &[("[plugins]", shadows)])?;
    world.start_host().await?;
    ensure!(
        listed(&world).await?.candidates.is_empty(),
        "what served serves"
    );
    drop_acme(&world.folder)?;
    let list = list_where(&world, "the candidate", |list| !list.candidates.is_empty()).await?;
    ensure!(
        list.candidates[0].line.plugin == "acme" && list.candidates[0].line.mode == "shadow",
        "{list:#?}"
    );
    operator(&world, "50-acme", "mode = \"live\"\n")?;
    list_where(&world, "acme in service", |list| {
        list.candidates.is_empty() && list.plugins.iter().any(|one| one.plugin == "acme")
    })
    .await?;
    world.later(Duration::from_secs(1));
    world.end().await
}
