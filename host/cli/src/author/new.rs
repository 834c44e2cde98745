//! `cosell plugin new`.

use std::path::PathBuf;
use std::process::ExitCode;

use cosell_author::template::{Language, New, write};

/// Arguments of `cosell plugin new`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cosell plugin new acme --language rust          a crate with the guest SDK beside it
  cosell plugin new acme --language script        one .js file, no toolchain
  cosell plugin new acme --language table         one .table.toml file, no code")]
pub(crate) struct Args {
    /// Id of the plugin, the same through all its versions: a letter, then small letters, digits and dashes.
    #[arg(value_name = "NAME")]
    name: String,
    /// What it is written in. A script and a table need nothing; javascript and python make components, with their own toolchains.
    #[arg(long, value_enum, value_name = "LANGUAGE")]
    language: Spoken,
    /// Where; a folder of the plugin's name unless given.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// The guest SDK of a checkout, to build against instead of the copy that this program carries. Only for rust.
    #[arg(long, value_name = "DIR")]
    sdk: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Spoken {
    Rust,
    Javascript,
    Script,
    Table,
    Python,
}

pub(crate) fn new(args: &Args) -> anyhow::Result<ExitCode> {
    let language = match args.language {
        Spoken::Rust => Language::Rust,
        Spoken::Javascript => Language::JavaScript,
        Spoken::Script => Language::Script,
        Spoken::Table => Language::Table,
        Spoken::Python => Language::Python,
    };
    anyhow::ensure!(
        args.sdk.is_none() || language == Language::Rust,
        "--sdk is for --language rust: the others need no SDK"
    );
    let dir = args
        .dir
        .clone()
        .unwrap_or_else(|| PathBuf::from(&args.name));
    let written = write(&New {
        id: &args.name,
        language,
        dir: &dir,
        sdk: args.sdk.as_deref(),
    })?;
    println!("{}: {} files", dir.display(), written.len());
    for file in written.iter().filter(|file| !file.starts_with("sdk")) {
        println!("  {}", file.display());
    }
    if written.iter().any(|file| file.starts_with("sdk")) {
        println!("  sdk (the guest SDK and the contract)");
    }
    println!("next: cosell plugin build {}", dir.display());
    Ok(ExitCode::SUCCESS)
}
