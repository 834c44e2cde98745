//! What a person changes in a configuration, as a person does: in its text.

use std::path::Path;

use anyhow::ensure;

/// Replaces each first text by its second one, where it stands first. A host sees it when it starts next.
///
/// # Errors
/// When one is not there: a story whose change went nowhere would tell of another one. Or when the file cannot be read or written.
pub fn amend(config: &Path, changes: &[(&str, &str)]) -> anyhow::Result<()> {
    let mut text = std::fs::read_to_string(config)?;
    for (from, to) in changes {
        ensure!(text.contains(from), "{from:?} is not in\n{text}");
        text = text.replacen(from, to, 1);
    }
    std::fs::write(config, text)?;
    Ok(())
}
