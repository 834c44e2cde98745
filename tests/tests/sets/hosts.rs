//! Several hosts on one PostgreSQL database, each with a folder of its own; and a host that cannot load what serves.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use cosell_host::app::{self, Host, propose_folder};
use cosell_host::config::Config;
use cosell_host::desk::Plugins;
use cosell_host::verbs::roll_back_plugins;
use cosell_host::worker;
use cosell_local_postgres::LocalPostgres;
use cosell_store::{Activation, Component, PERSON, RecordKey};
use cosell_tests::{PATIENCE, World, components, text};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::{
    LOOK_EVERY, OPPORTUNITY, OTHER_COLUMN, Told, archive, drop_acme, list_where, listed, operator,
    serves,
};

const DRAIN: Duration = Duration::from_secs(10);

/// A world whose host keeps everything in a database that others may share.
async fn on_postgres(schema: &str) -> anyhow::Result<World> {
    let server = LocalPostgres::shared().map_err(|error| anyhow::anyhow!("{error}"))?;
    let url = server.url(&format!("schema={schema}"));
    let mut world = World::start().await?;
    world.stop_host().await;
    let config = std::fs::read_to_string(&world.config)?;
    let store = config
        .lines()
        .position(|line| line.trim() == "[store]")
        .context("a store")?;
    let lines: Vec<String> = config
        .lines()
        .enumerate()
        .map(|(number, line)| {
            if number == store + 1 {
                format!("url = \"{url}\"")
            } else {
                line.to_owned()
            }
        })
        .collect();
    std::fs::write(&world.config, lines.join("\n"))?;
    world.start_host().await?;
    Ok(world)
}

/// Another host on the same store: its own folder, cache and port.
struct Second {
    folder: PathBuf,
    config: PathBuf,
    _dir: tempfile::TempDir,
}

impl Second {
    fn beside(world: &World, files: &[(&str, &Path)]) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        let folder = dir.path().join("plugins");
        std::fs::create_dir(&folder)?;
        for (name, from) in files {
            std::fs::copy(from, folder.join(name))?;
        }
        let free = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let first = Config::load(&world.config)?;
        let config = std::fs::read_to_string(&world.config)?
            .replace(&first.server.listen.to_string(), &free.to_string())
            .lines()
            .map(
                |line| match line.split_once('=').map(|(key, _)| key.trim()) {
                    Some("folder") => format!("folder = {:?}", folder.display().to_string()),
                    Some("cache") => {
                        format!(
                            "cache = {:?}",
                            dir.path().join("cache").display().to_string()
                        )
                    }
                    _ => line.to_owned(),
                },
            )
            .collect::<Vec<_>>()
            .join("\n");
        let path = world.config.with_file_name("second.toml");
        std::fs::write(&path, config)?;
        Ok(Self {
            folder,
            config: path,
            _dir: dir,
        })
    }

    async fn start(&self) -> anyhow::Result<Host> {
        let host = Host::start(&Config::load(&self.config)?).await?;
        // Its own files are tried behind the set of the store.
        if let Plugins::Folder(folder) = &host.desk.plugins {
            folder.reload().await;
        }
        Ok(host)
    }
}

