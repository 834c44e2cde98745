//! Dropping a file, and judging what comes of it.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use cosell_tests::World;
use serde_json::Value;

use crate::attacks::{Attack, File, Strike};
use crate::bytes;

/// Deals that are made until a plugin that fails over each of them is taken out: it needs five.
const DEALS_MAX: usize = 40;

/// Lets a plugin serve that breaks laws of the contract.
pub(crate) const LET_IN: &str = "laws = \"warn\"\n";

/// Plays one attack. Answers what its author was told, for the page.
pub(crate) async fn play(world: &World, attack: &Attack) -> anyhow::Result<String> {
    let before = world.desk()?.plugins.current().hash().to_owned();
    let stem = format!("70-{}", attack.id.replace('.', "-"));
    let told = match &attack.strike {
        Strike::Refused { file, kind, says } => {
            let name = offer(world, &stem, file)?;
            let refusal = refusal(world, &stem_of(&name)).await?;
            judge(&refusal, kind, says)?;
            ensure!(
                world.desk()?.plugins.current().hash() == before,
                "another set serves"
            );
            crosses(world, attack.id).await?;
            remove(&world.folder.join(name))?;
            told(&refusal)
        }
        Strike::TakenOut {
            make,
            operator,
            says,
        } => {
            // It would be refused for what it does about the standard deal; this is about what contains it when it was let in.
            put(
                world,
                &format!("{stem}.toml"),
                format!("{LET_IN}{operator}").as_bytes(),
            )?;
            // Quarantine is by content: the same guest is another file for each attack.
            put(
                world,
                &format!("{stem}.wasm"),
                &bytes::marked(make()?, attack.id),
            )?;
            world.until_settings(&before).await?;
            let refusal = taken_out(world, &stem, &before).await?;
            judge(&refusal, "quarantined", says)?;
            for ending in ["wasm", "toml"] {
                // Not every attack has an operator file.
                let _ = fs::remove_file(world.folder.join(format!("{stem}.{ending}")));
            }
            told(&refusal)
        }
        Strike::Own(story) => story(world).await?,
    };
    // The next attack begins where this one did.
    serving_again(world, &before).await?;
    world
        .until("the refusals to go with their files", |_| {
            refusals(world).is_empty().then_some(())
        })
        .await?;
    Ok(told)
}

/// Takes away whatever an attack left that was not contained, so that the next one is judged by itself.
pub(crate) async fn clean(world: &World, before: &str) -> anyhow::Result<()> {
    for entry in fs::read_dir(&world.folder)? {
        let name = entry?.file_name().into_string().unwrap_or_default();
        if ["5", "6", "7", "8"]
            .iter()
            .any(|start| name.starts_with(start))
        {
            remove(&world.folder.join(name))?;
        }
    }
    serving_again(world, before).await
}

/// What a person reads, without what differs from run to run.
pub(crate) fn told(refusal: &Value) -> String {
    let causes = refusal["causes"].as_array().into_iter().flatten();
    let causes = causes
        .filter_map(Value::as_str)
        // Frames are the author's, and change with every compiler.
        .filter(|cause| !cause.starts_with("in ") || cause.starts_with("in `"))
        .map(|cause| cause.split(" (at offset").next().unwrap_or(cause));
    let message = std::iter::once(said(refusal, "message").as_str())
        .chain(causes)
        .collect::<Vec<_>>()
        .join(": ");
    let message = without_sizes(&message);
    // How many deals it met is chance; what it did over them is not.
    match message.split_once(" deals: ") {
        Some((_, fault)) if said(refusal, "kind") == "quarantined" => fault.to_owned(),
        _ => message,
    }
}

/// Long numbers count what a compiler made of the guest.
fn without_sizes(text: &str) -> String {
    let mut out = String::new();
    let mut digits = String::new();
    for character in text.chars().chain(['\0']) {
        if character.is_ascii_digit() {
            digits.push(character);
            continue;
        }
        out.push_str(if digits.len() > 5 { "…" } else { &digits });
        digits.clear();
        out.extend((character != '\0').then_some(character));
    }
    out
}

