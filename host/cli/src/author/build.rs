//! `cosell plugin build`.

use std::path::PathBuf;
use std::process::ExitCode;

use cosell_author::build;
use cosell_author::project::Project;

use super::Engines;

/// Arguments of `cosell plugin build`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The project: a folder with a Cargo.toml, a package.json, a plugin.toml, scripts or tables.
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Where the files for a plugin folder go; `dist` in the project unless given.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    engines: Engines,
}

pub(crate) fn build(args: &Args) -> anyhow::Result<ExitCode> {
    let project = Project::find(&args.dir)?;
    // `dist/…` reads better than `./dist/…`, and is what a person types next.
    let beside = |name: &str| match args.dir.to_str() {
        Some(".") => PathBuf::from(name),
        _ => args.dir.join(name),
    };
    let out = args.out.clone().unwrap_or_else(|| beside("dist"));
    let built = build::build(&project, &out, &super::engine()?, &args.engines.folders())?;
    for one in &built {
        let who = one.manifest.as_ref().map(|manifest| {
            let word = |member: &str| manifest[member].as_str().unwrap_or_default().to_owned();
            format!("  {} {}", word("id"), word("version"))
        });
        println!(
            "{}  {} KiB{}",
            one.file.display(),
            one.bytes.div_ceil(1024),
            who.unwrap_or_default()
        );
    }
    println!("next: cosell plugin test {}", out.display());
    Ok(ExitCode::SUCCESS)
}