async fn follows(host: &Host, generation: u64) -> anyhow::Result<()> {
    let began = Instant::now();
    while host.desk.plugins.current().generation() != generation {
        ensure!(
            began.elapsed() < PATIENCE,
            "the second host never served generation {generation}: {:?}",
            host.desk.plugins.current()
        );
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn s29_two_hosts_with_different_folders_serve_one_set_and_do_not_fight() -> Told {
    let world = on_postgres("two_hosts").await?;
    serves(&world, 1).await?;
    let hash = world.desk()?.plugins.current().hash().to_owned();

    // An empty folder takes nothing away; the set comes from the store's bytes.
    let second = Second::beside(&world, &[])?;
    let host = second.start().await?;
    ensure!(
        host.desk.plugins.current().hash() == hash && host.desk.plugins.behind().is_none(),
        "{:?}",
        host.desk.plugins.current()
    );

    // What one proposes, the other serves, whatever lies in its own folder.
    operator(&world, OPPORTUNITY, OTHER_COLUMN)?;
    serves(&world, 2).await?;
    follows(&host, 2).await?;
    drop_acme(&second.folder)?;
    follows(&host, 3).await?;
    serves(&world, 3).await?;
    let both = world.desk()?.plugins.current().hash().to_owned();
    ensure!(
        host.desk.plugins.current().hash() == both,
        "one set, by one hash"
    );

    // Restarted, neither has news.
    host.stop(DRAIN).await;
    let host = second.start().await?;
    let mut world = world;
    world.stop_host().await;
    world.start_host().await?;
    serves(&world, 3).await?;
    follows(&host, 3).await?;

    // A person's word holds on both.
    roll_back_plugins(&archive(&world)?, Some(1), "ada").await?;
    serves(&world, 4).await?;
    follows(&host, 4).await?;
    ensure!(
        host.desk.plugins.current().hash() == hash && listed(&world).await?.history.len() == 3,
        "the first set again"
    );

    // The file that a host has dropped goes with that host's folder, and with no other.
    std::fs::remove_file(world.folder.join("30-country.wasm"))?;
    serves(&world, 5).await?;
    follows(&host, 5).await?;
    let list = listed(&world).await?;
    ensure!(
        !list.plugins.iter().any(|one| one.plugin == "stock-country"),
        "{list:#?}"
    );
    host.stop(DRAIN).await;
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn s29_a_stranger_with_other_files_changes_nothing_until_a_person_proposes_them() -> Told {
    let world = on_postgres("stranger").await?;
    serves(&world, 1).await?;
    let acme = components("examples")?.join("50-acme.wasm");
    let second = Second::beside(&world, &[("50-acme.wasm", &acme)])?;
    let host = second.start().await?;
    follows(&host, 1).await?;
    ensure!(
        !host
            .desk
            .plugins
            .current()
            .plugins()
            .iter()
            .any(|one| one.id == "acme"),
        "what lies there is not what serves"
    );
    // Also not by the next start, which knows the folder.
    host.stop(DRAIN).await;
    let host = second.start().await?;
    follows(&host, 1).await?;
    let (generation, refused) = propose_folder(&Config::load(&second.config)?).await?;
    ensure!(generation == 2 && refused.is_empty(), "{refused:?}");
    follows(&host, 2).await?;
    serves(&world, 2).await?;
    let list = listed(&world).await?;
    ensure!(
        list.plugins.len() > 5 && list.plugins.iter().any(|one| one.plugin == "acme"),
        "and nothing was taken away: {list:#?}"
    );
    host.stop(DRAIN).await;
    world.end().await
}

/// As a newer cosell would write it for hosts that understand more.
async fn activate_what_nobody_can_load(world: &World) -> anyhow::Result<i64> {
    let store = &world.desk()?.store;
    let now = store.active_set().await?.context("a set")?;
    let bytes = b"\0asm of another contract".to_vec();
    let hash = Sha256::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<String>();
    let mut members = now.members;
    let mut newer = members.last().context("a member")?.clone();
    newer.file = "99-newer.wasm".to_owned();
    newer.sha256.clone_from(&hash);
    newer.component.clone_from(&hash);
    newer.detail =
        json!({ "plugin": "newer", "version": "9.0.0", "from": "the future" }).to_string();
    members.push(newer);
    let made = store
        .activate(Activation {
            base: now.generation,
            members,
            by: "another host".to_owned(),
            note: "newer 9.0.0".to_owned(),
            components: vec![Component { hash, bytes }],
            ..Activation::default()
        })
        .await?;
    Ok(made)
}

#[tokio::test(flavor = "multi_thread")]
async fn s29_a_host_that_cannot_load_the_set_takes_up_no_deal_and_says_why() -> Told {
    let mut world = World::start().await?;
    ensure!(activate_what_nobody_can_load(&world).await? == 2);
    let began = Instant::now();
    let why = loop {
        if let Some(why) = world.desk()?.plugins.behind() {
            break why;
        }
        ensure!(began.elapsed() < PATIENCE, "it never fell behind");
        tokio::time::sleep(LOOK_EVERY).await;
    };
    ensure!(
        why.contains("generation 2") && why.contains("\"newer\" 9.0.0"),
        "{why}"
    );
    let referral = world.referral("Waits", "Fabrikam", "DE")?;
    world
        .status_where(|status| status.deals.iter().any(|deal| deal.state == "due"))
        .await?;
    // A restart is no better, and says so as well.
    world.stop_host().await;
    world.start_host().await?;
    ensure!(world.desk()?.plugins.behind().is_some());
    let held = world.status().await?;
    ensure!(
        held.deals.iter().any(|deal| deal.state == "due"),
        "{:?}",
        held.deals
    );

    roll_back_plugins(&archive(&world)?, None, "ada").await?;
    world.row_of(&referral).await?;
    ensure!(world.desk()?.plugins.behind().is_none());
    list_where(&world, "the way back", |list| {
        list.generation
            .as_ref()
            .is_some_and(|one| one.generation == 3)
    })
    .await?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn s29_no_run_begins_under_a_set_that_is_older_than_the_stores() -> Told {
    let mut world = World::start().await?;
    let (row, _) = world.linked(&json!({})).await?;
    world.quiet().await?;
    world.stop_host().await;
    let edit = json!({ "estimatedvalue": 99_000 });
    world.control().seller_updates("opportunity", &row, &edit)?;
    let config = Config::load(&world.config)?;
    let older = app::desk(&config)?;
    // The next generation, before this desk has heard of it.
    let store = &older.store;
    let now = store.active_set().await?.context("a set")?;
    let next = Activation {
        base: now.generation,
        members: now.members,
        by: "another host".to_owned(),
        note: "the same once more".to_owned(),
        ..Activation::default()
    };
    ensure!(store.activate(next).await? == 2);
    let record = RecordKey {
        side: "crm".to_owned(),
        kind: "opportunity".to_owned(),
        id: row,
    };
    let lane = store.lane_of("simulated", &record).await?;
    let lane = lane.context("the deal has a lane")?;
    store.wake("simulated", lane, PERSON).await?;

    let writes = world.control().ledger(0).len();
    let taken = worker::step(&older).await?;
    ensure!(taken.is_none(), "{taken:?}");
    ensure!(
        world.control().ledger(0).len() == writes,
        "nothing is written by it"
    );
    let left = store
        .lane("simulated", lane)
        .await?
        .context("it is there")?;
    ensure!(left.unanswered > 0, "its bell rings on: {left:?}");

    let newer = app::desk(&config)?;
    let taken = worker::step(&newer).await?.context("it is due at once")?;
    ensure!(taken.lane == lane, "{taken:?}");
    ensure!(
        world.control().ledger(0).len() > writes,
        "the edit crosses with the set that serves"
    );
    world.start_host().await?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn s29_the_set_survives_its_folder_and_what_happened_is_written_down() -> Told {
    let mut world = World::start().await?;
    std::fs::write(world.folder.join("60-bad.wasm"), b"no component")?;
    list_where(&world, "the refusal", |list| !list.refused.is_empty()).await?;
    let events = world.desk()?.store.set_events(100).await?;
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for event in &events {
        *counts.entry(event.what.clone()).or_default() += 1;
    }
    ensure!(
        counts.get("refused") == Some(&1) && counts.get("loaded").is_some_and(|many| *many > 5),
        "{counts:?}"
    );
    // A component's bytes are the store's: those in the folder could be anything by now, and a run needs none of them.
    world.stop_host().await;
    let country = world.folder.join("30-country.wasm");
    std::fs::write(&country, b"overwritten by mistake")?;
    world.start_host().await?;
    let list = listed(&world).await?;
    ensure!(
        list.plugins.iter().any(|one| one.file == "30-country.wasm"),
        "{list:#?}"
    );
    ensure!(
        list.refused.iter().any(|one| one.file == "30-country.wasm"),
        "and its file says why it does not count: {list:#?}"
    );
    let Plugins::Folder(folder) = &world.desk()?.plugins else {
        anyhow::bail!("a host has a folder");
    };
    ensure!(folder.refused().len() == 2, "{:?}", folder.refused());
    let referral = world.referral("Flows", "Fabrikam", "DE")?;
    let row = world.row_of(&referral).await?;
    ensure!(!text(&row, "name").is_empty());
    world.end().await
}
