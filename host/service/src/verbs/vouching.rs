//! Who vouches for what is in the set: a host that requires it takes up no deal while nobody does.

use cosell_plugins::{Member, Mode, needs_a_signature, unvouched};
use cosell_store::{Store, StoreError};
use serde::Serialize;

use crate::config::Plugins;

/// A version in the set that a host of this configuration may not run.
#[derive(Debug, Clone, Serialize)]
pub struct UnvouchedView {
    /// The plugin's id.
    pub plugin: String,
    /// Its file.
    pub file: String,
    /// It is only judged: no deal waits for it.
    pub is_shadow: bool,
    /// Why, and what to do.
    pub why: String,
}

/// Versions for which nobody vouches whom this configuration trusts, where it requires that.
pub(super) async fn without_voucher(
    store: &dyn Store,
    plugins: &Plugins,
    members: &[Member],
) -> Result<Vec<UnvouchedView>, StoreError> {
    let trust = &plugins.trust;
    let mut all = Vec::new();
    for member in members.iter().filter(|one| needs_a_signature(trust, one)) {
        // Bytes that are not there are told by `cosell store check`.
        let Some(wasm) = store.component(&member.component).await? else {
            continue;
        };
        let text = match &member.source {
            Some(hash) => store.component(hash).await?,
            None => None,
        };
        if let Some(why) = unvouched(trust, &plugins.folder, member, wasm, text) {
            all.push(UnvouchedView {
                plugin: member.detail.plugin.clone(),
                file: member.file.clone(),
                is_shadow: member.detail.mode == Mode::Shadow,
                why,
            });
        }
    }
    Ok(all)
}
