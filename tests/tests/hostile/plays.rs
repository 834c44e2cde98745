//! Attacks that are stories.

use std::fs;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;

use anyhow::ensure;
use cosell_host::status::Deal;
use cosell_tests::World;

use crate::bytes;
use crate::strike::{LET_IN, crosses, put, refusal, refusals, said, serving_again};

/// Plays against a running host, and answers what was told.
pub(crate) type Play = for<'a> fn(&'a World) -> Played<'a>;
pub(crate) type Played<'a> = Pin<Box<dyn Future<Output = anyhow::Result<String>> + 'a>>;

pub(crate) fn link(path: &Path) -> anyhow::Result<()> {
    let target = path.with_extension("target");
    fs::write(&target, bytes::healthy()?)?;
    Ok(std::os::unix::fs::symlink(&target, path)?)
}

pub(crate) fn directory(path: &Path) -> anyhow::Result<()> {
    Ok(fs::create_dir(path)?)
}

pub(crate) fn pipe(path: &Path) -> anyhow::Result<()> {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    Ok(mknodat(
        CWD,
        path,
        FileType::Fifo,
        Mode::RUSR | Mode::WUSR,
        0,
    )?)
}

pub(crate) fn huge(path: &Path) -> anyhow::Result<()> {
    Ok(fs::File::create(path)?.set_len(33 << 20)?)
}

pub(crate) fn half_then_whole(world: &World) -> Played<'_> {
    Box::pin(async move {
        let file = world.folder.join("50-slow.wasm");
        let before = world.desk()?.plugins.current().hash().to_owned();
        fs::write(&file, bytes::half()?)?;
        let refusal = refusal(world, "50-slow").await?;
        ensure!(said(&refusal, "kind") == "not-a-component", "{refusal}");
        crosses(world, "half").await?;
        // The rest arrives under the same name.
        fs::write(&file, bytes::healthy()?)?;
        world.until_settings(&before).await?;
        crosses(world, "whole").await?;
        fs::remove_file(&file)?;
        serving_again(world, &before).await?;
        Ok(format!("{}; whole, it serves", said(&refusal, "message")))
    })
}

pub(crate) fn swapped_after_its_checks(world: &World) -> Played<'_> {
    Box::pin(async move {
        let before = world.desk()?.plugins.current().hash().to_owned();
        put(world, "50-good.wasm", &bytes::healthy()?)?;
        world.until_settings(&before).await?;
        let with_it = world.desk()?.plugins.current().hash().to_owned();
        // In place, as an attacker or a careless copy does.
        fs::write(world.folder.join("50-good.wasm"), b"\0asm and then nothing")?;
        let refusal = refusal(world, "50-good").await?;
        ensure!(
            world.desk()?.plugins.current().hash() == with_it,
            "what was checked no longer serves"
        );
        crosses(world, "swap").await?;
        fs::remove_file(world.folder.join("50-good.wasm"))?;
        serving_again(world, &before).await?;
        Ok(format!(
            "{}; the version that passed goes on serving",
            said(&refusal, "message")
        ))
    })
}

pub(crate) fn hidden_files(world: &World) -> Played<'_> {
    Box::pin(async move {
        let before = world.desk()?.plugins.current().hash().to_owned();
        let names = [
            ".60-hidden.wasm",
            "60-copy.wasm.part",
            "60-notes.txt",
            "60-plugin.wasm~",
        ];
        for name in names {
            fs::write(world.folder.join(name), bytes::healthy()?)?;
        }
        // What comes after them is put into service, so the folder was looked at; and they were not.
        let count = world.desk()?.plugins.current().plugins().len();
        put(world, "61-good.wasm", &bytes::healthy()?)?;
        world.until_settings(&before).await?;
        let after = world.desk()?.plugins.current().plugins().len();
        ensure!(
            after == count + 1,
            "one of {names:?} was taken for a plugin"
        );
        ensure!(refusals(world).is_empty(), "{:?}", refusals(world));
        for name in names.into_iter().chain(["61-good.wasm"]) {
            fs::remove_file(world.folder.join(name))?;
        }
        serving_again(world, &before).await?;
        Ok("nothing: they are nobody's business".to_owned())
    })
}

