//! What serves is what the store says (S29), what is to come is judged first (S30), and people have the last word: over real hosts, both stores and
//! both sides.
#![allow(missing_docs, reason = "tests are read by their names")]

mod hosts;
mod limits;
mod modes;
mod orders;
mod trying;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;
use cosell_host::config::Config;
use cosell_host::verbs::{Archive, PluginList, plugin_list};
use cosell_tests::{PATIENCE, World, components};

type Told = anyhow::Result<()>;

const LOOK_EVERY: Duration = Duration::from_millis(20);
const OPPORTUNITY: &str = "10-opportunity";
const COUNTRY: &str = "30-country";
/// The deal's value stands in another column.
const OTHER_COLUMN: &str = "[settings]\nvalue-column = \"budgetamount\"\n";

fn archive(world: &World) -> anyhow::Result<Archive> {
    Ok(Archive::open(&Config::load(&world.config)?, None)?)
}

/// As `cosell plugin list` shows it.
async fn listed(world: &World) -> anyhow::Result<PluginList> {
    let plugins = Config::load(&world.config)?.plugins;
    Ok(plugin_list(&archive(world)?, &plugins).await?)
}

/// Waits until the list shows what is waited for.
async fn list_where(
    world: &World,
    what: &str,
    fits: impl Fn(&PluginList) -> bool,
) -> anyhow::Result<PluginList> {
    let began = Instant::now();
    loop {
        let list = listed(world).await?;
        if fits(&list) {
            return Ok(list);
        }
        ensure!(
            began.elapsed() < PATIENCE * 2,
            "waited in vain for {what}: {list:#?}"
        );
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Waits until the running host serves this generation, however it came to be.
async fn serves(world: &World, generation: u64) -> anyhow::Result<()> {
    let began = Instant::now();
    while world.desk()?.plugins.current().generation() != generation {
        ensure!(
            began.elapsed() < PATIENCE,
            "the host never served generation {generation}: it is at {:?}, behind by {:?}",
            world.desk()?.plugins.current(),
            world.desk()?.plugins.behind()
        );
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}

/// Waits until a file is there, or is gone.
async fn file_is(path: &Path, there: bool) -> anyhow::Result<()> {
    let began = Instant::now();
    while path.exists() != there {
        ensure!(
            began.elapsed() < PATIENCE * 2,
            "{} never {}",
            path.display(),
            if there { "came" } else { "went" }
        );
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}

/// The example plugin, which none of the stock ones is.
fn drop_acme(folder: &Path) -> anyhow::Result<()> {
    let from = components("examples")?.join("50-acme.wasm");
    let unfinished = folder.join(".50-acme.wasm.part");
    std::fs::copy(from, &unfinished)?;
    Ok(std::fs::rename(unfinished, folder.join("50-acme.wasm"))?)
}

fn operator(world: &World, name: &str, text: &str) -> anyhow::Result<()> {
    Ok(std::fs::write(
        world.folder.join(format!("{name}.toml")),
        text,
    )?)
}
