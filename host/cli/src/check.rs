//! `cosell plugin check`, `cosell config check` and `cosell config example`.
#![allow(clippy::print_stdout, reason = "the command line may")]

use std::path::Path;
use std::process::ExitCode;

use cosell_host::config::Config;
use cosell_plugins::{EngineSettings, Limits, Stranger, check_file_with, strangers};
use cosell_webhook::Source;

use crate::author::Engines;

pub(crate) fn plugin(file: &Path, engines: &Engines) -> anyhow::Result<ExitCode> {
    let engine = crate::author::keeping(
        "checked",
        EngineSettings {
            cache_dir: None,
            limits: Limits::default(),
            threads: 2,
            compiler: crate::compiler::compiler(),
            ..EngineSettings::default()
        },
    )?;
    let report = check_file_with(&engine, file, &engines.folders());
    println!("{report}");
    Ok(if report.is_good() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The manual of the configuration, in the binary: who has only that needs it most.
const EXAMPLE: &str = include_str!("../../../examples/cosell.toml");

pub(crate) fn example() -> ExitCode {
    print!("{EXAMPLE}");
    ExitCode::SUCCESS
}

pub(crate) fn config(path: &Path) -> anyhow::Result<ExitCode> {
    let config = Config::load(path)?;
    println!("{}: good", path.display());
    println!(
        "  listens on  {}, reached as {}",
        config.server.listen, config.server.public_url
    );
    println!("  remembers   in {}", config.store);
    println!("  plugins     from {}", config.plugins.folder.display());
    for Stranger { file, why } in strangers(&config.plugins.folder).unwrap_or_default() {
        println!("  ! {file} {why}");
    }
    for connection in &config.connections {
        println!(
            "  connection  {}: {} and {}",
            connection.id, connection.partner_center.base_url, connection.dataverse.url
        );
        for (side, app) in [
            ("Partner Center", &connection.partner_center.app),
            ("Dataverse", &connection.dataverse.app),
        ] {
            println!("    {side} is called with {}", app.proof.in_words());
        }
        for source in [Source::PartnerCenter, Source::Dataverse] {
            println!(
                "    {source} posts to {}",
                config.webhook_address(source, &connection.id)
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}