pub(crate) fn false_names(world: &World) -> Played<'_> {
    Box::pin(async move {
        let before = world.desk()?.plugins.current().hash().to_owned();
        put(world, "60-names.wasm", &bytes::with_false_names()?)?;
        world.until_settings(&before).await?;
        crosses(world, "names").await?;
        fs::remove_file(world.folder.join("60-names.wasm"))?;
        serving_again(world, &before).await?;
        Ok("nothing: it serves, and its names are shown nowhere".to_owned())
    })
}

/// Puts a plugin into service and answers the set that served before it.
async fn into_service(
    world: &World,
    name: &str,
    bytes: &[u8],
    deed: &str,
) -> anyhow::Result<String> {
    let before = world.desk()?.plugins.current().hash().to_owned();
    if !deed.is_empty() {
        put(
            world,
            &format!("{name}.toml"),
            format!("{LET_IN}[settings]\ndeed = \"{deed}\"\n").as_bytes(),
        )?;
    }
    put(world, &format!("{name}.wasm"), bytes)?;
    world.until_settings(&before).await?;
    Ok(before)
}

async fn out_of_service(world: &World, name: &str, before: &str) -> anyhow::Result<()> {
    for ending in ["wasm", "toml", "js"] {
        // Not every plugin has an operator file.
        let _ = fs::remove_file(world.folder.join(format!("{name}.{ending}")));
    }
    serving_again(world, before).await
}

/// Makes a deal that is going to be parked, and answers why it is.
async fn parked(world: &World, name: &str) -> anyhow::Result<String> {
    let before = world.status().await?.deals;
    let newest = before.iter().map(|deal| deal.lane).max().unwrap_or(0);
    world.referral(name, "Fabrikam", "DE")?;
    // It has no row yet, so it is known by being new.
    let is_it = |deal: &Deal| deal.state == "parked" && deal.lane > newest;
    let status = world
        .status_where(|status| status.deals.iter().any(is_it))
        .await?;
    let deal = status.deals.into_iter().find(is_it);
    Ok(deal.and_then(|deal| deal.reason).unwrap_or_default())
}

pub(crate) fn now_and_then(world: &World) -> Played<'_> {
    Box::pin(async move {
        let bytes = bytes::marked(bytes::guest("acts-up")?, "now and then");
        let before = into_service(world, "80-fickle", &bytes, "fails-now-and-then").await?;
        let mut reason = String::new();
        for number in 0..10 {
            let name = format!("fickle {number}");
            if number % 2 == 0 {
                let referral = world.referral(&name, "Fabrikam", "DE")?;
                world.row_of(&referral).await?;
            } else {
                reason = parked(world, &name).await?;
            }
        }
        ensure!(
            refusals(world).is_empty(),
            "it was taken out although it answers"
        );
        out_of_service(world, "80-fickle", &before).await?;
        all_crossed(world).await?;
        Ok(reason)
    })
}

pub(crate) fn poison(world: &World) -> Played<'_> {
    Box::pin(async move {
        let bytes = bytes::marked(bytes::guest("acts-up")?, "poison");
        let before = into_service(world, "80-poison", &bytes, "fails-over-one-deal").await?;
        let reason = parked(world, "a deal with poison").await?;
        for number in 0..5 {
            crosses(world, &format!("clean {number}")).await?;
        }
        out_of_service(world, "80-poison", &before).await?;
        all_crossed(world).await?;
        Ok(reason)
    })
}

pub(crate) fn terminal(world: &World) -> Played<'_> {
    Box::pin(async move {
        let bytes = bytes::marked(bytes::guest("acts-up")?, "terminal");
        let before = into_service(world, "80-terminal", &bytes, "steers-the-terminal").await?;
        let reason = parked(world, "a deal that is refused").await?;
        ensure!(
            reason.contains("all is well") && !reason.chars().any(steers),
            "the reason steers a terminal: {reason:?}"
        );
        out_of_service(world, "80-terminal", &before).await?;
        all_crossed(world).await?;
        Ok(reason)
    })
}

