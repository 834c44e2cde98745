//! The set that would serve if a file were dropped into the folder: to look at, and never to put into service.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::scan::{read_operator, scan};
use crate::engine::Engine;
use crate::load::load;
use crate::offer::{Offer, engine_file, operator_file};
use crate::operator::Operator;
use crate::plugin::Plugin;
use crate::rejection::{Phase, Rejection, RejectionKind};
use crate::set::PluginSet;

/// Loads what lies in `folder`, with `candidate` in the place of the file of its name, or beside the others. Files of the folder that would be refused
/// are left out, as they are in service. An operator file beside the candidate is read; without one, the folder's own for that name. Writes nothing,
/// anywhere but into the cache. Blocks while it compiles.
///
/// # Errors
/// The candidate would be refused; or the folder cannot be read.
pub fn with_candidate(
    engine: &Engine,
    folder: &Path,
    candidate: &Path,
) -> Result<PluginSet, Rejection> {
    let name = candidate
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let found = scan(folder).map_err(|error| {
        Rejection::new(
            Phase::Read,
            RejectionKind::NotAFile,
            format!("the plugin folder {} cannot be read", folder.display()),
        )
        .because([error.to_string()])
    })?;
    let mut files: BTreeMap<String, PathBuf> = found
        .into_keys()
        .map(|file| {
            let path = folder.join(&file);
            (file, path)
        })
        .collect();
    files.insert(name.clone(), candidate.to_owned());

    let mut plugins: Vec<Arc<Plugin>> = Vec::new();
    for (file, path) in &files {
        let is_candidate = *file == name;
        // What does not lie beside the candidate is the folder's.
        let beside = |other: &str| {
            let has_own = !is_candidate || candidate.with_file_name(other).exists();
            if has_own {
                path.clone()
            } else {
                folder.join(file)
            }
        };
        let operator = beside(&operator_file(file));
        let engine_at = engine_file(file).map_or_else(|| path.clone(), &beside);
        let taken = |plugin: &Arc<Plugin>| {
            plugins
                .iter()
                .find(|earlier| earlier.id() == plugin.id())
                .map(|earlier| earlier.file.clone())
        };
        match one(engine, path, &operator, &engine_at) {
            Ok(Some(plugin)) => match taken(&plugin) {
                None => plugins.push(plugin),
                Some(earlier) if is_candidate => return Err(clash(&plugin, &earlier)),
                Some(earlier) if earlier == name => return Err(clash(&plugin, &earlier)),
                Some(_) => {}
            },
            Ok(None) if is_candidate => {
                return Err(Rejection {
                    file: name,
                    ..Rejection::new(
                        Phase::Operator,
                        RejectionKind::Settings,
                        "it is switched off in its operator file",
                    )
                    .with_hint("set enabled = true there to try it")
                });
            }
            Err(rejection) if is_candidate => {
                return Err(Rejection {
                    file: name,
                    ..rejection
                });
            }
            Ok(None) | Err(_) => {}
        }
    }
    Ok(PluginSet::new(engine.clone(), 0, plugins, None))
}

/// None: switched off.
fn one(
    engine: &Engine,
    path: &Path,
    operator: &Path,
    engine_at: &Path,
) -> Result<Option<Arc<Plugin>>, Rejection> {
    let operator = Operator::read(&read_operator(operator)?.unwrap_or_default())?;
    if !operator.enabled {
        return Ok(None);
    }
    let offer = Offer::read_with(path, engine_at)?;
    load(engine, &offer, &operator).map(|loaded| Some(loaded.plugin))
}

fn clash(plugin: &Plugin, other: &str) -> Rejection {
    Rejection {
        file: plugin.file.clone(),
        ..Rejection::new(
            Phase::Set,
            RejectionKind::Duplicate,
            format!(
                "two files would be plugin \"{}\": {} and {other}",
                plugin.id(),
                plugin.file
            ),
        )
        .with_hint(
            "to try another version of a plugin, give the file the name that it has in the folder",
        )
    }
}
