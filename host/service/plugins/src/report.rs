//! What the folder would say about a file, for `cosell plugin check FILE`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cosell_sync::row::Needs;

use crate::bindings::cosell::mapping::types as wit;
use crate::convert::heard::short as one_line;
use crate::engine::Engine;
use crate::examples::{QUESTIONS, answer, answer_warm, undeclared};
use crate::inert::{GIVES, packages_of};
use crate::load::{Loaded, load};
use crate::offer::{Offer, engine_file};
use crate::operator::{Laws, Operator};
use crate::plugin::Hook;
use crate::prescan::{allowed, names};
use crate::rejection::Rejection;
use crate::self_test::alone;
use crate::standard::Question;
use crate::stop::short_hash;

/// Calls over which the time of one is taken.
const WARM_CALLS: u32 = 20;

/// The report. Its `Display` is what the command prints.
#[derive(Debug, Clone)]
pub struct CheckReport {
    /// Name of the file.
    pub file: String,
    /// Size in bytes; 0 if it could not be read.
    pub bytes: u64,
    /// Its version: SHA-256 of the component, or of a script or table together with its engine, hex; empty if it could not be read.
    pub sha256: String,
    /// What it imports.
    pub imports: Vec<String>,
    /// What it exports.
    pub exports: Vec<String>,
    /// What of a system it asks for; none: nothing.
    pub system: Option<AskedSystem>,
    /// Who it is and what it cost, if it came that far.
    pub plugin: Option<CheckedPlugin>,
    /// Worth telling, stops nothing.
    pub notes: Vec<String>,
    /// What breaks when it is asked about the standard deal. The folder would take it all the same; its deals would stop.
    pub warnings: Vec<String>,
    /// What the folder would say.
    pub verdict: Result<(), Rejection>,
}

/// What a component imports of a system (WASI), as its toolchain made it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct AskedSystem {
    /// Its parts: `wasi:cli`, `wasi:random`.
    pub packages: Vec<String>,
    /// Its operator file says `wasi = "inert"`, and inert WASI answers for all of it.
    pub is_let_in: bool,
}

/// A plugin that the folder would take.
#[derive(Debug, Clone)]
pub struct CheckedPlugin {
    /// Its id.
    pub id: String,
    /// Its version.
    pub version: String,
    /// One sentence.
    pub summary: String,
    /// Hooks that it serves.
    pub hooks: Vec<Hook>,
    /// Name, what it is for, whether it must be set.
    pub settings: Vec<(String, String, bool)>,
    /// What it declares under these settings.
    pub needs: Needs,
    /// Golden examples that passed.
    pub examples: usize,
    /// Time to compile, or to take it from the cache.
    pub compile: Duration,
    /// It had been compiled before.
    pub from_cache: bool,
    /// A new instance.
    pub start: Duration,
    /// One question on a warm instance, the slowest hook, about the standard deal. None: no question was answered.
    pub call: Option<(String, Duration)>,
}

impl CheckReport {
    /// The folder would take it, and it answers about the standard deal.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.verdict.is_ok() && self.warnings.is_empty()
    }
}

/// Does everything that the folder would do with this file and the operator file beside it, and asks every question once.
///
/// Blocks: compiling takes seconds for the largest guests.
#[must_use]
pub fn check_file(engine: &Engine, path: &Path) -> CheckReport {
    check_file_with(engine, path, &[])
}

/// The same, with folders in which the engine of a script or a table is looked for when none lies beside it.
#[must_use]
pub fn check_file_with(engine: &Engine, path: &Path, engines: &[PathBuf]) -> CheckReport {
    let file = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let mut report = CheckReport {
        file: file.clone(),
        bytes: 0,
        sha256: String::new(),
        imports: Vec::new(),
        exports: Vec::new(),
        system: None,
        plugin: None,
        notes: Vec::new(),
        warnings: Vec::new(),
        verdict: Ok(()),
    };
    report.verdict = check(engine, path, engines, &mut report)
        .map_err(|rejection| Rejection { file, ..rejection });
    report
}