/// Control characters but the end of a line, and what turns the direction of text.
fn steers(character: char) -> bool {
    (character.is_control() && character != '\n')
        || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

pub(crate) fn slow_pattern(world: &World) -> Played<'_> {
    const SCRIPT: &str = r#"
export const plugin = {
  manifest: () => ({ id: "pattern", version: "1.0.0", summary: "Looks for a pattern.", settings: [] }),
  describe: () => [{ tag: "reads", val: { table: "opportunity", columns: ["name"] } }],
};
export const opportunity = {
  toRow: () => (/^(a+)+$/.test("a".repeat(64) + "!") ? [] : []),
};
"#;
    Box::pin(async move {
        let before = world.desk()?.plugins.current().hash().to_owned();
        put(world, "80-pattern.toml", LET_IN.as_bytes())?;
        put(world, "80-pattern.js", SCRIPT.as_bytes())?;
        let refusal = crate::strike::taken_out(world, "80-pattern", &before).await?;
        for ending in ["js", "toml"] {
            fs::remove_file(world.folder.join(format!("80-pattern.{ending}")))?;
        }
        Ok(crate::strike::told(&refusal))
    })
}

/// Answers what its author is told to do: which import is named first is the toolchain's choice.
pub(crate) fn asks_for_a_system(world: &World) -> Played<'_> {
    Box::pin(async move {
        let before = world.desk()?.plugins.current().hash().to_owned();
        put(world, "70-asks.wasm", &bytes::guest("looks-around")?)?;
        let refusal = refusal(world, "70-asks").await?;
        ensure!(
            said(&refusal, "kind") == "import" && said(&refusal, "message").contains("`wasi:"),
            "{refusal}"
        );
        ensure!(
            world.desk()?.plugins.current().hash() == before,
            "another set serves"
        );
        crosses(world, "a system is asked for").await?;
        fs::remove_file(world.folder.join("70-asks.wasm"))?;
        Ok(said(&refusal, "hint"))
    })
}

/// What a guest finds in the system that its operator lets it ask for: it refuses a deal with it.
fn looks_around<'a>(world: &'a World, deed: &'a str, finds: &'a str) -> Played<'a> {
    Box::pin(async move {
        let before = world.desk()?.plugins.current().hash().to_owned();
        let name = format!("80-{deed}");
        let operator = format!("wasi = \"inert\"\n{LET_IN}[settings]\ndeed = \"{deed}\"\n");
        put(world, &format!("{name}.toml"), operator.as_bytes())?;
        let bytes = bytes::marked(bytes::guest("looks-around")?, deed);
        put(world, &format!("{name}.wasm"), &bytes)?;
        world.until_settings(&before).await?;
        let reason = parked(world, "a deal that is refused").await?;
        ensure!(
            reason.contains(finds),
            "it finds more than \"{finds}\": {reason}"
        );
        out_of_service(world, &name, &before).await?;
        all_crossed(world).await?;
        Ok(reason)
    })
}

pub(crate) fn environment(world: &World) -> Played<'_> {
    looks_around(world, "environment", "0 variables, 0 arguments")
}

pub(crate) fn files(world: &World) -> Played<'_> {
    let finds =
        "list /: NotFound; read /etc/passwd: NotFound; write here: NotFound; remove /: NotFound";
    looks_around(world, "files", finds)
}

pub(crate) fn network(world: &World) -> Played<'_> {
    let finds = "connect: PermissionDenied; bind: PermissionDenied; look up: PermissionDenied";
    looks_around(world, "network", finds)
}

pub(crate) fn sleep(world: &World) -> Played<'_> {
    looks_around(
        world,
        "sleep",
        "after an hour 0 s had passed, and 0 s on the wall",
    )
}

pub(crate) fn input(world: &World) -> Played<'_> {
    looks_around(world, "input", "0 bytes")
}

async fn all_crossed(world: &World) -> anyhow::Result<()> {
    world
        .until("every deal to cross", |control| {
            (control.counts().opportunities == control.counts().referrals).then_some(())
        })
        .await?;
    world.quiet().await.map(drop)
}
