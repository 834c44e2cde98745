//! More people than a row has columns for: contacts beside the main one, sellers beside the owner. Where this CRM keeps them is a setting;
//! by default it does not.

mod contacts;
mod team;

pub(crate) use contacts::{ContactTable, contacts, set_main};
pub(crate) use team::{TeamTable, team};

use cosell_guest_sdk::prelude::*;

/// The manifest with the settings of both tables.
pub(crate) fn settings(manifest: PluginManifest) -> PluginManifest {
    contacts::SETTINGS
        .into_iter()
        .chain(team::SETTINGS)
        .fold(manifest, |manifest, (name, doc)| {
            manifest.setting(SettingSpec::text(name, doc))
        })
}

/// Settings of one table that do not go together.
pub(crate) fn mistakes(settings: Settings<'_>) -> Vec<Reason> {
    let mut mistakes = contacts::mistakes(settings);
    mistakes.extend(team::mistakes(settings));
    mistakes
}

/// `missing` must be set where `there` is.
fn incomplete(there: &str, missing: &str) -> Reason {
    Reason::new(
        "settings-incomplete",
        format!("{there} is set and {missing} is not"),
    )
    .about_setting(missing)
    .hint(format!("set {missing} too, or take {there} out"))
}