fn check(
    engine: &Engine,
    path: &Path,
    engines: &[PathBuf],
    report: &mut CheckReport,
) -> Result<(), Rejection> {
    let offer = Offer::read_from(path, engines)?;
    report.bytes = offer.bytes() as u64;
    report.sha256 = hex::encode(offer.digest());
    if let Ok(outline) = names(&offer.wasm) {
        report.imports = outline.imports;
        report.exports = outline.exports;
    }
    let operator = Operator::beside(path)?;
    report.system = asked_system(&report.imports, &operator);
    if let Some(asked) = &report.system {
        let packages = asked.packages.join(", ");
        report.notes.push(if asked.is_let_in {
            format!(
                "it asks for a system ({packages}), and gets an inert one, as its operator file says: {GIVES}"
            )
        } else {
            format!("it asks for a system ({packages}), and does not get one")
        });
    }
    let loaded = load(engine, &offer, &operator)?;
    report.notes.extend(loaded.outline.notes.iter().cloned());
    if let Some(file) = engine_file(&offer.file).filter(|file| !path.with_file_name(file).exists())
    {
        report.notes.push(format!(
            "{file}, which runs it, has to lie in the plugin folder as well"
        ));
    }
    if !operator.enabled {
        report
            .notes
            .push("it is switched off in its operator file".to_owned());
    }
    let start = start_time(&loaded);
    let call = ask_everything(&loaded, &mut report.warnings);
    let mut needs = Needs::default();
    loaded
        .plugin
        .declared
        .add_to(loaded.plugin.id(), &mut needs);
    report.plugin = Some(CheckedPlugin {
        id: loaded.plugin.id().to_owned(),
        version: loaded.plugin.speaker.version.clone(),
        summary: one_line(&loaded.plugin.summary),
        hooks: loaded.plugin.hooks.clone(),
        settings: loaded.manifest.settings.iter().map(setting).collect(),
        needs,
        examples: loaded.examples,
        compile: loaded.compile,
        from_cache: loaded.from_cache,
        start,
        call,
    });
    match alone(&loaded.plugin) {
        Err(why) if operator.laws == Laws::Refuse => Err(why),
        // What stops deals stands among the warnings already.
        Err(why) if report.warnings.is_empty() => {
            report.warnings.push(why.to_string());
            Ok(())
        }
        _ => Ok(()),
    }
}

fn asked_system(imports: &[String], operator: &Operator) -> Option<AskedSystem> {
    let packages = packages_of(imports);
    let is_let_in = imports
        .iter()
        .all(|import| allowed(import, operator.wasi).is_ok());
    (!packages.is_empty()).then_some(AskedSystem {
        packages,
        is_let_in,
    })
}

fn setting(spec: &wit::SettingSpec) -> (String, String, bool) {
    (
        spec.name.clone(),
        one_line(spec.doc.trim()),
        spec.required && spec.default_value.is_none(),
    )
}

fn start_time(loaded: &Loaded) -> Duration {
    let guest = &loaded.plugin.guest;
    let _passing = guest.engine.pass_time();
    let began = Instant::now();
    // It came up before: a failure now is the machine's, and the time says it.
    let _ = guest.start();
    began.elapsed()
}

