//! `plugin diff`: what another version of a plugin would make of real deals, before it counts.

use std::path::PathBuf;

use anyhow::ensure;
use cosell_host::app;
use cosell_host::config::Config;
use cosell_host::verbs::{Scope, SetDiff, Would, diff};
use cosell_simulator::{Fault, FaultKind, Service, SimulatorConfig};
use cosell_tests::{World, components};
use serde_json::json;

use crate::{Told, linked, replace};

const OPPORTUNITY: &str = "10-opportunity.wasm";

async fn tried(world: &World, candidate: &std::path::Path) -> anyhow::Result<SetDiff> {
    let (desk, set) = app::desk_and_candidate(&Config::load(&world.config)?, candidate)?;
    Ok(diff(desk, set, None, &Scope::All, &|_, _| {}).await?)
}

/// The stock plugin, elsewhere, with an operator file of its own.
fn candidate(dir: &tempfile::TempDir, settings: &str) -> anyhow::Result<PathBuf> {
    let file = dir.path().join(OPPORTUNITY);
    std::fs::copy(components("plugins")?.join(OPPORTUNITY), &file)?;
    std::fs::write(file.with_extension("toml"), settings)?;
    Ok(file)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_candidate_is_tried_on_real_deals_and_nothing_is_written() -> Told {
    let policy = [("mapping_changes", "\"all\""), ("on_link", "\"crm\"")];
    let world = World::with(SimulatorConfig::demo(), &policy).await?;
    let (row, referral) = linked(&world, "Two values").await?;
    let budget = json!({ "budgetamount": 50_000 });
    world
        .control()
        .seller_updates("opportunity", &row, &budget)?;
    world.quiet().await?;
    let ledger = world.control().ledger(0).len();

    let dir = tempfile::tempdir()?;
    let same = tried(&world, &candidate(&dir, "")?).await?;
    ensure!(
        same.deals.is_empty() && same.same == 1 && same.unjudged.is_empty(),
        "the same plugin makes the same of it: {same:#?}"
    );
    ensure!(same.now == same.then, "and is the same set");

    let other = candidate(&dir, "[settings]\nvalue-column = \"budgetamount\"\n")?;
    let tried = tried(&world, &other).await?;
    let [deal] = tried.deals.as_slice() else {
        anyhow::bail!("one deal would differ: {tried:#?}");
    };
    ensure!(
        (deal.now, deal.then) == (Would::InStep, Would::Update),
        "{deal:#?}"
    );
    ensure!(deal.no_longer.is_empty(), "{deal:#?}");
    let patch = deal
        .only_then
        .iter()
        .find(|write| write.record.as_deref() == Some(referral.as_str()));
    let value = patch.and_then(|write| write.units.iter().find(|unit| unit.unit == "value"));
    ensure!(
        value.is_some_and(|unit| unit.after.contains("50000")),
        "the referral would get the value of the other column: {deal:#?}"
    );
    ensure!(
        deal.tells
            .iter()
            .any(|line| line.contains("since the mapping changed")),
        "it says that nobody has edited anything: {deal:#?}"
    );
    ensure!(
        world.control().ledger(0).len() == ledger,
        "nothing was written anywhere"
    );
    let held = std::fs::read_dir(&world.folder)?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| !name.ends_with(".wasm"))
        .collect::<Vec<_>>();
    ensure!(held.is_empty(), "and nothing lies in the folder: {held:?}");
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn s30_a_deal_with_an_open_write_was_not_judged_and_is_not_the_same() -> Told {
    let world = World::start().await?;
    let (row, referral) = linked(&world, "Under way").await?;
    world.quiet().await?;
    world.control().fault(Fault {
        service: Service::Dataverse,
        method: Some("PATCH".into()),
        path_prefix: "/api/data/v9.2/opportunities".into(),
        skip: 0,
        count: Some(1),
        kind: FaultKind::Delay { ms: 8_000 },
    });
    let notes = replace("/details/notes", "on its way");
    world.control().partner_user_patches(&referral, &notes)?;
    world.status_where(|now| now.open_writes > 0).await?;
    let dir = tempfile::tempdir()?;
    // Nothing is planned before it is known what became of the write, with this set or any other.
    let tried = tried(&world, &candidate(&dir, "")?).await?;
    ensure!(
        tried.same == 0 && tried.deals.is_empty() && tried.unjudged.len() == 1,
        "{tried:#?}"
    );
    ensure!(
        tried.unjudged[0].contains("its outcome is not known yet"),
        "{tried:#?}"
    );
    world
        .until("the notes in the CRM", |control| {
            let row = control.row("opportunity", &row)?;
            (row["description"] == "on its way").then_some(())
        })
        .await?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_candidate_that_would_be_refused_says_why() -> Told {
    let world = World::start().await?;
    let dir = tempfile::tempdir()?;
    let file = candidate(&dir, "[settings]\nno-such-setting = true\n")?;
    let why = tried(&world, &file).await.unwrap_err().to_string();
    ensure!(
        why.contains("would refuse it") && why.contains("no-such-setting"),
        "{why}"
    );
    let twin = dir.path().join("90-twin.wasm");
    std::fs::rename(file, &twin)?;
    let why = tried(&world, &twin).await.unwrap_err().to_string();
    ensure!(
        why.contains(OPPORTUNITY) && why.contains("90-twin.wasm"),
        "two files of one plugin: {why}"
    );
    world.end().await
}
