//! Nothing to activate, and no order to keep.

use std::path::Path;
use std::time::{Duration, Instant};

use cosell_host::config::Config;
use cosell_simulator::SimulatorConfig;
use cosell_tests::{PATIENCE, World, components};
use serde_json::{Value, json};

use super::in_step;
use crate::log::Log;
use crate::people::{draft, share, solution};
use crate::sheet::{Sheet, only_if, plain};

const LOOK_EVERY: Duration = Duration::from_millis(20);

pub(in crate::stages) async fn play(sheet: &mut Sheet, log: &Log) -> anyhow::Result<()> {
    let simulator = SimulatorConfig {
        seed: 25,
        ..SimulatorConfig::demo()
    };
    let world = World::with(simulator, &[]).await?;
    let stock = world.desk()?.plugins.current().plugins().len();
    dropped(sheet, &world, stock).await?;
    any_order(sheet, &world, log, stock).await?;
    mistaken(sheet, &world)?;
    world.end().await
}

/// A component that is none says so beside itself, and one that is serves at once.
async fn dropped(sheet: &mut Sheet, world: &World, stock: usize) -> anyhow::Result<()> {
    std::fs::write(world.folder.join("60-broken.wasm"), b"not a component")?;
    let verdict = wait_for(&world.folder.join("60-broken.rejected.json")).await?;
    let verdict: Value = serde_json::from_str(&verdict)?;
    let serving = world.desk()?.plugins.current().plugins().len();
    std::fs::remove_file(world.folder.join("60-broken.wasm"))?;
    std::fs::copy(
        components("examples")?.join("50-acme.wasm"),
        world.folder.join("50-acme.wasm"),
    )?;
    world.until_plugins(stock + 1).await?;
    std::fs::remove_file(world.folder.join("50-acme.wasm"))?;
    world.until_plugins(stock).await?;
    let said = |name: &str| verdict[name].as_str().unwrap_or_default().to_owned();
    sheet.put(
        "symptom.activation",
        only_if(
            serving == stock && !said("hint").is_empty(),
            format!(
                "60-broken.rejected.json: {}: {}; a good one serves without a restart",
                said("message"),
                said("hint")
            ),
            || format!("{serving} of {stock} serve; {verdict}"),
        ),
    );
    Ok(())
}

async fn wait_for(file: &Path) -> anyhow::Result<String> {
    let began = Instant::now();
    loop {
        match std::fs::read_to_string(file) {
            Ok(text) if !text.is_empty() => return Ok(text),
            _ if began.elapsed() > PATIENCE => anyhow::bail!("{} never came", file.display()),
            _ => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
}

/// All plugins but the first are taken out, and come back from the last to the second while a deal waits for them.
async fn any_order(
    sheet: &mut Sheet,
    world: &World,
    log: &Log,
    stock: usize,
) -> anyhow::Result<()> {
    let mut files: Vec<_> = std::fs::read_dir(&world.folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "wasm"))
        .collect();
    files.sort();
    files.remove(0);
    for file in &files {
        std::fs::remove_file(file)?;
    }
    world.until_plugins(1).await?;
    // The country plugin is what turns the name into a code.
    let account = world.account("Contoso Kft.", "Hungary")?;
    let row = draft(world, &account, "Before its plugins", &json!({}))?;
    solution(world, &row, "SOL-12345-ABC")?;
    share(world, &row)?;
    sheet
        .expect_one(world, "symptom.child-flows", |_| {
            let line = log.line(&[&row, "not complete yet", "country"])?;
            let reason = line.split_once("reason=").map_or("", |(_, reason)| reason);
            Ok(format!("log: {}", plain(reason)))
        })
        .await?;
    for file in files.iter().rev() {
        let name = file.file_name().unwrap_or_default();
        std::fs::copy(components("plugins")?.join(name), file)?;
    }
    world.until_plugins(stock).await?;
    sheet
        .expect_one(world, "symptom.child-flows", |s| in_step(s, &row))
        .await
}

/// Several mistakes in the one file there is.
fn mistaken(sheet: &mut Sheet, world: &World) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(&world.config)?;
    let text = text
        .replace("client_id = \"", "client_id = \"no-guid-")
        .replace("subscribe = true", "subscribe = \"yes\"")
        .replace(
            "[connection.policy]\n",
            "[connection.policy]\non_conflict = \"latest\"\n",
        );
    let file = world.config.with_file_name("mistaken.toml");
    std::fs::write(&file, text)?;
    let seen = match Config::load(&file) {
        Ok(_) => Err("nothing is wrong with it".to_owned()),
        Err(errors) => {
            let told = errors.to_string();
            let all = ["client_id", "subscribe", "on_conflict"];
            let lines = told
                .lines()
                .filter(|line| line.trim_start().starts_with("line "))
                .count();
            let lacking = all.iter().find(|key| !told.contains(**key));
            let first = told
                .lines()
                .find(|line| line.contains("on_conflict"))
                .unwrap_or_default();
            only_if(
                lacking.is_none() && lines >= 4,
                format!(
                    "four mistakes at once, each with its line and a hint, such as {}",
                    without_line(first)
                ),
                || told.clone(),
            )
        }
    };
    sheet.put("symptom.connections", seen);
    Ok(())
}

/// `line 37, connection.policy.on_conflict: …` without the number.
fn without_line(line: &str) -> String {
    line.trim_start()
        .split_once(", ")
        .map_or("", |(_, rest)| rest)
        .to_owned()
}
