//! What people order: back to an older set, out with a version, in again.

use anyhow::{Context as _, ensure};
use cosell_host::config::Config;
use cosell_host::verbs::{
    VerbError, plugin_list, promote_plugin, quarantine_plugin, release_plugin, roll_back_plugins,
};
use cosell_plugins::signature::{Policy, Trust};
use cosell_tests::World;

use crate::{
    COUNTRY, OPPORTUNITY, OTHER_COLUMN, Told, archive, drop_acme, file_is, list_where, listed,
    operator, serves,
};

#[tokio::test(flavor = "multi_thread")]
async fn s29_a_set_is_rolled_back_by_a_person_and_no_folder_brings_it_forward_again() -> Told {
    let mut world = World::start().await?;
    let stock = listed(&world).await?;
    let first = stock.generation.context("something serves")?;
    ensure!(
        first.generation == 1 && stock.history.is_empty(),
        "{first:?}"
    );
    let plugin = stock
        .plugins
        .iter()
        .find(|one| one.file == "10-opportunity.wasm")
        .context("it serves")?;
    ensure!(
        plugin.plugin == "stock-opportunity" && plugin.mode == "live" && plugin.generation == 1,
        "{plugin:?}"
    );
    ensure!(
        plugin.hooks == ["should-sync", "opportunity"] && plugin.sha256.len() == 64,
        "{plugin:?}"
    );

    operator(&world, OPPORTUNITY, OTHER_COLUMN)?;
    serves(&world, 2).await?;
    let with = world.desk()?.plugins.current().hash().to_owned();
    let changed = roll_back_plugins(&archive(&world)?, None, "ada").await?;
    ensure!(
        changed.generation == 3 && changed.message.contains("generation 1 serves again"),
        "{changed:?}"
    );
    serves(&world, 3).await?;
    let back = world.desk()?.plugins.current().hash().to_owned();
    ensure!(with != back, "the setting is gone");

    // The operator file lies there still, and is no news.
    world.stop_host().await;
    world.start_host().await?;
    ensure!(
        world.desk()?.plugins.current().hash() == back,
        "a restart brings nothing back"
    );
    let list = listed(&world).await?;
    let now = list.generation.context("something serves")?;
    ensure!(now.generation == 3 && now.by == "ada", "{now:?}");

    // Another plugin that is dropped comes beside what was rolled back to.
    drop_acme(&world.folder)?;
    serves(&world, 4).await?;
    let list = listed(&world).await?;
    ensure!(
        list.plugins.iter().any(|one| one.plugin == "acme")
            && list.history.iter().map(|one| one.generation).eq([3, 2, 1]),
        "{list:#?}"
    );
    // And a file that changes once more counts again.
    operator(&world, OPPORTUNITY, &format!("# anew\n{OTHER_COLUMN}"))?;
    serves(&world, 5).await?;

    let changed = roll_back_plugins(&archive(&world)?, Some(1), "ada").await?;
    serves(&world, changed.generation).await?;
    ensure!(
        world.desk()?.plugins.current().hash() == back,
        "the same set has the same hash"
    );
    let refused = roll_back_plugins(&archive(&world)?, Some(77), "ada").await;
    let why = refused.expect_err("there is none").to_string();
    ensure!(
        why.starts_with("there is no older generation 77; there is 5, 4, 3, 2, 1"),
        "{why}"
    );
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_is_taken_out_by_a_person_stays_out_and_is_let_in_again() -> Told {
    let mut world = World::start().await?;
    drop_acme(&world.folder)?;
    serves(&world, 2).await?;
    let changed =
        quarantine_plugin(&archive(&world)?, "50-acme", "it doubles discounts", "ada").await?;
    ensure!(
        changed.message.contains("plugin \"acme\"") && changed.message.contains("discounts"),
        "{changed:?}"
    );
    serves(&world, 3).await?;
    ensure!(
        !world
            .desk()?
            .plugins
            .current()
            .plugins()
            .iter()
            .any(|one| one.id == "acme"),
        "nothing served in its place"
    );
    let list = listed(&world).await?;
    ensure!(
        list.quarantined.len() == 1
            && list.quarantined[0].by == "ada"
            && list.quarantined[0].why.contains("it doubles discounts"),
        "{list:#?}"
    );
    // With the next look into the folder its verdict lies beside it; a restart looks at once.
    world.stop_host().await;
    world.start_host().await?;
    let verdict = world.folder.join("50-acme.rejected.json");
    file_is(&verdict, true).await?;
    let text = std::fs::read_to_string(&verdict)?;
    ensure!(
        text.contains("quarantined") && text.contains("it doubles discounts"),
        "{text}"
    );
    ensure!(
        world.desk()?.plugins.current().generation() == 3,
        "and nobody takes the same bytes"
    );

    let refused = release_plugin(&archive(&world)?, "30-country", "ada").await;
    let why = refused.expect_err("it is not out").to_string();
    ensure!(
        why.contains("does not name one quarantined version") && why.contains("50-acme.wasm"),
        "{why}"
    );
    release_plugin(&archive(&world)?, "acme", "ada").await?;
    if let cosell_host::desk::Plugins::Folder(folder) = &world.desk()?.plugins {
        folder.reload().await;
    }
    serves(&world, 4).await?;
    file_is(&verdict, false).await?;
    let list = listed(&world).await?;
    ensure!(
        list.plugins.iter().any(|one| one.plugin == "acme") && list.quarantined.is_empty(),
        "{list:#?}"
    );
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_about_what_is_not_there_say_what_is() -> Told {
    let world = World::start().await?;
    let archive = archive(&world)?;
    let why = promote_plugin(&archive, COUNTRY, "ada").await;
    let why = why.expect_err("it serves").to_string();
    ensure!(
        why.contains("no candidate is called \"30-country\"") && why.contains("cosell plugin list"),
        "{why}"
    );
    let why = quarantine_plugin(&archive, "60-nobody", "x", "ada").await;
    let why = why.expect_err("nobody").to_string();
    ensure!(
        why.contains("no plugin of the set") && why.contains("30-country.wasm"),
        "{why}"
    );
    let first = quarantine_plugin(&archive, COUNTRY, "x", "ada").await;
    ensure!(
        matches!(first, Err(VerbError::NothingOlder { .. })),
        "of the first generation nothing is older: {first:?}"
    );
    let none = roll_back_plugins(&archive, None, "ada").await;
    ensure!(
        matches!(none, Err(VerbError::NoGeneration { .. })),
        "{none:?}"
    );
    // Bytes that were never there can be banned before they come.
    let hash = "0".repeat(64);
    quarantine_plugin(&archive, &hash, "known to be bad", "ada").await?;
    let list = list_where(&world, "the ban", |list| list.quarantined.len() == 1).await?;
    ensure!(list.quarantined[0].sha256 == hash, "{list:#?}");
    ensure!(
        listed(&world).await?.generation.map(|one| one.generation) == Some(1),
        "and the set is as it was"
    );
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_serves_and_nobody_vouches_for_is_told_where_that_is_required() -> Told {
    let world = World::start().await?;
    let mut plugins = Config::load(&world.config)?.plugins;
    let list = plugin_list(&archive(&world)?, &plugins).await?;
    ensure!(list.unvouched.is_empty(), "nobody asks: {list:#?}");
    // As a host that is configured so will find it.
    let key = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
    plugins.trust = Trust {
        policy: Policy::Require,
        keys: vec![key.parse().map_err(anyhow::Error::msg)?],
    };
    let list = plugin_list(&archive(&world)?, &plugins).await?;
    ensure!(
        list.unvouched.len() == list.plugins.len(),
        "each of them: {list:#?}"
    );
    let one = &list.unvouched[0];
    ensure!(
        one.file == "10-opportunity.wasm"
            && !one.is_shadow
            && one.why.contains("it is not signed")
            && one.why.contains("minisign -Sm 10-opportunity.wasm"),
        "{one:#?}"
    );
    world.end().await
}
