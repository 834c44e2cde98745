//! `cosell plugin types`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, anyhow, bail};
use cosell_author::typings::{Column, Table, with_tables};
use cosell_plugins::trial::Trial;
use cosell_remote::dataverse::{self as crm, Choosable, Kind};

use super::Engines;

/// Tables that every mapping is about.
const USUAL: [&str; 4] = ["account", "contact", "lead", "opportunity"];
/// Options of a choice that are shown beside it; a list of countries is no comment.
const OPTIONS_SHOWN: usize = 20;

/// Arguments of `cosell plugin types`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cosell plugin types --config my.toml                            the usual tables, into cosell.d.ts
  cosell plugin types --config my.toml --table new_country        and another one
  cosell plugin types --config my.toml --plugin 50-acme.js        and those that this plugin declares")]
pub(crate) struct Args {
    /// The configuration file: whose Dataverse is asked.
    #[arg(long, short, value_name = "FILE", env = "COSELL_CONFIG")]
    config: PathBuf,
    /// The connection, when there are several.
    #[arg(long, value_name = "ID")]
    connection: Option<String>,
    /// A table besides account, contact, lead and opportunity: its logical name.
    #[arg(long, value_name = "TABLE")]
    table: Vec<String>,
    /// A plugin whose tables are taken as well.
    #[arg(long, value_name = "FILE")]
    plugin: Vec<PathBuf>,
    /// Where to; `-` is stdout.
    #[arg(long, value_name = "FILE", default_value = "cosell.d.ts")]
    out: PathBuf,
    #[command(flatten)]
    engines: Engines,
}

pub(crate) async fn types(args: &Args) -> anyhow::Result<ExitCode> {
    let desk = cosell_host::app::desk(&crate::compiler::load(&args.config)?)?;
    let connection = match &args.connection {
        Some(id) => desk
            .connections
            .iter()
            .find(|(known, _)| known.to_string() == *id),
        None if desk.connections.len() > 1 => {
            bail!("there are several connections; choose one with --connection ID")
        }
        None => desk.connections.iter().next(),
    };
    let (id, connection) =
        connection.context("there is no such connection in the configuration")?;
    let mut names: BTreeSet<String> = USUAL.map(str::to_owned).into();
    names.extend(args.table.iter().cloned());
    for plugin in &args.plugin {
        names.extend(tables_of(plugin, &args.engines.folders())?);
    }
    let mut tables = Vec::new();
    for name in &names {
        let table = connection
            .dataverse
            .metadata(name)
            .await
            .with_context(|| format!("the table {name} could not be read"))?;
        tables.push(told(&table));
    }
    let text = with_tables(&tables, &format!("connection {id}"));
    if args.out.as_os_str() == "-" {
        print!("{text}");
        return Ok(ExitCode::SUCCESS);
    }
    std::fs::write(&args.out, text)
        .with_context(|| format!("cannot write {}", args.out.display()))?;
    let columns: usize = tables.iter().map(|table| table.columns.len()).sum();
    println!(
        "{}: {columns} columns of {}",
        args.out.display(),
        names.into_iter().collect::<Vec<_>>().join(", ")
    );
    Ok(ExitCode::SUCCESS)
}

fn tables_of(plugin: &std::path::Path, engines: &[PathBuf]) -> anyhow::Result<Vec<String>> {
    let trial = Trial::load_with(&super::engine()?, plugin, engines)
        .map_err(|refused| anyhow!("{}: {refused}", plugin.display()))?;
    let needs = trial.needs();
    let declared = [&needs.reads, &needs.writes, &needs.asks];
    let columns = declared
        .into_iter()
        .flat_map(|tables| tables.keys().cloned());
    let joined = needs.joins.iter().map(|join| join.table.clone());
    Ok(columns.chain(joined).collect())
}

fn told(table: &crm::Table) -> Table {
    Table {
        name: table.name.clone(),
        columns: table.columns.values().map(column).collect(),
    }
}

fn column(column: &crm::Column) -> Column {
    let mut doc = vec![sentence(column)];
    if let Kind::Choice(options) | Kind::Choices(options) = &column.kind {
        doc.extend(options.iter().take(OPTIONS_SHOWN).map(option));
        if options.len() > OPTIONS_SHOWN {
            doc.push(format!("and {} more", options.len() - OPTIONS_SHOWN));
        }
    }
    Column {
        name: column.name.clone(),
        doc,
        tag: tag(&column.kind),
    }
}

fn sentence(column: &crm::Column) -> String {
    let mut words = column.kind.words();
    if let Kind::Text { max: Some(max) } | Kind::LongText { max: Some(max) } = &column.kind {
        words.push_str(&format!(", at most {max} characters"));
    }
    if column.required {
        words.push_str(", required");
    }
    match (column.create, column.update) {
        (true, true) => {}
        (true, false) => words.push_str(", only when the row is created"),
        (false, true) => words.push_str(", not when the row is created"),
        (false, false) => words.push_str(", read-only"),
    }
    words
}

fn option(option: &Choosable) -> String {
    let label = option.label.as_deref().unwrap_or("(no label)");
    format!(
        "{} = {}",
        option.code,
        label.lines().next().unwrap_or_default()
    )
}

fn tag(kind: &Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::Text { .. } | Kind::LongText { .. } | Kind::Guid => "text",
        Kind::Integer => "integer",
        Kind::BigInteger | Kind::Decimal | Kind::Double => "decimal",
        Kind::Money { .. } => "money",
        Kind::Bool => "boolean",
        Kind::Date => "date",
        Kind::Timestamp => "timestamp",
        Kind::Choice(_) => "choice",
        Kind::Choices(_) => "choices",
        Kind::Lookup(_) => "reference",
        Kind::Other(_) => return None,
    })
}
