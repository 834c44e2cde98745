//! The set that would serve if a file were dropped into the folder: to look at, and never to put into service.

use std::path::Path;
use std::sync::Arc;

use super::scan::read_operator;
use crate::engine::Engine;
use crate::load::load;
use crate::offer::{Offer, engine_file, operator_file};
use crate::operator::{Laws, Operator};
use crate::plugin::Plugin;
use crate::rejection::{Phase, Rejection, RejectionKind};
use crate::self_test::{alone, together};
use crate::set::PluginSet;

/// What serves, with `candidate` in the place of the plugin of its file's name, or beside the others. An operator file beside the candidate is
/// read; without one, what holds for the file of that name now. The engine that a script needs lies beside it, or in `folder`. Writes nothing,
/// anywhere but into the cache. Blocks while it compiles.
///
/// # Errors
/// The candidate would be refused.
pub fn with_candidate(
    engine: &Engine,
    serving: &PluginSet,
    folder: &Path,
    candidate: &Path,
) -> Result<PluginSet, Rejection> {
    let file = candidate
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    one(engine, serving, folder, candidate, &file)
        .map_err(|rejection| Rejection { file, ..rejection })
}

fn one(
    engine: &Engine,
    serving: &PluginSet,
    folder: &Path,
    candidate: &Path,
    file: &str,
) -> Result<PluginSet, Rejection> {
    let others = &serving.chain.plugins;
    let before = others.iter().find(|plugin| plugin.file == *file);
    let text = match (read_operator(candidate)?, before) {
        (Some(text), _) => text,
        (None, Some(before)) => before.operator.clone(),
        (None, None) => read_operator(&folder.join(file))?.unwrap_or_default(),
    };
    let operator = Operator::read(&text)?;
    if !operator.enabled {
        return Err(Rejection::new(
            Phase::Operator,
            RejectionKind::Settings,
            "it is switched off in its operator file",
        )
        .with_hint(format!(
            "set enabled = true in {} to try it",
            operator_file(file)
        )));
    }
    let has_engine =
        engine_file(file).is_none_or(|engine| candidate.with_file_name(engine).exists());
    let in_folder = folder.join(file);
    let beside = if has_engine { candidate } else { &in_folder };
    let offer = Offer::read_with(candidate, beside)?;
    let loaded = load(engine, &offer, &operator)?;
    if operator.laws == Laws::Refuse {
        alone(&loaded.plugin)?;
    }
    let twin = others
        .iter()
        .find(|other| other.file != *file && other.id() == loaded.plugin.id());
    if let Some(twin) = twin {
        return Err(clash(&loaded.plugin, &twin.file));
    }
    if operator.laws == Laws::Refuse {
        // As the folder judges it: in the chain with all that serves, of which only the new file can be to blame.
        let broken = together(engine, others, &[Arc::clone(&loaded.plugin)]);
        if let Some((_, why)) = broken.into_iter().next() {
            return Err(why);
        }
    }
    Ok(serving.with(&loaded.plugin, None))
}

fn clash(plugin: &Plugin, other: &str) -> Rejection {
    Rejection::new(
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