/// Puts every question of its hooks once, and the slowest of those answered again on a warm instance.
fn ask_everything(loaded: &Loaded, warnings: &mut Vec<String>) -> Option<(String, Duration)> {
    let plugin = &loaded.plugin;
    let mut slowest: Option<(String, Duration)> = None;
    for (hook, name) in QUESTIONS {
        if !plugin.hooks.contains(&hook) {
            continue;
        }
        let question =
            Question::new(name, plugin.settings.clone()).about_a_blank_row(&plugin.declared);
        let began = Instant::now();
        match answer(plugin, &question) {
            Ok(Ok(said)) => {
                warnings.extend(
                    undeclared(&plugin.declared, plugin.id(), &question, &said)
                        .map(|why| format!("{name}: {why}")),
                );
                let took = began.elapsed();
                if slowest.as_ref().is_none_or(|(_, slowest)| took > *slowest) {
                    slowest = Some((name.to_owned(), took));
                }
            }
            Ok(Err(fault)) => {
                let said = fault.trace.map(|trace| format!("; it logged: {trace}"));
                warnings.push(format!(
                    "{name}: {}{}",
                    fault.message,
                    said.unwrap_or_default()
                ));
            }
            Err(why) => warnings.push(format!("{name}: {why}")),
        }
    }
    let (name, _) = slowest?;
    let question =
        Question::new(&name, plugin.settings.clone()).about_a_blank_row(&plugin.declared);
    let began = Instant::now();
    for _ in 0..WARM_CALLS {
        // Answered a moment ago; only the time counts here.
        let _ = answer_warm(plugin, &question);
    }
    Some((name, began.elapsed() / WARM_CALLS))
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}  {} KiB  sha256 {}",
            self.file,
            self.bytes.div_ceil(1024),
            short_hash(&self.sha256)
        )?;
        if let Some(plugin) = &self.plugin {
            writeln!(f, "  {} {}: {}", plugin.id, plugin.version, plugin.summary)?;
            let hooks: Vec<_> = plugin.hooks.iter().map(|hook| hook.as_str()).collect();
            writeln!(f, "  hooks     {}", hooks.join(", "))?;
        }
        list(f, "imports", &self.imports)?;
        list(f, "exports", &self.exports)?;
        if let Some(plugin) = &self.plugin {
            plugin.fmt_needs(f)?;
            for (name, doc, is_needed) in &plugin.settings {
                let needed = if *is_needed { " (must be set)" } else { "" };
                writeln!(f, "  setting   {name}{needed}: {doc}")?;
            }
            let how = if plugin.from_cache {
                "from cache"
            } else {
                "compiled"
            };
            write!(
                f,
                "  cost      {how} in {} ms, new instance {} µs",
                plugin.compile.as_millis(),
                plugin.start.as_micros()
            )?;
            match &plugin.call {
                Some((question, took)) => writeln!(f, ", {question} {} µs", took.as_micros())?,
                None => writeln!(f)?,
            }
            match plugin.examples {
                0 => writeln!(
                    f,
                    "  examples  none: golden examples show a plugin's author what a change breaks"
                )?,
                passed => writeln!(f, "  examples  {passed} passed, each twice")?,
            }
        }
        list(f, "note", &self.notes)?;
        list(f, "warning", &self.warnings)?;
        match &self.verdict {
            Ok(()) if self.warnings.is_empty() => {
                write!(f, "good: the folder would put it into service")
            }
            Ok(()) => write!(
                f,
                "the folder would put it into service, and its deals would stop: see the warnings"
            ),
            Err(rejection) => write!(f, "refused ({}): {rejection}", rejection.phase.as_str()),
        }
    }
}

impl CheckedPlugin {
    fn fmt_needs(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (word, tables) in [
            ("reads", &self.needs.reads),
            ("writes", &self.needs.writes),
            ("asks", &self.needs.asks),
        ] {
            for (table, columns) in tables {
                let columns: Vec<_> = columns.iter().map(String::as_str).collect();
                writeln!(f, "  {word:<9} {table}: {}", columns.join(", "))?;
            }
        }
        for join in &self.needs.joins {
            writeln!(
                f,
                "  joins     {} ({} below {}): {}",
                join.label,
                join.table,
                join.above,
                join.columns.join(", ")
            )?;
        }
        for own in &self.needs.brings {
            writeln!(
                f,
                "  brings    {}.{} \"{}\"",
                own.table, own.column, own.label
            )?;
        }
        Ok(())
    }
}

fn list(f: &mut fmt::Formatter<'_>, word: &str, lines: &[String]) -> fmt::Result {
    lines
        .iter()
        .try_for_each(|line| writeln!(f, "  {word:<9} {line}"))
}
