//! Hostile plugins: every attack that we know of, each played against the real host. Each must be contained, deals must go on crossing with
//! the set that works, and the author must be told what, where, and how to see it again.
//!
//! What they were told stands in `HOSTILE-PLUGINS.md`, and this fails when that is not what they are told now.
//! `cargo test --workspace --test hostile start.loop` plays what belongs to rows of that name; `cargo xtask hostile` writes the page anew.
#![allow(
    clippy::print_stdout,
    reason = "it stands in the place of the test harness"
)]

mod attacks;
mod bytes;
mod page;
mod plays;
mod strike;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use cosell_plugins::{Compiler, CompilerProcess};
use cosell_tests::page::Asked;
use cosell_tests::{Setup, World, program};

use attacks::{Compiling, Part, parts};

/// What a compile bomb may use; the largest honest guest of these stories needs a tenth.
const SCARCE_MEMORY: u64 = 2 << 30;
const SCARCE_TIME: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let asked = Asked::of_this_process();
    let mut parts = parts();
    let all = parts.iter().flat_map(|part| &part.attacks);
    if let Err(why) = asked.check(all.map(|attack| attack.id)) {
        println!("{why}");
        return ExitCode::FAILURE;
    }
    for part in &mut parts {
        part.attacks.retain(|attack| asked.wants(attack.id));
    }
    parts.retain(|part| !part.attacks.is_empty());
    if asked.list {
        for attack in parts.iter().flat_map(|part| &part.attacks) {
            println!("{}: test", attack.id);
        }
        return ExitCode::SUCCESS;
    }
    let count: usize = parts.iter().map(|part| part.attacks.len()).sum();
    println!("\nrunning {count} attacks");
    let mut told = BTreeMap::new();
    let mut broken = Vec::new();
    for part in &parts {
        play(part, &mut told, &mut broken);
    }
    if asked.is_for_all() && broken.is_empty() {
        broken.extend(
            page::keep(&parts, &told)
                .err()
                .map(|why| format!("{why:#}")),
        );
    }
    for why in &broken {
        println!("\n    {why}");
    }
    let result = if broken.is_empty() { "ok" } else { "FAILED" };
    println!(
        "\nattacks result: {result}. {} contained; {} not\n",
        told.len(),
        broken.len()
    );
    if broken.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// One host for the attacks of a part: what one leaves behind, the next would show.
fn play(part: &Part, told: &mut BTreeMap<&'static str, String>, broken: &mut Vec<String>) {
    let outcome = tokio::runtime::Runtime::new()
        .context("no runtime")
        .and_then(|runtime| runtime.block_on(play_part(part, told, broken)));
    if let Err(error) = outcome {
        broken.push(format!("{}: {error:#}", part.title));
    }
}

async fn play_part(
    part: &Part,
    told: &mut BTreeMap<&'static str, String>,
    broken: &mut Vec<String>,
) -> anyhow::Result<()> {
    let compiler = match part.compiling {
        Compiling::Usual => Compiler::Here,
        Compiling::Scarce => Compiler::Process(CompilerProcess {
            memory_bytes: SCARCE_MEMORY,
            time: SCARCE_TIME,
            ..CompilerProcess::new(program("cosell")?, vec!["compile-plugin".into()])
        }),
    };
    let world = World::set_up(Setup {
        compiler: Some(compiler),
        engines: &["script.engine.wasm"],
        ..Setup::default()
    })
    .await?;
    let stock = world.desk()?.plugins.current().hash().to_owned();
    for attack in &part.attacks {
        match strike::play(&world, attack).await {
            Ok(answer) => {
                println!("attack {} ... contained: {answer}", attack.id);
                told.insert(attack.id, answer);
            }
            Err(error) => {
                println!("attack {} ... FAILED", attack.id);
                broken.push(format!("attack {}: {error:#}", attack.id));
                strike::clean(&world, &stock).await?;
            }
        }
    }
    world.end().await
}
