//! The workshop behind `cargo demo` and `cargo verify`: builds the guests, runs what stands in the README, checks everything.
//!
//! Progress goes to standard error, so that `cargo demo --once --json` keeps standard output for its one object.
#![forbid(unsafe_code)]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line talks to the person before it"
)]

mod assumptions;
mod deny;
mod deploy;
mod freeze;
mod guests;
mod plugins;
mod programs;
mod provide;
mod report;
mod room;
mod sbom;
mod scenarios;
mod steps;
mod typings;
mod verify;
mod wasm_c;
mod wit_compat;

use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use steps::{Workspace, need_c_compiler};

const USAGE: &str = "\
The workshop of cosell.

  cargo xtask plugins          build every plugin, example and hostile guest into components
  cargo xtask wasm-c           a C compiler for WebAssembly, if there is none: only the script engine needs it
  cargo xtask demo [ARGS]      the same, then `cosell demo`; ARGS go to it (try --once, or --help)
  cargo xtask simulate [ARGS]  the same, then random histories against the real host; ARGS go to it (--seeds 100000 for a
                               night, --seed 7 --ops OPS to repeat a failure, or --help)
  cargo xtask mutants [ARGS]   mistakes of the protocol, built in one by one: each must be shown by a random history (try --help)
  cargo xtask crash [ARGS]     the same components, then real hosts that are ended by force at random (--rounds 500, --hosts 3 on
                               one PostgreSQL) or at each step of the protocol (--matrix); 0 lost, 0 doubled, or it fails
  cargo xtask soak [ARGS]      the same components, then a release host under steady load and faults, for twenty minutes unless ARGS say
                               otherwise (--minutes 480): memory and log have to stay, and nothing may be lost or doubled
  cargo xtask typings          examples/script/cosell.d.ts anew, the contract in TypeScript
  cargo xtask wit-compat       does the contract keep what was released of it (wit/released)?
  cargo xtask freeze           at a release: keeps the contract and guests built for it under its version
  cargo xtask scenarios        SCENARIOS.md anew, from what the scenarios answer
  cargo xtask hostile          HOSTILE-PLUGINS.md anew, from what hostile plugins come to
  cargo xtask rules            host/simulator/RULES.md anew: what the simulator does as the vendors are documented to, each rule a test
  cargo xtask assumptions [FACT]...  the stories that meet it, in the other reading of each doubtful fact about the vendors, or of
                               these; ASSUMPTIONS.md anew (--page: only that; --few: a few stories per fact)
  cargo xtask deny             where the tree comes from and under which licences (deny.toml), and whether an advisory speaks against any of it
  cargo xtask deploy           examples/deploy by the schemas of compose and Kubernetes
  cargo xtask sbom             target/cosell.cdx.json, the release's bill of materials (CycloneDX): the program, the stock plugins, the engines
  cargo xtask verify [--all]   everything that must hold before a push: plugins, fmt, the contract against its releases, deny, clippy, rustdoc,
                               tests, random histories and the demo. --all also plays the assumptions, other people's clients and a browser against
                               the simulator, components in JavaScript and Python, a database that falls silent, and the deployment examples; looks that no failpoint is in what people run, writes
                               its bill of materials and puts the simulator under load

`cargo demo` and `cargo verify` are short for two of them. Components land in target/plugins (the stock mapping),
target/engines (what runs scripts and tables), target/examples (things to copy and to drop in) and target/hostile (guests that misbehave, for tests).
All that is needed is Rust from rustup and a C compiler (`cc`); the WebAssembly target is added when it is missing.
";

fn main() -> ExitCode {
    match run(std::env::args().skip(1).collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Vec<String>) -> Result<()> {
    let mut arguments = arguments.into_iter();
    let task = arguments.next();
    let rest: Vec<String> = arguments.collect();
    match task.as_deref() {
        // What talks to the person itself has a page of its own.
        Some(task) if !TALKS.contains(&task) && asks_for_help(&rest) => {
            print!("{USAGE}");
            Ok(())
        }
        Some("plugins") => {
            refuse(&rest)?;
            plugins::build(&Workspace::find()?)
        }
        Some("typings") => {
            refuse(&rest)?;
            typings::write(&Workspace::find()?)
        }
        Some("freeze") => {
            refuse(&rest)?;
            freeze::freeze(&Workspace::find()?)
        }
        Some("deny") => {
            refuse(&rest)?;
            deny::check(&Workspace::find()?)
        }
        Some("deploy") => {
            refuse(&rest)?;
            deploy::check(&Workspace::find()?)
        }
        Some("sbom") => {
            refuse(&rest)?;
            sbom::write(&Workspace::find()?)
        }
        Some("wit-compat") => {
            refuse(&rest)?;
            wit_compat::check(&Workspace::find()?)
        }
        Some("wasm-c") => {
            refuse(&rest)?;
            wasm_c::ensure(&Workspace::find()?)
        }
        Some("demo") => talk(rest, steps::demo),
        Some("scenarios") => {
            refuse(&rest)?;
            scenarios::write(&Workspace::find()?, &scenarios::SCENARIOS)
        }
        Some("rules") => {
            refuse(&rest)?;
            scenarios::write_rules(&Workspace::find()?)
        }
        Some("hostile") => {
            refuse(&rest)?;
            scenarios::write(&Workspace::find()?, &scenarios::HOSTILE)
        }
        Some("assumptions") if rest == ["--page"] => assumptions::page(&Workspace::find()?),
        Some("assumptions") if rest.first().is_some_and(|first| first == "--few") => {
            assumptions::play(&Workspace::find()?, &rest[1..], assumptions::Breadth::Few)
        }
        Some("assumptions") => {
            assumptions::play(&Workspace::find()?, &rest, assumptions::Breadth::All)
        }
        Some("simulate") => talk(rest, steps::simulate),
        Some("mutants") => talk(rest, steps::mutants),
        Some("crash") => talk(rest, steps::crash),
        Some("soak") => talk(rest, steps::soak),
        Some("verify") => match rest.as_slice() {
            [] => verify::run(&Workspace::find()?, verify::Width::Usual),
            [all] if all == "--all" => verify::run(&Workspace::find()?, verify::Width::All),
            _ => bail!(
                "`verify` knows only --all, not {}\n\n{USAGE}",
                rest.join(" ")
            ),
        },
        Some("help" | "-h" | "--help") | None => {
            print!("{USAGE}");
            Ok(())
        }
        Some(unknown) => bail!("there is no task \"{unknown}\"\n\n{USAGE}"),
    }
}

/// Tasks whose arguments go to a program.
const TALKS: [&str; 5] = ["crash", "demo", "mutants", "simulate", "soak"];

fn asks_for_help(arguments: &[String]) -> bool {
    arguments
        .iter()
        .any(|argument| matches!(argument.as_str(), "-h" | "--help"))
}

fn refuse(arguments: &[String]) -> Result<()> {
    match arguments.first() {
        None => Ok(()),
        Some(first) => bail!("\"{first}\" is one argument too many\n\n{USAGE}"),
    }
}

/// Components first, then a program that talks to the person itself; its own exit code is ours.
fn talk(arguments: Vec<String>, program: fn(&Workspace) -> Result<Command>) -> Result<()> {
    let workspace = Workspace::find()?;
    need_c_compiler()?;
    plugins::build(&workspace)?;
    let status = program(&workspace)?
        .args(arguments)
        .status()
        .context("cannot start cargo")?;
    std::process::exit(status.code().unwrap_or(1));
}