fn judge(refusal: &Value, kind: &str, says: &str) -> anyhow::Result<()> {
    ensure!(
        said(refusal, "kind") == kind && refusal.to_string().contains(says),
        "the refusal is not of kind \"{kind}\", or does not speak of \"{says}\": {refusal}"
    );
    ensure!(
        !said(refusal, "hint").is_empty(),
        "the refusal does not say what to do: {refusal}"
    );
    ensure!(
        said(refusal, "reproduce").starts_with("cosell plugin "),
        "the refusal does not say how to see it again: {refusal}"
    );
    ensure!(
        !said(refusal, "file").is_empty() && !said(refusal, "phase").is_empty(),
        "the refusal does not say where: {refusal}"
    );
    Ok(())
}

fn offer(world: &World, stem: &str, file: &File) -> anyhow::Result<String> {
    let name = match file {
        File::Script(_) => format!("{stem}.js"),
        _ => format!("{stem}.wasm"),
    };
    match file {
        File::Component(make) => put(world, &name, &make()?)?,
        File::Module(make, instances) => {
            put(world, &name, &bytes::with_module(&make(), *instances)?)?;
        }
        File::Script(text) => put(world, &name, text.as_bytes())?,
        File::Odd(make) => make(&world.folder.join(&name))?,
    }
    Ok(name)
}

fn stem_of(name: &str) -> String {
    name.strip_suffix(".wasm").unwrap_or(name).to_owned()
}

/// As a careful person copies: another name, then a rename.
pub(crate) fn put(world: &World, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
    let unfinished = world.folder.join(format!(".{name}.part"));
    fs::write(&unfinished, bytes)?;
    Ok(fs::rename(unfinished, world.folder.join(name))?)
}

fn remove(path: &PathBuf) -> anyhow::Result<()> {
    // Some attacks leave a second file, or a directory.
    let _ = fs::remove_file(path.with_extension("target"));
    if fs::symlink_metadata(path)?.is_dir() {
        return Ok(fs::remove_dir(path)?);
    }
    Ok(fs::remove_file(path)?)
}

/// Files beside which a refusal lies.
pub(crate) fn refusals(world: &World) -> Vec<String> {
    let entries = fs::read_dir(&world.folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.ends_with(".rejected.json"))
        .collect()
}

/// Waits for what is written beside the file.
pub(crate) async fn refusal(world: &World, stem: &str) -> anyhow::Result<Value> {
    let path = world.folder.join(format!("{stem}.rejected.json"));
    world
        .until("the refusal beside the file", |_| {
            serde_json::from_slice(&fs::read(&path).ok()?).ok()
        })
        .await
}

/// Deals are made until the plugin is taken out of service; then the set of before serves, and every deal crosses.
pub(crate) async fn taken_out(world: &World, stem: &str, before: &str) -> anyhow::Result<Value> {
    let stem = if world.folder.join(format!("{stem}.js")).exists() {
        format!("{stem}.js")
    } else {
        stem.to_owned()
    };
    let path = world.folder.join(format!("{stem}.rejected.json"));
    let mut made = 0;
    while !path.exists() {
        ensure!(
            made < DEALS_MAX,
            "it was never taken out; the deals say {:?}",
            world
                .status()
                .await?
                .deals
                .into_iter()
                .filter_map(|deal| deal.reason)
                .collect::<Vec<_>>()
        );
        made += 1;
        world.referral(&format!("{stem} {made}"), "Fabrikam", "DE")?;
        world.quiet().await?;
    }
    let refusal = refusal(world, &stem).await?;
    serving_again(world, before).await?;
    world
        .until("every deal to cross", |control| {
            (control.counts().opportunities == control.counts().referrals).then_some(())
        })
        .await
        .context("after it was taken out")?;
    world.quiet().await?;
    Ok(refusal)
}

/// Waits until the set of before serves.
pub(crate) async fn serving_again(world: &World, before: &str) -> anyhow::Result<()> {
    world
        .until("the set of before", |_| {
            let desk = world.desk().ok()?;
            (desk.plugins.current().hash() == before).then_some(())
        })
        .await
}

/// A deal crosses.
pub(crate) async fn crosses(world: &World, name: &str) -> anyhow::Result<()> {
    let referral = world.referral(&format!("While {name}"), "Fabrikam", "DE")?;
    world.row_of(&referral).await.map(drop)
}

pub(crate) fn said(refusal: &Value, name: &str) -> String {
    refusal[name].as_str().unwrap_or_default().to_owned()
}
